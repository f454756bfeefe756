import { type BulkColumn, insertRows, type Row, type Tx } from '../base/database.ts';
import { entityDefinition, type JoinedKind } from '../kit/index.ts';
import { changeBetween, differing, sameValue } from './changes.ts';
import { fieldColumns, goldenTable, projectionTable, tellingColumns } from './columns.ts';
import { baseRow, fillReferences, loadProjections, recordKey, writeProjections } from './documents.ts';
import { golden, type Source } from './golden.ts';
import { keepHomes } from './homes.ts';
import { type Resolution, recordSuggestions, releaseKeys, resolveIdentity, type Seeker } from './identity.ts';
import { keysOf } from './keys.ts';
import { followCompanies, giveZones, PLACE } from './local-zones.ts';
import { joinEntities } from './merge.ts';
import { loadOverrides, type Override } from './overrides.ts';
import type { ApplyContext, Change, Mapped } from './types.ts';

export interface PartiesResult {
  changes: Change[];
  /** Entity by record reference and by key reference, for what is new: rows waiting for it can be linked. */
  arrived: Map<string, string>;
}

/** Applies contacts or companies: projections, identity, golden rows. */
export async function applyParties(
  tx: Tx,
  kind: JoinedKind,
  records: readonly Mapped[],
  ctx: ApplyContext,
): Promise<PartiesResult> {
  const existing = await loadProjections(tx, kind, records);
  const rows = records.map((record) =>
    baseRow(record, existing.get(recordKey(record.streamId, record.remoteId)), ctx.now),
  );
  await fillReferences(tx, kind, records, rows);
  const telling = [
    ...tellingColumns(kind),
    'mapping_version',
    ...entityDefinition(kind).references.map((reference) => `${reference}_ref`),
  ];
  const work = rows
    .map((row, at) => ({
      row,
      record: records[at]!,
      before: existing.get(recordKey(records[at]!.streamId, records[at]!.remoteId)),
    }))
    // Whoever brings the row has compared it.
    .filter(({ record, row, before }) => !before || record.before || differing(before, row, telling).length > 0);
  if (work.length === 0) return { changes: [], arrived: new Map() };

  const seekers: Seeker[] = work.map(({ row, before }) => ({
    streamId: row.stream_id as string,
    remoteId: row.remote_id as string,
    keys: row.deleted_at ? [] : keysOf(kind, row),
    values: row,
    entityId: before?.entity_id as string | undefined,
  }));
  // Mapped anew without anything that tells people apart being different: they are who they were.
  const settled = work.map(({ record, row, before }, at) => !!record.before && isSame(before!, row, seekers[at]!));
  const resolution = await resolveSome(tx, kind, seekers, settled);
  const dropped: { entityId: string; key: string }[] = [];
  work.forEach(({ row, before }, at) => {
    row.entity_id = resolution.entities[at];
    row.keys = seekers[at]!.keys.map(({ key }) => key);
    for (const key of (before?.keys as string[] | undefined) ?? []) {
      if (!(row.keys as string[]).includes(key)) dropped.push({ entityId: row.entity_id as string, key });
    }
  });
  await writeProjections(
    tx,
    kind,
    work.map(({ row }) => row),
  );
  if (resolution.joins.length > 0) {
    const homes = work.map(({ record: { streamId, remoteId } }, at) => ({
      streamId,
      remoteId,
      entityId: resolution.homes[at]!,
    }));
    await keepHomes(
      tx,
      kind,
      homes.filter(({ entityId }, at) => entityId !== resolution.entities[at]),
    );
  }
  const merged: Change[] = [];
  for (const join of resolution.joins)
    merged.push(await joinEntities(tx, kind, join, ctx.decidedBy ?? 'identity rules', ctx));
  await releaseKeys(tx, kind, dropped);
  await recordSuggestions(tx, kind, resolution.suggestions, ctx.now);
  const depth = new Map(work.map(({ row, record }) => [row.entity_id as string, record.depth ?? 0]));
  const fresh = new Map<string, Row[]>();
  for (const { row } of work) fresh.set(row.entity_id as string, [...(fresh.get(row.entity_id as string) ?? []), row]);
  const refreshed = await refreshGolden(tx, kind, [...fresh.keys()], ctx, {
    depth,
    created: resolution.created,
    fresh,
  });
  const changes = [...merged, ...refreshed];

  const arrived = new Map<string, string>();
  work.forEach(({ row, before }, at) => {
    if (!before) arrived.set(recordKey(row.stream_id as string, row.remote_id as string), row.entity_id as string);
    for (const { key } of seekers[at]!.keys)
      if (!(before?.keys as string[] | undefined)?.includes(key)) arrived.set(`~${key}`, row.entity_id as string);
  });
  return { changes, arrived };
}

/** Whether two states of a record say the same about whose it is. */
const isSame = (before: Row, row: Row, { keys }: Seeker): boolean =>
  !before.deleted_at &&
  !row.deleted_at &&
  differing(before, row, ['name', 'first_name', 'last_name', 'email']).length === 0 &&
  sameValue(
    before.keys,
    keys.map(({ key }) => key),
  );

/** Resolves those that are not settled; the others stay with the entity they have. */
async function resolveSome(
  tx: Tx,
  kind: JoinedKind,
  seekers: readonly Seeker[],
  settled: readonly boolean[],
): Promise<Resolution> {
  const open = seekers.filter((_, at) => !settled[at]);
  if (open.length === seekers.length) return resolveIdentity(tx, kind, seekers);
  const resolution: Resolution =
    open.length > 0
      ? await resolveIdentity(tx, kind, open)
      : { entities: [], homes: [], joins: [], suggestions: [], created: new Set() };
  const absorbed = new Map(resolution.joins.map((join) => [join.absorbed, join.survivor]));
  const live = (id: string): string => (absorbed.has(id) ? live(absorbed.get(id)!) : id);
  let next = 0;
  const places = settled.map((stays) => (stays ? -1 : next++));
  const own = (at: number): string => seekers[at]!.entityId!;
  return {
    ...resolution,
    entities: places.map((place, at) => (place < 0 ? live(own(at)) : resolution.entities[place]!)),
    homes: places.map((place, at) => (place < 0 ? own(at) : resolution.homes[place]!)),
  };
}

interface RefreshHints {
  depth?: ReadonlyMap<string, number>;
  /** Entities made in this transaction: all their sources are in `fresh`. */
  created?: ReadonlySet<string>;
  fresh?: ReadonlyMap<string, Row[]>;
}

const goldenColumns = (kind: JoinedKind): BulkColumn[] => [
  { name: 'id', type: 'uuid' },
  ...fieldColumns(kind),
  ...entityDefinition(kind).references.map((reference) => ({ name: `${reference}_id`, type: 'uuid' })),
  { name: 'custom', type: 'jsonb' },
  { name: 'provenance', type: 'jsonb' },
  { name: 'sources', type: 'int' },
  { name: 'source_created_at', type: 'timestamptz' },
  { name: 'created_at', type: 'timestamptz' },
  { name: 'updated_at', type: 'timestamptz' },
  { name: 'deleted_at', type: 'timestamptz' },
  ...(kind === 'contact' ? [{ name: 'local_zone', type: 'text' }] : []),
];

/** Golden rows by id, each with `sources_now`: how many records, gone ones included, are its sources at this moment. */
async function loadGolden(tx: Tx, kind: JoinedKind, ids: readonly string[]): Promise<Map<string, Row>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<Row & { id: string }>(
    `select g.*, (select count(*)::int from ${projectionTable(kind)} p where p.tenant_id = $1 and p.entity_id = g.id) as sources_now
     from unnest($2::uuid[]) as i(id)
     cross join lateral (select * from ${goldenTable(kind)} where tenant_id = $1 and id = i.id limit 1) g`,
    [tx.tenantId, ids],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** The rows of all records of entities. */
async function loadSourcesOf(tx: Tx, kind: JoinedKind, ids: readonly string[]): Promise<Row[]> {
  if (ids.length === 0) return [];
  const { rows } = await tx.query<Row>(
    `select p.* from unnest($2::uuid[]) as i(id)
     cross join lateral (select * from ${projectionTable(kind)} where tenant_id = $1 and entity_id = i.id offset 0) p`,
    [tx.tenantId, ids],
  );
  return rows;
}

/** Computes golden rows anew from their sources and writes those that differ. */
export async function refreshGolden(
  tx: Tx,
  kind: JoinedKind,
  entityIds: readonly string[],
  ctx: ApplyContext,
  hints: RefreshHints = {},
): Promise<Change[]> {
  const stored = entityIds.filter((id) => !hints.created?.has(id));
  const before = await loadGolden(tx, kind, stored);
  const byHand = kind === 'contact' && stored.length > 0 ? await loadOverrides(tx, stored) : undefined;
  // All sources at hand: those of an entity made just now, and of one whose every record was just mapped.
  const complete = (id: string): boolean =>
    hints.created?.has(id) === true || hints.fresh?.get(id)?.length === before.get(id)?.sources_now;
  const projections = new Map<string, Row[]>();
  for (const id of entityIds) if (hints.fresh?.has(id) && complete(id)) projections.set(id, hints.fresh.get(id)!);
  const rest = entityIds.filter((id) => !projections.has(id));
  for (const row of await loadSourcesOf(tx, kind, rest))
    projections.set(row.entity_id as string, [...(projections.get(row.entity_id as string) ?? []), row]);
  const telling = tellingColumns(kind);
  const states = [...projections].map(([id, all]) => goldenState(kind, id, all, before.get(id), ctx, byHand?.get(id)));
  if (kind === 'contact')
    await giveZones(
      tx,
      states.map(({ row }) => row),
      ctx.zone,
    );
  const writes: Row[] = [];
  const changes: Change[] = [];
  for (const { row, old, sources } of states) {
    const id = row.id as string;
    const told = old ? differing(old, row, telling) : telling;
    if (old && told.length === 0 && differing(old, row, ['provenance', 'sources', 'local_zone']).length === 0) continue;
    writes.push(row);
    const updated = sources
      .map((source) => source.row.source_updated_at as string | Date | null)
      .filter((at) => at !== null && at !== undefined);
    const change = changeBetween(kind, old, row, told, {
      entityId: id,
      customerId: kind === 'contact' ? id : null,
      origin: ctx.origin,
      depth: hints.depth?.get(id) ?? 0,
      occurredAt: updated.length > 0 ? new Date(Math.max(...updated.map((at) => new Date(at).getTime()))) : ctx.now,
      now: ctx.now,
    });
    if (change) changes.push(change);
  }
  const columns = goldenColumns(kind);
  const updates = columns
    .map(({ name }) => name)
    .filter((name) => name !== 'id' && name !== 'created_at')
    .map((name) => `${name} = excluded.${name}`);
  const table = goldenTable(kind);
  await insertRows(
    tx,
    `${table} as g`,
    columns,
    writes,
    `on conflict (tenant_id, id) do update set ${updates.join(', ')}, version = g.version + 1`,
  );
  if (kind === 'company') {
    const moved = states.filter(({ old, row }) => old && differing(old, row, PLACE).length > 0);
    await followCompanies(
      tx,
      moved.map(({ row }) => row.id as string),
      ctx.zone,
    );
  }
  return changes;
}

/** What an entity's golden row should be, beside what it is. */
function goldenState(
  kind: JoinedKind,
  id: string,
  all: readonly Row[],
  old: Row | undefined,
  ctx: ApplyContext,
  byHand: readonly Override[] | undefined,
): { row: Row; old: Row | undefined; sources: Source[] } {
  const living = all.filter((row) => !row.deleted_at);
  const sources: Source[] = (living.length > 0 ? living : all).map((row) => ({
    row,
    ...(ctx.sourceOf(row.stream_id as string) ?? { connector: 'unknown', category: 'other' }),
  }));
  const { values, provenance } = golden(kind, sources, byHand);
  const row: Row = {
    ...values,
    id,
    provenance,
    sources: living.length,
    created_at: ctx.now,
    updated_at: ctx.now,
    deleted_at: living.length > 0 ? null : ctx.now,
  };
  if (old?.deleted_at && row.deleted_at) row.deleted_at = old.deleted_at;
  return { row, old, sources };
}
