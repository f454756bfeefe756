import { JsonText, type Row, type Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { sha256 } from '../base/ids.ts';
import type { Stream } from '../kit/index.ts';
import type { Issue, MappedEntity } from '../mapping/compile.ts';
import { applyRecords } from '../model/apply.ts';
import type { ApplyContext, Change, Mapped, Origin } from '../model/types.ts';
import type { SyncDeps } from './deps.ts';
import { type Parking, park, resolveParked } from './parked.ts';
import { environment, type Source } from './source.ts';
import { loadHashes, writeSources } from './sources.ts';

/** A record as read from the vendor. */
export interface RawRecord {
  id: string;
  raw: unknown;
  /** `raw` as it is stored and compared; made when it is needed. */
  json?: JsonText;
  vendorAt?: string | undefined;
  deleted?: boolean;
}

export interface Ingested {
  seen: number;
  changed: number;
  parked: number;
  changes: Change[];
}

/** Reads id and time of a record by what the stream says. Records without an id cannot be kept apart and are refused. */
export function toRawRecord(stream: Stream, raw: unknown): RawRecord | undefined {
  const id = stream.id(raw);
  if (id === undefined || id === '') return undefined;
  const deleted = stream.deletes.kind === 'flag' && stream.deletes.isDeleted(raw);
  // Vendors write the same moment in several ways; comparing needs one.
  const at = Date.parse(stream.changedAt?.(raw) ?? '');
  return { id, raw, vendorAt: Number.isNaN(at) ? undefined : new Date(at).toISOString(), deleted };
}

/** One record can come several times in a batch: what the vendor dates newest counts, else what came last. */
function newestOfEach(records: readonly RawRecord[]): RawRecord[] {
  const byId = new Map<string, RawRecord>();
  for (const record of records) {
    const known = byId.get(record.id);
    const older = known?.vendorAt && record.vendorAt && Date.parse(record.vendorAt) < Date.parse(known.vendorAt);
    if (!older) byId.set(record.id, record);
  }
  return [...byId.values()];
}

/** The record as JSON, made once: what is compared is what is stored. */
export function jsonOfRecord(record: RawRecord): JsonText {
  record.json ??= new JsonText(record.raw);
  return record.json;
}

const hashOf = (record: RawRecord): Buffer => sha256(jsonOfRecord(record).text).subarray(0, 16);

/**
 * Stores records that differ from what is stored and brings them into the model, in the transaction of the caller.
 * A record the mapping cannot take is kept raw and parked with the reason; the others land.
 */
export async function ingest(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  batches: readonly { stream: string; records: readonly RawRecord[] }[],
  origin: Origin,
  options: { evenIfSame?: boolean } = {},
): Promise<Ingested> {
  const now = deps.clock.now();
  const result: Ingested = { seen: 0, changed: 0, parked: 0, changes: [] };
  const mapped: Mapped[] = [];
  const parking: Parking[] = [];
  if (batches.some(({ records }) => records.length >= MANY)) await planAnew(tx);
  for (const { stream, records } of batches) {
    result.seen += records.length;
    const streamId = source.streamIds.get(stream);
    if (!streamId) throw new Error(`The connection ${source.connection.name} has no stream "${stream}".`);
    const latest = newestOfEach(records);
    const present = await loadHashes(
      tx,
      streamId,
      latest.map((record) => record.id),
    );
    const changed = latest
      .map((record) => ({ record, hash: hashOf(record), before: present.get(record.id) }))
      // Two fetches can finish in the other order than they began: what the vendor dates older never replaces the newer.
      .filter(
        ({ record, before }) =>
          !before?.vendor_at || !record.vendorAt || Date.parse(record.vendorAt) >= before.vendor_at.getTime(),
      )
      .filter(
        ({ record, hash, before }) =>
          options.evenIfSame ||
          !before ||
          !before.hash.equals(hash) ||
          (before.deleted_at !== null) !== (record.deleted === true),
      );
    if (changed.length === 0) continue;
    const written = await writeSources(
      tx,
      changed.map(
        ({ record, hash }): Row => ({
          stream_id: streamId,
          remote_id: record.id,
          payload: jsonOfRecord(record),
          hash,
          vendor_at: record.vendorAt ?? null,
          first_seen_at: now,
          changed_at: now,
          origin,
          deleted_at: record.deleted ? now : null,
        }),
      ),
      present,
    );
    const taken = changed.filter(({ record }) => options.evenIfSame || written.has(record.id));
    if (taken.length === 0) continue;
    result.changed += taken.length;
    const outcome = await mapRecords(
      tx,
      source,
      stream,
      streamId,
      taken.map(({ record }) => record),
      now,
      written,
    );
    mapped.push(...outcome.mapped);
    parking.push(...outcome.parking);
    await resolveParked(tx, 'record', outcome.good, 'it could be read later', now);
  }
  result.parked = parking.filter((item) => item.kind === 'record').length;
  await park(tx, parking, now);
  const context: ApplyContext = {
    now,
    origin,
    zone: source.zone,
    sourceOf: source.sourceOf,
    onMerge: deps.listeners.onMerge,
  };
  result.changes = await applyRecords(tx, mapped, context, deps.listeners.changes);
  if (origin === 'live' && result.changes.length > 0) await deps.queue.send(tx, 'changes', { tenantId: tx.tenantId });
  // Two transactions at the same time cannot see each other: what one refers to may be what the other just made.
  if (result.changes.some((change) => change.op === 'created'))
    tx.afterCommit(() => bumpDue({ query: deps.db.statement }, tx.tenantId, 'link', now));
  return result;
}

/** Records from which planning a statement costs less than running it by a plan for another size. */
const MANY = 20;

/**
 * Statements of this transaction are planned for the tables as they are now. A plan kept from when a table was empty
 * reads all of it, and a first load fills it within minutes: measured, such plans were thirty times slower at 30,000 rows.
 */
const planAnew = (tx: Tx): Promise<unknown> => tx.query('set local plan_cache_mode = force_custom_plan');

async function mapRecords(
  tx: Tx,
  source: Source,
  stream: string,
  streamId: string,
  records: readonly RawRecord[],
  now: Date,
  written: ReadonlyMap<string, 'new' | 'changed'>,
): Promise<{ mapped: Mapped[]; parking: Parking[]; good: string[] }> {
  const compiled = source.mapping.streams.get(stream);
  if (!compiled) return { mapped: [], parking: [], good: [] };
  const env = await environment(tx, source, compiled.lookups);
  const outcome = { mapped: [] as Mapped[], parking: [] as Parking[], good: [] as string[] };
  const badFields = new Map<string, { issue: Issue; records: string[] }>();
  for (const record of records) {
    const { entities, issues } = await compiled.run(record.raw, env);
    const critical = issues.filter((issue) => issue.critical);
    for (const issue of issues) {
      if (issue.critical) continue;
      const entry = badFields.get(issue.field) ?? { issue, records: [] };
      entry.records.push(record.id);
      badFields.set(issue.field, entry);
    }
    const reference = `${streamId}/${record.id}`;
    if (critical.length > 0 && !record.deleted) {
      outcome.parking.push({
        kind: 'record',
        reference,
        reason: critical.map((issue) => `${issue.kind}.${issue.field}: ${issue.message}`).join('; '),
        connectionId: source.connection.id,
        streamId,
        remoteId: record.id,
        detail: { stream, issues: critical },
      });
      continue;
    }
    outcome.good.push(reference);
    for (const entity of entities)
      outcome.mapped.push({
        ...toMapped(source, streamId, record, entity, now),
        isNew: written.get(record.id) === 'new',
      });
  }
  for (const [field, { issue, records: ids }] of badFields) {
    outcome.parking.push({
      kind: 'field',
      reference: `${streamId}/${issue.kind}.${field}`,
      reason: `${issue.kind}.${field} was left empty: ${issue.message}`,
      connectionId: source.connection.id,
      streamId,
      detail: { stream, field, records: ids.slice(0, 20), inThisBatch: ids.length },
    });
  }
  return outcome;
}

function toMapped(source: Source, streamId: string, record: RawRecord, entity: MappedEntity, now: Date): Mapped {
  const references: Mapped['references'] = {};
  for (const [name, target] of Object.entries(entity.references)) {
    const ref =
      'key' in target
        ? `~${target.key}`
        : source.streamIds.has(target.stream)
          ? `${source.streamIds.get(target.stream)}/${target.id}`
          : undefined;
    if (ref) references[name as keyof typeof references] = ref;
  }
  const updatedAt = entity.updatedAt ?? record.vendorAt;
  return {
    kind: entity.kind,
    streamId,
    remoteId: record.id,
    values: entity.values,
    references,
    ...(entity.custom ? { custom: entity.custom } : {}),
    ...(entity.createdAt ? { createdAt: entity.createdAt } : {}),
    ...(updatedAt ? { updatedAt } : {}),
    ...(record.deleted || entity.deleted ? { deletedAt: now } : {}),
    mappingVersion: source.mapping.version,
  };
}
