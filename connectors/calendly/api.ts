import {
  listAt,
  type RequestSpec,
  textAt,
  type VendorContext,
  VendorError,
  at as valueAt,
} from '../../src/kit/index.ts';

/** Results of a page at most (dossier, Read: page max). */
export const LARGEST = 100;

/** What follows the host in a resource's address: the host itself differs in old posts (dossier, Pitfalls). */
export const pathOf = (uri: string | undefined): string => (uri ? new URL(uri).pathname : '');

/** `<event>/<invitee>`, as bookings are named here; undefined for the address of anything else. */
export function bookingId(uri: string | undefined): string | undefined {
  const found = /\/scheduled_events\/([^/]+)\/invitees\/([^/?]+)/.exec(uri ?? '');
  return found ? `${found[1]}/${found[2]}` : undefined;
}

/** Whose events are read and told of: everybody's where the role allows it, unless the setting `scope` says `user`. */
export function whose({ account, settings }: Pick<VendorContext, 'account' | 'settings'>): {
  scope: 'organization' | 'user';
  query: { organization?: string; user?: string };
} {
  const [user, organization] = [textAt(account.extra, 'user') ?? '', textAt(account.extra, 'organization') ?? ''];
  const leads = /^(owner|admin)$/.test(textAt(account.extra, 'role') ?? '');
  return leads && textAt(settings, 'scope') !== 'user'
    ? { scope: 'organization', query: { organization } }
    : { scope: 'user', query: { user } };
}

export const nextToken = (body: unknown): string | undefined => textAt(body, 'pagination.next_page_token');

/** All items of a list, over its pages. */
export async function allOf(ctx: VendorContext, spec: Pick<RequestSpec, 'path' | 'query'>): Promise<unknown[]> {
  const items: unknown[] = [];
  let token: string | undefined;
  do {
    const query = { ...spec.query, count: LARGEST, page_token: token };
    const { body } = await ctx.call({ method: 'GET', path: spec.path, query });
    items.push(...listAt(body, 'collection'));
    token = nextToken(body);
  } while (token);
  return items;
}

/** One resource; undefined when it is not there (any more). */
export async function resourceAt(ctx: VendorContext, path: string): Promise<unknown> {
  try {
    return valueAt((await ctx.call({ method: 'GET', path })).body, 'resource');
  } catch (error) {
    if (error instanceof VendorError && error.kind === 'not_found') return undefined;
    throw error;
  }
}

/** Does work on items, so many at a time, and keeps their order. */
export async function inLanes<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      results[at] = await work(items[at]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
  return results;
}
