import { at, type RequestSpec, type VendorContext } from '../../src/kit/index.ts';
import { MOST, requestedCost } from './cost.ts';
import { GRAPHQL } from './version.ts';

/** One request of GraphQL. @param safe whether it changes nothing */
export const ask = (query: string, variables: Record<string, unknown> = {}, safe = true): RequestSpec => ({
  method: 'POST',
  path: GRAPHQL,
  json: { query, variables },
  safe,
});

/** The number at the end of a global id such as `gid://shopify/Customer/123`: what webhooks and addresses carry. */
export const numberOf = (gid: string | undefined): string | undefined => gid?.split('/').at(-1)?.split('?')[0];

/** The global id of a record. @param id its number, or the global id itself */
export const gid = (type: string, id: string): string => (id.startsWith('gid://') ? id : `gid://shopify/${type}/${id}`);

export const MONEY = '{ shopMoney { amount currencyCode } }';

/** What can be read of one kind of record. */
export interface Kind {
  /** Type in the schema and in global ids. */
  type: string;
  /** Field of the query that lists it. */
  list: string;
  /** What is always asked for. */
  fields: string;
  /** What is asked for only where a mapping reads it, by the first step of its path. */
  parts?: Record<string, string>;
  /** What is asked for only with a feature. */
  withFeature?: Record<string, string>;
  /** Whether metafields can be read of it. */
  metafields?: true;
  /** It can be searched for, so also by the time of its last change. */
  searched?: true;
}

/** Metafields the mapping reads, as `namespace.key` (`metafields.facts.birth_date` in a path). */
export const metafieldsOf = (paths: readonly string[]): string[] => [
  ...new Set(
    paths.flatMap((path) => {
      const [first, namespace, key] = path.split('.');
      return first === 'metafields' && namespace && key ? [`${namespace}.${key}`] : [];
    }),
  ),
];

/** What of a record is asked for: Shopify answers with nothing that is not named. */
export function selectionOf(ctx: Pick<VendorContext, 'paths' | 'features'>, stream: string, kind: Kind): string {
  const paths = ctx.paths(stream);
  const parts = Object.entries(kind.parts ?? {}).filter(([name]) =>
    paths.some((path) => path.split(/[.[]/)[0] === name),
  );
  const more = Object.entries(kind.withFeature ?? {}).filter(([feature]) => ctx.features.includes(feature));
  const keys = kind.metafields ? metafieldsOf(paths) : [];
  const metafields =
    keys.length > 0
      ? `metafields(first: ${keys.length}, keys: ${JSON.stringify(keys)}) { nodes { namespace key value } }`
      : '';
  return [kind.fields, ...parts.map(([, part]) => part), ...more.map(([, part]) => part), metafields]
    .filter((part) => part !== '')
    .join(' ');
}

const capital = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}`;

/** One page of a list. */
export interface PageWish {
  selection: string;
  limit: number;
  after?: string | undefined;
  query?: string | undefined;
  sortKey: string;
  /** What the request is called, where not by its list. */
  name?: string;
}

/** A page in the order asked for, made smaller where it would cost more points than one query may. */
export function pageOf(kind: Pick<Kind, 'list' | 'searched'>, wish: PageWish): RequestSpec {
  const [declared, given] = kind.searched ? [', $query: String', ', query: $query'] : ['', ''];
  const query = `query ${capital(wish.name ?? kind.list)}($first: Int!, $after: String${declared}) { ${kind.list}(first: $first, after: $after${given}, sortKey: ${wish.sortKey}) { nodes { ${wish.selection} } pageInfo { hasNextPage endCursor } } }`;
  const node = requestedCost(query, { first: 2 }) - requestedCost(query, { first: 1 });
  const first = Math.max(1, Math.min(wish.limit, Math.floor((MOST - 2) / node)));
  const after = wish.after === undefined ? {} : { after: wish.after };
  return ask(query, { first, ...after, ...(kind.searched && wish.query ? { query: wish.query } : {}) });
}

/** A moment as searches take it; their times are whole seconds. */
export const moment = (iso: string): string => `'${new Date(iso).toISOString().slice(0, 19)}Z'`;

/** Records by number, as many as one query may cost at a time. Those that are gone, or no such thing, are left out. */
export async function recordsById(
  ctx: VendorContext,
  type: string,
  selection: string,
  ids: readonly string[],
): Promise<unknown[]> {
  const query = `query ${type}sById($ids: [ID!]!) { nodes(ids: $ids) { ... on ${type} { ${selection} } } }`;
  const each = Math.max(1, Math.floor(MOST / requestedCost(query, { ids: ['1'] })));
  const found: unknown[] = [];
  for (let from = 0; from < ids.length; from += each) {
    const some = ids.slice(from, from + each).map((id) => gid(type, id));
    const { body } = await ctx.call(ask(query, { ids: some }));
    const nodes = at(body, 'data.nodes');
    // What is no such type answers with an empty object.
    if (Array.isArray(nodes)) found.push(...nodes.filter((node) => node !== null && at(node, 'id') !== undefined));
  }
  return found;
}

/** A record with its metafields by namespace and key, as mappings name them. */
export function withMetafields(record: unknown): unknown {
  const nodes = at(record, 'metafields.nodes');
  if (!Array.isArray(nodes)) return record;
  const metafields: Record<string, Record<string, unknown>> = {};
  for (const { namespace, key, value } of nodes as { namespace: string; key: string; value: unknown }[])
    metafields[namespace] = { ...metafields[namespace], [key]: value };
  return { ...(record as object), metafields };
}
