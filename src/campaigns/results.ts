import type { Tx } from '../base/database.ts';
import { setting } from '../settings/store.ts';
import { type Comparison, compare, type Looked } from './compare.ts';
import type { Forks } from './forks.ts';

/** What came of messages. */
export interface Figures {
  sent: number;
  failed: number;
  delivered: number;
  opened: number;
  clicked: number;
  bounced: number;
  complained: number;
  stopped: number;
  answered: number;
  booked: number;
  paid: number;
  money: { currency: string | null; amount: string }[];
}

export interface StepFigures extends Figures {
  step: string;
  /** Of splits: which ways the customer had gone; null where there are none. */
  variant: string | null;
}

export interface ResultsOf {
  days: number;
  total: Figures & { lastTouch: { answered: number; booked: number; paid: number } };
  steps: StepFigures[];
  comparison: Comparison;
}

const COUNTS = ['sent', 'failed', 'delivered', 'opened', 'clicked', 'bounced', 'complained', 'stopped'] as const;

/** The messages, each with the way its customer went at splits. */
const SENDS = (column: string): string => `
  select s.*, (select string_agg(t.outcome, ' / ' order by t.entered_at, t.step_id) from run_step t
     where t.tenant_id = $1 and t.run_id = s.run_id and t.step_id = any($3::text[]) and t.left_at is not null and t.left_at <= s.at) as variant
  from sequence_send s where s.tenant_id = $1 and s.${column} = $2`;

interface Place {
  step: string;
  variant: string | null;
}

async function counts(tx: Tx, column: string, id: string, splits: readonly string[]) {
  const { rows } = await tx.query<Place & Record<(typeof COUNTS)[number], number>>(
    `select s.step_id as step, s.variant, count(*) filter (where s.sent)::int as sent, count(*) filter (where not s.sent)::int as failed,
       count(e.delivered_at)::int as delivered, count(e.opened_at) filter (where not e.machine)::int as opened, count(e.clicked_at) filter (where not e.machine)::int as clicked,
       count(*) filter (where s.trouble = 'bounce')::int as bounced, count(*) filter (where s.trouble = 'complaint')::int as complained,
       count(*) filter (where s.trouble = 'stop')::int as stopped
     from (${SENDS(column)}) s left join message_engagement e on e.tenant_id = $1 and e.key = 'request:' || s.request_id
     group by 1, 2 order by 1, 2`,
    [tx.tenantId, id, splits],
  );
  return rows;
}

async function credits(tx: Tx, column: string, id: string, splits: readonly string[]) {
  const { rows } = await tx.query<
    Place & { fact: string; currency: string | null; n: number; last: number; amount: string | null }
  >(
    `select s.step_id as step, s.variant, c.fact, case when c.fact = 'payment' then c.currency end as currency, count(*)::int as n,
       count(*) filter (where c.last_touch)::int as last, sum(c.amount)::text as amount
     from (${SENDS(column)}) s join credit c on c.tenant_id = $1 and c.customer_id = s.customer_id and c.request_id = s.request_id
     group by 1, 2, 3, 4 order by 1, 2, 3, 4`,
    [tx.tenantId, id, splits],
  );
  return rows;
}

const NAMES: Record<string, 'answered' | 'booked' | 'paid'> = {
  answer: 'answered',
  booking: 'booked',
  payment: 'paid',
};

/** Adds decimal numbers without a float in between: money is added by the database everywhere else. */
function addMoney(money: Figures['money'], currency: string | null, amount: string | null): void {
  if (amount === null) return;
  const known = money.find((one) => one.currency === currency);
  if (!known) money.push({ currency, amount });
  else known.amount = sumOf(known.amount, amount);
}

function sumOf(one: string, other: string): string {
  const digits = (text: string): number => text.split('.')[1]?.length ?? 0;
  const places = Math.max(digits(one), digits(other));
  const whole = (text: string): bigint => BigInt(text.replace('.', '') + '0'.repeat(places - digits(text)));
  const total = whole(one) + whole(other);
  const text = (total < 0n ? -total : total).toString().padStart(places + 1, '0');
  const sign = total < 0n ? '-' : '';
  return places === 0 ? sign + text : `${sign}${text.slice(0, -places)}.${text.slice(-places)}`;
}

const zero = (): Figures => ({
  ...{ sent: 0, failed: 0, delivered: 0, opened: 0, clicked: 0, bounced: 0, complained: 0, stopped: 0 },
  ...{ answered: 0, booked: 0, paid: 0, money: [] },
});

/**
 * What a sequence or campaign brought about, by step and by the ways of splits, and against those who were left out.
 * @param forks the steps of the sequence that share customers out
 */
export async function resultsOf(tx: Tx, looked: Looked, forks: Forks, now: Date): Promise<ResultsOf> {
  const [column, id] =
    'campaignId' in looked
      ? (['campaign_id', looked.campaignId] as const)
      : (['sequence_id', looked.sequenceId] as const);
  const total = { ...zero(), lastTouch: { answered: 0, booked: 0, paid: 0 } };
  const steps = new Map<string, StepFigures>();
  for (const row of await counts(tx, column, id, forks.splits)) {
    steps.set(`${row.step} ${row.variant}`, { ...zero(), ...row });
    for (const name of COUNTS) total[name] += row[name];
  }
  for (const row of await credits(tx, column, id, forks.splits)) {
    const name = NAMES[row.fact]!;
    const step = steps.get(`${row.step} ${row.variant}`)!;
    step[name] += row.n;
    total[name] += row.n;
    total.lastTouch[name] += row.last;
    addMoney(step.money, row.currency, row.amount);
    addMoney(total.money, row.currency, row.amount);
  }
  const { days } = await setting(tx, 'attribution');
  return { days, total, steps: [...steps.values()], comparison: await compare(tx, looked, forks.holdouts, now) };
}
