import type { AuditEntry } from '../audit/schema.ts';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { releaseTouch } from '../consent/store.ts';
import { noteSent } from '../scoring/engagement.ts';
import { actionsEnded, type EndedAction } from '../sequences/engine.ts';
import type { ActionDeps } from './deps.ts';
import { SHADOW } from './gate.ts';
import { planNextChannel } from './plan.ts';
import type { RequestRow } from './store.ts';

/** Skips after which another channel may still reach the person. */
export const CHANNEL_CLOSED: ReadonlySet<string> = new Set([
  'no_address',
  'suppressed',
  'opted_out',
  'no_connection',
  'recipient_opted_out',
  'recipient_invalid',
  'outside_session',
]);

/** What follows the end of a request, in the transaction of the end. */
export const afterEnd = (deps: ActionDeps, tx: Tx, request: RequestRow, now: Date): Promise<void> =>
  afterEnds(deps, tx, [request], now);

/** The same for several that ended together. */
export async function afterEnds(deps: ActionDeps, tx: Tx, requests: readonly RequestRow[], now: Date): Promise<void> {
  for (const request of requests)
    if (request.state === 'failed' || (request.state === 'skipped' && request.reason !== SHADOW))
      await releaseTouch(tx, request.id);
  await appendEvents(
    tx,
    requests.map((request) => eventOf(request, now)),
  );
  await noteEngagement(deps, tx, requests, now);
  await deps.ears?.ended(tx, requests, now);
  await tellRuns(deps, tx, requests, now);
}

const eventOf = (request: RequestRow, now: Date): AuditEntry => ({
  actor: request.created_by,
  action: `action.${request.state}`,
  subject: { kind: 'action', id: request.id },
  customerId: request.customer_id,
  data: {
    kind: request.kind,
    channel: request.channel,
    class: request.class,
    reason: request.reason,
    detail: request.reason_detail,
    nativeId: request.native_id,
    step: request.step_id,
  },
  at: now,
});

/** Messages that reached a platform, for what customers do with them. */
async function noteEngagement(deps: ActionDeps, tx: Tx, requests: readonly RequestRow[], now: Date): Promise<void> {
  const sent = requests.filter(
    ({ state, class: of, customer_id }) => state === 'sent' && of !== 'internal' && customer_id,
  );
  if (sent.length === 0) return;
  const { rows } = await tx.query<{ id: string; connector: string }>(
    'select id, connector from connection where tenant_id = $1 and id = any($2)',
    [tx.tenantId, sent.map((request) => request.connection_id)],
  );
  const connectorOf = new Map(rows.map((row) => [row.id, row.connector]));
  const tells = ({ connection_id, kind }: RequestRow): boolean =>
    deps.registry
      .find(connectorOf.get(connection_id ?? '') ?? '')
      ?.actions.find((action) => action.kind === kind)
      ?.follows?.includes('delivered') ?? false;
  await noteSent(
    tx,
    sent.map((request) => ({
      id: request.id,
      customerId: request.customer_id!,
      channel: request.channel,
      tellsDelivery: tells(request),
    })),
    now,
  );
}

/** The enrolments that wait for the requests go on, together. */
async function tellRuns(deps: ActionDeps, tx: Tx, requests: readonly RequestRow[], now: Date): Promise<void> {
  const ended: EndedAction[] = [];
  for (const request of requests) {
    if (!request.run_id || request.state === 'planned') continue;
    // The enrolment waits for the look-up, so that a message that never left can still go out.
    if (request.state === 'unknown' && (await canBeLookedUp(deps, tx, request))) continue;
    const closed =
      (request.state === 'skipped' || request.state === 'failed') && CHANNEL_CLOSED.has(request.reason ?? '');
    if (closed && (await planNextChannel(deps, tx, request, now))) continue;
    ended.push({
      runId: request.run_id,
      stepId: request.step_id!,
      visit: request.visit!,
      // In shadow it goes on as if it had gone out.
      outcome: request.reason === SHADOW ? 'sent' : request.state,
      detail: request.reason_detail ?? request.reason,
    });
  }
  await actionsEnded(deps.ports, tx, ended, now);
}

async function canBeLookedUp(deps: ActionDeps, tx: Tx, request: RequestRow): Promise<boolean> {
  const { rows } = await tx.query<{ connector: string }>(
    'select connector from connection where tenant_id = $1 and id = $2',
    [tx.tenantId, request.connection_id],
  );
  const action = deps.registry
    .find(rows[0]?.connector ?? '')
    ?.actions.find((candidate) => candidate.kind === request.kind);
  return action !== undefined && action.idempotency.kind !== 'none';
}
