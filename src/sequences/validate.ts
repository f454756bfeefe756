import { Value } from 'typebox/value';
import type { FieldError } from '../base/errors.ts';
import { CATALOGUE } from '../triggers/catalogue.ts';
import { settingsErrors } from '../triggers/schema.ts';
import { readCondition } from './conditions.ts';
import { graphErrors } from './graph.ts';
import { Definition } from './schema.ts';
import { type Happening, STEP_KINDS, Step, stepKind } from './steps.ts';
import type { When } from './tests.schema.ts';
import { textErrorsOf } from './texts.ts';
import { isDateField } from './waiting.ts';

/** What a definition may name. What is absent is not checked. */
export interface Known {
  /** Keys of texts. */
  templates?: ReadonlySet<string>;
  /** Keys of surveys. */
  surveys?: ReadonlySet<string>;
  /** Keys of sequences. */
  sequences?: ReadonlySet<string>;
}

/** Steps the engine can run. */
const READY: ReadonlySet<string> = new Set(STEP_KINDS);

/**
 * Everything that is wrong with a definition, with its place and the cure. An empty list means it can run.
 */
export function definitionErrors(value: unknown, known: Known = {}): FieldError[] {
  const large = sizeError(value);
  if (large) return [large];
  if (!Value.Check(Definition, value)) return formErrors(value);
  const errors = triggerErrors(value);
  if (value.again.policy === 'after_days' && value.again.days === undefined)
    errors.push({ path: 'again.days', message: 'is missing: how many days after the end someone may enter again' });
  if (value.audience !== undefined) errors.push(...conditionErrors(value.audience, 'audience'));
  value.steps.forEach((step, at) => {
    errors.push(...stepErrors(value, step, `steps[${at}]`, known));
  });
  return [...errors, ...textErrorsOf(value), ...graphErrors(value)];
}

/** So many characters of JSON a definition has at most; a hundred steps with long texts are a tenth of it. */
const LARGEST = 1_000_000;

/** What is far too large is refused before anything else looks at it. */
function sizeError(value: unknown): FieldError | undefined {
  let left = LARGEST;
  const open: unknown[] = [value];
  while (open.length > 0 && left > 0) {
    const next = open.pop();
    left -= typeof next === 'string' ? next.length + 2 : 4;
    if (typeof next !== 'object' || next === null) continue;
    for (const [key, item] of Object.entries(next)) {
      left -= key.length;
      open.push(item);
      if (left <= 0) break;
    }
  }
  return left > 0
    ? undefined
    : { path: 'definition', message: `is too large: more than ${LARGEST / 1_000_000} million characters` };
}

/** Mistakes of form. Of a step, those of its own kind: not those of all the kinds it is not. */
function formErrors(value: unknown): FieldError[] {
  const all = Value.Errors(Definition, value).map((error) => ({
    path: pathOf(error.instancePath) || 'definition',
    message: error.message,
  }));
  const { steps } = (value ?? {}) as { steps?: unknown };
  if (!Array.isArray(steps)) return all;
  const rest = all.filter(({ path }) => !path.startsWith('steps['));
  return [...rest, ...steps.slice(0, MOST_STEPS).flatMap((step, at) => formOfStep(step, `steps[${at}]`))];
}

const MOST_STEPS = 100;

/** A place as people write it: `/steps/0/message` is `steps[0].message`. */
const pathOf = (pointer: string): string =>
  pointer
    .replace(/^\//, '')
    .replaceAll('/', '.')
    .replace(/\.(\d+)(?=\.|$)/g, '[$1]');

function formOfStep(step: unknown, path: string): FieldError[] {
  if (typeof step !== 'object' || step === null || Array.isArray(step))
    return [{ path, message: 'must be a step: an id and what it does' }];
  const kinds = STEP_KINDS.filter((kind) => Object.hasOwn(step, kind));
  const [kind] = kinds;
  if (!kind)
    return [
      {
        path,
        message: `does nothing: it needs one of ${STEP_KINDS.join(', ')}; it has ${Object.keys(step).slice(0, 10).join(', ') || 'nothing'}`,
      },
    ];
  if (kinds.length > 1) return [{ path, message: `does several things (${kinds.join(', ')}): make a step of each` }];
  const schema = Step.anyOf[STEP_KINDS.indexOf(kind)]!;
  return Value.Errors(schema, step).map((error) => ({
    path: [path, pathOf(error.instancePath)].filter(Boolean).join('.').replace('.[', '['),
    message: error.message,
  }));
}

function triggerErrors(value: Definition): FieldError[] {
  return value.triggers.flatMap((trigger, at) => {
    const known = CATALOGUE.find((definition) => definition.name === trigger.name);
    if (!known)
      return [
        {
          path: `triggers[${at}].name`,
          message: `there is no trigger "${trigger.name}"; there are ${CATALOGUE.map((definition) => definition.name).join(', ')}`,
        },
      ];
    return settingsErrors(known, { ...known.defaults, ...trigger.settings }).map(({ path, message }) => ({
      path: `triggers[${at}].settings${path ? `.${path}` : ''}`,
      message,
    }));
  });
}

/** Mistakes of a condition, under the place where it stands. */
const conditionErrors = (condition: unknown, path: string): FieldError[] =>
  readCondition(condition).problems.map((problem) => ({
    path: problem.path === 'condition' ? path : `${path}${problem.path.startsWith('.') ? '' : '.'}${problem.path}`,
    message: problem.message,
  }));

function stepErrors(definition: Definition, step: Step, path: string, known: Known): FieldError[] {
  const kind = stepKind(step);
  const own = [
    ...(READY.has(kind) ? [] : [{ path: kind, message: 'is no step that can run yet' }]),
    ...referenceErrors(definition, step, known),
    ...timeErrors(step),
    ...staffErrors(step),
  ];
  const errors = own.map((error) => ({ ...error, path: `${path}.${error.path}` }));
  if (step.only_if) errors.push(...whenErrors(definition, step.only_if, `${path}.only_if`));
  if ('branch' in step)
    step.branch.cases.forEach(({ when }, at) => {
      errors.push(...whenErrors(definition, when, `${path}.branch.cases[${at}].when`));
    });
  if ('wait_for' in step) errors.push(...eventErrors(definition, step.wait_for.event, `${path}.wait_for.event`));
  if ('goal' in step) errors.push(...eventErrors(definition, step.goal.event, `${path}.goal.event`));
  return errors;
}

/** Texts, surveys and sequences a step names. */
function referenceErrors(definition: Definition, step: Step, known: Known): FieldError[] {
  const named = (path: string, what: string, key: string, there: ReadonlySet<string> | undefined): FieldError[] =>
    there && !there.has(key)
      ? [{ path, message: `there is no ${what} "${key}"; there are ${[...there].join(', ') || 'none'}` }]
      : [];
  if ('message' in step) return named('message.template', 'template', step.message.template, known.templates);
  if ('survey' in step)
    return [
      ...named('survey.template', 'template', step.survey.template, known.templates),
      ...named('survey.survey', 'survey', step.survey.survey, known.surveys),
    ];
  if (!('hand_over' in step)) return [];
  return step.hand_over.to === definition.key
    ? [{ path: 'hand_over.to', message: 'is this sequence itself; use restart' }]
    : named('hand_over.to', 'sequence', step.hand_over.to, known.sequences);
}

function timeErrors(step: Step): FieldError[] {
  if ('wait' in step && Object.keys(step.wait).length === 0)
    return [{ path: 'wait', message: 'needs days, hours or minutes' }];
  if ('wait' in step && 'until_date' in step.wait) {
    const { field } = step.wait.until_date;
    return field.startsWith('trigger.') || isDateField(field)
      ? []
      : [
          {
            path: 'wait.until_date.field',
            message: `"${field}" is no date of the customer, their company or the trigger`,
          },
        ];
  }
  if (!('wait_for' in step)) return [];
  const { days = 0, hours = 0, minutes = 0 } = step.wait_for.timeout;
  return days + hours + minutes === 0
    ? [{ path: 'wait_for.timeout', message: 'must be some time: nobody waits for ever or not at all' }]
    : [];
}

/** A role that is named, and something to tell. */
function staffErrors(step: Step): FieldError[] {
  const [kind, told, asked] =
    'notify' in step
      ? (['notify', step.notify, [{ path: 'notify.role', ...step.notify }]] as const)
      : 'escalate' in step
        ? ([
            'escalate',
            step.escalate,
            step.escalate.to.map((to, at) => ({ path: `escalate.to[${at}].role`, ...to })),
          ] as const)
        : ([undefined, undefined, []] as const);
  const errors = asked
    .filter(({ who, role }) => who === 'role' && !role)
    .map(({ path }) => ({ path, message: 'is missing: which role of staff' }));
  if (kind && !told.task && !told.chat)
    errors.push({ path: kind, message: 'needs a task or a chat message: otherwise nobody is told' });
  return errors;
}

function whenErrors(definition: Definition, when: When, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (when.condition !== undefined) errors.push(...conditionErrors(when.condition, `${path}.condition`));
  if (when.outcome && !definition.steps.some(({ id }) => id === when.outcome!.step))
    errors.push({ path: `${path}.outcome.step`, message: `there is no step "${when.outcome.step}"` });
  const compares = (asked: Pick<NonNullable<When['answer']>, 'is' | 'at_least' | 'at_most'>): boolean =>
    asked.is !== undefined || asked.at_least !== undefined || asked.at_most !== undefined;
  if (when.answer && !compares(when.answer))
    errors.push({ path: `${path}.answer`, message: 'asks nothing; add is, at_least or at_most' });
  if (when.trigger && compares(when.trigger) !== (when.trigger.data !== undefined))
    errors.push({
      path: `${path}.trigger`,
      message: 'data names a value the trigger tells, and is, at_least or at_most compares it',
    });
  if (when.trigger && !when.trigger.name && !when.trigger.data)
    errors.push({ path: `${path}.trigger`, message: 'asks nothing; add name or data' });
  return errors;
}

function eventErrors(definition: Definition, event: Happening, path: string): FieldError[] {
  if (event.what === 'condition')
    return event.condition === undefined
      ? [{ path: `${path}.condition`, message: 'is missing: what must come to hold' }]
      : conditionErrors(event.condition, `${path}.condition`);
  if (event.what === 'task_done') {
    const made = definition.steps.find(({ id }) => id === event.step);
    if (!made || !('do' in made || 'notify' in made || 'escalate' in made))
      return [{ path: `${path}.step`, message: 'must name a step that makes a task' }];
  }
  if ((event.what === 'tag_added' || event.what === 'tag_removed') && !event.tag)
    return [{ path: `${path}.tag`, message: 'is missing: which tag' }];
  return [];
}
