import type { Tx } from '../base/database.ts';
import { conflict } from '../base/errors.ts';
import { localDate } from '../base/time.ts';
import { setting } from '../settings/store.ts';
import type { CampaignDeps } from './deps.ts';
import { messageDates } from './entrance.ts';
import { planStart, type StartPlan } from './plan.ts';
import { type Preview, REFUSALS, type Refusal } from './schema.ts';
import type { CampaignRow } from './store.ts';
import { warningsOf } from './warnings.ts';

/** A preview counts so long: who looks at it today knows what happens today. */
const TOKEN_MS = 24 * 3_600_000;

const tally = <Key>(keys: Iterable<Key>): Map<Key, number> => {
  const counts = new Map<Key, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
};
const byDay = (dates: Iterable<string>): [string, number][] =>
  [...tally(dates)].sort(([one], [other]) => (one < other ? -1 : 1));

/** What starting a campaign would do, in counts, dates and three people, with the token that goes with the start. */
export async function previewOf(deps: CampaignDeps, tx: Tx, campaign: CampaignRow, now: Date): Promise<Preview> {
  const plan = await planStart(deps, tx, campaign, now);
  const { zone } = await setting(tx, 'business');
  const { definition, people, turns } = plan;
  const inTime = (at: Date): boolean => campaign.ends_at === null || at < campaign.ends_at;
  const entering = people.flatMap((one) => {
    const at = turns.get(one.customerId);
    return one.refusal === null && !one.heldOut && at ? [{ ...one, step: one.step!, startOn: one.startOn!, at }] : [];
  });
  const due = entering.filter(({ at }) => inTime(at)).sort((a, b) => a.at.getTime() - b.at.getTime());
  const refused = tally(people.flatMap(({ refusal }) => (refusal === null ? [] : [refusal])));
  return {
    token: `${now.getTime()}.${plan.fingerprint}`,
    total: people.length,
    eligible: plan.eligible,
    heldOut: people.filter((one) => one.refusal === null && one.heldOut).length,
    refused: [...refused].map(([reason, customers]) => ({ reason, meaning: REFUSALS[reason as Refusal], customers })),
    ...{ perDay: plan.perDay, perHour: plan.perHour },
    firstEntry: due[0]?.at.toISOString() ?? null,
    lastEntry: due.at(-1)?.at.toISOString() ?? null,
    entries: byDay(due.map(({ at }) => localDate(at, zone))).map(([on, n]) => ({ on, people: n })),
    messages: byDay(
      due.flatMap((one) => messageDates(definition, one, localDate(one.at, one.zone)).map(({ on }) => on)),
    ).map(([on, atMost]) => ({ on, atMost })),
    steps: [...tally(due.map(({ step }) => step))].map(([step, n]) => ({ step, people: n })),
    late: entering.length - due.length,
    samples: [due[0], due[Math.floor(due.length / 2)], due.at(-1)]
      .filter((one, at, all) => one !== undefined && all.indexOf(one) === at)
      .map((one) => ({
        customerId: one!.customerId,
        name: one!.name,
        entersAt: one!.at.toISOString(),
        countedFrom: one!.startOn,
        steps: messageDates(definition, one!, localDate(one!.at, one!.zone)),
      })),
    confirm: plan.confirm,
    warnings: await warningsOf(tx, campaign.audience, definition),
  };
}

/**
 * Refuses a start that is not what was looked at.
 * @throws Problem telling to look again
 */
export function demandFresh(plan: StartPlan, token: string, now: Date): void {
  const [at, fingerprint] = token.split('.');
  const age = now.getTime() - Number(at);
  if (fingerprint === plan.fingerprint && age >= 0 && age <= TOKEN_MS) return;
  throw conflict(
    fingerprint === plan.fingerprint
      ? 'The preview is from another day.'
      : 'Who would enter, or into what, is not what the preview showed any more.',
    'Look at the preview again, and start with its token.',
  );
}
