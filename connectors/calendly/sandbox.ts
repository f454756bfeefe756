import { hmacSha256, type Sandbox, type SandboxOptions, type SignedPost } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { installRoutes, problem } from './sandbox.routes.ts';
import { type Invitee, Organisation } from './sandbox.state.ts';
import { trialOf } from './sandbox.trial.ts';

export interface CalendlySandbox extends Sandbox {
  state: Organisation;
  server: SandboxServer;
  oauth: SandboxOAuth;
  /** A post about a booking, signed as of a moment. */
  sign(url: string, event: string, payload: object, at: Date, told?: string): SignedPost;
  /** Tells everybody who subscribed. */
  tell(event: string, invitee: Invitee): Promise<void>;
}

const PER_MINUTE = 500;

/** Starts the simulation of Calendly: log-in with tokens that work once, bookings, links, signed webhooks. */
export async function start(options: SandboxOptions): Promise<CalendlySandbox> {
  const { clock } = options;
  const state = new Organisation(clock);
  const created = createSandboxServer('Calendly', options);
  const { app } = created;
  const key = options.app.CALENDLY_WEBHOOK_SIGNING_KEY ?? 'calendly-key';
  const oauth = installOAuth(app, {
    ...{ clock, vendor: 'Calendly', authorizePath: '/oauth/authorize', tokenPath: '/oauth/token' },
    clientId: options.app.CALENDLY_CLIENT_ID ?? 'calendly-app',
    clientSecret: options.app.CALENDLY_CLIENT_SECRET ?? 'calendly-secret',
    ...{ clientAuth: 'basic', scopeSeparator: ' ', accessTtl: 7200, rotates: true },
    account: () => String(state.me.email),
    answer: (grant, access_token) => ({
      ...{ access_token, refresh_token: grant.refreshToken, token_type: 'Bearer', expires_in: 7200 },
      ...{ created_at: Math.floor(clock.now().getTime() / 1000), scope: grant.scopes.join(' ') },
      ...{ owner: state.me.uri, organization: state.uri },
    }),
  });
  app.post('/oauth/revoke', async (request, reply) => {
    oauth.revoke((request.body as { token?: string }).token ?? '');
    return reply.send({});
  });

  const times: number[] = [];
  app.addHook('preHandler', async (request, reply) => {
    if (request.url.startsWith('/oauth/')) return undefined;
    if (!oauth.grantOf(request)) return problem(reply, 401, 'Unauthenticated', 'The access token is invalid');
    const now = clock.now().getTime();
    while (times[0] !== undefined && times[0] <= now - 60_000) times.shift();
    const reset = times[0] === undefined ? 60 : Math.ceil((times[0] + 60_000 - now) / 1000);
    const full = options.limits !== false && times.length >= PER_MINUTE;
    if (!full) times.push(now);
    reply.headers({
      'x-ratelimit-limit': String(PER_MINUTE),
      'x-ratelimit-remaining': String(Math.max(0, PER_MINUTE - times.length)),
      'x-ratelimit-reset': String(reset),
    });
    return full ? problem(reply, 429, 'Too Many Requests', 'You have made too many requests.') : undefined;
  });
  installRoutes(app, state);
  const url = await created.listen();
  const server: SandboxServer = { ...created, url };

  const sign: CalendlySandbox['sign'] = (address, event, payload, at, told = state.now()) => {
    const body = JSON.stringify({ event, created_at: told, created_by: state.me.uri, payload });
    const t = Math.floor(at.getTime() / 1000);
    const v1 = hmacSha256(key, `${t}.${body}`).toString('hex');
    const headers = { 'content-type': 'application/json', 'calendly-webhook-signature': `t=${t},v1=${v1}` };
    return { url: address, body, headers };
  };
  const sandbox = {
    hosts: { api: url, auth: url },
    ...{ state, server, oauth, sign },
    hookUrl: options.hookUrl,
    tell: async (event: string, invitee: Invitee) => {
      const payload = { ...invitee, scheduled_event: state.eventOf(invitee) };
      for (const one of state.subscriptions.values()) {
        if (one.state !== 'active' || !one.events.includes(event)) continue;
        const post = sign(one.callback_url, event, payload, clock.now());
        await server.post(post.url, post.body, post.headers);
      }
    },
    report: () => ({
      bookings: state.invitees.size,
      members: state.members.length,
      links: state.links.length,
      webhooks: state.subscriptions.size,
    }),
    stop: () => server.stop(),
  };
  const offered = { fill: () => fill(state), deeds: deedsOf(sandbox), trial: trialOf(sandbox, clock) };
  return created.show(Object.assign(sandbox, offered));
}
