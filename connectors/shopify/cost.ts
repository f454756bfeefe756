import { at, type RequestSpec } from '../../src/kit/index.ts';
import { parse, resolve, type Selection } from './graphql.ts';

/** Most points one query may cost (dossier, Limits). */
export const MOST = 1000;

/** Points of a mutation; what it answers with comes free (dossier, Limits: from memory). */
const MUTATION = 10;

/**
 * Points Shopify reserves for a request: 0 for a value, 1 for an object, 2 and its items for a connection, 10 for a
 * mutation (dossier, Limits; the formula is from memory, so a little more is rather counted than less).
 */
export function requestedCost(query: string, variables: Readonly<Record<string, unknown>>): number {
  const { kind, selections, variables: declared } = parse(query);
  if (kind === 'mutation') return MUTATION * selections.length;
  return costOf(selections, { ...declared, ...variables });
}

function costOf(selections: readonly Selection[], variables: Readonly<Record<string, unknown>>): number {
  let sum = 0;
  // Of fragments only one applies to an object.
  let largest = 0;
  for (const one of selections) {
    if (one.kind === 'fragment') largest = Math.max(largest, costOf(one.selections, variables));
    else if (one.selections && one.name !== 'pageInfo') {
      const inner = costOf(one.selections, variables);
      if (one.name === 'nodes' && !('ids' in one.arguments)) sum += inner;
      else sum += fieldCost(one.arguments, inner, variables, one.selections);
    }
  }
  return sum + largest;
}

function fieldCost(
  given: Parameters<typeof resolve>[0] & object,
  inner: number,
  variables: Readonly<Record<string, unknown>>,
  selections: readonly Selection[],
): number {
  const { first, ids } = resolve(given, variables) as { first?: number; ids?: unknown[] };
  if (ids) return ids.length * (1 + inner);
  const isConnection = selections.some((one) => one.kind === 'field' && ['nodes', 'edges'].includes(one.name));
  return first === undefined ? 1 + inner : (isConnection ? 2 : 0) + first * (1 + inner);
}

const known = new Map<string, number>();

/** Points of a call as the engine sends it; what is no GraphQL takes none. */
export function costOfCall(spec: RequestSpec): number {
  const query = at(spec.json, 'query');
  if (typeof query !== 'string') return 0;
  const variables = (at(spec.json, 'variables') ?? {}) as Record<string, unknown>;
  const ids = Array.isArray(variables.ids) ? variables.ids.length : 0;
  const key = `${String(variables.first)} ${ids} ${query}`;
  const points = known.get(key) ?? requestedCost(query, variables);
  if (known.size > 1000) known.clear();
  known.set(key, points);
  return points;
}
