import { instantOf } from '../base/time.ts';
import type { Moment } from '../sequences/moments.ts';
import { keyOf } from '../sequences/starting.ts';
import { reminderUnanswered, waitsUntil } from '../triggers/catalogue/reminder-unanswered.ts';
import { listTriggers } from '../triggers/store.ts';
import type { World } from './world.ts';

/** Reminders that stay unanswered start what listens for that. */
export async function unansweredArrivals(world: World, moments: readonly Moment[], now: Date): Promise<void> {
  if (moments.length === 0) return;
  const listening = (await listTriggers(world.tx, true)).filter(({ name }) => name === 'reminder.unanswered');
  for (const trigger of listening) {
    const plan = world.plans.get(trigger.sequence_id ?? '');
    if (plan?.sequence.state !== 'active') continue;
    const settings = { ...reminderUnanswered.defaults, ...trigger.settings } as { days: number; counts: [] };
    for (const { run, step } of moments) {
      const on = waitsUntil(run.entered_at ?? now, run.zone, settings);
      const at = instantOf(on, '00:00', run.zone);
      const subject = {
        ...{ trigger_name: trigger.name, subject_kind: 'enrolment', subject_id: run.id },
        business_key: `${run.id}:${step.id}`,
      };
      const arrival = {
        plan,
        customerId: run.customer_id,
        businessKey: keyOf(plan.definition, subject),
        cause: { trigger: trigger.name },
        depth: run.depth,
      };
      world.agenda.add(at > now ? at : now, { kind: 'arrival', arrival });
    }
  }
}
