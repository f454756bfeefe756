import { findConnection } from '../connections/store.ts';
import { connectorOf } from '../connections/vendors.ts';
import type { Stream } from '../kit/index.ts';
import type { SettingValue } from '../settings/schema.ts';
import { setting } from '../settings/store.ts';
import { nextSweep, type Proof, type ProofKind, prove } from './completeness.ts';
import type { SyncDeps } from './deps.ts';
import { type PlanRow, planProof, plansOf } from './proof.store.ts';

const DAY_MS = 86_400_000;
const SOON_MS = 60_000;
/** A pass that proved nothing is tried again after this. */
const AGAIN_MS = DAY_MS;

export interface ProofOptions {
  /** Verify these streams now, whatever is planned; absent: what is due. */
  verify?: (name: string) => boolean;
  /** Pages of each stream in one go. */
  most?: number;
}

/**
 * Sweeps and verifies what is due at a connection, one stream after the other: one stream's trouble does not stop the
 * others.
 * @returns what came of each, and whether something is to be gone on with at once
 */
export async function runProofs(
  deps: SyncDeps,
  tenantId: string,
  connectionId: string,
  options: ProofOptions = {},
): Promise<{ proofs: Proof[]; more: boolean }> {
  const { connection, plans, days } = await deps.db.tenant(tenantId, async (tx) => ({
    connection: await findConnection(tx, connectionId),
    plans: await plansOf(tx, connectionId),
    days: await setting(tx, 'completeness'),
  }));
  const proofs: Proof[] = [];
  if (!connection) return { proofs, more: false };
  const connector = connectorOf(deps.registry, connection.connector);
  let more = false;
  for (const plan of plans) {
    const stream = connector.streams.find((candidate) => candidate.name === plan.name);
    for (const kind of dueKinds(plan, deps.clock.now(), options)) {
      const proof = await proveOne(deps, tenantId, { plan, kind, stream }, days, options);
      if (!proof) continue;
      proofs.push(proof);
      more ||= proof.state === 'waiting' && proof.message === undefined && proof.reasons.length === 0;
      // Whoever read everything has swept, too.
      if (proof.method === 'list') break;
    }
  }
  return { proofs, more };
}

/** Proves one stream and plans the next time. @returns undefined when there is nothing to tell */
async function proveOne(
  deps: SyncDeps,
  tenantId: string,
  { plan, kind, stream }: { plan: PlanRow; kind: ProofKind; stream: Stream | undefined },
  days: SettingValue<'completeness'>,
  options: ProofOptions,
): Promise<Proof | undefined> {
  if (plan.state !== 'off' && plan.phase === 'initial') {
    // Nothing can be said before everything was read once.
    await postpone(deps, tenantId, plan, kind, new Date(deps.clock.now().getTime() + 10 * SOON_MS));
    const reasons = ['It was not read to its end yet.'];
    if (!options.verify) return undefined;
    return { stream: plan.name, kind, state: 'waiting', method: 'list', pages: 0, result: {}, reasons };
  }
  const planned = kind === 'verify' ? plan.verify_due_at : plan.sweep_due_at;
  const how = { most: options.most, due: options.verify ? undefined : (planned ?? undefined) };
  let proof = await prove(deps, tenantId, plan, kind, how);
  // A sweep that was under way had to be finished first.
  if (proof.kind === 'sweep' && kind === 'verify' && (proof.state === 'proven' || proof.state === 'unproven'))
    proof = await prove(deps, tenantId, plan, kind, how);
  const now = deps.clock.now();
  if (proof.state === 'busy') return proof;
  if (proof.state === 'waiting') {
    const until = proof.until && proof.until > now ? proof.until : new Date(now.getTime() + SOON_MS);
    await postpone(deps, tenantId, plan, kind, proof.message === undefined ? now : until);
    return proof;
  }
  const again = new Date(now.getTime() + AGAIN_MS);
  const sweepAt = stream ? nextSweep(stream, days.sweepDays, now) : null;
  const never = days.verifyDays === 0 || plan.state === 'off';
  await deps.db.tenant(tenantId, (tx) =>
    planProof(tx, [plan.id], {
      ...(proof.method === 'list'
        ? { sweepAt: sweepAt && proof.state !== 'proven' && again < sweepAt ? again : sweepAt }
        : {}),
      ...(proof.kind === 'verify'
        ? { verifyAt: never ? null : new Date(now.getTime() + days.verifyDays * DAY_MS) }
        : {}),
    }),
  );
  return proof;
}

/** What is to be done for a stream now; a comparison comes first, because it may be a sweep as well. */
function dueKinds(plan: PlanRow, now: Date, options: ProofOptions): ProofKind[] {
  if (options.verify) return options.verify(plan.name) ? ['verify'] : [];
  return [
    ...(plan.verify_due_at && plan.verify_due_at <= now ? (['verify'] as const) : []),
    ...(plan.sweep_due_at && plan.sweep_due_at <= now ? (['sweep'] as const) : []),
  ];
}

async function postpone(deps: SyncDeps, tenantId: string, plan: PlanRow, kind: ProofKind, at: Date): Promise<void> {
  await deps.db.tenant(tenantId, (tx) =>
    planProof(tx, [plan.id], kind === 'verify' ? { verifyAt: at } : { sweepAt: at }),
  );
}
