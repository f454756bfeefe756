import type { ErrorKind, ErrorRule } from '../../src/kit/index.ts';

interface Meaning {
  codes: readonly string[];
  kind: ErrorKind;
  message: string;
  retryAfter?: number;
  mayHaveActed?: true;
}

/**
 * Twilio's codes and what they mean for the hub. The same codes refuse a request at once and fail a message minutes
 * later in a status callback, so there is one table.
 */
const MEANINGS: readonly Meaning[] = [
  {
    codes: ['20003', '20008'],
    kind: 'auth_revoked',
    message: 'Twilio refuses the credentials. Make a new API key in the Twilio console and connect again.',
  },
  {
    codes: ['20005', '20006', '30002'],
    kind: 'paused',
    message: 'The Twilio account is suspended or inactive. The Twilio console says why.',
  },
  { codes: ['20404'], kind: 'not_found', message: 'Twilio does not know this record.' },
  { codes: ['20429', '14107'], kind: 'rate_limited', message: 'Twilio takes no more calls at the moment.' },
  {
    codes: ['20500'],
    kind: 'transient',
    message: 'Twilio had an internal error; whether it acted is not known.',
    mayHaveActed: true,
  },
  {
    codes: ['21211', '21614', '21217', '21401'],
    kind: 'recipient_invalid',
    message: 'Twilio says that this is not a number that takes messages.',
  },
  { codes: ['21610'], kind: 'recipient_opted_out', message: 'The recipient sent STOP to this sender.' },
  {
    codes: ['21408', '21612'],
    kind: 'invalid',
    message: 'Twilio has no way to this country from this sender. Switch the region on in the Twilio console.',
  },
  {
    codes: ['21606', '21659'],
    kind: 'invalid',
    message: 'The sender number is not one this account can send from. Correct it in the settings of the connection.',
  },
  {
    codes: ['21703', '21704', '21705'],
    kind: 'paused',
    message:
      'The Messaging Service is unknown or has no sender. Add a number to it in the Twilio console, then check again.',
  },
  { codes: ['21617'], kind: 'invalid', message: 'The text is longer than 1600 characters.' },
  { codes: ['21602', '21619'], kind: 'invalid', message: 'The message has no text.' },
  {
    codes: ['63016'],
    kind: 'invalid',
    message:
      'The person has not written on WhatsApp in the last 24 hours: free text is not delivered then, only an approved template.',
  },
  { codes: ['63018'], kind: 'rate_limited', message: 'The WhatsApp sender is at its limit.', retryAfter: 60 },
  {
    codes: ['63038'],
    kind: 'quota_exhausted',
    message: 'The account has reached its daily number of messages.',
    retryAfter: 3600,
  },
  { codes: ['30001'], kind: 'rate_limited', message: 'The queue of this sender at Twilio is full.', retryAfter: 3600 },
  {
    codes: ['30003'],
    // Switched off or out of reach: no reason to close the number.
    kind: 'invalid',
    message: 'The phone could not be reached.',
  },
  {
    codes: ['30005', '63003', '63024'],
    kind: 'recipient_invalid',
    message: 'The number is unknown or has no account there.',
  },
  { codes: ['30006'], kind: 'recipient_invalid', message: 'The number is a landline or takes no text messages.' },
  {
    codes: ['30004', '63032', '63049', '63050'],
    kind: 'invalid',
    message: 'The recipient blocks this sender, or Meta does not deliver this to them. It is not tried again.',
  },
  {
    codes: ['30007', '30034', '30022', '30023', '30485'],
    kind: 'invalid',
    message:
      'The carrier filtered the message: wording, a sender without registration, or a daily cap. Look at the sender in the Twilio console.',
  },
  { codes: ['30008'], kind: 'invalid', message: 'The carrier did not deliver it and gave no reason.' },
];

/** What a code in a status callback means, when it is known. */
export const meaningOf = (code: string): { kind: ErrorKind; message: string } | undefined =>
  MEANINGS.find(({ codes }) => codes.includes(code));

export const ERROR_RULES: readonly ErrorRule[] = [
  ...MEANINGS.map(({ codes, ...rule }) => ({ code: codes, ...rule })),
  // Twilio promises nothing about a server error: the message may be on its way.
  { when: (reply) => reply.status >= 500, kind: 'transient', mayHaveActed: true },
  { status: 401, kind: 'auth_revoked' },
];
