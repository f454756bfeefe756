import { messageOf } from '../base/errors.ts';
import { newId, sha256 } from '../base/ids.ts';
import { openSession, type Session } from '../connections/session.ts';
import { type ListPosition, type Paging, type Purpose, type Reply, type Stream, VendorError } from '../kit/index.ts';
import { setting } from '../settings/store.ts';
import type { SyncDeps } from './deps.ts';
import { ingest, loadSource, type RawRecord, type Source, toRawRecord } from './ingest.ts';
import { park } from './parked.ts';
import {
  beginRun,
  findStream,
  finishRun,
  interruptRun,
  leaseStream,
  type RunPosition,
  type StreamCursor,
  type StreamRow,
  savePage,
} from './store.ts';

const LEASE_MS = 120_000;
/** A vendor gone wrong is asked again at growing distances up to this. */
const MAX_BACKOFF_MS = 30 * 60_000;

export interface RunProgress {
  stream: string;
  seen: number;
  total: number | undefined;
}

export interface RunResult {
  state: 'complete' | 'waiting' | 'stopped' | 'busy';
  seen: number;
  changed: number;
  message?: string;
}

export interface RunOptions {
  /** Pages after which the run gives way to other work and goes on in a new job. */
  maxPages?: number;
  onProgress?: (progress: RunProgress) => void;
}

/**
 * Reads a stream from where it stands to its end. Records and position commit together, page by page, so a run that is
 * killed goes on from the same page; the cursor moves at the end only, and never past the start of the run minus the
 * vendor's lag.
 */
export async function runStream(
  deps: SyncDeps,
  tenantId: string,
  streamId: string,
  options: RunOptions = {},
): Promise<RunResult> {
  const owner = `${deps.processId}:${newId()}`;
  const now = deps.clock.now();
  const row = await deps.db.tenant(tenantId, (tx) =>
    leaseStream(tx, streamId, owner, new Date(now.getTime() + LEASE_MS), now),
  );
  if (!row) return { state: 'busy', seen: 0, changed: 0 };
  const run = { deps, tenantId, owner, row };
  let session: Session | undefined;
  const counts = { seen: 0, changed: 0 };
  try {
    const source = await loadSource(deps, tenantId, row.connection_id);
    const stream = source.connector.streams.find((candidate) => candidate.name === row.name);
    if (!stream) return await stop(run, 'stopped', `${source.connector.name} no longer offers "${row.name}".`, counts);
    session = await openSession(deps, tenantId, row.connection_id, purposeOf(row));
    const complete = await readPages(run, session, source, stream, counts, options);
    if (!complete) return await interrupt(run, counts);
    return { state: 'complete', ...counts };
  } catch (error) {
    if (error instanceof LeaseLost) return { state: 'busy', ...counts };
    return await fail(run, error, counts);
  } finally {
    await session?.close();
  }
}

interface Run {
  deps: SyncDeps;
  tenantId: string;
  owner: string;
  row: StreamRow;
}

class LeaseLost extends Error {}

const purposeOf = (row: StreamRow): Purpose => (row.phase === 'initial' ? 'backfill' : 'incremental');

async function readPages(
  run: Run,
  session: Session,
  source: Source,
  stream: Stream,
  counts: { seen: number; changed: number },
  options: RunOptions,
): Promise<boolean> {
  const { deps, tenantId, owner, row } = run;
  const initial = row.phase === 'initial';
  const way = wayOf(stream, initial);
  let startedAt = row.run_started_at;
  let position = row.position;
  if (!position || !startedAt) {
    startedAt = deps.clock.now();
    const total =
      (await stream.count?.(session.ctx, initial ? undefined : row.cursor.since).catch(() => undefined)) ?? null;
    await deps.db.tenant(tenantId, (tx) => beginRun(tx, row.id, owner, startedAt!, total));
    row.total = total;
    row.run_seen = 0;
    position = {
      pages: 0,
      ...(initial || !stream.incremental || row.cursor.since === undefined
        ? {}
        : { since: overlapped(stream, row.cursor.since) }),
    };
  }
  for (let pages = 0; ; pages++) {
    if (options.maxPages !== undefined && pages >= options.maxPages) return false;
    const page = await readPage(session, stream, way, position);
    const next = nextPosition(way.paging, stream, position, page);
    const saved = await deps.db.tenant(tenantId, async (tx) => {
      const stored = await ingest(
        deps,
        tx,
        source,
        [{ stream: stream.name, records: page.records }],
        initial ? 'backfill' : 'live',
      );
      if (page.nameless > 0) {
        await park(
          tx,
          [
            {
              kind: 'stream',
              reference: `${row.id}/nameless`,
              reason: `${page.nameless} records of ${stream.title} came without an id and cannot be kept apart.`,
              connectionId: row.connection_id,
              streamId: row.id,
            },
          ],
          deps.clock.now(),
        );
      }
      const leaseUntil = new Date(deps.clock.now().getTime() + LEASE_MS);
      const state = {
        owner,
        position: next ?? position!,
        leaseUntil,
        startedAt: startedAt!,
        seen: stored.seen,
        changed: stored.changed,
        total: row.total,
      };
      if (!(await savePage(tx, row.id, state))) throw new LeaseLost();
      return stored;
    });
    counts.seen += saved.seen;
    counts.changed += saved.changed;
    row.run_seen += saved.seen;
    options.onProgress?.({ stream: stream.name, seen: row.run_seen, total: row.total ?? undefined });
    if (!next) break;
    position = next;
  }
  const poll = stream.every ?? (await deps.db.tenant(tenantId, (tx) => setting(tx, 'sync'))).pollSeconds;
  const nextDueAt = new Date(deps.clock.now().getTime() + poll * 1000);
  const cursor = nextCursor(stream, row.cursor, startedAt);
  const finished = await deps.db.tenant(tenantId, (tx) =>
    finishRun(tx, row.id, { owner, cursor, nextDueAt, now: deps.clock.now() }),
  );
  if (!finished) throw new LeaseLost();
  return true;
}

type Way = NonNullable<Stream['initial']>;

/** How this run asks for pages. */
function wayOf(stream: Stream, initial: boolean): Way {
  if (initial && stream.initial) return stream.initial;
  if (!stream.list || !stream.paging)
    throw new VendorError('invalid', `${stream.title} cannot be asked for; it comes by itself.`);
  return { list: stream.list, paging: stream.paging };
}

/** Milliseconds of one step of the vendor's clock. */
const stepOf = (stream: Stream): number =>
  ({ millisecond: 1, second: 1000, day: 86_400_000 })[stream.incremental?.granularity ?? 'millisecond'];

/** Boundaries are read again from one step earlier; what was read before is recognised by its hash. */
const overlapped = (stream: Stream, since: string): string =>
  new Date(new Date(since).getTime() - stepOf(stream)).toISOString();

/** Never past the start of the run minus the vendor's lag, and never back. */
function nextCursor(stream: Stream, before: StreamCursor, startedAt: Date): StreamCursor {
  if (!stream.incremental) return {};
  const limit = new Date(startedAt.getTime() - stream.incremental.lagSeconds * 1000).toISOString();
  return { since: before.since !== undefined && before.since > limit ? before.since : limit };
}

interface Page {
  reply: Reply;
  records: RawRecord[];
  /** Records as listed, before any was left out. */
  size: number;
  nameless: number;
}

async function readPage(session: Session, stream: Stream, way: Way, position: RunPosition): Promise<Page> {
  const { lastIds: _ids, pages: _pages, ...start } = position;
  const at: ListPosition = { limit: way.paging.kind === 'single' ? 0 : way.paging.size, ...start };
  if (way.paging.kind === 'offset' && at.offset === undefined) at.offset = way.paging.first ?? 0;
  if (way.paging.kind === 'page' && at.page === undefined) at.page = way.paging.first ?? 1;
  const reply = await session.call({ safe: true, ...way.list(session.ctx, at) });
  const listed = recordsOf(stream, reply);
  const complete = stream.complete && listed.length > 0 ? await stream.complete(session.ctx, listed) : listed;
  const records = complete.map((raw) => toRawRecord(stream, raw)).filter((record) => record !== undefined);
  return { reply, records, size: listed.length, nameless: complete.length - records.length };
}

/** @throws VendorError `malformed` when the answer does not hold the list it should */
export function recordsOf(stream: Stream, reply: Reply): unknown[] {
  let records: unknown;
  try {
    records = stream.records ? stream.records(reply) : reply.body;
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

/** Where the next page starts, or undefined after the last. A vendor that does not move on is an error, not a loop. */
function nextPosition(paging: Paging, stream: Stream, position: RunPosition, page: Page): RunPosition | undefined {
  const ids = sha256(page.records.map((record) => record.id).join('\n')).toString('base64');
  const pages = position.pages + 1;
  if (ids === position.lastIds && (page.size > 0 || paging.kind === 'token')) {
    throw new VendorError(
      'malformed',
      `${stream.title}: the platform sent the same page again and again; reading stopped after ${pages} pages.`,
    );
  }
  const carried = { pages, ...(position.since === undefined ? {} : { since: position.since }), lastIds: ids };
  switch (paging.kind) {
    case 'single':
      return undefined;
    case 'token': {
      const token = paging.next(page.reply);
      if (token === undefined || token === '') return undefined;
      if (token === position.token)
        throw new VendorError(
          'malformed',
          `${stream.title}: the platform names the same next page again; reading stopped.`,
        );
      return { ...carried, token };
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
        throw new VendorError('malformed', `${stream.title}: the platform ignores the order by id; reading stopped.`);
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

async function interrupt(run: Run, counts: { seen: number; changed: number }): Promise<RunResult> {
  const now = run.deps.clock.now();
  await run.deps.db.tenant(run.tenantId, (tx) =>
    interruptRun(tx, run.row.id, { owner: run.owner, state: 'waiting', error: null, nextDueAt: now, failed: false }),
  );
  return { state: 'waiting', ...counts };
}

async function stop(
  run: Run,
  state: 'waiting' | 'stopped',
  message: string,
  counts: { seen: number; changed: number },
  until?: Date,
  failed = true,
): Promise<RunResult> {
  const backoff = Math.min(MAX_BACKOFF_MS, 15_000 * 2 ** Math.min(run.row.failures, 10));
  const nextDueAt = until ?? new Date(run.deps.clock.now().getTime() + backoff);
  await run.deps.db.tenant(run.tenantId, (tx) =>
    interruptRun(tx, run.row.id, { owner: run.owner, state, error: message, nextDueAt, failed }),
  );
  return { state, message, ...counts };
}

/** Position and cursor stay where they are; what differs is when it is tried again and what a person is told. */
async function fail(run: Run, error: unknown, counts: { seen: number; changed: number }): Promise<RunResult> {
  if (!(error instanceof VendorError)) {
    run.deps.log.error({ err: error, stream: run.row.name }, 'reading a stream failed');
    return stop(run, 'waiting', messageOf(error), counts);
  }
  if (error.kind === 'rate_limited' || error.kind === 'quota_exhausted')
    return stop(run, 'waiting', error.message, counts, error.until, false);
  if (error.kind === 'transient') return stop(run, 'waiting', error.message, counts, error.until);
  return stop(run, 'stopped', error.message, counts);
}

/** The row of a stream, for progress displays. */
export const streamRow = (deps: SyncDeps, tenantId: string, id: string): Promise<StreamRow | undefined> =>
  deps.db.tenant(tenantId, (tx) => findStream(tx, id));
