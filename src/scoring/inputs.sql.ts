import { answerSql } from './formula.sql.ts';

/**
 * The facts behind the scores, as one relation with a row per customer. Each fact counts when it happened by the day;
 * what cannot be meant (a job in the year 1, an amount of a trillion trillions, something that is no number) counts for
 * nothing, so that it stops nobody else's score.
 */

/** Expressions of what the inputs depend on: parameters with their types. The tenant is always $1. */
export interface InputParameters {
  /** The day, and the days up to which each source tells something. */
  day: string;
  jobsDay: string;
  spendDay: string;
  surveysDay: string;
  zone: string;
  currency: string;
  csatScale: string;
  complaints: string;
  testTags: string;
  /** A uuid[] of the customers meant; absent: all. */
  ids?: string | undefined;
}

/** Facts before this are slips of a system without a date. */
const EARLIEST = `'1900-01-01'::date`;
/** Amounts beyond are no amounts: every sum of the others fits a double. */
const MOST = `1000000000000000`;

const amount = (column: string): string => `${column} > -${MOST} and ${column} < ${MOST}`;
const only = (column: string, { ids }: InputParameters): string => (ids ? ` and ${column} = any(${ids})` : '');
const endOf = (day: string, zone: string): string => `((${day} + 1)::timestamp at time zone ${zone})`;

const jobs = (p: InputParameters): string =>
  `select j.customer_id, max(j.completed_on) as last_on, (count(*) filter (where j.completed_on > ${p.jobsDay} - 365))::int as n
   from job j where j.tenant_id = $1 and j.customer_id is not null and j.status = 'completed' and j.deleted_at is null
     and j.completed_on >= ${EARLIEST} and j.completed_on <= ${p.jobsDay}${only('j.customer_id', p)} group by j.customer_id`;

/**
 * Net paid per customer, an exact sum: payments that succeeded less refunds, in the currency of the business. A credit
 * is no money. Sums of numeric do not depend on the order of rows, so everybody's pass and one customer's agree.
 */
export const payments = (p: Pick<InputParameters, 'spendDay' | 'zone' | 'currency' | 'ids'>): string =>
  `select m.customer_id, sum(case when m.kind = 'refund' then -abs(m.amount) else m.amount end) as total
   from payment m where m.tenant_id = $1 and m.customer_id is not null and m.status = 'succeeded' and m.deleted_at is null
     and m.kind is distinct from 'credit' and (m.currency is null or m.currency = ${p.currency}) and ${amount('m.amount')}
     and coalesce(m.paid_on, (m.source_created_at at time zone ${p.zone})::date, ${EARLIEST}) <= ${p.spendDay}${only('m.customer_id', p as InputParameters)} group by m.customer_id`;

/** The same from invoices, where no payments are delivered: what is no longer open was paid. */
export const invoices = (p: Pick<InputParameters, 'spendDay' | 'zone' | 'currency' | 'ids'>): string =>
  `select v.customer_id, sum(greatest(0, v.total - coalesce(v.balance, case when v.status = 'paid' then 0 else v.total end))) as total
   from invoice v where v.tenant_id = $1 and v.customer_id is not null and v.status in ('open', 'partial', 'paid', 'disputed') and v.deleted_at is null
     and v.duplicate_of is null and (v.currency is null or v.currency = ${p.currency}) and ${amount('v.total')} and (v.balance is null or ${amount('v.balance')})
     and coalesce(v.paid_on, v.issued_on, (v.source_created_at at time zone ${p.zone})::date, ${EARLIEST}) <= ${p.spendDay}${only('v.customer_id', p as InputParameters)} group by v.customer_id`;

/** The latest answer with a scale. A detractor gives at most 6 of 10; of stars and satisfaction the lower two fifths. */
const answers = (p: InputParameters): string =>
  `select distinct on (a.customer_id) a.customer_id, a.answer, a.at, (a.at at time zone ${p.zone})::date as on_day,
     a.answer <= case a.kind when 'nps' then 60 else 40 end as bad
   from (select r.customer_id, r.entity_id, lower(r.kind) as kind, r.answered_at as at, ${answerSql('lower(r.kind)', 'r.score', p.csatScale)} as answer
     from survey_response r where r.tenant_id = $1 and r.customer_id is not null and r.deleted_at is null
       and r.answered_at >= ${EARLIEST} and r.answered_at < ${endOf(p.surveysDay, p.zone)}${only('r.customer_id', p)}) a
   where a.answer is not null order by a.customer_id, a.at desc, a.entity_id desc`;

/** Messages of the last 180 days, each counted once: a click or reply beats an open, and machines do neither. */
const engaged = (p: InputParameters): string => {
  const end = endOf(p.day, p.zone);
  return `select e.customer_id, count(*)::int as delivered, (count(*) filter (where e.hit))::int as hits,
     (count(*) filter (where e.opened and not e.hit))::int as opens
   from (select g.customer_id, coalesce(g.replied_at < ${end}, false) or coalesce(not g.machine and g.clicked_at < ${end}, false) as hit,
       coalesce(not g.machine and g.opened_at < ${end}, false) as opened
     from message_engagement g where g.tenant_id = $1 and g.delivered_at >= ((${p.day} - 179)::timestamp at time zone ${p.zone})
       and g.delivered_at < ${end}${only('g.customer_id', p)}) e group by e.customer_id`;
};

const complaints = (p: InputParameters): string =>
  `select t.customer_id, max(coalesce(t.source_created_at, t.updated_at)) as at
   from ticket t where t.tenant_id = $1 and t.customer_id is not null and t.status in ('open', 'pending') and t.deleted_at is null
     and t.category is not null and lower(t.category) like any(${p.complaints})
     and coalesce(t.source_created_at, t.updated_at) >= ${EARLIEST}
     and coalesce(t.source_created_at, t.updated_at) < ${endOf(p.day, p.zone)}${only('t.customer_id', p)} group by t.customer_id`;

/** Why a customer is not scored, or null: deleted, closed (inactive where they come from) or marked as a test. */
export const reasonSql = (c: string, testTags: string): string =>
  `case when ${c}.deleted_at is not null then 'deleted' when ${c}.status = 'inactive' then 'closed'
     when exists (select from unnest(${c}.tags) as u(tag) where lower(u.tag) = any(${testTags})) then 'test' end`;

/** One row per customer there is. @param spend what tells of spend */
export function inputsSql(p: InputParameters, spend: 'payments' | 'invoices'): string {
  return `select c.id as customer_id, ${reasonSql('c', p.testTags)} as reason,
     j.last_on as last_job_on, coalesce(s.total, 0)::float8 as spend, coalesce(j.n, 0) as jobs,
     a.answer, a.on_day as answered_on, a.at as answered_at, coalesce(a.bad, false) as bad_answer, k.at as complained_at,
     coalesce(e.delivered, 0) as delivered, coalesce(e.hits, 0) as hits, coalesce(e.opens, 0) as opens
   from customer c
     left join (${jobs(p)}) j on j.customer_id = c.id
     left join (${(spend === 'payments' ? payments : invoices)(p)}) s on s.customer_id = c.id
     left join (${answers(p)}) a on a.customer_id = c.id
     left join (${engaged(p)}) e on e.customer_id = c.id
     left join (${complaints(p)}) k on k.customer_id = c.id
   where c.tenant_id = $1${only('c.id', p)}`;
}
