import { type Account, type RequestSpec, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

/** Names of the API hosts of accounts that live outside the United States. */
const REGION_HOSTS: Record<string, string> = { ie1: 'api_ie1', au1: 'api_au1' };

const text = (ctx: VendorContext, name: string): string | undefined => {
  const value = ctx.settings[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

/** A call about the connected account, in the region its data lives in. */
export const ofAccount = (
  ctx: VendorContext,
  method: 'GET' | 'POST',
  resource: string,
  more: Pick<RequestSpec, 'query' | 'form' | 'safe'> = {},
): RequestSpec => ({
  method,
  host: REGION_HOSTS[text(ctx, 'region') ?? ''] ?? 'api',
  path: `/2010-04-01/Accounts/${text(ctx, 'accountSid') ?? ''}${resource}.json`,
  ...more,
});

/** Tells who is connected. Restricted API keys may read messages but not the account itself. */
export async function whoAmI(ctx: VendorContext): Promise<Account> {
  const id = text(ctx, 'accountSid') ?? '';
  try {
    const { body } = await ctx.call(ofAccount(ctx, 'GET', ''));
    const status = textAt(body, 'status') ?? 'active';
    if (status !== 'active') {
      throw new VendorError('paused', `The Twilio account is ${status}. The Twilio console says why.`);
    }
    return { id, name: textAt(body, 'friendly_name') ?? `Twilio ${id}` };
  } catch (error) {
    if (!(error instanceof VendorError) || !['forbidden', 'auth_revoked'].includes(error.kind)) throw error;
    await ctx.call(ofAccount(ctx, 'GET', '/Messages', { query: { PageSize: 1 } }));
    return { id, name: `Twilio ${id}` };
  }
}

/** Who sends text messages: the Messaging Service with its pool of numbers, or one number. */
export function smsSender(ctx: VendorContext): { MessagingServiceSid: string } | { From: string } {
  const service = text(ctx, 'messagingServiceSid');
  const from = text(ctx, 'from');
  if (service) return { MessagingServiceSid: service };
  if (from) return { From: from };
  throw new VendorError('invalid', noSender('from'));
}

/** Who sends on WhatsApp: its own sender, or the Messaging Service when it holds one. */
export function whatsAppSender(ctx: VendorContext): { MessagingServiceSid: string } | { From: string } {
  const from = text(ctx, 'whatsappFrom');
  const service = text(ctx, 'messagingServiceSid');
  if (from) return { From: `whatsapp:${from}` };
  if (service) return { MessagingServiceSid: service };
  throw new VendorError('invalid', noSender('whatsappFrom'));
}

const noSender = (setting: string): string =>
  `Twilio has no sender to use: enter a Messaging Service (messagingServiceSid) or a number (${setting}) in the settings of the connection.`;

/**
 * Has Twilio post replies to us where nobody else gets them yet. An address that is already there belongs to something
 * that would stop working, so it is left alone and named. Runs again without harm.
 */
export async function listenForReplies(ctx: VendorContext): Promise<void> {
  if (!ctx.webhookUrl || text(ctx, 'inboundWebhook') === 'by_hand') return;
  const service = text(ctx, 'messagingServiceSid');
  // Only the United States' address of the service API is documented.
  if (service && !text(ctx, 'region')) {
    const spec = { host: 'messaging', path: `/v1/Services/${service}` };
    const { body } = await ctx.call({ method: 'GET', ...spec });
    if (textAt(body, 'use_inbound_webhook_on_number') !== 'true') {
      if (!isFree(ctx, textAt(body, 'inbound_request_url'), 'the Messaging Service')) return;
      await ctx.call({ method: 'POST', ...spec, form: { InboundRequestUrl: ctx.webhookUrl, InboundMethod: 'POST' } });
      return;
    }
  }
  const from = text(ctx, 'from');
  if (!from) return;
  const { body } = await ctx.call(ofAccount(ctx, 'GET', '/IncomingPhoneNumbers', { query: { PhoneNumber: from } }));
  const sid = textAt(body, 'incoming_phone_numbers[0].sid');
  if (!sid || !isFree(ctx, textAt(body, 'incoming_phone_numbers[0].sms_url'), from)) return;
  const form = { SmsUrl: ctx.webhookUrl, SmsMethod: 'POST' };
  await ctx.call(ofAccount(ctx, 'POST', `/IncomingPhoneNumbers/${sid}`, { form }));
}

/** @throws VendorError `conflict` naming the address that is there already */
function isFree(ctx: VendorContext, present: string | undefined, where: string): boolean {
  if (!present) return true;
  if (present === ctx.webhookUrl) return false;
  // Only the host is named: addresses can carry passwords.
  const host = URL.canParse(present) ? new URL(present).host : 'another address';
  throw new VendorError(
    'conflict',
    `Replies to ${where} already go to ${host}. They are read here every few minutes; for at once, enter ${ctx.webhookUrl} there by hand.`,
  );
}
