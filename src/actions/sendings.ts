import { bulk, type Tx } from '../base/database.ts';
import { ALL, type RequestRow } from './store.ts';
import { notBeforeOf, type Settlement, stateOf } from './transitions.ts';

const COLUMNS = [
  { name: 'id', type: 'uuid' },
  { name: 'state', type: 'text' },
  { name: 'reason', type: 'text' },
  { name: 'detail', type: 'text' },
  { name: 'native_id', type: 'text' },
  { name: 'native_url', type: 'text' },
  { name: 'native_state', type: 'text' },
  { name: 'not_before', type: 'timestamptz' },
  { name: 'status', type: 'int' },
  { name: 'error_kind', type: 'text' },
];
const QUALIFIED = ALL.split(', ')
  .map((name) => `r.${name}`)
  .join(', ');

/**
 * Takes committed requests into sending, each with a new attempt: after this, silence means unknown. What was switched
 * off or paused since the gate let it through stays behind and goes through the gate again.
 */
export async function beginSending(
  tx: Tx,
  ids: readonly string[],
  lease: { owner: string; until: Date },
  now: Date,
): Promise<RequestRow[]> {
  const { rows } = await tx.query<RequestRow>(
    `update action_request r set state = 'sending', lease_owner = $3, lease_until = $4, attempts = attempts + 1, updated_at = $5, version = version + 1
     where tenant_id = $1 and id = any($2) and ${stateOf('r')} = 'committed'
       and not exists (select from kill_switch k where k.tenant_id = $1 and k.scope in ('*', 'channel:' || r.channel))
       and not exists (select from connection c where c.tenant_id = $1 and c.id = r.connection_id and c.state <> 'active')
       and not exists (
         select from run u join sequence s on s.tenant_id = u.tenant_id and s.id = u.sequence_id where u.tenant_id = $1 and u.id = r.run_id
           and (u.state = 'paused' or s.state = 'paused' or exists (select from kill_switch k where k.tenant_id = $1 and k.scope in ('sequence:' || s.key, 'campaign:' || u.campaign_id::text))))
     returning ${ALL}`,
    [tx.tenantId, ids, lease.owner, lease.until, now],
  );
  if (rows.length > 0) {
    await tx.query(
      'insert into action_attempt (tenant_id, request_id, number, started_at) select $1, id, number, $4 from unnest($2::uuid[], $3::int[]) as i(id, number) on conflict do nothing',
      [tx.tenantId, rows.map((row) => row.id), rows.map((row) => row.attempts), now],
    );
  }
  return rows;
}

/** Takes back what was taken into sending and not begun: no byte of it left, so it was no attempt. */
export async function handBack(tx: Tx, ids: readonly string[], owner: string, now: Date): Promise<void> {
  const { rows } = await tx.query<{ id: string; number: number }>(
    `update action_request r set state = 'committed', lease_owner = null, lease_until = null, attempts = attempts - 1, updated_at = $4, version = version + 1
     where tenant_id = $1 and id = any($2) and ${stateOf('r')} = 'sending' and lease_owner = $3 returning id, attempts + 1 as number`,
    [tx.tenantId, ids, owner, now],
  );
  await tx.query(
    'delete from action_attempt a using unnest($2::uuid[], $3::int[]) as i(id, number) where a.tenant_id = $1 and a.request_id = any($2) and a.request_id = i.id and a.number = i.number',
    [tx.tenantId, rows.map((row) => row.id), rows.map((row) => row.number)],
  );
}

/**
 * What came of sendings, all at once. Only those whose lease is still `owner`'s are settled: whoever lost it has lost the
 * word about it.
 * @returns the requests as settled
 */
export async function settleSendings(
  tx: Tx,
  settlements: readonly Settlement[],
  owner: string,
  now: Date,
): Promise<RequestRow[]> {
  const { from, values } = bulk(
    COLUMNS,
    settlements.map((settlement) => ({
      id: settlement.id,
      state: settlement.state,
      reason: settlement.reason,
      detail: settlement.detail,
      native_id: settlement.nativeId,
      native_url: settlement.nativeUrl,
      native_state: settlement.nativeState,
      not_before: notBeforeOf(settlement, now),
      status: settlement.status,
      error_kind: settlement.errorKind,
    })),
    5,
  );
  const { rows } = await tx.query<RequestRow>(
    `update action_request r set state = input.state, reason = input.reason, reason_detail = input.detail, native_id = coalesce(input.native_id, r.native_id),
       native_url = coalesce(input.native_url, r.native_url), native_state = coalesce(r.native_state, input.native_state),
       native_state_at = coalesce(r.native_state_at, case when input.native_state is null then null else $3::timestamptz end),
       ended_at = case when input.state in ('sent', 'failed', 'skipped') then $3::timestamptz end, not_before = coalesce(input.not_before, r.not_before),
       lease_owner = null, lease_until = null, held = false, updated_at = $3, version = r.version + 1
     from ${from} where r.tenant_id = $1 and r.id = any($4) and r.id = input.id and ${stateOf('r')} = 'sending' and r.lease_owner = $2 returning ${QUALIFIED}`,
    [tx.tenantId, owner, now, settlements.map(({ id }) => id), ...values],
  );
  const settled = new Map(rows.map((row) => [row.id, row]));
  const attempts = bulk(
    [...COLUMNS, { name: 'number', type: 'int' }],
    settlements
      .filter(({ id }) => settled.has(id))
      .map((settlement) => ({
        id: settlement.id,
        number: settled.get(settlement.id)!.attempts,
        state: settlement.state,
        detail: settlement.detail,
        status: settlement.status,
        error_kind: settlement.errorKind,
      })),
    4,
  );
  if (rows.length > 0)
    await tx.query(
      `update action_attempt a set ended_at = $2, outcome = input.state, status = input.status, error_kind = input.error_kind, message = input.detail
       from ${attempts.from} where a.tenant_id = $1 and a.request_id = any($3) and a.request_id = input.id and a.number = input.number and a.ended_at is null`,
      [tx.tenantId, now, [...settled.keys()], ...attempts.values],
    );
  // In the order they were sent, so that what follows from them happens in that order too.
  return settlements.map(({ id }) => settled.get(id)).filter((row) => row !== undefined);
}
