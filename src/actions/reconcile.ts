import { isPassing } from '../base/attempt.ts';
import { bumpDue } from '../base/due.ts';
import { messageOf } from '../base/errors.ts';
import { openSession } from '../connections/session.ts';
import { type Receipt, VendorError } from '../kit/index.ts';
import { actionsEnded } from '../sequences/engine.ts';
import type { ActionDeps } from './deps.ts';
import { afterEnd } from './ending.ts';
import { MAX_ATTEMPTS } from './send.ts';
import type { RequestRow } from './store.ts';
import {
  expireSending,
  FIRST_LOOK_MS,
  nextLook,
  noteStillUnknown,
  settleRequest,
  unknownRequests,
} from './transitions.ts';

/** Later they come as far apart as a share of its age, and never further than this. */
const LOOK_AT_LEAST_MS = 3_600_000;
const SHARE_OF_AGE = 0.25;
/** What a person has to decide is looked at once a day, for the case that the platform can tell by then. */
const DAY_MS = 24 * 3_600_000;
/** After this a thing that left no mark is taken as not done, where the platform's index is sure by then. */
const GIVE_UP_FACTOR = 3;
/** Looked at in one statement, and in one job. */
const BATCH = 50;
const MOST = 1_000;

export type Finding = 'sent' | 'retry' | 'unknown';

/** Turns dead sendings into unknowns and asks the platforms what became of the unknowns. */
export async function reconcileUnknown(deps: ActionDeps, tenantId: string): Promise<void> {
  const now = deps.clock.now();
  await deps.db.tenant(tenantId, async (tx) => {
    for (const row of await expireSending(tx, now)) await afterEnd(deps, tx, row, now);
  });
  let looked = 0;
  for (let found = BATCH; found === BATCH && looked < MOST; looked += found) {
    const due = await deps.db.tenant(tenantId, (tx) => unknownRequests(tx, now, BATCH));
    for (const request of due) await reconcile(deps, tenantId, request);
    found = due.length;
  }
  const next = await deps.db.tenant(tenantId, (tx) => nextLook(tx));
  if (next) await bumpDue({ query: deps.db.statement }, tenantId, 'reconcile', next);
}

/** After a day nobody waits for the platform any more: the enrolment goes on, the request stays unknown for a person. */
const WAIT_AT_MOST_MS = DAY_MS;

async function staysUnknown(
  deps: ActionDeps,
  tenantId: string,
  request: RequestRow,
  detail: string,
  final = false,
): Promise<Finding> {
  const now = deps.clock.now();
  await deps.db.tenant(tenantId, async (tx) => {
    const age = now.getTime() - (request.committed_at ?? request.created_at).getTime();
    const pause = Math.min(Math.max(age * SHARE_OF_AGE, FIRST_LOOK_MS), LOOK_AT_LEAST_MS);
    await noteStillUnknown(tx, request.id, detail, new Date(now.getTime() + (final ? DAY_MS : pause)), now);
    const tooLong = age > WAIT_AT_MOST_MS;
    if (request.run_id && (final || tooLong)) {
      const { run_id: runId, step_id: stepId, visit } = request;
      await actionsEnded(deps.ports, tx, [{ runId, stepId: stepId!, visit: visit!, outcome: 'unknown', detail }], now);
    }
  });
  return 'unknown';
}

/**
 * Asks the platform about one unknown, by the action's own way of recognising an earlier try.
 * @returns what was found; `unknown` stays for a person when the platform has no way to tell
 */
export async function reconcile(deps: ActionDeps, tenantId: string, request: RequestRow): Promise<Finding> {
  // A report about it overtook the answer that then got lost.
  if (request.native_id) return settleAs(deps, tenantId, request, 'sent', { nativeId: request.native_id });
  const now = deps.clock.now();
  let session: Awaited<ReturnType<typeof openSession>> | undefined;
  try {
    session = await openSession(deps, tenantId, request.connection_id!, 'action');
    const action = session.connector.actions.find((candidate) => candidate.kind === request.kind);
    const way = action?.idempotency;
    if (!action || !way) {
      const cannot = `${session.connector.name} cannot ${request.kind.replaceAll('_', ' ')} any more, so it cannot be asked. A person decides.`;
      return await staysUnknown(deps, tenantId, request, cannot, true);
    }
    if (way.kind === 'none') {
      return await staysUnknown(
        deps,
        tenantId,
        request,
        `The platform cannot tell whether it acted (${way.reason}). A person decides.`,
        true,
      );
    }
    if (way.kind === 'marker') {
      const meta = { requestId: request.id, firstTriedAt: request.committed_at ?? request.created_at };
      const receipt = await way.find(session.ctx, request.content as never, meta);
      if (receipt === 'cannot_tell') {
        const cannot = `${session.connector.name} cannot tell whether it acted. A person decides.`;
        return await staysUnknown(deps, tenantId, request, cannot, true);
      }
      if (receipt) return await settleAs(deps, tenantId, request, 'sent', receipt);
      // Of the newest try: an earlier one may be long ago, and what the newest made may not show yet.
      const triedAt = (await lastTry(deps, tenantId, request.id)) ?? request.committed_at ?? request.created_at;
      const sure = now.getTime() - triedAt.getTime() > way.settleSeconds * GIVE_UP_FACTOR * 1000;
      if (!sure)
        return await staysUnknown(
          deps,
          tenantId,
          request,
          'It was not found yet; the platform may need a moment to show it.',
        );
    }
    // The platform can tell and has nothing, or doing it twice is the same as once: try again. Marketing never blindly.
    if (request.class === 'marketing' && way.kind !== 'vendor_key')
      return await staysUnknown(
        deps,
        tenantId,
        request,
        'It was not found at the platform; marketing is not sent twice without a person.',
        true,
      );
    if (request.attempts >= MAX_ATTEMPTS)
      return await staysUnknown(
        deps,
        tenantId,
        request,
        `It was tried ${request.attempts} times and the platform never gave a clear answer. A person decides.`,
        true,
      );
    // Waited for here: failing while the session closes, it would be heard by nobody and end the process.
    return await settleAs(deps, tenantId, request, 'retry');
  } catch (error) {
    if (isPassing(error)) throw error;
    // A fault of our own about one of them keeps none of the others waiting.
    if (!(error instanceof VendorError))
      deps.log.error({ err: error, action: request.id }, 'an unknown was not looked at');
    return await staysUnknown(deps, tenantId, request, `The platform could not be asked: ${messageOf(error)}`);
  } finally {
    await session?.close();
  }
}

/** When the newest try of a request began. */
async function lastTry(deps: ActionDeps, tenantId: string, id: string): Promise<Date | undefined> {
  const { rows } = await deps.db.tenant(tenantId, (tx) =>
    tx.query<{ at: Date | null }>(
      'select max(started_at) as at from action_attempt where tenant_id = $1 and request_id = $2',
      [tenantId, id],
    ),
  );
  return rows[0]?.at ?? undefined;
}

async function settleAs(
  deps: ActionDeps,
  tenantId: string,
  request: RequestRow,
  finding: 'sent' | 'retry',
  receipt?: Receipt,
): Promise<Finding> {
  const now = deps.clock.now();
  await deps.db.tenant(tenantId, async (tx) => {
    const row = await settleRequest(
      tx,
      finding === 'sent'
        ? {
            id: request.id,
            state: 'sent',
            reason: null,
            detail: 'Found at the platform afterwards.',
            nativeId: receipt?.nativeId ?? null,
            nativeUrl: receipt?.url ?? null,
            nativeState: receipt?.state ?? null,
          }
        : {
            id: request.id,
            state: 'planned',
            reason: 'retry',
            detail: 'The platform has nothing of it; it is tried again.',
            notBefore: now,
          },
      undefined,
      now,
    );
    if (row?.state === 'sent') await afterEnd(deps, tx, row, now);
    if (row?.state === 'planned') await deps.queue.send(tx, 'dispatch', { tenantId });
  });
  return finding;
}
