import { builtInFields, type ConditionField, isDirect, isRelated, type Scope } from './fields.ts';
import { has, RELATED, type Related, type TestName, UNITS, type Unit } from './types.ts';

/** How fields and objects are called in sentences. Whoever reads a sentence and whoever writes one use these tables. */

/** One and several of a kind of object. */
export const NOUNS: Record<Related, readonly [one: string, several: string]> = {
  deal: ['deal', 'deals'],
  ticket: ['ticket', 'tickets'],
  invoice: ['invoice', 'invoices'],
  payment: ['payment', 'payments'],
  job: ['job', 'jobs'],
  subscription: ['subscription', 'subscriptions'],
  activity: ['activity', 'activities'],
  survey_response: ['survey response', 'survey responses'],
};

/** Names that would read badly, or be taken for another field, when they were made of the column. */
const CALLED: Record<string, string> = {
  'customer.company_name': 'company as written',
  'customer.created_at': 'customer since',
  'customer.balance_due': 'balance due',
  'score.value': 'score',
  'score.vip': 'VIP',
};

function phraseOf({ name, scope, column }: ConditionField): string {
  // "completed in the last 6 months", not "completed on in the last 6 months".
  const words = column.replace(/_(on|at)$/, '').replaceAll('_', ' ');
  if (has(CALLED, name)) return CALLED[name]!;
  if (name === 'score.band') return 'score band';
  return scope === 'company' || scope === 'owner' ? `${scope} ${words}` : words;
}

const phrases = new Map(builtInFields().map((field) => [field.name, phraseOf(field)]));

/** What a field is called where fields of its scope are meant. */
export const phrase = (name: string): string => phrases.get(name)!;

const tableOf = (fields: readonly ConditionField[]): ReadonlyMap<string, string> =>
  new Map(fields.map((field) => [phrase(field.name), field.name]));

/** The fields of a place by what they are called there. */
const DIRECT = tableOf(builtInFields().filter(isDirect));
const OF_KIND = new Map(RELATED.map((kind) => [kind, tableOf(builtInFields().filter(({ scope }) => scope === kind))]));
export const phrasesOf = (subject: 'customer' | Related): ReadonlyMap<string, string> =>
  isRelated(subject) ? OF_KIND.get(subject)! : DIRECT;

/** Whose custom field it is: nothing in front means the customer's, or the object's the parentheses are about. */
export const CUSTOM_OF: Partial<Record<Scope, string>> = { customer: 'custom field', company: 'company custom field' };

/** A custom field where fields of its scope are meant. */
export const customPhrase = ({ name, scope }: { name: string; scope: Scope }): string =>
  `${CUSTOM_OF[scope] ?? 'custom field'} ${JSON.stringify(name.slice(`${scope}.custom.`.length))}`;

/** What stands between a field and a number. */
export const COMPARISONS = {
  above: 'over',
  below: 'under',
  at_least: 'at least',
  at_most: 'at most',
} as const satisfies Partial<Record<TestName, string>>;

/** Tests that read the same whatever the type: the words in front of what follows. */
export const WORDED = {
  is: 'is',
  is_not: 'is not',
  one_of: 'is one of',
  none_of: 'is none of',
  contains: 'contains',
  starts_with: 'starts with',
  ends_with: 'ends with',
  on: 'on',
  before: 'before',
  after: 'after',
  on_or_before: 'on or before',
  on_or_after: 'on or after',
  has_any: 'include any of',
  has_all: 'include all of',
  has_none: 'include none of',
  ...COMPARISONS,
} as const satisfies Partial<Record<TestName, string>>;

export const UNIT_WORDS: Record<Unit, readonly [one: string, several: string]> = {
  days: ['day', 'days'],
  weeks: ['week', 'weeks'],
  months: ['month', 'months'],
  years: ['year', 'years'],
};
export const ALL_UNITS = Object.keys(UNITS) as Unit[];
