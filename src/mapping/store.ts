import { insertRows, one, type Tx } from '../base/database.ts';
import type { FieldDescription } from '../kit/index.ts';
import type { MappingOverride } from './schema.ts';

/** Stands for "all connections of the tenant" in the key of an override. */
export const WHOLE_TENANT = '00000000-0000-0000-0000-000000000000';

export interface OverrideRow {
  connection_id: string;
  version: number;
  mapping: MappingOverride;
  created_at: Date;
  created_by: string;
  /** The earlier version this one returned to. */
  restores?: number | null;
}

/** The newest override of the tenant and of the connection, in the order they apply. */
export async function loadOverrides(tx: Tx, connector: string, connectionId: string): Promise<OverrideRow[]> {
  const { rows } = await tx.query<OverrideRow>(
    `select distinct on (connection_id) connection_id, version, mapping, created_at, created_by from mapping_override
     where tenant_id = $1 and connector = $2 and connection_id = any($3) order by connection_id, version desc`,
    [tx.tenantId, connector, [WHOLE_TENANT, connectionId]],
  );
  return rows.sort((a) => (a.connection_id === WHOLE_TENANT ? -1 : 1));
}

/**
 * Stores a new version of an override.
 * @param expected the version the editor saw; undefined for a first one
 * @returns the new version, or undefined when someone else was faster
 */
export async function saveOverride(
  tx: Tx,
  override: {
    connector: string;
    connectionId: string;
    mapping: MappingOverride;
    by: string;
    at: Date;
    restores?: number | undefined;
  },
  expected: number | undefined,
): Promise<number | undefined> {
  await newMapping(tx, override.connector, override.connectionId);
  const present = one(
    await tx.query<{ version: number | null }>(
      'select max(version) as version from mapping_override where tenant_id = $1 and connector = $2 and connection_id = $3',
      [tx.tenantId, override.connector, override.connectionId],
    ),
  )?.version;
  if ((present ?? undefined) !== expected) return undefined;
  const version = (present ?? 0) + 1;
  const { rowCount } = await tx.query(
    `insert into mapping_override (tenant_id, connector, connection_id, version, mapping, created_at, created_by, restores)
     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
    [
      tx.tenantId,
      override.connector,
      override.connectionId,
      version,
      override.mapping,
      override.at,
      override.by,
      override.restores ?? null,
    ],
  );
  return rowCount === 1 ? version : undefined;
}

/**
 * Announces another mapping to whoever stores records of it: they hold the rows of their streams, so this waits for
 * those that are at it, and those that come later see the new count and read the mapping again.
 */
async function newMapping(tx: Tx, connector: string, connectionId: string): Promise<void> {
  const { rows } = await tx.query<{ id: string; mapping_seq: number }>(
    `select s.id, s.mapping_seq from stream s join connection c on c.tenant_id = s.tenant_id and c.id = s.connection_id
     where s.tenant_id = $1 and c.connector = $2 and ($3::uuid is null or c.id = $3) order by s.id for update of s`,
    [tx.tenantId, connector, connectionId === WHOLE_TENANT ? null : connectionId],
  );
  // All of them get the same count, also those that were added later.
  const seq = Math.max(0, ...rows.map((row) => row.mapping_seq)) + 1;
  await tx.query('update stream set mapping_seq = $3 where tenant_id = $1 and id = any($2)', [
    tx.tenantId,
    rows.map((row) => row.id),
    seq,
  ]);
}

/** Platforms whose mapping the business changed for all connections. */
export async function overriddenConnectors(tx: Tx): Promise<string[]> {
  const { rows } = await tx.query<{ connector: string }>(
    'select distinct connector from mapping_override where tenant_id = $1 and connection_id = $2 order by 1',
    [tx.tenantId, WHOLE_TENANT],
  );
  return rows.map((row) => row.connector);
}

/** Every version of one override, newest first. */
export async function listOverrides(tx: Tx, connector: string, connectionId: string): Promise<OverrideRow[]> {
  const { rows } = await tx.query<OverrideRow>(
    `select connection_id, version, mapping, created_at, created_by, restores from mapping_override
     where tenant_id = $1 and connector = $2 and connection_id = $3 order by version desc`,
    [tx.tenantId, connector, connectionId],
  );
  return rows;
}

export interface FieldRow {
  stream_id: string;
  name: string;
  label: string;
  type: string;
  options: { value: string; label: string }[] | null;
  custom: boolean;
  first_seen_at: Date;
  last_seen_at: Date;
  gone_at: Date | null;
}

/** Registers the vendor's fields of a stream; those no longer named are marked gone. */
export async function registerFields(
  tx: Tx,
  streamId: string,
  fields: readonly FieldDescription[],
  now: Date,
): Promise<void> {
  const columns = [
    { name: 'stream_id', type: 'uuid' },
    { name: 'name', type: 'text' },
    { name: 'label', type: 'text' },
    { name: 'type', type: 'text' },
    { name: 'options', type: 'jsonb' },
    { name: 'custom', type: 'boolean' },
    { name: 'first_seen_at', type: 'timestamptz' },
    { name: 'last_seen_at', type: 'timestamptz' },
  ];
  await insertRows(
    tx,
    'field_definition',
    columns,
    fields.map((field) => ({
      ...field,
      stream_id: streamId,
      options: field.options ?? null,
      first_seen_at: now,
      last_seen_at: now,
    })),
    `on conflict (tenant_id, stream_id, name) do update set label = excluded.label, type = excluded.type, options = excluded.options,
       custom = excluded.custom, last_seen_at = excluded.last_seen_at, gone_at = null`,
  );
  await tx.query(
    'update field_definition set gone_at = $3 where tenant_id = $1 and stream_id = $2 and gone_at is null and not (name = any($4))',
    [tx.tenantId, streamId, now, fields.map((field) => field.name)],
  );
}

export async function listFields(tx: Tx, streamId: string): Promise<FieldRow[]> {
  const { rows } = await tx.query<FieldRow>(
    'select stream_id, name, label, type, options, custom, first_seen_at, last_seen_at, gone_at from field_definition where tenant_id = $1 and stream_id = $2 order by custom desc, name',
    [tx.tenantId, streamId],
  );
  return rows;
}
