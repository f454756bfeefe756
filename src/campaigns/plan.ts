import { createHash } from 'node:crypto';
import type { Tx } from '../base/database.ts';
import { conflict } from '../base/errors.ts';
import type { Definition } from '../sequences/schema.ts';
import { findSequence, loadDefinition, type SequenceRow } from '../sequences/store.ts';
import { setting } from '../settings/store.ts';
import { peopleOf } from './audience.ts';
import type { CampaignDeps } from './deps.ts';
import { perDayOf, turnsOf } from './drip.ts';
import { type Judged, judgeEntrants } from './eligible.ts';
import { entryMistake } from './entrance.ts';
import { type CampaignRow, countCustomers } from './store.ts';

/** Everything about a start that can be known before it. */
export interface StartPlan {
  sequence: SequenceRow;
  definition: Definition;
  /** The whole audience, in the order in which they would be let in. */
  people: Judged[];
  /** When each of those who enter or are left out has their turn; by customer. */
  turns: Map<string, Date>;
  perHour: number;
  perDay: number;
  /** Those who enter and are not left out. */
  eligible: number;
  /** The number to type; null: nothing has to be typed. */
  confirm: number | null;
  /** Changes when who enters or into what changes. */
  fingerprint: string;
}

/** The sequence a campaign is for, as it is switched on. @throws Problem when it is not, or does not suit */
export async function sequenceOf(
  tx: Tx,
  campaign: Pick<CampaignRow, 'sequence_id' | 'entry'>,
): Promise<{ sequence: SequenceRow; definition: Definition }> {
  const sequence = await findSequence(tx, campaign.sequence_id);
  if (!sequence) throw conflict('The sequence of this campaign does not exist any more.', 'Choose another one.');
  const definition = await loadDefinition(tx, sequence.id, sequence.active_version ?? sequence.latest_version);
  const mistake = entryMistake(definition, campaign.entry);
  if (mistake) throw conflict(`Customers cannot enter "${sequence.title}" like this: ${mistake}.`);
  return { sequence, definition };
}

/** How fast a campaign lets people in. */
export async function paceOf(
  tx: Tx,
  campaign: Pick<CampaignRow, 'per_hour' | 'percent_per_day'>,
): Promise<{ perHour: number; percentPerDay: number }> {
  const settings = await setting(tx, 'campaigns');
  return {
    perHour: campaign.per_hour ?? settings.perHour,
    percentPerDay: campaign.percent_per_day === null ? settings.percentPerDay : Number(campaign.percent_per_day),
  };
}

/** Above how many people their number must be typed: the smaller of the two limits. */
export async function confirmAbove(tx: Tx): Promise<number> {
  const { confirmPeople, confirmPercent } = await setting(tx, 'campaigns');
  return Math.min(confirmPeople, Math.floor(((await countCustomers(tx)) * confirmPercent) / 100));
}

/**
 * What starting a campaign now would do. It changes nothing.
 * @throws Problem when the audience or the sequence is not there or not ready
 */
export async function planStart(deps: CampaignDeps, tx: Tx, campaign: CampaignRow, now: Date): Promise<StartPlan> {
  const { sequence, definition } = await sequenceOf(tx, campaign);
  const ids = await peopleOf(tx, campaign.audience, now);
  const people = await judgeEntrants(deps, tx, campaign, definition, ids, now);
  const list = people.filter((one) => one.refusal === null);
  const eligible = list.filter((one) => !one.heldOut).length;
  const { perHour, percentPerDay } = await paceOf(tx, campaign);
  const perDay = perDayOf(list.length, percentPerDay);
  const { zone } = await setting(tx, 'business');
  const from = campaign.starts_at && campaign.starts_at > now ? campaign.starts_at : now;
  const turns = turnsOf(list, {
    ...{ from, perHour, perDay, zone, usedHour: 0, usedDay: 0 },
    window: (await setting(tx, 'quietHours')).default,
  });
  const said = JSON.stringify([
    campaign.id,
    campaign.version,
    sequence.active_version,
    perHour,
    perDay,
    people.map((one) => [one.customerId, one.refusal, one.heldOut, one.step]),
  ]);
  return {
    ...{ sequence, definition, people, perHour, perDay, eligible },
    turns: new Map(list.flatMap((one, at) => (turns[at] ? [[one.customerId, turns[at]] as const] : []))),
    confirm: eligible > (await confirmAbove(tx)) ? eligible : null,
    fingerprint: createHash('sha256').update(said).digest('base64url'),
  };
}
