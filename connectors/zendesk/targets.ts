import { at, type FieldWrites, listAt, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

/** What can be written to: its place in paths, and the stream it comes back in. */
export interface Target {
  kind: 'tickets' | 'users' | 'organizations';
  id: string;
}

export interface About {
  contact?: string | undefined;
  company?: string | undefined;
  ticket?: string | undefined;
}

/**
 * What an action is about: the ticket when one is named, else the person, else the organization.
 * @throws VendorError `invalid` when none is named
 */
export function targetOf({ ticket, contact, company }: About, what: string): Target {
  if (ticket) return { kind: 'tickets', id: ticket };
  if (contact) return { kind: 'users', id: contact };
  if (company) return { kind: 'organizations', id: company };
  throw new VendorError('invalid', `${what} in Zendesk needs the ticket, user or organization it belongs to.`);
}

const OBJECTS: Record<string, Target['kind']> = {
  ticket: 'tickets',
  contact: 'users',
  user: 'users',
  company: 'organizations',
  organization: 'organizations',
};

/** @throws VendorError `invalid` naming what can be written */
export function targetNamed(object: string, id: string): Target {
  const kind = OBJECTS[object];
  if (kind) return { kind, id };
  const known = Object.keys(OBJECTS).join(', ');
  throw new VendorError('invalid', `Fields of "${object}" cannot be written in Zendesk; those of ${known} can.`);
}

const NAMES = { tickets: 'ticket', users: 'user', organizations: 'organization' } as const;
/** The member that wraps a record in questions and answers. */
export const wrapperOf = ({ kind }: Target): string => NAMES[kind];

export const pathOf = ({ kind, id }: Target): string => `/api/v2/${kind}/${encodeURIComponent(id)}`;

/**
 * One record as it is now.
 * @throws VendorError `malformed` when the answer is another one
 */
export async function readTarget(ctx: VendorContext, target: Target): Promise<Record<string, unknown>> {
  const { body } = await ctx.call({ method: 'GET', path: pathOf(target) });
  const record = at(body, wrapperOf(target));
  if (textAt(record, 'id') === target.id) return record as Record<string, unknown>;
  throw new VendorError(
    'malformed',
    `Zendesk answered without the ${wrapperOf(target)} ${target.id} it was asked for.`,
  );
}

type Value = string | number | boolean | null;
type Values = Readonly<Record<string, Value>>;

/** Members a ticket, user or organization has by itself and that can be written; any other is a field of the account. */
const OWN: Record<Target['kind'], readonly string[]> = {
  tickets: [
    'subject',
    'status',
    'custom_status_id',
    'priority',
    'type',
    'due_at',
    'assignee_id',
    'group_id',
    'organization_id',
    'requester_id',
    'external_id',
    'brand_id',
    'problem_id',
    'ticket_form_id',
  ],
  users: ['name', 'email', 'phone', 'notes', 'details', 'organization_id', 'external_id', 'locale', 'time_zone'],
  organizations: ['name', 'details', 'notes', 'external_id', 'group_id'],
};

const CATEGORIES = ['new', 'open', 'pending', 'hold', 'solved', 'closed'];

/** Numbers of records are numbers, whoever wrote them as text. */
const typed = (name: string, value: Value): Value =>
  name.endsWith('_id') && name !== 'external_id' && typeof value === 'string' && /^\d{1,15}$/.test(value)
    ? Number(value)
    : value;

/** A status by the account's own word for it, where it is none of the vendor's. */
export async function statusNamed(ctx: VendorContext, fields: Values): Promise<number | undefined> {
  const { status } = fields;
  if (typeof status !== 'string' || CATEGORIES.includes(status)) return undefined;
  const { body } = await ctx.call({ method: 'GET', path: '/api/v2/custom_statuses' });
  const wanted = status.trim().toLowerCase();
  const labels = listAt(body, 'custom_statuses').filter((one) => at(one, 'active') !== false);
  const found = labels.find((one) => textAt(one, 'agent_label')?.trim().toLowerCase() === wanted);
  if (found !== undefined) return Number(textAt(found, 'id'));
  const known = labels.map((one) => textAt(one, 'agent_label')).join(', ');
  throw new VendorError(
    'invalid',
    `This Zendesk has no status "${status}". It has ${[...CATEGORIES, known].join(', ')}.`,
  );
}

/**
 * Fields as the vendor wants them written: its own beside each other, those of the account in their place.
 * @throws VendorError `invalid` for a field of a ticket that is neither one of its own nor a number
 */
export function fieldsFor({ kind }: Target, fields: Values, customStatus: number | undefined): Record<string, unknown> {
  const own: Record<string, unknown> = {};
  const theirs: Record<string, Value> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'status' && customStatus !== undefined) own.custom_status_id = customStatus;
    else if (OWN[kind].includes(name)) own[name] = typed(name, value);
    else theirs[name.replace(/^(custom|user_fields|organization_fields)\./, '')] = value;
  }
  if (Object.keys(theirs).length === 0) return own;
  if (kind === 'users') return { ...own, user_fields: theirs };
  if (kind === 'organizations') return { ...own, organization_fields: theirs };
  const odd = Object.keys(theirs).find((name) => !/^\d+$/.test(name));
  if (odd !== undefined)
    throw new VendorError(
      'invalid',
      `A ticket has no field "${odd}" that can be written. Fields of your own are named by their number, as the list of fields has them.`,
    );
  return { ...own, custom_fields: Object.entries(theirs).map(([id, value]) => ({ id: Number(id), value })) };
}

/** What a write of fields will show as when it comes back. */
export const writesOf = (target: Target, fields: Values): FieldWrites[] => [
  { stream: target.kind, id: target.id, fields: { ...fields } },
];
