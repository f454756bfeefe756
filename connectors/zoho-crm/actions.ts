import { type ActionDefinition, type Connector, defineAction, listAt, textAt } from '../../src/kit/index.ts';
import { enrolled, enrolReceipt, enrolRequest, findTransition } from './automations.ts';
import { invoiceReminder, sendEmail } from './mailings.ts';
import { byMarker, linkTo, receiptOf, sinceFirstTry } from './marks.ts';
import { moduleOf, streamOf } from './modules.ts';
import { contactByEmail } from './people.ts';
import { zohoTime } from './records.ts';
import { crm } from './version.ts';
import { create, dayOf, linksOf, lookup, recordOf, update } from './writes.ts';

const TASK_PRIORITY = { low: 'Low', normal: 'Normal', high: 'High' } as const;
const CASE_PRIORITY = { low: 'Low', normal: 'Medium', high: 'High', urgent: 'High' } as const;

export const actions: readonly ActionDefinition[] = [
  defineAction<'create_task'>({
    kind: 'create_task',
    title: 'Task for a user',
    feature: 'write',
    idempotency: byMarker('Tasks', 'Subject'),
    request: (ctx, input, meta) =>
      create(
        ctx,
        'Tasks',
        {
          Subject: input.title,
          Due_Date: dayOf(ctx, input.dueAt),
          Status: 'Not Started',
          Priority: TASK_PRIORITY[input.priority ?? 'normal'],
          Description: input.body,
          Owner: lookup(input.assignee),
          ...linksOf(input.about),
        },
        meta,
      ),
    receipt: receiptOf('Tasks', 'Not Started'),
    follows: ['Not Started', 'Deferred', 'Waiting for input', 'In Progress', 'Completed'],
  }),
  defineAction<'create_calendar_event'>({
    kind: 'create_calendar_event',
    title: 'Meeting in the calendar',
    feature: 'write',
    idempotency: byMarker('Events', 'Event_Title'),
    request: (ctx, input, meta) =>
      create(
        ctx,
        'Events',
        {
          Event_Title: input.title,
          Start_DateTime: zohoTime(input.startsAt),
          End_DateTime: zohoTime(input.endsAt),
          Venue: input.location,
          Description: input.body,
          Owner: lookup(input.assignee),
          Participants: participantsOf(input),
          ...linksOf(input.about),
        },
        meta,
      ),
    receipt: receiptOf('Events', 'scheduled'),
  }),
  defineAction<'create_ticket'>({
    kind: 'create_ticket',
    title: 'Case',
    feature: 'write',
    idempotency: byMarker('Cases', 'Subject'),
    request: (ctx, input, meta) =>
      create(
        ctx,
        'Cases',
        {
          Subject: input.title,
          Status: input.stage ?? String(ctx.settings.caseStatus ?? 'New'),
          Case_Origin: String(ctx.settings.caseOrigin ?? 'Web'),
          Priority: input.priority && CASE_PRIORITY[input.priority],
          Description: input.body,
          Related_To: lookup(input.about.contact),
          Account_Name: lookup(input.about.company),
          Deal_Name: lookup(input.about.deal),
          Owner: lookup(input.assignee),
        },
        meta,
      ),
    receipt: receiptOf('Cases', 'New'),
    follows: ['New', 'Escalated', 'On Hold', 'Closed'],
  }),
  defineAction<'add_note'>({
    kind: 'add_note',
    title: 'Note on the record',
    feature: 'write',
    idempotency: {
      kind: 'marker',
      settleSeconds: 60,
      // Notes have no fields of ours: the same words on the same record, written since the first try.
      find: async (ctx, input, meta) => {
        const { module, id } = recordOf(input.about, 'A note');
        const query = { fields: 'Note_Content,Created_Time', per_page: 200 };
        const { body } = await ctx.call({
          method: 'GET',
          path: crm(`${module}/${encodeURIComponent(id)}/Notes`),
          query,
        });
        const note = listAt(body, 'data').find(
          (one) => textAt(one, 'Note_Content') === input.body && sinceFirstTry(meta, textAt(one, 'Created_Time')),
        );
        const nativeId = textAt(note, 'id');
        return nativeId ? { nativeId, url: linkTo(ctx, module, id), state: 'created' } : undefined;
      },
    },
    request: (_ctx, input) => {
      const { module, id } = recordOf(input.about, 'A note');
      return {
        method: 'POST',
        path: crm('Notes'),
        json: { data: [{ Parent_Id: { module: { api_name: module }, id }, Note_Content: input.body }] },
      };
    },
    receipt: (reply, ctx, input) => {
      const { module, id } = recordOf(input.about, 'A note');
      return { ...receiptOf('Notes', 'created')(reply, ctx), url: linkTo(ctx, module, id) };
    },
  }),
  defineAction<'update_field'>({
    kind: 'update_field',
    title: 'Write fields',
    feature: 'write',
    idempotency: { kind: 'natural', note: 'Setting a field to the same value twice is the same as once.' },
    request: (ctx, input) => update(ctx, moduleOf(input.object), input.id, input.fields),
    receipt: (_reply, ctx, input) => ({
      nativeId: input.id,
      url: linkTo(ctx, moduleOf(input.object), input.id),
      state: 'written',
    }),
    writes: (input) => {
      const stream = streamOf(moduleOf(input.object));
      return stream ? [{ stream, id: input.id, fields: input.fields }] : [];
    },
  }),
  ...(['add', 'remove'] as const).map((verb) =>
    defineAction<'add_tag' | 'remove_tag'>({
      kind: verb === 'add' ? 'add_tag' : 'remove_tag',
      title: verb === 'add' ? 'Add a tag' : 'Take a tag away',
      feature: 'write',
      idempotency: { kind: 'natural', note: 'A record has a tag or not.' },
      request: (_ctx, input) => {
        const { module, id } = recordOf(input.about, 'A tag');
        return {
          method: 'POST',
          path: crm(`${module}/actions/${verb}_tags`),
          json: { tags: [{ name: input.tag }], ids: [id], ...(verb === 'add' ? { over_write: false } : {}) },
        };
      },
      receipt: (_reply, _ctx, input) => ({
        nativeId: `${input.tag}:${recordOf(input.about, 'A tag').id}`,
        state: verb === 'add' ? 'added' : 'removed',
      }),
      writes: (input) => {
        const { module, id } = recordOf(input.about, 'A tag');
        const stream = streamOf(module);
        const change = { Tag: input.tag };
        return stream ? [{ stream, id, ...(verb === 'add' ? { adds: change } : { removes: change }) }] : [];
      },
    }),
  ),
  defineAction<'enrol_in_automation'>({
    kind: 'enrol_in_automation',
    title: 'Blueprint transition ("transition:<name>") or cadence (its id)',
    feature: 'write',
    idempotency: { kind: 'marker', settleSeconds: 10, find: enrolled },
    before: findTransition,
    request: enrolRequest,
    receipt: enrolReceipt,
  }),
  sendEmail,
  invoiceReminder,
  defineAction<'record_opt_out'>({
    kind: 'record_opt_out',
    title: 'Opt out of e-mail at Zoho CRM',
    feature: 'write',
    idempotency: { kind: 'natural', note: 'A contact has opted out or not.' },
    before: async (ctx, input) => ({ id: input.contact ?? (await contactByEmail(ctx, input.address)) }),
    request: (ctx, input, meta) =>
      update(ctx, 'Contacts', input.contact ?? textAt(meta.before, 'id') ?? '', { Email_Opt_Out: true }),
    receipt: (_reply, ctx, input, meta) => {
      const id = input.contact ?? textAt(meta.before, 'id') ?? '';
      return { nativeId: id, url: linkTo(ctx, 'Contacts', id), state: 'opted_out' };
    },
    writes: (input) =>
      input.contact ? [{ stream: 'contacts', id: input.contact, fields: { Email_Opt_Out: true } }] : [],
  }),
];

/** The person it is about and everybody invited by address. */
function participantsOf(input: { about: { contact?: string }; attendees?: string[] }): unknown[] | undefined {
  const people = [
    ...(input.about.contact ? [{ type: 'contact', participant: input.about.contact }] : []),
    ...(input.attendees ?? []).map((participant) => ({ type: 'email', participant })),
  ];
  return people.length > 0 ? people : undefined;
}

/** Zoho holds one flag for all e-mail of a contact: a single topic has no counterpart. */
export const optOut: NonNullable<Connector['optOut']> = {
  email: {
    kind: 'record_opt_out',
    input: ({ address, contact, topic }) =>
      topic ? undefined : { channel: 'email', address, ...(contact ? { contact } : {}) },
  },
};
