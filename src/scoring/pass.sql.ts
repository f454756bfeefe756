import type { LocalDate } from '../base/time.ts';
import { availableFactors, type Context, lastDay, type RulesRow, type YardstickRow } from './context.ts';
import {
  bandSql,
  engagementSql,
  exactSql,
  FACTOR_COLUMNS,
  frequencySql,
  recencySql,
  round2Sql,
  sentimentSql,
  spendSql,
} from './formula.sql.ts';
import { FACTORS, type Factor } from './formula.ts';
import { type InputParameters, inputsSql } from './inputs.sql.ts';

/** Values of a statement; each answers the expression it is read by. */
export class Values {
  readonly list: unknown[];
  constructor(tenantId: string) {
    this.list = [tenantId];
  }
  add(value: unknown, type: string): string {
    this.list.push(value);
    return `$${this.list.length}::${type}`;
  }
}

/** Expressions of what the factors depend on besides the inputs. */
export interface BasisParameters {
  jobsDay: string;
  surveysDay: string;
  kind: string;
  target: string;
  quantiles: string;
  frequencyTarget: string;
  answers: string;
  weights: string;
  known: string;
}

type Rules = Pick<RulesRow, 'settings' | 'sources'>;

/** What is the same for everybody, as parameters. */
export function basisParameters(
  values: Values,
  rules: Rules,
  yardstick: Pick<YardstickRow, 'target' | 'quantiles'>,
  days: { jobsDay: string; surveysDay: string },
): BasisParameters {
  const available = availableFactors(rules.sources);
  const { settings } = rules;
  const list = <T>(of: (factor: Factor) => T): T[] => FACTORS.map(of);
  return {
    ...days,
    kind: values.add(settings.yardstick, 'text'),
    target: values.add(yardstick.target, 'float8'),
    quantiles: values.add(yardstick.quantiles, 'float8[]'),
    frequencyTarget: values.add(settings.frequencyTarget, 'float8'),
    answers: values.add(settings.answers, 'text'),
    weights: values.add(
      list((factor) => (available.includes(factor) ? settings.weights[factor] : 0)),
      'float8[]',
    ),
    known: values.add(
      list((factor) => available.includes(factor)),
      'boolean[]',
    ),
  };
}

/**
 * Factors and score of inputs. `offset 0` keeps each layer computed once: pulled together, every power and logarithm
 * would be computed again wherever its result is used.
 * @param inputs a relation with the columns of inputs and `reason`
 */
export function scoredSql(inputs: string, p: BasisParameters): string {
  const factor: Record<Factor, string> = {
    recency: recencySql('i.last_job_on', p.jobsDay),
    spend: spendSql('i.spend', p.kind, p.target, p.quantiles),
    frequency: frequencySql('i.jobs', p.frequencyTarget),
    sentiment: sentimentSql('i.answer', 'i.answered_on', p.surveysDay, p.answers),
    engagement: engagementSql('i.delivered', 'i.hits', 'i.opens'),
  };
  const columns = FACTORS.map(
    (name, at) =>
      `case when i.reason is null and (${p.known})[${at + 1}] then ${factor[name]} end as ${FACTOR_COLUMNS[name]}`,
  );
  return `select f.*, case when f.reason is null then ${round2Sql(exactSql('f', `(${p.weights})`))} end as score
    from (select i.*, ${columns.join(', ')} from (${inputs} offset 0) i offset 0) f offset 0`;
}

/** Everything of a statement that scores customers of a business on a day. */
export interface Scored {
  values: Values;
  /** A relation: a row per customer with inputs, factors and score. */
  from: string;
  input: InputParameters;
}

/** The scores of customers on a day. @param ids absent: of all */
export function scored(
  tenantId: string,
  context: Context,
  rules: Rules,
  yardstick: Pick<YardstickRow, 'target' | 'quantiles'>,
  ids?: readonly string[],
): Scored {
  const values = new Values(tenantId);
  const day = (at: LocalDate): string => values.add(at, 'date');
  const { settings } = rules;
  const spend = context.sources.includes('payments') ? 'payments' : 'invoices';
  const input: InputParameters = {
    day: day(context.day),
    jobsDay: day(lastDay(context, 'jobs')),
    spendDay: day(lastDay(context, spend)),
    surveysDay: day(lastDay(context, 'surveys')),
    zone: values.add(context.zone, 'text'),
    currency: values.add(context.currency, 'text'),
    csatScale: values.add(settings.csatScale, 'float8'),
    complaints: values.add(settings.unhappy.complaintWords.map(containing), 'text[]'),
    testTags: values.add(
      settings.testTags.map((tag) => tag.toLowerCase()),
      'text[]',
    ),
    ids: ids && values.add(ids, 'uuid[]'),
  };
  const basis = basisParameters(values, rules, yardstick, input);
  return { values, input, from: scoredSql(inputsSql(input, spend), basis) };
}

const containing = (word: string): string => `%${word.toLowerCase().replaceAll(/[\\%_]/g, '\\$&')}%`;

/** What is stored of a score, in the order of the columns. */
const INPUTS = ['last_job_on', 'spend', 'jobs', 'answer', 'answered_on', 'delivered', 'hits', 'opens'];
const STANDING = ['band', 'vip', 'unhappy', 'unhappy_reason', 'unhappy_since', 'reason'];
const VERSIONS = ['formula', 'rules', 'yardstick'];
/** What a day's row of history is written for; the rest follows from it and from time passing. */
const TELLING = [...STANDING, ...INPUTS, ...VERSIONS];
const ALL = ['score', ...TELLING, ...Object.values(FACTOR_COLUMNS)];

const of = (relation: string, columns: readonly string[]): string =>
  columns.map((column) => `${relation}.${column}`).join(', ');
const old = (columns: readonly string[]): string[] => columns.map((column) => `old_${column}`);
const replaced = (columns: readonly string[]): string =>
  columns.map((column) => `${column} = excluded.${column}`).join(', ');

/** What a pass writes besides inputs and factors. */
export interface Writing {
  formula: number;
  rules: number;
  yardstick: number;
  now: Date;
  /** Spend from which one becomes VIP, and below which one is it no longer; null: by hand only. */
  vip: { enter: number; leave: number } | null;
}

/**
 * Scores customers and stores what differs: the score as it stands, and a line of history where something other than
 * time changed. Answers one line of counts and a line for each customer whose band, VIP or unhappiness is another.
 */
export function writeSql(
  tenantId: string,
  context: Context,
  rules: Rules,
  yardstick: YardstickRow,
  writing: Writing,
  ids?: readonly string[],
): { text: string; values: unknown[] } {
  const { values, from, input } = scored(tenantId, context, rules, yardstick, ids);
  const { settings } = rules;
  const enter = values.add(writing.vip?.enter ?? null, 'float8');
  const leave = values.add(writing.vip?.leave ?? null, 'float8');
  const least = values.add(settings.vip.minScore, 'float8');
  const bands = `(${values.add([settings.bands.steady, settings.bands.strong], 'float8[]')})`;
  const answerDays = values.add(settings.unhappy.days, 'int');
  const complaintDays = values.add(settings.unhappy.complaintDays, 'int');
  const now = values.add(writing.now, 'timestamptz');
  const versions = VERSIONS.map(
    (name) => `${values.add(writing[name as keyof Writing], name === 'formula' ? 'smallint' : 'int')} as ${name}`,
  );
  // What somebody cleared, and what is older than it counts, makes nobody unhappy any more.
  const bad = `s.bad_answer and s.answered_at > coalesce(h.cleared_at, '-infinity') and ${input.day} - s.answered_on < ${answerDays}`;
  const complaint = `s.complained_at > coalesce(h.cleared_at, '-infinity') and ${input.day} - (s.complained_at at time zone ${input.zone})::date < ${complaintDays}
    and not coalesce(not s.bad_answer and s.answered_at > s.complained_at, false)`;
  const text = `with judged as (
      select s.*, ${bandSql('s.score', bands)} as band,
        s.reason is null and coalesce(h.vip, s.spend >= case when coalesce(o.vip, false) then ${leave} else ${enter} end and s.score >= ${least}, false) as vip,
        case when s.reason is not null then null when ${bad} then 'detractor' when ${complaint} then 'complaint' end as unhappy_reason,
        o.customer_id is not null as known, ${ALL.map((column) => `o.${column} as old_${column}`).join(', ')}
      from (${from}) s left join customer_score o on o.tenant_id = $1 and o.customer_id = s.customer_id
        left join customer_standing h on h.tenant_id = $1 and h.customer_id = s.customer_id offset 0
    ), complete as (
      select j.*, j.unhappy_reason is not null as unhappy,
        case j.unhappy_reason when 'detractor' then j.answered_on when 'complaint' then (j.complained_at at time zone ${input.zone})::date end as unhappy_since,
        ${versions.join(', ')} from judged j offset 0
    ), differing as materialized (
      select n.*, row(${of('n', TELLING)}) is distinct from row(${of('n', old(TELLING))}) as telling
      from complete n where row(${of('n', ALL)}) is distinct from row(${of('n', old(ALL))})
    ), stored as (
      insert into customer_score (tenant_id, customer_id, day, ${ALL.join(', ')}, updated_at)
      select $1::uuid, d.customer_id, ${input.day}, ${of('d', ALL)}, ${now} from differing d
      on conflict (tenant_id, customer_id) do update set day = excluded.day, updated_at = excluded.updated_at, ${replaced(ALL)}
    ), kept as (
      insert into score_history (tenant_id, customer_id, day, ${ALL.join(', ')})
      select $1::uuid, d.customer_id, ${input.day}, ${of('d', ALL)} from differing d where d.telling
      on conflict (tenant_id, customer_id, day) do update set ${replaced(ALL)}
    )
    select null::uuid as customer_id, count(*)::int as written, (count(*) filter (where d.telling))::int as kept, null::boolean as known,
      null::text as old_band, null::boolean as old_vip, null::boolean as old_unhappy, null::float8 as old_score,
      null::text as band, null::boolean as vip, null::boolean as unhappy, null::float8 as score, null::text as unhappy_reason from differing d
    union all
    select d.customer_id, null, null, d.known, d.old_band, d.old_vip, d.old_unhappy, d.old_score, d.band, d.vip, d.unhappy, d.score, d.unhappy_reason
    from differing d where case when d.known then row(d.band, d.vip, d.unhappy) is distinct from row(d.old_band, d.old_vip, d.old_unhappy) else d.vip or d.unhappy end`;
  return { text, values: values.list };
}

/** Customers that are there no longer (merged into another): they keep no score. */
export function leaveSql(ids: boolean): string {
  const gone = `score = null, band = null, vip = false, unhappy = false, unhappy_reason = null, unhappy_since = null, reason = 'merged',
    ${Object.values(FACTOR_COLUMNS)
      .map((column) => `${column} = null`)
      .join(', ')}, day = $2::date, updated_at = $3`;
  return `with gone as (
      update customer_score o set ${gone} where o.tenant_id = $1 and o.reason is distinct from 'merged'${ids ? ' and o.customer_id = any($4::uuid[])' : ''}
        and not exists (select from customer c where c.tenant_id = $1 and c.id = o.customer_id) returning o.customer_id, o.day, ${of('o', ALL)})
    insert into score_history (tenant_id, customer_id, day, ${ALL.join(', ')}) select $1::uuid, g.customer_id, g.day, ${of('g', ALL)} from gone g
    on conflict (tenant_id, customer_id, day) do update set ${replaced(ALL)}`;
}
