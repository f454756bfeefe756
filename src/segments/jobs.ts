import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import type { QueueDefinition } from '../base/queue.ts';
import { evaluateChanged, evaluateScored, evaluateTurned, evaluateWhole, nextLook } from './evaluate.ts';

export interface SegmentJobDeps {
  db: Database;
  clock: Clock;
  /** Wakes a queue of the tenant. */
  wake: (queue: string, tenantId: string) => Promise<unknown>;
}

/** Brings every segment of a tenant up to date, and says when the next look is due. */
export async function runSegments(deps: SegmentJobDeps, tenantId: string): Promise<void> {
  const now = deps.clock.now();
  await deps.db.tenant(tenantId, (tx) => evaluateWhole(tx, now));
  let told = 0;
  for (let looked = 1; looked > 0; ) {
    const outcome = await deps.db.tenant(tenantId, (tx) => evaluateChanged(tx, now));
    looked = outcome.looked;
    told += outcome.told;
  }
  const next = await deps.db.tenant(tenantId, async (tx) => {
    told += await evaluateScored(tx, now);
    told += await evaluateTurned(tx, now);
    return nextLook(tx, now);
  });
  if (next) await bumpDue({ query: deps.db.statement }, tenantId, 'segments', next);
  if (told > 0) await deps.wake('changes', tenantId);
}

export function segmentQueues(deps: () => SegmentJobDeps): QueueDefinition[] {
  return [{ name: 'segments', role: 'engine', perTenant: 1, handle: ({ tenantId }) => runSegments(deps(), tenantId!) }];
}
