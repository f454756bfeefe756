import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { addDays, type LocalDate, localDate } from '../base/time.ts';
import { setting, tenantZone } from '../settings/store.ts';
import { triggerDefinition } from './catalogue.ts';
import { CATCH_UP_DAYS, type Candidate, type DetectEnv } from './schema.ts';
import {
  insertOccurrences,
  listTriggers,
  noteChecked,
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
 * Looks at the changes nobody looked at yet and starts what they trigger, in one transaction.
 * @returns how many changes were taken; 0 when there is nothing left
 */
export async function detectFromChanges(tx: Tx, now: Date, start: StartRuns): Promise<number> {
  const changes = await takeChanges(tx, BATCH);
  if (changes.length === 0) return 0;
  const env: DetectEnv = { now, zone: await tenantZone(tx) };
  for (const trigger of await listTriggers(tx, true)) {
    const definition = triggerDefinition(trigger.name);
    if (!definition.fromChanges) continue;
    const live = changes.filter((change) => change.origin === 'live' && change.occurred_at >= trigger.enabled_at!);
    const candidates = await definition.fromChanges(tx, live, trigger.settings, env);
    await fire(tx, trigger, candidates, now, start);
  }
  return changes.length;
}

/**
 * Looks for what became due by the clock since the last look. A day that was missed is caught up for three days; what
 * is older is recorded as missed and starts nothing. Running it twice adds nothing.
 */
export async function detectByClock(tx: Tx, now: Date, start: StartRuns): Promise<void> {
  const env: DetectEnv = { now, zone: await tenantZone(tx) };
  const today = localDate(now, env.zone);
  for (const trigger of await listTriggers(tx, true)) {
    const definition = triggerDefinition(trigger.name);
    if (!definition.between || definition.fromChanges) continue;
    const enabledOn = localDate(trigger.enabled_at!, env.zone);
    const since = trigger.checked_on === null ? enabledOn : addDays(trigger.checked_on, 1);
    // Facts can arrive late: the days that would still count are looked at again, the unique key keeps them single.
    const from = maximum(minimum(since, addDays(today, -CATCH_UP_DAYS)), enabledOn);
    const candidates = await definition.between(tx, from, today, trigger.settings, env);
    await fire(tx, trigger, candidates, now, start);
    await noteChecked(tx, trigger.id, today);
  }
}

const minimum = (a: LocalDate, b: LocalDate): LocalDate => (a < b ? a : b);
const maximum = (a: LocalDate, b: LocalDate): LocalDate => (a > b ? a : b);

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
    candidates.map((candidate) => ({
      ...candidate,
      outcome:
        now.getTime() - candidate.occurredAt.getTime() > maxAge
          ? 'skipped: it happened too long ago'
          : (candidate.depth ?? 0) > maxDepth
            ? LOOP
            : candidate.customerId === null
              ? 'skipped: no customer is known for it'
              : 'new',
    })),
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

/** One line of `detect` and `simulate`. */
export interface DetectedRow {
  trigger: string;
  subject: string;
  businessKey: string;
  occurredOn: LocalDate;
}

/**
 * What the given triggers would find for a range of local dates, from facts as stored. Writes and sends nothing.
 * @param triggers name and settings of each; see `analysedTriggers` for the default choice
 */
export async function analyse(
  tx: Tx,
  triggers: readonly { name: string; settings: Record<string, unknown> }[],
  from: LocalDate,
  to: LocalDate,
  now: Date,
): Promise<(DetectedRow & { customerId: string | null })[]> {
  const env: DetectEnv = { now, zone: await tenantZone(tx) };
  const found: (DetectedRow & { customerId: string | null })[] = [];
  const seen = new Set<string>();
  for (const { name, settings } of triggers) {
    for (const candidate of (await triggerDefinition(name).between?.(tx, from, to, settings, env)) ?? []) {
      const key = `${name} ${candidate.businessKey}`;
      if (seen.has(key)) continue;
      seen.add(key);
      found.push({
        trigger: name,
        subject: candidate.subject.label,
        businessKey: candidate.businessKey,
        occurredOn: candidate.occurredOn,
        customerId: candidate.customerId,
      });
    }
  }
  return found.sort((a, b) => (a.occurredOn === b.occurredOn ? 0 : a.occurredOn < b.occurredOn ? -1 : 1));
}

/** The tenant's triggers, or, where a kind has none, the kind with its defaults: a rehearsal needs no set-up. */
export async function analysedTriggers(
  tx: Tx,
  names: readonly string[],
): Promise<{ name: string; settings: Record<string, unknown> }[]> {
  const own = await listTriggers(tx);
  return names.flatMap((name) => {
    const mine = own.filter((trigger) => trigger.name === name);
    return mine.length > 0
      ? mine.map(({ settings }) => ({ name, settings }))
      : [{ name, settings: triggerDefinition(name).defaults as Record<string, unknown> }];
  });
}
