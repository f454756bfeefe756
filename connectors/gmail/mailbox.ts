import { listAt, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

const DAY_MS = 86_400_000;

export const USER = '/gmail/v1/users/me';

/** Address mail is sent from. */
export function senderOf(ctx: VendorContext): { address: string; name: string } {
  const { fromAddress, fromName } = ctx.settings;
  const own = textAt(ctx.account.extra, 'email') ?? ctx.account.name;
  return {
    address: typeof fromAddress === 'string' && fromAddress !== '' ? fromAddress : own,
    name: typeof fromName === 'string' ? fromName : '',
  };
}

export const readsReplies = (ctx: Pick<VendorContext, 'features'>): boolean => ctx.features.includes('replies');

/** An alias that Google has not confirmed is replaced by the mailbox's own address without a word. */
async function checkAlias(ctx: VendorContext, address: string): Promise<void> {
  const { body } = await ctx.call({ method: 'GET', path: `${USER}/settings/sendAs` });
  const alias = listAt(body, 'sendAs').find(
    (one) => textAt(one, 'sendAsEmail')?.toLowerCase() === address.toLowerCase(),
  );
  if (alias && (textAt(alias, 'isPrimary') === 'true' || textAt(alias, 'verificationStatus') === 'accepted')) return;
  throw new VendorError(
    'invalid',
    `${address} is no confirmed alias of this mailbox, so Gmail would send as ${ctx.account.name} instead. Confirm it in the settings of Gmail, or change fromAddress.`,
  );
}

/**
 * Has Gmail tell of new mail, and looks whether it may send as it is to.
 * @returns when that has to be done again: each day, as Google asks; by itself it ends after seven
 */
export async function prepareMailbox(ctx: VendorContext): Promise<{ again: Date }> {
  const topic = ctx.app.GMAIL_PUBSUB_TOPIC;
  if (readsReplies(ctx) && topic) {
    const json = { topicName: topic, labelIds: ['INBOX'], labelFilterBehavior: 'include' };
    await ctx.call({ method: 'POST', path: `${USER}/watch`, json });
  }
  const { address } = senderOf(ctx);
  // Only who may read the settings can look.
  if (readsReplies(ctx) && address !== ctx.account.name) await checkAlias(ctx, address);
  return { again: new Date(ctx.now.getTime() + DAY_MS) };
}
