import { Type } from 'typebox';
import { defineConnector, listAt, type Reply, textAt } from '../../src/kit/index.ts';
import { listen, whoAmI } from './account.ts';
import { actions, optOut } from './actions.ts';
import { DATA_CENTRE } from './api.ts';
import { streams } from './streams.ts';
import { webhooks } from './webhooks.ts';

/** The vendor's sentence, with the fields it is about. */
function sentenceOf({ status, body }: Reply): string | undefined {
  const detail = textAt(body, 'detail') ?? textAt(body, 'title');
  if (detail === undefined) return undefined;
  const fields = listAt(body, 'errors').map((error) => `${textAt(error, 'field') ?? ''}: ${textAt(error, 'message')}`);
  const sentence = fields.length > 0 ? `${detail} (${fields.join('; ')})` : detail;
  // The token has all rights of whoever connected, and no more.
  return status === 403 ? `Whoever connected Mailchimp has no permission for this: ${sentence}` : sentence;
}

const isProblem = (reply: Reply): boolean => textAt(reply.body, 'title') !== undefined;

export default defineConnector({
  id: 'mailchimp',
  name: 'Mailchimp',
  category: 'email',
  api: { version: '3.0' },
  hosts: { login: 'https://login.mailchimp.com' },
  // Every account lives in a data centre, whose name is part of the address.
  hostOf: (host) => (DATA_CENTRE.test(host) ? `https://${host}.api.mailchimp.com` : undefined),
  auth: {
    kind: 'oauth2',
    app: { clientId: 'MAILCHIMP_CLIENT_ID', clientSecret: 'MAILCHIMP_CLIENT_SECRET' },
    fields: Type.Object(
      {
        audience: Type.Optional(
          Type.String({
            title: 'Audience',
            description: 'Name or id; absent: the oldest. Each further audience is a connection of its own',
            minLength: 1,
            maxLength: 200,
          }),
        ),
        webhooks: Type.Optional(
          Type.Literal('by_hand', { description: 'Our address for webhooks is not entered at Mailchimp for you' }),
        ),
        activityDays: Type.Optional(
          Type.Integer({ description: 'Days a campaign is asked for opens and clicks (30)', minimum: 1, maximum: 365 }),
        ),
        quietTags: Type.Optional(
          Type.Boolean({ description: 'Tags of ours start no automations at Mailchimp (they do unless set)' }),
        ),
        interests: Type.Optional(
          Type.Record(Type.String(), Type.String(), {
            description:
              'Topics and the ids of the interests that are their counterpart, as in {"offers": "9143cf3bd1"}',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    authorize: { host: 'login', path: '/oauth2/authorize' },
    token: { host: 'login', path: '/oauth2/token' },
    clientAuth: 'post',
    pkce: false,
    scopeSeparator: ' ',
    // There is no refresh token: access lasts until somebody takes it away.
    rotates: false,
    // There are no scopes either: whoever connects gives all their rights.
    features: {
      read: { title: 'Read members of an audience, opens and clicks', scopes: [] },
      write: { title: 'Write fields, tags, notes and unsubscribes', scopes: [] },
      automation: { title: 'Start journeys, automations and events', scopes: [] },
    },
  },
  account: whoAmI,
  prepare: listen,
  // Mailchimp limits how many calls run at once (10 for a user over all apps) and not how many a second; each hub keeps to
  // five at once, and several together to about as many calls as ten connections carry.
  limits: [{ name: 'account', scope: 'account', calls: 20, seconds: 1, burst: 10 }],
  errors: {
    code: (reply) => (reply.status >= 400 ? textAt(reply.body, 'title') : undefined),
    message: sentenceOf,
    rules: [
      {
        when: ({ status }) => status >= 300 && status < 400,
        kind: 'invalid',
        message: 'Mailchimp sends us to another address, where we do not follow.',
      },
      { status: 401, kind: 'auth_revoked' },
      { status: 403, code: 'User Disabled', kind: 'auth_revoked' },
      // Before the API itself answers, there is no document: whoever is far too fast is shut out for a while.
      { status: 403, when: (reply) => !isProblem(reply), kind: 'rate_limited', retryAfter: 60 },
      { code: ['Member In Compliance State', 'Forgotten Email Not Subscribed'], kind: 'recipient_opted_out' },
      { code: 'Member Exists', kind: 'conflict' },
    ],
  },
  transport: async () => (await import('./transport.ts')).mailchimpTransport(),
  streams,
  webhooks,
  actions,
  optOut,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'A connection is one audience. Connect again to add another one; an unsubscribe in one counts for the person.',
    'Whoever connects needs the role of a manager or higher at Mailchimp: viewers cannot write.',
    'A journey is started by the address Mailchimp shows for its API trigger; its step must be running.',
  ],
});
