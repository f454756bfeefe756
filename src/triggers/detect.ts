import { appendEvents } from '../audit/store.ts';
import { attempt } from '../base/attempt.ts';
import type { Tx } from '../base/database.ts';
import type { Change, ChangeKind } from '../model/types.ts';
import { setting, tenantZone } from '../settings/store.ts';
import { triggerDefinition } from './catalogue.ts';
import { asTheyStand } from './events.ts';
import { parkChange } from './parked.ts';
import type { Candidate, DetectEnv } from './schema.ts';
import {
  insertOccurrences,
  listTriggers,
  type OccurrenceRow,
  settleOccurrences,
  type TriggerRow,
  takeChanges,
} from './store.ts';

/** Starts what an occurrence is for. Lives in the sequences room. */
export type StartRuns = (
  tx: Tx,
  trigger: TriggerRow,
  occurrences: readonly OccurrenceRow[],
  now: Date,
) => Promise<{ id: string; outcome: string; runId: string | null }[]>;

const BATCH = 500;

/**
 * Looks at the changes nobody looked at yet and starts what they trigger, in one transaction. What a trigger fails on is
 * parked with the reason; the others go on.
 * @returns how many changes were taken, 0 when there is nothing left, and of which kinds
 */
export async function detectFromChanges(
  tx: Tx,
  now: Date,
  start: StartRuns,
): Promise<{ taken: number; kinds: ChangeKind[] }> {
  const taken = await takeChanges(tx, BATCH);
  if (taken.length === 0) return { taken: 0, kinds: [] };
  const changes = await asTheyStand(tx, taken, now);
  const env: DetectEnv = { now, zone: await tenantZone(tx) };
  for (const trigger of await listTriggers(tx, true)) {
    const live = changes.filter((change) => change.origin === 'live' && change.occurred_at >= trigger.enabled_at!);
    if (live.length > 0) await readChanges(tx, trigger, live, env, start);
  }
  return { taken: taken.length, kinds: [...new Set(taken.map(({ kind }) => kind))] };
}

/**
 * Shows changes to a trigger: all at once, or where that fails one by one, to park those it fails on.
 * @returns whether it failed on none
 */
export async function readChanges(
  tx: Tx,
  trigger: TriggerRow,
  changes: readonly Change[],
  env: DetectEnv,
  start: StartRuns,
): Promise<boolean> {
  const failure = await attempt(tx, () => fireFromChanges(tx, trigger, changes, env, start));
  if (failure === undefined) return true;
  if (changes.length === 1) {
    await parkChange(tx, trigger, changes[0]!, failure, env.now);
    return false;
  }
  for (const change of changes) await readChanges(tx, trigger, [change], env, start);
  return false;
}

async function fireFromChanges(
  tx: Tx,
  trigger: TriggerRow,
  changes: readonly Change[],
  env: DetectEnv,
  start: StartRuns,
): Promise<void> {
  const candidates = await triggerDefinition(trigger.name).fromChanges?.(tx, changes, trigger.settings, {
    ...env,
    triggerId: trigger.id,
  });
  if (candidates) await fire(tx, trigger, candidates, env.now, start);
}

/** Writes occurrences and starts the fresh ones. Also the way in for occurrences that are not found in data. */
export async function fire(
  tx: Tx,
  trigger: TriggerRow,
  candidates: readonly Candidate[],
  now: Date,
  start: StartRuns,
): Promise<OccurrenceRow[]> {
  if (candidates.length === 0) return [];
  const maxAge = triggerDefinition(trigger.name).maxAgeHours * 3_600_000;
  // More of our own writes in a row than this are a loop.
  const { maxDepth } = await setting(tx, 'echo');
  const fresh = await insertOccurrences(
    tx,
    trigger,
    candidates.map((candidate) => ({ ...candidate, outcome: firstOutcome(candidate, maxAge, maxDepth, now) })),
    now,
  );
  await tellLoops(
    tx,
    trigger,
    fresh.filter((occurrence) => occurrence.outcome === LOOP),
    now,
  );
  const startable = fresh.filter((occurrence) => occurrence.outcome === 'new');
  if (startable.length > 0) await settleOccurrences(tx, await start(tx, trigger, startable, now));
  return fresh;
}

/** What stands beside an occurrence before anything is started for it: `new`, or why nothing will be. */
function firstOutcome(candidate: Candidate, maxAge: number, maxDepth: number, now: Date): string {
  if (candidate.skip !== undefined) return candidate.skip;
  if (now.getTime() - candidate.occurredAt.getTime() > maxAge) return 'skipped: it happened too long ago';
  if (candidate.until && now >= candidate.until) return 'skipped: it was too late to be of use';
  if ((candidate.depth ?? 0) > maxDepth) return LOOP;
  return candidate.customerId === null ? 'skipped: no customer is known for it' : 'new';
}

const LOOP = 'skipped: caused by our own writes again and again';

/** A chain of our own writes was cut: somebody should know which. */
async function tellLoops(tx: Tx, trigger: TriggerRow, occurrences: readonly OccurrenceRow[], now: Date): Promise<void> {
  await appendEvents(
    tx,
    occurrences.map((occurrence) => ({
      actor: 'system',
      action: 'trigger.loop_stopped',
      subject: { kind: 'occurrence', id: occurrence.id },
      customerId: occurrence.customer_id,
      data: { trigger: trigger.name, depth: occurrence.depth, about: occurrence.subject_label },
      at: now,
    })),
  );
}
