import { appendEvents } from '../audit/store.ts';
import { conflict, notFound, stale } from '../base/errors.ts';
import type { ActionDeps } from './deps.ts';
import { afterEnd } from './ending.ts';
import { findRequest, type RequestRow } from './store.ts';
import { settleRequest } from './transitions.ts';

/** What a person says about an action: it was sent, it was not (and is tried again), or it is left out. */
export type Decided = 'sent' | 'again' | 'skipped';

/**
 * Settles an unknown or held action by a person's word.
 * @param decision `expected`: the version the person saw; absent: whatever it is now
 * @throws Problem when there is nothing to decide, or somebody else was faster
 */
export async function decideAction(
  deps: ActionDeps,
  tenantId: string,
  id: string,
  decision: { as: Decided; reason: string; by: string; expected?: number },
): Promise<RequestRow> {
  const { as, reason, by, expected } = decision;
  const now = deps.clock.now();
  return deps.db.tenant(tenantId, async (tx) => {
    const before = await findRequest(tx, id);
    if (!before) throw notFound('action', id);
    if (expected !== undefined && before.version !== expected) throw stale('action');
    if (before.state !== 'unknown' && before.state !== 'planned')
      throw conflict(`This action is ${before.state}; there is nothing to decide.`);
    if (as === 'sent' && before.state !== 'unknown') throw conflict('Only an unknown action can be declared sent.');
    const detail = `Decided by ${by}: ${reason}`;
    const settled = await settleRequest(
      tx,
      as === 'again'
        ? { id: before.id, state: 'planned', reason: 'again', detail, notBefore: now }
        : { id: before.id, state: as, reason: as === 'sent' ? null : 'decided', detail },
      undefined,
      now,
    );
    if (as === 'again') {
      await tx.query('update action_request set stale_after = null where tenant_id = $1 and id = $2', [
        tenantId,
        before.id,
      ]);
      await deps.queue.send(tx, 'dispatch', { tenantId });
    } else if (settled) await afterEnd(deps, tx, settled, now);
    await appendEvents(tx, [
      {
        actor: by,
        action: 'action.decided',
        subject: { kind: 'action', id: before.id },
        customerId: before.customer_id,
        data: { as, reason },
        at: now,
      },
    ]);
    return (await findRequest(tx, before.id))!;
  });
}
