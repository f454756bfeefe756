import type { Tx } from '../base/database.ts';
import { mergePreferences } from './preferences.ts';

/** Objections of either count for both. Whose a consent was is kept with it, so that it goes back to them alone. */
export async function mergeConsents(tx: Tx, survivor: string, absorbed: string, now: Date): Promise<void> {
  await tx.query(
    `update consent set evidence = jsonb_set(evidence, '{of}', ('["' || customer_id::text || '"]')::jsonb)
     where tenant_id = $1 and customer_id = any($2) and evidence -> 'of' is null`,
    [tx.tenantId, [survivor, absorbed]],
  );
  await tx.query(
    `insert into consent as c (tenant_id, customer_id, channel, topic, class, state, basis, source, evidence, recorded_at, expires_at)
     select tenant_id, $3, channel, topic, class, state, basis, source, evidence, recorded_at, expires_at from consent where tenant_id = $1 and customer_id = $2
     on conflict (tenant_id, customer_id, channel, topic, class) do update set state = excluded.state, basis = excluded.basis, source = excluded.source, evidence = excluded.evidence,
       recorded_at = excluded.recorded_at, expires_at = excluded.expires_at where excluded.state = 'denied' and c.state <> 'denied'`,
    [tx.tenantId, absorbed, survivor],
  );
  await tx.query(
    `update consent c set evidence = jsonb_set(c.evidence, '{of}', (c.evidence -> 'of') || (o.evidence -> 'of'))
     from consent o where c.tenant_id = $1 and o.tenant_id = $1 and c.customer_id = $3 and o.customer_id = $2
       and c.channel = o.channel and c.topic = o.topic and c.class = o.class and c.state = 'granted' and o.state = 'granted'`,
    [tx.tenantId, absorbed, survivor],
  );
  await mergePreferences(tx, survivor, absorbed, now);
  await tx.query('delete from consent where tenant_id = $1 and customer_id = $2', [tx.tenantId, absorbed]);
}
