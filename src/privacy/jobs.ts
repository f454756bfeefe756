import type { ActionDeps } from '../actions/deps.ts';
import type { QueueDefinition } from '../base/queue.ts';
import { workOffAll } from './erase.ts';

/** Works off erasures in the background; a job names the business only. */
export function privacyQueues(deps: () => ActionDeps): QueueDefinition[] {
  return [
    {
      name: 'erase',
      role: 'engine',
      perTenant: 1,
      handle: ({ tenantId }) => workOffAll(deps(), tenantId!),
    },
  ];
}
