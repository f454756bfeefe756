import {
  defineStream,
  type ListPosition,
  listAt,
  type ReceiptNews,
  type Reply,
  type Stream,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { MARK, requestOfNotes } from './marks.ts';
import { calendarsOf, eventsPath, placeOf, recordId, taskListOf, tasksPath } from './places.ts';

const DAY = 86_400;

/** Where a reading of several calendars stands: which one, its page, and the sync tokens of those before it. */
interface Place {
  calendar: number;
  page?: string;
  tokens: Record<string, string>;
}

const placeAt = ({ token }: ListPosition): Place => (token ? JSON.parse(token) : { calendar: 0, tokens: {} });

const syncTokens = ({ delta }: ListPosition): Record<string, string> => (delta ? JSON.parse(delta) : {});

/** The sync tokens of all calendars up to this answer. */
const tokensAfter = (reply: Reply, at: ListPosition, ctx: VendorContext): Record<string, string> => {
  const { calendar, tokens } = placeAt(at);
  const name = calendarsOf(ctx)[calendar];
  const token = textAt(reply.body, 'nextSyncToken');
  return name && token ? { ...tokens, [name]: token } : tokens;
};

/** The next page of this calendar, or the first of the next one. */
function nextPlace(reply: Reply, at: ListPosition, ctx: VendorContext): string | undefined {
  const place = placeAt(at);
  const page = textAt(reply.body, 'nextPageToken');
  if (page) return JSON.stringify({ ...place, page });
  const calendar = place.calendar + 1;
  if (calendar >= calendarsOf(ctx).length) return undefined;
  return JSON.stringify({ calendar, tokens: tokensAfter(reply, at, ctx) });
}

interface Attendee {
  email?: string;
  self?: boolean;
  organizer?: boolean;
  resource?: boolean;
  responseStatus?: string;
  comment?: string;
}

/** Those who were invited: neither the calendar's owner nor rooms. */
const guestsOf = (event: unknown): Attendee[] =>
  listAt<Attendee>(event, 'attendees').filter(({ self, organizer, resource }) => !self && !organizer && !resource);

/** How the guests answered as a whole: one who declines counts before all others, then who has not made up their mind. */
function answerOf(guests: readonly Attendee[]): string | undefined {
  const given = guests.map(({ responseStatus }) => responseStatus ?? 'needsAction');
  if (given.length === 0) return undefined;
  return ['declined', 'needsAction', 'tentative'].find((answer) => given.includes(answer)) ?? 'accepted';
}

/** An event with its calendar, the guest it is with, and how the guests answered as a whole. */
function shown(event: unknown, calendarId: string): Record<string, unknown> {
  const guests = guestsOf(event);
  const answer = answerOf(guests);
  return {
    ...(event as object),
    calendarId,
    ...(guests[0] ? { guest: guests[0] } : {}),
    ...(answer ? { guestAnswer: answer } : {}),
  };
}

/** What became of an event of ours. One date of a series that is called off says nothing about the others. */
function eventNews(event: unknown): ReceiptNews | undefined {
  const requestId = textAt(event, `extendedProperties.private.${MARK}`);
  const series = textAt(event, 'recurringEventId');
  const id = series ?? textAt(event, 'id') ?? '';
  const cancelled = textAt(event, 'status') === 'cancelled';
  // A cancelled event may hold nothing but its id: ours is known by that.
  if ((!requestId && !cancelled) || (series && cancelled)) return undefined;
  const guests = guestsOf(event);
  const state = cancelled ? 'cancelled' : (answerOf(guests) ?? 'confirmed');
  const who = guests.filter(({ responseStatus }) => responseStatus === state);
  const detail = who.map(({ email, comment }) => `${email ?? 'a guest'}${comment ? `: ${comment}` : ''}`).join('; ');
  return { nativeId: id, ...(requestId ? { requestId } : {}), state, ...(detail ? { detail } : {}) };
}

/** One record each; what is not there any more is left out. */
async function fetchEach(ids: readonly string[], fetchOne: (id: string) => Promise<unknown>): Promise<unknown[]> {
  const found = await Promise.all(
    ids.map((id) =>
      fetchOne(id).catch((error: unknown) => {
        if (error instanceof VendorError && (error.kind === 'not_found' || error.kind === 'gone')) return undefined;
        throw error;
      }),
    ),
  );
  return found.filter((record) => record !== undefined);
}

const events = defineStream({
  name: 'events',
  title: 'Events',
  entities: ['job'],
  feature: 'calendar',
  list: (ctx, at) => {
    const { calendar, page } = placeAt(at);
    const name = calendarsOf(ctx)[calendar] ?? 'primary';
    return {
      method: 'GET',
      path: eventsPath(name),
      // Dates of a series one by one, and no birthdays, absences or working places. A token wants the same filters again.
      query: {
        singleEvents: true,
        eventTypes: 'default',
        maxResults: at.limit,
        pageToken: page,
        syncToken: syncTokens(at)[name],
      },
    };
  },
  paging: { kind: 'token', size: 500, next: nextPlace },
  records: (reply, at, ctx) => {
    const calendar = calendarsOf(ctx)[placeAt(at).calendar] ?? 'primary';
    const { items } = reply.body as { items?: unknown[] };
    // Without `items` it is no list of events: reading stops instead of taking it for an empty one.
    return items?.map((event) => shown(event, calendar)) as unknown[];
  },
  id: (record) => {
    const id = textAt(record, 'id');
    return id && recordId(textAt(record, 'calendarId') ?? 'primary', id);
  },
  changedAt: (record) => textAt(record, 'updated'),
  delta: {
    next: (reply, at, ctx) => {
      const tokens = tokensAfter(reply, at, ctx);
      return Object.keys(tokens).length > 0 ? JSON.stringify(tokens) : undefined;
    },
    lost: (error) => error.kind === 'gone',
    // A series without an end is laid out for a while ahead only: what comes into that is in no list of changes.
    renewSeconds: 7 * DAY,
  },
  deletes: {
    kind: 'flag',
    isDeleted: (record) => textAt(record, 'status') === 'cancelled',
    sweep: { everySeconds: 30 * DAY },
  },
  follows: eventNews,
  fetchByIds: {
    max: 10,
    fetch: (ctx, ids) =>
      fetchEach(ids, async (id) => {
        const { calendar, event } = placeOf(id);
        const { body } = await ctx.call({
          method: 'GET',
          path: `${eventsPath(calendar)}/${encodeURIComponent(event)}`,
        });
        return shown(body, calendar);
      }),
  },
});

const tasks = defineStream({
  name: 'tasks',
  title: 'Tasks',
  entities: ['activity'],
  feature: 'tasks',
  list: (ctx, at) => ({
    method: 'GET',
    host: 'tasks',
    path: tasksPath(taskListOf(ctx)),
    // What is done is hidden as soon as somebody tidies the list.
    query: {
      showCompleted: true,
      showHidden: true,
      showDeleted: true,
      maxResults: at.limit,
      pageToken: at.token,
      updatedMin: at.since,
    },
  }),
  paging: { kind: 'token', size: 100, next: (reply) => textAt(reply.body, 'nextPageToken') },
  records: (reply) => (reply.body as { items?: unknown[] }).items ?? emptyTasks(reply),
  id: (record) => textAt(record, 'id'),
  changedAt: (record) => textAt(record, 'updated'),
  incremental: { granularity: 'millisecond', lagSeconds: 60, sorted: 'no' },
  deletes: {
    kind: 'flag',
    isDeleted: (record) => textAt(record, 'deleted') === 'true',
    sweep: { everySeconds: 30 * DAY },
  },
  follows: (record) => {
    const requestId = requestOfNotes(textAt(record, 'notes'));
    if (!requestId) return undefined;
    const state = textAt(record, 'deleted') === 'true' ? 'deleted' : (textAt(record, 'status') ?? 'needsAction');
    return { nativeId: textAt(record, 'id') ?? '', requestId, state };
  },
  fetchByIds: {
    max: 10,
    fetch: (ctx, ids) =>
      fetchEach(ids, async (id) => {
        const path = `${tasksPath(taskListOf(ctx))}/${encodeURIComponent(id)}`;
        return (await ctx.call({ method: 'GET', host: 'tasks', path })).body;
      }),
  },
});

/** A list without tasks leaves them out. */
const emptyTasks = (reply: Reply): unknown[] =>
  textAt(reply.body, 'kind') === 'tasks#tasks' ? [] : (undefined as unknown as unknown[]);

export const streams: readonly Stream[] = [events, tasks];
