import { one, type Tx } from '../base/database.ts';
import { goOn } from './engine.ts';
import {
  assigneeOf,
  ESCALATION_COLUMNS,
  type EscalationRow,
  findEscalation,
  nextLevel,
  tellAudit,
} from './escalations.ts';
import type { SequencePorts } from './ports.ts';
import { lockRun, RUNNING } from './runs.ts';
import { loadDefinition } from './store.ts';

/** The clock ran out: the next person is told. After the last one it stays open for everybody to see. */
export async function escalateFurther(ports: SequencePorts, tx: Tx, row: EscalationRow, now: Date): Promise<void> {
  const found = await nextLevel(tx, row.plan, row.level + 1, row.customer_id, now);
  const next: EscalationRow = found
    ? { ...row, level: found.level, assignee: assigneeOf(found), next_at: found.until }
    : { ...row, next_at: null };
  await tx.query(
    'update escalation set level = $3, assignee = $4, next_at = $5, version = version + 1 where tenant_id = $1 and id = $2',
    [tx.tenantId, row.id, next.level, next.assignee, next.next_at],
  );
  await tellAudit(tx, next, found ? 'escalation.raised' : 'escalation.unacknowledged', now);
  if (found) await ports.tellStaff(tx, next, now);
  else await releaseRun(ports, tx, row, 'unacknowledged', 'nobody said "I have it"', now);
}

/** The run behind an escalation goes on. */
async function releaseRun(
  ports: SequencePorts,
  tx: Tx,
  row: EscalationRow,
  outcome: string,
  detail: string,
  now: Date,
): Promise<void> {
  const run = row.run_id ? await lockRun(tx, row.run_id) : undefined;
  const stands = run && RUNNING.includes(run.state) && run.waiting_for === 'escalation';
  if (!stands || run.step_id !== row.step_id || run.visit !== row.visit) return;
  const definition = await loadDefinition(tx, run.sequence_id, run.version);
  await goOn(ports, tx, [{ run, definition, outcome, detail }], now);
}

/**
 * Somebody has it. The first acknowledgement wins; the clock stops.
 * @returns the escalation, and whether this call was the one that counted
 */
export async function acknowledge(
  ports: SequencePorts,
  tx: Tx,
  id: string,
  by: string,
  now: Date,
): Promise<{ escalation: EscalationRow; first: boolean } | undefined> {
  const row = one(
    await tx.query<EscalationRow>(
      `update escalation set state = 'acknowledged', acknowledged_at = $3, acknowledged_by = $4, next_at = null, version = version + 1
       where tenant_id = $1 and id = $2 and state = 'open' returning ${ESCALATION_COLUMNS}`,
      [tx.tenantId, id, now, by],
    ),
  );
  if (!row) {
    const present = await findEscalation(tx, id);
    return present && { escalation: present, first: false };
  }
  await tellAudit(tx, row, 'escalation.acknowledged', now, by);
  await ports.tellAcknowledged(tx, row, now);
  await releaseRun(ports, tx, row, 'acknowledged', by, now);
  return { escalation: row, first: true };
}
