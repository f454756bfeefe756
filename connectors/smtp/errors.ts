import { type ErrorKind, VendorError } from '../../src/kit/index.ts';

/** What the mail client's errors carry; all of it depends on how far the conversation got. */
interface ClientError {
  code?: string;
  /** Code of the error below, such as of a certificate. */
  originalCode?: string;
  /** The server's number, when it answered. */
  responseCode?: number;
  /** The command that was answered. */
  command?: string;
  response?: string;
  message?: string;
}

interface Refusal {
  status: number;
  /** Enhanced status code (RFC 3463), such as 5.1.1. */
  enhanced: string;
  command: string;
  code: string;
  text: string;
}

const RECIPIENT_UNKNOWN = ['5.1.1', '5.1.2', '5.1.3'];
const BLOCKED = ['5.7.1', '5.7.26'];

/** The first that matches decides. The client's own code is no help: it calls a busy mailbox an invalid envelope. */
const RULES: readonly { when: (refusal: Refusal) => boolean; kind: ErrorKind; sentence: string }[] = [
  // Sent too fast, which is over later and says nothing about this mail.
  {
    when: ({ status, text }) => status < 500 && /too many|too fast|slow down|rate limit|throttl/i.test(text),
    kind: 'rate_limited',
    sentence: 'The mail server wants fewer mails at a time',
  },
  // 503 is about the state of the conversation, not about the message.
  {
    when: ({ status }) => status < 500 || status === 503,
    kind: 'transient',
    sentence: 'The mail server asks to try again later',
  },
  {
    when: ({ code }) => code === 'ETLS',
    kind: 'paused',
    sentence: 'The mail server does not encrypt the connection, so neither password nor mail is sent',
  },
  {
    when: ({ status, code, enhanced, text }) =>
      [530, 534, 535, 538].includes(status) || code === 'EAUTH' || enhanced === '5.7.60' || /SendAsDenied/i.test(text),
    kind: 'auth_revoked',
    sentence: 'The mail server does not accept user and password, or not this sender for them',
  },
  {
    when: ({ status, enhanced }) => [550, 553, 554].includes(status) && BLOCKED.includes(enhanced),
    kind: 'paused',
    sentence: 'The mail server refuses mail from here (policy or reputation). Look at it before more is sent',
  },
  {
    when: ({ enhanced, command }) => RECIPIENT_UNKNOWN.includes(enhanced) && command !== 'MAIL FROM',
    kind: 'recipient_invalid',
    sentence: 'The address does not exist',
  },
  {
    when: ({ status, command }) => [551, 553].includes(status) && command === 'RCPT TO',
    kind: 'recipient_invalid',
    sentence: 'The address does not exist',
  },
  { when: () => true, kind: 'invalid', sentence: 'The mail server refuses the message' },
];

/**
 * Classifies what went wrong between us and the mail server.
 * @param begun whether a part of the message itself was on its way: then silence proves nothing
 */
export function smtpError(cause: unknown, begun: boolean, host: string): VendorError {
  if (cause instanceof VendorError) return cause;
  const error = cause as ClientError;
  if (error.responseCode === undefined) return withoutAnswer(error, begun, host, cause);
  const text = (error.response ?? '').replace(/\s+/g, ' ').trim();
  const refusal: Refusal = {
    status: error.responseCode,
    enhanced: /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})/.exec(text)?.[1] ?? '',
    command: error.command ?? '',
    code: error.code ?? '',
    text,
  };
  const { kind, sentence } = RULES.find((rule) => rule.when(refusal))!;
  const code = refusal.enhanced || String(refusal.status);
  // An answer is an answer, also to the message itself: it was not taken.
  return new VendorError(kind, `${sentence}: ${text.slice(0, 300)}`, { code, cause });
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/;

/** The server said nothing: it cannot be reached, broke off, took too long, or shows a bad certificate. */
function withoutAnswer(error: ClientError, begun: boolean, host: string, cause: unknown): VendorError {
  const code = error.code ?? '';
  if (CERTIFICATE.test(error.originalCode ?? '')) {
    const detail = `${host} shows a certificate that nobody vouches for (${error.originalCode}). Have it corrected; nothing is sent meanwhile.`;
    return new VendorError('paused', detail, { code, cause });
  }
  if (code === 'EAUTH') {
    return new VendorError('auth_revoked', `${host} cannot be logged in to: ${error.message ?? code}`, { code, cause });
  }
  // After the message itself it also stands for an answer that is none.
  if (code === 'EENVELOPE' || (code === 'EMESSAGE' && !begun)) {
    return new VendorError('invalid', `The message cannot be sent: ${error.message ?? code}`, { code, cause });
  }
  const sentence = begun
    ? `The connection to ${host} broke before it confirmed the message (${code}); whether it was taken is not known.`
    : `${host} cannot be reached or does not answer (${code}); the message did not leave.`;
  return new VendorError('transient', sentence, { mayHaveActed: begun, code, cause });
}
