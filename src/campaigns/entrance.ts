import { addDays, daysBetween, type LocalDate } from '../base/time.ts';
import type { Definition } from '../sequences/schema.ts';
import type { Step } from '../sequences/steps.ts';
import type { Entry } from './schema.ts';

/** Where somebody begins, or why they cannot. */
export type Entering = { ok: true; step: string; startOn: LocalDate } | { ok: false; reason: 'no_date' | 'over' };

/**
 * Where a customer enters. As if they had entered on a date, the days are counted from that date, and whatever lies
 * before the first step whose day has not passed is left out: it is never made up for. What is chosen as the first step
 * is where it begins at the earliest.
 * @param date of the customer; ignored when they enter from now
 */
export function entranceFor(
  definition: Pick<Definition, 'steps'>,
  entry: Entry,
  date: LocalDate | null,
  today: LocalDate,
): Entering {
  const { steps } = definition;
  const chosen = Math.max(
    0,
    steps.findIndex((step) => step.id === entry.step),
  );
  if (entry.mode === 'from_now') return { ok: true, step: steps[chosen]!.id, startOn: today };
  if (date === null) return { ok: false, reason: 'no_date' };
  const elapsed = daysBetween(date, today);
  // Who enters on the day itself, or before it, begins where everybody does.
  if (elapsed <= 0) return { ok: true, step: steps[chosen]!.id, startOn: date };
  const at = steps.findIndex((step, place) => place >= chosen && step.day !== undefined && step.day >= elapsed);
  return at < 0 ? { ok: false, reason: 'over' } : { ok: true, step: steps[at]!.id, startOn: date };
}

/** What is wrong with how people enter, in words; undefined: nothing. */
export function entryMistake(definition: Pick<Definition, 'steps'>, entry: Entry): string | undefined {
  const { steps } = definition;
  if (entry.step !== undefined && !steps.some((step) => step.id === entry.step))
    return `the sequence has no step "${entry.step}"; there are ${steps.map((step) => step.id).join(', ')}`;
  if (entry.mode === 'as_if' && !steps.some((step) => (step.day ?? 0) > 0))
    return 'only a sequence whose steps have days can be entered as of an earlier date; in this one each step counts from the one before';
  return undefined;
}

const isMessage = (step: Step): boolean => 'message' in step || 'survey' in step;

/**
 * The dates of a customer's messages, as far as they are known beforehand: the first step, and those that have a day.
 * @param entersOn the local date on which they enter
 */
export function messageDates(
  definition: Pick<Definition, 'steps'>,
  entering: { step: string; startOn: LocalDate },
  entersOn: LocalDate,
): { step: string; on: LocalDate }[] {
  const from = definition.steps.findIndex((step) => step.id === entering.step);
  return definition.steps.slice(from).flatMap((step, at) => {
    if (!isMessage(step) || (step.day === undefined && at > 0)) return [];
    const on = step.day === undefined ? entersOn : addDays(entering.startOn, step.day);
    return [{ step: step.id, on: on < entersOn ? entersOn : on }];
  });
}
