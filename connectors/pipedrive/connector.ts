import { defineConnector, type Reply, textAt, UNSTATED } from '../../src/kit/index.ts';
import { actions, optOut } from './actions.ts';
import { companyHost, tokenCost, v1 } from './paths.ts';
import { streams } from './streams.ts';
import { subscribe, unsubscribe, webhooks } from './webhooks.ts';

const left = (reply: Reply): number | undefined => {
  const text = reply.headers['x-ratelimit-remaining'];
  return text === undefined || !Number.isFinite(Number(text)) ? undefined : Number(text);
};

const isSearch = (spec: { path: string }): boolean => spec.path.endsWith('/search');

export default defineConnector({
  id: 'pipedrive',
  name: 'Pipedrive',
  category: 'crm',
  api: { version: 'v2' },
  hosts: { api: 'https://api.pipedrive.com', oauth: 'https://oauth.pipedrive.com' },
  // Every company has a host of its own, which the token answer names.
  hostOf: (host, { secrets }) => (host === 'api' ? companyHost(secrets.api_domain) : undefined),
  auth: {
    kind: 'oauth2',
    app: { clientId: 'PIPEDRIVE_CLIENT_ID', clientSecret: 'PIPEDRIVE_CLIENT_SECRET' },
    authorize: { host: 'oauth', path: '/oauth/authorize' },
    token: { host: 'oauth', path: '/oauth/token' },
    clientAuth: 'basic',
    pkce: false,
    scopeSeparator: ' ',
    rotates: false,
    accessTtl: 3600,
    keep: ['api_domain'],
    features: {
      read: {
        title: 'Read persons, organizations, deals, activities, users and fields',
        scopes: ['base', 'deals:full', 'contacts:full', 'activities:full', 'users:read', 'search:read', 'admin'],
      },
      write: {
        title: 'Create activities and notes; write fields and labels',
        scopes: ['deals:full', 'contacts:full', 'activities:full', 'admin'],
      },
    },
  },
  account: async (ctx) => {
    const { body } = await ctx.call({ method: 'GET', path: v1('users/me') });
    const id = textAt(body, 'data.company_id') ?? '';
    const domain = textAt(body, 'data.company_domain') ?? 'app';
    const timeZone = textAt(body, 'data.timezone_name');
    const currency = textAt(body, 'data.default_currency');
    return {
      id,
      name: textAt(body, 'data.company_name') ?? `Pipedrive ${id}`,
      url: `https://${domain}.pipedrive.com`,
      ...(timeZone ? { timeZone } : {}),
      ...(currency ? { currency } : {}),
      extra: { domain },
    };
  },
  prepare: subscribe,
  release: unsubscribe,
  limits: [
    // Tokens of a day by plan and seats, which no answer tells: 30,000 for one seat of the smallest plan.
    {
      name: 'tokens',
      scope: 'account',
      calls: UNSTATED,
      seconds: 86_400,
      quota: { every: 'day', zone: 'UTC' },
      cost: tokenCost,
    },
    // What is saved up goes on top of what flows: 20 and 60 stay within the smallest plan's 80 in any two seconds.
    { name: 'burst', scope: 'account', calls: 60, seconds: 2, burst: 20, left },
    // As above: 3 and 6 stay within ten in two seconds, on every plan.
    { name: 'search', scope: 'account', calls: 6, seconds: 2, burst: 3, match: isSearch },
  ],
  errors: {
    code: (reply) =>
      reply.status >= 400 || textAt(reply.body, 'success') === 'false'
        ? (textAt(reply.body, 'code') ?? `status_${reply.status}`)
        : undefined,
    message: (reply) => {
      const parts = [textAt(reply.body, 'error') ?? textAt(reply.body, 'message'), textAt(reply.body, 'error_info')];
      const said = parts.filter((part) => part !== undefined && part !== '');
      return said.length > 0 ? `Pipedrive says: ${said.join('; ')}` : undefined;
    },
    rules: [
      { status: 401, kind: 'auth_expired' },
      // The company has not paid, or is closed.
      { status: 402, kind: 'paused', message: 'Pipedrive says that the account is not open (unpaid, perhaps).' },
      { status: 403, kind: 'forbidden' },
      { status: [404, 410], kind: 'not_found' },
      // A 429 with calls left is about the tokens of the day.
      { status: 429, kind: 'quota_exhausted', when: (reply) => (left(reply) ?? 0) > 0, retryAfter: 3600 },
      { status: 429, kind: 'rate_limited', retryAfter: 2 },
      { status: 409, kind: 'conflict' },
      { status: [400, 405, 415, 422], kind: 'invalid' },
    ],
  },
  transport: async () => (await import('./transport.ts')).pipedriveTransport(),
  streams,
  webhooks,
  actions,
  optOut,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'Connect as an administrator who stays: webhooks see what that user sees, and end when the user is deactivated.',
    'Every call costs tokens of a daily budget shared by all apps of the company; "rapport quota" sets how many are ours.',
    'Pipedrive cannot send e-mails for apps, and has no tickets or invoices.',
  ],
});
