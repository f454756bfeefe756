import {
  at,
  type ListPosition,
  listAt,
  type Parameters,
  type Reply,
  type Stream,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';

/** Records an export holds (dossier, Read: page max). */
const EXPORTED = 1000;
/** Records a list holds. */
const LISTED = 100;
/** A start closer to now than a minute is refused; a few seconds for clocks that differ. */
const WITHHELD_SECONDS = 65;

/** Seconds since 1970 from which an export is asked for. */
export function startOf(ctx: VendorContext, since: string | undefined): number {
  if (since === undefined) return 0;
  const latest = Math.floor(ctx.now.getTime() / 1000) - WITHHELD_SECONDS;
  return Math.max(0, Math.min(latest, Math.floor(Date.parse(since) / 1000)));
}

/** @throws VendorError `malformed` when there is more, and the answer does not say where */
function further(reply: Reply, token: string | undefined): string | undefined {
  if (at(reply.body, 'end_of_stream') === true) return undefined;
  if (token !== undefined && token !== '') return token;
  throw new VendorError('malformed', 'Zendesk says that an export goes on, but not where; reading stopped.');
}

/** An export that hands out a cursor. */
export const byCursor = (path: string): Pick<Stream, 'list' | 'paging'> => ({
  list: (ctx: VendorContext, { token, since }: ListPosition) => ({
    method: 'GET',
    path,
    query: token === undefined ? { start_time: startOf(ctx, since) } : { cursor: token },
  }),
  paging: { kind: 'token', size: EXPORTED, next: (reply) => further(reply, textAt(reply.body, 'after_cursor')) },
});

/** An export in which the end of one page is the start of the next. */
export const byEndTime = (path: string, query: Parameters = {}): Pick<Stream, 'list' | 'paging'> => ({
  list: (ctx: VendorContext, { token, since }: ListPosition) => ({
    method: 'GET',
    path,
    query: { ...query, start_time: token ?? startOf(ctx, since) },
  }),
  paging: { kind: 'token', size: EXPORTED, next: (reply) => further(reply, textAt(reply.body, 'end_time')) },
});

/** A list in pages with a cursor. */
export const inPages = (path: string, query: Parameters = {}): Pick<Stream, 'list' | 'paging'> => ({
  list: (ctx: VendorContext, { token, since, limit }: ListPosition) => ({
    method: 'GET',
    path,
    query: {
      ...query,
      ...(since === undefined ? {} : { start_time: startOf(ctx, since) }),
      'page[size]': limit,
      'page[after]': token,
    },
  }),
  paging: {
    kind: 'token',
    size: LISTED,
    next: (reply) => (at(reply.body, 'meta.has_more') === true ? textAt(reply.body, 'meta.after_cursor') : undefined),
  },
});

/** Up to 100 records by their ids; those that are deleted are left out. */
export async function showMany(
  ctx: VendorContext,
  kind: 'tickets' | 'users' | 'organizations',
  ids: readonly string[],
): Promise<unknown[]> {
  const path = `/api/v2/${kind}/show_many`;
  const { body } = await ctx.call({ method: 'GET', path, query: { ids: ids.join(',') } });
  return listAt(body, kind);
}
