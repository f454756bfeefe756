import { at, type ErrorTable, listAt, type Reply, textAt } from '../../src/kit/index.ts';

/** Lists in which answers hold one result for each thing asked for. */
const RESULTS = ['data', 'watch', 'fields', 'tags', 'pipeline'];

/**
 * The refusal in an answer: of the whole call, or of one row inside an answer of status 200, 201, 202 or 207 (dossier,
 * Errors). Rows of a list that is read have no status of this kind.
 */
export function refusalIn(reply: Reply): unknown {
  if (textAt(reply.body, 'status') === 'error') return reply.body;
  for (const name of RESULTS) {
    const bad = listAt(reply.body, name).find((row) => textAt(row, 'status') === 'error' && textAt(row, 'code'));
    if (bad) return bad;
  }
  return reply.status >= 400 ? reply.body : undefined;
}

const codeOf = (reply: Reply): string | undefined => textAt(refusalIn(reply), 'code');

/** Zoho's sentence with the field it is about and the permission that is missing. */
function messageOf(reply: Reply): string | undefined {
  const refusal = refusalIn(reply);
  const sentence = textAt(refusal, 'message');
  if (!sentence) return undefined;
  const field = textAt(refusal, 'details.api_name');
  const permissions = listAt<string>(refusal, 'details.permissions').join(', ');
  const more = [codeOf(reply), field && `field ${field}`, permissions && `permission ${permissions}`].filter(Boolean);
  return `Zoho CRM says: ${sentence.replace(/\.$/, '')}${more.length > 0 ? ` (${more.join(', ')})` : ''}.`;
}

const isUnknownId = (reply: Reply): boolean =>
  /id given seems to be invalid|given id is invalid|no data for the ID|record not found/i.test(
    textAt(refusalIn(reply), 'message') ?? '',
  ) && at(refusalIn(reply), 'details.api_name') === undefined;

/** What Zoho refuses with, by code (dossier, Errors and Limits). */
export const errors: ErrorTable = {
  code: codeOf,
  message: messageOf,
  rules: [
    { code: ['INVALID_TOKEN', 'AUTHENTICATION_FAILURE'], kind: 'auth_expired' },
    {
      code: 'OAUTH_SCOPE_MISMATCH',
      kind: 'forbidden',
      message: 'This connection lacks a scope for that. Authorise it again with the feature switched on.',
    },
    { code: ['NO_PERMISSION', 'FEATURE_NOT_SUPPORTED', 'FEATURE_PERMISSION'], kind: 'forbidden' },
    { when: (reply) => (codeOf(reply) ?? '').startsWith('LICENSE'), kind: 'forbidden' },
    // No Retry-After; it stands for too many at once as well as for the day's credits.
    {
      status: 429,
      kind: 'quota_exhausted',
      when: (reply) => Number(reply.headers['x-api-credits-remaining'] ?? Number.NaN) <= 0,
      retryAfter: 3600,
    },
    { code: 'TOO_MANY_REQUESTS', kind: 'rate_limited', retryAfter: 30 },
    { status: 429, kind: 'rate_limited', retryAfter: 30 },
    {
      code: 'DUPLICATE_DATA',
      kind: 'conflict',
      existingId: (reply) =>
        textAt(refusalIn(reply), 'details.id') ?? textAt(refusalIn(reply), 'details.duplicate_record.id'),
    },
    // Approval, a mass operation or somebody else holds it for a while.
    { code: 'RECORD_LOCKED', kind: 'transient', retryAfter: 3600, mayHaveActed: false },
    { code: ['INTERNAL_ERROR', 'INTERNAL_SERVER_ERROR'], kind: 'transient', mayHaveActed: true },
    { when: isUnknownId, kind: 'not_found' },
    { code: ['NOT_FOUND', 'INVALID_URL_PATTERN'], kind: 'not_found' },
    { when: (reply) => codeOf(reply) !== undefined && reply.status < 500, kind: 'invalid' },
  ],
};
