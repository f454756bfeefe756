import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import type { Change } from '../model/types.ts';
import type { TriggerRow } from './store.ts';

/** Puts a change aside on which a trigger fails; it is tried again with each look of the clock. */
export async function parkChange(
  tx: Tx,
  trigger: Pick<TriggerRow, 'id' | 'name'>,
  change: Change,
  reason: string,
  now: Date,
): Promise<void> {
  const { rows } = await tx.query<{ tries: number }>(
    `insert into trigger_parked as p (tenant_id, trigger_id, change_id, reason, parked_at, tries) values ($1, $2, $3, $4, $5, 1)
     on conflict (tenant_id, trigger_id, change_id) do update set reason = excluded.reason, tries = p.tries + 1 returning tries`,
    [tx.tenantId, trigger.id, change.id, reason, now],
  );
  if (rows[0]?.tries === 1) await tell(tx, 'trigger.parked', trigger, change, reason, now);
}

/** Changes a trigger failed on before, oldest first. */
export async function parkedChanges(tx: Tx, triggerId: string, limit: number): Promise<Change[]> {
  const { rows } = await tx.query<Change>(
    `select c.id, c.kind, c.entity_id, c.customer_id, c.op, c.fields, c.before, c.after, c.origin, c.depth, c.occurred_at, c.received_at
     from trigger_parked p join change c on c.tenant_id = $1 and c.id = p.change_id
     where p.tenant_id = $1 and p.trigger_id = $2 order by p.change_id limit $3`,
    [tx.tenantId, triggerId, limit],
  );
  return rows;
}

/** Removes a change that was read after all, or that got too old meanwhile, which is told. */
export async function unparkChange(
  tx: Tx,
  trigger: Pick<TriggerRow, 'id' | 'name'>,
  change: Change,
  reason: string | undefined,
  now: Date,
): Promise<void> {
  await tx.query('delete from trigger_parked where tenant_id = $1 and trigger_id = $2 and change_id = $3', [
    tx.tenantId,
    trigger.id,
    change.id,
  ]);
  if (reason !== undefined) await tell(tx, 'trigger.given_up', trigger, change, reason, now);
}

async function tell(
  tx: Tx,
  action: string,
  trigger: Pick<TriggerRow, 'id' | 'name'>,
  change: Change,
  reason: string,
  now: Date,
): Promise<void> {
  await appendEvents(tx, [
    {
      actor: 'system',
      action,
      subject: { kind: 'trigger', id: trigger.id },
      customerId: change.customer_id,
      data: { trigger: trigger.name, about: `${change.kind} ${change.entity_id}`, reason },
      at: now,
    },
  ]);
}
