import type { Static } from 'typebox';
import { daysBetween } from '../base/time.ts';
import type { Delta, Explanation, FactorLine } from './explain.ts';
import { FACTORS, round2 } from './formula.ts';
import type { CustomerScore, Standing } from './schema.ts';
import type { StandingRow } from './store.ts';

/** What people decided about a customer, as the API shows it. */
export const toStanding = (row: StandingRow): Static<typeof Standing> => ({
  pinned: row.vip,
  pinnedBy: row.vip_by,
  unhappyClearedAt: row.cleared_at?.toISOString() ?? null,
  unhappyClearedBy: row.cleared_by,
  version: row.version,
});

const WHY_NOT: Readonly<Record<string, string>> = {
  deleted: 'The customer was deleted.',
  closed: 'The customer is closed where it comes from.',
  merged: 'The customer was merged into another one.',
  test: 'The customer is marked as a test.',
};

const toFactor = (line: FactorLine, asOf: string) => ({
  factor: line.factor,
  input: line.input,
  value: line.value === null ? null : round2(line.value),
  weight: line.weight,
  points: round2(line.points),
  gap: round2(line.gap),
  noData: line.noData,
  staleSince: line.keptSince,
  staleDays: line.keptSince === null ? null : daysBetween(line.keptSince, asOf),
  change: line.change,
});

const toDelta = (delta: Delta) => ({
  day: delta.since,
  from: delta.from,
  to: delta.to,
  total: delta.total,
  factors: delta.factors as Record<string, number>,
  yardstick: delta.yardstick,
});

/** A customer's score as the API and the command line show it; before the first pass it says so. */
export function toCustomerScore(
  customerId: string,
  explained: Explanation | undefined,
  standing: Static<typeof Standing>,
): Static<typeof CustomerScore> {
  const none = {
    factors: [],
    since: [],
    scoredOn: 0,
    of: FACTORS.length,
    yardstick: null,
    formula: null,
    weights: null,
  };
  if (!explained)
    return {
      ...{ customerId, day: null, score: null, band: null, vip: false, unhappy: false, unhappyBecause: null },
      ...{ unhappySince: null, notScored: 'The customer was not looked at yet.', ...none, standing },
    };
  const { row, asOf, basis } = explained;
  const { yardstick } = basis;
  const why = row.reason === null ? 'Nothing tells of any factor yet.' : (WHY_NOT[row.reason] ?? row.reason);
  return {
    customerId,
    day: asOf,
    score: row.score,
    band: row.band as 'steady' | null,
    vip: row.vip,
    unhappy: row.unhappy,
    unhappyBecause: row.unhappy_reason,
    unhappySince: row.unhappy_since,
    notScored: row.score === null ? why : null,
    scoredOn: basis.scoredOn,
    of: basis.of,
    yardstick: {
      target: yardstick.target,
      kind: yardstick.kind,
      payers: yardstick.payers,
      month: yardstick.month,
      version: yardstick.version,
    },
    formula: row.formula,
    weights: row.rules,
    factors: explained.factors.map((line) => toFactor(line, asOf)),
    since: explained.deltas.map(toDelta),
    standing,
  };
}
