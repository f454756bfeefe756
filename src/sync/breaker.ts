import { appendEvents } from '../audit/store.ts';
import { one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { setting } from '../settings/store.ts';
import type { LedgerRow } from './ledger.ts';
import { park, resolveParked } from './parked.ts';

export interface BreakerRow {
  id: string;
  connection_id: string;
  /** Name of the connection. */
  connection: string | null;
  object: string;
  remote_id: string;
  field: string;
  flips: Date[];
  tripped_at: Date | null;
  reset_at: Date | null;
  reset_by: string | null;
}

const HOUR_MS = 3_600_000;
const BREAKER = `select b.id, b.connection_id, c.name as connection, b.object, b.remote_id, b.field, b.flips, b.tripped_at, b.reset_at, b.reset_by
  from write_breaker b left join connection c on c.tenant_id = b.tenant_id and c.id = b.connection_id where b.tenant_id = $1`;

/**
 * Somebody set a field back after we wrote it. Each write counts once, however many see it; too many of them in the
 * window stop us from writing that field of that record, and the owner is told.
 * @returns whether it stopped just now
 */
export async function countFlip(tx: Tx, write: LedgerRow, now: Date): Promise<boolean> {
  const { connection_id, object, remote_id, field, request_id } = write;
  const place = [tx.tenantId, connection_id, object, remote_id, field];
  const where = 'tenant_id = $1 and connection_id = $2 and object = $3 and remote_id = $4 and field = $5';
  const { rowCount } = await tx.query(
    `update write_ledger set flipped_at = $7, seen_at = coalesce(seen_at, $7) where ${where} and request_id = $6 and flipped_at is null`,
    [...place, request_id, now],
  );
  if (rowCount === 0) return false;
  await tx.query(
    'insert into write_breaker (tenant_id, connection_id, object, remote_id, field, id, updated_at) values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing',
    [...place, newId(), now],
  );
  const known = one(
    await tx.query<BreakerRow>(`select id, flips, tripped_at from write_breaker where ${where} for update`, place),
  )!;
  const { flips: limit, flipHours } = await setting(tx, 'echo');
  const since = now.getTime() - flipHours * HOUR_MS;
  const flips = [...known.flips.filter((at) => at.getTime() > since), now];
  const trips = known.tripped_at === null && flips.length >= limit;
  await tx.query(
    `update write_breaker set flips = $6, tripped_at = case when $7 then $8::timestamptz else tripped_at end, updated_at = $8 where ${where}`,
    [...place, flips, trips, now],
  );
  if (trips) await tellTripped(tx, { ...write, id: known.id }, flips.length, flipHours, now);
  return trips;
}

async function tellTripped(
  tx: Tx,
  { id, connection_id, object, remote_id, field }: LedgerRow & { id: string },
  times: number,
  hours: number,
  now: Date,
): Promise<void> {
  const { rows } = await tx.query<{ name: string }>('select name from connection where tenant_id = $1 and id = $2', [
    tx.tenantId,
    connection_id,
  ]);
  const reason = `${rows[0]?.name ?? 'The platform'} or something in it set "${field}" of ${object} ${remote_id} back ${times} times within ${hours} hours after we wrote it. We stopped writing it. Find out what sets it back (a workflow, another integration), then let it go on: rapport breakers --reset ${id}.`;
  await park(
    tx,
    [
      {
        kind: 'write',
        reference: id,
        reason,
        connectionId: connection_id,
        remoteId: remote_id,
        detail: { object, field, times },
      },
    ],
    now,
  );
  await appendEvents(tx, [
    {
      actor: 'system',
      action: 'write.stopped',
      subject: { kind: 'breaker', id },
      data: { connection: connection_id, object, record: remote_id, field, times, hours, reason: 'ping_pong' },
      at: now,
    },
  ]);
}

/** Fields that are set back again and again; those we stopped writing only, unless `all`. */
export async function listBreakers(
  tx: Tx,
  filter: { all?: boolean; after?: string | undefined; limit: number },
): Promise<BreakerRow[]> {
  const { rows } = await tx.query<BreakerRow>(
    `${BREAKER} and (b.tripped_at is not null or $2) and ($3::uuid is null or b.id > $3) order by b.id limit $4`,
    [tx.tenantId, filter.all ?? false, filter.after ?? null, filter.limit],
  );
  return rows;
}

/** Of these places, those we stopped writing. */
export async function trippedAt(
  tx: Tx,
  places: readonly { connectionId: string; object: string; remoteId: string; field: string }[],
): Promise<BreakerRow[]> {
  if (places.length === 0) return [];
  const { rows } = await tx.query<BreakerRow>(
    `${BREAKER} and b.tripped_at is not null and exists (
       select from unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) as i(connection_id, object, remote_id, field)
       where b.connection_id = i.connection_id and b.object = i.object and b.remote_id = i.remote_id and b.field = i.field)`,
    [
      tx.tenantId,
      places.map((place) => place.connectionId),
      places.map((place) => place.object),
      places.map((place) => place.remoteId),
      places.map((place) => place.field),
    ],
  );
  return rows;
}

/** A person took care of it: we write the field again, and count from nothing. */
export async function resetBreaker(tx: Tx, id: string, by: string, now: Date): Promise<BreakerRow | undefined> {
  const { rowCount } = await tx.query(
    "update write_breaker set flips = '{}', tripped_at = null, reset_at = $3, reset_by = $4, updated_at = $3 where tenant_id = $1 and id = $2",
    [tx.tenantId, id, now, by],
  );
  if (rowCount === 0) return undefined;
  await resolveParked(tx, 'write', [id], `reset by ${by}`, now);
  await appendEvents(tx, [{ actor: by, action: 'write.resumed', subject: { kind: 'breaker', id }, at: now }]);
  return one(await tx.query<BreakerRow>(`${BREAKER} and b.id = $2`, [tx.tenantId, id]));
}
