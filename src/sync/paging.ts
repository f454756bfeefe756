import { messageOf } from '../base/errors.ts';
import { sha256 } from '../base/ids.ts';
import type { Session } from '../connections/session.ts';
import {
  type ListPosition,
  type Paging,
  type Reply,
  type Stream,
  type VendorContext,
  VendorError,
} from '../kit/index.ts';
import { type RawRecord, toRawRecord } from './records.ts';
import type { RunPosition, StreamCursor } from './store.ts';

type Way = NonNullable<Stream['initial']>;
/** How this run asks for pages. */
export function wayOf(stream: Stream, initial: boolean): Way {
  if (initial && stream.initial) return stream.initial;
  if (!stream.list || !stream.paging)
    throw new VendorError('invalid', `${stream.title} cannot be asked for; it comes by itself.`);
  return { list: stream.list, paging: stream.paging };
}

/** Milliseconds of one step of the vendor's clock. */
const stepOf = (stream: Stream): number =>
  ({ millisecond: 1, second: 1000, day: 86_400_000 })[stream.incremental?.granularity ?? 'millisecond'];
/** Boundaries are read again from one step earlier; what was read before is recognised by its hash. */
export const overlapped = (stream: Stream, since: string): string =>
  new Date(new Date(since).getTime() - stepOf(stream)).toISOString();
/** Never past the start of the run minus the vendor's lag, and never back. */
export function nextCursor(
  stream: Stream,
  before: StreamCursor,
  startedAt: Date,
  end: RunPosition | undefined,
): StreamCursor {
  if (stream.delta) {
    if (end?.ended === undefined) return {};
    const deltaSince = (end.delta === undefined ? undefined : before.deltaSince) ?? startedAt.toISOString();
    return { delta: end.ended, deltaSince };
  }
  if (!stream.incremental) return {};
  const limit = new Date(startedAt.getTime() - stream.incremental.lagSeconds * 1000).toISOString();
  return { since: before.since !== undefined && before.since > limit ? before.since : limit };
}

/** The vendor's own time, as an answer tells it. */
export function vendorTime({ headers }: Reply): Date | undefined {
  const told = Date.parse(headers.date ?? '');
  return Number.isNaN(told) ? undefined : new Date(told);
}

/** A page as read. */
export interface Page {
  reply: Reply;
  records: RawRecord[];
  /** Records as listed, before any was left out. */
  size: number;
  nameless: number;
}

/** What a connector is asked for at a position. */
export function listPosition(paging: Paging, position: RunPosition): ListPosition {
  const {
    lastIds: _ids,
    markIds: _mark,
    pages: _pages,
    ended: _ended,
    done: _done,
    listed: _listed,
    ...start
  } = position;
  const at: ListPosition = { limit: paging.kind === 'single' ? 0 : paging.size, ...start };
  if (paging.kind === 'offset' && at.offset === undefined) at.offset = paging.first ?? 0;
  if (paging.kind === 'page' && at.page === undefined) at.page = paging.first ?? 1;
  return at;
}

export async function readPage(session: Session, stream: Stream, way: Way, position: RunPosition): Promise<Page> {
  const at = listPosition(way.paging, position);
  let reply: Reply;
  try {
    reply = await session.call({ safe: true, ...(await way.list(session.ctx, at)) });
  } catch (error) {
    throw way.paging.kind === 'token' && at.token !== undefined ? refusedToken(way.paging, error) : error;
  }
  const listed = recordsOf(stream, reply, at, session.ctx);
  const complete = stream.complete && listed.length > 0 ? await stream.complete(session.ctx, listed, at) : listed;
  const records = complete.map((raw) => toRawRecord(stream, raw)).filter((record) => record !== undefined);
  return { reply, records, size: listed.length, nameless: complete.length - records.length };
}

/** A place in the vendor's list that the vendor forgot: there is no going on from it. */
function refusedToken({ lost }: Extract<Paging, { kind: 'token' }>, error: unknown): unknown {
  if (!(error instanceof VendorError) || !lost?.(error)) return error;
  return new VendorError('transient', error.message, { ...UNTRUE, cause: error });
}

/** @throws VendorError `malformed` when the answer does not hold the list it should */
export function recordsOf(stream: Stream, reply: Reply, at: ListPosition, ctx: VendorContext): unknown[] {
  let records: unknown;
  try {
    records = stream.records ? stream.records(reply, at, ctx) : reply.body;
  } catch (cause) {
    throw new VendorError(
      'malformed',
      `The list of ${stream.title} has another form than expected: ${messageOf(cause)}`,
      { cause },
    );
  }
  if (!Array.isArray(records))
    throw new VendorError(
      'malformed',
      `The list of ${stream.title} has another form than expected: there is no list of records in it.`,
    );
  return records;
}

/** The platform's pages contradict each other: where a run stands by them says nothing, and it begins anew. */
export const UNTRUE = { code: 'contradicting_pages' };

/** Where the next page starts, or undefined after the last. A vendor that does not move on is an error, not a loop. */
export function nextPosition(
  paging: Paging,
  stream: Stream,
  position: RunPosition,
  page: Page,
  ctx: VendorContext,
): RunPosition | undefined {
  const ids = sha256(page.records.map((record) => record.id).join('\n')).toString('base64');
  const pages = position.pages + 1;
  // Keyset paging goes forward in time and checks that itself.
  const inTurn = paging.kind !== 'keyset' && page.size > 0 && ids === position.markIds;
  if (
    inTurn ||
    (ids === position.lastIds && (page.size > 0 || (paging.kind === 'token' && !stream.delta && !stream.sparse)))
  ) {
    throw new VendorError(
      'malformed',
      `${stream.title}: the platform sent the same page again and again; reading stopped after ${pages} pages.`,
      UNTRUE,
    );
  }
  // Marked are pages 1, 2, 4, 8 and so on: however many come in turn, the mark is among them before long.
  const markIds = Number.isInteger(Math.log2(pages)) ? ids : position.markIds;
  const carried = {
    pages,
    ...(position.since === undefined ? {} : { since: position.since }),
    ...(position.delta === undefined ? {} : { delta: position.delta }),
    ...(position.ended === undefined ? {} : { ended: position.ended }),
    lastIds: ids,
    ...(paging.kind === 'keyset' || markIds === undefined ? {} : { markIds }),
  };
  switch (paging.kind) {
    case 'single':
      return undefined;
    case 'token': {
      const token = paging.next(page.reply, listPosition(paging, position), ctx);
      if (token === undefined || token === '') return undefined;
      if (token === position.token)
        throw new VendorError(
          'malformed',
          `${stream.title}: the platform names the same next page again; reading stopped.`,
          UNTRUE,
        );
      return (
        beyondCap(paging, stream, position, page, carried) ?? {
          ...carried,
          token,
          listed: (position.listed ?? 0) + paging.size,
        }
      );
    }
    case 'offset':
      return page.size < paging.size
        ? undefined
        : { ...carried, offset: (position.offset ?? paging.first ?? 0) + page.size };
    case 'page':
      return page.size < paging.size ? undefined : { ...carried, page: (position.page ?? paging.first ?? 1) + 1 };
    case 'keyset':
      return nextKeyset(paging, stream, position, page, carried);
  }
}

/** Before a vendor's cap on results is met, a fresh query begins at the last moment seen; undefined: it is not near. */
function beyondCap(
  paging: Extract<Paging, { kind: 'token' }>,
  stream: Stream,
  position: RunPosition,
  page: Page,
  carried: RunPosition,
): RunPosition | undefined {
  // As if every page were full: what is listed may be more than the records made of it.
  const listed = (position.listed ?? 0) + paging.size;
  if (paging.cap === undefined || listed + paging.size <= paging.cap) return undefined;
  const times = page.records.map((record) => record.vendorAt);
  if (times.some((time, at) => time === undefined || (at > 0 && time < times[at - 1]!))) {
    throw new VendorError(
      'malformed',
      `${stream.title}: the platform ignores the order by time; reading stopped so that nothing is skipped.`,
      UNTRUE,
    );
  }
  const moment = times.at(-1);
  // Equal moments beyond the cap cannot be told apart: the vendor then ends its list or refuses.
  return moment !== undefined && moment > (position.since ?? '') ? { ...carried, since: moment } : undefined;
}

/** The next query of keyset paging starts at the last moment seen; equal moments beyond a page are walked apart. */
function nextKeyset(
  paging: Extract<Paging, { kind: 'keyset' }>,
  stream: Stream,
  position: RunPosition,
  page: Page,
  carried: RunPosition,
): RunPosition | undefined {
  const last = page.records.at(-1);
  const { tie } = position;
  if (tie) {
    if (page.size >= paging.size && last) {
      if (paging.ties === 'offset') return { ...carried, tie: { at: tie.at, offset: (tie.offset ?? 0) + page.size } };
      if (tie.afterId !== undefined && compareIds(last.id, tie.afterId) <= 0)
        throw new VendorError(
          'malformed',
          `${stream.title}: the platform ignores the order by id; reading stopped.`,
          UNTRUE,
        );
      return { ...carried, tie: { at: tie.at, afterId: last.id } };
    }
    // The equal moments are read: go on behind them.
    return { pages: carried.pages, since: new Date(new Date(tie.at).getTime() + stepOf(stream)).toISOString() };
  }
  if (page.size < paging.size || !last) return undefined;
  const times = page.records.map((record) => record.vendorAt);
  if (times.some((time, at) => time === undefined || (at > 0 && time < times[at - 1]!))) {
    throw new VendorError(
      'malformed',
      `${stream.title}: the platform ignores the order by time; reading stopped so that nothing is skipped.`,
      UNTRUE,
    );
  }
  const moment = last.vendorAt!;
  // The walk by id begins with records this page held too; that is no repetition.
  if (moment === times[0])
    return {
      pages: carried.pages,
      tie: { at: moment },
      ...(position.since === undefined ? {} : { since: position.since }),
    };
  return { ...carried, since: moment };
}

/** Ids that are numbers are compared as numbers, as the vendors do. */
const compareIds = (a: string, b: string): number =>
  /^\d+$/.test(a) && /^\d+$/.test(b) ? Number(BigInt(a) - BigInt(b)) : a < b ? -1 : a > b ? 1 : 0;
