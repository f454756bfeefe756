import { one, type Tx } from '../base/database.ts';

/** What is planned for a stream. */
export interface PlanRow {
  id: string;
  connection_id: string;
  name: string;
  phase: 'initial' | 'incremental';
  state: string;
  cursor: { since?: string };
  last_complete_at: Date | null;
  sweep_due_at: Date | null;
  verify_due_at: Date | null;
}

const PLAN =
  's.id, s.connection_id, s.name, s.phase, s.state, s.cursor, s.last_complete_at, s.sweep_due_at, s.verify_due_at';

/** Streams of a connection with what is planned for them. */
export async function plansOf(tx: Tx, connectionId?: string): Promise<PlanRow[]> {
  const { rows } = await tx.query<PlanRow>(
    `select ${PLAN} from stream s where s.tenant_id = $1 and ($2::uuid is null or s.connection_id = $2) order by s.id`,
    [tx.tenantId, connectionId ?? null],
  );
  return rows;
}

/** Usable connections of which something is to be swept or verified now. */
export async function connectionsToProve(tx: Tx, now: Date): Promise<string[]> {
  const { rows } = await tx.query<{ connection_id: string }>(
    `select distinct s.connection_id from stream s join connection c on c.tenant_id = s.tenant_id and c.id = s.connection_id and c.state = 'active'
     where s.tenant_id = $1 and least(s.sweep_due_at, s.verify_due_at) <= $2`,
    [tx.tenantId, now],
  );
  return rows.map((row) => row.connection_id);
}

export async function nextProofDue(tx: Tx): Promise<Date | undefined> {
  const row = one(
    await tx.query<{ at: Date | null }>(
      `select min(least(s.sweep_due_at, s.verify_due_at)) as at from stream s
       join connection c on c.tenant_id = s.tenant_id and c.id = s.connection_id and c.state = 'active' where s.tenant_id = $1`,
      [tx.tenantId],
    ),
  );
  return row?.at ?? undefined;
}

/** Plans the next sweep and comparison of a stream; what is left out stays as it is. */
export async function planProof(
  tx: Tx,
  streamIds: readonly string[],
  plan: { sweepAt?: Date | null; verifyAt?: Date | null },
): Promise<void> {
  await tx.query(
    `update stream set sweep_due_at = case when $3 then $4 else sweep_due_at end, verify_due_at = case when $5 then $6 else verify_due_at end
     where tenant_id = $1 and id = any($2)`,
    [
      tx.tenantId,
      streamIds,
      plan.sweepAt !== undefined,
      plan.sweepAt ?? null,
      plan.verifyAt !== undefined,
      plan.verifyAt ?? null,
    ],
  );
}

/** The next sweep of a stream that has sweeps comes now: another way of learning of deletions fell short. */
export async function hurrySweep(tx: Tx, streamId: string, now: Date): Promise<void> {
  await tx.query('update stream set sweep_due_at = $3 where tenant_id = $1 and id = $2 and sweep_due_at > $3', [
    tx.tenantId,
    streamId,
    now,
  ]);
}
