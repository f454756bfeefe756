import { defineStream, type Reply, type Stream, textAt, VendorError } from '../../src/kit/index.ts';
import { ofAccount } from './account.ts';

/** The next page as Twilio names it, followed as it is. Anything but a path of the API would carry our key elsewhere. */
function nextPage(reply: Reply): string | undefined {
  const next = textAt(reply.body, 'next_page_uri');
  if (next !== undefined && !next.startsWith('/2010-04-01/Accounts/')) {
    throw new VendorError('malformed', 'Twilio names a next page of messages that is not on its API; reading stopped.');
  }
  return next;
}

const messages = defineStream({
  name: 'messages',
  title: 'Messages',
  entities: ['activity'],
  list: (ctx, at) => {
    const spec = ofAccount(ctx, 'GET', '/Messages');
    if (at.token) return { ...spec, path: at.token };
    return { ...spec, query: { PageSize: at.limit, 'DateSent>': at.since && `${at.since.slice(0, 19)}Z` } };
  },
  paging: { kind: 'token', size: 1000, next: nextPage },
  records: (reply) => (reply.body as { messages: unknown[] }).messages,
  id: (record) => textAt(record, 'sid'),
  changedAt: (record) => textAt(record, 'date_updated'),
  // The filter is by time of sending while states follow for minutes: an hour is read again each time.
  incremental: { granularity: 'second', lagSeconds: 3600, sorted: 'no' },
  deletes: {
    kind: 'none',
    reason: 'Twilio tells nobody of deleted messages, and that a message was sent or received stays true.',
  },
  fetchByIds: {
    max: 20,
    fetch: async (ctx, ids) => {
      const found: unknown[] = [];
      for (const id of ids) {
        try {
          found.push((await ctx.call(ofAccount(ctx, 'GET', `/Messages/${encodeURIComponent(id)}`))).body);
        } catch (error) {
          if (!(error instanceof VendorError) || error.kind !== 'not_found') throw error;
        }
      }
      return found;
    },
  },
});

export const streams: readonly Stream[] = [messages];
