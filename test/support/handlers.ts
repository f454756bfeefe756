import { actionQueues } from '../../src/actions/jobs.ts';
import { surveyDeps } from '../../src/actions/surveys.ts';
import { tellScores } from '../../src/actions/writeback.ts';
import type { QueueDefinition } from '../../src/base/queue.ts';
import { creditQueues } from '../../src/campaigns/credit.ts';
import { campaignQueues } from '../../src/campaigns/jobs.ts';
import type { Hub } from '../../src/hub.ts';
import { maintenanceQueues } from '../../src/maintenance.ts';
import { privacyQueues } from '../../src/privacy/jobs.ts';
import { scoreQueues } from '../../src/scoring/jobs.ts';
import { segmentQueues } from '../../src/segments/jobs.ts';
import { sequenceQueues } from '../../src/sequences/jobs.ts';
import { surveyQueues } from '../../src/surveys/jobs.ts';
import { syncQueues } from '../../src/sync/jobs.ts';
import { triggerQueues } from '../../src/triggers/jobs.ts';

export type Job = Record<string, string>;

/** The queues of a hub, worked on with `deps` in place of its own when they are given. */
export function queuesOf(hub: Hub, deps = hub.deps): QueueDefinition[] {
  return [
    ...syncQueues(() => deps),
    ...scoreQueues(() => ({ ...deps, tell: tellScores(() => deps) })),
    ...triggerQueues(() => ({
      db: deps.db,
      clock: deps.clock,
      start: hub.start,
      wake: (name, tenantId) => deps.queue.wake(name, { tenantId }),
    })),
    ...segmentQueues(() => ({
      db: deps.db,
      clock: deps.clock,
      wake: (name, tenantId) => deps.queue.wake(name, { tenantId }),
    })),
    ...sequenceQueues(() => ({ db: deps.db, clock: deps.clock, ports: deps.ports })),
    ...surveyQueues(() => surveyDeps(deps)),
    ...actionQueues(() => deps),
    ...campaignQueues(() => ({ ...deps, start: hub.start })),
    ...creditQueues(() => deps),
    ...privacyQueues(() => deps),
    ...maintenanceQueues(() => ({ db: deps.db, clock: deps.clock })),
  ];
}

/** What works on the queues of a hub, by name of the queue, to be called by hand. */
export function handlersOf(hub: Hub, deps = hub.deps): Map<string, (data: Job) => Promise<void>> {
  const { signal } = new AbortController();
  return new Map(queuesOf(hub, deps).map(({ name, handle }) => [name, (data) => handle(data, signal)]));
}
