import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { noteWaiting } from '../connections/store.ts';
import type { Origin } from '../model/types.ts';
import { setting } from '../settings/store.ts';
import { markDeleted } from './deletes.ts';
import {
  type DeletionCause,
  deletedSince,
  gatherDeletions,
  heldOf,
  noteDeletions,
  sparedOf,
  takeGathered,
} from './deletions.store.ts';
import type { SyncDeps } from './deps.ts';
import { type Ingested, ingest } from './ingest.ts';
import { followVendorMerge, type VendorMerge } from './merges.ts';
import type { Prepared } from './prepare.ts';
import type { RawRecord } from './records.ts';
import type { Source } from './source.ts';

/** Why records are deleted: the way it was learned, and what an auditor wants to see of it. */
export interface Why {
  cause: DeletionCause;
  evidence: Record<string, unknown>;
}

/** A mass deletion that comes in many small batches counts as one. */
const WINDOW_MS = 3_600_000;

/** Records brought into the model in one go. */
const CHUNK = 1000;

/** A pass that misses everything is more likely blind than right, from so many records on. */
const EVERYTHING = 10;

/**
 * Deletes records, unless that would be more of the stream at once than the business allows: then all of them are held
 * back until a person decides. What we never had, what changed since, and what a person wants kept is left out.
 * @param found what the vendor named; `at` is when the vendor dates the deletion
 * @returns what was stored, and how many are held
 */
export async function deleteSafely(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  stream: string,
  found: readonly { id: string; at?: Date | undefined }[],
  origin: Origin,
  why: Why,
): Promise<Ingested & { held: number }> {
  const result = { seen: 0, changed: 0, parked: 0, changes: [] as Ingested['changes'], held: 0 };
  const living = await livingNow(tx, source.streamIds.get(stream)!, found);
  const verdict = await judge(deps, tx, source, stream, living, why);
  result.held = verdict.held;
  for (let start = 0; start < verdict.doomed.length; start += CHUNK) {
    const done = await markDeleted(deps, tx, source, stream, verdict.doomed.slice(start, start + CHUNK), origin);
    result.seen += done.seen;
    result.changed += done.changed;
    result.changes.push(...done.changes);
  }
  return result;
}

/** Those of the named records that are stored as living and did not change after their deletion. */
export async function livingAmong(
  tx: Tx,
  streamId: string,
  found: readonly { id: string; at?: Date | undefined }[],
): Promise<string[]> {
  if (found.length === 0) return [];
  const { rows } = await tx.query<{ remote_id: string; vendor_at: Date | null }>(
    'select remote_id, vendor_at from source_record where tenant_id = $1 and stream_id = $2 and remote_id = any($3) and deleted_at is null',
    [tx.tenantId, streamId, found.map(({ id }) => id)],
  );
  const at = new Map(found.map((item) => [item.id, item.at]));
  return rows
    .filter((row) => !row.vendor_at || (at.get(row.remote_id) ?? row.vendor_at) >= row.vendor_at)
    .map((row) => row.remote_id);
}

/**
 * The same, one at a time for a stream: two batches that are small each can be too many together, and two that name the
 * same record are one.
 */
async function livingNow(tx: Tx, streamId: string, found: Parameters<typeof livingAmong>[2]): Promise<string[]> {
  const living = await livingAmong(tx, streamId, found);
  if (living.length === 0) return living;
  await tx.query('select from stream where tenant_id = $1 and id = $2 for update', [tx.tenantId, streamId]);
  return livingAmong(tx, streamId, found);
}

/**
 * Takes out of a page what its flag would delete, and keeps it until the reading is at its end: one page does not tell
 * whether they are too many.
 * @returns what may be stored now
 */
export async function gatherFlagged(tx: Tx, prepared: Prepared): Promise<Prepared> {
  const dies = ({ record }: Prepared['changed'][number]): boolean =>
    record.deleted === true && prepared.present.get(record.id)?.deleted_at === null;
  const dying = prepared.changed.filter(dies).map(({ record }) => record);
  if (dying.length === 0) return prepared;
  await gatherDeletions(tx, prepared.streamId, dying);
  return { ...prepared, changed: prepared.changed.filter((item) => !dies(item)) };
}

/** At the end of a reading, deletes what was gathered on its pages, or holds it. */
export async function settleFlagged(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  stream: string,
  origin: Origin,
): Promise<Ingested> {
  const flagged = await takeGathered(tx, source.streamIds.get(stream)!);
  const merges = mergesAmong(source, stream, flagged);
  for (const merge of merges) await followVendorMerge(deps, tx, source, merge);
  // What is part of another record now is no loss: it is never held.
  const joined = new Set(merges.map(({ from }) => from));
  const others = flagged.filter(({ id }) => !joined.has(id));
  const records = [
    ...flagged.filter(({ id }) => joined.has(id)),
    ...(await guardRecords(deps, tx, source, stream, others)),
  ];
  return ingest(deps, tx, source, [{ stream, records }], origin);
}

/** Records of which the vendor says that they became part of another one. */
function mergesAmong(source: Source, name: string, records: readonly RawRecord[]): VendorMerge[] {
  const stream = source.connector.streams.find((candidate) => candidate.name === name);
  return records.flatMap(({ id, raw }) => {
    const into = stream?.mergedInto?.(raw);
    return into === undefined ? [] : [{ stream: name, from: id, into }];
  });
}

/** Takes out of records read together what their flag would delete and must not be deleted now. */
export async function guardRecords(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  stream: string,
  records: readonly RawRecord[],
): Promise<RawRecord[]> {
  const dying = records.filter((record) => record.deleted);
  if (dying.length === 0) return [...records];
  const found = dying.map(({ id, vendorAt }) => ({ id, at: vendorAt ? new Date(vendorAt) : undefined }));
  const living = await livingNow(tx, source.streamIds.get(stream)!, found);
  const evidence = { readAt: deps.clock.now().toISOString() };
  const { doomed } = await judge(deps, tx, source, stream, living, { cause: 'flag', evidence });
  const kept = new Set(living.filter((id) => !doomed.includes(id)));
  return records.filter((record) => !record.deleted || !kept.has(record.id));
}

/** Decides about living records the vendor says are gone, and writes the decision down. */
async function judge(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  stream: string,
  living: readonly string[],
  { cause, evidence }: Why,
): Promise<{ doomed: string[]; held: number }> {
  if (living.length === 0) return { doomed: [], held: 0 };
  const now = deps.clock.now();
  const streamId = source.streamIds.get(stream)!;
  const batch = { connection_id: source.connection.id, stream_id: streamId, cause, evidence };
  if (cause === 'privacy') {
    await noteDeletions(tx, { ...batch, state: 'applied', living: null, allowed: null }, living, now);
    return { doomed: [...living], held: 0 };
  }
  const spared = await sparedOf(tx, streamId, living);
  const doomed = living.filter((id) => !spared.has(id));
  if (doomed.length === 0) return { doomed: [], held: 0 };
  const limit = await exceeded(tx, streamId, doomed.length, cause, now);
  if (!limit) {
    await noteDeletions(tx, { ...batch, state: 'applied', living: null, allowed: null }, doomed, now);
    return { doomed, held: 0 };
  }
  const { id, fresh } = await noteDeletions(tx, { ...batch, state: 'held', ...limit }, doomed, now);
  const data = { stream, cause, records: doomed.length, ...limit, connection: source.connection.id };
  if (fresh)
    await appendEvents(tx, [
      { actor: 'system', action: 'deletions.held', subject: { kind: 'deletions', id }, data, at: now },
    ]);
  await tellWaiting(tx, source.connection.id);
  return { doomed: [], held: doomed.length };
}

/** The limit that so many more deletions would exceed; undefined when they may go. */
export async function exceeded(
  tx: Tx,
  streamId: string,
  more: number,
  cause: DeletionCause,
  now: Date,
): Promise<{ living: number; allowed: number } | undefined> {
  const { haltRecords, haltPercent } = await setting(tx, 'completeness');
  const recent = await deletedSince(tx, streamId, new Date(now.getTime() - WINDOW_MS));
  const blind = cause === 'sweep' && more >= EVERYTHING;
  // Counting a large stream costs; most deletions are few.
  if (more + recent <= haltRecords && !blind) return undefined;
  const { rows } = await tx.query<{ n: number }>(
    'select count(*)::int as n from source_record where tenant_id = $1 and stream_id = $2 and deleted_at is null',
    [tx.tenantId, streamId],
  );
  const living = rows[0]!.n;
  const allowed = Math.max(haltRecords, Math.floor(((living + recent) * haltPercent) / 100));
  if (more + recent > allowed || (blind && more === living)) return { living, allowed };
  return undefined;
}

/** Puts into words at the connection what waits for a decision; nothing, when nothing does. */
export async function tellWaiting(tx: Tx, connectionId: string): Promise<void> {
  const held = await heldOf(tx, connectionId);
  const what = held.map(({ name, n }) => `${n} of ${name.replaceAll('_', ' ')}`).join(', ');
  const text = `So many records would be deleted at once that they were kept: ${what}. Look at them, then confirm or refuse ("rapport deletions"); until then nothing of it is deleted and everything else goes on.`;
  await noteWaiting(tx, connectionId, held.length > 0 ? text : null);
}
