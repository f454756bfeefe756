import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import type { QueueDefinition } from '../base/queue.ts';
import { moveBatch } from './batches.ts';
import { escalateFurther } from './escalating.ts';
import { claimDueEscalations, nextEscalation } from './escalations.ts';
import type { SequencePorts } from './ports.ts';
import { claimDueRuns, nextWake } from './runs.ts';

export interface SequenceJobDeps {
  db: Database;
  clock: Clock;
  ports: SequencePorts;
}

const BATCH = 200;

/** Moves on every enrolment and escalation of a tenant whose time has come. A lost or doubled wake-up is harmless. */
export async function advanceDue(deps: SequenceJobDeps, tenantId: string): Promise<number> {
  let moved = 0;
  for (;;) {
    const count = await deps.db.tenant(tenantId, async (tx) => {
      const now = deps.clock.now();
      const runs = await claimDueRuns(tx, now, BATCH);
      await moveBatch(deps.ports, tx, runs, now);
      const escalations = await claimDueEscalations(tx, now, BATCH);
      for (const escalation of escalations) await escalateFurther(deps.ports, tx, escalation, now);
      return runs.length + escalations.length;
    });
    moved += count;
    if (count < BATCH) break;
  }
  await bumpNextWake(deps, tenantId);
  return moved;
}

/** Says when the next enrolment or escalation is due. */
export async function bumpNextWake(deps: Pick<SequenceJobDeps, 'db'>, tenantId: string): Promise<void> {
  const next = await deps.db.tenant(tenantId, async (tx) =>
    [await nextWake(tx), await nextEscalation(tx)].filter((at) => at !== undefined),
  );
  const earliest = next.sort((a, b) => a.getTime() - b.getTime())[0];
  if (earliest) await bumpDue({ query: deps.db.statement }, tenantId, 'runs', earliest);
}

export function sequenceQueues(deps: () => SequenceJobDeps): QueueDefinition[] {
  return [
    {
      name: 'runs',
      role: 'engine',
      perTenant: 1,
      batch: 50,
      handle: async ({ tenantId }) => void (await advanceDue(deps(), tenantId!)),
    },
  ];
}
