import { randomUUID } from 'node:crypto';
import type { Sandbox, SandboxOptions } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  type Delivery,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { publishedKeys, pushOf } from './sandbox.push.ts';
import { type Around, installGate, installMailbox } from './sandbox.routes.ts';
import { Mailbox } from './sandbox.state.ts';
import { trialOf } from './sandbox.trial.ts';

export interface GmailSandbox extends Sandbox {
  mailbox: Mailbox;
  server: SandboxServer;
  oauth: SandboxOAuth;
  /** Boxes somebody leaves empty on the page, as ends of scopes. */
  unticked: string[];
  /** Pub/Sub tells that the mailbox moved on, when it is watched. */
  announce(): Promise<Delivery | undefined>;
}

/**
 * Starts the simulation of Gmail: OAuth pages, a mailbox with history, search, sending, aliases, bounces, and pushes with
 * signed tokens. It refuses more than 6,000 units a minute.
 */
export async function start(options: SandboxOptions): Promise<GmailSandbox> {
  const { clock, app: secrets } = options;
  const mailbox = new Mailbox(clock);
  // By hand an address can be given before anybody connects: it is told as if somebody had asked for it.
  if (options.hookUrl) mailbox.watchFor('by hand');
  const created = createSandboxServer('Gmail', options);
  const { app } = created;
  const unticked: string[] = [];
  const oauth = installOAuth(app, {
    clock,
    vendor: 'Google',
    authorizePath: '/o/oauth2/v2/auth',
    tokenPath: '/token',
    clientId: secrets.GMAIL_CLIENT_ID ?? 'gmail-app',
    clientSecret: secrets.GMAIL_CLIENT_SECRET ?? 'gmail-secret',
    clientAuth: 'post',
    scopeSeparator: ' ',
    accessTtl: 3600,
    rotates: false,
    account: () => mailbox.user.id,
    withheldScopes: () => unticked,
    answer: (grant, access_token, refreshed) => ({
      access_token,
      expires_in: 3599,
      scope: grant.scopes.join(' '),
      token_type: 'Bearer',
      ...(refreshed ? {} : { refresh_token: grant.refreshToken }),
    }),
  });
  const around: Around = { clock, oauth, mailbox, limits: options.limits !== false };
  installGate(app, around);
  installMailbox(app, around);
  app.get('/oauth2/v3/certs', async (_request, reply) =>
    reply.header('cache-control', 'public, max-age=20000').send(publishedKeys()),
  );
  const url = await created.listen();
  const server: SandboxServer = { ...created, url };
  const pushAccount = secrets.GMAIL_PUSH_ACCOUNT ?? 'push@business.iam.gserviceaccount.com';
  const sandbox = {
    hosts: { api: url, google: url, accounts: url, oauth: url },
    ...{ mailbox, server, oauth, unticked, pushAccount },
    hookUrl: options.hookUrl,
    get lateIndexMs() {
      return mailbox.lateIndexMs;
    },
    set lateIndexMs(milliseconds: number) {
      mailbox.lateIndexMs = milliseconds;
    },
    async announce(): Promise<Delivery | undefined> {
      const at = clock.now();
      if (!sandbox.hookUrl || !mailbox.watch || mailbox.watch.endsAt <= at) return undefined;
      const { historyId, user } = mailbox;
      const told = { url: sandbox.hookUrl, account: pushAccount, emailAddress: user.email, historyId, at };
      const { url: to, body, headers } = pushOf({ ...told, messageId: randomUUID() });
      return created.post(to, body, headers);
    },
    report: () => ({
      sent: mailbox.messages.filter(({ labelIds }) => labelIds.includes('SENT')).length,
      received: mailbox.messages.filter(({ labelIds }) => labelIds.includes('INBOX')).length,
    }),
    stop: () => created.stop(),
  };
  const running = Object.assign(sandbox, {
    fill: () => fill(mailbox),
    deeds: deedsOf(sandbox),
    trial: trialOf(sandbox, clock),
  });
  return created.show(running);
}
