/** Standard deviations of a 95 % interval. */
const Z = 1.959964;

export interface Rate {
  n: number;
  hits: number;
  /** Share, 0 to 1; null of nobody. */
  rate: number | null;
  /** Where the true share lies with 95 % certainty. */
  low: number | null;
  high: number | null;
}

/**
 * A share with its interval by Wilson's score method, which stays honest for few people and for shares near 0 and 1.
 * (E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22, 1927.)
 * @param hits of `n`
 */
export function wilson(hits: number, n: number): Rate {
  if (n === 0) return { n, hits, rate: null, low: null, high: null };
  const p = hits / n;
  const square = (Z * Z) / n;
  const middle = (p + square / 2) / (1 + square);
  const half = (Z * Math.sqrt((p * (1 - p)) / n + square / (4 * n))) / (1 + square);
  // At the ends the interval ends with the share itself, whatever the last digit of a float says.
  return {
    ...{ n, hits, rate: p },
    low: hits === 0 ? 0 : Math.max(0, middle - half),
    high: hits === n ? 1 : Math.min(1, middle + half),
  };
}

export interface Difference {
  /** Of the shares, -1 to 1. */
  difference: number;
  low: number;
  high: number;
}

/**
 * How much larger one share is than another, with the interval made of both of theirs.
 * (R. G. Newcombe, Interval estimation for the difference between independent proportions, method 10, Statistics in
 * Medicine 17, 1998.)
 * @returns undefined where a side has nobody
 */
export function differenceOf(one: Rate, other: Rate): Difference | undefined {
  if (one.rate === null || other.rate === null) return undefined;
  const difference = one.rate - other.rate;
  return {
    difference,
    low: difference - Math.hypot(one.rate - one.low!, other.high! - other.rate),
    high: difference + Math.hypot(one.high! - one.rate, other.rate - other.low!),
  };
}

export const VERDICTS = ['too_few_to_tell', 'more', 'fewer', 'no_difference_seen'] as const;
export type Verdict = (typeof VERDICTS)[number];

/**
 * What can be told of those who were written to against those who were left out.
 * @param least people that are needed on either side
 */
export function verdictOf(written: Rate, leftOut: Rate, least: number): Verdict {
  if (written.n < least || leftOut.n < least) return 'too_few_to_tell';
  const found = differenceOf(written, leftOut);
  if (!found) return 'too_few_to_tell';
  if (found.low > 0) return 'more';
  return found.high < 0 ? 'fewer' : 'no_difference_seen';
}
