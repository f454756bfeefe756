import { Type } from 'typebox';
import { defineConnector, listAt, type Reply, textAt } from '../../src/kit/index.ts';
import { listenForEvents, whoAmI } from './account.ts';
import { actions, optOut } from './actions.ts';
import { streams } from './streams.ts';
import { webhooks } from './webhooks.ts';

const optional = (description: string, maxLength = 200) => Type.Optional(Type.String({ maxLength, description }));

/** The sentences of a refusal, each with the field it is about. */
function messageOf({ body }: Reply): string | undefined {
  const sentences = listAt(body, 'errors').map((error) => {
    const [field, message] = [textAt(error, 'field') ?? textAt(error, 'parameter'), textAt(error, 'message')];
    return field ? `${field}: ${message}` : message;
  });
  return sentences.length > 0 ? sentences.join(' ') : undefined;
}

const says = (pattern: RegExp) => (reply: Reply) => pattern.test(messageOf(reply) ?? '');

/** When the limit of this endpoint begins anew (dossier, Limits: Unix seconds). */
function reset(reply: Reply): Date | number {
  const seconds = Number(reply.headers['x-ratelimit-reset']);
  return Number.isFinite(seconds) && seconds > 0 ? new Date(seconds * 1000) : 10;
}

export default defineConnector({
  id: 'sendgrid',
  name: 'SendGrid',
  category: 'email',
  api: { version: 'v3' },
  hosts: {
    api: 'https://api.sendgrid.com',
    eu: 'https://api.eu.sendgrid.com',
    // Marketing contacts live in one place only, whatever the region of the mails.
    marketing: 'https://api.sendgrid.com',
  },
  hostOf: (host, { settings }) => (host === 'api' && settings.region === 'eu' ? 'eu' : undefined),
  auth: {
    kind: 'api_key',
    fields: Type.Object(
      {
        apiKey: Type.String({ minLength: 20, maxLength: 200, description: 'API key (SG...)' }),
        fromAddress: Type.String({ format: 'email', description: 'Verified address mails are sent from' }),
        fromName: optional('Name of the sender'),
        replyTo: Type.Optional(Type.String({ format: 'email', description: 'Where answers go' })),
        templateId: Type.Optional(
          Type.String({ pattern: '^d-[0-9a-f]{32}$', description: 'Dynamic template that frames every mail (d-...)' }),
        ),
        region: Type.Optional(
          Type.Union([Type.Literal('global'), Type.Literal('eu')], { description: 'Where the account lives' }),
        ),
        onBehalfOf: optional('Subuser to act for'),
        groups: Type.Optional(
          Type.Record(Type.String({ maxLength: 100 }), Type.Integer({ minimum: 1 }), {
            description: 'Unsubscribe group of each topic: {"offers": 123}',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    secret: ['apiKey'],
    features: {},
    headers: (secrets, settings) => ({
      authorization: `Bearer ${secrets.apiKey}`,
      ...(typeof settings.onBehalfOf === 'string' && settings.onBehalfOf
        ? { 'on-behalf-of': settings.onBehalfOf }
        : {}),
    }),
  },
  account: whoAmI,
  prepare: listenForEvents,
  // No table is published; these are the dossier's figures. What is saved up goes on top of what flows.
  limits: [
    { name: 'api', scope: 'account', calls: 480, seconds: 60, burst: 100 },
    {
      ...{ name: 'contacts', scope: 'account', calls: 1, seconds: 1, burst: 1 },
      match: ({ method, path }) => method === 'PUT' && path === '/v3/marketing/contacts',
    },
  ],
  errors: {
    message: messageOf,
    rules: [
      { status: 401, kind: 'quota_exhausted', when: says(/credits exceeded/i), retryAfter: 3600 },
      { status: 401, kind: 'auth_revoked' },
      { status: 403, kind: 'forbidden' },
      { status: 429, kind: 'rate_limited', retryAfter: reset },
      { status: 413, kind: 'invalid', message: 'The mail is too large for SendGrid (30 MB).' },
    ],
  },
  streams,
  webhooks,
  actions,
  optOut,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'The address mails are sent from must be verified at SendGrid, else each of them is refused.',
    'The address events are posted to is entered for you; each plan allows a few of them.',
    'Topics are kept apart by unsubscribe groups: name the group of each topic in the settings.',
  ],
});
