import { daysBetween, type LocalDate } from '../base/time.ts';

/**
 * Version of the formulas below. They are written a second time as SQL (`formula.sql.ts`) for the pass over everybody;
 * a test holds the two together. Whoever changes what comes out raises the version.
 */
export const FORMULA_VERSION = 1;

/** The five factors, in the order in which sums are made. */
export const FACTORS = ['recency', 'spend', 'frequency', 'sentiment', 'engagement'] as const;
export type Factor = (typeof FACTORS)[number];

/** Figures of the formulas, used by both ways of writing them. */
export const FIGURES = {
  /** A job counts in full for so many days, then halves every `halfLife`. */
  fullDays: 30,
  halfLife: 180,
  /** The logarithm of spend begins to bend at a tenth of the yardstick. */
  bend: 10,
  /** An answer fades to neutral by half every year. */
  answerHalfLife: 365,
  /** What a human open without a click counts against a click. */
  open: 0.4,
  /** Nothing delivered is neutral: one hit in four messages is taken for granted. */
  priorHits: 1,
  priorDelivered: 4,
  expectedRate: 0.5,
  neutral: 50,
  /** Older than any business: keeps 2^-x away from where floating point ends. */
  mostDays: 100_000,
  /** What is lost in binary must not round a half down. */
  nudge: 1e-9,
} as const;

/** What is known of one customer. Dates are local dates of the business; amounts are in its currency. */
export interface Inputs {
  lastJobOn: LocalDate | null;
  /** Payments less refunds. */
  spend: number;
  /** Completed within 365 days. */
  jobs: number;
  /** 0 to 100, as `answerValue` makes it; null: never answered. */
  answer: number | null;
  answeredOn: LocalDate | null;
  /** Messages delivered within 180 days, those clicked or replied to, and those opened only; by people. */
  delivered: number;
  hits: number;
  opens: number;
}

/** What is the same for all customers of a business. */
export interface Basis {
  weights: Readonly<Record<Factor, number>>;
  /** Factors some source tells of; the others are dropped for everybody. */
  available: readonly Factor[];
  /** Jobs in a year that count as full. */
  frequencyTarget: number;
  yardstick: 'p90' | 'rank';
  /** Spend that counts as full (p90). */
  target: number;
  /** 101 quantiles of spend among those who pay (rank). */
  quantiles: readonly number[] | null;
  answers: 'what' | 'whether';
}

const clamp = (value: number): number => Math.min(100, Math.max(0, value));
const whole = (days: number): number => Math.min(FIGURES.mostDays, Math.max(0, days));

/**
 * Recency, 0 to 100: full for 30 days after the last job, halving every 180 days after that (SCORE, R).
 * @param days local days since the last completed job; null: never
 */
export const recency = (days: number | null): number =>
  days === null ? 0 : 100 * 2 ** (-Math.max(0, whole(days) - FIGURES.fullDays) / FIGURES.halfLife);

/** Spend against a yardstick, 0 to 100, logarithmic; a negative net is none (SCORE, S). */
export const spendAgainst = (spend: number, target: number): number =>
  100 * Math.min(1, Math.log(1 + (FIGURES.bend * Math.max(0, spend)) / target) / Math.log(1 + FIGURES.bend));

/** Percentile rank against frozen quantiles, 0 to 100; of equal ones the middle (SCORE, S, alternative). */
export function spendRank(spend: number, quantiles: readonly number[]): number {
  if (spend <= 0) return 0;
  let [below, upTo] = [0, 0];
  for (const value of quantiles) {
    if (value < spend) below += 1;
    if (value <= spend) upTo += 1;
  }
  return clamp((below + upTo - 1) / 2);
}

const spendFactor = (spend: number, basis: Basis): number =>
  basis.yardstick === 'rank' && basis.quantiles ? spendRank(spend, basis.quantiles) : spendAgainst(spend, basis.target);

/** Completed jobs in a year against what counts as full, 0 to 100 (SCORE, F). */
export const frequency = (jobs: number, target: number): number => 100 * Math.min(1, jobs / target);

/** The latest answer, 0 to 100, fading to neutral by half a year after year; none is neutral (SCORE, N). */
export function sentiment(answer: number | null, age: number | null, mode: Basis['answers'] = 'what'): number {
  if (answer === null || age === null) return FIGURES.neutral;
  const days = whole(age);
  if (mode === 'whether') return days <= FIGURES.answerHalfLife ? 100 : FIGURES.neutral;
  return FIGURES.neutral + (answer - FIGURES.neutral) * 2 ** (-days / FIGURES.answerHalfLife);
}

/** Human hits among delivered messages, 0 to 100, with a prior: nothing delivered is neutral (SCORE, E). */
export const engagement = (delivered: number, hits: number, opens: number): number =>
  100 *
  Math.min(
    1,
    (hits + FIGURES.open * opens + FIGURES.priorHits) / (FIGURES.expectedRate * (delivered + FIGURES.priorDelivered)),
  );

/**
 * An answer on 0 to 100: NPS times 10, stars (k-1) times 25, satisfaction by its scale.
 * @returns null for a kind without a scale or a value off it
 */
export function answerValue(kind: string | null, score: number | null, csatScale: number): number | null {
  if (score === null || !Number.isFinite(score)) return null;
  const within = (from: number, to: number): boolean => score >= from && score <= to;
  if (kind === 'nps') return within(0, 10) ? score * 10 : null;
  if (kind === 'stars') return within(1, 5) ? (score - 1) * 25 : null;
  if (kind !== 'csat') return null;
  if (csatScale === 100) return within(0, 100) ? score : null;
  return within(1, csatScale) ? ((score - 1) * 100) / (csatScale - 1) : null;
}

export type Factors = Record<Factor, number | null>;

/** What is known of one customer on a day. */
export type Measures = Omit<Inputs, 'lastJobOn' | 'answeredOn'> & {
  /** Local days since the last completed job; null: never. */
  sinceJob: number | null;
  /** Local days since the latest answer. */
  answerAge: number | null;
};

/** The days that factors are computed for: later than these nothing is known of them. */
export interface FactorDays {
  jobs: LocalDate;
  surveys: LocalDate;
}

/** Dates become ages. */
export function measuresOf({ lastJobOn, answeredOn, ...rest }: Inputs, days: FactorDays): Measures {
  return {
    ...rest,
    sinceJob: lastJobOn === null ? null : daysBetween(lastJobOn, days.jobs),
    answerAge: answeredOn === null ? null : daysBetween(answeredOn, days.surveys),
  };
}

/** Factors of a customer, each 0 to 100 and unrounded; null for those no source tells of. */
export function factorsOf(measures: Measures, basis: Basis): Factors {
  const all: Record<Factor, number> = {
    recency: recency(measures.sinceJob),
    spend: spendFactor(measures.spend, basis),
    frequency: frequency(measures.jobs, basis.frequencyTarget),
    sentiment: sentiment(measures.answer, measures.answerAge, basis.answers),
    engagement: engagement(measures.delivered, measures.hits, measures.opens),
  };
  const known = (factor: Factor): boolean => basis.available.includes(factor);
  return Object.fromEntries(FACTORS.map((factor) => [factor, known(factor) ? all[factor] : null])) as Factors;
}

/** Weights as they count: those of dropped factors are shared out among the others. Null when nothing is left. */
export function effectiveWeights(basis: Pick<Basis, 'weights' | 'available'>): Record<Factor, number> | null {
  const left = FACTORS.map((factor) => (basis.available.includes(factor) ? basis.weights[factor] : 0));
  const sum = left.reduce((total, weight) => total + weight, 0);
  if (sum <= 0) return null;
  return Object.fromEntries(FACTORS.map((factor, at) => [factor, left[at]! / sum])) as Record<Factor, number>;
}

/** Sum of weight times factor over the factors there are, 0 to 100 and unrounded; null when there are none. */
export function exactScore(factors: Factors, basis: Pick<Basis, 'weights' | 'available'>): number | null {
  const weight = (factor: Factor): number => (basis.available.includes(factor) ? basis.weights[factor] : 0);
  const sum = FACTORS.reduce((total, factor) => total + weight(factor), 0);
  if (sum <= 0) return null;
  return FACTORS.reduce((total, factor) => total + weight(factor) * (factors[factor] ?? 0), 0) / sum;
}

/** Half up, to two decimals. */
export const round2 = (value: number): number => Math.floor(value * 100 + 0.5 + FIGURES.nudge) / 100;

/** The score: rounded once, at the end. */
export function scoreOf(factors: Factors, basis: Pick<Basis, 'weights' | 'available'>): number | null {
  const exact = exactScore(factors, basis);
  return exact === null ? null : round2(exact);
}

export const BANDS = ['at_risk', 'steady', 'strong'] as const;
export type Band = (typeof BANDS)[number];

/** 0 to 39 at risk, 40 to 69 steady, 70 to 100 strong, where the setting does not say otherwise. */
export const bandOf = (score: number | null, bands: { steady: number; strong: number }): Band | null =>
  score === null ? null : score >= bands.strong ? 'strong' : score >= bands.steady ? 'steady' : 'at_risk';
