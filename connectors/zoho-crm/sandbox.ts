import type { Clock, Sandbox, SandboxOptions } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import { refuse } from './sandbox.answers.ts';
import { installLists } from './sandbox.lists.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { installRoutes } from './sandbox.routes.ts';
import { ZohoOrg } from './sandbox.state.ts';
import type { Fields } from './sandbox.table.ts';
import { trialOf } from './sandbox.trial.ts';
import { installWatch, type Operation, postsNow } from './sandbox.watch.ts';
import { installWrites } from './sandbox.writes.ts';

export interface ZohoSandbox extends Sandbox {
  org: ZohoOrg;
  server: SandboxServer;
  oauth: SandboxOAuth;
  /** What the next person who connects is logged in to, and the data centre it lives in. */
  orgId: string;
  region: string;
  /** A change made by a person at Zoho; announced to every channel that listens. */
  change(module: string, id: string, fields: Fields): Promise<void>;
  tell(operation: Operation, module: string, ids: readonly string[]): Promise<void>;
}

/** Starts the simulation of Zoho CRM: OAuth pages, modules, COQL, Blueprint, mail, channels that end. */
export async function start(options: SandboxOptions): Promise<ZohoSandbox> {
  const { clock, app: secrets } = options;
  const org = new ZohoOrg(clock);
  const created = createSandboxServer('Zoho CRM', options);
  const { app } = created;
  const sandbox = {
    orgId: '60012345678',
    region: 'us',
    hookUrl: options.hookUrl,
    get lateIndexMs() {
      return org.lateIndexMs;
    },
    set lateIndexMs(milliseconds) {
      org.lateIndexMs = milliseconds;
    },
  };
  const oauth = installOAuth(app, {
    clock,
    vendor: 'Zoho',
    authorizePath: '/oauth/v2/auth',
    tokenPath: '/oauth/v2/token',
    clientId: secrets.ZOHO_CRM_CLIENT_ID ?? 'zoho-app',
    clientSecret: secrets.ZOHO_CRM_CLIENT_SECRET ?? 'zoho-secret',
    clientAuth: 'post',
    scopeSeparator: ',',
    scheme: 'Zoho-oauthtoken',
    accessTtl: 3600,
    rotates: false,
    account: () => sandbox.orgId,
    redirectExtra: () => ({
      location: sandbox.region,
      'accounts-server': `https://accounts.zoho.${sandbox.region === 'us' ? 'com' : sandbox.region}`,
    }),
    answer: (grant, access_token, refreshed) => ({
      access_token,
      ...(refreshed ? {} : { refresh_token: grant.refreshToken }),
      scope: grant.scopes.join(' '),
      api_domain: `https://www.zohoapis.${sandbox.region === 'us' ? 'com' : sandbox.region}`,
      token_type: 'Bearer',
      expires_in: 3600,
    }),
    // Refusals come with status 200.
    refuse: (reply, error) => reply.code(200).send({ error: error === 'invalid_grant' ? 'invalid_code' : error }),
  });
  app.post('/oauth/v2/token/revoke', async () => ({ status: 'success' }));
  const limiter = options.limits === false ? undefined : limiterOf(org, clock);
  let atOnce = 0;
  app.addHook('onResponse', async () => {
    atOnce -= 1;
  });
  app.addHook('onRequest', async () => {
    atOnce += 1;
  });
  app.addHook('preHandler', async (request, reply) => {
    if (request.url.startsWith('/oauth/')) return;
    if (!oauth.grantOf(request)) {
      await refuse(reply, 401, 'INVALID_TOKEN', 'invalid oauth token');
      return;
    }
    if (!limiter) return;
    const refused = limiter(atOnce);
    if (org.credits.used * 2 > org.credits.allowed)
      reply.header('x-api-credits-remaining', String(Math.max(0, org.credits.allowed - org.credits.used)));
    if (refused) await refuse(reply, 429, 'TOO_MANY_REQUESTS', 'too many requests fired');
  });

  const tell = async (operation: Operation, module: string, ids: readonly string[]): Promise<void> => {
    for (const { url, body, headers } of postsNow(org, operation, module, ids)) await created.post(url, body, headers);
  };
  const hooks = { tell: (...news: Parameters<typeof tell>) => void tell(...news) };
  installRoutes(app, org, () => sandbox.orgId);
  installWatch(app, org);
  installLists(app, org);
  installWrites(app, org, hooks);

  const url = await created.listen();
  const server: SandboxServer = { ...created, url };
  const running = Object.assign(sandbox, {
    hosts: { api: url, accounts: url, api_eu: url, accounts_eu: url },
    org,
    server,
    oauth,
    tell,
    report: () => org.report(),
    change: async (module: string, id: string, fields: Fields) => {
      org.update(module, id, fields);
      await tell('update', module, [id]);
    },
    stop: () => server.stop(),
  });
  const offered = { fill: () => fill(org), deeds: deedsOf(running), trial: trialOf(running) };
  return created.show(Object.assign(running, offered));
}

/** Ten calls at once, and the credits of 24 hours, which come back a day later. @returns whether a call is too much */
function limiterOf(org: ZohoOrg, clock: Clock): (atOnce: number) => boolean {
  let since = clock.now().getTime();
  return (atOnce) => {
    const now = clock.now().getTime();
    if (now - since >= 86_400_000) {
      since = now;
      org.credits.used = 0;
    }
    if (atOnce > 10 || org.credits.used >= org.credits.allowed) return true;
    org.credits.used += 1;
    return false;
  };
}
