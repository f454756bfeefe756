import { createHmac } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Sandbox, SandboxOptions, SignedPost } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import type { Audience, Member, Webhook } from './sandbox.audience.ts';
import { problem } from './sandbox.http.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { formOf } from './sandbox.posts.ts';
import { installReports } from './sandbox.reports.ts';
import { installRoutes } from './sandbox.routes.ts';
import { MailchimpState } from './sandbox.state.ts';
import { trialOf } from './sandbox.trial.ts';

/** Data centre of the simulated account: the host of its API has this name. */
export const DC = 'us19';

/** Calls of one user that run at the same time, over all apps (dossier, Limits). */
const AT_ONCE = 10;

export interface MailchimpSandbox extends Sandbox {
  state: MailchimpState;
  server: SandboxServer;
  oauth: SandboxOAuth;
  /** Whether its posts are signed with what the webhook was given when it was made. */
  signs: boolean;
  /** The most calls that ran at the same time. */
  busiest: number;
  /** Has the audience's webhooks told of something, as they do when it is done by a `user`, an `admin` or the `api`. */
  tell(audience: Audience, type: string, member: Member, more?: Record<string, string>, source?: string): Promise<void>;
  /** A post of a webhook, not sent. */
  sign(webhook: Webhook, form: Record<string, string>, at: Date): SignedPost;
}

/** Starts the simulation of Mailchimp: OAuth pages, audiences and members, reports, journeys, webhooks. */
export async function start(options: SandboxOptions): Promise<MailchimpSandbox> {
  const { clock } = options;
  const state = new MailchimpState(clock);
  const created = createSandboxServer('Mailchimp', options);
  const { app } = created;
  const oauth = installOAuth(app, {
    clock,
    vendor: 'Mailchimp',
    authorizePath: '/oauth2/authorize',
    tokenPath: '/oauth2/token',
    clientId: options.app.MAILCHIMP_CLIENT_ID ?? 'mailchimp-app',
    clientSecret: options.app.MAILCHIMP_CLIENT_SECRET ?? 'mailchimp-secret',
    clientAuth: 'post',
    scopeSeparator: ' ',
    rotates: false,
    account: () => 'Main Street Services',
    answer: (_grant, access_token) => ({ access_token, expires_in: 0, scope: null }),
  });
  const sandbox = {
    signs: true,
    busiest: 0,
    hookUrl: options.hookUrl,
    get lateIndexMs() {
      return state.lateIndexMs;
    },
    set lateIndexMs(milliseconds) {
      state.lateIndexMs = milliseconds;
    },
    sign: (webhook: Webhook, form: Record<string, string>, at: Date): SignedPost => {
      const body = new URLSearchParams(form).toString();
      const time = Math.floor(at.getTime() / 1000);
      const signature = createHmac('sha256', webhook.secret).update(`${time}.${body}`).digest('hex');
      return {
        url: webhook.url,
        body,
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          ...(sandbox.signs ? { 'x-mailchimp-signature': `t=${time},v1=${signature}` } : {}),
        },
      };
    },
    tell: async (audience: Audience, type: string, member: Member, more = {}, source = 'user'): Promise<void> => {
      for (const webhook of audience.webhooks) {
        if (!webhook.events[type] || !webhook.sources[source]) continue;
        const { url, body, headers } = sandbox.sign(webhook, formOf(type, member, clock.now(), more), clock.now());
        await created.post(url, body, headers);
      }
    },
  };
  countCalls(app, sandbox, options.limits !== false);
  app.addHook('preHandler', async (request, reply) => {
    if (request.url.startsWith('/3.0/') && !oauth.grantOf(request))
      await problem(reply, 401, 'API Key Invalid', 'Your API key may be invalid, or the access was taken away.');
  });
  app.get('/oauth2/metadata', async (request, reply) => {
    // Here, and only here, the word before the token is another one.
    const authorization = (request.headers.authorization ?? '').replace(/^OAuth /, 'Bearer ');
    const known =
      request.headers.authorization?.startsWith('OAuth ') &&
      oauth.grantOf({ headers: { authorization } } as FastifyRequest);
    if (!known) return problem(reply, 401, 'invalid_token', 'The access token is not known.');
    const login = { email: 'owner@business.example', login_id: 1, login_name: 'owner' };
    const api_endpoint = `https://${DC}.api.mailchimp.com`;
    return { dc: DC, role: 'owner', accountname: 'Main Street Services', user_id: 7, login, api_endpoint };
  });
  installRoutes(app, state, sandbox);
  installReports(app, state);

  const url = await created.listen();
  const running = Object.assign(sandbox, {
    hosts: { login: url, [DC]: url },
    state,
    server: { ...created, url },
    oauth,
    report: () => state.report(),
    stop: () => created.stop(),
  });
  const offered = { fill: () => fill(state, clock), deeds: deedsOf(running), trial: trialOf(running, clock) };
  return created.show(Object.assign(running, offered));
}

/** Counts the calls that run at the same time, and refuses what is more than the vendor carries. */
function countCalls(app: SandboxServer['app'], sandbox: { busiest: number }, limited: boolean): void {
  let running = 0;
  app.addHook('onRequest', async (request, reply: FastifyReply) => {
    if (!request.url.startsWith('/3.0/')) return;
    running += 1;
    sandbox.busiest = Math.max(sandbox.busiest, running);
    reply.raw.once('close', () => {
      running -= 1;
    });
    if (!limited) return;
    if (running > AT_ONCE)
      await problem(reply, 429, 'Too Many Requests', 'You have exceeded the limit of 10 simultaneous connections.');
    // What takes no time is never at the same time as anything else.
    else await wait(3);
  });
}
