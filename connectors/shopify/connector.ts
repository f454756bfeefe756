import { Type } from 'typebox';
import { defineConnector, type Reply, textAt, type VendorContext } from '../../src/kit/index.ts';
import { actions, optOut } from './actions.ts';
import { checkCallback } from './callback.ts';
import { costOfCall } from './cost.ts';
import { ask, numberOf } from './documents.ts';
import { errors } from './refusals.ts';
import { streams } from './streams.ts';
import { subscribe } from './topics.ts';
import { SHOP, VERSION } from './version.ts';
import { webhooks } from './webhooks.ts';

const told = (reply: Reply, path: string): number | undefined => {
  const text = textAt(reply.body, `extensions.cost.${path}`);
  return text === undefined ? undefined : Number(text);
};

/** A share of the bucket that is never used: other tools of ours count their points by other clocks. */
const MARGIN = 0.95;

async function whoAmI(ctx: VendorContext) {
  const reply = await ctx.call(
    ask('query Shop { shop { id name myshopifyDomain ianaTimezone currencyCode plan { publicDisplayName } } }'),
  );
  const shop = (path: string): string => textAt(reply.body, `data.shop.${path}`) ?? '';
  const domain = shop('myshopifyDomain');
  return {
    id: numberOf(shop('id')) ?? '',
    name: shop('name'),
    // Posts name the shop by its domain, which can be renamed; the number never changes.
    alsoKnownAs: [domain],
    url: `https://${domain}/admin`,
    timeZone: shop('ianaTimezone'),
    currency: shop('currencyCode'),
    extra: {
      domain,
      plan: shop('plan.publicDisplayName'),
      // How large the allowance is depends on the plan; every answer tells it.
      restoreRate: told(reply, 'throttleStatus.restoreRate'),
      bucket: told(reply, 'throttleStatus.maximumAvailable'),
    },
  };
}

const shopSetting = (settings: Readonly<Record<string, unknown>>): string | undefined =>
  typeof settings.shop === 'string' && new RegExp(SHOP).test(settings.shop) ? settings.shop.toLowerCase() : undefined;

export default defineConnector({
  id: 'shopify',
  name: 'Shopify',
  category: 'billing',
  // Quarterly versions are supported for at least twelve months.
  api: { version: VERSION, sunset: '2027-10-01' },
  hosts: { api: 'https://shop.myshopify.com' },
  hostOf: (_host, { settings }) => {
    const shop = shopSetting(settings);
    return shop && `https://${shop}`;
  },
  auth: {
    kind: 'oauth2',
    app: { clientId: 'SHOPIFY_CLIENT_ID', clientSecret: 'SHOPIFY_CLIENT_SECRET' },
    fields: Type.Object({
      shop: Type.String({ pattern: SHOP, maxLength: 100, description: 'Address of the shop: your-shop.myshopify.com' }),
    }),
    authorize: { host: 'api', path: '/admin/oauth/authorize' },
    // Tokens that end are what public apps must ask for (dossier, Auth).
    token: { host: 'api', path: '/admin/oauth/access_token', json: true, parameters: { expiring: '1' } },
    clientAuth: 'post',
    pkce: false,
    scopeSeparator: ',',
    rotates: true,
    checkCallback,
    // A scope to write stands for reading too, and is all that the answer then names.
    grantedScopes: (answer) =>
      typeof answer.scope === 'string'
        ? answer.scope.split(',').flatMap((scope) => [scope, scope.replace(/^write_/, 'read_')])
        : undefined,
    features: {
      read: {
        title: 'Read customers, orders, payments and draft orders',
        scopes: ['read_customers', 'read_orders', 'read_draft_orders', 'read_payment_terms', 'read_fulfillments'],
      },
      write: {
        title: 'Write tags, notes, metafields and consent; send reminders; start Flows',
        scopes: ['write_customers', 'write_orders', 'write_draft_orders'],
      },
      all_orders: {
        title: 'Read orders older than 60 days (Shopify must have approved it)',
        scopes: ['read_all_orders'],
        byName: true,
      },
      companies: { title: 'Read companies (B2B)', scopes: ['read_companies'], byName: true },
      staff: { title: 'Read staff (Plus and Advanced)', scopes: ['read_users'], byName: true },
      subscriptions: {
        title: "Read the app's own subscription contracts",
        scopes: ['read_own_subscription_contracts'],
        byName: true,
      },
    },
  },
  account: whoAmI,
  prepare: subscribe,
  // Points, not calls: a bucket that flows full again at the plan's rate. The smallest plan's are assumed until told.
  limits: [
    {
      name: 'points',
      scope: 'account',
      calls: 100,
      seconds: 1,
      burst: 1900,
      cost: costOfCall,
      of: ({ extra }) => ({
        ...(Number(extra?.restoreRate) > 0 ? { calls: Number(extra?.restoreRate) } : {}),
        ...(Number(extra?.bucket) > 0 ? { burst: Number(extra?.bucket) * MARGIN } : {}),
      }),
      spent: (reply) => told(reply, 'actualQueryCost'),
      left: (reply) => told(reply, 'throttleStatus.currentlyAvailable'),
    },
  ],
  errors,
  transport: async () => (await import('./transport.ts')).shopifyTransport(),
  streams,
  webhooks,
  actions,
  optOut,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'Orders older than 60 days, names and addresses of customers need an approval of Shopify for the app.',
    'Enter the address of the webhooks once more in the app at Shopify for the three topics about privacy; all others are subscribed to when you connect.',
    'A Flow is started by a trigger of the app: name its handle as the automation.',
  ],
});
