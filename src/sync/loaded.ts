import type { Tx } from '../base/database.ts';
import { markEverybody } from '../model/stale.ts';
import type { SyncDeps } from './deps.ts';

/** A first load or an import is through: whatever is derived of customers is looked at as a whole. */
export async function tellLoaded(deps: Pick<SyncDeps, 'queue'>, tx: Tx): Promise<void> {
  await markEverybody(tx);
  for (const queue of ['changes', 'score']) await deps.queue.send(tx, queue, { tenantId: tx.tenantId });
}
