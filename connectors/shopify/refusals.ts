import { at, type ErrorTable, listAt, type Reply, textAt } from '../../src/kit/index.ts';

interface UserError {
  code?: string;
  field?: string[];
  message: string;
}

/** What mutations refused although the answer is a success (dossier, Actions: not empty means not done). */
const userErrors = ({ body }: Reply): UserError[] => {
  const data = at(body, 'data');
  if (data === null || typeof data !== 'object') return [];
  return Object.values(data).flatMap((payload) => listAt<UserError>(payload, 'userErrors'));
};

const graphErrors = ({ body }: Reply): unknown[] => listAt(body, 'errors');

/** Words of Shopify for things it does not know; most of its user errors have no code. */
const UNKNOWN_THING = /does not exist|not exist|not found|could not be found|couldn't be found/i;

/** How a query differs from the schema of its version (dossier, Errors: version drift). */
const DRIFT = [
  'undefinedField',
  'argumentNotAccepted',
  'undefinedType',
  'missingRequiredArguments',
  'selectionMismatch',
];

/** The code of a refusal, also of one with status 200: that of GraphQL, else `user` or `user:CODE` of a mutation. */
function codeOf(reply: Reply): string | undefined {
  const [first] = graphErrors(reply);
  if (first !== undefined) return textAt(first, 'extensions.code') ?? 'graphql';
  const [refused] = userErrors(reply);
  if (refused !== undefined) return refused.code ? `user:${refused.code}` : 'user';
  return undefined;
}

function messageOf(reply: Reply): string | undefined {
  const told = graphErrors(reply).map((error) => textAt(error, 'message'));
  const refused = userErrors(reply).map(({ field, message }) => {
    const path = (field ?? []).filter((step) => !['input', 'id'].includes(step)).join('.');
    return path === '' ? message : `${path}: ${message}`;
  });
  const sentences = [...told, ...refused].filter((sentence) => sentence !== undefined);
  if (sentences.length > 0) return [...new Set(sentences)].join(' ');
  return textAt(reply.body, 'errors');
}

const refusedWith = (pattern: RegExp) => (reply: Reply) =>
  userErrors(reply).some(({ code, message }) => code === 'NOT_FOUND' || pattern.test(message));

/** Seconds until enough has flowed back for this query (dossier, Limits); at least one. */
export function secondsUntilRestored(reply: Reply): number {
  const number = (path: string): number => Number(textAt(reply.body, `extensions.cost.${path}`));
  const missing = number('requestedQueryCost') - number('throttleStatus.currentlyAvailable');
  const seconds = Math.ceil(missing / number('throttleStatus.restoreRate'));
  return Number.isFinite(seconds) && seconds > 0 ? seconds : 2;
}

/** Shopify's refusals (dossier, Errors). Most come with status 200. */
export const errors: ErrorTable = {
  code: codeOf,
  message: messageOf,
  rules: [
    { code: 'THROTTLED', kind: 'rate_limited', retryAfter: secondsUntilRestored },
    { code: 'ACCESS_DENIED', kind: 'forbidden' },
    { code: DRIFT, kind: 'operator' },
    { code: 'INTERNAL_SERVER_ERROR', kind: 'transient', mayHaveActed: true },
    { when: refusedWith(UNKNOWN_THING), kind: 'not_found' },
    { code: 'user:TAKEN', kind: 'conflict' },
    { code: ['user:INTERNAL_ERROR', 'user:STALE_OBJECT'], kind: 'transient', mayHaveActed: false },
    { status: 402, kind: 'paused', message: 'The shop is frozen at Shopify until its bill is paid.' },
    { status: 423, kind: 'paused', message: 'Shopify has locked the shop while it checks something there.' },
    { status: 430, kind: 'rate_limited', retryAfter: 10 },
    {
      when: ({ status }) => [301, 302, 307, 308].includes(status),
      kind: 'auth_revoked',
      message: 'The shop has another address at Shopify now. Authorise the connection again with that address.',
    },
    { status: 404, kind: 'not_found', message: 'Shopify knows no shop, or no version of its API, at this address.' },
    { when: (reply) => codeOf(reply) !== undefined && reply.status < 400, kind: 'invalid' },
  ],
};
