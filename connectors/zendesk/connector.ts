import { Type } from 'typebox';
import { defineConnector } from '../../src/kit/index.ts';
import { addressOf, SUBDOMAIN, whoAmI } from './account.ts';
import { actions } from './actions.ts';
import { codeOf, RULES, sentenceOf } from './errors.ts';
import { streams } from './streams.ts';
import { listen } from './subscription.ts';
import { webhooks } from './webhooks.ts';

const DAY = 86_400;

export default defineConnector({
  id: 'zendesk',
  name: 'Zendesk',
  category: 'crm',
  api: { version: 'v2' },
  // Every account has an address of its own.
  hosts: { api: 'https://account.zendesk.com' },
  hostOf: (_host, { settings }) => addressOf(settings),
  auth: {
    kind: 'oauth2',
    app: { clientId: 'ZENDESK_CLIENT_ID', clientSecret: 'ZENDESK_CLIENT_SECRET' },
    fields: Type.Object({
      subdomain: Type.String({
        pattern: SUBDOMAIN.source,
        maxLength: 63,
        title: 'Name of the account',
        description: 'the part before .zendesk.com in its address',
      }),
    }),
    authorize: { host: 'api', path: '/oauth/authorizations/new' },
    // How long tokens live is asked for: a day, and not quite the longest there is for the one that brings a new one.
    token: {
      host: 'api',
      path: '/oauth/tokens',
      json: true,
      scope: true,
      parameters: { expires_in: DAY, refresh_token_expires_in: 89 * DAY },
    },
    revoke: () => ({ method: 'DELETE', path: '/api/v2/oauth/tokens/current', expect: 'none' }),
    clientAuth: 'post',
    pkce: true,
    scopeSeparator: ' ',
    // Each refresh ends the pair of tokens before it.
    rotates: true,
    // The finer scopes do not cover the exports, the fields and the look-up of tickets.
    features: {
      read: { title: 'Read tickets, users, organizations and ratings', scopes: ['read'] },
      write: { title: 'Create tickets, write comments, tags and fields, be told of changes', scopes: ['write'] },
    },
  },
  account: whoAmI,
  prepare: listen,
  // What is saved up goes on top of what flows, so that any minute stays within what the vendor allows.
  limits: [
    // Of the smallest plan; a larger one has room for other apps.
    { name: 'calls, a minute', scope: 'account', calls: 185, seconds: 60, burst: 15 },
    {
      name: 'updates of tickets, a minute',
      scope: 'account',
      calls: 90,
      seconds: 60,
      burst: 10,
      match: ({ method, path }) => method !== 'GET' && /^\/api\/v2\/tickets\/\d/.test(path),
    },
    {
      name: 'exports, a minute',
      scope: 'account',
      calls: 9,
      seconds: 60,
      burst: 1,
      match: ({ path }) => path.startsWith('/api/v2/incremental/'),
    },
  ],
  errors: { code: codeOf, message: sentenceOf, rules: RULES },
  streams,
  webhooks,
  actions,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'Connect with an administrator: Zendesk gives its exports to administrators only.',
    'An OAuth client that an account made for itself works for that account. To connect accounts of others, Zendesk must approve the client as a global one (Marketplace portal).',
    'The webhook is made when you connect; it stays at Zendesk (Admin Center, Webhooks) when you disconnect, and can be deleted there.',
  ],
});
