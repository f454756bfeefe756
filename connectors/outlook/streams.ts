import {
  defineStream,
  type ListPosition,
  type Parameters,
  type Stream,
  textAt,
  type VendorContext,
  type VendorError,
} from '../../src/kit/index.ts';
import { withBounces } from './bounces.ts';
import { deltaLink, follow, graph, members, nextLink, oneOf, step, taskListOf } from './graph.ts';
import { answerOf, appointmentOf, isAppointment, isRemoved, MAIL_FIELDS, mailOf } from './records.ts';

const DAY_MS = 86_400_000;
/** Appointments from so long ago to so far ahead are read; the window moves once a week (dossier, Read: delta). */
const BEHIND = 30;
const AHEAD = 365;
/** Of the inbox, what came so long before the connection, unless the setting `mailDays` says otherwise. */
const MAIL_DAYS = 30;
const SIZE = 50;

/** The vendor does not know the token any more (dossier, Errors: 410). */
const lost = (error: VendorError): boolean => error.status === 410 || /^(syncState|resync)/i.test(error.code ?? '');

const daysAway = (ctx: VendorContext, days: number): string =>
  new Date(ctx.now.getTime() + days * DAY_MS).toISOString();

interface Kind extends Pick<Stream, 'name' | 'title' | 'entities' | 'feature' | 'deletes'> {
  path: (ctx: VendorContext) => string;
  query: (ctx: VendorContext) => Parameters;
  /** Where one of them is. */
  one: (ctx: VendorContext, id: string) => string;
  /** What of one is asked for. */
  select?: string;
  read?: (raw: unknown) => unknown;
  keeps?: (raw: unknown) => boolean;
  renewSeconds?: number;
  more?: Partial<Stream>;
}

/** All four lists work alike: pages by links, a delta link at the end, and that link the next time. */
function deltaStream(kind: Kind): Stream {
  const { name, title, entities, feature, deletes, read = (raw) => raw, keeps = () => true } = kind;
  return defineStream({
    ...{ name, title, entities, deletes },
    ...(feature ? { feature } : {}),
    list: (ctx: VendorContext, at: ListPosition) => {
      const link = at.token ?? at.delta;
      if (link) return follow(link, at.limit);
      return graph({ method: 'GET', path: kind.path(ctx), query: kind.query(ctx) }, at.limit);
    },
    paging: { kind: 'token', size: SIZE, next: nextLink },
    delta: { next: deltaLink, lost, ...(kind.renewSeconds ? { renewSeconds: kind.renewSeconds } : {}) },
    records: (reply) => members(reply).filter(keeps).map(read),
    id: (record) => textAt(record, 'id'),
    changedAt: (record) => textAt(record, 'lastModifiedDateTime'),
    fetchByIds: {
      max: 8,
      fetch: async (ctx, ids) => {
        const query = kind.select ? { $select: kind.select } : {};
        const found = await Promise.all(ids.map((id) => oneOf(ctx, kind.one(ctx, id), query)));
        return found.filter((record) => record !== undefined && keeps(record)).map(read);
      },
    },
    ...kind.more,
  });
}

/** Ids only, of everything there is: what a reading from the start cannot tell is gone. */
const idsOf = (path: string, query: (ctx: VendorContext) => Parameters = () => ({})) => ({
  everySeconds: 30 * 86_400,
  ids: {
    list: (ctx: VendorContext, at: ListPosition) =>
      at.token ? follow(at.token) : graph({ method: 'GET', path, query: { ...query(ctx), $select: 'id', $top: 500 } }),
    paging: { kind: 'token' as const, size: 500, next: nextLink },
    records: members,
  },
});

export const streams: readonly Stream[] = [
  deltaStream({
    name: 'contacts',
    title: 'Contacts',
    entities: ['contact'],
    feature: 'read',
    path: () => '/me/contacts/delta',
    query: () => ({}),
    one: (_ctx, id) => `/me/contacts/${step(id)}`,
    deletes: { kind: 'flag', isDeleted: isRemoved, sweep: idsOf('/me/contacts') },
  }),
  deltaStream({
    name: 'events',
    title: 'Appointments',
    entities: ['job'],
    feature: 'calendar',
    path: () => '/me/calendarView/delta',
    query: (ctx) => ({ startDateTime: daysAway(ctx, -BEHIND), endDateTime: daysAway(ctx, AHEAD) }),
    one: (_ctx, id) => `/me/events/${step(id)}`,
    keeps: isAppointment,
    read: appointmentOf,
    renewSeconds: 7 * 86_400,
    deletes: {
      kind: 'flag',
      isDeleted: isRemoved,
      // What is outside of the window is asked for by its id before it is believed to be gone.
      sweep: idsOf('/me/calendarView', (ctx) => ({
        startDateTime: daysAway(ctx, -AHEAD),
        endDateTime: daysAway(ctx, AHEAD),
      })),
    },
    more: { follows: answerOf },
  }),
  deltaStream({
    name: 'messages',
    title: 'Replies in the inbox',
    entities: ['activity'],
    feature: 'replies',
    path: () => '/me/mailFolders/inbox/messages/delta',
    query: (ctx) => ({
      $select: MAIL_FIELDS,
      $filter: `receivedDateTime ge ${daysAway(ctx, -Number(ctx.settings.mailDays ?? MAIL_DAYS))}`,
    }),
    one: (_ctx, id) => `/me/messages/${step(id)}`,
    select: MAIL_FIELDS,
    keeps: (raw) => !isRemoved(raw),
    read: mailOf,
    deletes: {
      kind: 'none',
      reason: 'Mail that leaves the inbox was archived or tidied away; that somebody wrote stays true.',
    },
    more: {
      complete: withBounces,
      follows: (record) => {
        const { bounce } = record as {
          bounce?: { nativeId: string; requestId?: string; status: string; text: string };
        };
        if (!bounce) return undefined;
        const { nativeId, requestId, status, text } = bounce;
        // 5.1.x: there is no such address. Anything else may be over tomorrow.
        const outcome = status.startsWith('5.1.') ? ('invalid_recipient' as const) : ('failed' as const);
        return { nativeId, state: 'bounced', detail: text, outcome, ...(requestId ? { requestId } : {}) };
      },
    },
  }),
  deltaStream({
    name: 'tasks',
    title: 'Tasks in To Do',
    entities: ['activity'],
    feature: 'tasks',
    path: (ctx) => `/me/todo/lists/${step(taskListOf(ctx))}/tasks/delta`,
    query: () => ({}),
    one: (ctx, id) => `/me/todo/lists/${step(taskListOf(ctx))}/tasks/${step(id)}`,
    deletes: { kind: 'flag', isDeleted: isRemoved },
    more: {
      follows: (record) => {
        const [nativeId, status] = [textAt(record, 'id'), textAt(record, 'status')];
        if (!nativeId) return undefined;
        if (isRemoved(record)) return { nativeId, state: 'deleted' };
        return status ? { nativeId, state: status } : undefined;
      },
    },
  }),
];
