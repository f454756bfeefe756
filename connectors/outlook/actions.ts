import { Type } from 'typebox';
import { type ActionDefinition, defineAction, listAt, textAt } from '../../src/kit/index.ts';
import { contactActions } from './actions.contacts.ts';
import { sendEmail } from './actions.mail.ts';
import { byMark, firstOf, graph, markOf, step, taskListOf } from './graph.ts';

/** A moment as Graph takes it: without an offset, in the zone named beside it. */
const inUtc = (iso: string): { dateTime: string; timeZone: string } => ({
  dateTime: new Date(iso).toISOString().slice(0, 19),
  timeZone: 'UTC',
});

const IMPORTANCE = { low: 'low', normal: 'normal', high: 'high' } as const;

/** How long what we made may be missing from searches. */
const SETTLE = 60;

const createEvent = defineAction<
  'create_calendar_event',
  { calendar?: string; online?: boolean; reminderMinutes?: number }
>({
  kind: 'create_calendar_event',
  title: 'Appointment in the calendar, with guests invited',
  feature: 'calendar',
  extra: Type.Object({
    calendar: Type.Optional(Type.String({ maxLength: 300 })),
    online: Type.Optional(Type.Boolean()),
    reminderMinutes: Type.Optional(Type.Integer({ minimum: 0, maximum: 40_320 })),
  }),
  idempotency: {
    kind: 'marker',
    settleSeconds: SETTLE,
    find: async (ctx, _input, meta) => {
      const query = { $filter: byMark(meta.requestId), $select: 'id,webLink', $top: 1 };
      const event = await firstOf(ctx, '/me/events', query);
      return event ? receiptOf(event) : undefined;
    },
  },
  request: (ctx, input, meta) => {
    const calendar = input.calendar ?? textAt(ctx.settings, 'calendar');
    return graph({
      method: 'POST',
      path: calendar ? `/me/calendars/${step(calendar)}/events` : '/me/events',
      json: {
        subject: input.title,
        ...(input.body ? { body: { contentType: 'text', content: input.body } } : {}),
        start: inUtc(input.startsAt),
        end: inUtc(input.endsAt),
        ...(input.location ? { location: { displayName: input.location } } : {}),
        attendees: (input.attendees ?? []).map((address) => ({ emailAddress: { address }, type: 'required' })),
        ...(input.reminderMinutes === undefined
          ? {}
          : { isReminderOn: true, reminderMinutesBeforeStart: input.reminderMinutes }),
        ...(input.online ? { isOnlineMeeting: true, onlineMeetingProvider: 'teamsForBusiness' } : {}),
        // The vendor itself makes no second one of it; the mark is for looking it up.
        transactionId: meta.requestId,
        singleValueExtendedProperties: markOf(meta.requestId),
      },
    });
  },
  receipt: (reply) => receiptOf(reply.body),
});

const receiptOf = (event: unknown): { nativeId: string; state: string; url?: string } => {
  const url = textAt(event, 'webLink');
  return { nativeId: textAt(event, 'id') ?? '', state: 'created', ...(url ? { url } : {}) };
};

const createTask = defineAction<'create_task', { list?: string }>({
  kind: 'create_task',
  title: 'Task in To Do',
  feature: 'tasks',
  extra: Type.Object({ list: Type.Optional(Type.String({ maxLength: 300 })) }),
  follows: ['notStarted', 'inProgress', 'waitingOnOthers', 'deferred', 'completed'],
  idempotency: {
    kind: 'marker',
    settleSeconds: SETTLE,
    find: async (ctx, input, meta) => {
      const path = `/me/todo/lists/${step(input.list ?? taskListOf(ctx))}/tasks`;
      // Clocks differ by less than an hour.
      const since = new Date(meta.firstTriedAt.getTime() - 3_600_000).toISOString();
      const query = { $filter: `createdDateTime ge ${since}`, $expand: 'linkedResources', $top: 100 };
      const { body } = await ctx.call(graph({ method: 'GET', path, query }));
      const task = listAt(body, 'value').find((one) =>
        listAt(one, 'linkedResources').some((link) => textAt(link, 'externalId') === meta.requestId),
      );
      return task ? { nativeId: textAt(task, 'id')!, state: textAt(task, 'status') ?? 'notStarted' } : undefined;
    },
  },
  request: (ctx, input, meta) =>
    graph({
      method: 'POST',
      path: `/me/todo/lists/${step(input.list ?? taskListOf(ctx))}/tasks`,
      json: {
        title: input.title,
        ...(input.body ? { body: { contentType: 'text', content: input.body } } : {}),
        dueDateTime: inUtc(input.dueAt),
        importance: IMPORTANCE[input.priority ?? 'normal'],
        linkedResources: [{ applicationName: 'Rapport', displayName: input.title, externalId: meta.requestId }],
      },
    }),
  receipt: (reply) => ({
    nativeId: textAt(reply.body, 'id') ?? '',
    state: textAt(reply.body, 'status') ?? 'notStarted',
  }),
});

export const actions: readonly ActionDefinition[] = [sendEmail, createEvent, createTask, ...contactActions];
