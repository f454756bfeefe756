import { clearKillSwitch, setKillSwitch } from '../actions/switches.ts';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { conflict, stale } from '../base/errors.ts';
import { removeWaiting } from './members.ts';
import { paceOf } from './plan.ts';
import { type CampaignRow, lockCampaign, setCampaignState } from './store.ts';
import { turnAnew } from './turns.ts';

/** Who changes a campaign, on what they saw. */
export interface Hand {
  expected: number;
  actor: string;
  now: Date;
}

/** The name under which messages of a campaign are held. */
export const switchOf = (campaignId: string): string => `campaign:${campaignId}`;

async function taken(tx: Tx, id: string, { expected }: Hand): Promise<CampaignRow> {
  const campaign = await lockCampaign(tx, id);
  if (campaign.version !== expected) throw stale('campaign');
  return campaign;
}

export const note = (tx: Tx, id: string, action: string, hand: Omit<Hand, 'expected'>, data: Record<string, unknown>) =>
  appendEvents(tx, [
    { actor: hand.actor, action: `campaign.${action}`, subject: { kind: 'campaign', id }, data, at: hand.now },
  ]);

/**
 * Pauses a campaign: nobody enters, and messages of those who did are held. Nothing is consumed.
 * @throws Problem when it does not run, or changed meanwhile
 */
export async function pauseCampaign(tx: Tx, id: string, reason: string, hand: Hand): Promise<CampaignRow> {
  const campaign = await taken(tx, id, hand);
  if (campaign.state !== 'running')
    throw conflict(`The campaign "${campaign.title}" does not run (${campaign.state}).`);
  return holdCampaign(tx, campaign.id, reason, hand);
}

/** Pauses a campaign whose row is locked. */
export async function holdCampaign(
  tx: Tx,
  id: string,
  reason: string,
  hand: Omit<Hand, 'expected'>,
): Promise<CampaignRow> {
  await setKillSwitch(tx, switchOf(id), reason, hand.actor, hand.now);
  await note(tx, id, 'paused', hand, { reason });
  return setCampaignState(tx, id, 'paused', reason, hand.now);
}

/**
 * Lets a paused campaign go on. Nothing is made up for: those who wait get turns anew, and messages that were held go
 * out no faster than people are let in.
 * @throws Problem when it is not paused, or changed meanwhile
 */
export async function resumeCampaign(tx: Tx, id: string, hand: Hand): Promise<CampaignRow> {
  const campaign = await taken(tx, id, hand);
  const { now } = hand;
  if (campaign.state !== 'paused') throw conflict(`The campaign "${campaign.title}" is not paused.`);
  const { perHour } = await paceOf(tx, campaign);
  await clearKillSwitch(tx, switchOf(id), now);
  await spreadHeld(tx, id, perHour, now);
  await turnAnew(tx, campaign, now);
  await bumpDue(tx, tx.tenantId, 'campaigns', now);
  await bumpDue(tx, tx.tenantId, 'dispatch', now);
  await note(tx, id, 'resumed', hand, {});
  return setCampaignState(tx, id, 'running', null, now);
}

/** Messages that waited for a campaign go out one after the other, as fast as people are let in. */
async function spreadHeld(tx: Tx, id: string, perHour: number, now: Date): Promise<void> {
  const { rows } = await tx.query<{ id: string }>(
    `select q.id from action_request q join run r on r.tenant_id = $1 and r.id = q.run_id
     where q.tenant_id = $1 and r.campaign_id = $2 and q.state in ('planned', 'committed') and q.not_before <= $3 order by q.created_at, q.id`,
    [tx.tenantId, id, now],
  );
  if (rows.length === 0) return;
  await tx.query(
    `update action_request q set not_before = i.at, updated_at = $4, version = q.version + 1 from unnest($2::uuid[], $3::timestamptz[]) as i(id, at)
     where q.tenant_id = $1 and q.id = any($2) and q.id = i.id and q.state in ('planned', 'committed')`,
    [
      tx.tenantId,
      rows.map((row) => row.id),
      rows.map((_, at) => new Date(now.getTime() + Math.floor((at * 3_600_000) / perHour))),
      now,
    ],
  );
}

/**
 * Ends a campaign: nobody enters any more. Who is in the sequence goes on.
 * @throws Problem when it is over already, or changed meanwhile
 */
export async function stopCampaign(tx: Tx, id: string, reason: string, hand: Hand): Promise<CampaignRow> {
  const campaign = await taken(tx, id, hand);
  if (campaign.state !== 'running' && campaign.state !== 'paused')
    throw conflict(`The campaign "${campaign.title}" does not run (${campaign.state}).`);
  const removed = await removeWaiting(tx, id, { state: 'removed', reason: 'stopped', detail: reason, now: hand.now });
  await clearKillSwitch(tx, switchOf(id), hand.now);
  await note(tx, id, 'stopped', hand, { reason, removed });
  return setCampaignState(tx, id, 'stopped', reason, hand.now);
}
