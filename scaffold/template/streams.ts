import { defineStream, type Stream, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

/** REPLACE: one record by its id; undefined when the vendor has none. */
async function readPerson(ctx: VendorContext, id: string): Promise<unknown> {
  try {
    return (await ctx.call({ method: 'GET', path: `/v1/people/${encodeURIComponent(id)}` })).body;
  } catch (error) {
    if (error instanceof VendorError && error.kind === 'not_found') return undefined;
    throw error;
  }
}

// REPLACE: a stream for each kind of record. Requests are data: the engine pages, waits, retries and stores.
const people = defineStream({
  name: 'people',
  title: 'People',
  entities: ['contact'],
  list: (_ctx, at) => ({
    method: 'GET',
    path: '/v1/people',
    query: { limit: at.limit, after: at.token, updated_since: at.since },
  }),
  paging: { kind: 'token', size: 100, next: (reply) => textAt(reply.body, 'next') },
  records: (reply) => (reply.body as { people: unknown[] }).people,
  id: (record) => textAt(record, 'id'),
  changedAt: (record) => textAt(record, 'updated_at'),
  // REPLACE: how exact the vendor's clock is, and how far its lists trail behind it.
  incremental: { granularity: 'second', lagSeconds: 60, sorted: 'no' },
  // REPLACE: how one learns of a deletion; `none` needs the reason.
  deletes: { kind: 'flag', isDeleted: (record) => textAt(record, 'deleted') === 'true' },
  // What a webhook names is fetched again.
  fetchByIds: {
    max: 20,
    fetch: async (ctx, ids) => {
      const found: unknown[] = [];
      for (const id of ids) {
        const record = await readPerson(ctx, id);
        if (record !== undefined) found.push(record);
      }
      return found;
    },
  },
});

export const streams: readonly Stream[] = [people];
