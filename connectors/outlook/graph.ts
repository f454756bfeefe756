import {
  listAt,
  type Parameters,
  type Reply,
  type RequestSpec,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';

/** Version in the path; additive changes only (dossier, Base). */
export const VERSION = 'v1.0';

/** Ids that survive a move between folders; bodies as text; times in UTC (dossier, Base: Headers). */
const PREFERENCES = ['IdType="ImmutableId"', 'outlook.timezone="UTC"', 'outlook.body-content-type="text"'];

/** The extended property our id is written into; it can be searched for (dossier, Actions: marker). */
export const MARK = 'String {9f1c2b1e-6a8d-4f0b-9d55-3c1f0b7a2e61} Name rapport_id';

export const markOf = (requestId: string): object[] => [{ id: MARK, value: requestId }];

/** What finds the object that carries our id. */
export const byMark = (requestId: string): string =>
  `singleValueExtendedProperties/any(ep: ep/id eq '${MARK}' and ep/value eq '${requestId}')`;

/** A text inside a filter: quotes are doubled. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** A call below the version, with the preferences that belong on every one. @param pageSize records of a page */
export function graph(spec: RequestSpec, pageSize?: number): RequestSpec {
  const preferences = pageSize ? [...PREFERENCES, `odata.maxpagesize=${pageSize}`] : PREFERENCES;
  return { ...spec, path: `/${VERSION}${spec.path}`, headers: { prefer: preferences.join(', '), ...spec.headers } };
}

/** A link the vendor handed out, followed as it is: it carries the whole question. */
export function follow(link: string, pageSize?: number): RequestSpec {
  const { pathname, search } = new URL(link);
  const spec = graph({ method: 'GET', path: '' }, pageSize);
  return { ...spec, path: `${pathname}${search}` };
}

export const nextLink = (reply: Reply): string | undefined =>
  reply.body && typeof reply.body === 'object'
    ? (reply.body as Record<string, string | undefined>)['@odata.nextLink']
    : undefined;

export const deltaLink = (reply: Reply): string | undefined =>
  reply.body && typeof reply.body === 'object'
    ? (reply.body as Record<string, string | undefined>)['@odata.deltaLink']
    : undefined;

/** The members of a collection. @throws TypeError when the answer has none */
export const members = (reply: Reply): unknown[] => (reply.body as { value: unknown[] }).value;

/** The first member of a collection, or undefined. */
export async function firstOf(ctx: VendorContext, path: string, query: Parameters): Promise<unknown> {
  const { body } = await ctx.call(graph({ method: 'GET', path, query }));
  return listAt(body, 'value')[0];
}

/** One object by its path; undefined when it is not there (any more). */
export async function oneOf(ctx: VendorContext, path: string, query: Parameters = {}): Promise<unknown> {
  try {
    return (await ctx.call(graph({ method: 'GET', path, query }))).body;
  } catch (error) {
    if (error instanceof VendorError && error.kind === 'not_found') return undefined;
    throw error;
  }
}

export const step = (id: string): string => encodeURIComponent(id);

/** The list new tasks go into: the one a setting names, else the built-in one, as `account` found it. */
export function taskListOf({ settings, account }: Pick<VendorContext, 'settings' | 'account'>): string {
  const list = textAt(settings, 'taskList') ?? textAt(account.extra, 'taskList');
  if (list) return list;
  throw new VendorError(
    'invalid',
    'The task list of this mailbox is not known yet: test the connection, then try again.',
  );
}
