import { relink } from '../model/relink.ts';
import { tenantZone } from '../settings/store.ts';
import type { SyncDeps } from './deps.ts';
import { sourcesOf } from './source.ts';

/** Rounds in one go; what is left is done by the next look. */
const ROUNDS = 100;

/** Connects what transactions running at the same time could not see of each other. */
export async function linkMissed(deps: SyncDeps, tenantId: string): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const connected = await deps.db.tenant(tenantId, async (tx) => {
      const context = {
        now: deps.clock.now(),
        origin: 'live' as const,
        zone: await tenantZone(tx),
        sourceOf: await sourcesOf(deps, tx),
        onMerge: deps.listeners.onMerge,
      };
      const links = await relink(tx, context, deps.listeners.changes);
      if (links > 0) await deps.queue.send(tx, 'changes', { tenantId });
      return links;
    });
    if (connected === 0) return;
  }
}
