import { type Factor, FIGURES } from './formula.ts';

/**
 * The formulas of `formula.ts` as SQL expressions of double precision. Arguments are expressions: columns or parameters
 * with their type. Sums stand in the same order as there, so that both make the same of the same.
 */

const f8 = (value: number): string => `${value}::float8`;
const days = (from: string, day: string): string => `least(${FIGURES.mostDays}, greatest(0, ${day} - ${from}))`;

export const recencySql = (lastJobOn: string, day: string): string =>
  `case when ${lastJobOn} is null then 0::float8
     else 100::float8 * power(2::float8, -greatest(0, ${days(lastJobOn, day)} - ${FIGURES.fullDays})::float8 / ${f8(FIGURES.halfLife)}) end`;

const rankSql = (spend: string, quantiles: string): string =>
  `case when ${spend} <= 0 then 0::float8 else least(100::float8, greatest(0::float8, (
     (select count(*) filter (where q < ${spend}) + count(*) filter (where q <= ${spend}) from unnest(${quantiles}) as u(q)) - 1)::float8 / 2::float8)) end`;

/** @param kind expression of 'p90' or 'rank' */
export const spendSql = (spend: string, kind: string, target: string, quantiles: string): string =>
  `case when ${kind} = 'rank' and ${quantiles} is not null then ${rankSql(spend, quantiles)}
     else 100::float8 * least(1::float8, ln(1::float8 + (${f8(FIGURES.bend)} * greatest(0::float8, ${spend})) / ${target}) / ln(${f8(1 + FIGURES.bend)})) end`;

export const frequencySql = (jobs: string, target: string): string =>
  `100::float8 * least(1::float8, ${jobs}::float8 / ${target})`;

/** @param mode expression of 'what' or 'whether' */
export const sentimentSql = (answer: string, answeredOn: string, day: string, mode: string): string =>
  `case when ${answer} is null or ${answeredOn} is null then ${f8(FIGURES.neutral)}
     when ${mode} = 'whether' then case when ${days(answeredOn, day)} <= ${FIGURES.answerHalfLife} then 100::float8 else ${f8(FIGURES.neutral)} end
     else ${f8(FIGURES.neutral)} + (${answer} - ${f8(FIGURES.neutral)}) * power(2::float8, -${days(answeredOn, day)}::float8 / ${f8(FIGURES.answerHalfLife)}) end`;

export const engagementSql = (delivered: string, hits: string, opens: string): string =>
  `100::float8 * least(1::float8, (${hits}::float8 + ${f8(FIGURES.open)} * ${opens}::float8 + ${f8(FIGURES.priorHits)}) / (${f8(FIGURES.expectedRate)} * (${delivered}::float8 + ${f8(FIGURES.priorDelivered)})))`;

/**
 * An answer on 0 to 100, null off its scale. A value that is no number compares as the greatest, so it is off every one.
 * @param score numeric
 * @param scale expression of the best value of satisfaction surveys, float8
 */
export const answerSql = (kind: string, score: string, scale: string): string =>
  `case ${kind}
     when 'nps' then case when ${score} between 0 and 10 then ${score}::float8 * 10 end
     when 'stars' then case when ${score} between 1 and 5 then (${score}::float8 - 1) * 25 end
     when 'csat' then case
       when ${scale} = 100 then case when ${score} between 0 and 100 then ${score}::float8 end
       when ${score} >= 1 and ${score} <= ${scale}::numeric then ((${score}::float8 - 1) * 100) / (${scale} - 1) end end`;

/** Columns of the factors, in the order of the sums. */
export const FACTOR_COLUMNS: Record<Factor, string> = {
  recency: 'recency',
  spend: 'spending',
  frequency: 'frequency',
  sentiment: 'sentiment',
  engagement: 'engagement',
};

/**
 * The unrounded score of factor columns of `from`; null when no weight is left.
 * @param weights expression of five weights in the order of the factors, 0 for what is dropped
 */
export function exactSql(from: string, weights: string): string {
  const columns = Object.values(FACTOR_COLUMNS);
  const sum = columns.map((_column, at) => `${weights}[${at + 1}]`).join(' + ');
  const product = columns.map((column, at) => `${weights}[${at + 1}] * coalesce(${from}.${column}, 0)`).join(' + ');
  return `case when ${sum} > 0 then (${product}) / (${sum}) end`;
}

/** Half up, to two decimals. */
export const round2Sql = (value: string): string =>
  `floor((${value}) * 100::float8 + 0.5::float8 + ${FIGURES.nudge}::float8) / 100::float8`;

/** @param bands expression of the two lower ends, float8[] */
export const bandSql = (score: string, bands: string): string =>
  `case when ${score} is null then null when ${score} >= ${bands}[2] then 'strong' when ${score} >= ${bands}[1] then 'steady' else 'at_risk' end`;
