import type { Tx } from '../base/database.ts';
import { addDays, type LocalDate } from '../base/time.ts';
import type { Candidate } from '../triggers/schema.ts';
import { findOccurrences } from '../triggers/store.ts';
import { successors } from './graph.ts';
import type { Definition } from './schema.ts';
import type { Step } from './steps.ts';
import { findSequence, loadDefinition } from './store.ts';

/** Days a step takes at most, as far as the definition tells. */
function daysOf(step: Step): number {
  if ('wait' in step && 'days' in step.wait) return step.wait.days ?? 0;
  if ('wait_for' in step) return step.wait_for.timeout.days ?? 0;
  return 'await_answer' in step ? step.await_answer.days : 0;
}

/** Days a definition takes on its longest way, when nothing ends it before; circles are gone once, rounds not again. */
export function lengthOf(definition: Definition): number {
  const known = new Map<Step, number>();
  /** Days from the moment a step is come to on a day until the end. */
  const until = (step: Step, day: number, way: ReadonlySet<Step>): number => {
    const end = Math.max(day, step.day ?? 0) + daysOf(step);
    // Who came here as late before has nothing longer ahead now.
    if ((known.get(step) ?? -1) >= end) return end;
    known.set(step, end);
    const next = successors(definition, step).filter((to) => !way.has(to));
    return Math.max(end, ...next.map((to) => until(to, end, new Set([...way, to]))));
  };
  const first = definition.steps[0]!;
  until(first, 0, new Set([first]));
  return Math.max(...known.values());
}

interface Stay {
  key: string;
  from: LocalDate;
  to: LocalDate;
}

/**
 * What would have come of occurrences that were found afterwards, in order: started, joined or refused. What was really
 * recorded for one is told as it was. Each enrolment is taken to run to its end: what would have ended it is not known.
 * @param trigger absent where the business has none of the kind
 * @returns an outcome for each
 */
export async function outcomesOf(
  tx: Tx,
  trigger: { id: string; sequence_id: string | null } | undefined,
  candidates: readonly Candidate[],
): Promise<string[]> {
  const recorded = trigger
    ? await findOccurrences(
        tx,
        trigger.id,
        candidates.map(({ businessKey }) => businessKey),
      )
    : new Map<string, string>();
  const sequence = trigger?.sequence_id ? await findSequence(tx, trigger.sequence_id) : undefined;
  const definition = sequence
    ? await loadDefinition(tx, sequence.id, sequence.active_version ?? sequence.latest_version)
    : undefined;
  const stays: Stay[] = [];
  return candidates.map((candidate) => {
    const real = recorded.get(candidate.businessKey);
    if (candidate.skip !== undefined) return real ?? candidate.skip;
    const outcome = definition ? enter(definition, stays, candidate) : 'would be recorded: no sequence is bound to it';
    return real ?? outcome;
  });
}

function enter(definition: Definition, stays: Stay[], candidate: Candidate): string {
  const { again, per } = definition;
  const { subject, businessKey } = candidate;
  const key =
    per === 'customer' ? 'customer' : per === 'subject' ? `${subject.kind}:${subject.id}` : `occurrence:${businessKey}`;
  const on = candidate.occurredOn;
  const same = stays.filter((stay) => stay.key === key);
  if (again.policy !== 'restart' && same.some((stay) => on <= stay.to))
    return 'would join: the customer would be in it already';
  if (again.policy === 'once' && stays.length > 0) return 'would be refused: once only';
  const last = same.at(-1);
  if (again.policy === 'once_per_key' && last) return 'would be refused: once only for the same thing';
  const free = last && addDays(last.to, again.days ?? 0);
  if (again.policy === 'after_days' && free && on < free)
    return `would be refused: again from ${free} on (${again.days ?? 0} days after the last time)`;
  stays.push({ key, from: on, to: addDays(on, lengthOf(definition)) });
  return 'would start';
}
