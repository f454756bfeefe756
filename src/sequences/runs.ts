import { insertRows, one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { LocalDate } from '../base/time.ts';

export type RunState = 'active' | 'waiting' | 'paused' | 'done' | 'exited' | 'stopped';
export interface RunRow {
  id: string;
  sequence_id: string;
  version: number;
  customer_id: string;
  business_key: string;
  ordinal: number;
  state: RunState;
  step_id: string;
  visit: number;
  wake_at: Date | null;
  waiting_for: string | null;
  start_on: LocalDate;
  zone: string;
  cause: Record<string, unknown>;
  depth: number;
  started_at: Date;
  updated_at: Date;
  ended_at: Date | null;
  end_reason: string | null;
  /** It only looks as if: nothing of it goes out. */
  shadow: boolean;
  row_version: number;
}

const RUN =
  'id, sequence_id, version, customer_id, business_key, ordinal, state, step_id, visit, wake_at, waiting_for, start_on, zone, cause, depth, started_at, updated_at, ended_at, end_reason, shadow, row_version';
/**
 * Starts an enrolment. The unique indexes decide: one running per key, one per ordinal.
 * @returns the run, or undefined when there is one already
 */
export async function insertRun(
  tx: Tx,
  run: Pick<
    RunRow,
    | 'sequence_id'
    | 'version'
    | 'customer_id'
    | 'business_key'
    | 'ordinal'
    | 'step_id'
    | 'start_on'
    | 'zone'
    | 'cause'
    | 'depth'
  > & { campaign_id?: string | null; shadow?: boolean },
  now: Date,
): Promise<RunRow | undefined> {
  return one(
    await tx.query<RunRow>(
      `insert into run (tenant_id, id, sequence_id, version, customer_id, business_key, ordinal, state, step_id, start_on, zone, cause, depth, campaign_id, shadow, started_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, 'active', $8, $9, $10, $11, $12, $14, $15, $13, $13) on conflict do nothing returning ${RUN}`,
      [
        tx.tenantId,
        newId(),
        run.sequence_id,
        run.version,
        run.customer_id,
        run.business_key,
        run.ordinal,
        run.step_id,
        run.start_on,
        run.zone,
        run.cause,
        run.depth,
        now,
        run.campaign_id ?? null,
        run.shadow ?? false,
      ],
    ),
  );
}

/** Earlier enrolments of a customer for the same key, newest first. */
export async function runsOfKey(
  tx: Tx,
  sequenceId: string,
  customerId: string,
  businessKey: string | undefined,
): Promise<RunRow[]> {
  const { rows } = await tx.query<RunRow>(
    `select ${RUN} from run where tenant_id = $1 and sequence_id = $2 and customer_id = $3 and ($4::text is null or business_key = $4) order by ordinal desc, started_at desc`,
    [tx.tenantId, sequenceId, customerId, businessKey ?? null],
  );
  return rows;
}

/** A run with its row lock: whoever holds it decides, the others see what came of it. */
export async function lockRun(tx: Tx, id: string): Promise<RunRow | undefined> {
  return one(
    await tx.query<RunRow>(`select ${RUN} from run where tenant_id = $1 and id = $2 for update`, [tx.tenantId, id]),
  );
}

/** Runs that are due, locked; those another worker holds are passed over. */
export async function claimDueRuns(tx: Tx, now: Date, limit: number): Promise<RunRow[]> {
  const { rows } = await tx.query<RunRow>(
    `select ${RUN} from run where tenant_id = $1 and state = 'waiting' and wake_at <= $2 order by wake_at limit $3 for update skip locked`,
    [tx.tenantId, now, limit],
  );
  return rows;
}

export async function nextWake(tx: Tx): Promise<Date | undefined> {
  return (
    one(
      await tx.query<{ at: Date | null }>(
        "select min(wake_at) as at from run where tenant_id = $1 and state = 'waiting' and wake_at is not null",
        [tx.tenantId],
      ),
    )?.at ?? undefined
  );
}

/** Writes where a run stands. The caller holds its lock. */
export async function saveRun(tx: Tx, run: RunRow, now: Date): Promise<void> {
  await tx.query(
    `update run set state = $3, step_id = $4, visit = $5, wake_at = $6, waiting_for = $7, ended_at = $8, end_reason = $9, updated_at = $10, row_version = row_version + 1
     where tenant_id = $1 and id = $2`,
    [
      tx.tenantId,
      run.id,
      run.state,
      run.step_id,
      run.visit,
      run.wake_at,
      run.waiting_for,
      run.ended_at,
      run.end_reason,
      now,
    ],
  );
}

/** Ends running enrolments of customers, unless they ended already. @returns those that ended now */
export async function exitRuns(tx: Tx, ids: readonly string[], reason: string, now: Date): Promise<RunRow[]> {
  if (ids.length === 0) return [];
  const { rows } = await tx.query<RunRow>(
    `update run set state = 'exited', end_reason = $3, ended_at = $4, wake_at = null, waiting_for = null, updated_at = $4, row_version = row_version + 1
     where tenant_id = $1 and id = any($2) and state in ('active', 'waiting', 'paused') returning ${RUN}`,
    [tx.tenantId, ids, reason, now],
  );
  return rows;
}

/** Enrolments of these customers that have not ended. */
export async function runningRuns(tx: Tx, customerIds: readonly string[]): Promise<RunRow[]> {
  const { rows } = await tx.query<RunRow>(
    `select ${RUN} from run where tenant_id = $1 and customer_id = any($2) and state in ('active', 'waiting', 'paused')`,
    [tx.tenantId, customerIds],
  );
  return rows;
}

export async function findRun(tx: Tx, id: string): Promise<RunRow | undefined> {
  return one(await tx.query<RunRow>(`select ${RUN} from run where tenant_id = $1 and id = $2`, [tx.tenantId, id]));
}

export async function listRuns(
  tx: Tx,
  filter: { sequenceId?: string; customerId?: string; state?: string; before?: string; limit: number },
): Promise<RunRow[]> {
  const { rows } = await tx.query<RunRow>(
    `select ${RUN} from run where tenant_id = $1 and ($2::uuid is null or sequence_id = $2) and ($3::uuid is null or customer_id = $3)
       and ($4::text is null or state = $4) and ($5::uuid is null or id < $5) order by id desc limit $6`,
    [
      tx.tenantId,
      filter.sequenceId ?? null,
      filter.customerId ?? null,
      filter.state ?? null,
      filter.before ?? null,
      filter.limit,
    ],
  );
  return rows;
}

export async function countRuns(tx: Tx): Promise<{ sequence_id: string; state: RunState; n: number }[]> {
  const { rows } = await tx.query<{ sequence_id: string; state: RunState; n: number }>(
    'select sequence_id, state, count(*)::int as n from run where tenant_id = $1 group by 1, 2',
    [tx.tenantId],
  );
  return rows;
}

/** Notes that a run entered a step. */
export async function enterStep(tx: Tx, run: RunRow, now: Date): Promise<void> {
  await insertRows(
    tx,
    'run_step',
    [
      { name: 'run_id', type: 'uuid' },
      { name: 'step_id', type: 'text' },
      { name: 'visit', type: 'int' },
      { name: 'entered_at', type: 'timestamptz' },
    ],
    [{ run_id: run.id, step_id: run.step_id, visit: run.visit, entered_at: now }],
    'on conflict do nothing',
  );
}

/** When a run entered the step it stands at. */
export async function enteredAt(tx: Tx, run: Pick<RunRow, 'id' | 'step_id' | 'visit'>): Promise<Date | undefined> {
  return one(
    await tx.query<{ entered_at: Date }>(
      'select entered_at from run_step where tenant_id = $1 and run_id = $2 and step_id = $3 and visit = $4',
      [tx.tenantId, run.id, run.step_id, run.visit],
    ),
  )?.entered_at;
}

/** Notes what came of a step. */
export async function leaveStep(tx: Tx, run: RunRow, outcome: string, detail: string | null, now: Date): Promise<void> {
  await tx.query(
    'update run_step set left_at = $5, outcome = $6, detail = $7 where tenant_id = $1 and run_id = $2 and step_id = $3 and visit = $4 and left_at is null',
    [tx.tenantId, run.id, run.step_id, run.visit, now, outcome, detail],
  );
}

export async function stepsOfRun(
  tx: Tx,
  runId: string,
): Promise<
  {
    step_id: string;
    visit: number;
    entered_at: Date;
    left_at: Date | null;
    outcome: string | null;
    detail: string | null;
  }[]
> {
  const { rows } = await tx.query<{
    step_id: string;
    visit: number;
    entered_at: Date;
    left_at: Date | null;
    outcome: string | null;
    detail: string | null;
  }>(
    'select step_id, visit, entered_at, left_at, outcome, detail from run_step where tenant_id = $1 and run_id = $2 order by entered_at, left_at nulls last, step_id',
    [tx.tenantId, runId],
  );
  return rows;
}
