import type { Database, Tx } from '../base/database.ts';
import type { QueueDefinition } from '../base/queue.ts';
import { takeEverybody, takeStale } from '../model/stale.ts';
import { setting } from '../settings/store.ts';
import { factsSql, WISHES } from './facts.sql.ts';

const BATCH = 1000;

/**
 * Credits the answers, bookings and payments of these customers anew: each fact once for every sequence whose message
 * lies within the window before it, to the last one, and as the last touch to the last one of all. Whatever was credited
 * before and is no longer so is gone. It can be done again at any time and comes to the same.
 * @returns how many facts are credited
 */
export async function creditCustomers(tx: Tx, customerIds: readonly string[]): Promise<number> {
  if (customerIds.length === 0) return 0;
  const { days } = await setting(tx, 'attribution');
  const { zone } = await setting(tx, 'business');
  await tx.query('delete from credit where tenant_id = $1 and customer_id = any($2)', [tx.tenantId, customerIds]);
  const { rowCount } = await tx.query(
    `insert into credit (tenant_id, sequence_id, fact, fact_id, customer_id, request_id, campaign_id, run_id, step_id, last_touch, amount, currency, at)
     select $1::uuid, t.sequence_id, t.fact, t.fact_id, t.customer_id, t.request_id, t.campaign_id, t.run_id, t.step_id,
       row_number() over (partition by t.fact, t.fact_id order by t.sent_at desc, t.request_id desc) = 1, t.amount, t.currency, t.at
     from (
       select distinct on (s.sequence_id, f.fact, f.fact_id) s.sequence_id, f.fact, f.fact_id, f.customer_id, s.request_id, s.campaign_id, s.run_id, s.step_id,
         s.at as sent_at, f.amount, f.currency, f.at
       from (${factsSql((column) => `${column} = any($2::uuid[])`, '$3', '$4')}) f
         join sequence_send s on s.tenant_id = $1 and s.customer_id = f.customer_id and s.sent and s.at < f.at and s.at >= f.at - make_interval(days => $5::int)
       order by s.sequence_id, f.fact, f.fact_id, s.at desc, s.request_id desc) t
     on conflict do nothing`,
    [tx.tenantId, customerIds, zone, WISHES, days],
  );
  return rowCount;
}

/** Asks for everybody who was ever written to to be credited anew: after a first load, or when the window is another. */
async function spread(tx: Tx): Promise<void> {
  if (!(await takeEverybody(tx, 'credit'))) return;
  await tx.query(
    `insert into customer_stale (tenant_id, reader, customer_id, depth)
     select $1::uuid, 'credit', customer_id, 0 from sequence_send where tenant_id = $1 group by customer_id order by customer_id on conflict do nothing`,
    [tx.tenantId],
  );
}

/** Brings credits up to date for customers of whom something changed. Worked on twice, it comes to the same. */
export async function runCredits(deps: { db: Database }, tenantId: string): Promise<void> {
  await deps.db.tenant(tenantId, spread);
  for (let taken = BATCH; taken === BATCH; )
    taken = await deps.db.tenant(tenantId, async (tx) => {
      const stale = await takeStale(tx, 'credit', BATCH);
      await creditCustomers(
        tx,
        stale.map((one) => one.customerId),
      );
      return stale.length;
    });
}

export function creditQueues(deps: () => { db: Database }): QueueDefinition[] {
  return [{ name: 'credit', role: 'engine', perTenant: 1, handle: ({ tenantId }) => runCredits(deps(), tenantId!) }];
}
