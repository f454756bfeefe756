import type { Tx } from '../base/database.ts';
import type { RawRecord } from './records.ts';

export interface MissingRow {
  remote_id: string;
  missing_since: Date;
  missing_passes: number;
}

/** Whether seeing a record of the stream again would change anything: something is missing, held, refused or undone. */
export async function isWatched(tx: Tx, streamId: string): Promise<boolean> {
  const { rows } = await tx.query<{ watched: boolean }>(
    `select exists (select from source_record where tenant_id = $1 and stream_id = $2 and missing_since is not null)
       or exists (select from deletion where tenant_id = $1 and stream_id = $2 and state in ('gathered', 'held', 'refused', 'restored')) as watched`,
    [tx.tenantId, streamId],
  );
  return rows[0]!.watched;
}

/**
 * The vendor shows these records: they leave quarantine, their held deletion lapses, and a later deletion counts anew.
 */
export async function seenAgain(tx: Tx, streamId: string, ids: readonly string[], now: Date): Promise<void> {
  if (ids.length === 0) return;
  await tx.query(
    'update source_record set missing_since = null, missing_passes = null where tenant_id = $1 and stream_id = $2 and remote_id = any($3) and missing_since is not null',
    [tx.tenantId, streamId, ids],
  );
  const { rows } = await tx.query<{ batch_id: string }>(
    `update deletion set state = 'seen' where tenant_id = $1 and stream_id = $2 and remote_id = any($3) and state in ('gathered', 'held', 'refused', 'restored') returning batch_id`,
    [tx.tenantId, streamId, ids],
  );
  const batches = [...new Set(rows.map((row) => row.batch_id))];
  if (batches.length > 0)
    await tx.query(
      `update deletion_batch b set state = 'lapsed', done_at = $3 where tenant_id = $1 and id = any($2) and state = 'held'
         and not exists (select from deletion d where d.tenant_id = $1 and d.batch_id = b.id and d.state = 'held')`,
      [tx.tenantId, batches, now],
    );
}

/** Records the vendor gives are there, whatever was thought of them before. */
export async function noteSeen(tx: Tx, streamId: string, records: readonly RawRecord[], now: Date): Promise<void> {
  const living = records.filter((record) => !record.deleted).map(({ id }) => id);
  if (living.length > 0 && (await isWatched(tx, streamId))) await seenAgain(tx, streamId, living, now);
}

/**
 * Compares what is stored with the ids a proven pass met. Only what was stored and unchanged since before the pass
 * counts as missing: what came or changed while it read was seen another way.
 */
export async function quarantine(
  tx: Tx,
  pass: { id: string; streamId: string; startedAt: Date },
  now: Date,
): Promise<void> {
  await tx.query(
    `update source_record s set missing_since = null, missing_passes = null where tenant_id = $1 and stream_id = $2 and missing_since is not null
       and (deleted_at is not null or exists (select from pass_seen p where p.tenant_id = $1 and p.pass_id = $3 and p.remote_id = s.remote_id))`,
    [tx.tenantId, pass.streamId, pass.id],
  );
  await tx.query(
    `update source_record s set missing_since = coalesce(missing_since, $5), missing_passes = least(coalesce(missing_passes, 0) + 1, 1000)
     where tenant_id = $1 and stream_id = $2 and deleted_at is null and merged_into is null and first_seen_at < $4 and changed_at < $4
       and not exists (select from pass_seen p where p.tenant_id = $1 and p.pass_id = $3 and p.remote_id = s.remote_id)`,
    [tx.tenantId, pass.streamId, pass.id, pass.startedAt, now],
  );
}

/** What was deleted is not missing any more. */
export async function clearDeleted(tx: Tx, streamId: string): Promise<void> {
  await tx.query(
    'update source_record set missing_since = null, missing_passes = null where tenant_id = $1 and stream_id = $2 and missing_since is not null and deleted_at is not null',
    [tx.tenantId, streamId],
  );
}

/** Living records in quarantine about which nobody decided yet. */
export async function missingOf(tx: Tx, streamId: string): Promise<MissingRow[]> {
  const { rows } = await tx.query<MissingRow>(
    `select remote_id, missing_since, missing_passes from source_record s where tenant_id = $1 and stream_id = $2 and missing_since is not null
       and deleted_at is null and not exists (select from deletion d where d.tenant_id = $1 and d.stream_id = $2 and d.remote_id = s.remote_id
         and d.state in ('held', 'refused', 'restored')) order by remote_id`,
    [tx.tenantId, streamId],
  );
  return rows;
}

/** How many living records are in quarantine. */
export async function countMissing(tx: Tx): Promise<{ stream_id: string; n: number }[]> {
  const { rows } = await tx.query<{ stream_id: string; n: number }>(
    'select stream_id, count(*)::int as n from source_record where tenant_id = $1 and missing_since is not null and deleted_at is null group by stream_id',
    [tx.tenantId],
  );
  return rows;
}

/** Ids a pass met that nothing is stored of. */
export async function unknownOf(tx: Tx, streamId: string, passId: string, limit: number): Promise<string[]> {
  const { rows } = await tx.query<{ remote_id: string }>(
    `select p.remote_id from pass_seen p where p.tenant_id = $1 and p.pass_id = $3
       and not exists (select from source_record s where s.tenant_id = $1 and s.stream_id = $2 and s.remote_id = p.remote_id) order by p.remote_id limit $4`,
    [tx.tenantId, streamId, passId, limit],
  );
  return rows.map((row) => row.remote_id);
}
