import { insertRows, type Row, type Tx } from '../../base/database.ts';
import { bumpDue } from '../../base/due.ts';
import type { EntityKind } from '../../kit/index.ts';
import { applyRecords } from '../../model/apply.ts';
import { projectionTable } from '../../model/columns.ts';
import { loadProjections, recordKey, settlePaidDay } from '../../model/documents.ts';
import type { ApplyContext, Mapped } from '../../model/types.ts';
import type { SyncDeps } from '../deps.ts';
import { planAnew, sort } from '../ingest.ts';
import { park, resolveParked } from '../parked.ts';
import { mapAll } from '../prepare.ts';
import type { Source } from '../source.ts';
import { compareRow, goneRecord } from './compare.ts';
import { holdSources, nextSources, type StoredRecord } from './sources.ts';

/** What does not change from batch to batch of one run. */
export interface RemapPlan {
  runId: string;
  /** Kinds that rows of each stream may be of. */
  kinds: ReadonlyMap<string, readonly EntityKind[]>;
  /** A rollback: runs it takes back, and by stream the fingerprints of the mappings they worked by. */
  undone?: { runs: readonly string[]; versions: ReadonlyMap<string, ReadonlySet<string>> };
}

export interface RemapCounts {
  seen: number;
  changed: number;
  parked: number;
  resolved: number;
  joined: number;
}

/** Stored records with what a mapping makes of them. */
export interface MappedBatch {
  streamId: string;
  /** The record before them. */
  after: string | null;
  /** State of the mapping they were mapped by. */
  mappingSeq: number;
  results: (Awaited<ReturnType<typeof mapAll>>[number] & { record: StoredRecord })[];
}

/**
 * Reads the next stored records of a stream and maps them. Writes nothing, so that it can be done for one batch while
 * another is being stored.
 * @param lock hold them, so that nobody stores something newer until they are through
 */
export async function mapNext(
  tx: Tx,
  source: Source,
  stream: { id: string; name: string },
  after: string | null,
  most: number,
  lock: boolean,
): Promise<MappedBatch> {
  const { mappingSeq } = source;
  const records = await nextSources(tx, stream.id, after, most, lock);
  const results = await mapAll(
    tx,
    source,
    stream.name,
    records.map((record) => ({ record })),
  );
  // A mapping that arrived while it was at work may have been used for some of them.
  return { streamId: stream.id, after, mappingSeq: mappingSeq === source.mappingSeq ? mappingSeq : -1, results };
}

/** What was mapped beforehand, held from here on, if it is the next batch and still what mapping it now would give. */
async function stillGood(
  tx: Tx,
  source: Source,
  stream: { id: string },
  after: string | null,
  batch: MappedBatch | undefined,
): Promise<MappedBatch | undefined> {
  if (!batch || batch.streamId !== stream.id || batch.after !== after) return undefined;
  if (batch.mappingSeq !== source.mappingSeq || batch.results.length === 0) return undefined;
  const records = batch.results.map(({ record }) => record);
  return (await holdSources(tx, stream.id, after, records)) ? batch : undefined;
}

/**
 * Brings the next stored records of a stream through the mapping in force, in the transaction of the caller. What is
 * not different is left as it is, so doing it again changes nothing; nothing of it counts as having happened now.
 * @param ahead the same records, mapped beforehand; where anything has changed since, they are read and mapped anew
 * @returns what was done and the id of the last record, which is missing when there was none left
 */
export async function remapBatch(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  plan: RemapPlan,
  stream: { id: string; name: string },
  after: string | null,
  most: number,
  ahead?: MappedBatch,
): Promise<RemapCounts & { last: string | undefined }> {
  const now = deps.clock.now();
  await planAnew(tx);
  const { results } =
    (await stillGood(tx, source, stream, after, ahead)) ?? (await mapNext(tx, source, stream, after, most, true));
  const records = results.map(({ record }) => record);
  const counts: RemapCounts = { seen: records.length, changed: 0, parked: 0, resolved: 0, joined: 0 };
  if (records.length === 0) return { ...counts, last: undefined };
  const outcome = sort(source, stream.name, stream.id, results, now, new Map());
  const parked = new Set(outcome.parking.map((item) => item.remoteId));
  const goneAt = new Map(records.map((record) => [record.id, record.deletedAt]));
  for (const mapped of outcome.mapped) if (mapped.deletedAt) mapped.deletedAt = goneAt.get(mapped.remoteId) ?? now;
  const work = await different(tx, source, plan, stream, records, outcome.mapped, parked, now);
  const context: ApplyContext = {
    now,
    origin: 'replay',
    zone: source.zone,
    sourceOf: source.sourceOf,
    decidedBy: `remap:${plan.runId}`,
    onMerge: (inner, merged) => {
      counts.joined += 1;
      return deps.listeners.onMerge(inner, merged);
    },
  };
  const changes = await applyRecords(tx, work, context, deps.listeners.changes);
  if (changes.some((change) => change.op === 'created'))
    tx.afterCommit(() => bumpDue({ query: deps.db.statement }, tx.tenantId, 'link', now));
  await park(tx, outcome.parking, now);
  counts.changed = work.length;
  counts.parked = outcome.parking.filter((item) => item.kind === 'record').length;
  counts.resolved = await resolveParked(tx, 'record', outcome.mended, 'it could be mapped later', now);
  return { ...counts, last: records.at(-1)!.id };
}

/** Records whose rows must change; the others are only told by which mapping they are. */
async function different(
  tx: Tx,
  source: Source,
  plan: RemapPlan,
  stream: { id: string; name: string },
  records: readonly { id: string }[],
  mapped: readonly Mapped[],
  parked: ReadonlySet<string | undefined>,
  now: Date,
): Promise<Mapped[]> {
  const version = source.mapping.streams.get(stream.name)?.version ?? 'none';
  const work: Mapped[] = [];
  for (const kind of plan.kinds.get(stream.name) ?? []) {
    const own = new Map(mapped.filter((record) => record.kind === kind).map((record) => [record.remoteId, record]));
    const rows = await loadProjections(
      tx,
      kind,
      records.map((record) => ({ streamId: stream.id, remoteId: record.id })),
    );
    if (kind === 'invoice') await keepPaidDays(tx, source, plan, stream.id, own, rows, now);
    const same: string[] = [];
    for (const { id } of records) {
      const record = own.get(id);
      const before = rows.get(recordKey(stream.id, id));
      if (record && before) {
        if (compareRow(record, before, { now, zone: source.zone }).fields.length > 0) work.push({ ...record, before });
        else if (before.mapping_version !== version) same.push(id);
      } else if (record) work.push(record);
      else if (before && !before.deleted_at && goes(plan, stream.name, before, parked.has(id)))
        work.push({ ...goneRecord(kind, before, version, now), before });
    }
    await stamp(tx, kind, stream.id, same, version);
  }
  return work;
}

/**
 * Whether a row goes that the mapping does not make any more. A record that cannot be mapped keeps what is known of it,
 * except when that is the work of the mapping that is taken back.
 */
const goes = (plan: RemapPlan, stream: string, before: Row, parked: boolean): boolean =>
  !parked || (plan.undone?.versions.get(stream)?.has(before.mapping_version as string) ?? false);

async function stamp(
  tx: Tx,
  kind: EntityKind,
  streamId: string,
  ids: readonly string[],
  version: string,
): Promise<void> {
  if (ids.length === 0) return;
  await tx.query(
    `update ${projectionTable(kind)} set mapping_version = $4 where tenant_id = $1 and stream_id = $2 and remote_id = any($3)`,
    [tx.tenantId, streamId, ids, version],
  );
}

/**
 * The day on which an invoice was seen paid is nowhere but in its row: a mapping that says another day leaves it aside,
 * and taking that mapping back brings it back.
 */
async function keepPaidDays(
  tx: Tx,
  source: Source,
  plan: RemapPlan,
  streamId: string,
  records: ReadonlyMap<string, Mapped>,
  rows: ReadonlyMap<string, Row>,
  now: Date,
): Promise<void> {
  if (plan.undone) {
    const { rows: kept } = await tx.query<{ remote_id: string; paid_on: string }>(
      `select distinct on (remote_id) remote_id, paid_on from remap_kept
       where tenant_id = $1 and run_id = any($2) and stream_id = $3 and remote_id = any($4) order by remote_id, run_id`,
      [tx.tenantId, plan.undone.runs, streamId, [...records.keys()]],
    );
    for (const { remote_id, paid_on } of kept) {
      const record = records.get(remote_id)!;
      const settled: Row = { ...record.values, source_updated_at: record.updatedAt };
      settlePaidDay('invoice', undefined, settled, { now, zone: source.zone });
      if (!record.values.paid_on && settled.paid_on) record.values.paid_on = paid_on;
    }
    return;
  }
  const replaced = [...records.values()].flatMap((record) => {
    const seen = rows.get(recordKey(streamId, record.remoteId))?.paid_on;
    return seen && record.values.paid_on && record.values.paid_on !== seen
      ? [{ run_id: plan.runId, stream_id: streamId, remote_id: record.remoteId, paid_on: seen }]
      : [];
  });
  const columns = [
    { name: 'run_id', type: 'uuid' },
    { name: 'stream_id', type: 'uuid' },
    { name: 'remote_id', type: 'text' },
    { name: 'paid_on', type: 'date' },
  ];
  await insertRows(tx, 'remap_kept', columns, replaced, 'on conflict do nothing');
}
