import { defineConnector, type Reply, textAt, at as valueAt } from '../../src/kit/index.ts';
import { actions } from './actions.ts';
import { allOf, pathOf } from './api.ts';
import { streams } from './streams.ts';
import { release, subscribe } from './subscriptions.ts';
import { webhooks } from './webhooks.ts';

const numberIn = (reply: Reply, name: string): number | undefined => {
  const text = reply.headers[name];
  return text === undefined || text === '' || !Number.isFinite(Number(text)) ? undefined : Number(text);
};

/** What is wrong, with the parameter it is about. */
function sentenceOf({ body }: Reply): string | undefined {
  const details = valueAt(body, 'details');
  const told = (Array.isArray(details) ? details : [])
    .map((one) => [textAt(one, 'parameter'), textAt(one, 'message')].filter(Boolean).join(': '))
    .filter((one) => one !== '');
  const scopes = valueAt(body, 'required_scopes');
  const missing = Array.isArray(scopes) && scopes.length > 0 ? `Missing permission: ${scopes.join(', ')}.` : undefined;
  const parts = [textAt(body, 'message') ?? textAt(body, 'title'), ...told, missing].filter((one) => one !== undefined);
  return parts.length > 0 ? parts.join(' ') : undefined;
}

export default defineConnector({
  id: 'calendly',
  name: 'Calendly',
  category: 'other',
  api: { version: '2' },
  hosts: { api: 'https://api.calendly.com', auth: 'https://auth.calendly.com' },
  auth: {
    kind: 'oauth2',
    app: { clientId: 'CALENDLY_CLIENT_ID', clientSecret: 'CALENDLY_CLIENT_SECRET' },
    authorize: { host: 'auth', path: '/oauth/authorize' },
    token: { host: 'auth', path: '/oauth/token' },
    revoke: (token, app) => ({
      ...{ method: 'POST', host: 'auth', path: '/oauth/revoke', expect: 'none', anonymous: true },
      form: { client_id: app.clientId, client_secret: app.clientSecret, token },
    }),
    clientAuth: 'basic',
    pkce: true,
    scopeSeparator: ' ',
    // Each refresh token works once, since 2026-08-31 (dossier, Auth).
    rotates: true,
    accessTtl: 7200,
    features: {
      read: {
        title: 'Read bookings and who can be booked',
        scopes: ['users:read', 'organizations:read', 'event_types:read', 'scheduled_events:read', 'webhooks:write'],
      },
      links: { title: 'Create booking links', scopes: ['scheduling_links:write'] },
    },
  },
  appSecrets: ['CALENDLY_WEBHOOK_SIGNING_KEY'],
  account: async (ctx) => {
    const me = valueAt((await ctx.call({ method: 'GET', path: '/users/me' })).body, 'resource');
    const user = textAt(me, 'uri') ?? '';
    const organization = textAt(me, 'current_organization') ?? '';
    const [membership] = await allOf(ctx, { path: '/organization_memberships', query: { user } });
    // The vendor's own sample has a blank in it.
    const timeZone = textAt(me, 'timezone')?.replaceAll(' ', '_');
    const url = textAt(me, 'scheduling_url');
    return {
      id: pathOf(user).split('/').at(-1) ?? '',
      name: textAt(me, 'name') ?? textAt(me, 'email') ?? 'Calendly',
      ...(timeZone ? { timeZone } : {}),
      ...(url ? { url } : {}),
      extra: { user, organization, role: textAt(membership, 'role') ?? 'user' },
    };
  },
  prepare: subscribe,
  release,
  limits: [
    // 500 a minute on paid plans: 80 at once and 400 while it passes. What is left is told with every answer, so that a
    // free plan's 50 are kept to as well.
    {
      ...{ name: 'user', scope: 'account', calls: 400, seconds: 60, burst: 80 },
      left: (reply) => numberIn(reply, 'x-ratelimit-remaining'),
    },
  ],
  errors: {
    message: sentenceOf,
    rules: [
      // Seconds until it begins anew, not a moment (dossier, Limits).
      { status: 429, kind: 'rate_limited', retryAfter: (reply) => numberIn(reply, 'x-ratelimit-reset') ?? 60 },
      // A calendar beside Calendly does not answer.
      { status: 424, kind: 'transient', mayHaveActed: false },
    ],
  },
  streams,
  webhooks,
  actions,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'Webhooks need the Standard plan or higher; without them bookings are read once an hour.',
    'Owners and admins connect the whole organisation, everybody else their own bookings.',
    'The setting "eventType" names what booking links are for; without it the first active one is taken.',
  ],
});
