import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { conflict, notFound, stale } from '../base/errors.ts';
import { lookUpCustomer } from '../model/store.ts';
import { stopRun } from '../sequences/manual.ts';
import { findRun } from '../sequences/runs.ts';
import type { CampaignDeps } from './deps.ts';
import { findMember, removeMember, type ShownMember } from './members.ts';
import { notePeople } from './notes.ts';
import { confirmAbove, sequenceOf } from './plan.ts';
import { demandNumber } from './start.ts';
import { lockCampaign } from './store.ts';
import { addPeople } from './tick.ts';

export interface Enrolled {
  customer: string;
  /** The member they are now, or why they are none. */
  member: ShownMember | undefined;
  outcome: string;
}

/**
 * Puts customers on the list of a campaign that was started: they enter by the drip like everybody.
 * @param wish customers as people name them: ids, addresses, phone numbers
 * @throws Problem when it does not run, or so many need their number typed
 */
export async function enrolInCampaign(
  deps: CampaignDeps,
  tx: Tx,
  id: string,
  wish: { customers: readonly string[]; reason: string; confirm?: number | undefined; actor: string },
  now: Date,
): Promise<Enrolled[]> {
  const campaign = await lockCampaign(tx, id);
  if (campaign.state !== 'running' && campaign.state !== 'paused')
    throw conflict(
      `The campaign "${campaign.title}" does not run (${campaign.state}).`,
      campaign.state === 'draft' ? 'Start it, or put them into its audience.' : 'Make a new campaign.',
    );
  const { definition } = await sequenceOf(tx, campaign);
  const found: { customer: string; id: string | undefined; why: string }[] = [];
  for (const customer of wish.customers) {
    const known = await lookUpCustomer(tx, customer);
    const only = known.length === 1 ? known[0]!.id : undefined;
    found.push({
      customer,
      id: only,
      why: known.length > 1 ? 'several customers are called that' : 'no such customer',
    });
  }
  const ids = [...new Set(found.flatMap((one) => one.id ?? []))].sort();
  demandNumber(ids.length > (await confirmAbove(tx)) ? ids.length : null, wish.confirm);
  const added = new Set(await addPeople(deps, tx, campaign, definition, ids, now));
  await bumpDue(tx, tx.tenantId, 'campaigns', now);
  await appendEvents(tx, [
    {
      actor: wish.actor,
      action: 'campaign.enrolled',
      subject: { kind: 'campaign', id },
      data: { reason: wish.reason, customers: added.size },
      at: now,
    },
  ]);
  const outcomes: Enrolled[] = [];
  for (const one of found) {
    const member = one.id === undefined ? undefined : await findMember(tx, id, one.id);
    outcomes.push({
      customer: one.customer,
      member,
      outcome: member
        ? added.has(member.customer_id)
          ? notePeople(member)
          : `was on the list already: ${notePeople(member)}`
        : `refused: ${one.why}`,
    });
  }
  return outcomes;
}

/**
 * Takes a customer out of a campaign: who waits does not enter, and the enrolment of who entered ends.
 * @throws Problem when they are not in it, or something changed meanwhile
 */
export async function unenrol(
  deps: CampaignDeps,
  tx: Tx,
  at: { campaignId: string; customerId: string },
  how: { reason: string; expected: number; actor: string },
  now: Date,
): Promise<void> {
  const member = await findMember(tx, at.campaignId, at.customerId);
  if (!member) throw notFound('customer of this campaign', at.customerId);
  if (!(await removeMember(tx, member, { detail: how.reason, expected: how.expected, now })))
    throw member.state === 'removed' ? conflict('The customer was taken out already.') : stale('enrolment');
  const run = member.run_id ? await findRun(tx, member.run_id) : undefined;
  if (run && ['active', 'waiting', 'paused'].includes(run.state))
    await stopRun(deps.ports, tx, run.id, how.actor, how.reason, run.row_version, now);
  await appendEvents(tx, [
    {
      actor: how.actor,
      action: 'campaign.unenrolled',
      subject: { kind: 'campaign', id: at.campaignId },
      customerId: at.customerId,
      data: { reason: how.reason, was: member.state },
      at: now,
    },
  ]);
}
