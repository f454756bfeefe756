import { closeEscalations } from './escalations.ts';
import { ahead } from './graph.ts';
import type { Journey, Work } from './moments.ts';
import type { Definition } from './schema.ts';
import type { Step } from './steps.ts';

type GoalStep = Extract<Step, { goal: unknown }>;

/** The goals an enrolment at a step has still before it, in the order of the list: the furthest first. */
export function goalsAhead(definition: Definition, step: Step): GoalStep[] {
  const at = definition.steps.indexOf(step);
  const reachable = ahead(definition, step);
  return definition.steps
    .filter((candidate, place): candidate is GoalStep => {
      if (!('goal' in candidate) || candidate === step) return false;
      // A goal to which no way leads stands for itself behind the steps before it.
      return reachable.has(candidate) || (place > at && !leadsAnywhere(definition, candidate));
    })
    .reverse();
}

/** Whether some way leads to a step. */
const leadsAnywhere = (definition: Definition, step: Step): boolean =>
  definition.steps.some((other) => other !== step && ahead(definition, other).has(step));

/**
 * Brings an enrolment to a goal it reached: what it had queued is cancelled, the steps between are left out.
 * @returns the outcome of the step it stands at, and where it goes on
 */
export async function passOver(
  work: Work,
  { run, definition }: Journey,
  goal: GoalStep,
): Promise<{ outcome: string; detail: string; to: string | undefined }> {
  const { ports, tx, now } = work;
  const detail = `reached ${goal.id}`;
  const cancelled = await ports.cancel(tx, [run.id], 'goal_reached', now);
  await closeEscalations(tx, [run.id], detail, now);
  const from = definition.steps.findIndex(({ id }) => id === run.step_id);
  const to = definition.steps.indexOf(goal);
  const between = definition.steps.slice(from + 1, Math.max(from + 1, to));
  const reachable = ahead(definition, definition.steps[from]!);
  for (const step of between) if (reachable.has(step)) work.pass(run, step.id, 'goal', detail);
  work.pass(run, goal.id, 'reached', null);
  work.tell({
    actor: 'system',
    action: 'enrolment.reached_goal',
    subject: { kind: 'enrolment', id: run.id },
    customerId: run.customer_id,
    data: { goal: goal.id, from: run.step_id, cancelled },
    at: now,
  });
  // The goal itself asks nothing more: it goes on behind it.
  const next = goal.next ?? definition.steps[to + 1]?.id ?? 'end';
  return { outcome: 'goal', detail, to: next };
}
