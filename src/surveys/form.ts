import { askedOf, countingAnswers, scaleOf } from './questions.ts';
import type { Answer, Answers, Question, SurveyDefinition } from './schema.ts';

/** Longest texts that are kept. */
export const TEXT_LIMITS = { short_text: 500, long_text: 5000 } as const;

/** What is wrong with the answer to a question. */
export type Mistake = 'missing' | 'not_possible' | 'too_long';

/** What came of a page that was sent. */
export interface Read {
  /** Everything given so far that counts: what was kept before, and what the page says. */
  answers: Answers;
  mistakes: Map<string, Mistake>;
}

type Form = Readonly<Record<string, unknown>>;

/** The name of a question's field. */
export const fieldOf = (key: string): string => `q-${key}`;

/** Keys of the questions that stood on the page, as the page itself says. */
export const shownIn = (form: Form): string[] =>
  typeof form.shown === 'string' ? form.shown.slice(0, 5000).split(',') : [];

/**
 * Reads a page that was sent, over what was kept before. Only questions the survey has and the page showed are read;
 * whatever else was sent is nothing.
 */
export function readForm(survey: SurveyDefinition, kept: Answers, form: Form): Read {
  const answers: Answers = { ...kept };
  const mistakes = new Map<string, Mistake>();
  const shown = new Set(shownIn(form));
  for (const question of survey.questions) {
    if (!shown.has(question.key)) continue;
    const read = readAnswer(question, form[fieldOf(question.key)]);
    delete answers[question.key];
    if (read && 'answer' in read) answers[question.key] = read.answer;
    else if (read) mistakes.set(question.key, read.mistake);
  }
  const counting = countingAnswers(survey.questions, answers);
  const asked = new Set(askedOf(survey.questions, answers).map(({ key }) => key));
  for (const key of mistakes.keys()) if (!asked.has(key)) mistakes.delete(key);
  return { answers: counting, mistakes };
}

/** One answer as a form or an address says it; undefined: none was given. */
export function readAnswer(question: Question, given: unknown): { answer: Answer } | { mistake: Mistake } | undefined {
  const values = (Array.isArray(given) ? given : [given]).filter(
    (value): value is string => typeof value === 'string' && value.trim() !== '',
  );
  if (values.length === 0) return undefined;
  if (question.kind === 'multiple') {
    const keys = question.choices!.map(({ key }) => key).filter((key) => values.includes(key));
    return keys.length === new Set(values).size ? { answer: keys } : { mistake: 'not_possible' };
  }
  // Of one answer there is one; a form that says two is not ours.
  if (values.length > 1) return { mistake: 'not_possible' };
  // The database keeps no NUL; a form sends two signs for the end of a line of which its field counts one.
  const value = values[0]!.replaceAll('\u0000', '').replaceAll('\r\n', '\n').trim();
  if (question.kind === 'short_text' || question.kind === 'long_text')
    return value.length > TEXT_LIMITS[question.kind] ? { mistake: 'too_long' } : { answer: value };
  if (question.kind === 'yes_no')
    return value === 'yes' || value === 'no' ? { answer: value === 'yes' } : { mistake: 'not_possible' };
  if (question.kind === 'single')
    return question.choices!.some(({ key }) => key === value) ? { answer: value } : { mistake: 'not_possible' };
  const { least, most } = scaleOf(question)!;
  const number = Number(value);
  return /^\d{1,2}$/.test(value) && number >= least && number <= most
    ? { answer: number }
    : { mistake: 'not_possible' };
}

/** Questions that are asked, must be answered and are not. */
export const missingOf = (survey: SurveyDefinition, answers: Answers): Question[] =>
  askedOf(survey.questions, answers).filter(({ key, required }) => required && answers[key] === undefined);

/** What is shown next. */
export interface Turn extends Read {
  /** Nothing is left to ask: it can be handed in. */
  done: boolean;
  show: Question[];
  /** The answers brought up questions nobody saw yet. */
  more: boolean;
}

/**
 * How it goes on after a page was sent.
 * @param form what was sent; `do` is `send`, `next` or `back`, `shown` are the questions that stood on the page
 */
export function turn(survey: SurveyDefinition, kept: Answers, form: Form): Turn {
  const read = readForm(survey, kept, form);
  return survey.layout === 'step_by_step' ? turnStep(survey, read, form) : turnPage(survey, read, form);
}

function turnPage(survey: SurveyDefinition, read: Read, form: Form): Turn {
  const shown = new Set(shownIn(form));
  const asked = askedOf(survey.questions, read.answers);
  const missing = missingOf(survey, read.answers);
  for (const { key } of missing) if (shown.has(key) && !read.mistakes.has(key)) read.mistakes.set(key, 'missing');
  const unseen = asked.some(({ key }) => !shown.has(key) && read.answers[key] === undefined);
  const done = read.mistakes.size === 0 && missing.length === 0 && !unseen && form.do === 'send';
  return { ...read, done, show: asked, more: unseen && read.mistakes.size === 0 };
}

function turnStep(survey: SurveyDefinition, read: Read, form: Form): Turn {
  const asked = askedOf(survey.questions, read.answers);
  const positionOf = (key: string | undefined): number => survey.questions.findIndex((one) => one.key === key);
  const at = positionOf(shownIn(form)[0]);
  const current = asked.find((question) => positionOf(question.key) === at);
  const stay = (question: Question, mistakes: Read['mistakes']): Turn => ({
    ...{ answers: read.answers, mistakes, done: false, show: [question], more: false },
  });
  if (form.do === 'back') {
    const before = asked.filter(({ key }) => positionOf(key) < at).at(-1);
    return stay(before ?? asked[0]!, new Map());
  }
  if (current && read.mistakes.size > 0) return stay(current, read.mistakes);
  if (current?.required && read.answers[current.key] === undefined)
    return stay(current, new Map([[current.key, 'missing']]));
  const next = asked.find(({ key }) => positionOf(key) > at);
  if (next) return stay(next, new Map());
  const missing = missingOf(survey, read.answers)[0];
  if (missing) return stay(missing, new Map([[missing.key, 'missing']]));
  return { ...read, done: at !== -1, show: current ? [current] : [asked[0]!], more: false };
}

/** What a page shows that nobody sent anything to yet: everything asked, or the first question without an answer. */
export function firstShown(survey: SurveyDefinition, answers: Answers): Question[] {
  const asked = askedOf(survey.questions, answers);
  if (survey.layout !== 'step_by_step') return asked;
  return [asked.find(({ key }) => answers[key] === undefined) ?? asked.at(-1)!];
}
