import type { Tx } from '../base/database.ts';
import { addDays, type LocalDate } from '../base/time.ts';
import type { Candidate } from '../triggers/schema.ts';
import { findOccurrences } from '../triggers/store.ts';
import type { Definition } from './schema.ts';
import { findSequence, loadDefinition } from './store.ts';

/** Days a definition takes when nothing ends it before. */
export function lengthOf(definition: Definition): number {
  let day = 0;
  for (const step of definition.steps) {
    if (step.day !== undefined) day = Math.max(day, step.day);
    if ('wait' in step && 'days' in step.wait) day += step.wait.days ?? 0;
    if ('await_answer' in step) day += step.await_answer.days;
  }
  return day;
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
  const key = per === 'customer' ? 'customer' : `${candidate.subject.kind}:${candidate.subject.id}`;
  const on = candidate.occurredOn;
  const same = stays.filter((stay) => stay.key === key);
  if (same.some((stay) => on <= stay.to)) return 'would join: the customer would be in it already';
  if (again.policy === 'once' && stays.length > 0) return 'would be refused: once only';
  const last = same.at(-1);
  if (again.policy === 'once_per_key' && last) return 'would be refused: once only for the same thing';
  const free = last && addDays(last.to, again.days ?? 0);
  if (again.policy === 'after_days' && free && on < free)
    return `would be refused: again from ${free} on (${again.days ?? 0} days after the last time)`;
  stays.push({ key, from: on, to: addDays(on, lengthOf(definition)) });
  return 'would start';
}
