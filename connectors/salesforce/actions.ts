import { type ActionDefinition, type Connector, defineAction, type VendorContext } from '../../src/kit/index.ts';
import { dataPath, safeName } from './api.ts';
import { chat, flow, mail, note } from './messages.ts';
import { optOutAction } from './objections.ts';
import { objectOf, typeOf } from './objects.ts';
import { aboutOf, byMarker, create, personOnly, prepared, receiptOf, subjectOf } from './records.ts';
import { addTag, removeTag } from './topics.ts';

const PRIORITY = { low: 'Low', normal: 'Normal', high: 'High' } as const;
const CASE_PRIORITY = { low: 'Low', normal: 'Medium', high: 'High', urgent: 'High' } as const;

/** The calendar day of a moment where the organisation is. */
const dayOf = (iso: string, ctx: VendorContext): string =>
  new Intl.DateTimeFormat('en-CA', { timeZone: ctx.account.timeZone ?? 'UTC' }).format(new Date(iso));

/** The object a write is about, by whatever name it is called. */
const objectNamed = (name: string, ctx: VendorContext): string => {
  const type = typeOf(name);
  return type ? objectOf(type, ctx) : safeName(name, 'an object');
};

const text = (value: unknown): string | undefined => (value === undefined || value === '' ? undefined : String(value));

export const actions: readonly ActionDefinition[] = [
  defineAction<'create_task'>({
    kind: 'create_task',
    title: 'Task',
    feature: 'write',
    idempotency: byMarker('Task'),
    before: prepared('Task'),
    // The status is left to the organisation: its words differ, and new tasks get the right one by themselves.
    request: (ctx, input, meta) =>
      create(
        'Task',
        {
          Subject: subjectOf(input.title),
          Description: input.body,
          ActivityDate: dayOf(input.dueAt, ctx),
          IsReminderSet: true,
          ReminderDateTime: input.dueAt,
          Priority: input.priority && PRIORITY[input.priority],
          OwnerId: personOnly(input.assignee),
          ...aboutOf(input.about),
        },
        meta,
      ),
    receipt: receiptOf('Not Started'),
    follows: ['Not Started', 'In Progress', 'Waiting on someone else', 'Deferred', 'Completed'],
  }),
  note,
  defineAction<'create_calendar_event'>({
    kind: 'create_calendar_event',
    title: 'Event in the calendar',
    feature: 'write',
    idempotency: byMarker('Event'),
    before: prepared('Event'),
    request: (_ctx, input, meta) =>
      create(
        'Event',
        {
          Subject: subjectOf(input.title),
          Description: [input.body, input.attendees?.length ? `With ${input.attendees.join(', ')}` : undefined]
            .filter((part) => part !== undefined)
            .join('\n\n'),
          StartDateTime: input.startsAt,
          EndDateTime: input.endsAt,
          Location: input.location?.slice(0, 255),
          OwnerId: personOnly(input.assignee),
          ...aboutOf(input.about),
        },
        meta,
      ),
    receipt: receiptOf('scheduled'),
  }),
  defineAction<'create_ticket'>({
    kind: 'create_ticket',
    title: 'Case',
    feature: 'write',
    idempotency: byMarker('Case'),
    before: prepared('Case'),
    // Whoever is named gets it; otherwise the organisation's assignment rules decide.
    request: (ctx, input, meta) => ({
      ...(input.assignee ? { headers: { 'sforce-auto-assign': 'FALSE' } } : {}),
      ...create(
        'Case',
        {
          Subject: subjectOf(input.title),
          Description: input.body,
          Priority: input.priority && CASE_PRIORITY[input.priority],
          Status: input.stage,
          RecordTypeId: input.pipeline ?? text(ctx.settings.caseRecordType),
          Origin: text(ctx.settings.caseOrigin),
          OwnerId: input.assignee,
          ContactId: input.about.contact?.startsWith('00Q') ? undefined : input.about.contact,
          AccountId: input.about.company,
        },
        meta,
      ),
    }),
    receipt: receiptOf('New'),
    follows: ['New', 'Working', 'Escalated', 'Closed'],
  }),
  defineAction<'update_field'>({
    kind: 'update_field',
    title: 'Write fields',
    feature: 'write',
    idempotency: { kind: 'natural', note: 'Setting a field to the same value twice is the same as once.' },
    request: (ctx, input) => ({
      method: 'PATCH',
      path: dataPath(`/sobjects/${objectNamed(input.object, ctx)}/${encodeURIComponent(input.id)}`),
      // Null clears.
      json: input.fields,
      expect: 'none',
    }),
    receipt: (_reply, _ctx, input) => ({ nativeId: input.id, state: 'written' }),
    writes: (input) => {
      const type = typeOf(input.object);
      return type ? [{ stream: type.name, id: input.id, fields: input.fields }] : [];
    },
  }),
  addTag,
  removeTag,
  flow,
  mail,
  chat,
  optOutAction,
];

/** Salesforce knows one objection to all e-mail; it has none for topics, and "do not call" is another matter than texts. */
export const optOut: NonNullable<Connector['optOut']> = {
  email: {
    kind: 'record_opt_out',
    input: ({ address, contact, topic }) =>
      topic ? undefined : { channel: 'email', address, ...(contact ? { contact } : {}) },
  },
};
