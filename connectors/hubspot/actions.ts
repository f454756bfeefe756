import { Type } from 'typebox';
import {
  type ActionDefinition,
  type Connector,
  defineAction,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { byMarker, create, pathOf, receiptOf } from './objects.ts';
import { SINGLE_SEND, VERSION } from './version.ts';

const PRIORITY = { low: 'LOW', normal: 'MEDIUM', high: 'HIGH', urgent: 'URGENT' } as const;

/** A contact's place in a sequence; one that is in none is not found there. */
async function enrolmentOf(ctx: VendorContext, contact: string): Promise<unknown> {
  try {
    const path = `/automation/sequences/${VERSION}/enrollments/contact/${encodeURIComponent(contact)}`;
    return (await ctx.call({ method: 'GET', path })).body;
  } catch (error) {
    if (error instanceof VendorError && error.kind === 'not_found') return undefined;
    throw error;
  }
}

export const actions: readonly ActionDefinition[] = [
  defineAction<'create_task'>({
    kind: 'create_task',
    title: 'Task for a user',
    feature: 'write',
    idempotency: byMarker('tasks', { property: 'hs_task_subject', of: (input: { title: string }) => input.title }),
    request: (ctx, input, meta) =>
      create(
        ctx,
        'tasks',
        {
          hs_timestamp: input.dueAt,
          hs_task_subject: input.title,
          hs_task_body: input.body,
          hs_task_status: 'NOT_STARTED',
          hs_task_priority: PRIORITY[input.priority ?? 'normal'],
          hs_task_type: 'TODO',
          hubspot_owner_id: input.assignee,
        },
        input.about,
        meta,
      ),
    receipt: receiptOf('tasks', 'NOT_STARTED'),
    follows: ['NOT_STARTED', 'IN_PROGRESS', 'WAITING', 'DEFERRED', 'COMPLETED'],
  }),
  defineAction<'add_note'>({
    kind: 'add_note',
    title: 'Note on the record',
    feature: 'write',
    idempotency: byMarker('notes', { property: 'hs_note_body', of: (input: { body: string }) => input.body }),
    request: (ctx, input, meta) =>
      create(
        ctx,
        'notes',
        { hs_timestamp: meta.firstTriedAt.toISOString(), hs_note_body: input.body },
        input.about,
        meta,
      ),
    receipt: receiptOf('notes', 'created'),
  }),
  defineAction<'create_calendar_event'>({
    kind: 'create_calendar_event',
    title: 'Meeting on the timeline',
    feature: 'write',
    idempotency: byMarker('meetings', { property: 'hs_meeting_title', of: (input: { title: string }) => input.title }),
    request: (ctx, input, meta) =>
      create(
        ctx,
        'meetings',
        {
          hs_timestamp: input.startsAt,
          hs_meeting_title: input.title,
          hs_meeting_body: input.body,
          hs_meeting_start_time: input.startsAt,
          hs_meeting_end_time: input.endsAt,
          hs_meeting_location: input.location,
          hs_meeting_outcome: 'SCHEDULED',
          hubspot_owner_id: input.assignee,
        },
        input.about,
        meta,
      ),
    receipt: receiptOf('meetings', 'SCHEDULED'),
  }),
  defineAction<'create_ticket'>({
    kind: 'create_ticket',
    title: 'Ticket',
    feature: 'write',
    idempotency: byMarker('tickets', { property: 'subject', of: (input: { title: string }) => input.title }),
    request: (ctx, input, meta) =>
      create(
        ctx,
        'tickets',
        {
          subject: input.title,
          content: input.body,
          hs_pipeline: input.pipeline ?? String(ctx.settings.ticketPipeline ?? '0'),
          hs_pipeline_stage: input.stage ?? String(ctx.settings.ticketStage ?? '1'),
          hs_ticket_priority: input.priority ? PRIORITY[input.priority] : undefined,
          hubspot_owner_id: input.assignee,
        },
        input.about,
        meta,
      ),
    receipt: receiptOf('tickets', 'open'),
  }),
  defineAction<'update_field'>({
    kind: 'update_field',
    title: 'Write properties',
    feature: 'write',
    idempotency: { kind: 'natural', note: 'Setting a property to the same value twice is the same as once.' },
    request: (_ctx, input) => ({
      method: 'PATCH',
      path: `/crm/objects/${VERSION}/${pathOf(input.object)}/${encodeURIComponent(input.id)}`,
      // Null is refused; an empty text clears.
      json: {
        properties: Object.fromEntries(
          Object.entries(input.fields).map(([name, value]) => [name, value === null ? '' : String(value)]),
        ),
      },
    }),
    receipt: (reply) => ({ nativeId: textAt(reply.body, 'id') ?? '', state: 'written' }),
    writes: (input) => [{ stream: pathOf(input.object), id: input.id, fields: input.fields }],
  }),
  ...(['add', 'remove'] as const).map((verb) =>
    defineAction<'add_tag' | 'remove_tag'>({
      kind: verb === 'add' ? 'add_tag' : 'remove_tag',
      title: verb === 'add' ? 'Add to a list' : 'Remove from a list',
      feature: 'lists',
      idempotency: { kind: 'natural', note: 'A contact is in a list or not.' },
      request: (_ctx, input) => ({
        method: 'PUT',
        path: `/crm/lists/${VERSION}/${encodeURIComponent(input.tag)}/memberships/${verb}`,
        json: input.about.contact ? [input.about.contact] : [],
      }),
      receipt: (_reply, _ctx, input) => ({
        nativeId: `${input.tag}:${input.about.contact ?? ''}`,
        state: verb === 'add' ? 'added' : 'removed',
      }),
    }),
  ),
  defineAction<'enrol_in_automation', { sender?: { userId: string; email: string } }>({
    kind: 'enrol_in_automation',
    title: 'Enrol in a HubSpot sequence',
    feature: 'sequences',
    extra: Type.Object({ sender: Type.Optional(Type.Object({ userId: Type.String(), email: Type.String() })) }),
    idempotency: {
      kind: 'marker',
      settleSeconds: 60,
      // HubSpot knows whether a contact is enrolled; being enrolled already is what we wanted.
      find: async (ctx, input, meta) => {
        const body = await enrolmentOf(ctx, input.about.contact ?? '');
        const since = textAt(body, 'enrolledAt');
        return textAt(body, 'sequenceId') === input.automation && since && new Date(since) >= meta.firstTriedAt
          ? { nativeId: textAt(body, 'id') ?? input.automation, state: 'enrolled' }
          : undefined;
      },
    },
    request: (ctx, input) => ({
      method: 'POST',
      path: `/automation/sequences/${VERSION}/enrollments`,
      query: { userId: input.sender?.userId ?? String(ctx.settings.sequenceUserId ?? '') },
      json: {
        sequenceId: input.automation,
        contactId: input.about.contact ?? '',
        senderEmail: input.sender?.email ?? String(ctx.settings.sequenceSender ?? ''),
      },
    }),
    receipt: (reply) => ({ nativeId: textAt(reply.body, 'id') ?? '', state: 'enrolled' }),
  }),
  defineAction<'send_email', { emailId?: number }>({
    kind: 'send_email',
    title: 'Single e-mail by a published HubSpot e-mail',
    feature: 'email',
    extra: Type.Object({ emailId: Type.Optional(Type.Integer()) }),
    idempotency: { kind: 'vendor_key', note: 'HubSpot sends one e-mail per sendId and account.' },
    request: (ctx, input, meta) => ({
      method: 'POST',
      path: SINGLE_SEND,
      json: {
        emailId: input.emailId ?? Number(ctx.settings.singleSendEmailId ?? 0),
        message: { to: input.to, sendId: meta.requestId, cc: [], bcc: [], replyTo: [] },
        contactProperties: {},
        customProperties: { subject: input.subject, text: input.text },
      },
    }),
    receipt: (reply) => {
      const result = textAt(reply.body, 'sendResult') ?? '';
      // An answer of 200 can hold a refusal about the recipient.
      if (/UNSUBSCRIBED|OPTED_OUT|SPAM|BOUNCED|BLOCKED/.test(result))
        throw new VendorError('recipient_opted_out', `HubSpot does not send to this address (${result}).`);
      if (/INVALID_TO/.test(result))
        throw new VendorError('recipient_invalid', `HubSpot does not know this address (${result}).`);
      return { nativeId: textAt(reply.body, 'statusId') ?? '', state: textAt(reply.body, 'status') ?? 'PENDING' };
    },
  }),
  defineAction<'record_opt_out', { subscription?: string }>({
    kind: 'record_opt_out',
    title: 'Unsubscribe at HubSpot',
    feature: 'preferences',
    extra: Type.Object({ subscription: Type.Optional(Type.String({ pattern: '^\\d{1,15}$' })) }),
    idempotency: { kind: 'natural', note: 'An address is unsubscribed or not.' },
    request: (_ctx, input) => {
      const path = `/communication-preferences/${VERSION}/statuses/${encodeURIComponent(input.address)}`;
      return input.subscription
        ? {
            ...{ method: 'POST', path },
            json: { subscriptionId: Number(input.subscription), channel: 'EMAIL', statusState: 'UNSUBSCRIBED' },
          }
        : { method: 'POST', path: `${path}/unsubscribe-all`, query: { channel: 'EMAIL' } };
    },
    receipt: (_reply, _ctx, input) => ({
      nativeId: `${optOutProperty(input.subscription)}:${input.address}`,
      state: 'unsubscribed',
    }),
    // HubSpot itself sets the property of the contact; it comes back with the next webhook.
    writes: (input) =>
      input.contact
        ? [{ stream: 'contacts', id: input.contact, fields: { [optOutProperty(input.subscription)]: 'true' } }]
        : [],
  }),
];

/** The property of a contact that shows an opt-out; nobody can write it but HubSpot. */
const optOutProperty = (subscription: string | undefined): string =>
  subscription ? `hs_email_optout_${subscription}` : 'hs_email_optout';

/** Everything, or one topic where the connection says which of HubSpot's subscription types is its counterpart. */
export const optOut: NonNullable<Connector['optOut']> = {
  email: {
    kind: 'record_opt_out',
    input: ({ address, contact, topic }, settings) => {
      const subscription = topic && textAt(settings.subscriptionTypes, topic);
      if (topic && !subscription) return undefined;
      return {
        ...{ channel: 'email', address },
        ...(contact ? { contact } : {}),
        ...(subscription ? { subscription } : {}),
      };
    },
  },
};
