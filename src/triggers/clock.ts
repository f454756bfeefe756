import { appendEvents } from '../audit/store.ts';
import { isPassing } from '../base/attempt.ts';
import type { Database, Tx } from '../base/database.ts';
import { messageOf } from '../base/errors.ts';
import { addDays, type LocalDate, localDate } from '../base/time.ts';
import { localZones } from '../model/local-zones.ts';
import { triggerDefinition } from './catalogue.ts';
import { fire, type StartRuns } from './detect.ts';
import { midnight } from './midnight.ts';
import { CATCH_UP_DAYS, type Candidate, type DetectEnv, type TriggerDefinition } from './schema.ts';
import { findOccurrences, findTrigger, insertOccurrences, noteChecked, type TriggerRow } from './store.ts';

// Where the day begins first and where it begins last. The signs are turned around (IANA, `etcetera`).
const FIRST_ZONE = 'Etc/GMT-14';
const LAST_ZONE = 'Etc/GMT+12';

/** Occurrences started in one transaction. */
const BATCH = 100;

const MISSED = `missed: nobody looked on that day or the ${CATCH_UP_DAYS} days after it`;

/** What the clock asks a trigger for; undefined when it is found in changes only. */
export const clockLook = (definition: TriggerDefinition): TriggerDefinition['between'] =>
  definition.due ?? (definition.fromChanges ? undefined : definition.between);

const minimum = (a: LocalDate, b: LocalDate): LocalDate => (a < b ? a : b);
const maximum = (a: LocalDate, b: LocalDate): LocalDate => (a > b ? a : b);

/** The dates a look asks for, and the date up to which nothing has to be asked again but for facts that come late. */
export function windowOf(
  trigger: Pick<TriggerRow, 'enabled_at' | 'checked_on'>,
  calendar: TriggerDefinition['calendar'],
  { now, zone }: DetectEnv,
): { from: LocalDate; to: LocalDate; checked: LocalDate } {
  const [first, last] = calendar === 'customer' ? [FIRST_ZONE, LAST_ZONE] : [zone, zone];
  const enabledOn = localDate(trigger.enabled_at!, last);
  const checked = localDate(now, last);
  const since = trigger.checked_on === null ? enabledOn : addDays(trigger.checked_on, 1);
  // Facts can arrive late: the days that would still count are looked at again, the unique key keeps them single.
  return {
    from: maximum(minimum(since, addDays(checked, -CATCH_UP_DAYS)), enabledOn),
    to: localDate(now, first),
    checked,
  };
}

/**
 * What the clock made due for a trigger and nobody has recorded yet, each with the moment at which it became so. What
 * lies before the trigger was switched on, or has not begun where its customer is, is not among it. Writes nothing.
 */
export async function dueNow(
  tx: Tx,
  trigger: TriggerRow,
  env: DetectEnv,
): Promise<{ candidates: Candidate[]; checked: LocalDate } | undefined> {
  const definition = triggerDefinition(trigger.name);
  const look = clockLook(definition);
  if (!look) return undefined;
  const { from, to, checked } = windowOf(trigger, definition.calendar, env);
  const found = await look(tx, from, to, trigger.settings, env);
  const known = await findOccurrences(
    tx,
    trigger.id,
    found.map(({ businessKey }) => businessKey),
  );
  const fresh = found.filter(({ businessKey }) => !known.has(businessKey));
  const dated =
    definition.calendar === 'customer'
      ? await inCustomersZones(tx, fresh, env)
      : fresh.map((candidate) => ({ candidate, zone: env.zone }));
  const candidates = dated.flatMap(({ candidate, zone }) => {
    if (candidate.occurredAt > env.now) return [];
    if (
      definition.nextAt
        ? candidate.occurredAt < trigger.enabled_at!
        : candidate.occurredOn < localDate(trigger.enabled_at!, zone)
    )
      return [];
    const missed = candidate.occurredOn < addDays(localDate(env.now, zone), -CATCH_UP_DAYS);
    return [missed && candidate.skip === undefined ? { ...candidate, skip: MISSED } : candidate];
  });
  return { candidates, checked };
}

/** Candidates with the midnight at which their date began where the customer is. */
async function inCustomersZones(
  tx: Tx,
  candidates: readonly Candidate[],
  { zone: business }: DetectEnv,
): Promise<{ candidate: Candidate; zone: string }[]> {
  const ids = candidates.flatMap(({ customerId }) => customerId ?? []);
  const zones = ids.length > 0 ? await localZones(tx, ids, business) : new Map<string, string>();
  return candidates.map((candidate) => {
    const zone = (candidate.customerId && zones.get(candidate.customerId)) || business;
    return { candidate: { ...candidate, occurredAt: midnight(candidate.occurredOn, zone) }, zone };
  });
}

/**
 * Looks for what the clock made due for one trigger and starts it, a hundred at a time. A day that was missed is caught
 * up for three days; what is older is recorded as missed and starts nothing. Running it twice, or two at once, adds
 * nothing. An occurrence that fails is recorded with the reason and the others go on.
 * @returns how many occurrences are new
 * @throws whatever kept it from looking at all
 */
export async function detectByClock(
  db: Pick<Database, 'tenant'>,
  tenantId: string,
  trigger: TriggerRow,
  env: DetectEnv,
  start: StartRuns,
): Promise<number> {
  const due = await db.tenant(tenantId, (tx) => dueNow(tx, trigger, env));
  if (!due) return 0;
  const once = (candidates: readonly Candidate[]): Promise<number> =>
    db.tenant(tenantId, (tx) => fireWhileOn(tx, trigger, candidates, env.now, start));
  let fired = 0;
  for (let at = 0; at < due.candidates.length; at += BATCH) {
    const batch = due.candidates.slice(at, at + BATCH);
    try {
      fired += await once(batch);
    } catch {
      for (const candidate of batch) {
        try {
          fired += await once([candidate]);
        } catch (error) {
          if (isPassing(error)) throw error;
          await db.tenant(tenantId, (tx) => recordFailure(tx, trigger, candidate, messageOf(error), env.now));
        }
      }
    }
  }
  await db.tenant(tenantId, (tx) => noteChecked(tx, trigger.id, due.checked));
  return fired;
}

/** Fires unless the trigger was switched off or removed since it was read. */
async function fireWhileOn(
  tx: Tx,
  trigger: TriggerRow,
  candidates: readonly Candidate[],
  now: Date,
  start: StartRuns,
): Promise<number> {
  const present = await findTrigger(tx, trigger.id);
  if (!present?.enabled || present.enabled_at?.getTime() !== trigger.enabled_at?.getTime()) return 0;
  return (await fire(tx, present, candidates, now, start)).length;
}

/** Writes down an occurrence that could not be started: it is not tried again by itself, a person can. */
export async function recordFailure(
  tx: Tx,
  trigger: TriggerRow,
  candidate: Candidate,
  reason: string,
  now: Date,
): Promise<void> {
  const [row] = await insertOccurrences(tx, trigger, [{ ...candidate, outcome: `failed: ${reason}` }], now);
  if (!row) return;
  await appendEvents(tx, [
    {
      actor: 'system',
      action: 'trigger.occurrence_failed',
      subject: { kind: 'occurrence', id: row.id },
      customerId: row.customer_id,
      data: { trigger: trigger.name, about: row.subject_label, reason },
      at: now,
    },
  ]);
}
