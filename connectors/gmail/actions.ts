import {
  type ActionDefinition,
  type ActionInput,
  type ActionMeta,
  defineAction,
  listAt,
  type Receipt,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { readsReplies, senderOf, USER } from './mailbox.ts';
import { ID_HEADER, messageIdOf } from './marks.ts';
import { headerOf } from './messages.ts';
import { oneLine, writeLetter } from './mime.ts';

/** An address without anything that could end it and begin something else. */
const ADDRESS = /^[^\s@<>(),;:"[\]\\]+@[^\s@<>(),;:"[\]\\]+$/;

function address(value: string, whose: string): string {
  if (ADDRESS.test(value)) return value;
  throw new VendorError('invalid', `The address of ${whose} is not one: ${oneLine(value)}`);
}

type Mail = ActionInput<'send_email'>;

/** Reading programs show a button for it; the server must honour a bare POST, which only works over https (RFC 8058). */
function listHeaders(unsubscribeUrl: string | undefined, from: string): Record<string, string> {
  if (unsubscribeUrl === undefined) return {};
  const url = new URL(unsubscribeUrl);
  return {
    'List-Unsubscribe': `<${url.href}>, <mailto:${from}?subject=unsubscribe>`,
    ...(url.protocol === 'https:' ? { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' } : {}),
  };
}

function letterOf(ctx: VendorContext, input: Mail, meta: ActionMeta): string {
  const sender = senderOf(ctx);
  const from = address(sender.address, 'the sender');
  const answers = input.inReplyTo && /^<[^<>\s]+>$/.test(input.inReplyTo) ? input.inReplyTo : undefined;
  return writeLetter({
    from: { address: from, name: sender.name },
    to: { address: address(input.to, 'the recipient'), name: input.toName ?? '' },
    subject: input.subject,
    // Every try is the same mail.
    date: meta.firstTriedAt,
    messageId: messageIdOf(meta.requestId, from),
    text: input.text,
    html: input.html,
    headers: {
      ...(answers ? { 'In-Reply-To': answers, References: answers } : {}),
      'Auto-Submitted': 'auto-generated',
      [ID_HEADER]: meta.requestId,
      ...listHeaders(input.unsubscribeUrl, from),
    },
  });
}

function receiptOf(message: unknown): Receipt {
  const nativeId = textAt(message, 'id');
  if (!nativeId)
    throw new VendorError('malformed', 'Gmail answered without the id of the mail.', { mayHaveActed: true });
  return { nativeId, url: `https://mail.google.com/mail/u/0/#all/${nativeId}`, state: 'sent' };
}

/** Ids of messages found by Gmail's search. */
async function search(ctx: VendorContext, q: string, most: number): Promise<string[]> {
  const query = { q, maxResults: most, includeSpamTrash: true };
  const { body } = await ctx.call({ method: 'GET', path: `${USER}/messages`, query });
  return listAt(body, 'messages').map((message) => textAt(message, 'id')!);
}

/** Our clock and Google's may differ by this many seconds when an earlier try is looked for. */
const CLOCK_SKEW = 120;

/** Mail to one person since a moment that is looked through for our id. */
const MOST = 20;

/** An earlier try of a mail: by its Message-ID, or by our own header should Gmail have replaced that. */
async function findSent(ctx: VendorContext, input: Mail, meta: ActionMeta): Promise<Receipt | undefined> {
  // What may only send cannot look: such a mail stays in doubt, and is not sent twice.
  if (!readsReplies(ctx))
    throw new VendorError('forbidden', 'This connection may only send, so nobody can look whether it was sent.');
  const [found] = await search(ctx, `rfc822msgid:${messageIdOf(meta.requestId, senderOf(ctx).address)}`, 1);
  if (found) return receiptOf({ id: found });
  const since = Math.floor(meta.firstTriedAt.getTime() / 1000) - CLOCK_SKEW;
  for (const id of await search(ctx, `in:sent to:${input.to} after:${since}`, MOST)) {
    const query = { format: 'metadata', metadataHeaders: [ID_HEADER] };
    const { body } = await ctx.call({ method: 'GET', path: `${USER}/messages/${id}`, query });
    if (headerOf(body, ID_HEADER) === meta.requestId) return receiptOf(body);
  }
  return undefined;
}

/** The conversation of the mail that is answered: its thread has to be named, too. */
async function threadOf(ctx: VendorContext, input: Mail): Promise<string | undefined> {
  if (!input.inReplyTo || !readsReplies(ctx)) return undefined;
  const [id] = await search(ctx, `rfc822msgid:${input.inReplyTo}`, 1);
  if (!id) return undefined;
  const query = { format: 'minimal' };
  return textAt((await ctx.call({ method: 'GET', path: `${USER}/messages/${id}`, query })).body, 'threadId');
}

export const actions: readonly ActionDefinition[] = [
  defineAction<'send_email'>({
    kind: 'send_email',
    title: 'Mail from the mailbox of the business',
    feature: 'send',
    idempotency: { kind: 'marker', settleSeconds: 60, find: findSent },
    before: threadOf,
    request: (ctx, input, meta) => ({
      method: 'POST',
      path: `${USER}/messages/send`,
      json: {
        raw: Buffer.from(letterOf(ctx, input, meta)).toString('base64url'),
        ...(meta.before ? { threadId: meta.before } : {}),
      },
    }),
    receipt: (reply) => receiptOf(reply.body),
    follows: ['sent', 'delayed', 'bounced'],
  }),
];
