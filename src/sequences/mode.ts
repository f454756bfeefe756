import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { closeEscalations } from './escalations.ts';
import type { SequencePorts } from './ports.ts';
import { exitRuns } from './runs.ts';
import type { SequenceRow } from './store.ts';
import { leaveSteps } from './way.ts';

/** Why an enrolment in shadow ends when its sequence goes live. */
const WENT_LIVE = 'the sequence went live';

/**
 * Takes a sequence out of the shadow or into it. Enrolments in shadow end when it goes live: nobody is sent the middle of
 * something whose beginning they never saw. Real ones stay real when it goes into the shadow, to their end.
 * @returns how many enrolments ended, or undefined when the sequence changed meanwhile
 */
export async function switchMode(
  ports: Pick<SequencePorts, 'cancel'>,
  tx: Tx,
  sequence: SequenceRow,
  change: { mode: SequenceRow['mode']; by: string; expected: number },
  now: Date,
): Promise<number | undefined> {
  const { mode, by, expected } = change;
  const { rowCount } = await tx.query(
    'update sequence set mode = $3, updated_at = $4, version = version + 1 where tenant_id = $1 and id = $2 and version = $5',
    [tx.tenantId, sequence.id, mode, now, expected],
  );
  if (rowCount === 0) return undefined;
  const ended = mode === 'live' ? await endShadows(ports, tx, sequence.id, now) : 0;
  await appendEvents(tx, [
    {
      actor: by,
      action: 'sequence.mode_changed',
      subject: { kind: 'sequence', id: sequence.id },
      data: { from: sequence.mode, to: mode, ended },
      at: now,
    },
  ]);
  return ended;
}

async function endShadows(
  ports: Pick<SequencePorts, 'cancel'>,
  tx: Tx,
  sequenceId: string,
  now: Date,
): Promise<number> {
  const { rows } = await tx.query<{ id: string }>(
    "select id from run where tenant_id = $1 and sequence_id = $2 and shadow and state in ('active', 'waiting', 'paused') order by id for update",
    [tx.tenantId, sequenceId],
  );
  const ended = await exitRuns(
    tx,
    rows.map(({ id }) => id),
    WENT_LIVE,
    now,
  );
  const ids = ended.map(({ id }) => id);
  await ports.cancel(tx, ids, 'run_ended', now);
  await closeEscalations(tx, ids, WENT_LIVE, now);
  await leaveSteps(tx, ended, 'exited', WENT_LIVE, now);
  return ids.length;
}
