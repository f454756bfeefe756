import { bulk, insertRows, one, type Row, type Tx } from '../base/database.ts';
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
  /** When the step it stands at was entered. */
  entered_at: Date | null;
  /** When the wait it stands in is over; it may be looked at earlier. */
  until_at: Date | null;
  /** When it last went on after a pause. */
  resumed_at: Date | null;
  campaign_id: string | null;
  /** `held_out`: left out on purpose, to compare with. */
  arm: string | null;
  /** Why it could not go on at the last try, and how often it was tried. */
  problem: string | null;
  tries: number;
  row_version: number;
}

const RUN =
  'id, sequence_id, version, customer_id, business_key, ordinal, state, step_id, visit, wake_at, waiting_for, start_on, zone, cause, depth, started_at, updated_at, ended_at, end_reason, shadow, entered_at, until_at, resumed_at, campaign_id, arm, problem, tries, row_version';

/** Of the enrolments there are, those that have not ended. */
export const RUNNING: readonly RunState[] = ['active', 'waiting', 'paused'];

/** What an enrolment begins with. */
export type NewRun = Pick<
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
> &
  Partial<Pick<RunRow, 'campaign_id' | 'shadow'>>;

const NEW = [
  { name: 'id', type: 'uuid' },
  { name: 'sequence_id', type: 'uuid' },
  { name: 'version', type: 'int' },
  { name: 'customer_id', type: 'uuid' },
  { name: 'business_key', type: 'text' },
  { name: 'ordinal', type: 'int' },
  { name: 'state', type: 'text' },
  { name: 'step_id', type: 'text' },
  { name: 'start_on', type: 'date' },
  { name: 'zone', type: 'text' },
  { name: 'cause', type: 'jsonb' },
  { name: 'depth', type: 'smallint' },
  { name: 'campaign_id', type: 'uuid' },
  { name: 'shadow', type: 'boolean' },
  { name: 'started_at', type: 'timestamptz' },
  { name: 'updated_at', type: 'timestamptz' },
];

/**
 * Starts enrolments. The unique indexes decide: one running per key, one per ordinal.
 * @returns the runs, in the order given; undefined where there is one already
 */
export async function insertRuns(tx: Tx, runs: readonly NewRun[], now: Date): Promise<(RunRow | undefined)[]> {
  const ids = runs.map(() => newId());
  const rows = await insertRows<RunRow>(
    tx,
    'run',
    NEW,
    runs.map((run, at) => ({ shadow: false, ...run, id: ids[at], state: 'active', started_at: now, updated_at: now })),
    `on conflict do nothing returning ${RUN}`,
  );
  const made = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => made.get(id));
}

/** Enrolments of these customers in a sequence, the latest of each first. */
export async function runsOfSequence(tx: Tx, sequenceId: string, customerIds: readonly string[]): Promise<RunRow[]> {
  const { rows } = await tx.query<RunRow>(
    `select ${RUN} from run where tenant_id = $1 and sequence_id = $2 and customer_id = any($3) order by ordinal desc, started_at desc`,
    [tx.tenantId, sequenceId, customerIds],
  );
  return rows;
}

/** The running enrolments of a sequence that follow another version than this one. @param lock whoever changes them */
export async function runsInSequence(tx: Tx, sequenceId: string, besides: number, lock: boolean): Promise<RunRow[]> {
  const { rows } = await tx.query<RunRow>(
    `select ${RUN} from run where tenant_id = $1 and sequence_id = $2 and version <> $3 and state in ('active', 'waiting', 'paused') order by id ${lock ? 'for update' : ''}`,
    [tx.tenantId, sequenceId, besides],
  );
  return rows;
}

/** Runs with their row locks, in the order of their ids: whoever holds them decides, the others see what came of it. */
export async function lockRuns(tx: Tx, ids: readonly string[]): Promise<RunRow[]> {
  if (ids.length === 0) return [];
  const { rows } = await tx.query<RunRow>(
    `select ${RUN} from run where tenant_id = $1 and id = any($2) order by id for update`,
    [tx.tenantId, ids],
  );
  return rows;
}

/** A run with its row lock. */
export const lockRun = async (tx: Tx, id: string): Promise<RunRow | undefined> => (await lockRuns(tx, [id]))[0];

const ASLEEP = "sequence_id <> all(array(select id from sequence where tenant_id = $1 and state = 'paused'))";

/**
 * Runs that are due, locked; those another worker holds are passed over, and those of paused sequences are left alone:
 * they keep their place.
 * @param besides runs that are left out
 */
export async function claimDueRuns(
  tx: Tx,
  now: Date,
  limit: number,
  besides: readonly string[] = [],
): Promise<RunRow[]> {
  const { rows } = await tx.query<RunRow>(
    `select ${RUN} from run where tenant_id = $1 and state = 'waiting' and wake_at <= $2 and ${ASLEEP} and id <> all($4::uuid[])
     order by wake_at limit $3 for update skip locked`,
    [tx.tenantId, now, limit, besides],
  );
  return rows;
}

/** When the next run is due. */
export async function nextWake(tx: Tx): Promise<Date | undefined> {
  return (
    one(
      await tx.query<{ at: Date | null }>(
        `select min(wake_at) as at from run where tenant_id = $1 and state = 'waiting' and wake_at is not null and ${ASLEEP}`,
        [tx.tenantId],
      ),
    )?.at ?? undefined
  );
}

const PLACE = [
  { name: 'id', type: 'uuid' },
  { name: 'state', type: 'text' },
  { name: 'step_id', type: 'text' },
  { name: 'visit', type: 'int' },
  { name: 'wake_at', type: 'timestamptz' },
  { name: 'until_at', type: 'timestamptz' },
  { name: 'entered_at', type: 'timestamptz' },
  { name: 'waiting_for', type: 'text' },
  { name: 'arm', type: 'text' },
  { name: 'problem', type: 'text' },
  { name: 'tries', type: 'int' },
  { name: 'ended_at', type: 'timestamptz' },
  { name: 'end_reason', type: 'text' },
];

/** Writes where runs stand. The caller holds their locks. */
export async function saveRuns(tx: Tx, runs: readonly RunRow[], now: Date): Promise<void> {
  if (runs.length === 0) return;
  const { from, values } = bulk(PLACE, runs as unknown as Row[], 3);
  const set = PLACE.slice(1).map(({ name }) => `${name} = input.${name}`);
  await tx.query(
    `update run r set ${set.join(', ')}, updated_at = $2, row_version = r.row_version + 1 from ${from} where r.tenant_id = $1 and r.id = input.id`,
    [tx.tenantId, now, ...values],
  );
}

/** Ends running enrolments of customers, unless they ended already. @returns those that ended now */
export async function exitRuns(tx: Tx, ids: readonly string[], reason: string, now: Date): Promise<RunRow[]> {
  if (ids.length === 0) return [];
  const { rows } = await tx.query<RunRow>(
    `update run set state = 'exited', end_reason = $3, ended_at = $4, wake_at = null, until_at = null, waiting_for = null, problem = null, updated_at = $4, row_version = row_version + 1
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
