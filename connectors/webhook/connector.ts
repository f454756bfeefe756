import { Type } from 'typebox';
import { defineConnector, textAt } from '../../src/kit/index.ts';
import { actions, optOut } from './actions.ts';
import { streams } from './streams.ts';
import { webhooks } from './webhooks.ts';

// 24 to 64 random bytes behind the prefix; a prefix alone is a mistake, not a secret.
const SHARED = '^(whsec_[A-Za-z0-9+/]{32,86}={0,2}|whpk_[A-Za-z0-9+/]{43}=)$';

/** Everything a person enters. The other side has no page to send anybody to. */
const fields = Type.Object(
  {
    name: Type.Optional(Type.String({ title: 'Name', maxLength: 100 })),
    secret: Type.Optional(
      Type.String({
        title: 'Secret',
        description: 'whsec_… shared with the other side; or its public key whpk_…, with which it only can sign',
        pattern: SHARED,
      }),
    ),
    secondarySecret: Type.Optional(
      Type.String({
        title: 'Second secret',
        description: 'The old one, while the other side changes over',
        pattern: SHARED,
      }),
    ),
    signingKey: Type.Optional(
      Type.String({
        title: 'Private key',
        description: 'whsk_…: our posts are signed with it, and the receiver cannot forge them',
        pattern: '^whsk_([A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==)$',
      }),
    ),
    bearerToken: Type.Optional(
      Type.String({
        title: 'Token',
        description: 'For senders that cannot sign. Weaker: whoever reads one post can write others',
        minLength: 24,
        maxLength: 200,
        pattern: '^[!-~]+$',
      }),
    ),
    target: Type.Optional(
      Type.String({
        title: 'Address we post to',
        description: 'https, without user name and password',
        pattern: '^https?://[^/@\\s]+(/\\S*)?$',
        maxLength: 2000,
      }),
    ),
    eventTypes: Type.Optional(
      Type.Array(Type.String({ pattern: '^[a-zA-Z0-9_]+(\\.[a-zA-Z0-9_]+)*(\\.\\*)?$' }), {
        title: 'Types we post',
        description: 'Such as invoice.overdue or invoice.*; absent: all',
        minItems: 1,
        maxItems: 100,
      }),
    ),
    timeZone: Type.Optional(Type.String({ title: 'Time zone of the other side', maxLength: 60 })),
    country: Type.Optional(Type.String({ title: 'Country of phone numbers without prefix', pattern: '^[A-Z]{2}$' })),
    currency: Type.Optional(Type.String({ title: 'Currency of amounts without one', pattern: '^[A-Z]{3}$' })),
  },
  { additionalProperties: false, anyOf: [{ required: ['secret'] }, { required: ['bearerToken'] }] },
);

export default defineConnector({
  id: 'webhook',
  name: 'Webhook (any system)',
  category: 'other',
  api: { version: 'Standard Webhooks 1.0.0' },
  // Empty: the address belongs to the connection, under the same name in its settings.
  hosts: { target: '' },
  auth: {
    kind: 'none',
    fields,
    secret: ['secret', 'secondarySecret', 'signingKey', 'bearerToken'],
    features: {
      receive: { title: 'Take records the other side posts', scopes: [] },
      send: { title: 'Post events to the other side', scopes: [] },
    },
    headers: (secrets): Record<string, string> =>
      secrets.bearerToken ? { authorization: `Bearer ${secrets.bearerToken}` } : {},
  },
  // Nobody can be asked who is there: the account is this connection, named by the address made for it.
  account: async (ctx) => {
    const target = textAt(ctx.settings, 'target');
    const name = textAt(ctx.settings, 'name') ?? (target ? new URL(target).hostname : 'Webhook');
    const timeZone = textAt(ctx.settings, 'timeZone');
    return { id: ctx.webhookUrl?.split('/').at(-1) ?? '', name, ...(timeZone ? { timeZone } : {}) };
  },
  limits: [{ name: 'posts', scope: 'account', calls: 10, seconds: 1 }],
  errors: {
    message: (reply) => `The receiver answered with status ${reply.status}.`,
    rules: [
      {
        status: 410,
        kind: 'paused',
        message:
          'The receiver answered 410: it does not want these posts any more. Check the address with whoever runs it.',
      },
      { status: 429, kind: 'rate_limited', retryAfter: 60 },
      {
        when: (reply) => reply.status >= 300 && reply.status < 400,
        kind: 'invalid',
        message: 'The receiver sends us to another address, where we do not follow. Enter that address if it is right.',
      },
    ],
  },
  transport: async () => (await import('./transport.ts')).webhookTransport(),
  streams,
  webhooks,
  actions,
  optOut,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'The other side posts to the address of this connection, as the Standard Webhooks specification says (webhook-id, webhook-timestamp, webhook-signature).',
    'Records are sent whole: what a post leaves out is empty. Amounts are decimal (amount) or in the smallest unit of the currency (amount_minor).',
    'n8n: set the Webhook node to POST, keep the raw body to check the signature, or check the token with Header auth. A 2xx does not prove that the workflow ran.',
  ],
});
