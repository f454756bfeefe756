import {
  at,
  defineStream,
  type FieldDescription,
  type ListPosition,
  listAt,
  type RequestSpec,
  type Stream,
  textAt,
  type VendorContext,
} from '../../src/kit/index.ts';
import { ask, gid, moment, numberOf, pageOf, recordsById, selectionOf, withMetafields } from './documents.ts';
import {
  COMPANIES,
  CONTRACTS,
  CUSTOMERS,
  DRAFT_ORDERS,
  ITS_ORDER,
  ORDERS,
  type ReadKind,
  STAFF,
  TRANSACTION,
} from './kinds.ts';

/** Lists end after this many records of one query, and no further page follows (dossier, Limits). */
const CAP = 25_000;

/** Searching trails behind by seconds; some minutes are on the safe side (dossier, Read). */
const LAG_SECONDS = 180;

const WEEK = 7 * 86_400;

const idOf = (record: unknown): string | undefined => numberOf(textAt(record, 'id'));

const sinceOf = ({ since }: ListPosition): string | undefined =>
  since === undefined ? undefined : `updated_at:>=${moment(since)}`;

/** The page after this one, of a connection. */
const next =
  (list: string) =>
  ({ body }: { body: unknown }): string | undefined =>
    textAt(body, `data.${list}.pageInfo.hasNextPage`) === 'true'
      ? textAt(body, `data.${list}.pageInfo.endCursor`)
      : undefined;

const nodesOf = (body: unknown, list: string): unknown[] =>
  (at(body, `data.${list}.nodes`) as unknown[]).map(withMetafields);

const listed = (ctx: VendorContext, kind: ReadKind, position: ListPosition): RequestSpec =>
  pageOf(kind, {
    selection: selectionOf(ctx, kind.name, kind),
    limit: position.limit,
    after: position.token,
    query: sinceOf(position),
    sortKey: 'UPDATED_AT',
  });

/** How many a search finds; beyond 10,000 Shopify only says that there are more. */
async function counted(ctx: VendorContext, name: string, query?: string): Promise<number | undefined> {
  const { body } = await ctx.call(
    ask(`query Count($query: String) { ${name}(query: $query) { count precision } }`, query ? { query } : {}),
  );
  const count = Number(textAt(body, `data.${name}.count`));
  return textAt(body, `data.${name}.precision`) === 'EXACT' && Number.isFinite(count) ? count : undefined;
}

const METAFIELD_TYPES: Record<string, FieldDescription['type']> = {
  boolean: 'boolean',
  date: 'date',
  date_time: 'datetime',
  number_integer: 'number',
  number_decimal: 'number',
  single_line_text_field: 'text',
  multi_line_text_field: 'text',
};

/** The metafields a shop defined for a kind of record. */
async function metafieldsThere(ctx: VendorContext, owner: string): Promise<FieldDescription[]> {
  const query = `query Definitions($first: Int!, $after: String) { metafieldDefinitions(first: $first, after: $after, ownerType: ${owner}) { nodes { name namespace key type { name } } pageInfo { hasNextPage endCursor } } }`;
  const found: FieldDescription[] = [];
  for (let after: string | undefined; ; ) {
    const { body } = await ctx.call(ask(query, { first: 100, ...(after ? { after } : {}) }));
    for (const one of listAt(body, 'data.metafieldDefinitions.nodes')) {
      const type = textAt(one, 'type.name') ?? '';
      found.push({
        name: `metafields.${textAt(one, 'namespace')}.${textAt(one, 'key')}`,
        label: textAt(one, 'name') ?? '',
        type: METAFIELD_TYPES[type] ?? (type.startsWith('list.') ? 'list' : 'other'),
        custom: true,
      });
    }
    after = next('metafieldDefinitions')({ body });
    if (after === undefined) return found;
  }
}

/** Records of ours may name a metafield as `namespace.key`; anything else stands where its name says. */
function fieldAt(record: unknown, field: string): { holder: Record<string, unknown>; key: string } | undefined {
  const steps = field.split('.');
  const key = steps.pop()!;
  for (const way of [steps, ['metafields', ...steps]]) {
    const holder = way.length === 0 ? record : at(record, way.join('.'));
    if (holder !== null && typeof holder === 'object' && Object.hasOwn(holder, key))
      return { holder: holder as Record<string, unknown>, key };
  }
  return undefined;
}

/** A stream of a kind of record: read in the order of changes, by cursor, a fresh query before the cap is met. */
const stream = (kind: ReadKind, deletes: Stream['deletes']): Stream =>
  defineStream({
    name: kind.name,
    title: kind.title,
    entities: kind.entities,
    feature: kind.feature,
    after: kind.after,
    list: (ctx, position) => listed(ctx, kind, position),
    paging: { kind: 'token', size: 50, next: next(kind.list), ...(kind.searched ? { cap: CAP } : {}) },
    records: ({ body }) => nodesOf(body, kind.list),
    id: idOf,
    changedAt: (record) => textAt(record, 'updatedAt'),
    ...(kind.searched
      ? { incremental: { granularity: 'second', lagSeconds: LAG_SECONDS, sorted: 'ascending' } }
      : { every: 3600 }),
    deletes,
    fetchByIds: {
      max: 50,
      fetch: async (ctx, ids) =>
        (await recordsById(ctx, kind.type, selectionOf(ctx, kind.name, kind), ids)).map(withMetafields),
    },
    ...(kind.count ? { count: (ctx: VendorContext) => counted(ctx, kind.count!) } : {}),
    ...(kind.owner ? { discover: (ctx: VendorContext) => metafieldsThere(ctx, kind.owner!) } : {}),
    fieldAt,
  });

/** Everything is read once a week for what is gone, by ids only: webhooks tell of it before that. */
const swept = (kind: ReadKind): Stream['deletes'] => ({
  kind: 'webhook+sweep',
  sweep: {
    everySeconds: WEEK,
    ids: {
      // In the order of changes, so that a query can begin anew before the cap is met.
      list: (_ctx, position) =>
        pageOf(kind, {
          ...{ selection: 'id updatedAt', limit: position.limit, sortKey: 'UPDATED_AT' },
          ...{ after: position.token, query: sinceOf(position) },
        }),
      paging: { kind: 'token', size: 250, next: next(kind.list), cap: CAP },
      records: ({ body }) => nodesOf(body, kind.list),
    },
  },
});

const PAYMENTS_READ = 10;
const PAYMENT = `legacyResourceId name updatedAt customer { legacyResourceId } transactionsCount { count } transactions(first: ${PAYMENTS_READ}) { ${TRANSACTION} }`;

/** Payments and refunds, each with what it needs of its order. */
const transactionsOf = (order: unknown): unknown[] => {
  const { transactions, ...rest } = order as { transactions: object[] };
  return transactions.map((transaction) => ({ ...transaction, order: rest }));
};

/** Orders rarely have more than a handful of transactions: the rest of those that do is asked for. */
async function withTheRest(ctx: VendorContext, records: unknown[]): Promise<unknown[]> {
  const orders = new Map<string, unknown>();
  for (const record of records)
    if (Number(textAt(record, 'order.transactionsCount.count')) > PAYMENTS_READ)
      orders.set(textAt(record, 'order.legacyResourceId')!, at(record, 'order'));
  const known = new Set(records.map(idOf));
  const found = [...records];
  const query = `query Transactions($id: ID!) { order(id: $id) { transactions(first: 250) { ${TRANSACTION} } } }`;
  for (const [id, order] of orders) {
    const { body } = await ctx.call(ask(query, { id: gid('Order', id) }));
    const all = transactionsOf({ ...(order as object), transactions: listAt(body, 'data.order.transactions') });
    found.push(...all.filter((record) => !known.has(idOf(record))));
  }
  return found;
}

const payments = defineStream({
  name: 'payments',
  title: 'Payments and refunds',
  entities: ['payment'],
  feature: 'read',
  after: ['orders'],
  list: (_ctx, position) =>
    pageOf(ORDERS, {
      ...{ name: 'payments', selection: PAYMENT, limit: position.limit, sortKey: 'UPDATED_AT' },
      ...{ after: position.token, query: sinceOf(position) },
    }),
  paging: { kind: 'token', size: 50, next: next('orders'), cap: CAP },
  records: ({ body }) => listAt(body, 'data.orders.nodes').flatMap(transactionsOf),
  sparse: true,
  complete: withTheRest,
  id: idOf,
  changedAt: (record) => textAt(record, 'order.updatedAt'),
  incremental: { granularity: 'second', lagSeconds: LAG_SECONDS, sorted: 'ascending' },
  deletes: { kind: 'none', reason: 'Shopify keeps every transaction; what was given back is a transaction of its own' },
  fetchByIds: {
    max: 50,
    fetch: (ctx, ids) => recordsById(ctx, 'OrderTransaction', `${TRANSACTION} order { ${ITS_ORDER} }`, ids),
  },
});

const staff = defineStream({
  name: 'staff',
  title: 'Staff',
  entities: ['owner'],
  feature: 'staff',
  every: 3600,
  list: (_ctx, position) =>
    pageOf({ list: 'staffMembers' }, { selection: STAFF, limit: position.limit, after: position.token, sortKey: 'ID' }),
  paging: { kind: 'token', size: 100, next: next('staffMembers') },
  records: ({ body }) => nodesOf(body, 'staffMembers'),
  id: idOf,
  deletes: { kind: 'flag', isDeleted: (record) => textAt(record, 'exists') === 'false' },
});

export const streams: readonly Stream[] = [
  staff,
  stream(COMPANIES, swept(COMPANIES)),
  stream(CUSTOMERS, swept(CUSTOMERS)),
  stream(ORDERS, {
    kind: 'webhook',
    reason:
      'apps are shown the orders of the last 60 days only unless Shopify allowed more, so that not meeting one proves nothing',
  }),
  payments,
  stream(DRAFT_ORDERS, swept(DRAFT_ORDERS)),
  stream(CONTRACTS, { kind: 'none', reason: 'contracts are never deleted; their end is a status' }),
];
