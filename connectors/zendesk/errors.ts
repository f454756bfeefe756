import { at, type ErrorRule, listAt, type Reply, textAt } from '../../src/kit/index.ts';

// Three forms: `{error, description, details}`, `{error: {title, message}}` and `{errors: [{code, title, detail}]}`.

/** The vendor's error code; undefined for a good answer. */
export function codeOf({ status, body }: Reply): string | undefined {
  if (status < 400) return undefined;
  return textAt(body, 'error') ?? textAt(body, 'error.title') ?? textAt(body, 'errors[0].code');
}

/** What is wrong with each field, in the vendor's words. */
function detailsOf(body: unknown): string[] {
  const details = at(body, 'details');
  if (details === null || typeof details !== 'object') return [];
  return Object.values(details).flatMap((field) =>
    (Array.isArray(field) ? field : [field]).flatMap((one) => textAt(one, 'description') ?? []),
  );
}

/** The vendor's sentences for people. */
export function sentenceOf({ body }: Reply): string | undefined {
  const listed = listAt(body, 'errors').map((one) =>
    [textAt(one, 'title'), textAt(one, 'detail')].filter((text) => text !== undefined).join(': '),
  );
  const told = [
    textAt(body, 'description') ?? textAt(body, 'error.message') ?? textAt(body, 'message'),
    ...detailsOf(body),
    ...listed,
  ].filter((text) => text !== undefined && text !== '');
  const sentence = told.length > 0 ? told.join('; ') : codeOf({ status: 400, headers: {}, body });
  return sentence === undefined ? undefined : `Zendesk says: ${sentence}`;
}

/** An account that is gone or suspended answers with a page for people, or sends there (dossier, Errors). */
const isPage = ({ status, body }: Reply): boolean =>
  [301, 302, 307].includes(status) || ((status === 404 || status === 403) && typeof body === 'string');

export const RULES: readonly ErrorRule[] = [
  {
    when: isPage,
    kind: 'paused',
    message: 'There is no Zendesk at this address any more, or it is suspended. Open it in a browser to see.',
  },
  { status: 401, kind: 'auth_expired' },
  // Of a role or scope; a new token would change nothing.
  { status: 403, kind: 'forbidden', message: 'The person who connected Zendesk has no permission for this.' },
  { status: 404, kind: 'not_found' },
  // Somebody saved the ticket meanwhile, or it is locked: nothing was written, and it is read again.
  { status: 409, kind: 'transient', retryAfter: 5, mayHaveActed: false },
  { status: 429, kind: 'rate_limited', retryAfter: 30 },
  { status: [500, 502, 504], kind: 'transient', mayHaveActed: true },
  { status: 503, kind: 'transient', mayHaveActed: false },
  { status: [400, 413, 422], kind: 'invalid' },
];
