import { defineConnector, type Reply, textAt, UNSTATED } from '../../src/kit/index.ts';
import { actions, optOut } from './actions.ts';
import { prepareMarkers } from './objects.ts';
import { refusalOf } from './refusals.ts';
import { streams } from './streams.ts';
import { VERSION } from './version.ts';
import { webhooks } from './webhooks.ts';

/** A number that stands in a header; 0 is one. */
const headerNumber = (reply: Reply, name: string): number | undefined => {
  const text = reply.headers[name];
  return text === undefined || text === '' || !Number.isFinite(Number(text)) ? undefined : Number(text);
};

const policy = (reply: Reply): string | undefined => textAt(reply.body, 'policyName');

export default defineConnector({
  id: 'hubspot',
  name: 'HubSpot',
  category: 'crm',
  // Released 2026-09-08; supported for 18 months after it stops being current.
  api: { version: VERSION, sunset: '2028-09-08' },
  hosts: { api: 'https://api.hubapi.com', app: 'https://app.hubspot.com' },
  auth: {
    kind: 'oauth2',
    app: { clientId: 'HUBSPOT_CLIENT_ID', clientSecret: 'HUBSPOT_CLIENT_SECRET' },
    authorize: { host: 'app', path: '/oauth/authorize' },
    token: { host: 'api', path: `/oauth/${VERSION}/token` },
    revoke: (token, app) => ({
      method: 'POST',
      path: `/oauth/${VERSION}/token/revoke`,
      form: { client_id: app.clientId, client_secret: app.clientSecret, token, token_type_hint: 'refresh_token' },
      expect: 'none',
      anonymous: true,
    }),
    clientAuth: 'post',
    pkce: true,
    scopeSeparator: ' ',
    optionalScopeParameter: 'optional_scope',
    rotates: false,
    accessTtl: 1800,
    keep: ['hub_id', 'user_id'],
    grantedScopes: (answer) => (Array.isArray(answer.scopes) ? answer.scopes.map(String) : undefined),
    features: {
      read: {
        title: 'Read contacts, companies, deals, tickets and owners',
        scopes: [
          'oauth',
          'crm.objects.contacts.read',
          'crm.objects.companies.read',
          'crm.objects.deals.read',
          'crm.objects.owners.read',
          'crm.schemas.contacts.read',
          'crm.schemas.companies.read',
          'crm.schemas.deals.read',
          'tickets',
        ],
      },
      write: {
        title: 'Create tasks, notes, meetings and tickets; write fields',
        scopes: [
          'crm.objects.contacts.write',
          'crm.objects.companies.write',
          'crm.objects.deals.write',
          'crm.schemas.contacts.write',
        ],
      },
      lists: { title: 'Use lists as tags', scopes: ['crm.lists.read', 'crm.lists.write'] },
      preferences: { title: 'Tell HubSpot who unsubscribed', scopes: ['communication_preferences.read_write'] },
      invoices: { title: 'Read HubSpot invoices', scopes: ['crm.objects.invoices.read'], optional: true },
      sequences: {
        title: 'Enrol contacts in sequences',
        scopes: ['automation.sequences.read', 'automation.sequences.enrollments.write'],
        optional: true,
      },
      email: { title: 'Send single e-mails', scopes: ['transactional-email'], optional: true },
    },
  },
  account: async (ctx) => {
    const { body } = await ctx.call({ method: 'GET', path: `/account-info/${VERSION}/details` });
    const id = textAt(body, 'portalId') ?? '';
    const domain = textAt(body, 'uiDomain') ?? 'app.hubspot.com';
    const currency = textAt(body, 'companyCurrency');
    const timeZone = textAt(body, 'timeZone');
    return {
      id,
      name: `HubSpot ${id}`,
      url: `https://${domain}/contacts/${id}`,
      ...(currency ? { currency } : {}),
      ...(timeZone ? { timeZone } : {}),
      extra: { domain },
    };
  },
  prepare: prepareMarkers,
  limits: [
    // Apps that people authorise have no daily limit; where there is one, HubSpot says so in these headers.
    {
      name: 'daily',
      scope: 'account',
      calls: UNSTATED,
      seconds: 86_400,
      quota: { every: 'day', zone: 'account' },
      limit: (reply) => headerNumber(reply, 'x-hubspot-ratelimit-daily'),
      left: (reply) => headerNumber(reply, 'x-hubspot-ratelimit-daily-remaining'),
    },
    // What is saved up goes on top of what flows: 20 and 90 stay within the vendor's 110 in any ten seconds.
    {
      name: 'account',
      scope: 'account',
      calls: 90,
      seconds: 10,
      burst: 20,
      left: (reply) => headerNumber(reply, 'x-hubspot-ratelimit-remaining'),
    },
    // As above: 2 and 3 stay within five in any second.
    {
      name: 'search',
      scope: 'account',
      calls: 3,
      seconds: 1,
      burst: 2,
      match: (spec) => spec.path.endsWith('/search'),
    },
  ],
  errors: {
    code: (reply) =>
      reply.status >= 400 ? (textAt(reply.body, 'category') ?? textAt(reply.body, 'errorType')) : undefined,
    message: refusalOf,
    rules: [
      { status: 401, kind: 'auth_expired' },
      { status: 403, kind: 'forbidden' },
      { code: 'OBJECT_NOT_FOUND', kind: 'not_found' },
      { status: [404, 410], kind: 'not_found' },
      {
        status: 409,
        kind: 'conflict',
        existingId: (reply) => /Existing ID: (\d+)/.exec(textAt(reply.body, 'message') ?? '')?.[1],
      },
      { status: 429, kind: 'quota_exhausted', when: (reply) => policy(reply) === 'DAILY', retryAfter: 3600 },
      { status: 429, kind: 'rate_limited', when: (reply) => policy(reply) === 'SECONDLY', retryAfter: 1 },
      { status: 429, kind: 'rate_limited', retryAfter: 10 },
      { status: 423, kind: 'transient', retryAfter: 2 },
      // The account is being moved to another data centre.
      { status: 477, kind: 'rate_limited', retryAfter: 3600 },
      {
        status: 400,
        kind: 'conflict',
        when: (reply) => /already has that value|DUPLICATE/i.test(textAt(reply.body, 'message') ?? ''),
        existingId: (reply) => /(\d{3,})\s*already has that value/.exec(textAt(reply.body, 'message') ?? '')?.[1],
      },
      { status: 400, kind: 'invalid' },
    ],
  },
  transport: async () => (await import('./transport.ts')).hubspotTransport(),
  streams,
  webhooks,
  actions,
  optOut,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'Webhooks are set once for the app, with the address of this hub; HubSpot tells which account each one is about.',
    'Free accounts have no sequences, invoices or single e-mails; those features stay off there.',
  ],
});
