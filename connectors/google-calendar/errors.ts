import { type ErrorRule, type Reply, textAt } from '../../src/kit/index.ts';

/** Usage limits against abuse open again after hours; Google does not say how many. */
const HOURS = 6 * 3600;

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

export const ERROR_RULES: readonly ErrorRule[] = [
  { status: 401, kind: 'auth_expired' },
  { status: [403, 429], code: ['rateLimitExceeded', 'userRateLimitExceeded'], kind: 'rate_limited' },
  { status: 403, code: ['quotaExceeded', 'dailyLimitExceeded'], kind: 'quota_exhausted', retryAfter: HOURS },
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
    message: 'The API is not switched on in the project at Google. Switch it on in its console.',
  },
  {
    status: 404,
    kind: 'not_found',
    message: 'Google has no such calendar, event or task, or does not show it to this account.',
  },
  {
    status: 412,
    kind: 'transient',
    message: 'Somebody changed it at the same moment; it is tried again.',
    mayHaveActed: false,
    retryAfter: 5,
  },
];
