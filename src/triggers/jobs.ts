import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import type { QueueDefinition } from '../base/queue.ts';
import { addDays, instantOf, localDate } from '../base/time.ts';
import { tenantZone } from '../settings/store.ts';
import { detectByClock, detectFromChanges, type StartRuns } from './detect.ts';

export interface TriggerJobDeps {
  db: Database;
  clock: Clock;
  start: StartRuns;
  /** Wakes a queue of the tenant. */
  wake: (queue: string, tenantId: string) => Promise<unknown>;
}

/** Queues that keep something derived of customers up to date; they are told when anything changed. */
const DERIVED: readonly string[] = [];

/** Looks at everything that changed, batch by batch, and wakes whoever keeps something derived of it. */
export async function runChanges(deps: TriggerJobDeps, tenantId: string): Promise<void> {
  while ((await deps.db.tenant(tenantId, (tx) => detectFromChanges(tx, deps.clock.now(), deps.start))) > 0);
  for (const queue of DERIVED) await deps.wake(queue, tenantId);
}

/** Looks at what the clock made due, and says when the tenant's next day begins. */
export async function runDetection(deps: TriggerJobDeps, tenantId: string): Promise<void> {
  const now = deps.clock.now();
  const zone = await deps.db.tenant(tenantId, async (tx) => {
    await detectByClock(tx, now, deps.start);
    return tenantZone(tx);
  });
  await bumpDue(
    { query: deps.db.statement },
    tenantId,
    'detect',
    instantOf(addDays(localDate(now, zone), 1), '00:01', zone),
  );
}

export function triggerQueues(deps: () => TriggerJobDeps): QueueDefinition[] {
  return [
    {
      name: 'changes',
      role: 'engine',
      perTenant: 1,
      batch: 100,
      handle: ({ tenantId }) => runChanges(deps(), tenantId!),
    },
    { name: 'detect', role: 'engine', perTenant: 1, handle: ({ tenantId }) => runDetection(deps(), tenantId!) },
  ];
}
