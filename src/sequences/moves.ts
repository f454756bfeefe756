import { END, stepOf, structureOf } from './graph.ts';
import type { RunRow } from './runs.ts';
import type { Definition } from './schema.ts';
import { stepKind } from './steps.ts';
import { after, dueOf } from './timing.ts';

/** What becomes of an enrolment when another version is published. */
export interface Move {
  /**
   * `adopts`: the same place in the other version; `moves`: another step; `ends`: its step is gone, and it was said that
   * those there end; `stays`: it finishes in the version it is in, for a reason.
   */
  what: 'adopts' | 'moves' | 'ends' | 'stays';
  step: string;
  wakeAt: Date | null;
  waitingFor: string | null;
  reason?: string;
}

/** How running enrolments are brought over. */
export interface Bringing {
  /** Where those at a step go on, by the step's id; `end` ends them. Steps that keep their id need not be named. */
  steps: Readonly<Record<string, string>>;
  /** Whether the next date stays what it is, or is counted anew by the new version (never before now). */
  dates: 'keep' | 'anew';
}

/** In the hands of a platform or of people: whatever comes back must find the step it is for. */
const IN_HAND = ['action', 'escalation'];

/** What becomes of one enrolment; nothing it did is done again, and nothing is done earlier than it would have been. */
export function moveOf(
  run: Pick<RunRow, 'step_id' | 'wake_at' | 'waiting_for' | 'entered_at' | 'start_on' | 'zone'>,
  from: Definition,
  to: Definition,
  { steps, dates }: Bringing,
  now: Date,
): Move {
  const here = { step: run.step_id, wakeAt: run.wake_at, waitingFor: run.waiting_for };
  const stays = (reason: string): Move => ({ what: 'stays', ...here, reason });
  const target = steps[run.step_id] ?? (to.steps.some(({ id }) => id === run.step_id) ? run.step_id : undefined);
  if (target === undefined)
    return stays(`the new version has no step "${run.step_id}", and nothing says where to go on`);
  const inHand = IN_HAND.includes(run.waiting_for ?? '');
  if (target === END) return inHand ? stays(`it is in the middle of "${run.step_id}"`) : { what: 'ends', ...here };
  const [old, next] = [stepOf(from, run.step_id), stepOf(to, target)];
  const same = target === run.step_id && stepKind(old) === stepKind(next);
  if (inHand && !same) return stays(`it is in the middle of "${run.step_id}"`);
  const wakeAt = dates === 'anew' && !inHand ? anew(run, next, now) : run.wake_at;
  if (same) return { what: 'adopts', step: target, wakeAt, waitingFor: run.waiting_for };
  return { what: 'moves', step: target, wakeAt: wakeAt ?? now, waitingFor: 'day' };
}

/** When the step is due, or its wait over, by the version it stands in; what lies in the past is due now. */
function anew(
  run: Pick<RunRow, 'wake_at' | 'waiting_for' | 'entered_at' | 'start_on' | 'zone'>,
  step: Definition['steps'][number],
  now: Date,
): Date | null {
  const since = run.entered_at ?? now;
  const at =
    run.waiting_for === 'time' && 'wait' in step && !('until' in step.wait || 'until_date' in step.wait)
      ? after(since, step.wait, run.zone)
      : run.waiting_for === 'answer' && 'await_answer' in step
        ? after(since, step.await_answer, run.zone)
        : run.waiting_for === 'day'
          ? dueOf(step, run, now)
          : run.wake_at;
  return at && at < now ? now : at;
}

/** Whether two versions are the same track with other words. */
export const sameTrack = (a: Definition, b: Definition): boolean => structureOf(a) === structureOf(b);
