import { at, type ErrorTable, listAt, type Reply, textAt } from '../../src/kit/index.ts';

interface Refused {
  code: string | undefined;
  message: string | undefined;
}

/** One refusal as it stands in a list of errors: called differently inside of answers that hold several results. */
const refusedBy = (error: unknown): Refused => ({
  code: textAt(error, 'errorCode') ?? textAt(error, 'statusCode'),
  message: textAt(error, 'message'),
});

/** Results of one call, some of which may have failed although the status is 200. */
function insideOf(body: unknown): Refused | undefined {
  const composite = listAt(body, 'compositeResponse');
  // Those that were not tried because another one failed name no reason of their own.
  const failed = composite
    .filter((part) => Number(textAt(part, 'httpStatusCode')) >= 400)
    .map((part) => refusedBy(at(part, 'body[0]')))
    .sort((a, b) => Number(a.code === 'PROCESSING_HALTED') - Number(b.code === 'PROCESSING_HALTED'))[0];
  if (failed) return failed;
  const results = Array.isArray(body) ? body : [body];
  const bad = results.find((result) => at(result, 'success') === false || at(result, 'isSuccess') === false);
  if (bad === undefined) return undefined;
  const { code, message } = refusedBy(listAt(bad, 'errors')[0]);
  return { code: code ?? 'UNKNOWN_EXCEPTION', message };
}

/** What was asked for as text is refused in JSON as well. */
function parsed(body: unknown): unknown {
  if (typeof body !== 'string') return body;
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

/** Why a call was refused: a list of errors, the form of the OAuth pages, or a failure among results. */
function refusalOf(reply: Reply): Refused | undefined {
  const { status } = reply;
  const body = status < 400 ? reply.body : parsed(reply.body);
  if (status < 400) return status === 300 ? { code: 'MULTIPLE_CHOICES', message: undefined } : insideOf(body);
  const listed = refusedBy(at({ body }, 'body[0]'));
  if (listed.code !== undefined) return listed;
  return insideOf(body) ?? { code: textAt(body, 'error'), message: textAt(body, 'error_description') };
}

/** What the organisation used of its calls of 24 hours, and how many it has: `api-usage=10018/100000`. */
export function usageOf({ headers }: Reply): { used: number; calls: number } | undefined {
  const found = /api-usage=(\d+)\/(\d+)/.exec(headers['sforce-limit-info'] ?? '');
  return found ? { used: Number(found[1]), calls: Number(found[2]) } : undefined;
}

/** The same code is sent when too many long calls run at once: the allowance is then not used up. */
const isCrowded = (reply: Reply): boolean => {
  const usage = usageOf(reply);
  return usage !== undefined && usage.used < usage.calls;
};

/** Sessions that a new token does not help (dossier, "Errors"). */
const NOT_HERE = /not valid for use with the REST API|not attached to Agent/i;

const HOUR = 3600;

/** Salesforce's refusals by their codes (dossier, "Errors"). */
export const errors: ErrorTable = {
  code: (reply) => refusalOf(reply)?.code,
  message: (reply) => {
    const { message, code } = refusalOf(reply) ?? {};
    if (!message) return undefined;
    return code === 'REQUEST_LIMIT_EXCEEDED' ? `Salesforce's allowance is used up: ${message}` : message;
  },
  rules: [
    { status: 401, when: (reply) => NOT_HERE.test(refusalOf(reply)?.message ?? ''), kind: 'auth_revoked' },
    { status: 401, kind: 'auth_expired' },
    { code: 'INVALID_SESSION_ID', kind: 'auth_expired' },
    { code: 'REQUEST_LIMIT_EXCEEDED', when: isCrowded, kind: 'rate_limited', retryAfter: 10 },
    // Counted over the last 24 hours and without a date: it is tried again when some of them have passed.
    { code: 'REQUEST_LIMIT_EXCEEDED', kind: 'quota_exhausted', retryAfter: HOUR },
    // Only e-mails wait: they have a limit of their own.
    { code: 'SINGLE_EMAIL_LIMIT_EXCEEDED', kind: 'rate_limited', retryAfter: HOUR },
    // Somebody else saves the same record just now: nothing was written.
    { code: 'UNABLE_TO_LOCK_ROW', kind: 'transient', retryAfter: 2, mayHaveActed: false },
    { code: 'QUERY_TIMEOUT', kind: 'transient', retryAfter: 60, mayHaveActed: false },
    {
      code: ['FUNCTIONALITY_TEMPORARILY_UNAVAILABLE', 'INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE'],
      kind: 'transient',
      retryAfter: 300,
      mayHaveActed: false,
    },
    { code: 'SERVER_UNAVAILABLE', kind: 'transient' },
    { status: [500, 502, 503, 504], kind: 'transient' },
    {
      code: ['API_DISABLED_FOR_ORG', 'API_CURRENTLY_DISABLED'],
      kind: 'forbidden',
      message:
        'Salesforce allows no access by API here: the edition has none, or the user lacks the permission "API Enabled". Ask your Salesforce administrator.',
    },
    { code: 'INSUFFICIENT_ACCESS_OR_READONLY', kind: 'forbidden' },
    { code: ['NOT_FOUND', 'ENTITY_IS_DELETED'], kind: 'not_found' },
    {
      code: 'DUPLICATE_VALUE',
      kind: 'conflict',
      existingId: (reply) => /\b([0-9A-Za-z]{18}|[0-9A-Za-z]{15})\b/.exec(refusalOf(reply)?.message ?? '')?.[1],
    },
    { code: 'EMAIL_OPTED_OUT', kind: 'recipient_opted_out' },
    {
      code: ['EMAIL_ADDRESS_BOUNCED', 'INVALID_EMAIL_ADDRESS', 'UNSPECIFIED_EMAIL_ADDRESS'],
      kind: 'recipient_invalid',
    },
    {
      status: 410,
      kind: 'operator',
      message: 'Salesforce has retired the version of its API that this hub speaks. Update the hub.',
    },
    { status: 300, kind: 'invalid', message: 'Salesforce has several records with this id of ours. Merge them there.' },
    { status: 400, kind: 'invalid' },
    // A failure among the results of a call with status 200 or 201.
    { when: (reply) => reply.status < 300 && refusalOf(reply) !== undefined, kind: 'invalid' },
  ],
};
