import type { Tx } from '../base/database.ts';
import type { Change, ChangeListener } from '../model/types.ts';
import { goOn, type Told } from './engine.ts';
import { goalsAhead, passOver } from './goals.ts';
import { stepOf } from './graph.ts';
import { customerOf, isHappening } from './happenings.ts';
import { type Journey, Work } from './moments.ts';
import type { SequencePorts } from './ports.ts';
import { lockRuns, runningRuns } from './runs.ts';
import type { Happening, Step } from './steps.ts';
import { loadDefinition } from './store.ts';
import { awaited, whichHappened } from './waits.ts';

/** What customers were seen to do, and of whom something changed that a condition may ask for. */
interface Seen {
  /** Changes by customer. */
  changes: ReadonlyMap<string, readonly Change[]>;
  /** Enrolments of which a step's task was done natively. */
  tasks?: readonly { runId: string; stepId: string }[];
}

/**
 * Enrolments that wait for what just happened, or have it for a goal, go on in the transaction that stores the fact. The
 * fact and the timeout meet at the run's row: whoever has it first decides, and the other finds the run elsewhere.
 */
export function waitListener(ports: SequencePorts): ChangeListener {
  return async (tx, changes, now) => {
    const seen = new Map<string, Change[]>();
    for (const change of changes) {
      const customer = change.origin === 'live' ? customerOf(change) : null;
      if (customer) seen.set(customer, [...(seen.get(customer) ?? []), change]);
    }
    if (seen.size > 0) await tellWaiting(ports, tx, { changes: seen }, now);
  };
}

/** A task that steps of enrolments made was done at the platform. */
export async function taskDone(
  ports: SequencePorts,
  tx: Tx,
  task: { customerId: string; runId: string; stepId: string },
  now: Date,
): Promise<void> {
  await tellWaiting(ports, tx, { changes: new Map([[task.customerId, []]]), tasks: [task] }, now);
}

async function tellWaiting(ports: SequencePorts, tx: Tx, seen: Seen, now: Date): Promise<void> {
  const running = await runningRuns(tx, [...seen.changes.keys()]);
  const concerned: string[] = [];
  for (const run of running) {
    const definition = await loadDefinition(tx, run.sequence_id, run.version);
    if (run.waiting_for === 'event' || definition.steps.some((step) => 'goal' in step)) concerned.push(run.id);
  }
  const journeys: Journey[] = [];
  for (const run of await lockRuns(tx, concerned)) {
    // What ended while its row was waited for is left alone.
    if (run.ended_at === null)
      journeys.push({ run, definition: await loadDefinition(tx, run.sequence_id, run.version) });
  }
  if (journeys.length === 0) return;
  const work = new Work(ports, tx, now);
  const told: (Journey & Told)[] = [];
  for (const journey of journeys) {
    const news = await newsOf(work, journey, seen);
    if (news) told.push({ ...journey, ...news });
  }
  await work.flush();
  if (told.length > 0) await goOn(ports, tx, told, now);
}

/** What an enrolment makes of what was seen: it reached a goal, or what it waits for happened. */
async function newsOf(work: Work, journey: Journey, seen: Seen): Promise<Told | undefined> {
  const { run, definition } = journey;
  const step = stepOf(definition, run.step_id);
  for (const goal of goalsAhead(definition, step))
    if (await happens(work, journey, goal.goal.event, seen)) return passOver(work, journey, goal);
  const event = run.waiting_for === 'event' ? awaited(step as Step) : undefined;
  return event && (await happens(work, journey, event, seen)) ? { outcome: 'happened' } : undefined;
}

async function happens(work: Work, { run }: Journey, event: Happening, seen: Seen): Promise<boolean> {
  if (event.what === 'task_done')
    return seen.tasks?.some((task) => task.runId === run.id && task.stepId === event.step) ?? false;
  const changes = seen.changes.get(run.customer_id) ?? [];
  if (event.what !== 'condition') return changes.some((change) => isHappening(event, change));
  return changes.length > 0 && (await whichHappened(work, [{ run, event, since: work.now }]))[0]!;
}
