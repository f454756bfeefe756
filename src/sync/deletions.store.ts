import { insertRows, one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { jsonOfRecord, type RawRecord } from './records.ts';

/** How a deletion was learned of. Privacy deletions are the law's: never held, never undone. */
export type DeletionCause = 'flag' | 'tombstones' | 'webhook' | 'refetch' | 'sweep' | 'privacy';
export const BATCH_STATES = ['held', 'confirmed', 'refused', 'applied', 'undoing', 'undone', 'lapsed'] as const;
export type BatchState = (typeof BATCH_STATES)[number];
type RecordState = 'gathered' | 'held' | 'deleted' | 'refused' | 'restored' | 'seen';

export interface BatchRow {
  id: string;
  connection_id: string;
  stream_id: string;
  cause: DeletionCause;
  state: BatchState;
  evidence: Record<string, unknown>;
  records: number;
  living: number | null;
  allowed: number | null;
  created_at: Date;
  decided_at: Date | null;
  decided_by: string | null;
  done_at: Date | null;
  undone_at: Date | null;
  undone_by: string | null;
}

const BATCH =
  'id, connection_id, stream_id, cause, state, evidence, records, living, allowed, created_at, decided_at, decided_by, done_at, undone_at, undone_by';

const RECORD = [
  { name: 'batch_id', type: 'uuid' },
  { name: 'stream_id', type: 'uuid' },
  { name: 'remote_id', type: 'text' },
  { name: 'state', type: 'text' },
];

/** Notes deletions: done ones, or held ones, which join the batch that waits for the same cause. @returns the batch */
export async function noteDeletions(
  tx: Tx,
  batch: Pick<BatchRow, 'connection_id' | 'stream_id' | 'cause' | 'evidence' | 'living' | 'allowed'> & {
    state: 'held' | 'applied';
  },
  ids: readonly string[],
  now: Date,
): Promise<{ id: string; fresh: boolean }> {
  const open =
    batch.state === 'held'
      ? one(
          await tx.query<{ id: string }>(
            `update deletion_batch set records = records + $4 where tenant_id = $1 and stream_id = $2 and cause = $3 and state = 'held' returning id`,
            [tx.tenantId, batch.stream_id, batch.cause, ids.length],
          ),
        )?.id
      : undefined;
  const id = open ?? newId();
  if (!open)
    await tx.query(
      `insert into deletion_batch (tenant_id, id, connection_id, stream_id, cause, state, evidence, records, living, allowed, created_at, done_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
      [
        tx.tenantId,
        id,
        batch.connection_id,
        batch.stream_id,
        batch.cause,
        batch.state,
        batch.evidence,
        ids.length,
        batch.living,
        batch.allowed,
        now,
        batch.state === 'applied' ? now : null,
      ],
    );
  const rows = ids.map((remote_id) => ({
    batch_id: id,
    stream_id: batch.stream_id,
    remote_id,
    state: batch.state === 'held' ? 'held' : 'deleted',
  }));
  await insertRows(tx, 'deletion', RECORD, rows, 'on conflict (tenant_id, batch_id, remote_id) do nothing');
  return { id, fresh: open === undefined };
}

export async function findBatch(tx: Tx, id: string): Promise<BatchRow | undefined> {
  return one(
    await tx.query<BatchRow>(`select ${BATCH} from deletion_batch where tenant_id = $1 and id = $2`, [tx.tenantId, id]),
  );
}

/** Batches, newest first. */
export async function listBatches(
  tx: Tx,
  filter: { state?: string; connectionId?: string; before?: string; limit: number },
): Promise<BatchRow[]> {
  const { rows } = await tx.query<BatchRow>(
    `select ${BATCH} from deletion_batch where tenant_id = $1 and ($2::text is null or state = $2)
       and ($3::uuid is null or connection_id = $3) and ($4::uuid is null or id < $4) order by id desc limit $5`,
    [tx.tenantId, filter.state ?? null, filter.connectionId ?? null, filter.before ?? null, filter.limit],
  );
  return rows;
}

/** Moves a batch on, when it still is where the decision was about. @returns false: somebody else was faster */
export async function moveBatch(
  tx: Tx,
  id: string,
  move: { from: BatchState; to: BatchState; by?: string; now: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update deletion_batch set state = $4,
       decided_at = case when $4 in ('confirmed', 'refused') then $6 else decided_at end,
       decided_by = case when $4 in ('confirmed', 'refused') then $5 else decided_by end,
       done_at = case when $4 = 'applied' then $6 else done_at end,
       undone_at = case when $4 = 'undoing' then $6 else undone_at end,
       undone_by = case when $4 = 'undoing' then $5 else undone_by end
     where tenant_id = $1 and id = $2 and state = $3`,
    [tx.tenantId, id, move.from, move.to, move.by ?? null, move.now],
  );
  return rowCount === 1;
}

/** Ids of a batch in one state, in order. */
export async function batchRecords(tx: Tx, id: string, state: RecordState, limit: number): Promise<string[]> {
  const { rows } = await tx.query<{ remote_id: string }>(
    'select remote_id from deletion where tenant_id = $1 and batch_id = $2 and state = $3 order by remote_id limit $4',
    [tx.tenantId, id, state, limit],
  );
  return rows.map((row) => row.remote_id);
}

/** Keeps what a page flags as deleted until the reading is at its end. */
export async function gatherDeletions(tx: Tx, streamId: string, records: readonly RawRecord[]): Promise<void> {
  const columns = [...RECORD, { name: 'payload', type: 'jsonb' }, { name: 'vendor_at', type: 'timestamptz' }];
  const rows = records.map((record) => ({
    batch_id: streamId,
    stream_id: streamId,
    remote_id: record.id,
    state: 'gathered',
    payload: jsonOfRecord(record),
    vendor_at: record.vendorAt ?? null,
  }));
  const update = 'do update set state = excluded.state, payload = excluded.payload, vendor_at = excluded.vendor_at';
  await insertRows(tx, 'deletion', columns, rows, `on conflict (tenant_id, batch_id, remote_id) ${update}`);
}

/** Takes out what was gathered of a stream; what was seen again since is left out. */
export async function takeGathered(tx: Tx, streamId: string): Promise<RawRecord[]> {
  const { rows } = await tx.query<{ remote_id: string; state: RecordState; payload: unknown; vendor_at: Date | null }>(
    'delete from deletion where tenant_id = $1 and batch_id = $2 and stream_id = $2 returning remote_id, state, payload, vendor_at',
    [tx.tenantId, streamId],
  );
  return rows
    .filter((row) => row.state === 'gathered')
    .map((row) => ({ id: row.remote_id, raw: row.payload, vendorAt: row.vendor_at?.toISOString(), deleted: true }));
}

/** How many records of each batch are in which state. */
export async function countRecords(
  tx: Tx,
  ids: readonly string[],
): Promise<{ batch_id: string; state: RecordState; n: number }[]> {
  const { rows } = await tx.query<{ batch_id: string; state: RecordState; n: number }>(
    'select batch_id, state, count(*)::int as n from deletion where tenant_id = $1 and batch_id = any($2) group by batch_id, state',
    [tx.tenantId, ids],
  );
  return rows;
}

/** Notes what became of records of a batch; without ids, of all that still are `from`. */
export async function moveRecords(
  tx: Tx,
  id: string,
  move: { from: RecordState; to: RecordState; ids?: readonly string[] },
): Promise<void> {
  await tx.query(
    'update deletion set state = $4 where tenant_id = $1 and batch_id = $2 and state = $3 and ($5::text[] is null or remote_id = any($5))',
    [tx.tenantId, id, move.from, move.to, move.ids ?? null],
  );
}

/** Those of `ids` that are not to be deleted again: their deletion waits, was refused, or was undone. */
export async function sparedOf(tx: Tx, streamId: string, ids: readonly string[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ remote_id: string }>(
    "select remote_id from deletion where tenant_id = $1 and stream_id = $2 and remote_id = any($3) and state in ('held', 'refused', 'restored')",
    [tx.tenantId, streamId, ids],
  );
  return new Set(rows.map((row) => row.remote_id));
}

/** Records of a stream deleted since a moment without anybody having been asked. */
export async function deletedSince(tx: Tx, streamId: string, since: Date): Promise<number> {
  const { rows } = await tx.query<{ n: number }>(
    `select coalesce(sum(records), 0)::int as n from deletion_batch where tenant_id = $1 and stream_id = $2 and created_at > $3
       and state = 'applied' and decided_by is null and cause <> 'privacy'`,
    [tx.tenantId, streamId, since],
  );
  return rows[0]!.n;
}

/** What waits for a decision, by stream. */
export async function heldOf(tx: Tx, connectionId: string): Promise<{ name: string; n: number }[]> {
  const { rows } = await tx.query<{ name: string; n: number }>(
    `select s.name, count(*)::int as n from deletion_batch b join stream s on s.tenant_id = b.tenant_id and s.id = b.stream_id
       join deletion d on d.tenant_id = b.tenant_id and d.batch_id = b.id and d.state = 'held'
     where b.tenant_id = $1 and b.connection_id = $2 and b.state = 'held' group by s.name order by s.name`,
    [tx.tenantId, connectionId],
  );
  return rows;
}

/** Batches a person decided about and nobody finished yet. */
export async function unfinishedBatches(tx: Tx): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    "select id from deletion_batch where tenant_id = $1 and state in ('confirmed', 'undoing')",
    [tx.tenantId],
  );
  return rows.map((row) => row.id);
}
