import { defineStream, listAt, type Stream, textAt, type VendorContext } from '../../src/kit/index.ts';

const DAY = 86_400;

/** Entries read again at the head of each page: whoever is taken off a list meanwhile moves those behind up. */
const OVERLAP = 20;

const unix = (iso: string): number => Math.floor(new Date(iso).getTime() / 1000);

/** When an address came onto a list; entries never change, they come and go. */
const createdAt = (record: unknown): string | undefined => {
  const seconds = Number(textAt(record, 'created'));
  return Number.isFinite(seconds) ? new Date(seconds * 1000).toISOString() : undefined;
};

interface List {
  name: string;
  title: string;
  /** Path below `/v3/suppression`. */
  path: string;
}

/** A list of addresses SendGrid does not send to. */
const suppression = ({ name, title, path }: List, more: Pick<Stream, 'entities' | 'id'>): Stream =>
  defineStream({
    name,
    title,
    ...more,
    // Posts tell of these at once; this is the net under them (dossier, Opt-out: each hour).
    every: 3600,
    list: (_ctx, at) => ({
      method: 'GET',
      path: `/v3/suppression/${path}`,
      headers: { accept: 'application/json' },
      query: {
        limit: at.limit,
        offset: Math.max(0, (at.offset ?? 0) - OVERLAP),
        ...(at.since ? { start_time: unix(at.since) } : {}),
      },
    }),
    paging: { kind: 'offset', size: 500 },
    records: ({ body }) => body as unknown[],
    changedAt: createdAt,
    incremental: { granularity: 'second', lagSeconds: 300, sorted: 'no' },
    // Who is taken off a list is simply not in it any more.
    deletes: { kind: 'sweep', sweep: { everySeconds: DAY } },
    fetchByIds: {
      max: 10,
      fetch: async (ctx: VendorContext, ids) => {
        const found: unknown[] = [];
        for (const id of ids) {
          const { body } = await ctx.call({
            method: 'GET',
            path: `/v3/suppression/${path}`,
            headers: { accept: 'application/json' },
            query: { email: id, limit: 500, offset: 0 },
          });
          // The filter may find more than the one asked for.
          found.push(...listAt({ body }, 'body').filter((record) => more.id(record) === id));
        }
        return found;
      },
    },
  });

const byEmail = (record: unknown): string | undefined => textAt(record, 'email')?.toLowerCase();

export const streams: readonly Stream[] = [
  suppression(
    { name: 'unsubscribes', title: 'Global unsubscribes', path: 'unsubscribes' },
    { entities: ['contact'], id: byEmail },
  ),
  suppression(
    { name: 'spam_reports', title: 'Spam reports', path: 'spam_reports' },
    { entities: ['contact'], id: byEmail },
  ),
  suppression({ name: 'bounces', title: 'Bounces', path: 'bounces' }, { entities: ['activity'], id: byEmail }),
];
