import type { QueueDefinition } from '../base/queue.ts';
import { bumpNextWake } from '../sequences/jobs.ts';
import type { ActionDeps } from './deps.ts';
import { dispatchDue } from './dispatch.ts';
import { reconcileUnknown } from './reconcile.ts';

export function actionQueues(deps: () => ActionDeps): QueueDefinition[] {
  return [
    {
      name: 'dispatch',
      role: 'dispatch',
      perTenant: 1,
      // More than one tenant may have: there is always a worker for another.
      parallel: 4,
      batch: 50,
      handle: async ({ tenantId }) => {
        await dispatchDue(deps(), tenantId!);
        // What was sent let enrolments move on, and they now wait for another moment.
        await bumpNextWake(deps(), tenantId!);
      },
    },
    {
      name: 'reconcile',
      role: 'dispatch',
      perTenant: 1,
      handle: ({ tenantId }) => reconcileUnknown(deps(), tenantId!),
    },
  ];
}
