import type { Tx } from '../base/database.ts';
import { markStale } from '../model/stale.ts';

/**
 * Two customers became one: messages count for both, and what people decided about the absorbed one holds where they
 * decided nothing about the other. Its own row stays, for the day it lives again.
 */
export async function mergeScores(tx: Tx, survivor: string, absorbed: string): Promise<void> {
  await tx.query('update message_engagement set customer_id = $3 where tenant_id = $1 and customer_id = $2', [
    tx.tenantId,
    absorbed,
    survivor,
  ]);
  await tx.query(
    `insert into customer_standing as s (tenant_id, customer_id, vip, vip_by, vip_at, cleared_at, cleared_by, cleared_reason)
     select $1::uuid, $3::uuid, a.vip, a.vip_by, a.vip_at, null, null, null from customer_standing a where a.tenant_id = $1 and a.customer_id = $2 and a.vip is not null
     on conflict (tenant_id, customer_id) do update set vip = excluded.vip, vip_by = excluded.vip_by, vip_at = excluded.vip_at, version = s.version + 1
     where s.vip is null`,
    [tx.tenantId, absorbed, survivor],
  );
  await bothStale(tx, survivor, absorbed);
}

/** One customer became two: messages go where their requests went. */
export async function partScores(tx: Tx, from: string, revived: string): Promise<void> {
  await tx.query(
    `update message_engagement e set customer_id = r.customer_id from action_request r
     where e.tenant_id = $1 and e.customer_id = $2 and r.tenant_id = $1 and r.customer_id = $3 and e.key = 'request:' || r.id::text`,
    [tx.tenantId, from, revived],
  );
  await bothStale(tx, from, revived);
}

const bothStale = (tx: Tx, one: string, other: string): Promise<void> =>
  markStale(
    tx,
    'score',
    [one, other].map((customerId) => ({ customerId, depth: 0 })),
  );
