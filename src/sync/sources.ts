import { insertRows, type Row, type Tx } from '../base/database.ts';

export interface SourceRow {
  remote_id: string;
  hash: Buffer;
  vendor_at: Date | null;
  deleted_at: Date | null;
}

export async function loadHashes(tx: Tx, streamId: string, ids: readonly string[]): Promise<Map<string, SourceRow>> {
  const { rows } = await tx.query<SourceRow>(
    'select remote_id, hash, vendor_at, deleted_at from source_record where tenant_id = $1 and stream_id = $2 and remote_id = any($3)',
    [tx.tenantId, streamId, ids],
  );
  return new Map(rows.map((row) => [row.remote_id, row]));
}

const SOURCE_COLUMNS = [
  { name: 'stream_id', type: 'uuid' },
  { name: 'remote_id', type: 'text' },
  { name: 'payload', type: 'jsonb' },
  { name: 'hash', type: 'bytea' },
  { name: 'vendor_at', type: 'timestamptz' },
  { name: 'first_seen_at', type: 'timestamptz' },
  { name: 'changed_at', type: 'timestamptz' },
  { name: 'origin', type: 'text' },
  { name: 'deleted_at', type: 'timestamptz' },
];
/**
 * What the vendor sent, as sent. Somebody else may store the same records at this moment: the table decides whose are
 * new and whose come too late. Rows with the same hash, and those the vendor dates older, are not written.
 * @param known records that were stored before, as far as is known
 * @returns what was written, and whether nobody had it before
 */
export async function writeSources(
  tx: Tx,
  rows: readonly Row[],
  known: ReadonlyMap<string, unknown> = new Map(),
): Promise<Map<string, 'new' | 'changed'>> {
  const key = 'on conflict (tenant_id, stream_id, remote_id)';
  const write = (some: readonly Row[], conflict: string): Promise<{ remote_id: string }[]> =>
    some.length === 0
      ? Promise.resolve([])
      : insertRows(tx, 'source_record as s', SOURCE_COLUMNS, some, `${key} ${conflict} returning remote_id`);
  const fresh = rows.filter((row) => !known.has(row.remote_id as string));
  const made = new Set((await write(fresh, 'do nothing')).map((row) => row.remote_id));
  const changed = await write(
    rows.filter((row) => !made.has(row.remote_id as string)),
    `do update set payload = excluded.payload, hash = excluded.hash, vendor_at = excluded.vendor_at,
       changed_at = excluded.changed_at, origin = excluded.origin, deleted_at = excluded.deleted_at
     where (s.hash is distinct from excluded.hash or s.deleted_at is distinct from excluded.deleted_at)
       and (s.vendor_at is null or excluded.vendor_at is null or excluded.vendor_at >= s.vendor_at)`,
  );
  return new Map([
    ...[...made].map((id) => [id, 'new'] as const),
    ...changed.map((row) => [row.remote_id, 'changed'] as const),
  ]);
}

/** Stored raw records, for a replay or a look-up; by id when ids are given. */
export async function loadSources(
  tx: Tx,
  streamId: string,
  ids?: readonly string[],
): Promise<{ remote_id: string; payload: unknown; vendor_at: Date | null; deleted_at: Date | null }[]> {
  const { rows } = await tx.query<{
    remote_id: string;
    payload: unknown;
    vendor_at: Date | null;
    deleted_at: Date | null;
  }>(
    'select remote_id, payload, vendor_at, deleted_at from source_record where tenant_id = $1 and stream_id = $2 and ($3::text[] is null or remote_id = any($3))',
    [tx.tenantId, streamId, ids ?? null],
  );
  return rows;
}

export async function countSources(tx: Tx): Promise<{ stream_id: string; n: number }[]> {
  const { rows } = await tx.query<{ stream_id: string; n: number }>(
    'select stream_id, count(*)::int as n from source_record where tenant_id = $1 and deleted_at is null group by stream_id',
    [tx.tenantId],
  );
  return rows;
}
