import { attempt } from '../base/attempt.ts';
import type { Tx } from '../base/database.ts';
import { addMonths, instantOf, type LocalDate, localDate } from '../base/time.ts';
import { refreshDates } from '../model/dates.ts';
import { localZones } from '../model/local-zones.ts';
import type { Change } from '../model/types.ts';
import { tenantZone } from '../settings/store.ts';
import { triggerDefinition } from './catalogue.ts';
import type { Candidate, DetectEnv } from './schema.ts';
import { changesOfCustomer } from './store.ts';

/** When a trigger would have fired for one customer. */
export interface Trial {
  from: LocalDate;
  to: LocalDate;
  /** Whether stored facts were asked, the kept changes, or nothing: what people start cannot be told beforehand. */
  source: 'facts' | 'changes' | 'none';
  found: Candidate[];
}

const FIRST_ZONE = 'Etc/GMT-14';

/**
 * When a trigger would have fired for a customer in the last months, oldest first, from facts as they are stored now.
 * A trigger that reads only changes is shown those that are kept (400 days). For a rehearsal: it derives what is kept
 * of the customer anew, so its transaction has to be rolled back.
 * @param months 1 to 12
 */
export async function tryTrigger(
  tx: Tx,
  trigger: { id?: string; name: string; settings: Record<string, unknown> },
  customerId: string,
  months: number,
  now: Date,
): Promise<Trial> {
  const definition = triggerDefinition(trigger.name);
  const business = await tenantZone(tx);
  const own = (await localZones(tx, [customerId], business)).get(customerId) ?? business;
  const env: DetectEnv = { now, zone: business, customerId, lookBackFor: trigger.id };
  const to = localDate(now, definition.calendar === 'customer' ? FIRST_ZONE : business);
  const from = addMonths(localDate(now, business), -months);
  await refreshDates(tx, [customerId], business, now);
  let found: Candidate[] = [];
  let source: Trial['source'] = 'none';
  if (definition.between) {
    source = 'facts';
    found = await definition.between(tx, from, to, trigger.settings, env);
  } else if (definition.fromChanges) {
    source = 'changes';
    const changes = await changesOfCustomer(tx, customerId, instantOf(from, '00:00', business));
    found = await oneByOne(tx, changes, (change) => definition.fromChanges!(tx, [change], trigger.settings, env));
  }
  const dated = found
    .filter((candidate) => candidate.customerId === customerId)
    .map((candidate) =>
      definition.calendar === 'customer'
        ? { ...candidate, occurredAt: instantOf(candidate.occurredOn, '00:00', own) }
        : candidate,
    )
    .filter(({ occurredAt }) => occurredAt <= now)
    .sort((a, b) => a.occurredAt.getTime() - b.occurredAt.getTime());
  const first = new Map<string, Candidate>();
  for (const candidate of dated) if (!first.has(candidate.businessKey)) first.set(candidate.businessKey, candidate);
  return { from, to: localDate(now, own), source, found: [...first.values()] };
}

/** Changes as they came: a state that was left again since is told by the change, not by the row. */
async function oneByOne(
  tx: Tx,
  changes: readonly Change[],
  look: (change: Change) => Promise<Candidate[]>,
): Promise<Candidate[]> {
  const found: Candidate[] = [];
  for (const change of changes) {
    if (change.origin !== 'live') continue;
    // One that fails would have been parked: it is none that fired.
    await attempt(tx, async () => void found.push(...(await look(change))));
  }
  return found;
}
