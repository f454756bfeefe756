import { bulk, type Tx } from '../base/database.ts';
import { ALL, type RequestRow } from './store.ts';
import type { Settlement } from './transitions.ts';

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
      not_before: settlement.notBefore,
      status: settlement.status,
      error_kind: settlement.errorKind,
    })),
    4,
  );
  const { rows } = await tx.query<RequestRow>(
    `update action_request r set state = input.state, reason = input.reason, reason_detail = input.detail, native_id = coalesce(input.native_id, r.native_id),
       native_url = coalesce(input.native_url, r.native_url), native_state = coalesce(r.native_state, input.native_state),
       native_state_at = coalesce(r.native_state_at, case when input.native_state is null then null else $3::timestamptz end),
       ended_at = case when input.state in ('sent', 'failed', 'skipped') then $3::timestamptz end, not_before = coalesce(input.not_before, r.not_before),
       lease_owner = null, lease_until = null, held = false, updated_at = $3, version = r.version + 1
     from ${from} where r.tenant_id = $1 and r.id = input.id and r.state = 'sending' and r.lease_owner = $2 returning ${QUALIFIED}`,
    [tx.tenantId, owner, now, ...values],
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
    3,
  );
  if (rows.length > 0)
    await tx.query(
      `update action_attempt a set ended_at = $2, outcome = input.state, status = input.status, error_kind = input.error_kind, message = input.detail
       from ${attempts.from} where a.tenant_id = $1 and a.request_id = input.id and a.number = input.number and a.ended_at is null`,
      [tx.tenantId, now, ...attempts.values],
    );
  // In the order they were sent, so that what follows from them happens in that order too.
  return settlements.map(({ id }) => settled.get(id)).filter((row) => row !== undefined);
}
