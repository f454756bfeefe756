import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { bindTriggers } from './binding.ts';
import { closeEscalations } from './escalations.ts';
import type { SequencePorts } from './ports.ts';
import { type SequenceRow, setSequenceState } from './store.ts';
import { leaveSteps } from './way.ts';

/** Why an enrolment ends when its sequence is deleted. */
const REASON = 'the sequence was deleted';

/**
 * Deletes a sequence: nothing starts it any more and it is archived, because what it did must stay explainable. Those
 * who are in it are stopped, with what they had queued, or finish.
 * @returns how many were stopped, or undefined when somebody else changed the sequence meanwhile
 */
export async function removeSequence(
  ports: Pick<SequencePorts, 'cancel'>,
  tx: Tx,
  sequence: SequenceRow,
  change: { runs: 'stop' | 'finish'; by: string; expected: number },
  now: Date,
): Promise<number | undefined> {
  const { runs, by, expected } = change;
  if (!(await setSequenceState(tx, sequence.id, { state: 'archived', activeVersion: null, expected, now })))
    return undefined;
  await bindTriggers(tx, sequence, [], by, now);
  const stopped = runs === 'stop' ? await stopAll(ports, tx, sequence.id, now) : 0;
  await appendEvents(tx, [
    {
      actor: by,
      action: 'sequence.deleted',
      subject: { kind: 'sequence', id: sequence.id },
      data: { key: sequence.key, runs, stopped },
      at: now,
    },
  ]);
  return stopped;
}

async function stopAll(ports: Pick<SequencePorts, 'cancel'>, tx: Tx, sequenceId: string, now: Date): Promise<number> {
  const { rows } = await tx.query<{ id: string; step_id: string; visit: number; customer_id: string }>(
    `update run set state = 'stopped', end_reason = $3, ended_at = $4, wake_at = null, until_at = null, waiting_for = null, updated_at = $4, row_version = row_version + 1
     where tenant_id = $1 and sequence_id = $2 and state in ('active', 'waiting', 'paused') returning id, step_id, visit, customer_id`,
    [tx.tenantId, sequenceId, REASON, now],
  );
  if (rows.length === 0) return 0;
  const ids = rows.map(({ id }) => id);
  await leaveSteps(tx, rows, 'stopped', REASON, now);
  await ports.cancel(tx, ids, 'run_stopped', now);
  await closeEscalations(tx, ids, REASON, now);
  await appendEvents(
    tx,
    rows.map((row) => ({
      actor: 'system',
      action: 'enrolment.stopped',
      subject: { kind: 'enrolment', id: row.id },
      customerId: row.customer_id,
      data: { reason: REASON },
      at: now,
    })),
  );
  return ids.length;
}
