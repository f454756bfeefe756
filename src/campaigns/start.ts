import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { conflict, Problem, stale } from '../base/errors.ts';
import type { CampaignDeps } from './deps.ts';
import { insertMembers } from './members.ts';
import { planStart, type StartPlan } from './plan.ts';
import { demandFresh } from './preview.ts';
import { REFUSALS } from './schema.ts';
import { type CampaignRow, lockCampaign, noteStarted } from './store.ts';

/** What is typed to start what writes to many. */
export interface StartWish {
  /** Of the preview; absent: whoever starts it looked at it in the same transaction. */
  token?: string | undefined;
  confirm?: number | undefined;
  expected: number;
  actor: string;
}

/**
 * Demands the number of people where many would be written to: a slip of the hand does not know it.
 * @throws Problem 409 with the number to type
 */
export function demandNumber(confirm: number | null, typed: number | undefined): void {
  if (confirm === null || typed === confirm) return;
  throw new Problem(
    409,
    'confirmation_needed',
    typed === undefined ? `This writes to ${confirm} people.` : `This writes to ${confirm} people, not to ${typed}.`,
    { fix: `Send it again with "confirm": ${confirm} (--confirm ${confirm} on the command line).` },
  );
}

/**
 * Starts a campaign: the list is frozen, everybody on it gets a turn, and those who cannot enter stand there with the
 * reason. Nobody enters before their turn.
 * @throws Problem when it was started, changed or previewed otherwise, or the number was not typed
 */
export async function startCampaign(
  deps: CampaignDeps,
  tx: Tx,
  id: string,
  wish: StartWish,
  now: Date,
): Promise<CampaignRow> {
  const campaign = await lockCampaign(tx, id);
  if (campaign.version !== wish.expected) throw stale('campaign');
  if (campaign.state !== 'draft')
    throw conflict(`The campaign "${campaign.title}" was started already.`, 'A new one can be made of it.');
  if (campaign.ends_at && campaign.ends_at <= now)
    throw conflict('The campaign would have ended already.', 'Change when it ends.');
  const plan = await planStart(deps, tx, campaign, now);
  if (plan.sequence.state !== 'active')
    throw conflict(`The sequence "${plan.sequence.title}" is ${plan.sequence.state}.`, 'Switch it on first.');
  if (wish.token !== undefined) demandFresh(plan, wish.token, now);
  demandNumber(plan.confirm, wish.confirm);
  await insertMembers(tx, id, membersOf(plan), now);
  const started = await noteStarted(tx, id, { perDay: plan.perDay, by: wish.actor, now });
  await bumpDue(
    tx,
    tx.tenantId,
    'campaigns',
    campaign.starts_at && campaign.starts_at > now ? campaign.starts_at : now,
  );
  await appendEvents(tx, [
    {
      actor: wish.actor,
      action: 'campaign.started',
      subject: { kind: 'campaign', id },
      data: {
        key: campaign.key,
        sequence: plan.sequence.key,
        people: plan.eligible,
        listed: plan.people.length,
        confirmed: wish.confirm ?? null,
        perDay: plan.perDay,
        perHour: plan.perHour,
      },
      at: now,
    },
  ]);
  return started;
}

const membersOf = (plan: StartPlan): Parameters<typeof insertMembers>[2] =>
  plan.people.map((one, place) => ({
    customer_id: one.customerId,
    state: one.refusal === null ? ('waiting' as const) : ('refused' as const),
    held_out: one.heldOut,
    later: false,
    place,
    due_at: plan.turns.get(one.customerId) ?? null,
    start_on: one.startOn,
    step_id: one.step,
    reason: one.refusal,
    detail: one.refusal === null ? null : REFUSALS[one.refusal],
  }));
