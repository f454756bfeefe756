import type { FieldError } from '../base/errors.ts';
import type { Definition } from './schema.ts';
import { type Step, stepKind } from './steps.ts';

/** As the target of a jump: the enrolment ends. */
export const END = 'end';

/** A step by its id. @throws Error when the definition has none of that id */
export function stepOf(definition: Pick<Definition, 'steps'>, id: string): Step {
  const step = definition.steps.find((candidate) => candidate.id === id);
  if (!step) throw new Error(`The definition has no step "${id}".`);
  return step;
}

/**
 * The step after another one, when the step itself does not say where it goes on.
 * @param to where the outcome leads, when it leads somewhere of its own
 * @returns undefined at the end
 */
export function stepAfter(definition: Pick<Definition, 'steps'>, step: Step, to?: string): Step | undefined {
  const target = to ?? step.next;
  if (target === END) return undefined;
  if (target !== undefined) return stepOf(definition, target);
  return definition.steps[definition.steps.findIndex((candidate) => candidate.id === step.id) + 1];
}

/** Where a step says it may go on, with the place in it; what follows in the list is not named. */
function jumps(step: Step): { path: string; to: string }[] {
  return [
    ...(step.next === undefined ? [] : [{ path: 'next', to: step.next }]),
    ...('branch' in step
      ? step.branch.cases.map(({ then: to }, at) => ({ path: `branch.cases[${at}].then`, to }))
      : []),
    ...('branch' in step && step.branch.else !== undefined ? [{ path: 'branch.else', to: step.branch.else }] : []),
    ...('split' in step ? step.split.map(({ then: to }, at) => ({ path: `split[${at}].then`, to })) : []),
    ...('wait_for' in step && step.wait_for.on_timeout !== undefined
      ? [{ path: 'wait_for.on_timeout', to: step.wait_for.on_timeout }]
      : []),
  ];
}

/**
 * Whether something comes after the step without being named by its kind: the next of the list, or what `next` says. A
 * step that is left out goes on like that, whatever its kind.
 */
const goesOn = (step: Step): boolean =>
  step.only_if !== undefined || !('end' in step || 'restart' in step || 'hand_over' in step || 'split' in step);

/** Every step that may come directly after one; none at the end. Restarts are not followed. */
export function successors(definition: Pick<Definition, 'steps'>, step: Step): Step[] {
  const found = jumps(step).flatMap(({ path, to }) =>
    to === END || (path === 'next' && !goesOn(step)) ? [] : (definition.steps.find(({ id }) => id === to) ?? []),
  );
  const branchesOut = 'branch' in step && step.branch.else !== undefined && step.only_if === undefined;
  const plain = goesOn(step) && step.next === undefined && !branchesOut ? stepAfter(definition, step) : undefined;
  return [...new Set(plain ? [...found, plain] : found)];
}

/** Whether a step takes time whatever happens, so that a circle through it cannot spin. */
function takesTime(step: Step): boolean {
  if (step.day !== undefined && step.day > 0) return true;
  if (step.only_if !== undefined) return false;
  if ('await_answer' in step) return true;
  if (!('wait' in step) || 'until' in step.wait || 'until_date' in step.wait) return false;
  const { days = 0, hours = 0, minutes = 0 } = step.wait;
  return days + hours + minutes > 0;
}

/** Steps that are reached from one, itself only when a way leads back. */
function reached(start: Step, from: (step: Step) => Step[]): Set<Step> {
  const seen = new Set<Step>();
  const open = from(start);
  for (let step = open.pop(); step; step = open.pop()) {
    if (seen.has(step)) continue;
    seen.add(step);
    open.push(...from(step));
  }
  return seen;
}

const circles = new WeakMap<Pick<Definition, 'steps'>, ReadonlySet<string>>();

/** Ids of the steps an enrolment may come to more than once, because they stand in a circle. */
export function comesAgain(definition: Pick<Definition, 'steps'>): ReadonlySet<string> {
  const known = circles.get(definition);
  if (known) return known;
  const next = (step: Step): Step[] => successors(definition, step);
  const found = new Set(definition.steps.filter((step) => reached(step, next).has(step)).map(({ id }) => id));
  circles.set(definition, found);
  return found;
}

/** Steps that may come after one, however much later. */
export const ahead = (definition: Pick<Definition, 'steps'>, step: Step): Set<Step> =>
  reached(step, (at) => successors(definition, at));

/** Mistakes in how the steps hang together, each with its place and the cure. */
export function graphErrors(definition: Definition): FieldError[] {
  const { steps } = definition;
  const errors: FieldError[] = [];
  const place = (step: Step): string => `steps[${steps.indexOf(step)}]`;
  const ids = new Map<string, Step>();
  for (const step of steps) {
    if (ids.has(step.id)) errors.push({ path: `${place(step)}.id`, message: `"${step.id}" is used twice` });
    if (step.id === END)
      errors.push({ path: `${place(step)}.id`, message: `"${END}" is the end itself; choose another id` });
    ids.set(step.id, step);
  }
  for (const step of steps)
    for (const { path, to } of jumps(step))
      if (to !== END && !ids.has(to))
        errors.push({
          path: `${place(step)}.${path}`,
          message: `there is no step "${to}"; there are ${[...ids.keys()].join(', ')} and ${END}`,
        });
  if (errors.length > 0) return errors;

  const next = (step: Step): Step[] => successors(definition, step);
  const first = steps[0]!;
  // A goal is come to from anywhere, and what follows it with it.
  const alive = new Set(
    [first, ...steps.filter((step) => 'goal' in step)].flatMap((root) => [root, ...reached(root, next)]),
  );
  for (const step of steps)
    if (!alive.has(step))
      errors.push({ path: place(step), message: `no way leads to "${step.id}"; let a step go on there, or remove it` });
  // A restart leads to the beginning: a round must take time too.
  const around = (step: Step): Step[] => ('restart' in step ? [first, ...next(step)] : next(step));
  const spins = steps.find(
    (step) => !takesTime(step) && reached(step, (at) => around(at).filter((to) => !takesTime(to))).has(step),
  );
  if (spins)
    errors.push({
      path: place(spins),
      message: `"${spins.id}" comes round to itself without a wait; put a wait with a duration into the circle`,
    });
  for (const step of steps)
    if (step.day !== undefined && reached(step, next).has(step))
      errors.push({
        path: `${place(step)}.day`,
        message: 'is in a circle: days are counted from the start and do not come again; use a wait, or restart',
      });
  return errors.length > 0 ? errors : dayErrors(definition, next, place);
}

/** On no way may a later step be on an earlier day. */
function dayErrors({ steps }: Definition, next: (step: Step) => Step[], place: (step: Step) => string): FieldError[] {
  const before = new Map<Step, number>(steps.map((step) => [step, 0]));
  for (let round = 0; round < steps.length; round++)
    for (const step of steps)
      for (const to of next(step)) before.set(to, Math.max(before.get(to)!, before.get(step)!, step.day ?? 0));
  return steps.flatMap((step) =>
    step.day !== undefined && step.day < before.get(step)!
      ? [
          {
            path: `${place(step)}.day`,
            message: `is day ${step.day}, but a step before it is on day ${before.get(step)}: days are counted from the start and cannot go back`,
          },
        ]
      : [],
  );
}

/**
 * What makes two versions the same track with other words: the same steps of the same kinds in the same order, leading
 * to the same places at the same days. A version that differs in texts and figures only has the same structure.
 */
export const structureOf = (definition: Definition): string =>
  JSON.stringify(
    definition.steps.map((step) => [
      step.id,
      stepKind(step),
      step.day ?? null,
      step.at ?? null,
      jumps(step),
      ...('wait' in step ? [step.wait] : []),
      ...('wait_for' in step ? [step.wait_for.timeout] : []),
      ...('await_answer' in step ? [step.await_answer] : []),
      ...('do' in step ? [step.do.kind] : []),
      ...('survey' in step ? [step.survey.survey] : []),
      ...('hand_over' in step ? [step.hand_over] : []),
    ]),
  );
