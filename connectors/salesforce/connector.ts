import { Type } from 'typebox';
import { at, defineConnector, type Reply, textAt, UNSTATED } from '../../src/kit/index.ts';
import { actions, optOut } from './actions.ts';
import { select, VERSION } from './api.ts';
import { errors, usageOf } from './errors.ts';
import { hostOf, ownedOrigin } from './hosts.ts';
import { streams } from './streams.ts';

/** One scope opens the data; what a feature may do is kept apart here, and by the user's permissions there. */
const SCOPES = ['api', 'refresh_token', 'id'];

/**
 * What is left of the organisation's calls, by its own count of the last 24 hours. A refusal says none: when it is worth
 * asking again only asking tells, so the last call is never taken for used.
 */
const left = (reply: Reply): number | undefined => {
  const usage = reply.status < 400 ? usageOf(reply) : undefined;
  return usage && Math.max(1, usage.calls - usage.used);
};

export default defineConnector({
  id: 'salesforce',
  name: 'Salesforce',
  category: 'crm',
  api: { version: VERSION },
  hosts: {
    api: 'https://login.salesforce.com',
    login: 'https://login.salesforce.com',
    test: 'https://test.salesforce.com',
  },
  hostOf,
  auth: {
    kind: 'oauth2',
    app: { clientId: 'SALESFORCE_CLIENT_ID', clientSecret: 'SALESFORCE_CLIENT_SECRET' },
    fields: Type.Object({
      environment: Type.Optional(
        Type.Union([Type.Literal('production'), Type.Literal('sandbox')], {
          title: 'Where people log in: production, or a sandbox',
        }),
      ),
      domain: Type.Optional(
        Type.String({
          title: 'My Domain, such as acme or acme.my.salesforce.com, where log-in elsewhere is closed',
          maxLength: 200,
        }),
      ),
    }),
    authorize: { host: 'login', path: '/services/oauth2/authorize' },
    token: { host: 'login', path: '/services/oauth2/token' },
    revoke: (token) => ({
      method: 'POST',
      host: 'login',
      path: '/services/oauth2/revoke',
      form: { token },
      expect: 'none',
      anonymous: true,
    }),
    clientAuth: 'post',
    pkce: true,
    scopeSeparator: ' ',
    rotates: true,
    // Tokens live as long as the organisation says (15 minutes to a day) and the answer does not tell: renewed hourly.
    accessTtl: 3600,
    keep: ['instance_url', 'id'],
    features: {
      read: { title: 'Read accounts, contacts, opportunities, cases and users', scopes: SCOPES },
      leads: { title: 'Read leads', scopes: SCOPES },
      activities: { title: 'Read tasks and events', scopes: SCOPES },
      write: {
        title: 'Create tasks, events, cases and notes; write fields; start flows; send e-mails',
        scopes: SCOPES,
      },
      emails: { title: 'Read e-mails on cases', scopes: SCOPES, optional: true },
      jobs: { title: 'Read work orders, or another object, as jobs', scopes: SCOPES, optional: true },
      subscriptions: { title: 'Read contracts, or another object, as subscriptions', scopes: SCOPES, optional: true },
      invoices: { title: 'Read an object of your own as invoices', scopes: SCOPES, optional: true },
    },
  },
  account: async (ctx) => {
    const { body } = await ctx.call({ method: 'GET', path: '/services/oauth2/userinfo' });
    const id = textAt(body, 'organization_id') ?? '';
    const [organisation] = await select(ctx, 'SELECT Id, Name, IsSandbox, TimeZoneSidKey FROM Organization LIMIT 1');
    const url = ownedOrigin(textAt(body, 'urls.rest')?.replace('{version}', VERSION));
    const timeZone = textAt(organisation, 'TimeZoneSidKey') ?? textAt(body, 'zoneinfo');
    const isSandbox = at(organisation, 'IsSandbox') === true;
    const name = textAt(organisation, 'Name') ?? `Salesforce ${id}`;
    return {
      id,
      name: isSandbox ? `${name} (sandbox)` : name,
      ...(timeZone ? { timeZone } : {}),
      ...(url ? { url } : {}),
      extra: { user: textAt(body, 'user_id') ?? '', sandbox: isSandbox },
    };
  },
  limits: [
    // All apps of the organisation share it; its size depends on edition and licences and stands in every answer.
    {
      name: 'calls, 24 hours',
      scope: 'account',
      calls: UNSTATED,
      seconds: 86_400,
      quota: { every: 'day', zone: 'UTC' },
      limit: (reply) => usageOf(reply)?.calls,
      left,
    },
    // The vendor has none for a second: this one is ours, so that a first load leaves room for people.
    { name: 'pace', scope: 'account', calls: 25, seconds: 1, burst: 100 },
    // Single e-mails to addresses outside: 5,000 a day (dossier, "Limits"). What is saved up goes on top of what flows.
    {
      name: 'e-mails',
      scope: 'account',
      calls: 4000,
      seconds: 86_400,
      burst: 1000,
      match: (spec) => spec.path.endsWith('/actions/standard/emailSimple'),
    },
  ],
  errors,
  transport: async () => (await import('./transport.ts')).salesforceTransport(),
  streams,
  actions,
  optOut,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'An administrator of your Salesforce must install or allow the app there before you connect (Setup, Connected Apps OAuth Usage or External Client Apps).',
    'Changes are read every few minutes and count as calls of your organisation; Salesforce tells nobody by itself. The hub sees and writes what the connected user may see and write.',
    'A text field "Rapport_Action_Id__c" (external id, unique) on Task, Event and Case lets Salesforce itself see to it that nothing is created twice; without it the hub looks for its own reference in the description.',
  ],
});
