import type { FieldError } from '../base/errors.ts';
import { textErrors } from '../texts/check.ts';
import { htmlProblem } from '../texts/mail.ts';
import type { TextScope } from '../texts/variables.ts';
import type { Definition, Playbook } from './schema.ts';
import type { Step } from './steps.ts';

interface Placed {
  path: string;
  text: string;
  scope: TextScope;
}

/** Every text inside a value, with its place. */
function textsIn(value: unknown, path: string, scope: TextScope): Placed[] {
  if (typeof value === 'string') return [{ path, text: value, scope }];
  if (Array.isArray(value)) return value.flatMap((item, at) => textsIn(item, `${path}[${at}]`, scope));
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, item]) => textsIn(item, `${path}.${key}`, scope));
}

/** The texts a step is made of; those of messages are kept apart from sequences, as templates. */
export function textsOfStep(step: Step, path: string): Placed[] {
  if ('do' in step) return textsIn(step.do.input, `${path}.do.input`, 'customer');
  const [kind, told] =
    'notify' in step
      ? (['notify', { chat: step.notify.chat, task: step.notify.task }] as const)
      : 'escalate' in step
        ? ([
            'escalate',
            { chat: step.escalate.chat, task: step.escalate.task, calendar: step.escalate.calendar },
          ] as const)
        : [undefined, undefined];
  return kind ? textsIn(told, `${path}.${kind}`, 'staff') : [];
}

/** What is wrong with the texts inside a definition: variables and filters nobody knows, mistakes of form, loops. */
export function textErrorsOf(definition: Definition): FieldError[] {
  const values = new Set(Object.keys(definition.values ?? {}));
  return [
    ...definition.steps.flatMap((step, at) =>
      textsOfStep(step, `steps[${at}]`).flatMap(({ path, text, scope }) => textErrors(path, text, scope, values)),
    ),
    ...Object.entries(definition.values ?? {}).flatMap(([name, value]) =>
      /\{\{|\{%/.test(value)
        ? [{ path: `values.${name}`, message: 'is put into texts as it stands; write variables into the text itself' }]
        : [],
    ),
  ];
}

interface TemplateTexts {
  subject?: string | null | undefined;
  body: string;
  html?: string | null | undefined;
  native?: { variables: Record<string, string> } | null | undefined;
}

function htmlErrors(path: string, html: string, values: ReadonlySet<string> | undefined): FieldError[] {
  const problem = htmlProblem(html);
  return [...textErrors(path, html, 'customer', values), ...(problem ? [{ path, message: problem }] : [])];
}

/** What is wrong with the texts of a template. */
export const templateErrors = (template: TemplateTexts, path = '', values?: ReadonlySet<string>): FieldError[] => {
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
  return [
    ...textErrors(at('subject'), template.subject ?? '', 'customer', values),
    ...textErrors(at('body'), template.body, 'customer', values),
    ...htmlErrors(at('html'), template.html ?? '', values),
    ...Object.entries(template.native?.variables ?? {}).flatMap(([name, text]) =>
      textErrors(at(`native.variables.${name}`), text, 'customer', values),
    ),
  ];
};

/** Values that texts of a definition's messages ask for and it does not have. */
export function missingValues(
  definition: Definition,
  templates: readonly (TemplateTexts & { key: string; channel: string; locale: string })[],
): FieldError[] {
  const values = new Set(Object.keys(definition.values ?? {}));
  return definition.steps.flatMap((step, at) => {
    const [kind, key] =
      'message' in step ? ['message', step.message.template] : 'survey' in step ? ['survey', step.survey.template] : [];
    return templates
      .filter((text) => text.key === key)
      .flatMap((text) =>
        templateErrors(text, '', values).map(({ path, message }) => ({
          path: `steps[${at}].${kind}.template`,
          message: `the text "${text.key}" (${text.channel}, ${text.locale}) cannot be written, ${path}: ${message}`,
        })),
      );
  });
}

/** What is wrong with the templates of a playbook. */
export const playbookTextErrors = (playbook: Playbook): FieldError[] => {
  const values = new Set(Object.keys(playbook.sequence.values ?? {}));
  return Object.entries(playbook.templates).flatMap(([key, variants]) =>
    variants.flatMap((variant, at) => templateErrors(variant, `templates.${key}[${at}]`, values)),
  );
};
