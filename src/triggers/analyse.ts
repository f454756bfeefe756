import type { Tx } from '../base/database.ts';
import type { LocalDate } from '../base/time.ts';
import { settleDates } from '../model/dates.ts';
import { passCalendars } from '../model/local-zones.ts';
import { tenantZone } from '../settings/store.ts';
import { triggerDefinition } from './catalogue.ts';
import type { DetectEnv } from './schema.ts';
import { listTriggers } from './store.ts';

/** A trigger to look back with: one of the business's own has an id. */
export interface AnalysedTrigger {
  id?: string;
  name: string;
  settings: Record<string, unknown>;
}

/** One line of `detect` and `simulate`. */
export interface DetectedRow {
  trigger: string;
  subject: string;
  businessKey: string;
  occurredOn: LocalDate;
}

/**
 * What the given triggers would find for a range of local dates, from facts as stored. Sends nothing; for a
 * rehearsal, because it brings the derived dates of customers up to date first.
 * @param triggers name and settings of each; see `analysedTriggers` for the default choice
 */
export async function analyse(
  tx: Tx,
  triggers: readonly AnalysedTrigger[],
  from: LocalDate,
  to: LocalDate,
  now: Date,
): Promise<(DetectedRow & { customerId: string | null })[]> {
  const day: DetectEnv = { now, zone: await tenantZone(tx) };
  while (await passCalendars(tx, day.zone, now));
  while ((await settleDates(tx, day.zone, now)) > 0);
  const found: (DetectedRow & { customerId: string | null })[] = [];
  const seen = new Set<string>();
  for (const { id, name, settings } of triggers) {
    const env = { ...day, lookBackFor: id };
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
export async function analysedTriggers(tx: Tx, names: readonly string[]): Promise<AnalysedTrigger[]> {
  const own = await listTriggers(tx);
  return names.flatMap((name) => {
    const mine = own.filter((trigger) => trigger.name === name);
    return mine.length > 0
      ? mine.map(({ id, settings }) => ({ id, name, settings }))
      : [{ name, settings: triggerDefinition(name).defaults as Record<string, unknown> }];
  });
}
