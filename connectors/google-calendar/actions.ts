import { Type } from 'typebox';
import {
  type ActionDefinition,
  type ActionInput,
  defineAction,
  listAt,
  type Receipt,
  type Reply,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { changes } from './changes.ts';
import { eventIdOf, MARK, notesWith, requestOfNotes } from './marks.ts';
import { calendarOf, dayOf, eventsPath, nextDay, taskListOf, tasksPath, updatesOf } from './places.ts';

interface EventExtra {
  calendar?: string;
  allDay?: boolean;
  timeZone?: string;
  recurrence?: string[];
  reminders?: { method: 'email' | 'popup'; minutes: number }[];
  meet?: boolean;
}

const EventExtra = Type.Object({
  calendar: Type.Optional(Type.String({ description: 'Calendar to write to; default: as the connection says' })),
  allDay: Type.Optional(Type.Boolean({ description: 'Whole days, from the day of the start to that of the end' })),
  timeZone: Type.Optional(Type.String({ description: 'Zone (IANA) the event is in; default: that of the calendar' })),
  recurrence: Type.Optional(Type.Array(Type.String({ pattern: '^(RRULE|EXRULE|RDATE|EXDATE)[:;]' }), { maxItems: 10 })),
  reminders: Type.Optional(
    Type.Array(
      Type.Object({
        method: Type.Union([Type.Literal('email'), Type.Literal('popup')]),
        minutes: Type.Integer({ minimum: 0, maximum: 40_320 }),
      }),
      { maxItems: 5, description: 'Before the start; only for whose calendar it is' },
    ),
  ),
  meet: Type.Optional(Type.Boolean({ description: 'With a link for a video call' })),
});

type EventInput = ActionInput<'create_calendar_event'> & EventExtra;

/** A technician's calendar is named by their address. */
const calendarFor = (ctx: VendorContext, input: EventInput): string =>
  input.calendar ?? input.assignee ?? calendarOf(ctx);

/** Start and end; of whole days the last one is not part of it. */
function timesOf(ctx: VendorContext, input: EventInput): { start: object; end: object } {
  const timeZone = input.timeZone ?? ctx.account.timeZone;
  if (!input.allDay) {
    const zone = timeZone ? { timeZone } : {};
    return { start: { dateTime: input.startsAt, ...zone }, end: { dateTime: input.endsAt, ...zone } };
  }
  const [first, last] = [dayOf(input.startsAt, timeZone), dayOf(input.endsAt, timeZone)];
  return { start: { date: first }, end: { date: last > first ? last : nextDay(first) } };
}

function eventReceipt({ body }: Pick<Reply, 'body'>): Receipt {
  const nativeId = textAt(body, 'id');
  if (!nativeId)
    throw new VendorError('malformed', 'Google answered without the id of the event.', { mayHaveActed: true });
  const url = textAt(body, 'htmlLink');
  const invited = listAt(body, 'attendees').length > 0;
  const state = textAt(body, 'status') === 'cancelled' ? 'cancelled' : invited ? 'needsAction' : 'confirmed';
  return { nativeId, ...(url ? { url } : {}), state };
}

const createEvent = defineAction<'create_calendar_event', EventExtra>({
  kind: 'create_calendar_event',
  title: 'Event with guests and reminders',
  feature: 'calendar',
  extra: EventExtra,
  idempotency: {
    kind: 'marker',
    settleSeconds: 10,
    // The event has the id we chose. One that somebody removed meanwhile was made all the same.
    find: async (ctx, input, meta) => {
      const path = `${eventsPath(calendarFor(ctx, input))}/${eventIdOf(meta.requestId)}`;
      try {
        return eventReceipt(await ctx.call({ method: 'GET', path }));
      } catch (error) {
        if (error instanceof VendorError && error.kind === 'not_found') return undefined;
        throw error;
      }
    },
  },
  request: (ctx, input, meta) => ({
    method: 'POST',
    path: eventsPath(calendarFor(ctx, input)),
    query: { sendUpdates: updatesOf(ctx), ...(input.meet ? { conferenceDataVersion: 1 } : {}) },
    json: {
      id: eventIdOf(meta.requestId),
      summary: input.title,
      description: input.body,
      location: input.location,
      ...timesOf(ctx, input),
      ...(input.attendees ? { attendees: input.attendees.map((email) => ({ email })) } : {}),
      ...(input.recurrence ? { recurrence: input.recurrence } : {}),
      ...(input.reminders ? { reminders: { useDefault: false, overrides: input.reminders } } : {}),
      ...(input.meet
        ? {
            conferenceData: {
              createRequest: { requestId: meta.requestId, conferenceSolutionKey: { type: 'hangoutsMeet' } },
            },
          }
        : {}),
      extendedProperties: { private: { [MARK]: meta.requestId } },
    },
  }),
  receipt: (reply) => eventReceipt(reply),
  follows: ['confirmed', 'needsAction', 'tentative', 'accepted', 'declined', 'cancelled'],
});

const taskReceipt = (task: unknown): Receipt => {
  const nativeId = textAt(task, 'id');
  if (!nativeId)
    throw new VendorError('malformed', 'Google answered without the id of the task.', { mayHaveActed: true });
  const url = textAt(task, 'webViewLink');
  return { nativeId, ...(url ? { url } : {}), state: textAt(task, 'status') ?? 'needsAction' };
};

/** Our clock and Google's may differ by this much when an earlier try is looked for. */
const CLOCK_SKEW_MS = 120_000;

const createTask = defineAction<'create_task'>({
  kind: 'create_task',
  title: 'Task',
  feature: 'tasks',
  idempotency: {
    kind: 'marker',
    settleSeconds: 60,
    find: async (ctx, _input, meta) => {
      const updatedMin = new Date(meta.firstTriedAt.getTime() - CLOCK_SKEW_MS).toISOString();
      let pageToken: string | undefined;
      do {
        const { body } = await ctx.call({
          method: 'GET',
          host: 'tasks',
          path: tasksPath(taskListOf(ctx)),
          query: { showCompleted: true, showHidden: true, showDeleted: true, maxResults: 100, updatedMin, pageToken },
        });
        const found = listAt(body, 'items').find((task) => requestOfNotes(textAt(task, 'notes')) === meta.requestId);
        if (found) return taskReceipt(found);
        pageToken = textAt(body, 'nextPageToken');
      } while (pageToken);
      return undefined;
    },
  },
  request: (ctx, input, meta) => ({
    method: 'POST',
    host: 'tasks',
    path: tasksPath(taskListOf(ctx)),
    // Only the day is kept.
    json: {
      title: input.title,
      notes: notesWith(input.body, meta.requestId),
      due: `${dayOf(input.dueAt, ctx.account.timeZone)}T00:00:00.000Z`,
    },
  }),
  receipt: (reply) => taskReceipt(reply.body),
  follows: ['needsAction', 'completed', 'deleted'],
});

export const actions: readonly ActionDefinition[] = [createEvent, createTask, changes];
