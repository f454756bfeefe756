import type { Tx } from '../base/database.ts';
import { addDays, daysBetween, type LocalDate } from '../base/time.ts';
import { loadRules, type RulesRow, type YardstickRow } from './context.ts';
import { type Band, bandOf, type Inputs } from './formula.ts';
import { type DayInputs, type DayScore, recompute } from './recompute.ts';
import { historyRows, type ScoreRow } from './store.ts';
import { loadYardsticks } from './yardstick.ts';

/** One day of a customer's score. */
export interface HistoryDay extends DayScore {
  /** The line of history it follows from: of the day itself, or of the last one before. */
  row: ScoreRow;
  band: Band | null;
}

export const inputsOfRow = (row: ScoreRow): Inputs => ({
  lastJobOn: row.last_job_on,
  spend: row.spend,
  jobs: row.jobs,
  answer: row.answer,
  answeredOn: row.answered_on,
  delivered: row.delivered,
  hits: row.hits,
  opens: row.opens,
});

/** What versions of rules and yardstick say, by their numbers. */
export interface Versions {
  rules: Map<number, RulesRow>;
  yardsticks: Map<number, YardstickRow>;
}

export async function loadVersions(tx: Tx, rows: readonly Pick<ScoreRow, 'rules' | 'yardstick'>[]): Promise<Versions> {
  return {
    rules: await loadRules(tx, [...new Set(rows.map((row) => row.rules))]),
    yardsticks: await loadYardsticks(tx, [...new Set(rows.map((row) => row.yardstick))]),
  };
}

/** What a stored row makes on a day that may be later, by the versions it was made with or by others. */
export async function onDays(
  tx: Tx,
  days: readonly { day: LocalDate; row: ScoreRow }[],
  versions: Versions,
  by?: Pick<ScoreRow, 'rules' | 'yardstick'>,
): Promise<DayScore[]> {
  const groups = new Map<string, { day: LocalDate; row: ScoreRow }[]>();
  for (const one of days) {
    const { rules, yardstick } = by ?? one.row;
    const key = `${rules}/${yardstick}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const found: DayScore[] = [];
  for (const group of groups.values()) {
    const { rules, yardstick } = by ?? group[0]!.row;
    const inputs = group.map(({ day, row }): DayInputs => ({ ...inputsOfRow(row), day, reason: row.reason }));
    found.push(...(await recompute(tx, inputs, versions.rules.get(rules)!, versions.yardsticks.get(yardstick)!)));
  }
  return found.sort((a, b) => (a.day < b.day ? -1 : 1));
}

/**
 * A customer's score on each day from one to another, both included; days before the first score are left out. Lines are
 * stored only when something besides time changed: the other days are computed from the last line before them.
 */
export async function scoreHistory(tx: Tx, customerId: string, from: LocalDate, to: LocalDate): Promise<HistoryDay[]> {
  const rows = await historyRows(tx, customerId, from, to);
  if (rows.length === 0) return [];
  const first = rows[0]!.day > from ? rows[0]!.day : from;
  const days: { day: LocalDate; row: ScoreRow }[] = [];
  let at = 0;
  for (let n = 0; n <= daysBetween(first, to); n++) {
    const day = addDays(first, n);
    while (at + 1 < rows.length && rows[at + 1]!.day <= day) at += 1;
    days.push({ day, row: rows[at]! });
  }
  const versions = await loadVersions(tx, rows);
  const found = await onDays(tx, days, versions);
  return found.map((one, n) => {
    const { row } = days[n]!;
    return { ...one, row, band: bandOf(one.score, versions.rules.get(row.rules)!.settings.bands) };
  });
}
