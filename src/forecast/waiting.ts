import type { Tx } from '../base/database.ts';
import type { LocalDate } from '../base/time.ts';
import { keyOf } from '../sequences/starting.ts';
import type { Arrival, World } from './world.ts';

interface Member {
  customer_id: string;
  due_at: Date;
  start_on: LocalDate | null;
  step_id: string | null;
  campaign_id: string;
  title: string;
  sequence_id: string;
  as_if: boolean;
}

/** Those who wait for their turn in campaigns that run, with the turn they have now. */
export async function membersWaiting(tx: Tx, until: Date, customerId: string | undefined): Promise<Member[]> {
  const { rows } = await tx.query<Member>(
    `select m.customer_id, m.due_at, m.start_on, m.step_id, c.id as campaign_id, c.title, c.sequence_id, c.entry ->> 'mode' = 'as_if' as as_if
     from campaign_member m join campaign c on c.tenant_id = m.tenant_id and c.id = m.campaign_id
     where m.tenant_id = $1 and m.state = 'waiting' and not m.held_out and m.due_at <= $2 and c.state = 'running' and ($3::uuid is null or m.customer_id = $3)
       and (c.ends_at is null or m.due_at < c.ends_at) order by m.due_at, m.place`,
    [tx.tenantId, until, customerId ?? null],
  );
  return rows;
}

/** Them, as they will come. */
export const turnsAhead = (world: World, members: readonly Member[], now: Date): { at: Date; arrival: Arrival }[] =>
  members.flatMap((member) => {
    const plan = world.plans.get(member.sequence_id);
    if (plan?.sequence.state !== 'active') return [];
    const { customer_id: customerId, campaign_id: campaignId, due_at, as_if, start_on, step_id } = member;
    const subject = {
      trigger_name: 'promotion.activated',
      subject_kind: 'campaign',
      subject_id: campaignId,
      business_key: `${campaignId}:${customerId}`,
    };
    const known = plan.definition.steps.some(({ id }) => id === step_id);
    const arrival: Arrival = {
      ...{ plan, customerId, businessKey: keyOf(plan.definition, subject), depth: 0, campaignId },
      cause: { trigger: 'promotion.activated', subject: member.title },
      ...(known && step_id ? { stepId: step_id } : {}),
      ...(as_if && start_on ? { startOn: start_on } : {}),
    };
    return [{ at: due_at > now ? due_at : now, arrival }];
  });
