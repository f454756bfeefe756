import type { Tx } from '../../base/database.ts';
import type { RawRecord } from '../records.ts';

/** Bytes of a batch as stored; what is compressed counts as often as it may swell. */
const BATCH_BYTES = 16 * 1024 * 1024;

interface StoredState {
  remote_id: string;
  hash: Buffer;
  changed_at: Date;
  deleted_at: Date | null;
}

interface StoredRow extends StoredState {
  payload: unknown;
  vendor_at: Date | null;
}

/** A stored record with the state it was read in. */
export interface StoredRecord extends RawRecord {
  deletedAt: Date | null;
  hash: Buffer;
  changedAt: Date;
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
): Promise<StoredRecord[]> {
  const { rows } = await tx.query<StoredRow>(
    // By a range of the primary key only: any other way in depends on statistics, which a first load leaves far behind.
    `with page as (
       select remote_id, case when pg_column_size(payload) < 1900 then pg_column_size(payload) else pg_column_size(payload)::bigint * 20 end as bytes
       from source_record where tenant_id = $1 and stream_id = $2 and remote_id > $3 order by remote_id limit $4),
     cut as (select remote_id, sum(bytes) over (order by remote_id) - bytes as before from page)
     select s.remote_id, s.payload, s.vendor_at, s.deleted_at, s.hash, s.changed_at from source_record s
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
    hash: row.hash,
    changedAt: row.changed_at,
  }));
}

/**
 * Holds the records behind `after` up to the last of `read`, as `nextSources` with `lock` does.
 * @param read what was read there before without holding it, at least one
 * @returns whether all of it, and nothing else, is there unchanged
 */
export async function holdSources(
  tx: Tx,
  streamId: string,
  after: string | null,
  read: readonly StoredRecord[],
): Promise<boolean> {
  const { rows } = await tx.query<StoredState>(
    `select remote_id, hash, changed_at, deleted_at from source_record
     where tenant_id = $1 and stream_id = $2 and remote_id > $3 and remote_id <= $4 order by remote_id for no key update`,
    [tx.tenantId, streamId, after ?? '', read.at(-1)!.id],
  );
  return rows.length === read.length && rows.every((row, at) => isSame(row, read[at]!));
}

const isSame = (row: StoredState, record: StoredRecord): boolean =>
  row.remote_id === record.id &&
  row.hash.equals(record.hash) &&
  row.changed_at.getTime() === record.changedAt.getTime() &&
  row.deleted_at?.getTime() === record.deletedAt?.getTime();
