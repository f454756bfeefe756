import {
  defineStream,
  listAt,
  type ReceiptNews,
  type Stream,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { USER } from './mailbox.ts';
import { type Bounce, concernsUs, DECIDING, readMail } from './messages.ts';

const DAY_MS = 86_400_000;
const HISTORY_DAYS = 30;

/** Gmail answers few calls of a mailbox at the same time. */
const AT_ONCE = 3;

/** How far back a mailbox is looked through that is new, or whose history Gmail forgot. */
const daysOf = ({ settings }: VendorContext): number =>
  typeof settings.historyDays === 'number' && settings.historyDays > 0 ? settings.historyDays : HISTORY_DAYS;

/** A message, in the given form; undefined when it is gone meanwhile, as drafts are. */
async function fetchMessage(ctx: VendorContext, id: string, query: { format: string }): Promise<unknown> {
  try {
    return (await ctx.call({ method: 'GET', path: `${USER}/messages/${encodeURIComponent(id)}`, query })).body;
  } catch (error) {
    if (error instanceof VendorError && error.kind === 'not_found') return undefined;
    throw error;
  }
}

/** Somebody's mail is their own: headers say whether a message concerns us, and only then it is read. */
async function fetchRelevant(ctx: VendorContext, id: string): Promise<unknown> {
  if (ctx.settings.read !== 'all') {
    const headers = { format: 'metadata', metadataHeaders: DECIDING };
    const head = await fetchMessage(ctx, id, headers);
    if (head === undefined || !concernsUs(head)) return undefined;
  }
  const message = await fetchMessage(ctx, id, { format: 'full' });
  const labels = listAt(message, 'labelIds');
  const isOurs = labels.includes('SENT') && !labels.includes('INBOX');
  return message === undefined || isOurs ? undefined : readMail(message);
}

/** The messages of these ids that concern us. */
async function fetchAll(ctx: VendorContext, ids: readonly string[]): Promise<unknown[]> {
  const found: unknown[] = [];
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    const some = ids.slice(start, start + AT_ONCE);
    found.push(...(await Promise.all(some.map((id) => fetchRelevant(ctx, id)))));
  }
  return found.filter((mail) => mail !== undefined);
}

/** Messages that came in or into the inbox, each once. */
function messagesOf(body: unknown): unknown[] {
  if (textAt(body, 'historyId') === undefined) {
    const listed = listAt(body, 'messages');
    // A list without messages says at least how many there are not.
    return listed.length === 0 && textAt(body, 'resultSizeEstimate') === undefined
      ? (undefined as unknown as unknown[])
      : listed;
  }
  const all = listAt(body, 'history').flatMap((record) => [
    ...listAt(record, 'messagesAdded'),
    ...listAt(record, 'labelsAdded'),
  ]);
  const byId = new Map(all.map((added) => [textAt(added, 'message.id'), (added as { message: unknown }).message]));
  return [...byId.values()];
}

/** Addresses that do not exist; other refusals may be about us, or pass. */
const UNKNOWN_ADDRESS = /^5\.1\.([0-3]|10)$/;

function bounceNews(about: string, { status, action, reason, recipient }: Bounce): ReceiptNews {
  const detail = `${recipient}: ${reason || 'no reason is given'}${status ? ` (${status})` : ''}`;
  if (action === 'delayed' || status.startsWith('4'))
    return { nativeId: '', requestId: about, state: 'delayed', detail };
  const outcome = UNKNOWN_ADDRESS.test(status) ? 'invalid_recipient' : 'failed';
  return { nativeId: '', requestId: about, state: 'bounced', detail, outcome };
}

const messages = defineStream({
  name: 'messages',
  title: 'Answers and bounces',
  entities: ['activity'],
  feature: 'replies',
  list: (ctx, at) =>
    at.delta
      ? {
          method: 'GET',
          path: `${USER}/history`,
          query: {
            startHistoryId: at.delta,
            // What somebody takes out of the spam comes in by its label.
            historyTypes: ['messageAdded', 'labelAdded'],
            labelId: 'INBOX',
            maxResults: at.limit,
            pageToken: at.token,
          },
        }
      : {
          method: 'GET',
          path: `${USER}/messages`,
          query: {
            q: `after:${Math.floor((ctx.now.getTime() - daysOf(ctx) * DAY_MS) / 86_400_000) * 86_400}`,
            labelIds: ['INBOX'],
            maxResults: at.limit,
            pageToken: at.token,
          },
        },
  paging: { kind: 'token', size: 50, next: (reply) => textAt(reply.body, 'nextPageToken') },
  records: (reply) => messagesOf(reply.body),
  complete: (ctx, listed) => fetchAll(ctx, [...new Set(listed.map((stub) => textAt(stub, 'id')!))]),
  id: (record) => textAt(record, 'id'),
  delta: {
    next: (reply) => textAt(reply.body, 'historyId'),
    // Read before the list, so that what arrives meanwhile is in the history.
    begin: async (ctx) => textAt((await ctx.call({ method: 'GET', path: `${USER}/profile` })).body, 'historyId'),
    lost: (error) => error.kind === 'not_found',
  },
  deletes: {
    kind: 'none',
    reason: 'That somebody answered stays true, also when the mail is deleted in the mailbox.',
  },
  follows: (record) => {
    const { about, bounce } = record as { about?: string; bounce?: Bounce };
    return about && bounce ? bounceNews(about, bounce) : undefined;
  },
});

export const streams: readonly Stream[] = [messages];
