import type { Tx } from '../base/database.ts';
import { followCustomers } from './sends.ts';

/** Two customers became one: the one is on each list once, as the one of the two who was further. */
export async function mergeCampaigns(tx: Tx, survivor: string, absorbed: string): Promise<void> {
  // Of two on the same list the one who entered stays, otherwise the survivor.
  await tx.query(
    `delete from campaign_member m using campaign_member o where m.tenant_id = $1 and o.tenant_id = $1 and o.campaign_id = m.campaign_id
       and m.customer_id = $2 and o.customer_id = $3 and o.state = 'entered' and m.state <> 'entered'`,
    [tx.tenantId, survivor, absorbed],
  );
  await tx.query(
    `delete from campaign_member m where m.tenant_id = $1 and m.customer_id = $3
       and exists (select from campaign_member o where o.tenant_id = $1 and o.campaign_id = m.campaign_id and o.customer_id = $2)`,
    [tx.tenantId, survivor, absorbed],
  );
  await tx.query('update campaign_member set customer_id = $2 where tenant_id = $1 and customer_id = $3', [
    tx.tenantId,
    survivor,
    absorbed,
  ]);
  await followCustomers(tx, [survivor, absorbed]);
}

/** One customer became two again: who entered goes with the enrolment. */
export async function partCampaigns(tx: Tx, from: string, revived: string): Promise<void> {
  await tx.query(
    `update campaign_member m set customer_id = $3 from run r where m.tenant_id = $1 and m.customer_id = $2 and r.tenant_id = $1 and r.id = m.run_id
       and r.customer_id = $3 and not exists (select from campaign_member o where o.tenant_id = $1 and o.campaign_id = m.campaign_id and o.customer_id = $3)`,
    [tx.tenantId, from, revived],
  );
  await followCustomers(tx, [from, revived]);
}
