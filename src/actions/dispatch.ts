import { appendEvents } from '../audit/store.ts';
import { insertRows, type Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { householdsOf } from '../consent/households.ts';
import { remembering } from '../consent/optout.ts';
import { guardOfAddress, lockGuards } from '../consent/store.ts';
import { loadDefinition } from '../sequences/store.ts';
import { setting } from '../settings/store.ts';
import type { ActionDeps } from './deps.ts';
import { afterEnd } from './ending.ts';
import { type Decision, decideBatch } from './facts.ts';
import { ensureFresh } from './freshness.ts';
import { openSender } from './sender.ts';
import { isShadowed, keepInShadow } from './shadow.ts';
import type { RequestRow } from './store.ts';
import {
  type Candidate,
  commitRequests,
  dueRequests,
  lockRequests,
  nextRequestDue,
  postponeRequests,
  settleRequest,
} from './transitions.ts';

/** Requests decided together at first, and at most. */
const BATCH = 64;
const MOST = 256;
/** Later batches hold as many as went out in this time, in milliseconds: who answers fast is not kept waiting for the gate. */
const AHEAD_MS = 250;

/** Milliseconds of work after which others have their turn: a business with thousands in line holds nobody up. */
const SLICE_MS = 500;

/**
 * Takes due requests of a tenant through the gate and out to the platforms, batch after batch, for a while; what is left
 * then goes on in a new job.
 * @returns how many were sent
 */
export async function dispatchDue(deps: ActionDeps, tenantId: string): Promise<number> {
  const started = performance.now();
  const sender = openSender(deps, tenantId);
  // While one batch is on its way, the next one is decided about.
  let inHand: readonly string[] = [];
  let sending = timed(sender.send(inHand));
  let sent = 0;
  let size = BATCH;
  let more = true;
  let left = 0;
  const arrived = async (): Promise<void> => {
    const last = await sending;
    sent += last.sent;
    left += last.left;
    if (inHand.length > 0) size = Math.min(MOST, Math.max(BATCH, Math.round((inHand.length / last.ms) * AHEAD_MS)));
  };
  try {
    while (more && performance.now() - started < SLICE_MS) {
      const decided = await decideNext(deps, tenantId, inHand, size);
      more = decided.more;
      await arrived();
      inHand = decided.committed;
      sending = timed(sender.send(inHand));
      // Whether it failed is asked when the next one is ready.
      sending.catch(() => {});
    }
  } finally {
    await arrived().finally(() => sender.close());
  }
  if (more || left > 0) await deps.queue.wake('dispatch', { tenantId });
  const next = await deps.db.tenant(tenantId, (tx) => nextRequestDue(tx));
  if (next) await bumpDue({ query: deps.db.statement }, tenantId, 'dispatch', next);
  return sent;
}

async function timed<T extends object>(sending: Promise<T>): Promise<T & { ms: number }> {
  const started = performance.now();
  return { ...(await sending), ms: performance.now() - started };
}

/**
 * @param inHand requests that are on their way and look due until they have left
 * @param size how many are looked at
 */
async function decideNext(
  deps: ActionDeps,
  tenantId: string,
  inHand: readonly string[],
  size: number,
): Promise<{ committed: string[]; more: boolean }> {
  const found = await deps.db.tenant(tenantId, async (tx) => {
    const candidates = await dueRequests(tx, deps.clock.now(), size, inHand);
    const billing = await customersNeedingBilling(tx, candidates);
    // Nobody has to be asked first: decided at once.
    const committed =
      candidates.length > 0 && billing.length === 0 ? await passGate(deps, tx, candidates, new Map()) : [];
    return { candidates, billing, committed };
  });
  const more = found.candidates.length === size;
  if (found.billing.length === 0) return { committed: found.committed, more };
  const freshness = await ensureFresh(deps, tenantId, found.billing);
  const committed = await deps.db.tenant(tenantId, (tx) => passGate(deps, tx, found.candidates, freshness));
  return { committed, more };
}

async function customersNeedingBilling(tx: Tx, requests: readonly Candidate[]): Promise<string[]> {
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
    [tx.tenantId, runIds],
  );
  const customers = new Set<string>();
  for (const row of rows)
    if ((await loadDefinition(tx, row.sequence_id, row.version)).needs_fresh_billing) customers.add(row.customer_id);
  return [...customers];
}

/**
 * One transaction: locks in a fixed order (people, enrolments, requests), decides, reserves, commits.
 * @returns ids of the requests that may go out now
 */
async function passGate(
  hub: ActionDeps,
  tx: Tx,
  candidates: readonly Candidate[],
  freshness: Parameters<typeof decideBatch>[4],
): Promise<string[]> {
  const deps = { ...hub, hash: remembering(hub.hash) };
  const now = deps.clock.now();
  const messages = candidates.filter((request) => request.class !== 'internal' && request.customer_id);
  const facing = messages.map((request) => request.customer_id!);
  const addresses = messages.map(({ channel, recipient }) =>
    guardOfAddress(deps.hash(tx.tenantId, channel, recipient)),
  );
  await lockGuards(tx, [...facing, ...addresses, ...(await guardsAround(tx, messages))]);
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
  const shadowed = decisions.filter(isShadowed);
  await reserveTouches(tx, [...allowed, ...shadowed], now);
  await keepInShadow(deps, tx, shadowed, now);
  await postponeRequests(tx, decisions.flatMap(postponed), now);
  await tellWaiting(tx, decisions, now);
  for (const decision of decisions)
    if (decision.verdict.kind === 'skip' && !isShadowed(decision))
      await skip(deps, tx, decision.request, decision.verdict.reason, decision.verdict.detail, now);
  return allowed.map(({ request }) => request.id);
}

/** Locks of those whose caps the messages count for beside the people themselves: companies, and households where they have caps. */
async function guardsAround(tx: Tx, messages: readonly Pick<RequestRow, 'class' | 'customer_id'>[]): Promise<string[]> {
  const marketing = messages.filter((request) => request.class === 'marketing').map((request) => request.customer_id!);
  const { rows } = await tx.query<{ company_id: string }>(
    'select distinct company_id from customer where tenant_id = $1 and id = any($2) and company_id is not null',
    [tx.tenantId, messages.map((request) => request.customer_id!)],
  );
  const capped = marketing.length > 0 && ((await setting(tx, 'caps')).marketingPerHousehold ?? []).length > 0;
  return [...rows.map((row) => row.company_id), ...(capped ? (await householdsOf(tx, marketing)).guards : [])];
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

/** What has to wait for a new reason is told, so that afterwards it can be said what held it and until when. */
async function tellWaiting(tx: Tx, decisions: readonly Decision[], now: Date): Promise<void> {
  await appendEvents(
    tx,
    decisions.flatMap(({ request, verdict }) => {
      if ((verdict.kind !== 'defer' && verdict.kind !== 'hold') || verdict.reason === request.reason) return [];
      const { reason, detail, until } = verdict;
      const data = { kind: request.kind, channel: request.channel, step: request.step_id, reason, detail };
      return [
        {
          ...{ actor: request.created_by, action: 'action.waiting', customerId: request.customer_id, at: now },
          subject: { kind: 'action', id: request.id },
          data: { ...data, until: until.toISOString() },
        },
      ];
    }),
  );
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
    { name: 'shadow', type: 'boolean' },
  ];
  const rows = allowed
    .filter(({ request }) => request.class !== 'internal' && request.customer_id)
    .map(({ request, companyId, facts }) => ({
      request_id: request.id,
      customer_id: request.customer_id,
      company_id: companyId,
      channel: request.channel,
      class: request.class,
      at: now,
      shadow: facts.shadow ?? false,
    }));
  // One that was let through before and did not go out counts from now on, not from then.
  await insertRows(tx, 'touch', columns, rows, 'on conflict (tenant_id, request_id) do update set at = excluded.at');
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
