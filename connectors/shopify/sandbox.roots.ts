import { type Arguments, FIRST_PAGE, type Roots } from './sandbox.graph.ts';
import { mutations } from './sandbox.mutations.ts';
import { readSearch } from './sandbox.search.ts';
import type { ShopState, Type } from './sandbox.state.ts';
import type { Node } from './sandbox.table.ts';

const LISTS: Record<string, Type> = {
  ...{ customers: 'Customer', orders: 'Order', companies: 'Company', draftOrders: 'DraftOrder' },
  ...{ staffMembers: 'StaffMember', subscriptionContracts: 'SubscriptionContract' },
};
const COUNTS: Record<string, Type> = { customersCount: 'Customer', ordersCount: 'Order' };

/** Counts tell no more than this (dossier, Limits). */
const MOST_COUNTED = 10_000;

/** An order with what is computed of it. */
export const shown = (node: Node): Node =>
  node.__typename === 'Order'
    ? { ...node, transactionsCount: { count: (node.transactions as unknown[]).length } }
    : node;

/** What the shop answers at the top of a request. @param warnings what it found odd about searches */
export function rootsOf(state: ShopState, warnings: string[]): Roots {
  const visible = (): number | undefined =>
    state.lateIndexMs > 0 ? state.now().getTime() - state.lateIndexMs : undefined;
  const search = (text: unknown) => {
    const found = readSearch(text as string | undefined);
    warnings.push(...found.unknown);
    return found;
  };
  const list = (type: Type) => (given: Arguments) => {
    const { from, holds } = search(given.query);
    const { nodes, endCursor, hasNextPage } = state.tables[type].page({
      ...{ first: Number(given.first), after: given.after as string | undefined, from, holds, visible: visible() },
      ...{ order: given.sortKey === 'UPDATED_AT' ? 'changed' : 'id', cap: state.cap },
    });
    return { nodes: nodes.map(shown), pageInfo: { ...FIRST_PAGE, endCursor, hasNextPage } };
  };
  const count = (type: Type) => (given: Arguments) => {
    const { from, holds } = search(given.query);
    const found = state.tables[type].count({ from, holds, visible: visible() });
    const precision = found > MOST_COUNTED ? 'AT_LEAST' : 'EXACT';
    return { __typename: 'Count', count: Math.min(found, MOST_COUNTED), precision };
  };
  const node = (id: unknown): Node | null => {
    const type = /^gid:\/\/shopify\/(\w+)\/\d+$/.exec(String(id))?.[1] ?? '';
    if (type === 'OrderTransaction') {
      const found = state.transaction(String(id));
      return found ? ({ ...found.transaction, order: shown(found.order) } as unknown as Node) : null;
    }
    const found = state.tables[type as Type]?.find(String(id));
    return found ? shown(found) : null;
  };
  return {
    ...Object.fromEntries(Object.entries(LISTS).map(([name, type]) => [name, list(type)])),
    ...Object.fromEntries(Object.entries(COUNTS).map(([name, type]) => [name, count(type)])),
    shop: () => state.shop,
    node: ({ id }) => node(id),
    order: ({ id }) => node(id),
    nodes: ({ ids }) => (ids as unknown[]).map(node),
    customerByIdentifier: ({ identifier }) => {
      const { emailAddress, phoneNumber } = identifier as { emailAddress?: string; phoneNumber?: string };
      const has = (one: Node, field: string, value: string | undefined, holder: string): boolean =>
        value !== undefined && (one[holder] as Record<string, unknown> | null)?.[field] === value;
      return (
        state.tables.Customer.all().find(
          (one) =>
            has(one, 'emailAddress', emailAddress, 'defaultEmailAddress') ||
            has(one, 'phoneNumber', phoneNumber, 'defaultPhoneNumber'),
        ) ?? null
      );
    },
    metafieldDefinitions: ({ ownerType }) => state.definitions.filter((one) => one.ownerType === ownerType),
    webhookSubscriptions: ({ uri }) => state.subscriptions.filter((one) => uri === undefined || one.uri === uri),
    ...mutations(state, node),
  };
}
