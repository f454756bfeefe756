import { messageOf } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { type Session, sessionOf } from '../connections/session.ts';
import { type Purpose, type Stream, VendorError } from '../kit/index.ts';
import { readAhead, storeInTurn } from './ahead.ts';
import { nextPollAt, noteCost } from './cost.ts';
import { gatherFlagged, settleFlagged } from './deletions.ts';
import { beginAnew, begunAt, deltaOf, endAt, isLost } from './delta.ts';
import type { SyncDeps } from './deps.ts';
import { type Ingested, ingestPrepared } from './ingest.ts';
import { tellLoaded } from './loaded.ts';
import { nextCursor, nextPosition, overlapped, type Page, readPage, UNTRUE, vendorTime, wayOf } from './paging.ts';
import { park, resolveFields } from './parked.ts';
import { type Prepared, prepare, type RawBatch } from './prepare.ts';
import { isWatched, noteSeen } from './quarantine.ts';
import { jsonOfRecord } from './records.ts';
import { noteFound } from './silence.ts';
import { loadSource, type Source } from './source.ts';
import { beginRun, finishRun, interruptRun, leaseStream, type RunPosition, type StreamRow, savePage } from './store.ts';

const LEASE_MS = 120_000;

/** Records of one transaction at most: fewer round trips and plans, and still no long locks. */
const BATCH = 1000;

/** More than this no platform holds; the column for it ends there. */
const MOST_RECORDS = 2_000_000_000;

/** A record of up to this size weighs one; larger ones more, so that a batch stays below about 8 MB. */
const BYTES_A_RECORD = 8192;

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
  /** It was the first load; known only to whoever did it. */
  first?: boolean;
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
  const { row, watched } = await deps.db.tenant(tenantId, async (tx) => ({
    row: await leaseStream(tx, streamId, owner, new Date(now.getTime() + LEASE_MS), now),
    watched: await isWatched(tx, streamId),
  }));
  if (!row) return { state: 'busy', seen: 0, changed: 0 };
  const run: Run = { deps, tenantId, owner, row, watched, leasedAt: now, pages: 0 };
  let complete = false;
  let session: Session | undefined;
  let stream: Stream | undefined;
  const counts = { seen: 0, changed: 0 };
  try {
    const source = await loadSource(deps, tenantId, row.connection_id);
    stream = source.connector.streams.find((candidate) => candidate.name === row.name);
    if (!stream) return await stop(run, 'stopped', `${source.connector.name} no longer offers "${row.name}".`, counts);
    session = sessionOf(deps, tenantId, source, purposeOf(row));
    complete = await readPages(run, session, source, stream, counts, options);
    if (!complete) return await interrupt(run, counts);
    return { state: 'complete', first: row.phase === 'initial', ...counts };
  } catch (error) {
    if (error instanceof LeaseLost) return { state: 'busy', ...counts };
    if (isLost(run, stream, error)) {
      await beginAnew(deps, tenantId, row.id, owner);
      return { state: 'waiting', ...counts };
    }
    return await fail(run, error, counts);
  } finally {
    if (session && run.pages > 0) {
      const seconds = (deps.clock.now().getTime() - now.getTime()) / 1000;
      const cost = { complete, calls: session.made(), pages: run.pages, records: counts.seen, seconds };
      await deps.db.tenant(tenantId, (tx) =>
        noteCost(tx, streamId, { initial: row.phase === 'initial', ...cost }, deps.clock.now()),
      );
    }
    await session?.close();
  }
}

interface Run {
  deps: SyncDeps;
  tenantId: string;
  owner: string;
  row: StreamRow;
  /** Whether seeing a record changes anything by itself. */
  watched: boolean;
  leasedAt: Date;
  /** Pages read so far. */
  pages: number;
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
    const counted = await stream.count?.(session.ctx, initial ? undefined : row.cursor.since).catch(() => undefined);
    // A figure for people: what is no number of records is left out.
    const total = counted !== undefined && Number.isInteger(counted) && counted <= MOST_RECORDS ? counted : null;
    await deps.db.tenant(tenantId, (tx) => beginRun(tx, row.id, owner, startedAt!, total));
    row.total = total;
    row.run_seen = 0;
    const delta = deltaOf(stream, row.cursor, initial, startedAt);
    position = {
      pages: 0,
      ...delta,
      ...(await begunAt(session, stream, delta)),
      ...(initial || !stream.incremental || row.cursor.since === undefined
        ? {}
        : { since: overlapped(stream, row.cursor.since) }),
    };
  }
  const first = position;
  const ahead = readAhead((from: RunPosition) => readStep(session, stream, way, from), first, BATCH, options.maxPages);
  // Stopped between its last page and its end, it has nothing more to read.
  let next: RunPosition | undefined = first.done ? undefined : first;
  let end: RunPosition | undefined = first.done ? first : undefined;
  const batchOf = (group: readonly { item: Page }[]): RawBatch => ({
    stream: stream.name,
    records: group.flatMap(({ item }) => item.records),
  });
  if (next)
    await storeInTurn(
      ahead,
      (group) => deps.db.tenant(tenantId, (tx) => prepare(tx, source, batchOf(group))),
      async (group, prepared) => {
        const last = group.at(-1)!;
        const pages = group.map((step) => step.item);
        // A clock of ours that is ahead must not carry the cursor past changes the vendor has yet to date.
        if (first.pages === 0 && run.pages === 0) startedAt = earlier(startedAt!, vendorTime(pages[0]!.reply));
        const position = last.next ?? endAt(session, stream, way.paging, last);
        if (!last.next) end = position;
        const saved = await storePages(run, source, stream, { pages, prepared }, position, startedAt!);
        next = last.next;
        run.pages += group.length;
        counts.seen += saved.seen;
        counts.changed += saved.changed;
        row.run_seen += saved.seen;
        options.onProgress?.({ stream: stream.name, seen: row.run_seen, total: row.total ?? undefined });
      },
    );
  if (next) return false;
  // What seldom changes or costs much is asked for less often than the business wants, never more often.
  const nextDueAt = await nextPollAt(deps, tenantId, source, stream);
  const cursor = nextCursor(stream, row.cursor, startedAt, end);
  const finished = await deps.db.tenant(tenantId, async (tx) => {
    await settleFlagged(deps, tx, source, stream.name, initial ? 'backfill' : 'live');
    if (initial || (!stream.incremental && first.delta === undefined))
      await resolveFields(tx, row.id, startedAt!, deps.clock.now());
    if (initial) await tellLoaded(deps, tx);
    return finishRun(tx, row.id, { owner, cursor, nextDueAt, leasedAt: run.leasedAt, now: deps.clock.now() });
  });
  if (!finished) throw new LeaseLost();
  return true;
}

const earlier = (one: Date, other: Date | undefined): Date => (other && other < one ? other : one);

/** Reads one page; its size counts records and weighs their bytes, so that large records make smaller batches. */
async function readStep(
  session: Session,
  stream: Stream,
  way: ReturnType<typeof wayOf>,
  from: RunPosition,
): Promise<{ item: Page; size: number; next: RunPosition | undefined; from: RunPosition }> {
  const page = await readPage(session, stream, way, from);
  const bytes = page.records.reduce((sum, record) => sum + jsonOfRecord(record).text.length, 0);
  return {
    item: page,
    size: Math.max(page.records.length, bytes / BYTES_A_RECORD),
    next: nextPosition(way.paging, stream, from, page, session.ctx),
    from,
  };
}

/** Records and position commit together. @throws LeaseLost when somebody else reads the stream meanwhile */
async function storePages(
  run: Run,
  source: Source,
  stream: Stream,
  { pages, prepared }: { pages: readonly Page[]; prepared: Prepared },
  position: RunPosition,
  startedAt: Date,
): Promise<Ingested> {
  const { deps, tenantId, owner, row } = run;
  const origin = row.phase === 'initial' ? 'backfill' : 'live';
  return deps.db.tenant(tenantId, async (tx) => {
    // A crash of the database may lose the last moment, but then records and position together: it is read again.
    if (origin === 'backfill') await tx.query('set local synchronous_commit = off');
    const stored = await ingestPrepared(deps, tx, source, [await gatherFlagged(tx, prepared)], origin);
    if (origin === 'live' && stored.changes.length > 0) {
      const found = prepared.changed.map(({ record }) => record);
      await noteFound(deps, tx, source, stream.name, found, { startedAt });
    }
    if (run.watched) for (const page of pages) await noteSeen(tx, row.id, page.records, deps.clock.now());
    const nameless = pages.reduce((sum, page) => sum + page.nameless, 0);
    if (nameless > 0) {
      const reason = `${nameless} records of ${stream.title} came without an id and cannot be kept apart.`;
      const about = { connectionId: row.connection_id, streamId: row.id };
      await park(tx, [{ kind: 'stream', reference: `${row.id}/nameless`, reason, ...about }], deps.clock.now());
    }
    const state = {
      owner,
      position,
      leaseUntil: new Date(deps.clock.now().getTime() + LEASE_MS),
      startedAt,
      seen: stored.seen,
      changed: stored.changed,
      total: row.total,
    };
    if (!(await savePage(tx, row.id, state))) throw new LeaseLost();
    return stored;
  });
}

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
  anew = false,
): Promise<RunResult> {
  const backoff = Math.min(MAX_BACKOFF_MS, 15_000 * 2 ** Math.min(run.row.failures, 10));
  const nextDueAt = until ?? new Date(run.deps.clock.now().getTime() + backoff);
  await run.deps.db.tenant(run.tenantId, (tx) =>
    interruptRun(tx, run.row.id, { owner: run.owner, state, error: message, nextDueAt, failed, anew }),
  );
  return { state, message, ...counts };
}

/** Position and cursor stay where they are, unless pages contradicted each other; what differs is when it is tried again and what a person is told. */
async function fail(run: Run, error: unknown, counts: { seen: number; changed: number }): Promise<RunResult> {
  if (!(error instanceof VendorError)) {
    run.deps.log.error({ err: error, stream: run.row.name }, 'reading a stream failed');
    return stop(run, 'waiting', messageOf(error), counts);
  }
  if (error.kind === 'rate_limited' || error.kind === 'quota_exhausted')
    return stop(run, 'waiting', error.message, counts, error.until, false);
  if (error.kind === 'transient')
    return stop(run, 'waiting', error.message, counts, error.until, true, error.code === UNTRUE.code);
  return stop(run, 'stopped', error.message, counts, undefined, true, error.code === UNTRUE.code);
}
