import { bumpDue } from '../base/due.ts';
import type { QueueDefinition } from '../base/queue.ts';
import type { CampaignDeps } from './deps.ts';
import { runningCampaigns } from './store.ts';
import { tickCampaign } from './tick.ts';

/** Lets people into every campaign of a business whose time has come, and says when the next turn is. */
export async function runCampaigns(deps: CampaignDeps, tenantId: string): Promise<void> {
  const now = deps.clock.now();
  const campaigns = await deps.db.tenant(tenantId, runningCampaigns);
  let next: Date | undefined;
  for (const { id } of campaigns) {
    for (;;) {
      const after = await deps.db.tenant(tenantId, (tx) => tickCampaign(deps, tx, id, now));
      if (after.more) continue;
      if (after.at && (!next || after.at < next)) next = after.at;
      break;
    }
  }
  if (next) await bumpDue({ query: deps.db.statement }, tenantId, 'campaigns', next);
}

export function campaignQueues(deps: () => CampaignDeps): QueueDefinition[] {
  return [
    {
      name: 'campaigns',
      role: 'engine',
      perTenant: 1,
      handle: ({ tenantId }) => runCampaigns(deps(), tenantId!),
    },
  ];
}
