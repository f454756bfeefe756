import { type ErrorRule, type Reply, textAt } from '../../src/kit/index.ts';

/** Google's reason, such as `rateLimitExceeded`; reasons tell apart what shares a status. */
export const codeOf = (reply: Reply): string | undefined =>
  reply.status < 400
    ? undefined
    : (textAt(reply.body, 'error.errors[0].reason') ??
      textAt(reply.body, 'error.details[0].reason') ??
      textAt(reply.body, 'error.status') ??
      textAt(reply.body, 'error'));

/** Google's sentence. */
export const messageOf = (reply: Reply): string | undefined =>
  textAt(reply.body, 'error.message') ?? textAt(reply.body, 'error_description');

const says = (pattern: RegExp) => (reply: Reply) => reply.status >= 400 && pattern.test(messageOf(reply) ?? '');

/** When a mailbox may send again stands in the sentence (dossier, Limits). */
function namedTime(reply: Reply): Date | undefined {
  const time = /Retry after (\d{4}-\d{2}-\d{2}T[\d:.]+Z)/i.exec(messageOf(reply) ?? '')?.[1];
  return time === undefined ? undefined : new Date(time);
}

export const ERROR_RULES: readonly ErrorRule[] = [
  { status: 401, kind: 'auth_expired' },
  { status: 429, kind: 'rate_limited', retryAfter: namedTime },
  { status: 403, code: ['rateLimitExceeded', 'userRateLimitExceeded'], kind: 'rate_limited', retryAfter: namedTime },
  { status: 403, code: ['dailyLimitExceeded', 'quotaExceeded'], kind: 'quota_exhausted', retryAfter: 86_400 },
  {
    status: 403,
    code: ['insufficientPermissions', 'ACCESS_TOKEN_SCOPE_INSUFFICIENT'],
    kind: 'forbidden',
    message: 'Google was not given this permission: connect again and tick every box on its page.',
  },
  {
    status: 403,
    code: 'accessNotConfigured',
    kind: 'operator',
    message: 'The Gmail API is not switched on in the project at Google. Switch it on in its console.',
  },
  {
    status: 403,
    code: 'domainPolicy',
    kind: 'paused',
    message: 'The administrator of this Google Workspace does not allow the app. Ask them to allow it.',
  },
  {
    status: 400,
    when: says(/Mail service not enabled/i),
    kind: 'paused',
    message: 'This Google account has no mailbox. Connect one that has.',
  },
  { status: 400, when: says(/Invalid To header|Recipient address required/i), kind: 'recipient_invalid' },
  {
    status: 404,
    kind: 'not_found',
    message: 'Gmail has no such message, or no longer knows what happened since then.',
  },
];
