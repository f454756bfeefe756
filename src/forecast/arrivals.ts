import type { Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { localDate } from '../base/time.ts';
import { settleDates } from '../model/dates.ts';
import { localZones, passCalendars } from '../model/local-zones.ts';
import { keyOf } from '../sequences/starting.ts';
import { listSequences } from '../sequences/store.ts';
import { tenantZone } from '../settings/store.ts';
import { triggerDefinition } from '../triggers/catalogue.ts';
import { midnight } from '../triggers/midnight.ts';
import type { Candidate } from '../triggers/schema.ts';
import { findOccurrences, insertOccurrences, listTriggers, type TriggerRow } from '../triggers/store.ts';
import type { Draft } from './load.ts';
import type { Arrival, World } from './world.ts';

/** A trigger as it is looked ahead with: one of the business, or one a draft would switch on. */
type Known = Pick<TriggerRow, 'name' | 'settings'> & { id: string | undefined; sequenceId: string };

/** Something whose date is known beforehand. */
export interface Foreseen {
  trigger: Known;
  candidate: Candidate;
  at: Date;
}

/** What can be foreseen, and triggers that cannot: nobody knows when an e-mail comes. */
export interface Outlook {
  foreseen: Foreseen[];
  unforeseen: { trigger: string; sequence: string }[];
}

/**
 * What triggers will find up to a moment because its date is known already: due invoices, birthdays, ends of contracts.
 * For a rehearsal of its own: derived dates are brought up to date first.
 */
export async function outlook(
  tx: Tx,
  now: Date,
  until: Date,
  draft: Draft | undefined,
  customerId?: string,
): Promise<Outlook> {
  const zone = await tenantZone(tx);
  while (await passCalendars(tx, zone, now));
  while ((await settleDates(tx, zone, now)) > 0);
  const found: Outlook = { foreseen: [], unforeseen: [] };
  for (const trigger of await triggersOf(tx, draft)) {
    const definition = triggerDefinition(trigger.name);
    if (!definition.between) {
      found.unforeseen.push({ trigger: trigger.name, sequence: trigger.sequenceId });
      continue;
    }
    const env = { now, zone, lookBackFor: trigger.id, ...(customerId ? { customerId } : {}) };
    const candidates = await definition.between(
      tx,
      localDate(now, zone),
      localDate(until, zone),
      trigger.settings,
      env,
    );
    const fresh = await notYet(tx, trigger, candidates);
    const zones =
      definition.calendar === 'customer'
        ? await localZones(
            tx,
            fresh.flatMap(({ customerId: id }) => id ?? []),
            zone,
          )
        : new Map<string, string>();
    for (const candidate of fresh) {
      const own = definition.calendar === 'customer' ? (zones.get(candidate.customerId!) ?? zone) : undefined;
      const due = own ? midnight(candidate.occurredOn, own) : candidate.occurredAt;
      const at = due > now ? due : now;
      if (at > until || (candidate.until && at >= candidate.until)) continue;
      found.foreseen.push({ trigger, candidate, at });
    }
  }
  return found;
}

/** What was not found yet and is somebody's, each once. */
async function notYet(tx: Tx, trigger: Known, candidates: readonly Candidate[]): Promise<Candidate[]> {
  const usable = candidates.filter(({ customerId, skip }) => customerId !== null && skip === undefined);
  const keys = usable.map(({ businessKey }) => businessKey);
  const known = trigger.id ? await findOccurrences(tx, trigger.id, keys) : new Map<string, string>();
  const first = new Map<string, Candidate>();
  for (const candidate of usable)
    if (!known.has(candidate.businessKey) && !first.has(candidate.businessKey))
      first.set(candidate.businessKey, candidate);
  return [...first.values()];
}

/** Triggers that will start something: those that are on, and for a draft the ones it names. */
async function triggersOf(tx: Tx, draft: Draft | undefined): Promise<Known[]> {
  const live = new Set(
    (await listSequences(tx)).flatMap(({ id, state, mode }) => (state === 'active' && mode === 'live' ? [id] : [])),
  );
  const own = await listTriggers(tx);
  const replaced = draft?.sequence?.id;
  const on = own.flatMap(({ id, name, settings, sequence_id: sequenceId, enabled }) =>
    enabled && sequenceId && live.has(sequenceId) && sequenceId !== replaced
      ? [{ id, name, settings, sequenceId }]
      : [],
  );
  const drafted = (draft?.definition.triggers ?? []).map(({ name, settings }) => ({
    id: own.find((trigger) => trigger.name === name && trigger.sequence_id === replaced)?.id,
    name,
    settings: { ...(triggerDefinition(name).defaults as Record<string, unknown>), ...settings },
    sequenceId: replaced ?? draft!.definition.key,
  }));
  return [...on, ...drafted];
}

/** Those who will come because of what is foreseen. */
export async function arrivalsOf(
  world: World,
  foreseen: readonly Foreseen[],
  now: Date,
): Promise<{ at: Date; arrival: Arrival }[]> {
  const found = await foretold(world.tx, foreseen, now);
  return foreseen.flatMap(({ trigger, candidate, at }, index) => {
    const plan = world.plans.get(trigger.sequenceId);
    if (plan?.sequence.state !== 'active') return [];
    const { kind, id, label } = candidate.subject;
    const cause = { trigger: trigger.name, subject: label, occurrence: found[index] };
    const subject = {
      ...{ trigger_name: trigger.name, subject_kind: kind, subject_id: id },
      business_key: candidate.businessKey,
    };
    const businessKey = keyOf(plan.definition, subject);
    return [{ at, arrival: { plan, customerId: candidate.customerId!, businessKey, cause, depth: 0 } }];
  });
}

/** Occurrences as rows of this rehearsal, so that texts and tests find what the trigger told. @returns their ids */
async function foretold(tx: Tx, foreseen: readonly Foreseen[], now: Date): Promise<(string | undefined)[]> {
  const groups = new Map<Known, Foreseen[]>();
  for (const one of foreseen) groups.set(one.trigger, [...(groups.get(one.trigger) ?? []), one]);
  const ids = new Map<Foreseen, string>();
  // Under a trigger nobody has: whoever notices the same for real meanwhile does not wait for this rehearsal.
  for (const [{ name }, some] of groups) {
    const candidates = some.map(({ candidate }) => ({ ...candidate, outcome: 'foreseen' }));
    const rows = await insertOccurrences(tx, { id: newId(), name } as TriggerRow, candidates, now);
    const byKey = new Map(rows.map((row) => [row.business_key, row.id]));
    for (const one of some) {
      const made = byKey.get(one.candidate.businessKey);
      if (made) ids.set(one, made);
    }
  }
  return foreseen.map((one) => ids.get(one));
}
