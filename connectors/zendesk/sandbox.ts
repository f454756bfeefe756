import type { FastifyInstance } from 'fastify';
import type { Sandbox, SandboxOptions, SignedPost } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import { installGate, refuse } from './sandbox.gate.ts';
import { eventOf, signed } from './sandbox.hooks.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { installReading, installWebhooks } from './sandbox.routes.ts';
import { type Kind, ZendeskState } from './sandbox.state.ts';
import { trialOf } from './sandbox.trial.ts';
import { installWrites } from './sandbox.writes.ts';

const SUBDOMAIN = 'brightglass';
const TOKENS = '/oauth/tokens';
const DAY = 86_400;

export interface ZendeskSandbox extends Sandbox {
  state: ZendeskState;
  server: SandboxServer;
  oauth: SandboxOAuth;
  credentials: { subdomain: string };
  /** The account is no more, or was suspended: people see a page. */
  isSuspended: boolean;
  /** Tells every webhook that wants to know. */
  tell(what: string, kind: Kind, id: number, event?: object): Promise<void>;
  /** A post about an event as Zendesk signs it for the webhook that leads to `hookUrl`, not sent. */
  sign(event: object, at?: Date, secret?: string): SignedPost;
}

/** Starts the simulation of Zendesk: OAuth pages, exports that keep the last minute back, tickets, tags, webhooks. */
export async function start(options: SandboxOptions): Promise<ZendeskSandbox> {
  const { clock, app: secrets } = options;
  const state = new ZendeskState(clock);
  const created = createSandboxServer('Zendesk', options);
  const { app } = created;
  let oauth: SandboxOAuth;
  const sandbox = {
    credentials: { subdomain: SUBDOMAIN },
    isSuspended: false,
    hookUrl: options.hookUrl,
    get lateIndexMs() {
      return state.lateIndexMs;
    },
    set lateIndexMs(milliseconds) {
      state.lateIndexMs = milliseconds;
    },
  };
  installTokenRules(app);
  oauth = installOAuth(app, {
    clock,
    vendor: 'Zendesk',
    authorizePath: '/oauth/authorizations/new',
    tokenPath: TOKENS,
    clientId: secrets.ZENDESK_CLIENT_ID ?? 'zendesk-app',
    clientSecret: secrets.ZENDESK_CLIENT_SECRET ?? 'zendesk-secret',
    clientAuth: 'post',
    scopeSeparator: ' ',
    accessTtl: DAY,
    rotates: true,
    account: () => SUBDOMAIN,
    answer: (grant, access_token) => ({
      access_token,
      token_type: 'bearer',
      scope: grant.scopes.join(' '),
      refresh_token: grant.refreshToken,
      expires_in: DAY,
      refresh_token_expires_in: 89 * DAY,
    }),
  });
  installGate(app, () => oauth, clock, { limits: options.limits !== false, isSuspended: () => sandbox.isSuspended });
  const tell = async (what: string, kind: Kind, id: number, event: object = {}): Promise<void> => {
    const type = `zen:event-type:${what}`;
    for (const { endpoint, status, subscriptions, secret } of state.webhooks.values()) {
      if (status !== 'active' || !subscriptions.includes(type)) continue;
      const post = signed(endpoint, eventOf(state, what, kind, id, event), clock.now(), secret);
      await created.post(post.url, post.body, post.headers);
    }
  };
  installReading(app, state, (request) => oauth.grantOf(request) !== undefined);
  installWrites(app, state, (what, kind, id, event) => void tell(what, kind, id, event));
  installWebhooks(app, state);
  const url = await created.listen();
  const running = Object.assign(sandbox, {
    hosts: { api: url },
    state,
    oauth,
    server: { ...created, url },
    tell,
    sign: (event: object, at = clock.now(), secret?: string): SignedPost => {
      const known = [...state.webhooks.values()].find(({ endpoint }) => endpoint === sandbox.hookUrl);
      return signed(sandbox.hookUrl ?? '', event, at, secret ?? known?.secret ?? 'nobody');
    },
    report: () => state.report(),
    stop: () => created.stop(),
  });
  const offered = { fill: () => fill(state), deeds: deedsOf(running), trial: trialOf(running, clock) };
  return created.show(Object.assign(running, offered));
}

/** Lifetimes are asked for within bounds, in JSON, and the answer is one of something made (dossier, Auth). */
function installTokenRules(app: FastifyInstance): void {
  app.addHook('preHandler', async (request, reply) => {
    if (request.url !== TOKENS) return;
    const asked = (request.body ?? {}) as Record<string, unknown>;
    const within = (value: unknown, from: number, to: number): boolean =>
      value === undefined || (typeof value === 'number' && value >= from && value <= to);
    if (!String(request.headers['content-type']).includes('application/json'))
      await refuse(reply, 400, 'invalid_request', 'The parameters must be formatted as JSON.');
    else if (!within(asked.expires_in, 300, 2 * DAY) || !within(asked.refresh_token_expires_in, 7 * DAY, 90 * DAY))
      await refuse(reply, 400, 'invalid_request', 'A lifetime is out of its bounds.');
    else if (asked.scope === undefined) await refuse(reply, 400, 'invalid_scope', 'The scope is missing.');
  });
  app.addHook('preSerialization', async (request, reply, payload) => {
    if (request.url === TOKENS && reply.statusCode === 200) reply.code(201);
    return payload;
  });
}
