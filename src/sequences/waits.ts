import { addDays, instantOf, localDate } from '../base/time.ts';
import { dependenciesOf } from '../conditions/depends.ts';
import { changesOfCustomer } from '../triggers/store.ts';
import { readCondition, thoseWho } from './conditions.ts';
import { isHappening } from './happenings.ts';
import type { Moment, Stand, Work } from './moments.ts';
import type { Happening, Step } from './steps.ts';
import { after } from './timing.ts';

type WaitForStep = Extract<Step, { wait_for: unknown }>;

/** The event a step waits for, or undefined for another kind of step. */
export const awaited = (step: Step): Happening | undefined => ('wait_for' in step ? step.wait_for.event : undefined);

/**
 * What steps that wait for an event make of the moment: what happened already counts, from the entry less the look-back
 * on; then the event and the timeout race, and whoever writes first under the run's lock wins.
 */
export async function awaitEvents(work: Work, moments: readonly Moment[]): Promise<Stand[]> {
  const { now } = work;
  const asked = moments.map(({ run, step }) => {
    const { event, look_back_hours = 0 } = (step as WaitForStep).wait_for;
    return { run, event, since: new Date((run.entered_at ?? now).getTime() - look_back_hours * 3_600_000) };
  });
  const happened = await whichHappened(work, asked);
  return moments.map(({ run, step }, at): Stand => {
    const { timeout, on_timeout, event } = (step as WaitForStep).wait_for;
    if (happened[at]) return { outcome: 'happened' };
    run.until_at ??= after(run.entered_at ?? now, timeout, run.zone);
    if (run.until_at <= now) return { outcome: 'timeout', to: on_timeout };
    return { waits: 'event', until: nextLook(event, run.zone, run.until_at, now) };
  });
}

/** A condition that time alone can make true is asked again each day. */
function nextLook(event: Happening, zone: string, until: Date, now: Date): Date {
  if (event.what !== 'condition') return until;
  const { condition } = readCondition(event.condition);
  if (!condition || !dependenciesOf(condition).timeRelative) return until;
  const midnight = instantOf(addDays(localDate(now, zone), 1), '00:00', zone);
  return midnight < until ? midnight : until;
}

/** An event of an enrolment, and since when it counts. */
export interface Awaited {
  run: Moment['run'];
  event: Happening;
  since: Date;
}

/** Which of these events happened already, by stored facts. */
export async function whichHappened(work: Work, asked: readonly Awaited[]): Promise<boolean[]> {
  const { ports, tx, now } = work;
  const found = asked.map(() => false);
  const tasks = asked.flatMap(({ run, event }, at) =>
    event.what === 'task_done' ? [{ at, runId: run.id, stepId: event.step! }] : [],
  );
  if (tasks.length > 0) {
    const done = await ports.tasksDone(tx, tasks);
    for (const [index, { at }] of tasks.entries()) found[at] = done[index]!;
  }
  for (const [at, { run, event, since }] of asked.entries()) {
    if (event.what === 'task_done') continue;
    found[at] =
      event.what === 'condition'
        ? (await thoseWho(tx, event.condition, [run.customer_id], now)).has(run.customer_id)
        : (await changesOfCustomer(tx, run.customer_id, since)).some((change) => isHappening(event, change));
  }
  return found;
}
