import type { Tx } from '../base/database.ts';
import { setting } from '../settings/store.ts';
import { factsSql, WISHES } from './facts.sql.ts';
import { type Difference, differenceOf, type Rate, type Verdict, verdictOf, wilson } from './interval.ts';

/** What is looked at: a campaign, or a sequence as a whole. */
export type Looked = { campaignId: string } | { sequenceId: string };

export interface Compared {
  fact: 'answer' | 'booking' | 'payment' | 'any';
  written: Rate;
  leftOut: Rate;
  difference: Difference | null;
  verdict: Verdict;
}

export interface Comparison {
  openWindows: number;
  leastToCompare: number;
  facts: Compared[];
  note: string;
}

/**
 * People of both sides with the moment they are counted from, both shared out by the same draw: of a campaign when their
 * turn came; of a sequence when they came to its holdout, and those of campaigns that left some out.
 */
const DRAWN = (campaigns: string): string => `
  select m.customer_id, m.state = 'held_out' as left_out, m.entered_at as since from campaign_member m
    where m.tenant_id = $1 and m.state in ('entered', 'held_out') and m.entered_at is not null and m.campaign_id in (${campaigns})`;
const SIDES = {
  campaign: `${DRAWN('$2::uuid')} and cardinality($7::text[]) >= 0`,
  sequence: `select r.customer_id, t.outcome = 'held_out' as left_out, t.left_at as since from run r
      join run_step t on t.tenant_id = $1 and t.run_id = r.id and t.step_id = any($7::text[]) and t.outcome in ('in', 'held_out') and t.left_at is not null
    where r.tenant_id = $1 and r.sequence_id = $2 and not r.shadow
    union all ${DRAWN('select c.id from campaign c where c.tenant_id = $1 and c.sequence_id = $2 and c.holdout_percent > 0')}`,
};

interface Row {
  left_out: boolean;
  n: number;
  open: number;
  answer: number;
  booking: number;
  payment: number;
  any: number;
}

const NOTE =
  'Both sides are counted the same way: people with at least one such fact within the days after their turn, whether or not a message came before it. Who was in the sequence and left out of it in turn is on both sides.';

/**
 * Those who were written to against those who were left out on purpose, counted alike from the facts themselves.
 * @param holdouts steps of the sequence that leave some out
 */
export async function compare(tx: Tx, looked: Looked, holdouts: readonly string[], now: Date): Promise<Comparison> {
  const { days, leastToCompare } = await setting(tx, 'attribution');
  const { zone } = await setting(tx, 'business');
  const campaign = 'campaignId' in looked;
  const { rows } = await tx.query<Row>(
    `with side as (
       select customer_id, left_out, min(since) as since from (${campaign ? SIDES.campaign : SIDES.sequence}) s group by 1, 2),
     hit as (
       select d.customer_id, d.left_out, f.fact from side d join (${factsSql((column) => `${column} in (select customer_id from side)`, '$3', '$4')}) f
         on f.customer_id = d.customer_id and f.at > d.since and f.at <= d.since + make_interval(days => $5::int) group by 1, 2, 3)
     select d.left_out, count(*)::int as n, count(*) filter (where d.since + make_interval(days => $5::int) > $6)::int as open,
       count(*) filter (where exists (select from hit h where h.customer_id = d.customer_id and h.left_out = d.left_out and h.fact = 'answer'))::int as answer,
       count(*) filter (where exists (select from hit h where h.customer_id = d.customer_id and h.left_out = d.left_out and h.fact = 'booking'))::int as booking,
       count(*) filter (where exists (select from hit h where h.customer_id = d.customer_id and h.left_out = d.left_out and h.fact = 'payment'))::int as payment,
       count(*) filter (where exists (select from hit h where h.customer_id = d.customer_id and h.left_out = d.left_out))::int as any
     from side d group by d.left_out`,
    [tx.tenantId, campaign ? looked.campaignId : looked.sequenceId, zone, WISHES, days, now, holdouts],
  );
  const none: Row = { left_out: false, n: 0, open: 0, answer: 0, booking: 0, payment: 0, any: 0 };
  const written = rows.find((row) => !row.left_out) ?? none;
  const leftOut = rows.find((row) => row.left_out) ?? none;
  return {
    openWindows: written.open + leftOut.open,
    leastToCompare,
    facts: (['answer', 'booking', 'payment', 'any'] as const).map((fact) => {
      const [one, other] = [wilson(written[fact], written.n), wilson(leftOut[fact], leftOut.n)];
      return {
        ...{ fact, written: one, leftOut: other },
        difference: differenceOf(one, other) ?? null,
        verdict: verdictOf(one, other, leastToCompare),
      };
    }),
    note: NOTE,
  };
}
