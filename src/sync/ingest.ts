import type { Row, Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { sha256 } from '../base/ids.ts';
import { type ConnectionRow, findConnection } from '../connections/store.ts';
import { connectorOf } from '../connections/vendors.ts';
import type { Connector, Stream } from '../kit/index.ts';
import type { CompiledMapping, Issue, MappedEntity } from '../mapping/compile.ts';
import type { Env } from '../mapping/compiler.ts';
import { effectiveMapping } from '../mapping/load.ts';
import type { MappingOverride } from '../mapping/schema.ts';
import { loadOverrides } from '../mapping/store.ts';
import { applyRecords } from '../model/apply.ts';
import type { ApplyContext, Change, Mapped, Origin } from '../model/types.ts';
import { setting } from '../settings/store.ts';
import type { SyncDeps } from './deps.ts';
import { type Parking, park, resolveParked } from './parked.ts';
import { loadHashes, loadSources, writeSources } from './sources.ts';
import { streamConnectors } from './store.ts';

/** Everything that is needed to bring records of one connection into the model, loaded once per piece of work. */
export interface Source {
  connector: Connector;
  connection: ConnectionRow;
  mapping: CompiledMapping;
  /** Stream ids of this connection by name. */
  streamIds: Map<string, string>;
  sourceOf: ApplyContext['sourceOf'];
  zone: string;
  /** Of the business: for phone numbers without a prefix and amounts without a currency. */
  country: string;
  currency: string;
  /** How often the business wants platforms to be asked. */
  pollSeconds: number;
  overrides: MappingOverride[];
}

export async function loadSource(deps: SyncDeps, tenantId: string, connectionId: string): Promise<Source> {
  return deps.db.tenant(tenantId, async (tx) => {
    const connection = await findConnection(tx, connectionId);
    if (!connection) throw new Error(`The connection ${connectionId} does not exist any more.`);
    const connector = connectorOf(deps.registry, connection.connector);
    const overrides = await loadOverrides(tx, connector.id, connectionId);
    const streams = await streamConnectors(tx);
    const { zone, country, currency } = await setting(tx, 'business');
    const { pollSeconds } = await setting(tx, 'sync');
    const mappings = overrides.map((row) => row.mapping);
    return {
      connector,
      connection,
      mapping: effectiveMapping(connector.id, mappings),
      overrides: mappings,
      streamIds: new Map(
        streams.filter((stream) => stream.connection_id === connectionId).map((stream) => [stream.name, stream.id]),
      ),
      sourceOf: sourcesAmong(deps, streams),
      zone,
      country,
      currency,
      pollSeconds,
    };
  });
}

function sourcesAmong(
  deps: Pick<SyncDeps, 'registry'>,
  streams: Awaited<ReturnType<typeof streamConnectors>>,
): Source['sourceOf'] {
  const byId = new Map(streams.map((stream) => [stream.id, stream.connector]));
  return (streamId) => {
    const known = deps.registry.find(byId.get(streamId) ?? '');
    return known && { connector: known.id, category: known.category };
  };
}

/** Which platform a stream belongs to, for all streams of the tenant. */
export const sourcesOf = async (deps: Pick<SyncDeps, 'registry'>, tx: Tx): Promise<Source['sourceOf']> =>
  sourcesAmong(deps, await streamConnectors(tx));

/** A record as read from the vendor. */
export interface RawRecord {
  id: string;
  raw: unknown;
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

const hashOf = (record: RawRecord): Buffer => sha256(JSON.stringify(record.raw)).subarray(0, 16);

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
    result.changed += changed.length;
    await writeSources(
      tx,
      changed.map(
        ({ record, hash }): Row => ({
          stream_id: streamId,
          remote_id: record.id,
          payload: record.raw,
          hash,
          vendor_at: record.vendorAt ?? null,
          first_seen_at: now,
          changed_at: now,
          origin,
          deleted_at: record.deleted ? now : null,
        }),
      ),
    );
    const outcome = await mapRecords(
      tx,
      source,
      stream,
      streamId,
      changed.map(({ record }) => record),
      now,
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

async function mapRecords(
  tx: Tx,
  source: Source,
  stream: string,
  streamId: string,
  records: readonly RawRecord[],
  now: Date,
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
    for (const entity of entities) outcome.mapped.push(toMapped(source, streamId, record, entity, now));
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

async function environment(tx: Tx, source: Source, lookups: readonly string[]): Promise<Env> {
  const tables = new Map<string, Map<string, unknown>>();
  for (const name of lookups) {
    const id = source.streamIds.get(name);
    const rows = id ? await loadSources(tx, id) : [];
    tables.set(name, new Map(rows.map((row) => [row.remote_id, row.payload])));
  }
  const settings = source.connection.settings;
  return {
    zone: source.connection.account.timeZone ?? source.zone,
    country: (settings.country as string | undefined) ?? source.mapping.defaults.country ?? source.country,
    currency:
      (settings.currency as string | undefined) ??
      source.connection.account.currency ??
      source.mapping.defaults.currency ??
      source.currency,
    account: source.connection.account_id ?? '',
    connector: source.connector.id,
    lookup: (stream, id) => tables.get(stream)?.get(id),
  };
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
