import { listKillSwitches } from '../actions/switches.ts';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { messageOf, Problem } from '../base/errors.ts';
import { newcomers } from './audience.ts';
import type { CampaignDeps } from './deps.ts';
import { judgeEntrants } from './eligible.ts';
import { letIn } from './enter.ts';
import { dueMembers, insertMembers, lastPlace, nextTurn, removeWaiting } from './members.ts';
import { paceOf, sequenceOf } from './plan.ts';
import { REFUSALS } from './schema.ts';
import { type CampaignRow, claimCampaign, noteJoined, noteWaits, setCampaignState } from './store.ts';
import { turnAnew, usedTurns } from './turns.ts';

/** So many are let in within one transaction. */
const BATCH = 100;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Turns missed by more than this (the hub stood still, a pause) are given anew instead of being made up for at once. */
const LATE_MS = 5 * MINUTE;
/** How long a campaign waits for something to be switched on again before it looks by itself. */
const LOOK_AGAIN_MS = 10 * MINUTE;
/** A segment is looked at over this stretch again: memberships are stored a little after the moment they count from. */
const OVERLAP_MS = HOUR;

/** When to look at a campaign again; `more`: there is work left now. */
export type Next = { more: true } | { more: false; at: Date | undefined };

/**
 * Lets in whoever's turn it is in one campaign. Whatever happens in between, nobody enters twice and never more than the
 * hour and the day allow: what was missed is not made up for.
 */
export async function tickCampaign(deps: CampaignDeps, tx: Tx, id: string, now: Date): Promise<Next> {
  const campaign = await claimCampaign(tx, id);
  if (!campaign || (campaign.starts_at && campaign.starts_at > now))
    return { more: false, at: campaign?.starts_at ?? undefined };
  if (campaign.ends_at && campaign.ends_at <= now) return finish(tx, campaign, 'Its end has come.', now);
  const obstacle = await obstacleOf(tx, campaign);
  if (typeof obstacle === 'string') {
    await noteWaits(tx, id, obstacle, now);
    return { more: false, at: new Date(now.getTime() + LOOK_AGAIN_MS) };
  }
  await noteWaits(tx, id, null, now);
  await join(deps, tx, campaign, obstacle.definition, now);
  const pace = await paceOf(tx, campaign);
  const used = await usedTurns(tx, id, now);
  const first = await nextTurn(tx, id);
  if (first && now.getTime() - first.getTime() > LATE_MS) {
    await turnAnew(tx, campaign, now);
    return { more: true };
  }
  const room = Math.min(BATCH, pace.perHour - used.hour);
  const due = room > 0 ? await dueMembers(tx, id, now, room) : [];
  if (due.length > 0) {
    await letIn(deps, tx, { campaign, ...obstacle }, due, now);
    return { more: true };
  }
  if (first && first <= now) {
    await turnAnew(tx, campaign, now);
    return { more: false, at: await nextTurn(tx, id) };
  }
  if (!first && !campaign.open) return finish(tx, campaign, 'Everybody on the list had their turn.', now);
  const ends = campaign.ends_at ?? undefined;
  return { more: false, at: first && (!ends || first < ends) ? first : ends };
}

/** What keeps a campaign from letting anybody in, in words; otherwise what it lets them into. */
async function obstacleOf(tx: Tx, campaign: CampaignRow): Promise<string | Awaited<ReturnType<typeof sequenceOf>>> {
  try {
    const found = await sequenceOf(tx, campaign);
    if (found.sequence.state !== 'active' || found.sequence.active_version === null)
      return `Nobody is let in while the sequence "${found.sequence.title}" is ${found.sequence.state}.`;
    const scopes = ['*', `sequence:${found.sequence.key}`];
    const off = (await listKillSwitches(tx)).find(({ scope }) => scopes.includes(scope));
    return off
      ? `Nobody is let in while ${off.scope === '*' ? 'everything' : off.scope} is switched off: ${off.reason}`
      : found;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return messageOf(error);
  }
}

async function finish(tx: Tx, campaign: CampaignRow, reason: string, now: Date): Promise<Next> {
  await removeWaiting(tx, campaign.id, { state: 'refused', reason: 'ended', detail: REFUSALS.ended, now });
  await setCampaignState(tx, campaign.id, 'done', reason, now);
  await appendEvents(tx, [
    {
      actor: 'system',
      action: 'campaign.done',
      subject: { kind: 'campaign', id: campaign.id },
      data: { reason },
      at: now,
    },
  ]);
  return { more: false, at: undefined };
}

/** Puts those who came into the segment of an open campaign since the last look on its list. */
async function join(
  deps: CampaignDeps,
  tx: Tx,
  campaign: CampaignRow,
  definition: Parameters<typeof judgeEntrants>[3],
  now: Date,
): Promise<void> {
  if (!campaign.open || !('segment' in campaign.audience)) return;
  const since = new Date((campaign.joined_until ?? now).getTime() - OVERLAP_MS);
  const ids = await newcomers(tx, campaign.id, campaign.audience.segment, since);
  await noteJoined(tx, campaign.id, now);
  if (ids.length > 0) await addPeople(deps, tx, campaign, definition, ids, now);
}

/**
 * Puts people on the list of a campaign that runs: they come after those who wait, and count for the hour only.
 * @returns those who were not on it yet
 */
export async function addPeople(
  deps: CampaignDeps,
  tx: Tx,
  campaign: CampaignRow,
  definition: Parameters<typeof judgeEntrants>[3],
  customerIds: readonly string[],
  now: Date,
): Promise<string[]> {
  const judged = await judgeEntrants(deps, tx, campaign, definition, customerIds, now);
  const place = (await lastPlace(tx, campaign.id)) + 1;
  const added = await insertMembers(
    tx,
    campaign.id,
    judged.map((one, at) => ({
      customer_id: one.customerId,
      state: one.refusal === null ? ('waiting' as const) : ('refused' as const),
      held_out: one.heldOut,
      later: true,
      place: place + at,
      // Overdue on purpose: the next look gives everybody who waits a turn.
      due_at: one.refusal === null ? new Date(now.getTime() - LATE_MS - 1) : null,
      start_on: one.startOn,
      step_id: one.step,
      reason: one.refusal,
      detail: one.refusal === null ? null : REFUSALS[one.refusal],
    })),
    now,
  );
  return added;
}
