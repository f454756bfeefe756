import { one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';

export interface ParkedRow {
  id: string;
  kind: 'record' | 'field' | 'row' | 'hook' | 'action' | 'stream' | 'write';
  connection_id: string | null;
  stream_id: string | null;
  remote_id: string | null;
  reference: string;
  reason: string;
  detail: Record<string, unknown>;
  payload: unknown;
  times: number;
  parked_at: Date;
  last_at: Date;
  resolved_at: Date | null;
  resolution: string | null;
}

const ALL =
  'id, kind, connection_id, stream_id, remote_id, reference, reason, detail, payload, times, parked_at, last_at, resolved_at, resolution';

export interface Parking {
  kind: ParkedRow['kind'];
  /** The same thing parked again is the same item. */
  reference: string;
  reason: string;
  connectionId?: string;
  streamId?: string;
  remoteId?: string;
  detail?: Record<string, unknown>;
  payload?: unknown;
}

/** Puts aside what could not be processed, with the reason, so that it can be seen and replayed. */
export async function park(tx: Tx, items: readonly Parking[], now: Date): Promise<void> {
  for (const item of items) {
    await tx.query(
      `insert into parked_item as p (tenant_id, id, kind, connection_id, stream_id, remote_id, reference, reason, detail, payload, parked_at, last_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
       on conflict (tenant_id, kind, reference) where resolved_at is null
       do update set reason = excluded.reason, detail = excluded.detail, payload = excluded.payload, times = p.times + 1, last_at = excluded.last_at`,
      [
        tx.tenantId,
        newId(),
        item.kind,
        item.connectionId ?? null,
        item.streamId ?? null,
        item.remoteId ?? null,
        item.reference,
        item.reason,
        item.detail ?? {},
        item.payload === undefined ? null : JSON.stringify(item.payload),
        now,
      ],
    );
  }
}

/** Closes open items: they were processed after all, or a person decided. @returns how many */
export async function resolveParked(
  tx: Tx,
  kind: ParkedRow['kind'],
  references: readonly string[],
  resolution: string,
  now: Date,
): Promise<number> {
  if (references.length === 0) return 0;
  const { rowCount } = await tx.query(
    'update parked_item set resolved_at = $4, resolution = $5 where tenant_id = $1 and kind = $2 and reference = any($3) and resolved_at is null',
    [tx.tenantId, kind, references, now, resolution],
  );
  return rowCount;
}

/** Closes what was said about fields before `readSince`: a whole reading of the stream did not meet it again. */
export async function resolveFields(tx: Tx, streamId: string, readSince: Date, now: Date): Promise<void> {
  await tx.query(
    "update parked_item set resolved_at = $4, resolution = 'it did not occur again' where tenant_id = $1 and kind = 'field' and stream_id = $2 and last_at < $3 and resolved_at is null",
    [tx.tenantId, streamId, readSince, now],
  );
}

export async function findParked(tx: Tx, id: string): Promise<ParkedRow | undefined> {
  return one(
    await tx.query<ParkedRow>(`select ${ALL} from parked_item where tenant_id = $1 and id = $2`, [tx.tenantId, id]),
  );
}

/** Open items, newest first. */
export async function listParked(
  tx: Tx,
  filter: { kind?: string; streamId?: string; before?: string; limit: number },
): Promise<ParkedRow[]> {
  const { rows } = await tx.query<ParkedRow>(
    `select ${ALL} from parked_item where tenant_id = $1 and resolved_at is null and ($2::text is null or kind = $2)
       and ($3::uuid is null or stream_id = $3) and ($4::uuid is null or id < $4) order by id desc limit $5`,
    [tx.tenantId, filter.kind ?? null, filter.streamId ?? null, filter.before ?? null, filter.limit],
  );
  return rows;
}

export async function countParked(tx: Tx): Promise<{ kind: string; stream_id: string | null; n: number }[]> {
  const { rows } = await tx.query<{ kind: string; stream_id: string | null; n: number }>(
    'select kind, stream_id, count(*)::int as n from parked_item where tenant_id = $1 and resolved_at is null group by kind, stream_id',
    [tx.tenantId],
  );
  return rows;
}

/** Open items that come after one, when the newest come first. */
export async function countParkedBefore(tx: Tx, id: string, kind?: string): Promise<number> {
  const { rows } = await tx.query<{ n: number }>(
    'select count(*)::int as n from parked_item where tenant_id = $1 and resolved_at is null and id < $2 and ($3::text is null or kind = $3)',
    [tx.tenantId, id, kind ?? null],
  );
  return rows[0]?.n ?? 0;
}
