import { listAt, type Prepared, textAt, type VendorContext } from '../../src/kit/index.ts';
import { ask } from './documents.ts';

/** Streams that posts are about, by the first word of their topic. */
export const STREAM_TOPICS: Record<string, string> = {
  orders: 'orders',
  customers: 'customers',
  customers_email_marketing_consent: 'customers',
  customers_marketing_consent: 'customers',
  customers_whats_app_marketing_consent: 'customers',
  draft_orders: 'draft_orders',
  companies: 'companies',
  subscription_contracts: 'subscriptions',
};

const ALWAYS = [
  ...['ORDERS_CREATE', 'ORDERS_UPDATED', 'ORDERS_PAID', 'ORDERS_FULFILLED', 'ORDERS_CANCELLED', 'ORDERS_DELETE'],
  ...['FULFILLMENTS_CREATE', 'FULFILLMENTS_UPDATE', 'ORDER_TRANSACTIONS_CREATE', 'REFUNDS_CREATE'],
  ...['CUSTOMERS_CREATE', 'CUSTOMERS_UPDATE', 'CUSTOMERS_DELETE', 'CUSTOMERS_MERGE', 'CUSTOMERS_ENABLE'],
  ...['CUSTOMERS_DISABLE', 'CUSTOMER_TAGS_ADDED', 'CUSTOMER_TAGS_REMOVED'],
  ...['CUSTOMERS_EMAIL_MARKETING_CONSENT_UPDATE', 'CUSTOMERS_MARKETING_CONSENT_UPDATE'],
  'CUSTOMERS_WHATS_APP_MARKETING_CONSENT_UPDATE',
  ...['PAYMENT_TERMS_CREATE', 'PAYMENT_TERMS_UPDATE', 'PAYMENT_TERMS_DELETE', 'PAYMENT_SCHEDULES_DUE'],
  ...['DRAFT_ORDERS_CREATE', 'DRAFT_ORDERS_UPDATE', 'DRAFT_ORDERS_DELETE', 'APP_UNINSTALLED'],
];

const WITH_FEATURE: Record<string, readonly string[]> = {
  companies: ['COMPANIES_CREATE', 'COMPANIES_UPDATE', 'COMPANIES_DELETE'],
  subscriptions: ['CREATE', 'UPDATE', 'PAUSE', 'CANCEL', 'EXPIRE', 'FAIL'].map(
    (what) => `SUBSCRIPTION_CONTRACTS_${what}`,
  ),
};

/** Topics a connection wants to hear of. */
export const topicsOf = ({ features }: Pick<VendorContext, 'features'>): string[] => [
  ...ALWAYS,
  ...Object.entries(WITH_FEATURE).flatMap(([feature, topics]) => (features.includes(feature) ? topics : [])),
];

/** Subscriptions made in one request; each is a mutation of ten points. */
const AT_ONCE = 20;

/**
 * Has Shopify post to us what is not posted yet. Runs again without harm: after four hours of failing Shopify deletes a
 * subscription without a word, so that it is looked after every day (dossier, Webhooks).
 */
export async function subscribe(ctx: VendorContext): Promise<Prepared | undefined> {
  if (!ctx.webhookUrl) return undefined;
  const { body } = await ctx.call(
    ask('query Subscriptions($uri: String!) { webhookSubscriptions(first: 250, uri: $uri) { nodes { topic } } }', {
      uri: ctx.webhookUrl,
    }),
  );
  const there = new Set(listAt(body, 'data.webhookSubscriptions.nodes').map((node) => textAt(node, 'topic')));
  const missing = topicsOf(ctx).filter((topic) => !there.has(topic));
  for (let from = 0; from < missing.length; from += AT_ONCE) {
    const asks = missing
      .slice(from, from + AT_ONCE)
      .map(
        (topic) =>
          `${topic.toLowerCase()}: webhookSubscriptionCreate(topic: ${topic}, webhookSubscription: { uri: $uri, format: JSON }) { userErrors { field message } }`,
      );
    await ctx.call(ask(`mutation Subscribe($uri: String!) { ${asks.join(' ')} }`, { uri: ctx.webhookUrl }, false));
  }
  return { again: new Date(ctx.now.getTime() + 86_400_000) };
}
