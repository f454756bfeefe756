import {
  defineStream,
  type ListPosition,
  type RequestSpec,
  type Stream,
  textAt,
  type VendorContext,
} from '../../src/kit/index.ts';
import { LINK_SOURCE } from './actions.ts';
import { allOf, bookingId, inLanes, LARGEST, nextToken, pathOf, resourceAt, whose } from './api.ts';

const DAY_MS = 86_400_000;
/** Of the past, what a first load reads unless the setting `pastDays` says otherwise. */
const PAST_DAYS = 730;
/** Appointments begin so far ahead at most in a reading; the vendor has no filter by change (dossier, Read). */
const AHEAD_DAYS = 365;
/** Each event costs a call for who booked it, so pages are small: little is read twice after a break. */
const PAGE = 15;
const AT_ONCE = 5;

const away = (ctx: VendorContext, days: number): string => new Date(ctx.now.getTime() + days * DAY_MS).toISOString();

const listFrom =
  (days: (ctx: VendorContext) => number) =>
  (ctx: VendorContext, at: ListPosition): RequestSpec => ({
    method: 'GET',
    path: '/scheduled_events',
    query: {
      ...whose(ctx).query,
      ...{ min_start_time: away(ctx, -days(ctx)), max_start_time: away(ctx, AHEAD_DAYS) },
      ...{ sort: 'start_time:asc', count: at.limit, page_token: at.token },
    },
  });

const paging = { kind: 'token' as const, size: PAGE, next: (reply: { body: unknown }) => nextToken(reply.body) };

/** Who booked an event, each with the event: the form in which posts have them, too. */
async function withInvitees(ctx: VendorContext, event: unknown): Promise<unknown[]> {
  const invitees = await allOf(ctx, { path: `${pathOf(textAt(event, 'uri'))}/invitees` });
  return invitees.map((invitee) => ({ ...(invitee as object), scheduled_event: event }));
}

/** A booking by its name; undefined when it is gone. */
async function bookingOf(ctx: VendorContext, id: string): Promise<unknown> {
  const [event = '', invitee = ''] = id.split('/').map(encodeURIComponent);
  const found = await resourceAt(ctx, `/scheduled_events/${event}/invitees/${invitee}`);
  const booked = found && (await resourceAt(ctx, `/scheduled_events/${event}`));
  return booked && { ...(found as object), scheduled_event: booked };
}

/** Moved to another time: the booking goes on as the new one. */
const isMoved = (record: unknown): boolean =>
  textAt(record, 'rescheduled') === 'true' && bookingId(textAt(record, 'new_invitee')) !== undefined;

/** How a booking stands. */
export function stateOf(record: unknown): 'booked' | 'cancelled' | 'no_show' {
  if (textAt(record, 'no_show.uri')) return 'no_show';
  const states = [textAt(record, 'status'), textAt(record, 'scheduled_event.status')];
  return states.includes('canceled') ? 'cancelled' : 'booked';
}

/** Who of the organisation it is with, as `owners` names them. */
const hostOf = (record: unknown): string | undefined =>
  pathOf(textAt(record, 'scheduled_event.event_memberships[0].user')).split('/').at(-1) || undefined;

const bookings = defineStream({
  name: 'bookings',
  title: 'Bookings',
  entities: ['contact', 'job'],
  feature: 'read',
  after: ['owners'],
  every: 3600,
  list: listFrom(() => 1),
  paging,
  initial: { list: listFrom((ctx) => Number(ctx.settings.pastDays ?? PAST_DAYS)), paging },
  records: (reply) => (reply.body as { collection: unknown[] }).collection,
  complete: async (ctx, records) => {
    const listed = await inLanes(records, AT_ONCE, async (record) =>
      // What was asked for by its id is whole already.
      bookingId(textAt(record, 'uri')) ? [record] : withInvitees(ctx, record),
    );
    return listed.flat().map((record) => ({ ...(record as object), state: stateOf(record), host: hostOf(record) }));
  },
  id: (record) => bookingId(textAt(record, 'uri')),
  deletes: { kind: 'flag', isDeleted: isMoved },
  mergedInto: (record) => (isMoved(record) ? bookingId(textAt(record, 'new_invitee')) : undefined),
  // The place where a booking began: links of ours carry the id of what asked for them.
  follows: (record) => {
    const [source, requestId] = [textAt(record, 'tracking.utm_source'), textAt(record, 'tracking.utm_content')];
    const nativeId = bookingId(textAt(record, 'uri'));
    if (source !== LINK_SOURCE || !requestId || !nativeId || isMoved(record)) return undefined;
    return { nativeId, requestId, state: stateOf(record) };
  },
  fetchByIds: {
    max: 10,
    fetch: async (ctx, ids) => {
      const found = await inLanes(ids, AT_ONCE, (id) => bookingOf(ctx, id));
      return found.filter((record) => record !== undefined);
    },
  },
});

const owners = defineStream({
  name: 'owners',
  title: 'Who can be booked',
  entities: ['owner'],
  feature: 'read',
  every: 3600,
  list: (ctx, at) => ({
    method: 'GET',
    path: '/organization_memberships',
    query: { ...whose(ctx).query, count: at.limit, page_token: at.token },
  }),
  paging: { kind: 'token', size: LARGEST, next: (reply) => nextToken(reply.body) },
  records: (reply) => (reply.body as { collection: unknown[] }).collection,
  id: (record) => pathOf(textAt(record, 'user.uri')).split('/').at(-1),
  deletes: { kind: 'sweep', sweep: { everySeconds: 86_400 } },
});

export const streams: readonly Stream[] = [owners, bookings];
