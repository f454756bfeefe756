import { insertRows, type Row, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { localDate } from '../base/time.ts';
import { type EntityKind, entityDefinition } from '../kit/index.ts';
import { changeBetween, differing } from './changes.ts';
import { projectionColumns, projectionTable, tellingColumns } from './columns.ts';
import { resolveReferences } from './references.ts';
import type { ApplyContext, Change, Mapped } from './types.ts';

export const recordKey = (streamId: string, remoteId: string): string => `${streamId}/${remoteId}`;

/** The present rows of source records, by record key. */
export async function loadProjections(
  tx: Tx,
  kind: EntityKind,
  records: readonly { streamId: string; remoteId: string; isNew?: boolean; before?: Row }[],
): Promise<Map<string, Row>> {
  const given = new Map(
    records.flatMap((one) => (one.before ? [[recordKey(one.streamId, one.remoteId), one.before] as const] : [])),
  );
  const known = records.filter((record) => !record.isNew && !record.before);
  if (known.length === 0) return given;
  const { rows } = await tx.query<Row>(
    // One look by the primary key for each: by the statistics a first load leaves behind, the planner would rather read
    // every row of the tenant, and that for each batch.
    `select t.* from unnest($2::uuid[], $3::text[]) as i(stream_id, remote_id) cross join lateral
       (select * from ${projectionTable(kind)} where tenant_id = $1 and stream_id = i.stream_id and remote_id = i.remote_id limit 1) t`,
    [tx.tenantId, known.map((record) => record.streamId), known.map((record) => record.remoteId)],
  );
  for (const row of rows) given.set(recordKey(row.stream_id as string, row.remote_id as string), row);
  return given;
}

/** The row of a mapped record, before identity and references are known. */
export function baseRow(record: Mapped, before: Row | undefined, now: Date): Row {
  const row: Row = {
    stream_id: record.streamId,
    remote_id: record.remoteId,
    entity_id: before?.entity_id ?? null,
    custom: record.custom ?? null,
    source_created_at: record.createdAt ?? before?.source_created_at ?? null,
    source_updated_at: record.updatedAt ?? null,
    // The day it went stays, however often it is mapped again.
    deleted_at: record.deletedAt ? (before?.deleted_at ?? record.deletedAt) : null,
    mapping_version: record.mappingVersion,
    updated_at: now,
  };
  for (const name of Object.keys(entityDefinition(record.kind).fields)) row[name] = record.values[name] ?? null;
  return row;
}

/** Fills `<reference>_ref` and `<reference>_id` of the rows. */
export async function fillReferences(
  tx: Tx,
  kind: EntityKind,
  records: readonly Mapped[],
  rows: readonly Row[],
): Promise<void> {
  for (const reference of entityDefinition(kind).references) {
    const refs = records.map((record) => record.references[reference]);
    const wanted = refs.filter((ref) => ref !== undefined);
    const found = wanted.length > 0 ? await resolveReferences(tx, reference, wanted) : new Map<string, string>();
    rows.forEach((row, at) => {
      row[`${reference}_ref`] = refs[at] ?? null;
      row[`${reference}_id`] = refs[at] ? (found.get(refs[at]) ?? null) : null;
    });
  }
}

/** Inserts or updates projection rows. */
export async function writeProjections(tx: Tx, kind: EntityKind, rows: readonly Row[]): Promise<void> {
  const columns = projectionColumns(kind);
  const updates = columns
    .map(({ name }) => name)
    .filter((name) => name !== 'stream_id' && name !== 'remote_id')
    .map((name) => `${name} = excluded.${name}`);
  await insertRows(
    tx,
    projectionTable(kind),
    columns,
    rows,
    `on conflict (tenant_id, stream_id, remote_id) do update set ${updates.join(', ')}`,
  );
}

/**
 * Applies records of a kind whose source row is the entity itself (owners, deals, invoices ...).
 * @returns the changes, not yet appended to the feed
 */
export async function applyDocuments(
  tx: Tx,
  kind: EntityKind,
  records: readonly Mapped[],
  ctx: ApplyContext,
): Promise<Change[]> {
  const existing = await loadProjections(tx, kind, records);
  const rows = records.map((record) =>
    baseRow(record, existing.get(recordKey(record.streamId, record.remoteId)), ctx.now),
  );
  await fillReferences(tx, kind, records, rows);
  const telling = tellingColumns(kind);
  const changed: Row[] = [];
  const changes: Change[] = [];
  rows.forEach((row, at) => {
    const record = records[at]!;
    const before = existing.get(recordKey(record.streamId, record.remoteId));
    settlePaidDay(kind, before, row, ctx);
    if (before && differing(before, row, [...telling, ...referenceNames(kind), 'mapping_version']).length === 0) return;
    row.entity_id ??= newId();
    changed.push(row);
    const change = changeBetween(kind, before, row, telling, {
      entityId: row.entity_id as string,
      customerId: (row.customer_id as string | null | undefined) ?? null,
      origin: ctx.origin,
      depth: record.depth ?? 0,
      occurredAt: record.updatedAt ? new Date(record.updatedAt) : ctx.now,
      now: ctx.now,
    });
    if (change) changes.push(change);
  });
  await writeProjections(tx, kind, changed);
  return changes;
}

const referenceNames = (kind: EntityKind): string[] =>
  entityDefinition(kind).references.map((reference) => `${reference}_ref`);

/**
 * Billing systems tell the balance, seldom the day it reached zero: that day is when we see it happen, and stays.
 */
export function settlePaidDay(
  kind: EntityKind,
  before: Row | undefined,
  row: Row,
  ctx: Pick<ApplyContext, 'now' | 'zone'>,
): void {
  if (kind !== 'invoice' || row.paid_on) return;
  const settled =
    row.status === 'paid' ||
    (row.balance !== null && Number(row.balance) <= 0 && row.status !== 'draft' && row.status !== 'void');
  if (!settled) return;
  const seen = row.source_updated_at ? new Date(row.source_updated_at as string) : ctx.now;
  row.paid_on = before?.paid_on ?? localDate(seen, ctx.zone);
}
