import { listAt, type StreamTrial, type Trial, type TrialEvent } from '../../src/kit/index.ts';
import { grantsOf, type SandboxOAuth, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import { callOf } from './sandbox.calls.ts';
import type { Post } from './sandbox.hooks.ts';
import type { ShopState, Type } from './sandbox.state.ts';
import { actionsOf, refusalsOf } from './sandbox.trial.actions.ts';

interface Shop {
  state: ShopState;
  server: SandboxServer;
  oauth: SandboxOAuth;
  sign(post: Post): ReturnType<NonNullable<Trial['hook']>>;
}

/** Shopify's side of the cases every connector is tried with. */
export function trialOf(shop: Shop): Trial {
  const { state, server, oauth } = shop;
  return {
    streams: {
      staff: staffTrial(state),
      companies: { ...recordTrial(state, 'Company', 'companies', 'name'), ...fieldsOf(state, 'COMPANY') },
      customers: {
        ...recordTrial(state, 'Customer', 'customers', 'lastName'),
        ...fieldsOf(state, 'CUSTOMER'),
        merge: (from) => state.remove('Customer', from),
      },
      orders: { ...recordTrial(state, 'Order', 'orders', 'name'), ...fieldsOf(state, 'ORDER') },
      payments: paymentTrial(state),
      draft_orders: { ...recordTrial(state, 'DraftOrder', 'draftOrders', 'name'), ...fieldsOf(state, 'DRAFTORDER') },
      subscriptions: contractTrial(state),
    },
    actions: actionsOf(state),
    hook: hooksOf(shop),
    refusals: refusalsOf(state),
    grants: grantsOf(oauth),
    calls: () =>
      server.journal.map(({ at, method, path, body, reply, status }) => {
        const [error] = listAt<{ extensions?: { code?: string } }>(reply, 'errors');
        // Shopify refuses for speed with status 200; what counts is that it refused.
        return { at, call: callOf(method, path, body), status: error?.extensions?.code === 'THROTTLED' ? 429 : status };
      }),
  };
}

/** Posts that tell of records. No time is signed, so the same event is the same post whenever it is asked for. */
function hooksOf({ state, sign }: Shop): NonNullable<Trial['hook']> {
  const began = new Map<string, Date>();
  return (event) => {
    const at = began.get(event.event) ?? state.now();
    began.set(event.event, at);
    return sign({ ...postOf(state, event), event: event.event, at });
  };
}

const listedAs = (list: string): RegExp => new RegExp(` ${list[0]!.toUpperCase()}${list.slice(1)}$`);
const numberOf = (id: string): string => id.split('/').at(-1)!;

const fieldsOf = (state: ShopState, ownerType: string): Pick<StreamTrial, 'addField'> => ({
  addField: (key) => {
    state.definitions.push({ name: key, namespace: 'custom', key, ownerType, type: { name: 'number_integer' } });
    return `metafields.custom.${key}`;
  },
});

function recordTrial(state: ShopState, type: Type, list: string, field: string): StreamTrial {
  let made = 0;
  return {
    create: (count, at) =>
      Array.from({ length: count }, () => numberOf(state.create(type, { [field]: `Number ${++made}` }, at).id)),
    change: (id, mark, at) => void state.change(type, id, { [field]: mark }, at),
    remove: (id) => state.remove(type, id),
    ids: () => state.tables[type].all().map(({ id }) => numberOf(id)),
    announced: true,
    listed: listedAs(list),
    field,
    records: (body) => listAt(body, `data.${list}.nodes`),
  };
}

const staffTrial = (state: ShopState): StreamTrial => {
  const { announced: _announced, ...plain } = recordTrial(state, 'StaffMember', 'staffMembers', 'name');
  const there = () => state.tables.StaffMember.all().filter(({ exists }) => exists);
  return {
    ...plain,
    remove: (id) => void state.change('StaffMember', id, { exists: false, active: false }),
    ids: () => there().map(({ id }) => numberOf(id)),
  };
};

const contractTrial = (state: ShopState): StreamTrial => {
  const { remove: _remove, ...plain } = recordTrial(state, 'SubscriptionContract', 'subscriptionContracts', 'note');
  const lines = (title: string) => [{ title, quantity: 1, currentPrice: { amount: '30.00', currencyCode: 'USD' } }];
  return {
    ...plain,
    change: (id, mark, at) => void state.change('SubscriptionContract', id, { lines: lines(mark) }, at),
    field: 'lines.nodes.0.title',
  };
};

/** Each payment is one of an order of its own; the order changes with it. */
function paymentTrial(state: ShopState): StreamTrial {
  const orders = () => state.tables.Order.all().filter(({ transactions }) => (transactions as unknown[]).length > 0);
  const all = () => orders().flatMap(({ transactions }) => transactions as { id: string }[]);
  return {
    create: (count, at) => {
      // An order that appears in the past would be one nobody could have read.
      const when = at && at > state.now() ? at : undefined;
      return Array.from({ length: count }, () => state.pay(numberOf(state.create('Order', {}, when).id), {}, when));
    },
    change: (id, mark, at) => {
      const found = state.transaction(`gid://shopify/OrderTransaction/${id}`)!;
      const before = found.order.transactions as object[];
      const transactions = before.map((one) => (one === found.transaction ? { ...one, formattedGateway: mark } : one));
      state.change('Order', found.order.id, { transactions }, at);
    },
    ids: () => all().map(({ id }) => numberOf(id)),
    announced: true,
    listed: listedAs('payments'),
    field: 'formattedGateway',
    records: (body) => listAt(body, 'data.orders.nodes').flatMap((order) => listAt(order, 'transactions')),
  };
}

const TOPICS: Record<string, string> = {
  ...{ customers: 'customers', orders: 'orders', draft_orders: 'draft_orders', companies: 'companies' },
  subscriptions: 'subscription_contracts',
};
const TYPES: Record<string, Type> = {
  ...{ customers: 'Customer', orders: 'Order', draft_orders: 'DraftOrder', companies: 'Company' },
  subscriptions: 'SubscriptionContract',
};

/** The post that tells of a record, in the form of the older API. */
function postOf(state: ShopState, { stream, id, change, into }: TrialEvent): Pick<Post, 'topic' | 'body'> {
  const gid = (type: string, number: string): string => `gid://shopify/${type}/${number}`;
  if (stream === 'payments') {
    const order = state.transaction(gid('OrderTransaction', id))?.order;
    const order_id = order && Number(numberOf(order.id));
    return { topic: 'order_transactions/create', body: { order_id, kind: 'sale', id: Number(id) } };
  }
  const type = TYPES[stream]!;
  if (change === 'merged')
    return {
      topic: 'customers/merge',
      body: {
        admin_graphql_api_id_customer_kept: gid(type, into!),
        admin_graphql_api_id_customer_deleted: gid(type, id),
      },
    };
  const topic = `${TOPICS[stream]}/${change === 'deleted' ? 'delete' : stream === 'orders' ? 'updated' : 'update'}`;
  // The number stands last: whoever changes a letter of it asks for another record.
  return { topic, body: { name: 'as it was', id: Number(id) } };
}
