import type { BulkColumn } from '../base/database.ts';
import { columnType, type EntityKind, entityDefinition, isJoined, type Reference } from '../kit/index.ts';

/** Table that holds one row per source record of a kind. */
export const projectionTable = (kind: EntityKind): string => (isJoined(kind) ? `${kind}_projection` : kind);

/** Table of the golden rows. */
export const goldenTable = (kind: 'contact' | 'company'): string => (kind === 'contact' ? 'customer' : 'company');

/** The canonical fields of a kind as columns. */
export const fieldColumns = (kind: EntityKind): BulkColumn[] =>
  Object.entries(entityDefinition(kind).fields).map(([name, { type }]) => ({ name, type: columnType(type) }));

const referenceColumns = (references: readonly Reference[]): BulkColumn[] =>
  references.flatMap((reference) => [
    { name: `${reference}_ref`, type: 'text' },
    { name: `${reference}_id`, type: 'uuid' },
  ]);

const cache = new Map<EntityKind, BulkColumn[]>();

/** Every column of a projection row except the tenant, in the order bulk statements use. */
export function projectionColumns(kind: EntityKind): BulkColumn[] {
  let columns = cache.get(kind);
  if (!columns) {
    columns = [
      { name: 'stream_id', type: 'uuid' },
      { name: 'remote_id', type: 'text' },
      { name: 'entity_id', type: 'uuid' },
      ...fieldColumns(kind),
      ...referenceColumns(entityDefinition(kind).references),
      ...(isJoined(kind) ? [{ name: 'keys', type: 'text[]' }] : []),
      { name: 'custom', type: 'jsonb' },
      { name: 'source_created_at', type: 'timestamptz' },
      { name: 'source_updated_at', type: 'timestamptz' },
      { name: 'deleted_at', type: 'timestamptz' },
      { name: 'mapping_version', type: 'text' },
      { name: 'updated_at', type: 'timestamptz' },
    ];
    cache.set(kind, columns);
  }
  return columns;
}

/** Columns whose difference is a change worth telling; the rest is bookkeeping. */
export const tellingColumns = (kind: EntityKind): string[] => [
  ...fieldColumns(kind).map(({ name }) => name),
  ...entityDefinition(kind).references.map((reference) => `${reference}_id`),
  'custom',
  'deleted_at',
];

/** Kinds that point at customers, companies and owners. */
export const kindsReferring = (reference: Reference, kinds: readonly EntityKind[]): EntityKind[] =>
  kinds.filter((kind) => entityDefinition(kind).references.includes(reference));
