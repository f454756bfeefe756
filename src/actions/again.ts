import { appendEvents } from '../audit/store.ts';
import { one, type Tx } from '../base/database.ts';
import { park, resolveParked } from '../sync/parked.ts';
import type { ActionDeps } from './deps.ts';
import type { RequestRow } from './store.ts';

/** What is tried over days is important to somebody: when all tries failed it is put aside instead of forgotten. */
export async function parkOrResolve(
  deps: Pick<ActionDeps, 'registry'>,
  tx: Tx,
  request: RequestRow,
  now: Date,
): Promise<void> {
  const retries = deps.registry
    .all()
    .flatMap((connector) => connector.actions)
    .find((action) => action.kind === request.kind)?.retries;
  if (!retries || request.attempts <= retries.length) return;
  if (request.state === 'sent') await resolveParked(tx, 'action', [request.id], 'it was sent after all', now);
  if (request.state !== 'failed' || request.reason !== 'transient') return;
  await park(
    tx,
    [
      {
        kind: 'action',
        reference: request.id,
        reason: `It was tried ${request.attempts} times over days and never taken: ${request.reason_detail ?? 'no reason given'}`,
        ...(request.connection_id ? { connectionId: request.connection_id } : {}),
        detail: { kind: request.kind, recipient: request.recipient },
        payload: request.content,
      },
    ],
    now,
  );
}

/** Plans a failed action once more, as it was. @returns whether there was one */
export async function replayAction(
  deps: Pick<ActionDeps, 'queue'>,
  tx: Tx,
  requestId: string,
  now: Date,
): Promise<boolean> {
  const row = one(
    await tx.query<{ customer_id: string | null }>(
      `update action_request set state = 'planned', reason = 'again', reason_detail = 'It was parked and is tried again.', not_before = $3, stale_after = null,
         ended_at = null, updated_at = $3, version = version + 1 where tenant_id = $1 and id::text = $2 and state = 'failed' returning customer_id`,
      [tx.tenantId, requestId, now],
    ),
  );
  if (!row) return false;
  await deps.queue.send(tx, 'dispatch', { tenantId: tx.tenantId });
  await appendEvents(tx, [
    {
      actor: 'system',
      action: 'action.replayed',
      subject: { kind: 'action', id: requestId },
      customerId: row.customer_id,
      data: {},
      at: now,
    },
  ]);
  return true;
}
