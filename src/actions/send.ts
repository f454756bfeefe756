import { messageOf } from '../base/errors.ts';
import type { Session } from '../connections/session.ts';
import { type ActionDefinition, type ActionMeta, type Receipt, VendorError } from '../kit/index.ts';
import type { ActionDeps } from './deps.ts';
import type { RequestRow } from './store.ts';
import type { Settlement } from './transitions.ts';
import { type StoredField, storedFields } from './writes.ts';

/** Seconds before each further try of something the platform definitely did not do. */
const RETRIES: readonly number[] = [120, 480, 1_920, 7_680];
/** Tries of it, unless its connector states others. */
export const MAX_ATTEMPTS = RETRIES.length + 1;

/** Calls the platform. @returns what came of it; it never throws */
export async function perform(
  deps: ActionDeps,
  request: RequestRow,
  sessionOf: (connectionId: string) => Promise<Session>,
): Promise<Settlement> {
  let retries: readonly number[] | undefined;
  try {
    const session = await sessionOf(request.connection_id!);
    const action = session.connector.actions.find((candidate) => candidate.kind === request.kind);
    retries = action?.retries;
    if (!action)
      return failed(
        request,
        'no_connection',
        `${session.connector.name} cannot ${request.kind.replaceAll('_', ' ')} any more.`,
      );
    const { stored, ...receipt } = await execute(session, action, request);
    return {
      id: request.id,
      state: 'sent',
      reason: null,
      detail: null,
      nativeId: receipt.nativeId,
      nativeUrl: receipt.url ?? null,
      nativeState: receipt.state ?? null,
      ...(stored ? { stored } : {}),
    };
  } catch (error) {
    return afterFailure(deps, request, error, retries);
  }
}

/**
 * Runs an action once. A request that was tried before looks first whether that try left its mark.
 * @throws VendorError
 */
export async function execute(
  session: Session,
  action: ActionDefinition,
  request: RequestRow,
): Promise<Receipt & { stored?: StoredField[] }> {
  const input = request.content as never;
  const meta: ActionMeta = { requestId: request.id, firstTriedAt: request.committed_at ?? request.created_at };
  if (request.attempts > 1 && action.idempotency.kind === 'marker') {
    const { find } = action.idempotency;
    const earlier = await asking(() => find(session.ctx, input, meta));
    if (earlier && earlier !== 'cannot_tell') return earlier;
  }
  const before = await asking(() => action.before?.(session.ctx, input, meta) ?? Promise.resolve(undefined));
  const known = { ...meta, ...(before === undefined ? {} : { before }) };
  const spec = action.request(session.ctx, input, known);
  let reply: Awaited<ReturnType<Session['call']>>;
  try {
    reply = await session.call(spec);
  } catch (error) {
    if (!(error instanceof VendorError)) throw mayHaveActed(error, 'The call broke off');
    // It is there already under our own key: an earlier try made it.
    if (error.kind === 'conflict' && error.existingId && action.idempotency.kind !== 'none')
      return { nativeId: error.existingId };
    throw error;
  }
  try {
    const receipt = action.receipt(reply, session.ctx, input, known);
    return action.writes ? { ...receipt, stored: storedFields(session, action, input, reply) } : receipt;
  } catch (error) {
    // The platform took it: an answer that cannot be read does not undo that.
    // A connector's own verdict on the answer stands; a slip while reading it does not undo what the platform did.
    throw error instanceof VendorError ? error : mayHaveActed(error, "The platform's answer could not be read");
  }
}

/** What went wrong after the bytes were on their way leaves open whether the platform acted. */
const mayHaveActed = (error: unknown, what: string): VendorError =>
  new VendorError('unknown', `${what}: ${messageOf(error)}`, { mayHaveActed: true, cause: error });

/** A question that went unanswered changed nothing, so the action itself has not been tried. */
async function asking<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (!(error instanceof VendorError) || !error.mayHaveActed) throw error;
    throw new VendorError(error.kind, error.message, {
      ...(error.status === undefined ? {} : { status: error.status }),
      ...(error.until ? { until: error.until } : {}),
      cause: error,
    });
  }
}

const failed = (request: RequestRow, reason: string, detail: string, error?: VendorError): Settlement => ({
  id: request.id,
  state: 'failed',
  reason,
  detail,
  status: error?.status ?? null,
  errorKind: error?.kind ?? null,
});

/** One policy per kind of refusal. What may have happened is unknown; what definitely did not may be tried again. */
function afterFailure(
  deps: ActionDeps,
  request: RequestRow,
  error: unknown,
  retries: readonly number[] = RETRIES,
): Settlement {
  const delay = retries[request.attempts - 1];
  const now = deps.clock.now();
  const detail = messageOf(error);
  if (!(error instanceof VendorError)) {
    deps.log.error({ err: error, request: request.id }, 'an action failed inside the hub');
    return failed(request, 'internal', detail);
  }
  const attempt = { status: error.status ?? null, errorKind: error.kind };
  const again = (seconds: number, reason: string): Settlement => ({
    id: request.id,
    state: 'planned',
    reason,
    detail,
    notBefore: error.until ?? new Date(now.getTime() + seconds * 1000),
    ...attempt,
  });
  if (error.mayHaveActed) return { id: request.id, state: 'unknown', reason: 'no_good_answer', detail, ...attempt };
  switch (error.kind) {
    case 'rate_limited':
    case 'quota_exhausted':
      return again(60, 'rate_limited');
    case 'transient':
      return delay === undefined ? failed(request, 'transient', detail, error) : again(delay, 'transient');
    case 'auth_expired':
    case 'auth_revoked':
    case 'paused':
    case 'operator':
      return again(600, 'connection_unusable');
    case 'recipient_opted_out':
    case 'recipient_invalid':
      return failed(request, error.kind, detail, error);
    default:
      return failed(request, error.kind, detail, error);
  }
}
