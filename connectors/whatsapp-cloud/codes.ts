import type { ErrorKind, ErrorRule } from '../../src/kit/index.ts';

interface Meaning {
  codes: readonly string[];
  kind: ErrorKind;
  message?: string;
  retryAfter?: number;
  mayHaveActed?: boolean;
}

/**
 * Meta's codes and what they mean for the hub (dossier, Errors). The same codes refuse a request at once and fail a
 * message minutes later, so there is one table.
 */
const MEANINGS: readonly Meaning[] = [
  {
    codes: ['190', '0', '102'],
    kind: 'auth_revoked',
    message: 'Meta no longer accepts the access token. Make a new one for the system user and connect again.',
  },
  {
    codes: ['3', '10', '200', '299'],
    kind: 'forbidden',
    message:
      'The access token has no permission for this. It needs whatsapp_business_messaging and whatsapp_business_management.',
  },
  {
    codes: ['130429'],
    kind: 'rate_limited',
    message: 'The number sends faster than WhatsApp takes messages.',
    retryAfter: 10,
  },
  {
    codes: ['131056'],
    kind: 'rate_limited',
    message: 'Too many messages went to the same person in a short time.',
    retryAfter: 30,
  },
  {
    codes: ['4', '80007', '133016'],
    kind: 'rate_limited',
    message: 'Meta takes no more calls about this account for a while.',
    retryAfter: 300,
  },
  {
    codes: ['131048'],
    kind: 'paused',
    message:
      'WhatsApp stopped this number: too many people blocked or reported it. Look at its quality in the WhatsApp Manager.',
  },
  {
    codes: ['131042', '131031', '368', '131045', '131037'],
    kind: 'paused',
    message:
      'The WhatsApp account cannot send: payment, registration, display name or a lock. The WhatsApp Manager says which.',
  },
  // Refused before anything was done.
  { codes: ['131057', '133004'], kind: 'transient', mayHaveActed: false },
  { codes: ['1', '2', '131000', '131016'], kind: 'transient', mayHaveActed: true },
  {
    codes: ['131047'],
    kind: 'invalid',
    message:
      'The person has not written on WhatsApp in the last 24 hours: free text is not delivered then, only an approved template.',
  },
  {
    codes: ['131026'],
    kind: 'recipient_invalid',
    message: 'The number has no WhatsApp, or one that takes no messages of businesses.',
  },
  {
    codes: ['131050'],
    kind: 'recipient_opted_out',
    message: 'The recipient stopped marketing messages of this business on WhatsApp.',
  },
  {
    codes: ['131049', '130472'],
    kind: 'invalid',
    message: 'Meta chose not to deliver this to keep people from getting too much. It is not tried again.',
  },
  { codes: ['131021'], kind: 'invalid', message: 'The number of the recipient is the one that sends.' },
  {
    codes: ['132015', '132016'],
    kind: 'invalid',
    message: 'The template is paused or disabled at Meta. The WhatsApp Manager says why; use another one until then.',
  },
  {
    codes: ['132001'],
    kind: 'invalid',
    message: 'There is no approved template of this name in this language.',
  },
  {
    codes: ['132000', '132012'],
    kind: 'invalid',
    message: 'The values do not fit the places of the template in number or form.',
  },
];

/** What a code in a report of a message means, when it is known. */
export const meaningOf = (code: string): Meaning | undefined => MEANINGS.find(({ codes }) => codes.includes(code));

export const ERROR_RULES: readonly ErrorRule[] = [
  ...MEANINGS.map(({ codes, ...rule }) => ({ code: codes, ...rule })),
  { status: 401, kind: 'auth_revoked' },
  { status: 403, kind: 'forbidden' },
  { status: 429, kind: 'rate_limited', retryAfter: 60 },
  // A message may be on its way.
  { when: (reply) => reply.status >= 500, kind: 'transient', mayHaveActed: true },
  { status: 400, kind: 'invalid' },
];
