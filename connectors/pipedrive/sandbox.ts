import type { Clock, Sandbox, SandboxOptions } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import { tokenCost } from './paths.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { ENTITIES, postOf } from './sandbox.posts.ts';
import { installRoutes, problem } from './sandbox.routes.ts';
import { type Fields, PipedriveCompany, type Type } from './sandbox.state.ts';
import { trialOf } from './sandbox.trial.ts';

export interface PipedriveSandbox extends Sandbox {
  company: PipedriveCompany;
  companyId: number;
  server: SandboxServer;
  oauth: SandboxOAuth;
  /** A change made by a person; announced to every webhook. */
  change(type: Type, id: number, fields: Fields): Promise<void>;
  tell(action: 'create' | 'change' | 'delete', type: Type, id: number, into?: number): Promise<void>;
}

/** Starts the simulation of Pipedrive: OAuth pages, version 2 with cursors, fields with codes, webhooks with passwords. */
export async function start(options: SandboxOptions): Promise<PipedriveSandbox> {
  const { clock, app: secrets } = options;
  const company = new PipedriveCompany(clock);
  const created = createSandboxServer('Pipedrive', options);
  const { app } = created;
  const sandbox = {
    companyId: 54_235_233,
    hookUrl: options.hookUrl,
    get lateIndexMs() {
      return company.lateIndexMs;
    },
    set lateIndexMs(milliseconds) {
      company.lateIndexMs = milliseconds;
    },
  };
  const oauth = installOAuth(app, {
    clock,
    vendor: 'Pipedrive',
    authorizePath: '/oauth/authorize',
    tokenPath: '/oauth/token',
    clientId: secrets.PIPEDRIVE_CLIENT_ID ?? 'pipedrive-app',
    clientSecret: secrets.PIPEDRIVE_CLIENT_SECRET ?? 'pipedrive-secret',
    clientAuth: 'basic',
    scopeSeparator: ' ',
    accessTtl: 3600,
    rotates: false,
    account: () => String(sandbox.companyId),
    answer: (grant, access_token) => ({
      access_token,
      token_type: 'Bearer',
      refresh_token: grant.refreshToken,
      scope: grant.scopes.join(' '),
      expires_in: 3599,
      api_domain: 'https://riverside.pipedrive.com',
    }),
  });
  const limiter = options.limits === false ? undefined : limiterOf(company, clock);
  app.addHook('preHandler', async (request, reply) => {
    const path = request.url.split('?')[0]!;
    if (path.startsWith('/oauth/')) return;
    if (!oauth.grantOf(request)) {
      await problem(reply, 401, 'Unauthorized access');
      return;
    }
    const left = limiter?.(request.method, path);
    if (left === undefined) return;
    reply.header('x-ratelimit-limit', '80').header('x-ratelimit-remaining', String(Math.max(0, left.burst)));
    if (left.burst < 0 || left.search < 0 || left.tokens < 0) await problem(reply, 429, 'Rate limit exceeded');
  });

  const tell: PipedriveSandbox['tell'] = async (action, type, id, into) => {
    const news = { action, type, id, into, event: company.newEvent(), at: company.now() };
    for (const hook of company.hooks.filter((one) => one.event_object === ENTITIES[type] && one.is_active === 1)) {
      const { url, body, headers } = postOf(company, sandbox.companyId, hook, news);
      await created.post(url, body, headers);
    }
  };
  installRoutes(app, company, () => sandbox.companyId, { tell: (...news) => void tell(...news) });

  const url = await created.listen();
  const server: SandboxServer = { ...created, url };
  const running = Object.assign(sandbox, {
    hosts: { api: url, oauth: url },
    company,
    server,
    oauth,
    tell,
    report: () => company.report(),
    change: async (type: Type, id: number, fields: Fields) => {
      company.update(type, id, fields);
      await tell('change', type, id);
    },
    stop: () => server.stop(),
  });
  const offered = { fill: () => fill(company), deeds: deedsOf(running), trial: trialOf(running) };
  return created.show(Object.assign(running, offered));
}

interface Left {
  burst: number;
  search: number;
  tokens: number;
}

/** What is left of 80 calls and 10 searches in two seconds and of the tokens of the day; below zero: refused. */
function limiterOf(company: PipedriveCompany, clock: Clock): (method: string, path: string) => Left {
  const all: number[] = [];
  const searches: number[] = [];
  let day = '';
  return (method, path) => {
    const now = clock.now().getTime();
    for (const times of [all, searches]) while (times[0] !== undefined && times[0] <= now - 2000) times.shift();
    const today = new Date(now).toISOString().slice(0, 10);
    if (today !== day) company.tokens.spent = 0;
    day = today;
    const isSearch = path.endsWith('/search');
    const cost = tokenCost({ method, path });
    const left = {
      burst: 79 - all.length,
      search: isSearch ? 9 - searches.length : 0,
      tokens: company.tokens.allowed - company.tokens.spent - cost,
    };
    if (left.burst >= 0 && left.search >= 0 && left.tokens >= 0) {
      all.push(now);
      if (isSearch) searches.push(now);
      company.tokens.spent += cost;
    }
    return left;
  };
}
