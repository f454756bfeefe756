import type { Tx } from '../base/database.ts';

/** Something switched off at once: everything (`*`), a channel, a sequence or a campaign. */
export interface KillSwitch {
  scope: string;
  reason: string;
  set_by: string;
  set_at: Date;
}

export async function listKillSwitches(tx: Tx): Promise<KillSwitch[]> {
  return (
    await tx.query<KillSwitch>(
      'select scope, reason, set_by, set_at from kill_switch where tenant_id = $1 order by scope',
      [tx.tenantId],
    )
  ).rows;
}

export async function setKillSwitch(tx: Tx, scope: string, reason: string, by: string, now: Date): Promise<void> {
  await tx.query(
    'insert into kill_switch (tenant_id, scope, reason, set_by, set_at) values ($1, $2, $3, $4, $5) on conflict (tenant_id, scope) do update set reason = excluded.reason, set_by = excluded.set_by, set_at = excluded.set_at',
    [tx.tenantId, scope, reason, by, now],
  );
}

/** Switches back on. What was held is looked at again at once, and what a breaker counted before counts no more. */
export async function clearKillSwitch(tx: Tx, scope: string, now: Date): Promise<boolean> {
  const { rowCount } = await tx.query('delete from kill_switch where tenant_id = $1 and scope = $2', [
    tx.tenantId,
    scope,
  ]);
  await tx.query(
    "update action_request set not_before = $2, held = false, updated_at = $2 where tenant_id = $1 and state = 'planned' and reason = 'kill_switch'",
    [tx.tenantId, now],
  );
  await tx.query(
    'update send_breaker set tripped_at = null, reason = null, figures = null, counted_from = $3, version = version + 1 where tenant_id = $1 and scope = $2',
    [tx.tenantId, scope, now],
  );
  return rowCount === 1;
}
