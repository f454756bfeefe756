import { defineConnector, type Reply, textAt, UNSTATED } from '../../src/kit/index.ts';
import { actions, optOut } from './actions.ts';
import { errors } from './errors.ts';
import { prepareMarkers } from './marks.ts';
import { hostOf, REGIONAL_HOSTS, regionOf } from './regions.ts';
import { streams } from './streams.ts';
import { unwatch, watch } from './subscriptions.ts';
import { crm, VERSION } from './version.ts';
import { webhooks } from './webhooks.ts';

/** Credits left of the last 24 hours; told once half of them are used. */
const creditsLeft = (reply: Reply): number | undefined => {
  const text = reply.headers['x-api-credits-remaining'];
  return text === undefined || !Number.isFinite(Number(text)) ? undefined : Number(text);
};

export default defineConnector({
  id: 'zoho-crm',
  name: 'Zoho CRM',
  category: 'crm',
  api: { version: VERSION },
  hosts: { api: 'https://www.zohoapis.com', accounts: 'https://accounts.zoho.com', ...REGIONAL_HOSTS },
  hostOf,
  auth: {
    kind: 'oauth2',
    app: { clientId: 'ZOHO_CRM_CLIENT_ID', clientSecret: 'ZOHO_CRM_CLIENT_SECRET' },
    // Without both no refresh token comes.
    authorize: { host: 'accounts', path: '/oauth/v2/auth', query: { access_type: 'offline', prompt: 'consent' } },
    token: { host: 'accounts', path: '/oauth/v2/token' },
    revoke: (token) => ({
      method: 'POST',
      host: 'accounts',
      path: '/oauth/v2/token/revoke',
      query: { token },
      expect: 'none',
      anonymous: true,
    }),
    clientAuth: 'post',
    pkce: false,
    scheme: 'Zoho-oauthtoken',
    busyErrors: ['access_denied', 'Access Denied'],
    scopeSeparator: ',',
    rotates: false,
    accessTtl: 3600,
    keep: ['api_domain'],
    // The account lives in one of nine data centres; the redirect says which.
    callbackParameters: ['location', 'accounts-server'],
    features: {
      read: {
        title: 'Read contacts, accounts, leads, deals, cases, users and fields',
        scopes: [
          'ZohoCRM.modules.ALL',
          'ZohoCRM.settings.ALL',
          'ZohoCRM.users.READ',
          'ZohoCRM.org.READ',
          'ZohoCRM.coql.READ',
          'ZohoCRM.notifications.ALL',
        ],
      },
      activities: { title: 'Read tasks and meetings', scopes: ['ZohoCRM.modules.ALL'] },
      inventory: { title: 'Read invoices and sales orders', scopes: ['ZohoCRM.modules.ALL'] },
      write: {
        title: 'Create tasks, meetings, cases and notes; write fields and tags',
        scopes: ['ZohoCRM.modules.ALL', 'ZohoCRM.settings.ALL'],
      },
      email: {
        title: 'Send e-mails from records',
        scopes: ['ZohoCRM.send_mail.all.CREATE', 'ZohoCRM.modules.emails.READ'],
      },
    },
  },
  account: async (ctx) => {
    const { body: org } = await ctx.call({ method: 'GET', path: crm('org') });
    const { body: users } = await ctx.call({ method: 'GET', path: crm('users'), query: { type: 'CurrentUser' } });
    const id = textAt(org, 'org[0].zgid') ?? '';
    const timeZone = textAt(org, 'org[0].time_zone');
    const currency = textAt(org, 'org[0].iso_code');
    const [userId, name, email] = ['id', 'full_name', 'email'].map((member) => textAt(users, `users[0].${member}`));
    return {
      id,
      name: textAt(org, 'org[0].company_name') ?? `Zoho CRM ${id}`,
      ...(timeZone ? { timeZone } : {}),
      ...(currency ? { currency } : {}),
      extra: { region: regionOf(ctx.settings), user: { id: userId ?? '', name: name ?? '', email: email ?? '' } },
    };
  },
  prepare: async (ctx) => {
    // Being told of changes must not depend on a field that an edition may not allow, and neither the other way round.
    const [marked, watched] = await Promise.allSettled([prepareMarkers(ctx), watch(ctx)]);
    if (watched.status === 'rejected') throw watched.reason;
    if (marked.status === 'rejected') throw marked.reason;
    return watched.value ? { again: watched.value } : undefined;
  },
  release: unwatch,
  limits: [
    // Credits of 24 hours by edition and users; only the answers tell how many.
    {
      name: 'credits',
      scope: 'account',
      calls: UNSTATED,
      seconds: 86_400,
      quota: { every: 'day', zone: 'UTC' },
      left: creditsLeft,
    },
    // Five calls at once in the smallest edition; answers take less than half a second.
    { name: 'account', scope: 'account', calls: 10, seconds: 1, burst: 5 },
  ],
  errors,
  streams,
  webhooks,
  actions,
  optOut,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'Switch on "multi-DC" for the app in the API console of Zoho; otherwise only accounts of its own data centre can connect.',
    'Changes are posted to the hub by notifications that end after a week at most; the hub renews them every day.',
    'Tasks, meetings and cases get a field "Rapport Action Id"; where none can be added, set "marker": "subject" on the connection.',
    'The connection sends e-mails as the user who connected it: the address must be confirmed in Zoho CRM.',
  ],
});
