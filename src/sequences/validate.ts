import { Value } from 'typebox/value';
import type { FieldError } from '../base/errors.ts';
import { CATALOGUE } from '../triggers/catalogue.ts';
import { settingsErrors } from '../triggers/schema.ts';
import { Definition, stepKind } from './schema.ts';

/**
 * Everything that is wrong with a definition, with its place and the cure. An empty list means it can run.
 * @param templates keys of the templates there are; absent: not checked
 */
export function definitionErrors(value: unknown, templates?: ReadonlySet<string>): FieldError[] {
  if (!Value.Check(Definition, value)) {
    return Value.Errors(Definition, value).map((error) => ({
      path: error.instancePath.replace(/^\//, '').replaceAll('/', '.') || 'definition',
      message: error.message,
    }));
  }
  const errors: FieldError[] = [];
  value.triggers.forEach((trigger, at) => {
    const known = CATALOGUE.find((definition) => definition.name === trigger.name);
    if (!known)
      errors.push({
        path: `triggers[${at}].name`,
        message: `there is no trigger "${trigger.name}"; there are ${CATALOGUE.map((definition) => definition.name).join(', ')}`,
      });
    else
      for (const { path, message } of settingsErrors(known, { ...known.defaults, ...trigger.settings }))
        errors.push({ path: `triggers[${at}].settings${path ? `.${path}` : ''}`, message });
  });
  if (value.again.policy === 'after_days' && value.again.days === undefined)
    errors.push({ path: 'again.days', message: 'is missing: how many days after the end someone may enter again' });
  const ids = new Set<string>();
  let day = 0;
  value.steps.forEach((step, at) => {
    const path = `steps[${at}]`;
    if (ids.has(step.id)) errors.push({ path: `${path}.id`, message: `"${step.id}" is used twice` });
    ids.add(step.id);
    if (step.day !== undefined) {
      if (step.day < day)
        errors.push({
          path: `${path}.day`,
          message: `is day ${step.day}, but an earlier step is on day ${day}: days are counted from the start and cannot go back`,
        });
      day = Math.max(day, step.day);
    }
    if (stepKind(step) === 'message' && 'message' in step && templates && !templates.has(step.message.template)) {
      errors.push({
        path: `${path}.message.template`,
        message: `there is no template "${step.message.template}"; there are ${[...templates].join(', ') || 'none'}`,
      });
    }
    if ('escalate' in step) {
      step.escalate.to.forEach((level, index) => {
        if (level.who === 'role' && !level.role)
          errors.push({ path: `${path}.escalate.to[${index}].role`, message: 'is missing: which role of staff' });
      });
      if (!step.escalate.task && !step.escalate.chat)
        errors.push({ path: `${path}.escalate`, message: 'needs a task or a chat message: otherwise nobody is told' });
    }
  });
  return errors;
}
