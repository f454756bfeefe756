import { at, defineStream, listAt, type Reply, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { byEndTime } from './exports.ts';

/**
 * A comment in one form, whichever call brought it: the export of events, where it is part of a change of a ticket, or
 * the list of a ticket's comments.
 */
function toComment(comment: unknown, ticket: string, around: { author?: string | undefined; at?: string | undefined }) {
  return {
    id: `${ticket}-${textAt(comment, 'id') ?? ''}`,
    ticket_id: ticket,
    author_id: textAt(comment, 'author_id') ?? around.author ?? null,
    body: at(comment, 'body') ?? null,
    public: at(comment, 'public') !== false,
    created_at: textAt(comment, 'created_at') ?? around.at ?? null,
  };
}

/** A moment given as text, or in seconds. */
function moment(event: unknown): string | undefined {
  const written = textAt(event, 'created_at');
  const seconds = Number(textAt(event, 'timestamp'));
  if (written !== undefined || !Number.isFinite(seconds)) return written;
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

/** The comments among the changes of tickets. */
function commentsIn(reply: Reply): unknown[] {
  return (reply.body as { ticket_events: unknown[] }).ticket_events.flatMap((event) => {
    const ticket = textAt(event, 'ticket_id');
    const around = { author: textAt(event, 'updater_id'), at: moment(event) };
    return listAt(event, 'child_events')
      .filter((child) => (textAt(child, 'event_type') ?? textAt(child, 'type')) === 'Comment')
      .map((child) => toComment(child, ticket ?? '', around));
  });
}

async function ofTicket(ctx: VendorContext, ticket: string): Promise<unknown[]> {
  try {
    const { body } = await ctx.call({
      method: 'GET',
      path: `/api/v2/tickets/${encodeURIComponent(ticket)}/comments`,
      // The newest: it is one of these that was told of.
      query: { sort_order: 'desc', per_page: 100 },
    });
    return listAt(body, 'comments').map((comment) => toComment(comment, ticket, {}));
  } catch (error) {
    if (error instanceof VendorError && error.kind === 'not_found') return [];
    throw error;
  }
}

/** What customers and staff write on tickets. Those of customers are answers; the mapping leaves the others out. */
export const comments = defineStream({
  name: 'comments',
  title: 'Comments on tickets',
  entities: ['activity'],
  feature: 'read',
  after: ['users', 'agents'],
  ...byEndTime('/api/v2/incremental/ticket_events', { include: 'comment_events' }),
  records: commentsIn,
  id: (record) => textAt(record, 'id'),
  changedAt: (record) => textAt(record, 'created_at'),
  incremental: { granularity: 'second', lagSeconds: 120, sorted: 'ascending' },
  deletes: { kind: 'none', reason: 'A comment of a ticket stays; only words in it can be blacked out.' },
  fetchByIds: {
    max: 20,
    fetch: async (ctx, ids) => {
      const found: unknown[] = [];
      for (const ticket of new Set(ids.map((id) => id.split('-')[0]!))) found.push(...(await ofTicket(ctx, ticket)));
      return found.filter((comment) => ids.includes(textAt(comment, 'id') ?? ''));
    },
  },
});
