import type { Row, Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import type { HookEvent } from '../kit/index.ts';
import type { Issue, MappedEntity } from '../mapping/compile.ts';
import { applyRecords } from '../model/apply.ts';
import type { ApplyContext, Change, Mapped, Origin } from '../model/types.ts';
import type { SyncDeps } from './deps.ts';
import { watchFields } from './drift/watch.ts';
import { recogniseEchoes } from './echo.ts';
import { withoutErased } from './erased.ts';
import { followVendorUnmerge } from './identity.ts';
import { type Parking, park, resolveParked } from './parked.ts';
import { inForce, mapAll, type Prepared, type PreparedRecord, prepare, type RawBatch } from './prepare.ts';
import { jsonOfRecord, type RawRecord } from './records.ts';
import type { Source } from './source.ts';
import { writeSources } from './sources.ts';

export interface Ingested {
  seen: number;
  changed: number;
  parked: number;
  changes: Change[];
}

/**
 * Stores records that differ from what is stored and brings them into the model, in the transaction of the caller.
 * A record the mapping cannot take is kept raw and parked with the reason; the others land.
 */
export async function ingest(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  batches: readonly RawBatch[],
  origin: Origin,
  options: { evenIfSame?: boolean } = {},
): Promise<Ingested> {
  const prepared: (() => Promise<Prepared>)[] = batches.map((batch) => () => prepare(tx, source, batch, options));
  return store(deps, tx, source, prepared, origin, options);
}

/**
 * Stores batches that were prepared before.
 * @throws as `ingest`
 */
export const ingestPrepared = (
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  batches: readonly Prepared[],
  origin: Origin,
): Promise<Ingested> =>
  store(
    deps,
    tx,
    source,
    batches.map((batch) => async () => batch),
    origin,
    {},
  );

/** What these records tell about things we did. */
function followedBy({ connector }: Source, name: string, taken: readonly PreparedRecord[]): HookEvent[] {
  const { follows } = connector.streams.find((stream) => stream.name === name) ?? {};
  if (!follows) return [];
  return taken.flatMap(({ record, hash }) => {
    const news = follows(record.raw);
    return news
      ? [
          {
            type: 'receipt' as const,
            key: `${name}/${record.id}/${hash.toString('base64')}`,
            read: true as const,
            ...news,
          },
        ]
      : [];
  });
}

/** @param batches each is asked for when the ones before it are stored, because its mapping may look something up there */
async function store(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  batches: readonly (() => Promise<Prepared>)[],
  origin: Origin,
  options: { evenIfSame?: boolean },
): Promise<Ingested> {
  const now = deps.clock.now();
  const result: Ingested = { seen: 0, changed: 0, parked: 0, changes: [] };
  const mapped: Mapped[] = [];
  const parking: Parking[] = [];
  const echoed: Mapped[] = [];
  const followed: HookEvent[] = [];
  const revived = new Map<string, string[]>();
  let planned = false;
  for (const batch of batches) {
    const prepared = await batch();
    const { stream, streamId, present } = prepared;
    result.seen += prepared.seen;
    if (prepared.changed.length === 0) continue;
    const changed = await withoutErased(deps, tx, source, streamId, await inForce(tx, source, prepared), now);
    if (!planned && changed.length >= MANY) {
      planned = true;
      await planAnew(tx);
    }
    const isLive = origin === 'live' && !options.evenIfSame;
    const echoes = isLive ? await recogniseEchoes(tx, source, stream, streamId, changed, now) : undefined;
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
    if (isLive) followed.push(...followedBy(source, stream, taken));
    if (origin !== 'replay')
      watchFields(
        deps,
        tx,
        source,
        { id: streamId, name: stream },
        taken.filter(({ record }) => !record.deleted).map(({ record }) => record.raw),
      );
    const outcome = sort(source, stream, streamId, taken, now, written);
    mapped.push(...outcome.mapped.map((one) => ({ ...one, depth: echoes?.get(one.remoteId)?.depth ?? 0 })));
    const ours = taken.flatMap(({ record }) => echoes?.get(record.id)?.ours ?? []);
    if (ours.length > 0) {
      const items = await mapAll(
        tx,
        source,
        stream,
        ours.map((record) => ({ record })),
      );
      echoed.push(...sort(source, stream, streamId, items, now, new Map()).mapped);
    }
    const back = taken.filter(({ record }) => !record.deleted && present.get(record.id)?.deleted_at);
    if (back.length > 0)
      revived.set(
        stream,
        back.map(({ record }) => record.id),
      );
    parking.push(...outcome.parking);
    await resolveParked(tx, 'record', outcome.mended, 'it could be read later', now);
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
  // What we wrote ourselves comes first and starts nothing; what then differs is somebody else's doing.
  if (echoed.length > 0) await applyRecords(tx, echoed, { ...context, origin: 'echo' }, deps.listeners.changes);
  result.changes = await applyRecords(tx, mapped, context, deps.listeners.changes);
  for (const news of followed) await deps.listeners.event(tx, source.connection, news, now);
  for (const [stream, ids] of revived) await followVendorUnmerge(deps, tx, source, stream, ids);
  // A first load tells at its end.
  if (origin !== 'backfill' && (result.changes.length > 0 || echoed.length > 0))
    await deps.queue.send(tx, 'changes', { tenantId: tx.tenantId });
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
export const planAnew = (tx: Tx): Promise<unknown> => tx.query('set local plan_cache_mode = force_custom_plan');

/** What goes into the model, what is parked, and the records that may have been parked before and are good now. */
export function sort(
  source: Source,
  stream: string,
  streamId: string,
  records: readonly Omit<PreparedRecord, 'hash'>[],
  now: Date,
  written: ReadonlyMap<string, 'new' | 'changed'>,
): { mapped: Mapped[]; parking: Parking[]; mended: string[] } {
  const outcome = { mapped: [] as Mapped[], parking: [] as Parking[], mended: [] as string[] };
  const badFields = new Map<string, { issue: Issue; records: string[] }>();
  for (const { record, entities, issues } of records) {
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
    const isNew = written.get(record.id) === 'new';
    if (!isNew) outcome.mended.push(reference);
    for (const entity of entities)
      outcome.mapped.push({ ...toMapped(source, stream, streamId, record, entity, now), isNew });
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

function toMapped(
  source: Source,
  stream: string,
  streamId: string,
  record: RawRecord,
  entity: MappedEntity,
  now: Date,
): Mapped {
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
    mappingVersion: source.mapping.streams.get(stream)!.version,
  };
}
