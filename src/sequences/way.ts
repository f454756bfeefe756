import { insertRows, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { RunRow } from './runs.ts';

/** What is noted about one visit of a step. */
export interface StepNote {
  run_id: string;
  step_id: string;
  visit: number;
  entered_at: Date;
  left_at: Date | null;
  outcome: string | null;
  detail: string | null;
}

const COLUMNS = [
  { name: 'note_id', type: 'uuid' },
  { name: 'run_id', type: 'uuid' },
  { name: 'step_id', type: 'text' },
  { name: 'visit', type: 'int' },
  { name: 'entered_at', type: 'timestamptz' },
  { name: 'left_at', type: 'timestamptz' },
  { name: 'outcome', type: 'text' },
  { name: 'detail', type: 'text' },
];

/** Notes that steps were entered, and left with an outcome. The first to leave one decides what came of it. */
export async function noteSteps(tx: Tx, notes: readonly StepNote[]): Promise<void> {
  await insertRows(
    tx,
    'run_step as s',
    COLUMNS,
    notes.map((note) => ({ ...note, note_id: newId() })),
    `on conflict (tenant_id, run_id, step_id, visit) do update set left_at = excluded.left_at, outcome = excluded.outcome, detail = excluded.detail
     where s.left_at is null and excluded.left_at is not null`,
  );
}

/** Notes what came of the steps these runs stand at, when they are taken out of them. */
export async function leaveSteps(
  tx: Tx,
  runs: readonly Pick<RunRow, 'id' | 'step_id' | 'visit'>[],
  outcome: string,
  detail: string | null,
  now: Date,
): Promise<void> {
  await tx.query(
    `update run_step s set left_at = $3, outcome = $4, detail = $5 from unnest($2::uuid[], $6::text[], $7::int[]) as i(run_id, step_id, visit)
     where s.tenant_id = $1 and s.run_id = i.run_id and s.step_id = i.step_id and s.visit = i.visit and s.left_at is null`,
    [
      tx.tenantId,
      runs.map((run) => run.id),
      now,
      outcome,
      detail,
      runs.map((run) => run.step_id),
      runs.map((run) => run.visit),
    ],
  );
}

/** The same for one. */
export const leaveStep = (
  tx: Tx,
  run: Pick<RunRow, 'id' | 'step_id' | 'visit'>,
  outcome: string,
  detail: string | null,
  now: Date,
): Promise<void> => leaveSteps(tx, [run], outcome, detail, now);

/** How often each of these runs has visited a step so far. */
export async function visitsOf(tx: Tx, places: readonly Pick<RunRow, 'id' | 'step_id'>[]): Promise<number[]> {
  if (places.length === 0) return [];
  const { rows } = await tx.query<{ visits: number }>(
    `select coalesce((select max(s.visit) from run_step s where s.tenant_id = $1 and s.run_id = i.run_id and s.step_id = i.step_id), 0)::int as visits
     from unnest($2::uuid[], $3::text[]) with ordinality as i(run_id, step_id, place) where $1::uuid is not null order by i.place`,
    [tx.tenantId, places.map((run) => run.id), places.map((run) => run.step_id)],
  );
  return rows.map((row) => row.visits);
}

/** What came of the last visits of steps, in the order asked; undefined where one was not left yet. */
export async function outcomesOfSteps(
  tx: Tx,
  places: readonly { runId: string; stepId: string }[],
): Promise<(string | undefined)[]> {
  if (places.length === 0) return [];
  const { rows } = await tx.query<{ outcome: string | null }>(
    `select (select s.outcome from run_step s where s.tenant_id = $1 and s.run_id = i.run_id and s.step_id = i.step_id and s.left_at is not null order by s.visit desc limit 1) as outcome
     from unnest($2::uuid[], $3::text[]) with ordinality as i(run_id, step_id, place) where $1::uuid is not null order by i.place`,
    [tx.tenantId, places.map((place) => place.runId), places.map((place) => place.stepId)],
  );
  return rows.map((row) => row.outcome ?? undefined);
}

/** The way of a run so far, in the order it was gone. */
export async function stepsOfRun(
  tx: Tx,
  runId: string,
): Promise<Pick<StepNote, 'step_id' | 'visit' | 'entered_at' | 'left_at' | 'outcome' | 'detail'>[]> {
  const { rows } = await tx.query<StepNote>(
    'select step_id, visit, entered_at, left_at, outcome, detail from run_step where tenant_id = $1 and run_id = $2 order by entered_at, note_id nulls first, left_at nulls last, step_id',
    [tx.tenantId, runId],
  );
  return rows;
}
