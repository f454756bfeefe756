import type { Tx } from '../base/database.ts';
import { mergeConsents } from '../consent/merging.ts';
import { stopRun } from './manual.ts';
import type { SequencePorts } from './ports.ts';
import type { RunRow } from './runs.ts';

/** What hangs on a customer, by the column that names a row. */
export const HANGING = {
  occurrence: 'id',
  escalation: 'id',
  receivable_hold: 'id',
  action_request: 'id',
  touch: 'request_id',
} as const;
export type Hanging = keyof typeof HANGING;

/** What came with the absorbed customer, so that it can go back: ids by table, and the place of each enrolment. */
export type Moved = { [table in Hanging]: string[] } & { run: { id: string; ordinal: number }[] };

/** Two customers became one: their enrolments in the same sequence must not both go on. */
export async function mergeRuns(
  ports: Pick<SequencePorts, 'cancel'>,
  tx: Tx,
  survivor: string,
  absorbed: string,
  now: Date,
): Promise<Moved> {
  const { rows } = await tx.query<RunRow>(
    "select * from run where tenant_id = $1 and customer_id = any($2) and state in ('active', 'waiting', 'paused') order by started_at, id",
    [tx.tenantId, [survivor, absorbed]],
  );
  const kept = new Set<string>();
  for (const run of rows) {
    const key = `${run.sequence_id} ${run.business_key}`;
    if (!kept.has(key)) {
      kept.add(key);
      continue;
    }
    const reason = 'The customer turned out to be the same as another one that is in the sequence already.';
    await stopRun(ports, tx, run.id, 'system', reason, run.row_version, now);
  }
  const moved: Moved = { run: [], occurrence: [], escalation: [], receivable_hold: [], action_request: [], touch: [] };
  const { rows: runs } = await tx.query<{ id: string; ordinal: number }>(
    'select id, ordinal from run where tenant_id = $1 and customer_id = $2 order by id',
    [tx.tenantId, absorbed],
  );
  moved.run = runs;
  // Ordinals count per customer: those of the absorbed one go behind the survivor's.
  await tx.query(
    `update run r set customer_id = $3, ordinal = r.ordinal + coalesce((select max(o.ordinal) from run o where o.tenant_id = $1 and o.customer_id = $3 and o.sequence_id = r.sequence_id and o.business_key = r.business_key), 0)
     where r.tenant_id = $1 and r.customer_id = $2`,
    [tx.tenantId, absorbed, survivor],
  );
  for (const table of Object.keys(HANGING) as Hanging[]) {
    const { rows: ids } = await tx.query<{ id: string }>(
      `update ${table} set customer_id = $3 where tenant_id = $1 and customer_id = $2 returning ${HANGING[table]} as id`,
      [tx.tenantId, absorbed, survivor],
    );
    moved[table] = ids.map((row) => row.id);
  }
  // They are one again: what was counted for both counts once.
  await tx.query(
    `delete from touch t using touch o where t.tenant_id = $1 and t.customer_id = $2 and t.copy_of is not null
       and o.tenant_id = $1 and o.customer_id = $2 and coalesce(o.copy_of, o.request_id) = t.copy_of
       and (o.copy_of is null or o.request_id < t.request_id)`,
    [tx.tenantId, survivor],
  );
  await mergeConsents(tx, survivor, absorbed, now);
  return moved;
}
