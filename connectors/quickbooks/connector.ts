import { basicAuth, defineConnector, textAt, VendorError } from '../../src/kit/index.ts';
import { actions } from './actions.ts';
import { companyCall, MINOR_VERSION } from './api.ts';
import { faultCode, faultMessage, faultType } from './faults.ts';
import { streams } from './streams.ts';
import { webhooks } from './webhooks.ts';

/** The one scope for everything here: what a feature may do is ours to keep apart. */
const ACCOUNTING = 'com.intuit.quickbooks.accounting';

const isZone = (zone: string): boolean => {
  try {
    return zone.includes('/') && new Intl.DateTimeFormat('en', { timeZone: zone }) !== undefined;
  } catch {
    return false;
  }
};

export default defineConnector({
  id: 'quickbooks',
  name: 'QuickBooks Online',
  category: 'billing',
  api: { version: `v3, minor version ${MINOR_VERSION}` },
  hosts: {
    api: 'https://quickbooks.api.intuit.com',
    app: 'https://appcenter.intuit.com',
    oauth: 'https://oauth.platform.intuit.com',
    developer: 'https://developer.api.intuit.com',
  },
  auth: {
    kind: 'oauth2',
    app: { clientId: 'QUICKBOOKS_CLIENT_ID', clientSecret: 'QUICKBOOKS_CLIENT_SECRET' },
    authorize: { host: 'app', path: '/connect/oauth2' },
    token: { host: 'oauth', path: '/oauth2/v1/tokens/bearer' },
    revoke: (token, app) => ({
      method: 'POST',
      host: 'developer',
      path: '/v2/oauth2/tokens/revoke',
      headers: { authorization: basicAuth(app.clientId, app.clientSecret) },
      json: { token },
      expect: 'none',
      anonymous: true,
    }),
    clientAuth: 'basic',
    pkce: false,
    scopeSeparator: ' ',
    rotates: true,
    accessTtl: 3600,
    // The company's id comes with the redirect and in no later answer.
    callbackParameters: ['realmId'],
    features: {
      read: { title: 'Read customers, invoices, payments, credits, estimates and time', scopes: [ACCOUNTING] },
      write: { title: 'Send invoices again, write notes and fields', scopes: [ACCOUNTING] },
    },
  },
  appSecrets: ['QUICKBOOKS_WEBHOOK_VERIFIER'],
  account: async (ctx, callback) => {
    const realm = callback.realmId || ctx.account.id;
    if (!realm) throw new VendorError('invalid', 'QuickBooks did not say which company this is (realmId is missing).');
    const { body } = await ctx.call(companyCall(realm, 'GET', `/companyinfo/${encodeURIComponent(realm)}`));
    const name = textAt(body, 'CompanyInfo.CompanyName') ?? textAt(body, 'CompanyInfo.LegalName');
    const zones = [ctx.settings.timeZone, textAt(body, 'CompanyInfo.DefaultTimeZone')];
    const timeZone = zones.find((zone) => typeof zone === 'string' && isZone(zone)) as string | undefined;
    return { id: realm, name: name ?? `QuickBooks ${realm}`, ...(timeZone ? { timeZone } : {}) };
  },
  // What is saved up goes on top of what flows: 5 and 4 stay below the vendor's ten in any one second.
  limits: [
    // The free tier's; QUICKBOOKS_QUOTA says another one. Intuit does not say in which zone its months begin.
    {
      name: 'reading calls of the app, a month',
      scope: 'app',
      calls: 500_000,
      seconds: 2_592_000,
      quota: { every: 'month', zone: 'America/Los_Angeles' },
      match: (spec) => spec.method === 'GET',
    },
    { name: 'company, a minute', scope: 'account', calls: 500, seconds: 60, burst: 100 },
    { name: 'company, a second', scope: 'account', calls: 4, seconds: 1, burst: 5 },
  ],
  errors: {
    code: faultCode,
    message: faultMessage,
    rules: [
      // There is no dependable header, so a minute, as the vendor advises.
      { status: 429, kind: 'rate_limited', retryAfter: 60 },
      { code: '3001', kind: 'rate_limited', retryAfter: 60 },
      // The company no longer lets this app in: somebody with the right to must connect it again.
      { code: '3100', kind: 'auth_revoked' },
      { status: 403, kind: 'forbidden' },
      { code: ['5020', '120'], kind: 'forbidden' },
      { status: 401, kind: 'auth_expired' },
      { code: '3200', kind: 'auth_expired' },
      { code: '6190', kind: 'paused' },
      { code: '610', kind: 'not_found' },
      // Somebody saved it between our reading and our writing: nothing was written, and it is read again.
      { code: '5010', kind: 'transient', retryAfter: 5, mayHaveActed: false },
      { code: ['6240', '6140'], kind: 'conflict' },
      { status: [500, 502, 503, 504], kind: 'transient', mayHaveActed: true },
      { when: (reply) => faultType(reply) === 'SystemFault', kind: 'transient', mayHaveActed: true },
      { status: 400, kind: 'invalid' },
      // In place of the records of a list, with status 200.
      { when: (reply) => faultType(reply) === 'ValidationFault', kind: 'invalid' },
    ],
  },
  streams,
  webhooks,
  actions,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'Webhooks are set once for the app in the developer portal, with the address of this hub; tick Customer, Invoice, Payment, CreditMemo, SalesReceipt, RefundReceipt, Estimate and TimeActivity.',
    'QuickBooks does not tell the time zone of a company dependably: give it as the setting timeZone when you connect. Until then the zone of the business counts.',
    'Intuit counts the reading calls of the app over all companies (500,000 a month in its free tier): the streams are asked seldom, changes come by webhook, and invoices are read again before a reminder goes out.',
    "Intuit's own sandbox has keys of its own and another host: set QUICKBOOKS_HOST_API to https://sandbox-quickbooks.api.intuit.com for it.",
  ],
});
