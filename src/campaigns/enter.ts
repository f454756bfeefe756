import { attempt } from '../base/attempt.ts';
import type { Tx } from '../base/database.ts';
import { localDate } from '../base/time.ts';
import type { Definition } from '../sequences/schema.ts';
import type { SequenceRow } from '../sequences/store.ts';
import { tenantZone } from '../settings/store.ts';
import { promotionActivated } from '../triggers/catalogue/promotion-activated.ts';
import { fire } from '../triggers/detect.ts';
import type { Candidate } from '../triggers/schema.ts';
import { findTrigger, insertTrigger, type TriggerRow, triggersOfSequence } from '../triggers/store.ts';
import { stillIn } from './audience.ts';
import type { CampaignDeps } from './deps.ts';
import { type Judged, judgeEntrants } from './eligible.ts';
import { type MemberRow, settleTurns, type Turned } from './members.ts';
import { REFUSALS, type Refusal } from './schema.ts';
import type { CampaignRow } from './store.ts';

/** The trigger campaigns fire for a sequence; it is made when there is none. Its ledger lets nobody in twice. */
async function triggerOf(tx: Tx, sequence: SequenceRow, now: Date): Promise<TriggerRow> {
  const own = (await triggersOfSequence(tx, sequence.id)).find(({ name }) => name === promotionActivated.name);
  if (own) return own;
  const { name, title, defaults: settings } = promotionActivated;
  const row = { name, title, settings: settings as Record<string, unknown>, sequence_id: sequence.id, enabled: true };
  return (await findTrigger(tx, await insertTrigger(tx, row, now)))!;
}

const refused = (customerId: string, reason: Refusal, detail: string = REFUSALS[reason]): Turned => ({
  ...{ customerId, state: 'refused', reason, detail },
});

/**
 * Lets people in whose turn it is. Everything that could have changed since the start is looked at again; who is left
 * out on purpose has their turn like everybody, so that both sides are counted from the same days.
 * @param members locked by this transaction
 */
export async function letIn(
  deps: CampaignDeps,
  tx: Tx,
  on: { campaign: CampaignRow; sequence: SequenceRow; definition: Definition },
  members: readonly MemberRow[],
  now: Date,
): Promise<Turned[]> {
  const { campaign, sequence, definition } = on;
  const ids = members.map((member) => member.customer_id);
  const judged = new Map(
    (await judgeEntrants(deps, tx, campaign, definition, ids, now)).map((one) => [one.customerId, one]),
  );
  // Who came with the segment must still be in it; a list that was frozen stays as it was.
  const present =
    campaign.open && 'segment' in campaign.audience ? await stillIn(tx, campaign.audience.segment, ids) : undefined;
  const turned: Turned[] = [];
  const entering: Judged[] = [];
  for (const member of members) {
    const one = judged.get(member.customer_id)!;
    if (one.refusal !== null) turned.push(refused(one.customerId, one.refusal));
    else if (present && !present.has(one.customerId)) turned.push(refused(one.customerId, 'left'));
    else if (member.held_out) turned.push({ customerId: one.customerId, state: 'held_out' });
    else entering.push(one);
  }
  if (entering.length > 0) {
    const trigger = await triggerOf(tx, sequence, now);
    turned.push(...(await startAll({ deps, tx, trigger, campaign, now, zone: await tenantZone(tx) }, entering)));
  }
  await settleTurns(tx, campaign.id, turned, now);
  return turned;
}

interface Starting {
  deps: CampaignDeps;
  tx: Tx;
  trigger: TriggerRow;
  campaign: CampaignRow;
  now: Date;
  zone: string;
}

/** Starts enrolments: all at once, or where that fails one by one, so that one failure is nobody else's. */
async function startAll(starting: Starting, people: readonly Judged[]): Promise<Turned[]> {
  let turned: Turned[] = [];
  const failure = await attempt(starting.tx, async () => {
    turned = await startThese(starting, people);
  });
  if (failure === undefined) return turned;
  if (people.length === 1) return [refused(people[0]!.customerId, 'failed', `${REFUSALS.failed}: ${failure}`)];
  const all: Turned[] = [];
  for (const one of people) all.push(...(await startAll(starting, [one])));
  return all;
}

async function startThese({ deps, tx, trigger, campaign, now, zone }: Starting, people: readonly Judged[]) {
  const candidates = people.map(
    (one): Candidate => ({
      businessKey: `${campaign.id}:${one.customerId}`,
      subject: { kind: 'campaign', id: campaign.id, label: campaign.title },
      customerId: one.customerId,
      occurredOn: localDate(now, zone),
      occurredAt: now,
      data: {
        campaign: campaign.key,
        entrance: {
          campaign: campaign.id,
          step: one.step,
          ...(campaign.entry.mode === 'as_if' ? { startOn: one.startOn } : {}),
        },
      },
    }),
  );
  await fire(tx, trigger, candidates, now, deps.start);
  const { rows } = await tx.query<{ customer_id: string; outcome: string; run_id: string | null }>(
    'select customer_id, outcome, run_id from occurrence where tenant_id = $1 and trigger_id = $2 and business_key = any($3)',
    [tx.tenantId, trigger.id, candidates.map(({ businessKey }) => businessKey)],
  );
  const outcomes = new Map(rows.map((row) => [row.customer_id, row]));
  return people.map(({ customerId, step, startOn }): Turned => {
    const came = outcomes.get(customerId);
    if (came?.outcome === 'started') return { customerId, state: 'entered', runId: came.run_id, step, startOn };
    if (came?.outcome.startsWith('joined')) return refused(customerId, 'in_it');
    return refused(customerId, 'reentry', came?.outcome ?? REFUSALS.failed);
  });
}
