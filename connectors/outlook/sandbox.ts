import type { Sandbox, SandboxOptions } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import { createLimiter, problem } from './sandbox.limits.ts';
import { installMail } from './sandbox.mail.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { installRoutes } from './sandbox.routes.ts';
import { Mailbox } from './sandbox.state.ts';
import { createSubscriptions, type Subscriptions } from './sandbox.subscriptions.ts';
import { trialOf } from './sandbox.trial.ts';

export interface OutlookSandbox extends Sandbox {
  mailbox: Mailbox;
  server: SandboxServer;
  oauth: SandboxOAuth;
  subscriptions: Subscriptions;
  /** Delta links given out so far are not known any more: 410, as the vendor answers. */
  forgetTokens(): void;
}

/** Starts the simulation of Microsoft Graph: log-in, one mailbox, delta queries, subscriptions with their handshake. */
export async function start(options: SandboxOptions): Promise<OutlookSandbox> {
  const { clock } = options;
  const mailbox = new Mailbox(clock);
  const created = createSandboxServer('Outlook', options);
  const { app } = created;
  const oauth = installOAuth(app, {
    clock,
    vendor: 'Microsoft',
    authorizePath: '/common/oauth2/v2.0/authorize',
    tokenPath: '/common/oauth2/v2.0/token',
    clientId: options.app.OUTLOOK_CLIENT_ID ?? 'outlook-app',
    clientSecret: options.app.OUTLOOK_CLIENT_SECRET ?? 'outlook-secret',
    clientAuth: 'post',
    scopeSeparator: ' ',
    accessTtl: 4200,
    rotates: true,
    account: () => mailbox.user.mail,
    answer: (grant, access_token) => ({
      ...{ token_type: 'Bearer', access_token, refresh_token: grant.refreshToken },
      ...{ scope: grant.scopes.filter((scope) => scope !== 'offline_access').join(' ') },
      ...{ expires_in: 4200, ext_expires_in: 4200 },
    }),
  });
  const subscriptions = createSubscriptions(created, mailbox);
  const limiter = options.limits === false ? undefined : createLimiter(clock);

  app.addHook('preHandler', async (request, reply) => {
    if (!request.url.startsWith('/v1.0/')) return undefined;
    if (!oauth.grantOf(request))
      return problem(reply, 401, 'InvalidAuthenticationToken', 'Access token has expired or is not yet valid.');
    const wait = limiter?.begin(reply);
    return wait === undefined
      ? undefined
      : problem(reply.header('retry-after', String(wait)), 429, 'ApplicationThrottled', 'Too many requests.');
  });
  // Links an answer gives lead back here.
  let url = '';
  const routes = { mailbox, subscriptions, url: () => url };
  installRoutes(app, routes);
  installMail(app, routes);
  url = await created.listen();
  const server: SandboxServer = { ...created, url };

  const sandbox = {
    hosts: { api: url, login: `${url}/common` },
    ...{ mailbox, server, oauth, subscriptions },
    hookUrl: options.hookUrl,
    get lateIndexMs() {
      return mailbox.lateIndexMs;
    },
    set lateIndexMs(milliseconds) {
      mailbox.lateIndexMs = milliseconds;
    },
    forgetTokens: () => {
      mailbox.generation += 1;
    },
    report: () => ({
      contacts: mailbox.all('contact').length,
      appointments: mailbox.all('event').length,
      mails_sent: mailbox.sent.length,
      mails: mailbox.all('message').length,
      tasks: mailbox.all('todoTask').length,
      subscriptions: subscriptions.living().length,
    }),
    stop: () => server.stop(),
  };
  const offered = { fill: () => fill(mailbox), deeds: deedsOf(mailbox, subscriptions), trial: trialOf(sandbox, clock) };
  return created.show(Object.assign(sandbox, offered));
}
