import {
  type ActionInput,
  defineAction,
  type RequestSpec,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { eventsPath, placeOf, taskListOf, tasksPath, updatesOf } from './places.ts';

type Value = ActionInput<'update_field'>['fields'][string];

const EVENT_TEXTS = ['summary', 'description', 'location', 'status', 'transparency', 'visibility', 'colorId'];
const TASK_TEXTS = ['title', 'notes', 'status'];
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** A moment or a day. What it was before has to be taken away with it. */
function timeOf(name: string, value: Value): Record<string, unknown> {
  const text = String(value ?? '');
  if (Number.isNaN(Date.parse(text)))
    throw new VendorError('invalid', `The ${name} of an event is a day or a moment, not "${text}".`);
  return DAY.test(text) ? { date: text, dateTime: null } : { dateTime: text, date: null };
}

const unknownField = (object: string, name: string, known: readonly string[]): VendorError =>
  new VendorError(
    'invalid',
    `Google has no field ${name} that can be written on an ${object}. There are ${known.join(', ')}.`,
  );

function eventFields(fields: Record<string, Value>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (name === 'start' || name === 'end') return [name, timeOf(name, value)];
      if (!EVENT_TEXTS.includes(name)) throw unknownField('event', name, ['start', 'end', ...EVENT_TEXTS]);
      return [name, value === null ? '' : String(value)];
    }),
  );
}

function taskFields(fields: Record<string, Value>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (name === 'due') return [name, value === null ? null : `${String(value).slice(0, 10)}T00:00:00.000Z`];
      if (!TASK_TEXTS.includes(name)) throw unknownField('task', name, ['due', ...TASK_TEXTS]);
      return [name, value === null ? '' : String(value)];
    }),
  );
}

function change(ctx: VendorContext, { object, id, fields }: ActionInput<'update_field'>): RequestSpec {
  if (object === 'event') {
    const { calendar, event } = placeOf(id);
    const path = `${eventsPath(calendar)}/${encodeURIComponent(event)}`;
    return { method: 'PATCH', path, query: { sendUpdates: updatesOf(ctx) }, json: eventFields(fields) };
  }
  if (object !== 'task') throw new VendorError('invalid', `Google Calendar has events and tasks, and no "${object}".`);
  const path = `${tasksPath(taskListOf(ctx))}/${encodeURIComponent(id)}`;
  return { method: 'PATCH', host: 'tasks', path, json: taskFields(fields) };
}

/** Moves, renames and calls off events, and ticks off tasks. */
export const changes = defineAction<'update_field'>({
  kind: 'update_field',
  title: 'Change or cancel an event or task',
  idempotency: { kind: 'natural', note: 'Writing the same value twice is the same as once.' },
  request: (ctx, input) => change(ctx, input),
  receipt: (reply, _ctx, input) => ({ nativeId: input.id, state: textAt(reply.body, 'status') ?? 'written' }),
  writes: (input) => [{ stream: input.object === 'task' ? 'tasks' : 'events', id: input.id, fields: input.fields }],
});
