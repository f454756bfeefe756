import { appendEvents } from '../audit/store.ts';
import { insertRows, type Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { messageOf } from '../base/errors.ts';
import { newId, sha256 } from '../base/ids.ts';
import { openSession, type Session } from '../connections/session.ts';
import { lockGuards, releaseTouch, suppress } from '../consent/store.ts';
import { type ActionDefinition, type ActionMeta, type Receipt, VendorError } from '../kit/index.ts';
import { actionEnded } from '../sequences/engine.ts';
import { loadDefinition } from '../sequences/store.ts';
import type { ActionDeps } from './deps.ts';
import { type Decision, decideBatch } from './facts.ts';
import { ensureFresh } from './freshness.ts';
import { planNextChannel } from './plan.ts';
import {
  beginSending,
  commitRequests,
  dueRequests,
  lockRequests,
  nextRequestDue,
  postponeRequests,
  type RequestRow,
  type Settlement,
  settleRequest,
} from './store.ts';

/** Requests decided and sent together. */
const BATCH = 50;
/** Sent at the same time, and settled in one transaction. */
const CHUNK = 16;
const LEASE_MS = 120_000;
/** Tries of something the platform definitely did not do. */
const MAX_ATTEMPTS = 5;

/** Skips after which another channel may still reach the person. */
const CHANNEL_CLOSED = new Set([
  'no_address',
  'suppressed',
  'opted_out',
  'no_connection',
  'recipient_opted_out',
  'recipient_invalid',
]);

/**
 * Takes due requests of a tenant through the gate and out to the platforms, batch after batch.
 * @returns how many were sent
 */
export async function dispatchDue(deps: ActionDeps, tenantId: string): Promise<number> {
  let sent = 0;
  for (;;) {
    const candidates = await deps.db.tenant(tenantId, (tx) => dueRequests(tx, deps.clock.now(), BATCH));
    if (candidates.length === 0) break;
    const freshness = await ensureFresh(deps, tenantId, await customersNeedingBilling(deps, tenantId, candidates));
    const committed = await deps.db.tenant(tenantId, (tx) => passGate(deps, tx, candidates, freshness));
    for (let start = 0; start < committed.length; start += CHUNK)
      sent += await sendChunk(deps, tenantId, committed.slice(start, start + CHUNK));
    if (candidates.length < BATCH) break;
  }
  const next = await deps.db.tenant(tenantId, (tx) => nextRequestDue(tx));
  if (next) await bumpDue({ query: deps.db.statement }, tenantId, 'dispatch', next);
  return sent;
}

async function customersNeedingBilling(
  deps: ActionDeps,
  tenantId: string,
  requests: readonly RequestRow[],
): Promise<string[]> {
  return deps.db.tenant(tenantId, async (tx) => {
    const runIds = [
      ...new Set(
        requests
          .filter((request) => request.class !== 'internal')
          .map((request) => request.run_id)
          .filter((id) => id !== null),
      ),
    ];
    if (runIds.length === 0) return [];
    const { rows } = await tx.query<{ id: string; sequence_id: string; version: number; customer_id: string }>(
      'select id, sequence_id, version, customer_id from run where tenant_id = $1 and id = any($2)',
      [tenantId, runIds],
    );
    const customers = new Set<string>();
    for (const row of rows)
      if ((await loadDefinition(tx, row.sequence_id, row.version)).needs_fresh_billing) customers.add(row.customer_id);
    return [...customers];
  });
}

/**
 * One transaction: locks in a fixed order (people, enrolments, requests), decides, reserves, commits.
 * @returns ids of the requests that may go out now
 */
async function passGate(
  deps: ActionDeps,
  tx: Tx,
  candidates: readonly RequestRow[],
  freshness: Parameters<typeof decideBatch>[4],
): Promise<string[]> {
  const now = deps.clock.now();
  const facing = candidates
    .filter((request) => request.class !== 'internal' && request.customer_id)
    .map((request) => request.customer_id!);
  const { rows: companies } = await tx.query<{ company_id: string }>(
    'select distinct company_id from customer where tenant_id = $1 and id = any($2) and company_id is not null',
    [tx.tenantId, facing],
  );
  await lockGuards(tx, [...facing, ...companies.map((row) => row.company_id)]);
  const runIds = [...new Set(candidates.map((request) => request.run_id).filter((id) => id !== null))];
  if (runIds.length > 0)
    await tx.query('select 1 from run where tenant_id = $1 and id = any($2) order by id for update', [
      tx.tenantId,
      runIds,
    ]);
  const locked = await lockRequests(
    tx,
    candidates.map((request) => request.id),
    now,
  );
  // What was committed and then left lying by a process that died is decided anew: the hour may be another.
  const decisions = await decideBatch(deps, tx, locked, now, freshness);
  const allowed = decisions.filter((decision) => decision.verdict.kind === 'allow');
  await commitRequests(
    tx,
    allowed.map(({ request, route, content }) => ({
      id: request.id,
      connectionId: route!.connection.id,
      content: content!,
    })),
    now,
  );
  await reserveTouches(tx, allowed, now);
  await postponeRequests(tx, decisions.flatMap(postponed), now);
  for (const decision of decisions)
    if (decision.verdict.kind === 'skip')
      await skip(deps, tx, decision.request, decision.verdict.reason, decision.verdict.detail, now);
  return allowed.map(({ request }) => request.id);
}

function postponed({
  request,
  verdict,
}: Decision): { id: string; reason: string; detail: string; until: Date; held: boolean }[] {
  if (verdict.kind !== 'defer' && verdict.kind !== 'hold') return [];
  return [
    {
      id: request.id,
      reason: verdict.reason,
      detail: verdict.detail,
      until: verdict.until,
      held: verdict.kind === 'hold',
    },
  ];
}

/** Counts messages in the transaction that commits them, under the person's lock: a cap cannot be passed by two at once. */
async function reserveTouches(tx: Tx, allowed: readonly Decision[], now: Date): Promise<void> {
  const columns = [
    { name: 'request_id', type: 'uuid' },
    { name: 'customer_id', type: 'uuid' },
    { name: 'company_id', type: 'uuid' },
    { name: 'channel', type: 'text' },
    { name: 'class', type: 'text' },
    { name: 'at', type: 'timestamptz' },
  ];
  const rows = allowed
    .filter(({ request }) => request.class !== 'internal' && request.customer_id)
    .map(({ request, companyId }) => ({
      request_id: request.id,
      customer_id: request.customer_id,
      company_id: companyId,
      channel: request.channel,
      class: request.class,
      at: now,
    }));
  await insertRows(tx, 'touch', columns, rows, 'on conflict (tenant_id, request_id) do nothing');
}

/** A skip is final and has a reason; the sequence tries the next channel or goes on. */
async function skip(
  deps: ActionDeps,
  tx: Tx,
  request: RequestRow,
  reason: string,
  detail: string,
  now: Date,
): Promise<void> {
  const settled = await settleRequest(tx, { id: request.id, state: 'skipped', reason, detail }, undefined, now);
  if (settled) await afterEnd(deps, tx, settled, now);
}

/** What follows the end of a request, in the transaction of the end. */
export async function afterEnd(deps: ActionDeps, tx: Tx, request: RequestRow, now: Date): Promise<void> {
  if (request.state === 'failed' || request.state === 'skipped') await releaseTouch(tx, request.id);
  await appendEvents(tx, [
    {
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
    },
  ]);
  if (!request.run_id || request.state === 'planned') return;
  // The enrolment waits for the look-up, so that a message that never left can still go out.
  if (request.state === 'unknown' && (await canBeLookedUp(deps, tx, request))) return;
  const closed =
    (request.state === 'skipped' || request.state === 'failed') && CHANNEL_CLOSED.has(request.reason ?? '');
  if (closed && (await planNextChannel(deps, tx, request, now))) return;
  const step = {
    runId: request.run_id,
    stepId: request.step_id!,
    visit: request.visit!,
    outcome: request.state,
    detail: request.reason_detail ?? request.reason,
  };
  await actionEnded(deps.ports, tx, step, now);
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

/** Sends committed requests: takes them into sending, calls the platforms, settles what came back. */
async function sendChunk(deps: ActionDeps, tenantId: string, ids: readonly string[]): Promise<number> {
  const owner = `${deps.processId}:${newId()}`;
  const now = deps.clock.now();
  const taken = await deps.db.tenant(tenantId, (tx) =>
    beginSending(tx, ids, { owner, until: new Date(now.getTime() + LEASE_MS) }, now),
  );
  if (taken.length === 0) return 0;
  const sessions = new Map<string, Promise<Session>>();
  const sessionOf = (connectionId: string): Promise<Session> => {
    if (!sessions.has(connectionId)) sessions.set(connectionId, openSession(deps, tenantId, connectionId, 'action'));
    return sessions.get(connectionId)!;
  };
  const settlements = await Promise.all(
    taken.map(async (request) => ({ request, settlement: await perform(deps, request, sessionOf) })),
  );
  await deps.db.tenant(tenantId, async (tx) => {
    for (const { request, settlement } of settlements) await settle(deps, tx, request, settlement, owner);
  });
  for (const session of sessions.values()) await session.then((open) => open.close()).catch(() => {});
  if (settlements.some(({ settlement }) => settlement.state === 'unknown'))
    await bumpDue({ query: deps.db.statement }, tenantId, 'reconcile', deps.clock.now());
  return settlements.filter(({ settlement }) => settlement.state === 'sent').length;
}

async function perform(
  deps: ActionDeps,
  request: RequestRow,
  sessionOf: (connectionId: string) => Promise<Session>,
): Promise<Settlement> {
  try {
    const session = await sessionOf(request.connection_id!);
    const action = session.connector.actions.find((candidate) => candidate.kind === request.kind);
    if (!action)
      return failed(
        request,
        'no_connection',
        `${session.connector.name} cannot ${request.kind.replaceAll('_', ' ')} any more.`,
      );
    const receipt = await execute(session, action, request);
    return {
      id: request.id,
      state: 'sent',
      reason: null,
      detail: null,
      nativeId: receipt.nativeId,
      nativeUrl: receipt.url ?? null,
      nativeState: receipt.state ?? null,
    };
  } catch (error) {
    return afterFailure(deps, request, error);
  }
}

/**
 * Runs an action once. A request that was tried before looks first whether that try left its mark.
 * @throws VendorError
 */
export async function execute(session: Session, action: ActionDefinition, request: RequestRow): Promise<Receipt> {
  const input = request.content as never;
  const meta: ActionMeta = { requestId: request.id, firstTriedAt: request.committed_at ?? request.created_at };
  if (request.attempts > 1 && action.idempotency.kind === 'marker') {
    const { find } = action.idempotency;
    const earlier = await asking(() => find(session.ctx, input, meta));
    if (earlier) return earlier;
  }
  const before = await asking(() => action.before?.(session.ctx, input) ?? Promise.resolve(undefined));
  let reply: Awaited<ReturnType<Session['call']>>;
  try {
    reply = await session.call(
      action.request(session.ctx, input, { ...meta, ...(before === undefined ? {} : { before }) }),
    );
  } catch (error) {
    // It is there already under our own key: an earlier try made it.
    if (
      error instanceof VendorError &&
      error.kind === 'conflict' &&
      error.existingId &&
      action.idempotency.kind !== 'none'
    )
      return { nativeId: error.existingId };
    throw error;
  }
  return action.receipt(reply, session.ctx, input);
}

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
function afterFailure(deps: ActionDeps, request: RequestRow, error: unknown): Settlement {
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
      return request.attempts < MAX_ATTEMPTS
        ? again(30 * 4 ** request.attempts, 'transient')
        : failed(request, 'transient', detail, error);
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

async function settle(
  deps: ActionDeps,
  tx: Tx,
  request: RequestRow,
  settlement: Settlement,
  owner: string,
): Promise<void> {
  const now = deps.clock.now();
  const row = await settleRequest(tx, settlement, owner, now);
  if (!row) return;
  if (settlement.reason === 'recipient_opted_out' || settlement.reason === 'recipient_invalid') {
    // The platform knows something we did not: nothing goes there any more.
    await suppress(tx, {
      channel: request.channel,
      addressHash: deps.hash(tx.tenantId, request.channel, request.recipient),
      scope: 'all',
      reason: settlement.reason,
      source: 'platform',
      evidence: { request: request.id, detail: settlement.detail },
      at: now,
    });
  }
  if (row.state === 'sent') await rememberWrites(deps, tx, row, now);
  await afterEnd(deps, tx, row, now);
}

/** Notes what we wrote, so that it is recognised when the platform tells us of it. */
async function rememberWrites(deps: ActionDeps, tx: Tx, request: RequestRow, now: Date): Promise<void> {
  const { rows } = await tx.query<{ connector: string }>(
    'select connector from connection where tenant_id = $1 and id = $2',
    [tx.tenantId, request.connection_id],
  );
  const action = deps.registry
    .find(rows[0]?.connector ?? '')
    ?.actions.find((candidate) => candidate.kind === request.kind);
  for (const write of action?.writes?.(request.content as never) ?? []) {
    for (const [field, value] of Object.entries(write.fields)) {
      await tx.query(
        `insert into write_ledger (tenant_id, connection_id, object, remote_id, field, value_hash, request_id, depth, written_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (tenant_id, connection_id, object, remote_id, field) do update set value_hash = excluded.value_hash, request_id = excluded.request_id,
           depth = excluded.depth, written_at = excluded.written_at, expires_at = excluded.expires_at`,
        [
          tx.tenantId,
          request.connection_id,
          write.stream,
          write.id,
          field,
          sha256(String(value ?? '')),
          request.id,
          request.depth + 1,
          now,
          new Date(now.getTime() + 86_400_000),
        ],
      );
    }
  }
}
