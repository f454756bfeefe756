import type { Tx } from '../base/database.ts';
import { addDays, type LocalDate } from '../base/time.ts';
import { basisOf, lastDay, type RulesRow, type YardstickRow } from './context.ts';
import {
  type Basis,
  effectiveWeights,
  exactScore,
  FACTORS,
  type Factor,
  factorsOf,
  type Measures,
  measuresOf,
  round2,
} from './formula.ts';
import { inputsOfRow, loadVersions, onDays, type Versions } from './history.ts';
import { findScore, findStanding, historyRows, passedOn, type ScoreRow, type StandingRow } from './store.ts';

/** One factor of a score in words and figures. */
export interface FactorLine {
  factor: Factor;
  /** What went in, in words. */
  input: string;
  /** 0 to 100; null: nothing tells of it, so it is left out for everybody. */
  value: number | null;
  /** Share in the score, after sharing out what is left out. */
  weight: number;
  /** Weight times value: what it adds to the score. */
  points: number;
  /** Points that are missing to its most. */
  gap: number;
  /** Nothing is known of this customer here: the value is the neutral one, or none. */
  noData: boolean;
  /** The day its source last told something, when it fell silent. */
  keptSince: LocalDate | null;
  /** The cheapest change and what it would do to the score, counting what else it changes. */
  change: { what: string; effect: number } | null;
}

/** Where a difference between two days comes from; the lines sum to the total. */
export interface Delta {
  since: LocalDate;
  from: number;
  to: number;
  total: number;
  factors: Partial<Record<Factor, number>>;
  /** What new weights or a new yardstick made of it, without the customer having done anything. */
  yardstick: number;
}

export interface Explanation {
  row: ScoreRow;
  asOf: LocalDate;
  basis: { scoredOn: number; of: number; target: number; yardstick: YardstickRow; rules: RulesRow };
  factors: FactorLine[];
  /** Since yesterday and for 30 days; absent where there was no score then. */
  deltas: Delta[];
  standing: StandingRow;
}

/** A customer's score with everything behind it, or undefined when it was never looked at. */
export async function explainScore(tx: Tx, customerId: string): Promise<Explanation | undefined> {
  const row = await findScore(tx, customerId);
  if (!row) return undefined;
  const passed = (await passedOn(tx)) ?? row.day;
  const asOf = passed > row.day ? passed : row.day;
  const past: { day: LocalDate; row: ScoreRow }[] = [];
  for (const day of [addDays(asOf, -1), addDays(asOf, -30)]) {
    const then = (await historyRows(tx, customerId, day, day)).at(-1);
    if (then && then.day <= day) past.push({ day, row: then });
  }
  const versions = await loadVersions(tx, [row, ...past.map((one) => one.row)]);
  const rules = versions.rules.get(row.rules)!;
  const yardstick = versions.yardsticks.get(row.yardstick)!;
  const basis = basisOf(rules, yardstick);
  const deltas: Delta[] = [];
  for (const then of past) {
    const delta = await deltaSince(tx, { day: asOf, row }, then, versions);
    if (delta) deltas.push(delta);
  }
  return {
    row,
    asOf,
    basis: { scoredOn: basis.available.length, of: FACTORS.length, target: yardstick.target, yardstick, rules },
    factors: row.reason === null ? linesOf(row, asOf, basis, rules) : [],
    deltas,
    standing: await findStanding(tx, customerId),
  };
}

/**
 * The difference between two days, factor by factor. While weights and yardstick are the same, it is the sum of weight
 * times difference. Otherwise today is looked at by the old ones as well: that gives the customer's part, and what is
 * left of the difference is the yardstick's.
 */
async function deltaSince(
  tx: Tx,
  now: { day: LocalDate; row: ScoreRow },
  then: { day: LocalDate; row: ScoreRow },
  versions: Versions,
): Promise<Delta | undefined> {
  const by = (row: ScoreRow): Basis => basisOf(versions.rules.get(row.rules)!, versions.yardsticks.get(row.yardstick)!);
  const [is] = await onDays(tx, [now], versions);
  const [was] = await onDays(tx, [then], versions);
  const [isByOld] = await onDays(tx, [now], versions, then.row);
  const [exactIs, exactWas] = [exactScore(is!.factors, by(now.row)), exactScore(was!.factors, by(then.row))];
  const weights = effectiveWeights(by(then.row));
  if (is!.score === null || was!.score === null || exactIs === null || exactWas === null || !weights) return undefined;
  const factors: Delta['factors'] = {};
  let own = 0;
  for (const factor of by(then.row).available) {
    factors[factor] = weights[factor] * ((isByOld!.factors[factor] ?? 0) - (was!.factors[factor] ?? 0));
    own += factors[factor]!;
  }
  const same = now.row.rules === then.row.rules && now.row.yardstick === then.row.yardstick;
  const total = exactIs - exactWas;
  return {
    since: then.day,
    from: was!.score,
    to: is!.score,
    total,
    factors,
    yardstick: same ? 0 : total - own,
  };
}

const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
const money = (amount: number): string => amount.toLocaleString('en', { maximumFractionDigits: 2 });

function linesOf(row: ScoreRow, day: LocalDate, basis: Basis, rules: RulesRow): FactorLine[] {
  const context = { day, kept: rules.kept };
  const days = { jobs: lastDay(context, 'jobs'), surveys: lastDay(context, 'surveys') };
  const measures = measuresOf(inputsOfRow(row), days);
  const factors = factorsOf(measures, basis);
  const weights = effectiveWeights(basis);
  const now = exactScore(factors, basis) ?? 0;
  /** What the score would gain from other measures: everything they change counts, as it would in truth. */
  const gain = (other: Partial<Measures>): number =>
    round2(exactScore(factorsOf({ ...measures, ...other }, basis), basis) ?? 0) - round2(now);
  const source = {
    recency: 'jobs',
    spend: 'payments',
    frequency: 'jobs',
    sentiment: 'surveys',
    engagement: 'messages',
  } as const;
  return FACTORS.map((factor) => {
    const value = factors[factor];
    const weight = weights?.[factor] ?? 0;
    const best = value === null || value >= 100 ? null : changeOf(factor, measures, basis);
    return {
      factor,
      input: value === null ? 'nothing tells of it yet' : inputOf(factor, row, measures, basis),
      value,
      weight,
      points: weight * (value ?? 0),
      gap: value === null ? 0 : weight * (100 - value),
      noData: value !== null && hasNoData(factor, measures),
      keptSince: rules.kept[source[factor]] ?? (factor === 'spend' ? rules.kept.invoices : undefined) ?? null,
      change: best && { what: best.what, effect: round2(gain(best.measures)) },
    };
  });
}

const hasNoData = (factor: Factor, { sinceJob, spend, answer, delivered }: Measures): boolean =>
  factor === 'sentiment'
    ? answer === null
    : factor === 'engagement'
      ? delivered === 0
      : factor === 'spend'
        ? spend === 0
        : sinceJob === null;

function inputOf(factor: Factor, row: ScoreRow, measures: Measures, basis: Basis): string {
  switch (factor) {
    case 'recency':
      return row.last_job_on === null
        ? 'no job was ever completed'
        : `last job ${row.last_job_on}, ${plural(measures.sinceJob!, 'day')} ago`;
    case 'spend':
      return `${money(row.spend)} paid in all; ${basis.yardstick === 'rank' && basis.quantiles ? 'ranked among those who pay' : `${money(basis.target)} counts as full`}`;
    case 'frequency':
      return `${plural(row.jobs, 'job')} in 365 days; ${basis.frequencyTarget} count as full`;
    case 'sentiment':
      return row.answer === null
        ? 'no answer to a survey'
        : `latest answer ${round2(row.answer)} of 100 on ${row.answered_on}`;
    case 'engagement':
      return row.delivered === 0
        ? 'no message in 180 days'
        : `${plural(row.delivered, 'message')} in 180 days: ${row.hits} clicked or answered, ${row.opens} opened only`;
  }
}

/** The smallest thing that would make a factor better, with all it changes. */
function changeOf(
  factor: Factor,
  { jobs, spend, delivered, hits }: Measures,
  basis: Basis,
): { what: string; measures: Partial<Measures> } {
  const job = { sinceJob: 0, jobs: jobs + 1 };
  switch (factor) {
    case 'recency':
    case 'frequency':
      return { what: 'a job this month', measures: job };
    case 'spend': {
      const rank = basis.yardstick === 'rank' && basis.quantiles;
      const next = rank ? (rank.find((value) => value > Math.max(0, spend)) ?? spend + 1) : basis.target;
      const missing = Math.max(0, next - spend);
      const step = rank ? missing : Math.min(missing, basis.target / 10);
      return { what: `${money(step)} more paid`, measures: { spend: Math.max(0, spend) + step } };
    }
    case 'sentiment':
      return { what: 'the best answer to a survey', measures: { answer: 100, answerAge: 0 } };
    case 'engagement':
      return { what: 'a reply to one more message', measures: { delivered: delivered + 1, hits: hits + 1 } };
  }
}
