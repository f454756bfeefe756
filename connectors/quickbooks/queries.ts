import {
  at,
  type ListPosition,
  listAt,
  type RequestSpec,
  type Stream,
  type Tombstones,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { companyCall, literal, MAX_ROWS, readOne, rowsOf, withLinks } from './api.ts';

const DAY = 24 * 3600;

/** Where every record says when it was last changed. */
export const UPDATED = 'MetaData.LastUpdatedTime';

/** The vendor's clock shows whole seconds; what is finer would miss the second it lies in. */
const inSeconds = (iso: string): string => `${new Date(iso).toISOString().slice(0, 19)}Z`;

const nextSecond = (iso: string): string => inSeconds(new Date(new Date(iso).getTime() + 1000).toISOString());

/** A query for whole records of one entity. */
export function select(
  ctx: VendorContext,
  entity: string,
  conditions: readonly (string | undefined)[],
  tail: string,
): RequestSpec {
  const where = conditions.filter((condition) => condition !== undefined).join(' and ');
  const query = `select * from ${entity}${where ? ` where ${where}` : ''} ${tail}`;
  const { query: more, ...rest } = withLinks(ctx, entity);
  return companyCall(ctx.account.id, 'GET', '/query', { query: { query, ...more }, ...rest });
}

/**
 * A page from the last moment seen on: positions shift while data changes.
 * @param always condition that every query about this entity needs
 */
export function page(
  ctx: VendorContext,
  entity: string,
  always: string | undefined,
  position: ListPosition,
): RequestSpec {
  const { tie, since, limit } = position;
  if (!tie) {
    const from = since && `${UPDATED} >= ${literal(inSeconds(since))}`;
    const tail = `orderby ${UPDATED} startposition 1 maxresults ${limit}`;
    return select(ctx, entity, [always, from || undefined], tail);
  }
  // One second, from its beginning to the next: whatever finer time the vendor keeps, it falls in here. By id, because
  // the order of equal times is nobody's promise.
  const from = `${UPDATED} >= ${literal(inSeconds(tie.at))}`;
  const to = `${UPDATED} < ${literal(nextSecond(tie.at))}`;
  const tail = `orderby Id startposition ${(tie.offset ?? 0) + 1} maxresults ${limit}`;
  return select(ctx, entity, [always, from, to], tail);
}

/** Reads records by id: a single one at its own address, several with one query. */
export const fetchByIds = (entity: string, always: string | undefined): NonNullable<Stream['fetchByIds']> => ({
  max: 100,
  fetch: async (ctx, ids) => {
    if (ids.length === 1) return [await readOne(ctx, entity, ids[0]!, withLinks(ctx, entity))];
    const wanted = `Id in (${ids.map(literal).join(', ')})`;
    const { body } = await ctx.call(select(ctx, entity, [always, wanted], `maxresults ${MAX_ROWS}`));
    return rowsOf(entity, body);
  },
});

/** How many there are, for the progress of the first load: calls are metered over all companies. */
export const count =
  (entity: string, always: string | undefined): NonNullable<Stream['count']> =>
  async (ctx, since) => {
    if (since !== undefined) return undefined;
    const query = `select count(*) from ${entity}${always ? ` where ${always}` : ''}`;
    const { body } = await ctx.call(companyCall(ctx.account.id, 'GET', '/query', { query: { query } }));
    const total = textAt(body, 'QueryResponse.totalCount');
    return total === undefined ? undefined : Number(total);
  };

/** How many were changed in a span of whole seconds. */
export const countBetween =
  (entity: string, always: string | undefined): NonNullable<Stream['countBetween']> =>
  async (ctx, from, to) => {
    const span = [`${UPDATED} >= ${literal(inSeconds(from))}`, `${UPDATED} < ${literal(inSeconds(to))}`];
    const query = `select count(*) from ${entity} where ${[always, ...span].filter(Boolean).join(' and ')}`;
    const { body } = await ctx.call(companyCall(ctx.account.id, 'GET', '/query', { query: { query } }));
    const total = textAt(body, 'QueryResponse.totalCount');
    return total === undefined ? undefined : Number(total);
  };

/** How far back the vendor's list of changes reaches; a little less, because clocks differ. */
const CHANGES_MS = 30 * DAY * 1000 - 60_000;

const changedSince = (ctx: VendorContext, since: string | undefined): string => {
  const now = ctx.now.getTime();
  const from = since === undefined ? now - DAY * 1000 : new Date(since).getTime();
  return inSeconds(new Date(Math.max(from, now - CHANGES_MS)).toISOString());
};

/** The list of changes is read once a day for what was deleted without a webhook; queries do not tell. */
export const deletedIn = (entity: string): Stream['deletes'] => ({
  kind: 'tombstones',
  everySeconds: DAY,
  list: (ctx, position) =>
    companyCall(ctx.account.id, 'GET', '/cdc', {
      query: { entities: entity, changedSince: changedSince(ctx, position.since) },
    }),
  read: (reply): Tombstones => {
    const sets = at(reply.body, 'CDCResponse[0].QueryResponse');
    if (!Array.isArray(sets)) throw new VendorError('malformed', 'QuickBooks answered without a list of changes.');
    const items = sets.flatMap((set) => listAt(set, entity));
    const deleted = items.filter((item) => textAt(item, 'status') === 'Deleted');
    return {
      deleted: deleted.map((item) => ({ id: textAt(item, 'Id') ?? '', at: textAt(item, UPDATED) ?? '' })),
      truncated: items.length >= MAX_ROWS,
    };
  },
  // Beyond the 30 days and 1,000 objects of that list, what is gone shows only when everything is read.
  sweep: { everySeconds: 30 * DAY },
});
