import type { Tx } from '../base/database.ts';
import { type Session, withSession } from '../connections/session.ts';
import { type RecordHint, type Stream, VendorError } from '../kit/index.ts';
import { recordKey } from '../model/documents.ts';
import type { Origin } from '../model/types.ts';
import { guardRecords } from './deletions.ts';
import type { SyncDeps } from './deps.ts';
import { deleteGone, refuseHeld } from './gone.ts';
import { type Ingested, ingest } from './ingest.ts';
import { followVendorMerge, type VendorMerge } from './merges.ts';
import { park, resolveParked } from './parked.ts';
import { noteSeen } from './quarantine.ts';
import { type RawRecord, toRawRecord } from './records.ts';
import { loadSource, type Source } from './source.ts';

interface HintRow {
  event_key: string;
  stream: string;
  remote_id: string;
  change: string;
  payload: unknown;
  vendor_at: Date | null;
}

/** Hints taken at once: a vendor's import of thousands becomes a few batches. */
const BATCH = 500;

/**
 * Fetches what hints point at and stores it. Many hints of one record are one fetch; order and repetition do not
 * matter, because what counts is the state the vendor shows now.
 */
export async function refetchHints(deps: SyncDeps, tenantId: string, connectionId: string): Promise<void> {
  for (;;) {
    const hints = await deps.db.tenant(tenantId, (tx) => openHints(tx, connectionId));
    if (hints.length === 0) return;
    await withSession(deps, tenantId, connectionId, 'hook', async (session) => {
      const source = await loadSource(deps, tenantId, connectionId);
      const fetched = await fetchHinted(session, source, hints);
      await deps.db.tenant(tenantId, async (tx) => {
        await store(deps, tx, source, fetched, 'live');
        await closeHints(tx, connectionId, hints, deps.clock.now());
      });
    });
    if (hints.length < BATCH) return;
  }
}

async function openHints(tx: Tx, connectionId: string): Promise<HintRow[]> {
  const { rows } = await tx.query<HintRow>(
    'select event_key, stream, remote_id, change, payload, vendor_at from hint where tenant_id = $1 and connection_id = $2 and done_at is null order by received_at, event_key limit $3',
    [tx.tenantId, connectionId, BATCH],
  );
  return rows;
}

async function closeHints(tx: Tx, connectionId: string, hints: readonly HintRow[], now: Date): Promise<void> {
  await tx.query('update hint set done_at = $4 where tenant_id = $1 and connection_id = $2 and event_key = any($3)', [
    tx.tenantId,
    connectionId,
    hints.map((hint) => hint.event_key),
    now,
  ]);
}

/** What came of fetching: records per stream, ids that are gone, and what could not be done. */
export interface Fetched {
  records: Map<string, RawRecord[]>;
  gone: Map<string, string[]>;
  /** When the vendor dates a deletion it only announces, by stream and id: what is newer stays. */
  goneAt: Map<string, Date>;
  unreadable: { stream: string; ids: string[]; reason: string }[];
  /** Records the vendor made one of. */
  merges: VendorMerge[];
  /** Records a person had deleted by their right to privacy, by stream and id. */
  privacy: Set<string>;
}

export const nothingFetched = (): Fetched => ({
  records: new Map(),
  gone: new Map(),
  goneAt: new Map(),
  unreadable: [],
  merges: [],
  privacy: new Set(),
});

async function fetchHinted(session: Session, source: Source, hints: readonly HintRow[]): Promise<Fetched> {
  const fetched = nothingFetched();
  const wanted = new Map<string, Set<string>>();
  const pushed = newestPushes(source, hints);
  for (const hint of hints) {
    const stream = source.connector.streams.find((candidate) => candidate.name === hint.stream);
    if (!stream || !source.streamIds.has(hint.stream)) continue;
    if (!stream.fetchByIds && hint.change !== 'merged' && !pushed.has(hint)) continue;
    const merged = hint.change === 'merged' ? (hint.payload as { into?: string | null } | null)?.into : undefined;
    if (hint.change === 'changed' && hint.payload !== null && !stream.fetchByIds) {
      const record = toRawRecord(stream, hint.payload);
      if (record) add(fetched.records, hint.stream, record);
      continue;
    }
    const ids = wanted.get(hint.stream) ?? new Set<string>();
    ids.add(hint.remote_id);
    if (merged) {
      ids.add(merged);
      fetched.merges.push({ stream: hint.stream, from: hint.remote_id, into: merged });
    }
    wanted.set(hint.stream, ids);
    if (hint.change === 'privacy_deleted') fetched.privacy.add(recordKey(hint.stream, hint.remote_id));
    if (hint.change === 'merged' || (!stream.fetchByIds && hint.change !== 'changed'))
      add(fetched.gone, hint.stream, hint.remote_id);
    if (!stream.fetchByIds && hint.vendor_at)
      fetched.goneAt.set(recordKey(hint.stream, hint.remote_id), hint.vendor_at);
  }
  for (const [name, ids] of wanted) await fetchIds(session, source, name, [...ids], fetched);
  await fetchImplied(session, source, fetched);
  return fetched;
}

/** Where a record cannot be asked for, the announcement is all there is: of each record the one dated newest counts. */
function newestPushes(source: Source, hints: readonly HintRow[]): Set<HintRow> {
  const newest = new Map<string, HintRow>();
  for (const hint of hints) {
    if (source.connector.streams.find((stream) => stream.name === hint.stream)?.fetchByIds) continue;
    const key = `${hint.stream}/${hint.remote_id}`;
    const known = newest.get(key);
    const older = known?.vendor_at && hint.vendor_at && hint.vendor_at < known.vendor_at;
    if (!older) newest.set(key, hint);
  }
  return new Set(newest.values());
}

/**
 * Fetches records by id into `into`. Ids the vendor no longer knows are gone; a merged one may answer with its survivor.
 */
export async function fetchIds(
  session: Session,
  source: Source,
  name: string,
  ids: readonly string[],
  into: Fetched,
): Promise<void> {
  const stream = source.connector.streams.find((candidate) => candidate.name === name);
  if (!stream?.fetchByIds) return;
  for (let start = 0; start < ids.length; start += stream.fetchByIds.max) {
    const part = ids.slice(start, start + stream.fetchByIds.max);
    try {
      const raws = await stream.fetchByIds.fetch(session.ctx, [...part]);
      const complete = stream.complete && raws.length > 0 ? await stream.complete(session.ctx, raws) : raws;
      const found = new Set<string>();
      const survivors = new Set<string>();
      for (const raw of complete) {
        const record = toRawRecord(stream, raw);
        if (!record) continue;
        const survivor = stream.mergedInto?.(raw);
        if (survivor === undefined) add(into.records, name, record);
        else {
          into.merges.push({ stream: name, from: record.id, into: survivor });
          survivors.add(survivor);
        }
        if (survivor === undefined) found.add(record.id);
      }
      for (const id of part) if (!found.has(id)) add(into.gone, name, id);
      const unseen = [...survivors].filter((id) => !into.records.get(name)?.some((known) => known.id === id));
      await fetchIds(session, source, name, unseen, into);
    } catch (error) {
      if (!(error instanceof VendorError) || !['not_found', 'gone', 'invalid', 'malformed'].includes(error.kind))
        throw error;
      if (part.length === 1 && (error.kind === 'not_found' || error.kind === 'gone')) add(into.gone, name, part[0]!);
      // One bad record must not keep the others of its batch back: ask one by one.
      else if (part.length > 1) for (const id of part) await fetchIds(session, source, name, [id], into);
      else into.unreadable.push({ stream: name, ids: [...part], reason: error.message });
    }
  }
}

/** Records implied by others (the invoices of a payment) are fetched too, so that both are stored in one transaction. */
async function fetchImplied(session: Session, source: Source, fetched: Fetched): Promise<void> {
  const implied = new Map<string, Set<string>>();
  for (const [name, records] of fetched.records) {
    const stream = source.connector.streams.find((candidate) => candidate.name === name);
    for (const record of records) {
      for (const { stream: other, id } of stream?.implies?.(record.raw) ?? ([] as RecordHint[])) {
        if (!fetched.records.get(other)?.some((known) => known.id === id))
          implied.set(other, (implied.get(other) ?? new Set()).add(id));
      }
    }
  }
  for (const [name, ids] of implied) await fetchIds(session, source, name, [...ids], fetched);
}

/** Stores what was fetched, in one transaction. */
export async function store(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  fetched: Fetched,
  origin: Origin,
): Promise<Ingested & { held: number }> {
  // Streams in the connector's order: parents first.
  const order = source.connector.streams.map((stream: Stream) => stream.name);
  const batches: { stream: string; records: RawRecord[] }[] = [];
  for (const stream of order.filter((name) => fetched.records.has(name)))
    batches.push({ stream, records: await guardRecords(deps, tx, source, stream, fetched.records.get(stream)!) });
  const result = { ...(await ingest(deps, tx, source, batches, origin)), held: 0 };
  for (const item of batches) await noteSeen(tx, source.streamIds.get(item.stream)!, item.records, deps.clock.now());
  const readable = batches.flatMap(({ stream, records }) =>
    records.map((record) => `${source.streamIds.get(stream)}/${record.id}`),
  );
  await resolveParked(tx, 'hook', readable, 'it could be read later', deps.clock.now());
  for (const merge of fetched.merges) await followVendorMerge(deps, tx, source, merge);
  for (const [name, ids] of fetched.gone) {
    const still = new Set(fetched.records.get(name)?.map((record) => record.id));
    const gone = { ...fetched, stream: name, ids: ids.filter((id) => !still.has(id)) };
    const deleted = await deleteGone(deps, tx, source, gone, origin);
    result.changed += deleted.changed;
    result.held += deleted.held;
    result.changes.push(...deleted.changes);
  }
  await park(
    tx,
    fetched.unreadable.map(({ stream, ids, reason }) => ({
      kind: 'hook' as const,
      reference: `${source.streamIds.get(stream)}/${ids.join(',')}`,
      reason: `The platform announced a change of ${stream} ${ids.join(', ')}, but does not give the record: ${reason}`,
      connectionId: source.connection.id,
      streamId: source.streamIds.get(stream)!,
      remoteId: ids[0]!,
    })),
    deps.clock.now(),
  );
  return result;
}

/**
 * Reads given records anew right now, for whoever must not act on old facts.
 * @throws VendorError when the vendor does not answer well
 */
export async function refetchNow(
  deps: SyncDeps,
  tenantId: string,
  connectionId: string,
  wanted: ReadonlyMap<string, readonly string[]>,
): Promise<Ingested> {
  return withSession(deps, tenantId, connectionId, 'hook', async (session) => {
    const source = await loadSource(deps, tenantId, connectionId);
    const fetched = nothingFetched();
    for (const [name, ids] of wanted) await fetchIds(session, source, name, ids, fetched);
    if (fetched.unreadable[0]) throw new VendorError('unknown', fetched.unreadable[0].reason);
    const stored = await deps.db.tenant(tenantId, (tx) => store(deps, tx, source, fetched, 'live'));
    refuseHeld(source, stored.held);
    return stored;
  });
}

function add<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
