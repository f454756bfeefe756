import { generateKeyPairSync, randomUUID } from 'node:crypto';
import type { Clock, Refusals, SignedPost, StreamTrial, Trial } from '../../src/kit/index.ts';
import { grantsOf, type SandboxOAuth, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import { claimsOf, pushOf, tokenOf } from './sandbox.push.ts';
import { refusal, stubsIn } from './sandbox.routes.ts';
import type { Mailbox } from './sandbox.state.ts';

interface Account {
  mailbox: Mailbox;
  server: SandboxServer;
  oauth: SandboxOAuth;
  pushAccount: string;
  hookUrl?: string | undefined;
}

/** Gmail's side of the cases every connector is tried with. */
export function trialOf(account: Account, clock: Clock): Trial {
  const { mailbox, server, oauth, pushAccount } = account;
  const push = (event: string, at: Date): SignedPost =>
    pushOf({
      url: account.hookUrl ?? '',
      account: pushAccount,
      emailAddress: mailbox.user.email,
      historyId: mailbox.historyId,
      messageId: event,
      at,
    });
  return {
    streams: { messages: messageTrial(mailbox) },
    actions: {
      send_email: {
        input: (n) => ({ to: `acted${n}@example.com`, subject: `Visit ${n}`, text: 'We come tomorrow.' }),
        done: () => mailbox.messages.filter(({ labelIds }) => labelIds.includes('SENT')).map(({ id }) => id),
        request: /^POST \/gmail\/v1\/users\/me\/messages\/send$/,
        link: true,
      },
    },
    hook: ({ event }, at) => push(event, at),
    forged: (post) => forgeries(post, pushAccount, clock),
    subscriptions: () => (mailbox.watch ? [{ id: mailbox.user.email, endsAt: mailbox.watch.endsAt }] : []),
    refusals: refusalsOf(),
    grants: grantsOf(oauth),
    calls: () => server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
  };
}

/** Without a token, and with tokens of others, for others, or of another time. */
function forgeries(post: SignedPost, account: string, clock: Clock): SignedPost[] {
  const { authorization: _token, ...without } = post.headers;
  const at = clock.now();
  const right = claimsOf({ url: post.url, account, at });
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const seconds = Math.floor(at.getTime() / 1000);
  const tokens = [
    'not.a.token',
    tokenOf(right, stranger),
    tokenOf({ ...right, aud: 'https://elsewhere.example/hooks/gmail' }),
    tokenOf({ ...right, email: 'somebody@else.example' }),
    tokenOf({ ...right, email_verified: false }),
    tokenOf({ ...right, iss: 'https://accounts.example' }),
    tokenOf({ ...right, exp: seconds - 3600 }),
    tokenOf({ ...right, iat: seconds + 3600 }),
  ];
  return [
    { ...post, headers: without },
    ...tokens.map((token) => ({ ...post, headers: { ...post.headers, authorization: `Bearer ${token}` } })),
  ];
}

/** Answers to mail of ours. Messages never change: what people can do is to label them. */
function messageTrial(mailbox: Mailbox): StreamTrial {
  return {
    create: (count, at) =>
      Array.from(
        { length: count },
        (_, n) =>
          mailbox.receive(
            `guest${n}@example.com`,
            `Re: Visit ${n}`,
            'Fine',
            `<rapport.${randomUUID()}@business.example>`,
            {},
            at,
          ).id,
      ),
    change: (id, mark) => mailbox.label(id, mark),
    ids: () => mailbox.messages.filter(({ labelIds }) => labelIds.includes('INBOX')).map(({ id }) => id),
    announced: true,
    listed: /^GET \/gmail\/v1\/users\/me\/(messages|history)$/,
    field: 'threadId',
    records: stubsIn,
  };
}

const fault = (status: number, reason: string, message: string) =>
  ({ kind: 'status', status, body: refusal(status, reason, message) }) as const;

/** Gmail's refusals; when to come back stands in the sentence. */
function refusalsOf(): Refusals {
  return {
    rateLimited: (until) =>
      fault(
        429,
        'rateLimitExceeded',
        `User-rate limit exceeded.${until ? `  Retry after ${until.toISOString()}` : ''} (Mail sending)`,
      ),
    quotaExhausted: () => fault(403, 'dailyLimitExceeded', 'Daily Limit Exceeded'),
    quotaPauseMinutes: 1440,
    expired: () => fault(401, 'authError', 'Invalid Credentials'),
    forbidden: {
      fault: () => fault(403, 'insufficientPermissions', 'Request had insufficient authentication scopes.'),
    },
    invalid: (reason) => fault(400, 'invalidArgument', reason),
    unavailable: () => fault(503, 'backendError', 'Service unavailable'),
  };
}
