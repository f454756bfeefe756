import { appendEvents } from '../../audit/store.ts';
import type { Tx } from '../../base/database.ts';
import { bumpDue } from '../../base/due.ts';
import { messageOf } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import type { SyncDeps } from '../deps.ts';
import { park, resolveFields } from '../parked.ts';
import { holdMapping, loadSource, type Source } from '../source.ts';
import { type MappedBatch, mapNext, type RemapPlan, remapBatch } from './batch.ts';
import { planOf, staleStreams } from './plan.ts';
import { separateNext } from './separate.ts';
import { nextSources } from './sources.ts';
import { leaseRun, listRuns, mappedStreams, noteMapped, type RemapRow, saveRun } from './store.ts';

const LEASE_MS = 60_000;

/** Records of one transaction, unless told otherwise. */
const BATCH = 1000;

/** After a failure it is tried again at growing distances up to this. */
const MAX_BACKOFF_MS = 30 * 60_000;

export interface RemapOptions {
  /** Records of one transaction at most. */
  batch?: number;
  onProgress?: (run: RemapRow) => void;
}

class LeaseLost extends Error {}

interface Work {
  deps: SyncDeps;
  tenantId: string;
  owner: string;
  source: Source;
  plan: RemapPlan;
  /** As it stands in the database after the last commit. */
  run: RemapRow;
}

/**
 * Works on the open remap of a connection, batch by batch, to its end. Rows and position commit together, so one that
 * was killed goes on with the next batch.
 * @returns the run as it stands afterwards; undefined when there is none, or another process is at it
 */
export async function remapConnection(
  deps: SyncDeps,
  tenantId: string,
  connectionId: string,
  options: RemapOptions = {},
): Promise<RemapRow | undefined> {
  const owner = `${deps.processId}:${newId()}`;
  const now = deps.clock.now();
  const run = await deps.db.tenant(tenantId, (tx) =>
    leaseRun(tx, connectionId, owner, new Date(now.getTime() + LEASE_MS), now),
  );
  if (!run) {
    await wakeLater(deps, tenantId, connectionId);
    return undefined;
  }
  try {
    const source = await loadSource(deps, tenantId, connectionId);
    const plan = await deps.db.tenant(tenantId, (tx) => planOf(tx, source, run));
    const work: Work = { deps, tenantId, owner, source, plan, run };
    await separateAll(work);
    await workThrough(work, options);
    return work.run;
  } catch (error) {
    if (error instanceof LeaseLost) return undefined;
    return await fail(deps, tenantId, run, owner, error);
  }
}

/** Batch after batch to the end: while one is stored, the next is read and mapped. */
async function workThrough(work: Work, options: RemapOptions): Promise<void> {
  const { deps, tenantId } = work;
  const most = options.batch ?? BATCH;
  let size = most;
  let ahead: Promise<MappedBatch | undefined> | undefined;
  try {
    while (work.run.state === 'running') {
      ahead ??= mapAhead(work, work.run.after, size);
      const batch = await ahead;
      const last = batch?.results.at(-1)?.record.id;
      ahead = last === undefined ? undefined : mapAhead(work, last, size);
      try {
        work.run = await deps.db.tenant(tenantId, (tx) => step(work, tx, size, batch));
        size = Math.min(most, size * 4);
      } catch (error) {
        if (error instanceof LeaseLost || size === 1) throw error;
        // One record must not keep the others back: it is looked for in ever smaller batches.
        size = Math.max(1, Math.floor(size / 10));
        deps.log.warn({ err: error, run: work.run.id, size }, 'a batch of a remap failed and is tried in smaller ones');
        if (size === 1) work.run = await deps.db.tenant(tenantId, (tx) => stepOver(work, tx, error));
      }
      if (work.run.after !== last) {
        await ahead;
        ahead = undefined;
      }
      options.onProgress?.(work.run);
    }
  } finally {
    await ahead;
  }
}

/** The batch behind `after`, without holding it; whether it is still so is looked at when it is stored. */
async function mapAhead(work: Work, after: string | null, size: number): Promise<MappedBatch | undefined> {
  const { deps, tenantId, source, run } = work;
  const stream = run.streams[0];
  if (!stream) return undefined;
  try {
    return await deps.db.tenant(tenantId, (tx) => mapNext(tx, source, stream, after, size, false));
  } catch {
    // What is wrong shows again, and is told, when the batch itself is at hand: it is read and mapped then.
    return undefined;
  }
}

const leaseEnd = (deps: SyncDeps): Date => new Date(deps.clock.now().getTime() + LEASE_MS);

/** Somebody is at it, or was: it is looked at again when their time is over. */
async function wakeLater(deps: SyncDeps, tenantId: string, connectionId: string): Promise<void> {
  const open = await deps.db.tenant(tenantId, (tx) => listRuns(tx, { connectionId, open: true, limit: 1 }));
  if (open[0]?.lease_until) await bumpDue({ query: deps.db.statement }, tenantId, 'sync', open[0].lease_until);
}

/** One batch, or the end of a stream, or of everything. */
async function step(work: Work, tx: Tx, size: number, ahead: MappedBatch | undefined): Promise<RemapRow> {
  const { deps, owner, source, plan } = work;
  const run: RemapRow = { ...work.run, streams: [...work.run.streams] };
  const save = async (next: Parameters<typeof saveRun>[3]): Promise<RemapRow> => {
    if (!(await saveRun(tx, run, owner, next))) throw new LeaseLost();
    return { ...run, state: next.state ?? 'running' };
  };
  // A crash of the database may lose the last moment, but then rows and position together.
  await tx.query('set local synchronous_commit = off');
  const stream = run.streams[0];
  if (!stream) {
    const now = deps.clock.now();
    await noteEnd(tx, run, now);
    return save({ state: 'done', leaseUntil: null, endedAt: now });
  }
  await holdMapping(tx, source, [stream.name]);
  if (source.mappingSeq !== run.mapping_seq) {
    // The mapping changed meanwhile: what was done by the one before is done again.
    const stale = staleStreams(source, await mappedStreams(tx, run.connection_id));
    const known = new Set(stale.map(({ id }) => id));
    run.streams = [...stale, ...run.streams.filter(({ id }) => !known.has(id))];
    run.mapping_seq = source.mappingSeq;
    run.after = null;
    return save({ leaseUntil: leaseEnd(deps) });
  }
  const { last, ...counts } = await remapBatch(deps, tx, source, plan, stream, run.after, size, ahead);
  for (const name of ['seen', 'changed', 'parked', 'resolved', 'joined'] as const) run[name] += counts[name];
  if (last === undefined) {
    run.streams.shift();
    run.after = null;
    await noteMapped(tx, [{ id: stream.id, version: source.mapping.streams.get(stream.name)?.version ?? 'none' }]);
    await resolveFields(tx, stream.id, run.started_at!, deps.clock.now());
  } else run.after = last;
  return save({ leaseUntil: leaseEnd(deps) });
}

/** Puts the one record aside that the model does not take, and goes on behind it. */
async function stepOver(work: Work, tx: Tx, error: unknown): Promise<RemapRow> {
  const { deps, owner } = work;
  const run: RemapRow = { ...work.run };
  const stream = run.streams[0]!;
  const [record] = await nextSources(tx, stream.id, run.after, 1, true);
  if (record) {
    const reason = `It could not be brought into the model by the changed mapping: ${messageOf(error)}`;
    const about = { connectionId: run.connection_id, streamId: stream.id, remoteId: record.id };
    await park(tx, [{ kind: 'record', reference: `${stream.id}/${record.id}`, reason, ...about }], deps.clock.now());
    run.after = record.id;
    run.seen += 1;
    run.parked += 1;
  }
  if (!(await saveRun(tx, run, owner, { leaseUntil: leaseEnd(deps) }))) throw new LeaseLost();
  return run;
}

/** A rollback first takes apart what the runs it takes back had joined, the latest first. */
async function separateAll(work: Work): Promise<void> {
  const { deps, tenantId, owner, plan } = work;
  if (!plan.undone) return;
  let before: string | undefined;
  for (;;) {
    const found = await deps.db.tenant(tenantId, async (tx) => {
      const next = await separateNext(deps, tx, work.source, plan.undone!.runs, before);
      if (!next) return undefined;
      const run = { ...work.run, separated: work.run.separated + (next.done ? 1 : 0) };
      if (!(await saveRun(tx, run, owner, { leaseUntil: leaseEnd(deps) }))) throw new LeaseLost();
      return { run, id: next.id };
    });
    if (!found) return;
    work.run = found.run;
    before = found.id;
  }
}

async function noteEnd(tx: Tx, run: RemapRow, now: Date): Promise<void> {
  const { seen, changed, parked, resolved, joined, separated, reason, version } = run;
  await appendEvents(tx, [
    {
      actor: run.created_by,
      action: 'mapping.remapped',
      subject: { kind: 'connection', id: run.connection_id },
      data: { run: run.id, reason, version, seen, changed, parked, resolved, joined, separated },
      at: now,
    },
  ]);
}

/** The run stays open with the reason; it is tried again by itself. */
async function fail(
  deps: SyncDeps,
  tenantId: string,
  run: RemapRow,
  owner: string,
  error: unknown,
): Promise<RemapRow | undefined> {
  deps.log.error({ err: error, run: run.id }, 'bringing stored records through a mapping failed');
  const until = new Date(
    deps.clock.now().getTime() + Math.min(MAX_BACKOFF_MS, 15_000 * 2 ** Math.min(run.failures, 10)),
  );
  const { rowCount } = await deps.db.tenant(tenantId, (tx) =>
    tx.query(
      `update remap_run set state = 'waiting', error = $4, failures = failures + 1, lease_owner = null, lease_until = $5
       where tenant_id = $1 and id = $2 and lease_owner = $3`,
      [tenantId, run.id, owner, messageOf(error), until],
    ),
  );
  if (rowCount === 0) return undefined;
  await bumpDue({ query: deps.db.statement }, tenantId, 'sync', until);
  return { ...run, state: 'waiting', error: messageOf(error) };
}
