import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, type TSchema, Type } from 'typebox';
import type { Permission, Principal } from '../access/schema.ts';
import { Problem } from '../base/errors.ts';
import { isId } from '../base/ids.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the caller must be allowed to do; `public` for addresses without log-in. Every /v1 route says it. */
    permission?: Permission | 'public';
  }
  interface FastifyRequest {
    principal: Principal | undefined;
  }
}

export { ref } from '../base/schema.ts';

/** The caller of an authenticated route. */
export function caller(request: FastifyRequest): Principal {
  if (!request.principal)
    throw new Problem(401, 'unauthenticated', 'This address needs a log-in.', {
      fix: 'Send an API key or session token as Authorization: Bearer.',
    });
  return request.principal;
}

export const IdParams = Type.Object({ id: Type.String({ format: 'uuid' }) });

export const PageQuery = Type.Object({
  cursor: Type.Optional(Type.String({ maxLength: 200, description: 'Value of `next` of the page before' })),
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
});
export type PageQuery = Static<typeof PageQuery>;

/** A page of a list and the cursor of the next one. */
export const pageOf = <Item extends TSchema>(item: Item) =>
  Type.Object({
    items: Type.Array(item),
    next: Type.Union([Type.String(), Type.Null()], { description: 'Cursor of the next page; null on the last' }),
  });

/** The id a cursor stands for. @throws Problem for anything we did not hand out */
export function cursorId(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const id = Buffer.from(cursor, 'base64url').toString();
  if (!isId(id))
    throw new Problem(400, 'bad_cursor', 'This cursor was not handed out by this hub.', {
      fix: 'Use the value of `next` as it is, or start without a cursor.',
    });
  return id;
}

/** The page of rows read with `limit + 1`, and its cursor. */
export function toPage<Row extends { id: string }, Item>(
  rows: readonly Row[],
  limit: number,
  convert: (row: Row) => Item,
): { items: Item[]; next: string | null } {
  const more = rows.length > limit;
  const kept = rows.slice(0, limit);
  return { items: kept.map(convert), next: more ? Buffer.from(kept.at(-1)!.id).toString('base64url') : null };
}

/** Sets the ETag of a resource. */
export const tag = (reply: FastifyReply, version: number): void => void reply.header('etag', `"${version}"`);

/**
 * The version the caller saw, from If-Match.
 * @throws Problem 428 when it is missing
 */
export function expectedVersion(request: FastifyRequest): number {
  const header = request.headers['if-match'];
  const match = /^(?:W\/)?"(\d+)"$/.exec(header ?? '');
  if (!match)
    throw new Problem(
      428,
      'if_match_required',
      'A change needs the version you saw, so that nobody overwrites what someone else just changed.',
      { fix: 'Read the resource and send its ETag in the If-Match header.' },
    );
  return Number(match[1]);
}
