import {
  at,
  defineStream,
  listAt,
  type RecordHint,
  type Stream,
  textAt,
  type VendorContext,
} from '../../src/kit/index.ts';
import { comments } from './comments.ts';
import { byCursor, byEndTime, inPages, showMany } from './exports.ts';
import { fieldIn, keyedFields, ticketFields, withCustom } from './fields.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;

/** The exports keep the last minute back; another one for clocks that differ. */
const EXPORT = { granularity: 'second', lagSeconds: 120, sorted: 'ascending' } as const;

const STAFF = ['agent', 'admin'];
const isStaff = (user: unknown): boolean => STAFF.includes(textAt(user, 'role') ?? '');

const agents = defineStream({
  name: 'agents',
  title: 'Agents',
  entities: ['owner'],
  feature: 'read',
  every: HOUR,
  ...inPages('/api/v2/users', { 'role[]': STAFF }),
  records: (reply) => (reply.body as { users: unknown[] }).users,
  id: (record) => textAt(record, 'id'),
  changedAt: (record) => textAt(record, 'updated_at'),
  // Who left, or is an end user again, is in the list no more.
  deletes: { kind: 'sweep', sweep: { everySeconds: DAY } },
  fetchByIds: {
    max: 100,
    fetch: async (ctx, ids) => (await showMany(ctx, 'users', ids)).filter((user) => isStaff(user)),
  },
});

/** Statuses an account named itself; each belongs to one of the vendor's own. */
const statuses = defineStream({
  name: 'custom_statuses',
  title: 'Ticket statuses',
  entities: ['pipeline_stage'],
  feature: 'read',
  every: HOUR,
  list: () => ({ method: 'GET', path: '/api/v2/custom_statuses' }),
  paging: { kind: 'single' },
  records: (reply) => (reply.body as { custom_statuses: unknown[] }).custom_statuses,
  id: (record) => textAt(record, 'id'),
  changedAt: (record) => textAt(record, 'updated_at'),
  // One that is no longer offered still names what old tickets are in; deleted ones are in the list no more.
  deletes: { kind: 'sweep', sweep: { everySeconds: DAY } },
});

const organizations = defineStream({
  name: 'organizations',
  title: 'Organizations',
  entities: ['company'],
  feature: 'read',
  ...byEndTime('/api/v2/incremental/organizations'),
  records: (reply) => (reply.body as { organizations: unknown[] }).organizations,
  id: (record) => textAt(record, 'id'),
  changedAt: (record) => textAt(record, 'updated_at'),
  incremental: EXPORT,
  deletes: { kind: 'flag', isDeleted: (record) => textAt(record, 'deleted_at') !== undefined },
  fetchByIds: { max: 100, fetch: (ctx, ids) => showMany(ctx, 'organizations', ids) },
  discover: (ctx) => keyedFields(ctx, 'organization_fields'),
  fieldAt: fieldIn('organization_fields'),
});

const users = defineStream({
  name: 'users',
  title: 'End users',
  entities: ['contact'],
  feature: 'read',
  after: ['organizations'],
  ...byCursor('/api/v2/incremental/users/cursor'),
  records: (reply) => (reply.body as { users: unknown[] }).users,
  id: (record) => textAt(record, 'id'),
  changedAt: (record) => textAt(record, 'updated_at'),
  incremental: EXPORT,
  // A colleague is no customer: who becomes one is none from then on, and is an agent instead.
  deletes: { kind: 'flag', isDeleted: (record) => at(record, 'active') === false || isStaff(record) },
  fetchByIds: { max: 100, fetch: (ctx, ids) => showMany(ctx, 'users', ids) },
  discover: (ctx) => keyedFields(ctx, 'user_fields'),
  fieldAt: fieldIn('user_fields'),
});

/** Moment of the last change, of the system's own too, by which the export is sorted (dossier, Read). */
function generatedAt(ticket: unknown): string | undefined {
  const seconds = Number(textAt(ticket, 'generated_timestamp'));
  return Number.isFinite(seconds) && seconds > 0
    ? new Date(seconds * 1000).toISOString()
    : textAt(ticket, 'updated_at');
}

/** A rated ticket tells of its rating, which no webhook does. */
function ratingOf(ticket: unknown): RecordHint[] {
  const id = textAt(ticket, 'satisfaction_rating.id');
  return id ? [{ stream: 'satisfaction_ratings', id }] : [];
}

const tickets = defineStream({
  name: 'tickets',
  title: 'Tickets',
  entities: ['ticket'],
  feature: 'read',
  after: ['users', 'agents', 'custom_statuses'],
  ...byCursor('/api/v2/incremental/tickets/cursor'),
  records: (reply) => (reply.body as { tickets: unknown[] }).tickets.map(withCustom),
  id: (record) => textAt(record, 'id'),
  changedAt: generatedAt,
  incremental: EXPORT,
  deletes: { kind: 'flag', isDeleted: (record) => textAt(record, 'status') === 'deleted' },
  implies: ratingOf,
  fetchByIds: { max: 100, fetch: async (ctx, ids) => (await showMany(ctx, 'tickets', ids)).map(withCustom) },
  discover: ticketFields,
  fieldAt: fieldIn('custom'),
});

async function ratingsById(ctx: VendorContext, [id]: string[]): Promise<unknown[]> {
  const path = `/api/v2/satisfaction_ratings/${encodeURIComponent(id!)}`;
  const { body } = await ctx.call({ method: 'GET', path });
  return [at(body, 'satisfaction_rating')];
}

const ratings = defineStream({
  name: 'satisfaction_ratings',
  title: 'Satisfaction ratings',
  entities: ['survey_response'],
  feature: 'read',
  after: ['tickets'],
  ...inPages('/api/v2/satisfaction_ratings'),
  records: (reply) => listAt(reply.body, 'satisfaction_ratings'),
  id: (record) => textAt(record, 'id'),
  changedAt: (record) => textAt(record, 'updated_at'),
  // The list is cut by a time of which it is not said whether it is the making or the last change: a week is read again.
  incremental: { granularity: 'second', lagSeconds: 7 * DAY, sorted: 'no' },
  deletes: {
    kind: 'none',
    reason: 'Zendesk tells nobody of ratings that were taken away, and that one was given stays true.',
  },
  fetchByIds: { max: 1, fetch: ratingsById },
});

/** What is read of an account. */
export const streams: readonly Stream[] = [agents, statuses, organizations, users, tickets, comments, ratings];
