import {
  at,
  defineWebhooks,
  type HookEvent,
  hmacMatches,
  jsonOf,
  listAt,
  type RawHook,
  textAt,
} from '../../src/kit/index.ts';
import { numberOf } from './documents.ts';
import { STREAM_TOPICS } from './topics.ts';

const header = (hook: RawHook, name: string): string => hook.headers[`x-shopify-${name}`] ?? '';

type Record = Extract<HookEvent, { type: 'record' }>;
type Told = Pick<Record, 'stream' | 'id' | 'change' | 'into'>;

const first = (body: unknown, ...paths: string[]): string | undefined =>
  numberOf(paths.map((path) => textAt(body, path)).find((value) => value !== undefined && value !== ''));

const changed = (stream: string, id: string | undefined, change: Told['change'] = 'changed'): Told[] =>
  id === undefined ? [] : [{ stream, id, change }];

/** The global id under a name that holds this word: the dossier names the post about merges, not its members. */
function idNamed(body: unknown, word: string): string | undefined {
  const found = Object.entries((body ?? {}) as { [name: string]: unknown }).find(
    ([name, value]) =>
      name.includes(word) && /customer/i.test(name) && (typeof value === 'string' || typeof value === 'number'),
  );
  return found && numberOf(String(found[1]));
}

function merged(body: unknown): Told[] {
  const [kept, gone] = [idNamed(body, 'kept'), idNamed(body, 'deleted')];
  return kept && gone ? [{ stream: 'customers', id: gone, change: 'merged', into: kept }] : changed('customers', kept);
}

/** A payment or refund changes what is open of its order. */
const transactions = (body: unknown): Told[] => [
  ...listAt(body, 'transactions').flatMap((one) => changed('payments', first(one, 'id'))),
  ...changed('orders', first(body, 'order_id')),
];

/** Somebody asked the shop to be forgotten; their orders are named too. */
const redacted = (body: unknown): Told[] => [
  ...changed('customers', first(body, 'customer.id'), 'privacy_deleted'),
  ...listAt(body, 'orders_to_redact').flatMap((id) => changed('orders', String(id), 'privacy_deleted')),
];

/** What a post is about, by its topic. Bodies are read for ids only: what they say of a record may be old. */
function toldBy(topic: string, body: unknown): Told[] {
  if (topic === 'customers/merge') return merged(body);
  if (topic === 'customers/redact') return redacted(body);
  if (topic === 'order_transactions/create') return [...changed('payments', first(body, 'id')), ...transactions(body)];
  if (topic === 'refunds/create') return transactions(body);
  const [object = '', what = ''] = topic.split('/');
  if (['fulfillments', 'payment_terms', 'payment_schedules'].includes(object))
    return changed('orders', first(body, 'order_id', 'payment_terms.order_id'));
  const stream = STREAM_TOPICS[object] ?? (object.startsWith('customer.') ? 'customers' : undefined);
  if (!stream) return [];
  const id = first(body, 'customer_id', 'customerId', 'admin_graphql_api_customer_id', 'admin_graphql_api_id', 'id');
  return changed(
    stream,
    stream === 'customers' ? id : first(body, 'admin_graphql_api_id', 'id'),
    what === 'delete' ? 'deleted' : 'changed',
  );
}

/** The shop a post is about; of those about erasure the signed body says it. */
const shopOf = (hook: RawHook, body: unknown): string => textAt(body, 'shop_domain') ?? header(hook, 'shop-domain');

function events(hook: RawHook): HookEvent[] {
  const body = jsonOf(hook);
  if (body === null || typeof body !== 'object') throw new Error('Shopify posts JSON; this is none.');
  const topic = header(hook, 'topic');
  const account = shopOf(hook, body);
  if (topic === '' || account === '') throw new Error('The post does not say its topic or its shop.');
  const when = new Date(header(hook, 'triggered-at'));
  const event = header(hook, 'event-id') || header(hook, 'webhook-id');
  const base = { account, ...(Number.isNaN(when.getTime()) ? {} : { at: when }) };
  if (topic === 'app/uninstalled')
    return [{ ...base, type: 'revoked', key: `${event}:uninstalled`, reason: 'The app was uninstalled at Shopify.' }];
  if (topic === 'shop/redact')
    return [
      {
        ...base,
        type: 'revoked',
        key: `${event}:redact`,
        reason: 'The shop left Shopify or asked to be forgotten: delete what is known of it.',
      },
    ];
  return toldBy(topic, body).map((told) => ({
    ...base,
    type: 'record',
    // One event comes once for each subscription of its topic (dossier, Pitfalls).
    key: `${event || at(body, 'updated_at')}:${topic}:${told.stream}:${told.id}`,
    ...told,
  }));
}

export const webhooks = defineWebhooks({
  scope: 'app',
  subscribes: true,
  renews: true,
  announces: { customers: true, orders: true, draft_orders: true, companies: true },
  headers: ['topic', 'shop-domain', 'event-id', 'webhook-id', 'triggered-at'].map((name) => `x-shopify-${name}`),
  verify: (hook, secrets) => {
    const signature = header(hook, 'hmac-sha256');
    const secret = secrets.app.SHOPIFY_CLIENT_SECRET;
    if (!signature || !secret) return { ok: false, reason: 'missing_signature' };
    const good = hmacMatches('sha256', secret, hook.body, signature, 'base64');
    return good ? { ok: true } : { ok: false, reason: 'bad_signature' };
  },
  key: (hook) => header(hook, 'webhook-id') || undefined,
  events,
});
