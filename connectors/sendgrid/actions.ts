import { Type } from 'typebox';
import {
  type ActionDefinition,
  type Connector,
  defineAction,
  type RequestSpec,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { setting } from './account.ts';
import { addressOf, contactIdOf, customFields, listIdOf, upsert, withFields } from './contacts.ts';

/** States in the order they follow each other; events may come in any. */
const STATES = [
  ...['accepted', 'processed', 'deferred', 'delivered', 'open', 'click', 'unsubscribe', 'group_unsubscribe'],
  ...['bounce', 'dropped', 'spamreport'],
];

const mailbox = (email: string, name?: string) => ({ email, ...(name ? { name } : {}) });

/** Reading programs show a button for it (RFC 8058): only over https. */
function headersOf(unsubscribeUrl: string | undefined, inReplyTo: string | undefined): Record<string, string> {
  const oneClick = unsubscribeUrl?.startsWith('https://');
  return {
    ...(unsubscribeUrl ? { 'List-Unsubscribe': `<${unsubscribeUrl}>` } : {}),
    ...(oneClick ? { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' } : {}),
    ...(inReplyTo && /^<[^<>\s]+>$/.test(inReplyTo) ? { 'In-Reply-To': inReplyTo, References: inReplyTo } : {}),
  };
}

interface MailExtra {
  templateId?: string;
  templateData?: Record<string, unknown>;
}

const sendEmail = defineAction<'send_email', MailExtra>({
  kind: 'send_email',
  title: 'E-mail, framed by a dynamic template where there is one',
  extra: Type.Object({
    templateId: Type.Optional(Type.String({ pattern: '^d-[0-9a-f]{32}$' })),
    templateData: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  }),
  idempotency: {
    kind: 'none',
    reason:
      'SendGrid takes no key and shows no list of what it sent; the event about a mail carries our id, so most lost answers are known within seconds',
  },
  request: (ctx, input, meta) => {
    const template = input.templateId ?? setting(ctx, 'templateId');
    const headers = headersOf(input.unsubscribeUrl, input.inReplyTo);
    const { subject, text, html = '' } = input;
    const replyTo = setting(ctx, 'replyTo');
    return {
      method: 'POST',
      path: '/v3/mail/send',
      json: {
        from: mailbox(setting(ctx, 'fromAddress') ?? '', setting(ctx, 'fromName')),
        ...(replyTo ? { reply_to: mailbox(replyTo) } : {}),
        personalizations: [
          {
            to: [mailbox(input.to, input.toName)],
            subject,
            // Comes back with every event; no personal data may stand in it.
            custom_args: { hub_send_id: meta.requestId },
            ...(Object.keys(headers).length > 0 ? { headers } : {}),
            ...(template ? { dynamic_template_data: { subject, text, html, ...input.templateData } } : {}),
          },
        ],
        ...(template
          ? { template_id: template }
          : {
              subject,
              content: [
                { type: 'text/plain', value: text },
                ...(html === '' ? [] : [{ type: 'text/html', value: html }]),
              ],
            }),
      },
    };
  },
  receipt: ({ headers }) => {
    const nativeId = headers['x-message-id'];
    if (!nativeId)
      throw new VendorError('malformed', 'SendGrid took the mail and named no id.', { mayHaveActed: true });
    return { nativeId, state: 'accepted' };
  },
  follows: STATES,
});

/** Lists are named as people see them, or by id; a name is looked up first. */
const listFirst = (ctx: VendorContext, tag: string): Promise<string> => listIdOf(ctx, tag);

const SINGLE_SEND = /^single_send:([0-9a-f-]{36})$/;

/** Schedules a prepared Single Send for now. */
const singleSend = (ctx: VendorContext, id: string): RequestSpec => ({
  method: 'PUT',
  host: 'marketing',
  path: `/v3/marketing/singlesends/${id}/schedule`,
  json: { send_at: ctx.now.toISOString() },
});

export const actions: readonly ActionDefinition[] = [
  sendEmail,
  defineAction<'update_field'>({
    kind: 'update_field',
    title: 'Write fields of a marketing contact, made where it is missing',
    idempotency: { kind: 'natural', note: 'A contact is known by its address; writing twice is the same as once.' },
    before: (ctx, input) => customFields(ctx, Object.keys(input.fields)),
    request: (_ctx, input, meta) => upsert(withFields(addressOf(input.id), input.fields, meta.before)),
    receipt: (_reply, _ctx, input) => ({ nativeId: addressOf(input.id), state: 'accepted' }),
  }),
  defineAction<'add_tag'>({
    kind: 'add_tag',
    title: 'Put onto a marketing list',
    idempotency: { kind: 'natural', note: 'A contact is on a list or not.' },
    before: (ctx, input) => listFirst(ctx, input.tag),
    request: (_ctx, input, meta) =>
      upsert({ email: addressOf(input.about.contact) }, [String(meta.before ?? input.tag)]),
    receipt: (_reply, _ctx, input) => ({
      nativeId: `${input.tag}:${addressOf(input.about.contact)}`,
      state: 'accepted',
    }),
  }),
  defineAction<'remove_tag'>({
    kind: 'remove_tag',
    title: 'Take off a marketing list',
    idempotency: { kind: 'natural', note: 'A contact is on a list or not.' },
    before: async (ctx, input) => ({
      list: await listIdOf(ctx, input.tag),
      contact: await contactIdOf(ctx, addressOf(input.about.contact)),
    }),
    request: (_ctx, input, meta) => ({
      method: 'DELETE',
      host: 'marketing',
      path: `/v3/marketing/lists/${encodeURIComponent(textAt(meta.before, 'list') ?? input.tag)}/contacts`,
      query: { contact_ids: textAt(meta.before, 'contact') ?? '' },
    }),
    receipt: (_reply, _ctx, input) => ({
      nativeId: `${input.tag}:${addressOf(input.about.contact)}`,
      state: 'accepted',
    }),
  }),
  defineAction<'enrol_in_automation'>({
    kind: 'enrol_in_automation',
    title: 'Start an automation by its list, or a prepared Single Send (single_send:<id>)',
    idempotency: {
      kind: 'marker',
      settleSeconds: 0,
      // Joining a list twice starts nothing; a Single Send says itself that it goes out.
      find: async (ctx, { automation }) => {
        const id = SINGLE_SEND.exec(automation)?.[1];
        if (!id) return undefined;
        const { body } = await ctx.call({ method: 'GET', host: 'marketing', path: `/v3/marketing/singlesends/${id}` });
        const state = textAt(body, 'status') ?? 'draft';
        return state === 'draft' ? undefined : { nativeId: automation, state };
      },
    },
    before: async (ctx, { automation }) => (SINGLE_SEND.test(automation) ? undefined : listIdOf(ctx, automation)),
    request: (ctx, { automation, about }, meta) => {
      const id = SINGLE_SEND.exec(automation)?.[1];
      return id
        ? singleSend(ctx, id)
        : upsert({ email: addressOf(about.contact) }, [String(meta.before ?? automation)]);
    },
    receipt: (_reply, _ctx, { automation, about }) =>
      SINGLE_SEND.test(automation)
        ? { nativeId: automation, state: 'scheduled' }
        : { nativeId: `${automation}:${addressOf(about.contact)}`, state: 'accepted' },
  }),
  defineAction<'record_opt_out', { group?: number }>({
    kind: 'record_opt_out',
    title: 'Suppress at SendGrid',
    extra: Type.Object({ group: Type.Optional(Type.Integer({ minimum: 1 })) }),
    idempotency: { kind: 'natural', note: 'An address is suppressed or not.' },
    request: (_ctx, input) => ({
      method: 'POST',
      path: input.group ? `/v3/asm/groups/${input.group}/suppressions` : '/v3/asm/suppressions/global',
      json: { recipient_emails: [addressOf(input.address)] },
    }),
    receipt: (_reply, _ctx, input) => ({
      nativeId: `${input.group ?? 'global'}:${addressOf(input.address)}`,
      state: 'suppressed',
    }),
  }),
];

/** Everything, or the group of a topic where the connection names one. */
export const optOut: NonNullable<Connector['optOut']> = {
  email: {
    kind: 'record_opt_out',
    input: ({ address, topic }, settings) => {
      const group = topic && textAt(settings.groups, topic);
      if (topic && !group) return undefined;
      return { channel: 'email', address, ...(group ? { group: Number(group) } : {}) };
    },
  },
};
