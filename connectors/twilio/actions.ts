import {
  type ActionDefinition,
  type ActionMeta,
  defineAction,
  type Idempotency,
  listAt,
  type Parameters,
  type Receipt,
  type Reply,
  type RequestSpec,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { ofAccount, smsSender, whatsAppSender } from './account.ts';

/** States in the order they follow each other; Twilio's callbacks may arrive in any. The last three are final. */
const STATES = [
  'accepted',
  'scheduled',
  'queued',
  'sending',
  'sent',
  'partially_delivered',
  'delivered',
  'read',
  'undelivered',
  'failed',
  'canceled',
] as const;

/** Our clock and Twilio's may differ by this much when an earlier try is looked for. */
const CLOCK_SKEW_MS = 60_000;

const create = (ctx: VendorContext, meta: ActionMeta, form: Parameters): RequestSpec =>
  ofAccount(ctx, 'POST', '/Messages', {
    // The callback names our request, so it also tells of a message whose answer got lost.
    form: { ...form, StatusCallback: ctx.webhookUrl && `${ctx.webhookUrl}?request=${meta.requestId}` },
  });

function receipt(reply: Reply): Receipt {
  const nativeId = textAt(reply.body, 'sid');
  if (!nativeId) {
    throw new VendorError('malformed', 'Twilio answered without the id of the message.', { mayHaveActed: true });
  }
  return { nativeId, state: textAt(reply.body, 'status') ?? 'queued' };
}

/**
 * Looks among the newest messages to the recipient. Not by `DateSent`: that filter leaves out what still waits in a
 * queue, which is exactly what must not be sent again.
 * @param text what was sent; a template's wording is not known here, so any message of ours since then counts
 */
async function findMessage(
  ctx: VendorContext,
  to: string,
  text: string | undefined,
  meta: ActionMeta,
): Promise<Receipt | undefined> {
  const query = { To: to, PageSize: 100 };
  const { body } = await ctx.call(ofAccount(ctx, 'GET', '/Messages', { query }));
  const since = Math.floor((meta.firstTriedAt.getTime() - CLOCK_SKEW_MS) / 1000) * 1000;
  const found = listAt(body, 'messages').find(
    (message) =>
      textAt(message, 'direction')?.startsWith('outbound') &&
      Date.parse(textAt(message, 'date_created') ?? '') >= since &&
      // Trial accounts put a sentence of their own in front.
      (text === undefined || textAt(message, 'body')?.endsWith(text)),
  );
  return found === undefined ? undefined : receipt({ status: 200, headers: {}, body: found });
}

const marker = <Input>(look: (input: Input) => { to: string; text: string | undefined }): Idempotency<Input> => ({
  kind: 'marker',
  settleSeconds: 30,
  find: (ctx, input, meta) => findMessage(ctx, look(input).to, look(input).text, meta),
});

type WhatsApp = { text?: string; template?: string; variables?: Record<string, string> };

/** An approved template, or free text for people who wrote within the last 24 hours. */
function whatsAppContent(input: WhatsApp): Parameters {
  if (input.template === undefined) {
    if (input.text) return { Body: input.text };
    throw new VendorError('invalid', 'A WhatsApp message needs a text or a template.');
  }
  if (!/^HX[0-9a-fA-F]{32}$/.test(input.template)) {
    throw new VendorError('invalid', `"${input.template}" is not the id of a Twilio content template (HX...).`);
  }
  return {
    ContentSid: input.template,
    ContentVariables: input.variables && JSON.stringify(input.variables),
  };
}

export const actions: readonly ActionDefinition[] = [
  defineAction<'send_sms'>({
    kind: 'send_sms',
    title: 'Text message',
    idempotency: marker((input) => ({ to: input.to, text: input.text })),
    request: (ctx, input, meta) => create(ctx, meta, { To: input.to, ...smsSender(ctx), Body: input.text }),
    receipt,
    follows: STATES,
  }),
  defineAction<'send_whatsapp'>({
    kind: 'send_whatsapp',
    title: 'WhatsApp message',
    idempotency: marker((input) => ({ to: `whatsapp:${input.to}`, text: input.template ? undefined : input.text })),
    request: (ctx, input, meta) =>
      create(ctx, meta, { To: `whatsapp:${input.to}`, ...whatsAppSender(ctx), ...whatsAppContent(input as WhatsApp) }),
    receipt,
    follows: STATES,
  }),
];
