import { ENTITIES, type Field } from '../kit/index.ts';
import { RELATED, type Related } from './types.ts';

/** What kind of value a field holds; decides which tests it takes. */
export type ValueType =
  | 'text'
  | 'word'
  | 'postal_code'
  | 'number'
  | 'money'
  | 'date'
  | 'instant'
  /** A date of which the year may not be known. */
  | 'birthday'
  | 'boolean'
  | 'list'
  /** Of a custom field: whatever the platform sent. */
  | 'custom';

/** Whose fields they are: of the customer and what belongs to it once, or of related objects. */
export type Scope = 'customer' | 'company' | 'owner' | 'score' | Related;

/** A field conditions can name. `column` is the only place an identifier of a statement comes from. */
export interface ConditionField {
  name: string;
  scope: Scope;
  type: ValueType;
  title: string;
  /** The closed list of words, where there is one. */
  values?: readonly string[];
  column: string;
  /** Made from related objects instead of a column. */
  measure?: 'balance_due' | 'overdue_balance' | 'spend';
}

const TYPES: Record<Field['type'], ValueType | undefined> = {
  text: 'text',
  date: 'date',
  birthday: 'birthday',
  timestamptz: 'instant',
  numeric: 'number',
  integer: 'number',
  boolean: 'boolean',
  'text[]': 'list',
  jsonb: undefined,
};

const MONEY = new Set([
  'deal.amount',
  'invoice.total',
  'invoice.balance',
  'payment.amount',
  'payment.unapplied',
  'job.amount',
  'subscription.amount',
]);

function typeOf(name: string, field: Field): ValueType | undefined {
  if (field.values) return 'word';
  if (MONEY.has(name)) return 'money';
  return name.endsWith('.postal_code') ? 'postal_code' : TYPES[field.type];
}

const ofEntity = (scope: Scope, fields: Record<string, Field>): ConditionField[] =>
  Object.entries(fields).flatMap(([column, field]) => {
    const name = `${scope}.${column}`;
    const type = typeOf(name, field);
    if (type === undefined) return [];
    return [{ name, scope, type, title: field.title, column, ...(field.values ? { values: field.values } : {}) }];
  });

const made = (
  name: string,
  type: ValueType,
  title: string,
  more: Partial<Pick<ConditionField, 'column' | 'values' | 'measure'>> = {},
): ConditionField => {
  const [scope, column] = name.split('.') as [Scope, string];
  return { name, scope, type, title, column, ...more };
};

const ALL: readonly ConditionField[] = [
  ...ofEntity('customer', ENTITIES.contact.fields),
  made('customer.created_at', 'instant', 'Created at the platform, or first seen here'),
  made('customer.balance_due', 'money', 'Still open on invoices that are open, partly paid or disputed', {
    measure: 'balance_due',
  }),
  made('customer.overdue_balance', 'money', 'The same, of invoices whose due date has passed', {
    measure: 'overdue_balance',
  }),
  made('customer.spend', 'money', 'Paid so far: payments less refunds', { measure: 'spend' }),
  ...ofEntity('company', ENTITIES.company.fields),
  ...ofEntity('owner', ENTITIES.owner.fields),
  made('score.value', 'number', 'Relationship score, 0 to 100', { column: 'score' }),
  made('score.band', 'word', 'Band of the score', { values: ['at_risk', 'steady', 'strong'] }),
  made('score.vip', 'boolean', 'Is a VIP'),
  made('score.unhappy', 'boolean', 'Is unhappy'),
  ...RELATED.flatMap((kind) => [
    ...ofEntity(kind, ENTITIES[kind].fields),
    made(`${kind}.created_at`, 'instant', 'Created at the platform', { column: 'source_created_at' }),
  ]),
];

const BY_NAME: ReadonlyMap<string, ConditionField> = new Map(ALL.map((field) => [field.name, field]));

/** Every field of the model that conditions can name; custom fields come on top. */
export const builtInFields = (): readonly ConditionField[] => ALL;

/** Which field says when an object was: "the latest job" is the one completed last. */
export const MAIN_DATE: Record<Related, string> = {
  deal: 'closes_on',
  ticket: 'created_at',
  invoice: 'issued_on',
  payment: 'paid_on',
  job: 'completed_on',
  subscription: 'started_on',
  activity: 'occurred_at',
  survey_response: 'answered_at',
};

/** Scopes whose objects carry custom fields. */
export const CUSTOM_SCOPES: readonly Scope[] = ['customer', 'company', ...RELATED];

/** A field as a condition names it: one of the model, or a custom one. */
export type NamedField = ConditionField & {
  /** Name of the custom field, as the mapping gave it; may hold anything. */
  custom?: string;
};

const CUSTOM = /^([a-z_]+)\.custom\.([\s\S]+)$/;

/** The field of that name, or undefined. `customer.custom.<name>` and the like are always one. */
export function namedField(name: string): NamedField | undefined {
  const known = BY_NAME.get(name);
  if (known) return known;
  const [, scope, custom] = CUSTOM.exec(name) ?? [];
  if (custom === undefined || !CUSTOM_SCOPES.includes(scope as Scope)) return undefined;
  return { name, scope: scope as Scope, type: 'custom', title: custom, column: 'custom', custom };
}

export const isRelated = (scope: unknown): scope is Related => RELATED.includes(scope as Related);

/** Fields outside related objects, which a condition about the customer can test directly. */
export const isDirect = (field: ConditionField): boolean => !isRelated(field.scope);
