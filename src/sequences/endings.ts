import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { closeEscalations } from './escalations.ts';
import type { SequencePorts } from './ports.ts';
import { exitRuns, type RunRow } from './runs.ts';
import type { ExitRule } from './schema.ts';
import { leaveSteps } from './way.ts';

/** What ends an enrolment, in words. */
export const EXIT_WORDS: Record<ExitRule, string> = {
  invoices_settled: 'nothing is overdue any more',
  answered: 'the customer answered',
  booked: 'the customer has a booking',
  unhappy: 'the customer is unhappy',
  opted_out: 'the customer wants no such messages',
  customer_gone: 'the customer was deleted',
  subject_gone: 'what it is about is no longer so',
};

/** What else ends an enrolment before its time: a new firing, where the sequence says so. */
const ENDINGS = { ...EXIT_WORDS, restarted: 'started anew' };

/** Ends runs by a rule: queued work is cancelled; an escalation is closed when its reason is gone, and stays when the customer only answered. */
export async function endRuns(
  ports: Pick<SequencePorts, 'cancel'>,
  tx: Tx,
  runs: readonly RunRow[],
  rule: keyof typeof ENDINGS,
  now: Date,
): Promise<void> {
  const ended = await exitRuns(
    tx,
    runs.map((run) => run.id),
    ENDINGS[rule],
    now,
  );
  if (ended.length === 0) return;
  const ids = ended.map((run) => run.id);
  const cancelled = await ports.cancel(tx, ids, 'run_ended', now);
  if (rule !== 'answered') await closeEscalations(tx, ids, ENDINGS[rule], now);
  await leaveSteps(tx, ended, 'exited', ENDINGS[rule], now);
  await appendEvents(
    tx,
    ended.map((run) => ({
      actor: 'system',
      action: 'enrolment.exited',
      subject: { kind: 'enrolment', id: run.id },
      customerId: run.customer_id,
      data: { rule, reason: ENDINGS[rule], step: run.step_id, cancelled },
      at: now,
    })),
  );
}
