import { attempt } from '../base/attempt.ts';
import type { Tx } from '../base/database.ts';
import { noLongerSo } from '../triggers/standing.ts';
import type { OccurrenceRow, TriggerRow } from '../triggers/store.ts';
import { putAside } from './aside.ts';
import { causesOf, endsBy } from './causes.ts';
import { type Entrance, entranceOf } from './entrance.ts';
import { stepAfter, stepOf } from './graph.ts';
import { type Journey, type Moment, type Stand, Work } from './moments.ts';
import type { SequencePorts } from './ports.ts';
import { lockRuns } from './runs.ts';
import { standAll } from './stand.ts';
import { beginAgain, type Entry, enterAll, keyOf } from './starting.ts';
import { findSequence, loadDefinition, sequencesOf } from './store.ts';
import { fireUnanswered } from './unanswered.ts';

/** A definition cannot have more steps than this without a wait in between, so a run always comes to rest. */
const MAX_STEPS_AT_ONCE = 101;

/**
 * Starts the sequence a trigger is for, once per business key. A customer who is in it already is joined: what happened
 * shows in the next message.
 */
export async function startRuns(
  ports: SequencePorts,
  tx: Tx,
  trigger: TriggerRow,
  occurrences: readonly OccurrenceRow[],
  now: Date,
): Promise<{ id: string; outcome: string; runId: string | null }[]> {
  const sequence = trigger.sequence_id ? await findSequence(tx, trigger.sequence_id) : undefined;
  const all = (outcome: string): { id: string; outcome: string; runId: null }[] =>
    occurrences.map(({ id }) => ({ id, outcome, runId: null }));
  if (!sequence) return all('recorded: no sequence is bound to this trigger');
  if (sequence.state !== 'active' || sequence.active_version === null)
    return all(`refused: the sequence is ${sequence.state}`);
  const definition = await loadDefinition(tx, sequence.id, sequence.active_version);
  const untrue = await noLongerSo(tx, occurrences);
  const fit = occurrences.filter(({ id }) => !endsBy(untrue.get(id), definition.exits));
  const work = new Work(ports, tx, now);
  const entered = await enterAll(
    work,
    sequence,
    definition,
    fit.map((occurrence) => ({
      customerId: occurrence.customer_id!,
      key: keyOf(definition, occurrence),
      cause: { trigger: occurrence.trigger_name, occurrence: occurrence.id, subject: occurrence.subject_label },
      depth: occurrence.depth,
      because: occurrence.subject_label,
      ...entryOf(entranceOf(occurrence.data)),
    })),
  );
  await moveAll(
    work,
    entered.flatMap(({ begun }) => begun ?? []),
  );
  const outcomes = new Map(fit.map(({ id }, at) => [id, entered[at]!]));
  return occurrences.map(({ id }) => {
    const { outcome, runId } = outcomes.get(id) ?? { outcome: 'refused: it is no longer so', runId: null };
    return { id, outcome, runId };
  });
}

/** Where a campaign lets somebody in. */
const entryOf = (entrance: Entrance | undefined): Partial<Entry> =>
  entrance
    ? {
        campaignId: entrance.campaign,
        ...(entrance.startOn ? { startOn: entrance.startOn } : {}),
        ...(entrance.step ? { stepId: entrance.step } : {}),
      }
    : {};

/** Moves runs on from where they stand, as far as they go without waiting. The caller holds their rows. */
export async function proceed(ports: SequencePorts, tx: Tx, journeys: readonly Journey[], now: Date): Promise<void> {
  await moveAll(new Work(ports, tx, now), journeys);
}

/** A run that is under way, and what begins when it has ended. */
export interface Way extends Moment {
  then?: Extract<Stand, { outcome: string }>['then'];
}

/** The same, with what was gathered before. */
export async function moveAll(work: Work, journeys: readonly Journey[]): Promise<void> {
  const { tx, now } = work;
  if (journeys.length === 0) return work.flush();
  const asleep = await asleepOf(work, journeys);
  const ended: Way[] = [];
  let going: Way[] = journeys.map(({ run, definition }) => ({
    ...{ run, definition, step: stepOf(definition, run.step_id) },
    due: run.wake_at && run.wake_at < now ? run.wake_at : now,
  }));
  for (let count = 0; going.length > 0; count++) {
    if (count === MAX_STEPS_AT_ONCE)
      throw new Error(`Enrolment ${going[0]!.run.id} did not come to rest within ${MAX_STEPS_AT_ONCE} steps.`);
    const awake = going.filter(({ run }) => !rests(work, run, asleep));
    const stands = await standAll(work, awake);
    await fireUnanswered(
      work,
      awake.filter(({ run }, at) => isUnanswered(stands[at]!) && !run.shadow),
      (trigger, occurrences) => startRuns(work.ports, tx, trigger, occurrences, now),
    );
    going = awake.filter((way, at) => advance(work, way, stands[at]!, ended));
  }
  await work.flush();
  await followUp(work, ended);
}

const isUnanswered = (stand: Stand): boolean => 'outcome' in stand && stand.outcome === 'unanswered';

/** Sequences of these runs that are paused: nothing of them is consumed. */
async function asleepOf({ tx }: Work, journeys: readonly Journey[]): Promise<ReadonlySet<string>> {
  const rows = await sequencesOf(tx, [...new Set(journeys.map(({ run }) => run.sequence_id))]);
  for (const { run } of journeys) {
    const resumed = rows.get(run.sequence_id)?.resumed_at;
    if (resumed && (run.resumed_at === null || run.resumed_at < resumed)) run.resumed_at = resumed;
  }
  return new Set([...rows.values()].filter(({ state }) => state === 'paused').map(({ id }) => id));
}

/** One that is paused keeps its place before the next step, and goes on from there when it is resumed. */
function rests(work: Work, run: Journey['run'], asleep: ReadonlySet<string>): boolean {
  const held = run.state === 'paused' || asleep.has(run.sequence_id);
  if (!held || run.waiting_for !== null) return false;
  run.wake_at = work.now;
  if (run.state === 'active') run.state = 'waiting';
  work.save(run);
  return true;
}

/** Takes down what a step made of the moment. @returns whether the run goes on at once */
export function advance(work: Work, way: Way, stand: Stand, ended: Way[]): boolean {
  const { run, definition, step } = way;
  work.save(run);
  if ('waits' in stand) {
    Object.assign(run, {
      state: run.state === 'paused' ? 'paused' : 'waiting',
      waiting_for: stand.waits,
      wake_at: stand.until,
      problem: null,
      tries: 0,
    });
    return false;
  }
  work.leave(run, stand.outcome, stand.detail ?? null);
  Object.assign(run, { waiting_for: null, wake_at: null, until_at: null, problem: null, tries: 0 });
  const next = stand.ends === undefined ? stepAfter(definition, step, stand.to) : undefined;
  if (next) {
    Object.assign(run, { step_id: next.id, visit: 1, state: run.state === 'paused' ? 'paused' : 'active' });
    way.step = next;
    return true;
  }
  const reason = stand.ends ?? (stand.outcome === 'acknowledged' ? 'handed over' : 'reached the end');
  Object.assign(run, { state: 'done', end_reason: reason, ended_at: work.now });
  work.tell({
    actor: 'system',
    action: 'enrolment.ended',
    subject: { kind: 'enrolment', id: run.id },
    customerId: run.customer_id,
    data: { reason },
    at: work.now,
  });
  if (stand.then) ended.push({ ...way, then: stand.then });
  return false;
}

/** What begins where an enrolment ended: the next round, or another sequence under its own rule for coming again. */
async function followUp(work: Work, ended: readonly Way[]): Promise<void> {
  if (ended.length === 0) return;
  const { tx, now } = work;
  const begun: Journey[] = [];
  const causes = await causesOf(
    tx,
    ended.map(({ run }) => run),
  );
  for (const { run, definition, then } of ended) {
    const handOver = then && 'handOver' in then ? then.handOver : undefined;
    const sequence = await findSequence(tx, handOver ?? run.sequence_id);
    let outcome = `refused: ${sequence ? `the sequence is ${sequence.state}` : 'there is no such sequence'}`;
    if (sequence?.state === 'active' && sequence.active_version !== null) {
      const its = await loadDefinition(tx, sequence.id, sequence.active_version);
      if (handOver === undefined) {
        const again = await beginAgain(
          work,
          { run: { ...run, version: sequence.active_version }, definition: its },
          sequence.key,
        );
        if (again) begun.push(again);
        continue;
      }
      // What comes of the shadow stays in it.
      const [entered] = await enterAll(work, run.shadow ? { ...sequence, mode: 'shadow' } : sequence, its, [
        {
          customerId: run.customer_id,
          key: keyOf(its, causes.get(run.id)),
          cause: { ...run.cause, handedOverBy: definition.key },
          depth: run.depth,
          because: `handed over by ${definition.key}`,
          ...(run.campaign_id ? { campaignId: run.campaign_id } : {}),
        },
      ]);
      outcome = entered!.outcome;
      if (entered!.begun) begun.push(entered!.begun);
    }
    work.tell({
      actor: 'system',
      action: handOver === undefined ? 'enrolment.not_restarted' : 'enrolment.handed_over',
      subject: { kind: 'enrolment', id: run.id },
      customerId: run.customer_id,
      data: { to: handOver ?? definition.key, outcome },
      at: now,
    });
  }
  await moveAll(work, begun);
}

/** What came of the step a run stands at, from outside: a receipt, an acknowledgement, an event. */
export interface Told {
  outcome: string;
  detail?: string | null;
  to?: string | undefined;
}

/**
 * Leaves the present steps with outcomes and goes on as far as possible. The caller holds the rows of the runs. What
 * fails after that does not undo what happened: the run stands before the next step, says why, and tries it again.
 */
export async function goOn(ports: SequencePorts, tx: Tx, told: readonly (Journey & Told)[], now: Date): Promise<void> {
  const failure = await attempt(tx, () => leaveAll(new Work(ports, tx, now), told));
  if (failure === undefined) return;
  if (told.length > 1) for (const one of told) await goOn(ports, tx, [one], now);
  else await leaveAll(new Work(ports, tx, now), told, failure);
}

async function leaveAll(work: Work, told: readonly (Journey & Told)[], failure?: string): Promise<void> {
  const ended: Way[] = [];
  const going: Way[] = [];
  for (const { run, definition, outcome, detail, to } of told) {
    // What a failed try did to a row in memory must not outlive it.
    const way: Way = { run: { ...run }, definition, step: stepOf(definition, run.step_id), due: work.now };
    if (!advance(work, way, { outcome, to, ...(detail ? { detail } : {}) }, ended)) continue;
    if (failure === undefined) going.push(way);
    else putAside(way.run, failure, work.now);
  }
  if (failure === undefined) await moveAll(work, going);
  else await work.flush();
  await followUp(work, ended);
}

/** What became of the action a step waits for. */
export interface EndedAction {
  runId: string;
  stepId: string;
  visit: number;
  outcome: string;
  detail: string | null;
}

/**
 * Actions of steps came to their end: the runs go on, all at once. What comes late, after the run moved on or ended,
 * changes nothing; a run that is paused keeps its place behind the step.
 */
export async function actionsEnded(
  ports: SequencePorts,
  tx: Tx,
  actions: readonly EndedAction[],
  now: Date,
): Promise<void> {
  if (actions.length === 0) return;
  const runs = new Map(
    (await lockRuns(tx, [...new Set(actions.map(({ runId }) => runId))])).map((run) => [run.id, run]),
  );
  const told = new Map<string, Journey & Told>();
  for (const { runId, stepId, visit, outcome, detail } of actions) {
    const run = runs.get(runId);
    const stands = run && (run.state === 'waiting' || run.state === 'paused') && run.waiting_for === 'action';
    if (!stands || run.step_id !== stepId || run.visit !== visit || told.has(runId)) continue;
    const definition = await loadDefinition(tx, run.sequence_id, run.version);
    told.set(runId, { run, definition, outcome, detail });
  }
  await goOn(ports, tx, [...told.values()], now);
}
