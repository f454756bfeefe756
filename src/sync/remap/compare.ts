import type { Row, Tx } from '../../base/database.ts';
import { type EntityKind, entityDefinition } from '../../kit/index.ts';
import { defaultMapping } from '../../mapping/load.ts';
import { listOverrides, WHOLE_TENANT } from '../../mapping/store.ts';
import { differing } from '../../model/changes.ts';
import { fieldColumns } from '../../model/columns.ts';
import { baseRow, settlePaidDay } from '../../model/documents.ts';
import type { Mapped } from '../../model/types.ts';
import type { Source } from '../source.ts';

/** Columns of a projection that a mapping decides. */
export const decidedColumns = (kind: EntityKind): string[] => [
  ...fieldColumns(kind).map(({ name }) => name),
  ...entityDefinition(kind).references.map((reference) => `${reference}_ref`),
  'custom',
  'deleted_at',
  'source_created_at',
];

/**
 * What a mapped record says differently from the row that stands for it now.
 * @returns the row as it would be, and the names of the columns that differ
 */
export function compareRow(
  record: Mapped,
  before: Row,
  at: { now: Date; zone: string },
): { row: Row; fields: string[] } {
  const row = baseRow(record, before, at.now);
  settlePaidDay(record.kind, before, row, at);
  for (const reference of entityDefinition(record.kind).references)
    row[`${reference}_ref`] = record.references[reference] ?? null;
  return { row, fields: differing(before, row, decidedColumns(record.kind)) };
}

/** A row that no mapping makes any more: it stays as it was, marked as gone, so that it can come back the same. */
export function goneRecord(kind: EntityKind, before: Row, mappingVersion: string, now: Date): Mapped {
  const definition = entityDefinition(kind);
  const iso = (value: unknown): string | undefined =>
    value instanceof Date ? value.toISOString() : ((value as string | null) ?? undefined);
  const [createdAt, updatedAt] = [iso(before.source_created_at), iso(before.source_updated_at)];
  return {
    kind,
    streamId: before.stream_id as string,
    remoteId: before.remote_id as string,
    values: Object.fromEntries(Object.keys(definition.fields).map((name) => [name, before[name] ?? null])),
    references: Object.fromEntries(
      definition.references
        .map((reference) => [reference, before[`${reference}_ref`]])
        .filter(([, ref]) => ref !== null && ref !== undefined),
    ),
    ...(before.custom ? { custom: before.custom as Row } : {}),
    ...(createdAt ? { createdAt } : {}),
    ...(updatedAt ? { updatedAt } : {}),
    deletedAt: now,
    mappingVersion,
  };
}

/** Kinds that records of each stream became by any mapping there ever was: rows of them may have to go. */
export async function kindsEver(tx: Tx, source: Source): Promise<Map<string, EntityKind[]>> {
  const levels = [WHOLE_TENANT, source.connection.id];
  const versions = [];
  for (const level of levels) versions.push(...(await listOverrides(tx, source.connector.id, level)));
  const kinds = new Map<string, Set<string>>();
  const add = (stream: string, names: readonly string[]): void => {
    const known = kinds.get(stream) ?? new Set();
    for (const name of names) known.add(name);
    kinds.set(stream, known);
  };
  for (const mapping of [defaultMapping(source.connector.id), ...versions.map((version) => version.mapping)])
    for (const [stream, own] of Object.entries(mapping.streams ?? {})) add(stream, Object.keys(own));
  for (const stream of source.connector.streams) add(stream.name, stream.entities);
  return new Map([...kinds].map(([stream, names]) => [stream, [...names] as EntityKind[]]));
}
