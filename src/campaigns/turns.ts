import type { Tx } from '../base/database.ts';
import { instantOf, localDate } from '../base/time.ts';
import { setting } from '../settings/store.ts';
import { turnsOf } from './drip.ts';
import { countTurns, setTurns, waitingMembers } from './members.ts';
import { paceOf } from './plan.ts';
import type { CampaignRow } from './store.ts';

const HOUR = 3_600_000;

/** How many of a campaign had their turn since the hour and since the day of the business began. */
export async function usedTurns(tx: Tx, id: string, now: Date): Promise<{ hour: number; day: number }> {
  const { zone } = await setting(tx, 'business');
  return countTurns(tx, id, {
    hour: new Date(now.getTime() - (now.getTime() % HOUR)),
    day: instantOf(localDate(now, zone), '00:00', zone),
  });
}

/** Gives everybody who waits another turn, from now on: what was missed is not made up for. */
export async function turnAnew(tx: Tx, campaign: CampaignRow, now: Date): Promise<void> {
  const { zone } = await setting(tx, 'business');
  const { perHour } = await paceOf(tx, campaign);
  const used = await usedTurns(tx, campaign.id, now);
  const waiting = await waitingMembers(tx, campaign.id);
  const turns = turnsOf(
    waiting.map((one) => ({ zone: one.zone ?? zone, later: one.later })),
    {
      ...{ from: now, perHour, perDay: campaign.per_day ?? 1, zone, usedHour: used.hour, usedDay: used.day },
      window: (await setting(tx, 'quietHours')).default,
    },
  );
  await setTurns(
    tx,
    campaign.id,
    waiting.map(({ customer_id }, at) => ({ customerId: customer_id, at: turns[at] })),
    now,
  );
}
