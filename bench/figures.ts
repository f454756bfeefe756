/** The value below which `share` of the sorted figures lie. */
const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!;

export interface Spread {
  n: number;
  min: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** How measured figures are spread, rounded to a tenth. */
export function spread(figures: readonly number[]): Spread {
  const sorted = [...figures].sort((a, b) => a - b);
  return {
    n: sorted.length,
    min: round(sorted[0]!),
    p50: round(quantile(sorted, 0.5)),
    p95: round(quantile(sorted, 0.95)),
    p99: round(quantile(sorted, 0.99)),
    max: round(sorted.at(-1)!),
  };
}

export interface Result {
  name: string;
  /** What was measured, in a sentence. */
  what: string;
  /** Figures with their unit in the name. */
  figures: Record<string, number | Spread>;
  /** Figures by floor, within this run: what noise cannot change much. */
  ratios: Record<string, number>;
  aim: string;
  met: boolean;
  /** Every single measurement. */
  raw: Record<string, number[]>;
}

export const ratio = (value: number, floor: number): number => Math.round((value / floor) * 100) / 100;
