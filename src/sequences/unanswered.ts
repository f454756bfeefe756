import { localDate } from '../base/time.ts';
import { answeredOf, reminderUnanswered, waitsUntil } from '../triggers/catalogue/reminder-unanswered.ts';
import { fire, type StartRuns } from '../triggers/detect.ts';
import { listTriggers, type OccurrenceRow, type TriggerRow } from '../triggers/store.ts';
import type { Moment, Work } from './moments.ts';

/** Starts what these occurrences are for. */
type Start = (trigger: TriggerRow, occurrences: readonly OccurrenceRow[]) => ReturnType<StartRuns>;

/** Reminders that count as unanswered: facts of their own that may trigger other sequences. */
export async function fireUnanswered(work: Work, moments: readonly Moment[], start: Start): Promise<void> {
  const real = moments.filter(({ run }) => !run.shadow);
  if (real.length === 0) return;
  const { tx, now } = work;
  const listening = (await listTriggers(tx, true)).filter((trigger) => trigger.name === 'reminder.unanswered');
  for (const trigger of listening) {
    const settings = { ...reminderUnanswered.defaults, ...trigger.settings } as { days: number; counts: [] };
    const waits = real.map(({ run, step }) => ({
      ...{ run, step, customer_id: run.customer_id, entered_at: run.entered_at ?? now },
      on: localDate(now, run.zone),
    }));
    // One that waits longer than the step is found by the clock when its days are over.
    const over = waits.filter(({ run, entered_at, on }) => waitsUntil(entered_at, run.zone, settings) <= on);
    const answered = await answeredOf(tx, over, settings);
    const candidates = over
      .filter((_, at) => !answered[at])
      .map(({ run, step, on }) => ({
        businessKey: `${run.id}:${step.id}`,
        subject: { kind: 'enrolment', id: run.id, label: `reminders of step ${step.id}` },
        customerId: run.customer_id,
        ...{ occurredOn: on, occurredAt: now, depth: run.depth },
        data: { step: step.id, sequence: run.sequence_id },
      }));
    await fire(tx, trigger, candidates, now, (_tx, by, occurrences) => start(by, occurrences));
  }
}
