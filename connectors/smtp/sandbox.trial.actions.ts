import type { Refusals, Trial } from '../../src/kit/index.ts';
import type { ReceivedMail } from './sandbox.mail.ts';

/** The mail server's side of sending. */
export function actionsOf(sandbox: { mails(): ReceivedMail[] }): Trial['actions'] {
  return {
    send_email: {
      input: (n) => ({ to: `mailed${n}@example.com`, subject: `Visit ${n}`, text: 'We come tomorrow.' }),
      done: () => sandbox.mails().map(({ headers }) => headers['message-id']?.[0] ?? ''),
      request: /^DATA /,
    },
  };
}

/** A mail server's refusals: a status and a line of text. */
export function refusalsOf(): Refusals {
  const refusal = (status: number, body: string) => ({ kind: 'status', status, body }) as const;
  return {
    rateLimited: (until) => (until ? undefined : refusal(450, '4.7.0 Too many messages, slow down')),
    revoked: () => refusal(535, '5.7.8 Authentication credentials invalid'),
    invalid: (reason) => refusal(554, `5.6.0 ${reason}`),
    unavailable: () => refusal(451, '4.3.0 Try again later'),
  };
}
