import type { Tx } from '../base/database.ts';
import type { LocalDate } from '../base/time.ts';
import { lastDay, type RulesRow, type YardstickRow } from './context.ts';
import type { Factors, Inputs } from './formula.ts';
import { basisParameters, scoredSql, Values } from './pass.sql.ts';

/** Inputs of a day, as stored. */
export interface DayInputs extends Inputs {
  day: LocalDate;
  /** Why nothing is scored, or null. */
  reason: string | null;
}

export interface DayScore {
  day: LocalDate;
  score: number | null;
  factors: Factors;
}

/**
 * What inputs make on days, by the very expressions of the pass, so that a stored day comes out bit for bit.
 * @param rows inputs with the day they are looked at on, which may be later than the one they were stored on
 */
export async function recompute(
  tx: Tx,
  rows: readonly DayInputs[],
  rules: Pick<RulesRow, 'settings' | 'sources' | 'kept'>,
  yardstick: Pick<YardstickRow, 'target' | 'quantiles'>,
): Promise<DayScore[]> {
  if (rows.length === 0) return [];
  const values = new Values(tx.tenantId);
  const column = (of: (row: DayInputs) => unknown, type: string): string => values.add(rows.map(of), `${type}[]`);
  const inputs = `select n.* from unnest(${[
    column((row) => row.day, 'date'),
    column((row) => lastDay({ day: row.day, kept: rules.kept }, 'jobs'), 'date'),
    column((row) => lastDay({ day: row.day, kept: rules.kept }, 'surveys'), 'date'),
    column((row) => row.reason, 'text'),
    column((row) => row.lastJobOn, 'date'),
    column((row) => row.spend, 'float8'),
    column((row) => row.jobs, 'int'),
    column((row) => row.answer, 'float8'),
    column((row) => row.answeredOn, 'date'),
    column((row) => row.delivered, 'int'),
    column((row) => row.hits, 'int'),
    column((row) => row.opens, 'int'),
  ].join(
    ', ',
  )}) with ordinality as n(day, jobs_day, surveys_day, reason, last_job_on, spend, jobs, answer, answered_on, delivered, hits, opens, nth)`;
  const basis = basisParameters(values, rules, yardstick, { jobsDay: 'i.jobs_day', surveysDay: 'i.surveys_day' });
  const text = `select r.day, r.score, r.recency, r.spending as spend, r.frequency, r.sentiment, r.engagement from (${scoredSql(inputs, basis)}) r where $1::uuid is not null order by r.nth`;
  const { rows: found } = await tx.query<{ day: LocalDate; score: number | null } & Factors>(text, values.list);
  return found.map(({ day, score, ...factors }) => ({ day, score, factors }));
}
