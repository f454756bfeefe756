import { Value } from 'typebox/value';
import type { FieldError } from '../base/errors.ts';
import { isScale, mainQuestion, scaleOf } from './questions.ts';
import { type AskOnlyIf, type Question, SurveyDefinition } from './schema.ts';

/**
 * Everything that is wrong with a survey, with its place. An empty list means it can be asked.
 * @param templates keys of the texts there are; absent: not checked
 */
export function surveyErrors(value: unknown, templates?: ReadonlySet<string>): FieldError[] {
  if (!Value.Check(SurveyDefinition, value))
    return Value.Errors(SurveyDefinition, value).map((error) => ({
      path: error.instancePath.replace(/^\//, '').replaceAll('/', '.') || 'survey',
      message: error.message,
    }));
  const errors = value.questions.flatMap((question, at) => questionErrors(value.questions, question, at));
  const named = (path: string, key: string | undefined, fits: (question: Question) => boolean, what: string): void => {
    if (key === undefined) return;
    const question = value.questions.find((one) => one.key === key);
    if (!question || !fits(question)) errors.push({ path, message: `must be the key of a question that ${what}` });
  };
  named('score', value.score, isScale, 'has a scale');
  named('comment', value.comment, ({ kind }) => kind === 'short_text' || kind === 'long_text', 'takes a text');
  const main = mainQuestion(value);
  if ((value.kind === 'nps' || value.kind === 'csat') && main?.kind !== value.kind)
    errors.push({
      path: 'questions',
      message: `a survey of kind ${value.kind} needs a question of kind ${value.kind}`,
    });
  if (value.answered?.bad && !main)
    errors.push({ path: 'answered.bad', message: 'needs a question with a scale: nothing else can be bad' });
  if (value.partial_after_days !== undefined && !main)
    errors.push({ path: 'partial_after_days', message: 'needs a question with a scale, whose answer is the score' });
  return [...errors, ...templateErrors(value, templates)];
}

function questionErrors(all: readonly Question[], question: Question, at: number): FieldError[] {
  const path = `questions[${at}]`;
  const errors: FieldError[] = [];
  if (all.findIndex(({ key }) => key === question.key) !== at)
    errors.push({ path: `${path}.key`, message: `"${question.key}" is the key of an earlier question` });
  const chosen = question.kind === 'single' || question.kind === 'multiple';
  if (chosen && !question.choices) errors.push({ path: `${path}.choices`, message: 'is missing: what can be chosen' });
  if (!chosen && question.choices)
    errors.push({ path: `${path}.choices`, message: `does not go with ${question.kind}` });
  const keys = question.choices?.map(({ key }) => key) ?? [];
  keys.forEach((key, position) => {
    if (keys.indexOf(key) !== position)
      errors.push({ path: `${path}.choices[${position}].key`, message: `"${key}" is an earlier choice` });
  });
  if (question.points !== undefined && question.kind !== 'rating')
    errors.push({ path: `${path}.points`, message: 'goes with rating only' });
  if (!isScale(question) && (question.low || question.high))
    errors.push({ path: `${path}.${question.low ? 'low' : 'high'}`, message: 'goes with a scale only' });
  if (question.only_if) errors.push(...conditionErrors(all.slice(0, at), question.only_if, `${path}.only_if`));
  return errors;
}

function conditionErrors(earlier: readonly Question[], asked: AskOnlyIf, path: string): FieldError[] {
  const question = earlier.find(({ key }) => key === asked.question);
  if (!question) return [{ path: `${path}.question`, message: `there is no earlier question "${asked.question}"` }];
  const errors: FieldError[] = [];
  const compares = asked.at_least !== undefined || asked.at_most !== undefined;
  if (compares && !isScale(question))
    errors.push({ path, message: `at_least and at_most need a scale, and "${question.key}" has none` });
  const wanted = asked.is === undefined ? [] : Array.isArray(asked.is) ? asked.is : [asked.is];
  const possible = possibleOf(question);
  const odd = possible && wanted.find((value) => !possible.includes(value));
  if (odd !== undefined)
    errors.push({
      path: `${path}.is`,
      message: `"${question.key}" cannot be ${String(odd)}; it can be ${possible!.join(', ')}`,
    });
  return errors;
}

/** What a question can be answered with; undefined where that is any text. */
function possibleOf(question: Question): (string | number | boolean)[] | undefined {
  if (question.kind === 'yes_no') return [true, false];
  if (question.choices) return question.choices.map(({ key }) => key);
  const scale = scaleOf(question);
  return scale && Array.from({ length: scale.most - scale.least + 1 }, (_none, at) => scale.least + at);
}

function templateErrors({ answered }: SurveyDefinition, templates?: ReadonlySet<string>): FieldError[] {
  const responder = answered?.responder;
  if (!templates || !responder) return [];
  return (['template', 'bad_template'] as const).flatMap((name) => {
    const key = responder[name];
    return key === undefined || templates.has(key)
      ? []
      : [
          {
            path: `answered.responder.${name}`,
            message: `there is no template "${key}"; there are ${[...templates].join(', ') || 'none'}`,
          },
        ];
  });
}
