import type { Tx } from '../../base/database.ts';
import type { RawRecord } from '../records.ts';

/** Bytes of a batch as stored; what is compressed counts as often as it may swell. */
const BATCH_BYTES = 16 * 1024 * 1024;

interface StoredRow {
  remote_id: string;
  payload: unknown;
  vendor_at: Date | null;
  deleted_at: Date | null;
}

/**
 * The next stored records of a stream in the order of their ids; fewer when they are large.
 * @param lock hold them, so that nobody stores something newer until they are through
 */
export async function nextSources(
  tx: Tx,
  streamId: string,
  after: string | null,
  most: number,
  lock: boolean,
): Promise<(RawRecord & { deletedAt: Date | null })[]> {
  const { rows } = await tx.query<StoredRow>(
    // By a range of the primary key only: any other way in depends on statistics, which a first load leaves far behind.
    `with page as (
       select remote_id, case when pg_column_size(payload) < 1900 then pg_column_size(payload) else pg_column_size(payload)::bigint * 20 end as bytes
       from source_record where tenant_id = $1 and stream_id = $2 and remote_id > $3 order by remote_id limit $4),
     cut as (select remote_id, sum(bytes) over (order by remote_id) - bytes as before from page)
     select s.remote_id, s.payload, s.vendor_at, s.deleted_at from source_record s
     where s.tenant_id = $1 and s.stream_id = $2 and s.remote_id > $3
       and s.remote_id <= (select max(remote_id) from cut where before < $5)
     order by s.remote_id limit $4 ${lock ? 'for no key update' : ''}`,
    [tx.tenantId, streamId, after ?? '', most, BATCH_BYTES],
  );
  return rows.map((row) => ({
    id: row.remote_id,
    raw: row.payload,
    vendorAt: row.vendor_at?.toISOString(),
    deleted: row.deleted_at !== null,
    deletedAt: row.deleted_at,
  }));
}
