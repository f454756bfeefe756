import { randomBytes } from 'node:crypto';
import { type Clock, hmacSha256, type Sandbox, type SandboxOptions } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import { fullId } from './api.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { installRoutes, refuse } from './sandbox.routes.ts';
import { SalesforceState } from './sandbox.state.ts';
import { trialOf } from './sandbox.trial.ts';

export interface SalesforceSandbox extends Sandbox {
  state: SalesforceState;
  server: SandboxServer;
  oauth: SandboxOAuth;
  orgId: string;
  /** Calls the organisation has for 24 hours, and what its other apps have used of them. */
  allowance: { calls: number; others: number };
}

const DAY_MS = 86_400_000;

/** Starts the simulation of one Salesforce organisation: OAuth with rotation, queries, describe, records, flows, limits. */
export async function start(options: SandboxOptions): Promise<SalesforceSandbox> {
  const { clock, app: secrets } = options;
  const state = new SalesforceState(clock);
  const created = createSandboxServer('Salesforce', options);
  const { app } = created;
  // Each start is another organisation.
  const orgId = fullId(`00D${randomBytes(6).toString('hex')}`);
  const instance = 'https://acme.my.salesforce.com';
  state.create('Organization', {
    Id: orgId,
    Name: 'Acme Glass',
    IsSandbox: false,
    TimeZoneSidKey: 'America/New_York',
    OrganizationType: 'Enterprise Edition',
  });
  const clientSecret = secrets.SALESFORCE_CLIENT_SECRET ?? 'salesforce-secret';
  const oauth = installOAuth(app, {
    clock,
    vendor: 'Salesforce',
    authorizePath: '/services/oauth2/authorize',
    tokenPath: '/services/oauth2/token',
    clientId: secrets.SALESFORCE_CLIENT_ID ?? 'salesforce-app',
    clientSecret,
    clientAuth: 'post',
    scopeSeparator: ' ',
    // Sessions of two hours; the answer does not say so.
    accessTtl: 7200,
    rotates: true,
    account: () => orgId,
    answer: (grant, access_token) => {
      const id = `https://login.salesforce.com/id/${orgId}/${state.userId}`;
      const issued_at = String(clock.now().getTime());
      return {
        access_token,
        refresh_token: grant.refreshToken,
        signature: hmacSha256(clientSecret, id + issued_at).toString('base64'),
        scope: grant.scopes.join(' '),
        instance_url: instance,
        id,
        token_type: 'Bearer',
        issued_at,
      };
    },
  });
  app.post('/services/oauth2/revoke', async (_request, reply) => reply.code(200).send());

  const allowance = { calls: 100_000, others: 0 };
  const counter = createCounter(clock);
  app.addHook('preHandler', async (request, reply) => {
    if (request.url.startsWith('/services/oauth2/') && !request.url.includes('userinfo')) return;
    if (!oauth.grantOf(request)) {
      await refuse(reply, 401, 'INVALID_SESSION_ID', 'Session expired or invalid');
      return;
    }
    const used = counter() + allowance.others;
    reply.header('sforce-limit-info', `api-usage=${Math.min(used, allowance.calls)}/${allowance.calls}`);
    if (options.limits !== false && used > allowance.calls)
      await refuse(reply, 403, 'REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.');
  });
  const sandbox = {
    state,
    oauth,
    orgId,
    allowance,
    get lateIndexMs() {
      return state.lateIndexMs;
    },
    set lateIndexMs(milliseconds) {
      state.lateIndexMs = milliseconds;
    },
    report: () => state.report(),
    fill: () => fill(state),
    deeds: deedsOf(state),
    stop: () => created.stop(),
  };
  installRoutes(app, { state, orgId, instance });
  const url = await created.listen();
  const running = Object.assign(sandbox, { hosts: { api: url, login: url, test: url }, server: { ...created, url } });
  return created.show(Object.assign(running, { trial: trialOf(running) }));
}

/** Calls of the last 24 hours, this one included. */
function createCounter(clock: Clock): () => number {
  const times: number[] = [];
  return () => {
    const now = clock.now().getTime();
    while (times[0] !== undefined && times[0] <= now - DAY_MS) times.shift();
    return times.push(now);
  };
}
