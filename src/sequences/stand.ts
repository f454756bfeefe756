import { stepsWithin } from './budget.ts';
import { openEscalation } from './escalations.ts';
import { comesAgain } from './graph.ts';
import type { Moment, Stand, Work } from './moments.ts';
import { armOf, shareOf } from './shares.ts';
import { type Step, type StepKind, stepKind } from './steps.ts';
import { after, dueOf } from './timing.ts';
import { beginWaits, waitsForDate } from './waiting.ts';
import { awaitEvents } from './waits.ts';
import { visitsOf } from './way.ts';
import { holds } from './whens.ts';

type Of<Kind extends StepKind> = Extract<Step, Record<Kind, unknown>>;

/** What steps of one kind make of the moment they are due. */
type Handler = (work: Work, moments: readonly Moment[]) => Promise<Stand[]>;

const each =
  <Kind extends StepKind>(stand: (moment: Moment & { step: Of<Kind> }, work: Work) => Stand): Handler =>
  async (work, moments) =>
    moments.map((moment) => stand(moment as Moment & { step: Of<Kind> }, work));

/** Something is planned; the enrolment waits for what becomes of it. */
const plan: Handler = async ({ ports, tx, now }, moments) =>
  (await ports.plan(tx, moments, now)).map((result) =>
    result.planned ? { waits: 'action', until: null } : { outcome: 'skipped', detail: result.reason },
  );

/** Staff are told; nobody waits for them. */
const notify: Handler = async ({ ports, tx, now }, moments) =>
  (await ports.plan(tx, moments, now)).map((result) =>
    result.planned ? { outcome: 'told' } : { outcome: 'skipped', detail: result.reason },
  );

const escalate: Handler = async ({ ports, tx, now }, moments) => {
  const stands: Stand[] = [];
  for (const { run, step } of moments) {
    const escalation = await openEscalation(tx, run, step as Of<'escalate'>, now);
    if (escalation) await ports.tellStaff(tx, escalation, now);
    stands.push(
      escalation
        ? { waits: 'escalation', until: null }
        : { outcome: 'skipped', detail: 'there is nobody to escalate to' },
    );
  }
  return stands;
};

const branch: Handler = async (work, moments) => {
  const stands: (Stand | undefined)[] = moments.map(() => undefined);
  const most = Math.max(...moments.map(({ step }) => (step as Of<'branch'>).branch.cases.length));
  for (let at = 0; at < most; at++) {
    const open = moments.flatMap((moment, index) => {
      const one = (moment.step as Of<'branch'>).branch.cases[at];
      return one && !stands[index] ? [{ moment, when: one.when, index, then: one.then }] : [];
    });
    const held = await holds(work, open);
    for (const [index, { then, index: place }] of open.entries())
      if (held[index]) stands[place] = { outcome: then, to: then, detail: `case ${at + 1}` };
  }
  return moments.map(({ step }, index) => stands[index] ?? { outcome: 'else', to: (step as Of<'branch'>).branch.else });
};

const HANDLERS: Record<StepKind, Handler> = {
  message: plan,
  survey: plan,
  do: plan,
  notify,
  escalate,
  branch,
  await_answer: each<'await_answer'>(({ run, step }, { now }) => ({
    waits: 'answer',
    until: after(now, step.await_answer, run.zone),
  })),
  wait: ({ tx, now }, moments) => beginWaits(tx, moments, now),
  wait_for: awaitEvents,
  split: each<'split'>(({ run, step, definition }) => {
    const { name, then } = armOf(step.split, shareOf(run.customer_id, definition.key, step.id));
    return { outcome: name, to: then };
  }),
  holdout: each<'holdout'>(({ run, step, definition }) => {
    if (shareOf(run.customer_id, definition.key, step.id) * 100 >= step.holdout.percent) return { outcome: 'in' };
    run.arm = 'held_out';
    return { outcome: 'held_out', ends: 'held out' };
  }),
  // Whoever reached the goal was brought here; who comes by the way there goes on.
  goal: each<'goal'>(() => ({ outcome: 'not_reached' })),
  restart: each<'restart'>(() => ({ outcome: 'restarted', ends: 'restarted', then: { restart: true } })),
  hand_over: each<'hand_over'>(
    ({
      step: {
        hand_over: { to },
      },
    }) => ({
      ...{ outcome: 'handed_over', detail: to, ends: `handed over to ${to}` },
      then: { handOver: to },
    }),
  ),
  end: each<'end'>(({ step }) => ({ outcome: 'ended', ends: step.end.reason || 'reached the end' })),
};

/**
 * What the steps make of the moment, in the order of the moments: runs that come to a step enter it, runs that wait are
 * looked at again, and steps that are due do what they are for.
 */
export async function standAll(work: Work, moments: readonly Moment[]): Promise<Stand[]> {
  const stands = await enterAll(work, moments);
  const due = moments.flatMap((moment, at) => (stands[at] ? [] : [{ moment, at }]));
  // Asked when the step is due, not again while it waits.
  const asked = due.flatMap((one) => {
    const { step, run } = one.moment;
    return step.only_if && run.waiting_for !== 'event' ? [{ ...one, when: step.only_if }] : [];
  });
  const held = await holds(work, asked);
  for (const [index, { at }] of asked.entries())
    if (!held[index]) stands[at] = { outcome: 'skipped', detail: 'what it asks for does not hold' };
  const kinds = new Map<StepKind, { moment: Moment; at: number }[]>();
  for (const one of due)
    if (!stands[one.at]) {
      const kind = stepKind(one.moment.step);
      kinds.set(kind, [...(kinds.get(kind) ?? []), one]);
    }
  for (const [kind, some] of kinds) {
    const made = await HANDLERS[kind](
      work,
      some.map(({ moment }) => moment),
    );
    for (const [index, { at }] of some.entries()) stands[at] = made[index];
  }
  return stands as Stand[];
}

/** What needs no look at the step itself: it is not entered yet, not due yet, or waits for something. */
async function enterAll(work: Work, moments: readonly Moment[]): Promise<(Stand | undefined)[]> {
  const { now } = work;
  const stands: (Stand | undefined)[] = moments.map(() => undefined);
  const entering = moments.flatMap((moment, at) => (isFresh(moment.run.waiting_for) ? [{ moment, at }] : []));
  const refused = await stepsWithin(
    work,
    entering.map(({ moment }) => moment.run),
  );
  await countVisits(
    work,
    entering.map(({ moment }) => moment),
  );
  for (const [index, { moment, at }] of entering.entries()) {
    const { run, step } = moment;
    const until = refused[index];
    if (until) {
      stands[at] = { waits: 'budget', until };
      continue;
    }
    work.enter(run);
    const due = waitsForDate(step) && step.day === undefined ? now : dueOf(step, run, now);
    if (due > now) stands[at] = { waits: 'day', until: due };
    else if (due < moment.due && due < (run.resumed_at ?? due)) moment.due = due;
  }
  for (const [at, { run }] of moments.entries())
    if (!stands[at] && !isFresh(run.waiting_for)) stands[at] = stillWaits(run, now);
  return stands;
}

/** Where nothing of the step was done yet. */
const isFresh = (waitingFor: string | null): boolean => waitingFor === null || waitingFor === 'budget';

function stillWaits(run: Moment['run'], now: Date): Stand | undefined {
  const keeps: Stand = { waits: run.waiting_for!, until: run.wake_at };
  if (run.wake_at === null || run.wake_at > now) return keeps;
  if (run.waiting_for === 'time') return { outcome: 'waited' };
  if (run.waiting_for === 'answer') return { outcome: 'unanswered' };
  return run.waiting_for === 'day' || run.waiting_for === 'event' ? undefined : keeps;
}

/** A step in a circle is visited anew; every other one once. */
async function countVisits(work: Work, moments: readonly Moment[]): Promise<void> {
  const again = moments.filter(({ definition, step }) => comesAgain(definition).has(step.id));
  if (again.length === 0) return;
  await work.flush();
  const visits = await visitsOf(
    work.tx,
    again.map(({ run }) => run),
  );
  for (const [index, { run }] of again.entries()) run.visit = visits[index]! + 1;
}
