import { expect, test } from 'vitest';
import { surveyErrors } from '../src/surveys/check.ts';
import { askedOf, countingAnswers, isBad, mainQuestion } from '../src/surveys/questions.ts';
import type { Question, SurveyDefinition } from '../src/surveys/schema.ts';

const en = (text: string) => ({ en: text });

const survey = (change: Partial<SurveyDefinition> = {}): SurveyDefinition => ({
  key: 'after-the-job',
  name: 'After the job',
  kind: 'csat',
  title: en('How was it?'),
  questions: [
    { key: 'happy', kind: 'csat', text: en('How happy are you?'), required: true },
    { key: 'why', kind: 'long_text', text: en('What went wrong?'), only_if: { question: 'happy', at_most: 2 } },
    { key: 'call', kind: 'yes_no', text: en('May we call you?'), only_if: { question: 'why' } },
  ],
  thanks: en('Thank you'),
  ...change,
});

const placesOf = (value: unknown, templates?: Set<string>): string[] =>
  surveyErrors(value, templates).map(({ path }) => path);

const withQuestion = (change: Partial<Question> & Pick<Question, 'kind'>): unknown =>
  survey({ questions: [survey().questions[0]!, { key: 'more', text: en('More?'), ...change }] });

test('surveys: a good definition has no mistakes', () => {
  expect(
    surveyErrors(survey({ answered: { bad: { at_most: 3, tag: 'unhappy' }, task: { title: 'Review' } } })),
  ).toEqual([]);
});

test('surveys: every mistake is told with its place', () => {
  expect(placesOf(survey({ key: 'After' }))).toEqual(['key']);
  expect(placesOf({ ...survey(), colour: 'red' })[0]).toBe('colour');
  expect(placesOf(survey({ questions: [survey().questions[0]!, survey().questions[0]!] }))).toEqual([
    'questions[1].key',
  ]);
  expect(placesOf(withQuestion({ kind: 'single' }))).toEqual(['questions[1].choices']);
  const choices = [
    { key: 'a', text: en('A') },
    { key: 'a', text: en('A again') },
  ];
  expect(placesOf(withQuestion({ kind: 'single', choices }))).toEqual(['questions[1].choices[1].key']);
  expect(placesOf(withQuestion({ kind: 'yes_no', choices: choices.slice(0, 2) }))[0]).toBe('questions[1].choices');
  expect(placesOf(withQuestion({ kind: 'nps', points: 7 }))).toEqual(['questions[1].points']);
  expect(placesOf(withQuestion({ kind: 'long_text', low: en('bad') }))).toEqual(['questions[1].low']);
  expect(placesOf(withQuestion({ kind: 'yes_no', only_if: { question: 'later' } }))).toEqual([
    'questions[1].only_if.question',
  ]);
  expect(placesOf(withQuestion({ kind: 'yes_no', only_if: { question: 'happy', is: 6 } }))).toEqual([
    'questions[1].only_if.is',
  ]);
  expect(placesOf(survey({ kind: 'nps' }))).toEqual(['questions']);
  expect(placesOf(survey({ score: 'why' }))[0]).toBe('score');
  expect(placesOf(survey({ comment: 'happy' }))).toEqual(['comment']);
  const textOnly = { kind: 'custom' as const, questions: [{ key: 'q', kind: 'short_text' as const, text: en('?') }] };
  expect(placesOf(survey({ ...textOnly, answered: { bad: { tag: 'x' } } }))).toEqual(['answered.bad']);
  expect(placesOf(survey({ ...textOnly, partial_after_days: 7 }))).toEqual(['partial_after_days']);
  const responder = { template: 'thanks', bad_template: 'sorry', channels: ['email' as const] };
  expect(placesOf(survey({ answered: { responder } }), new Set(['thanks']))).toEqual([
    'answered.responder.bad_template',
  ]);
});

test('surveys: a question is asked only if its condition holds, and an answer behind a question no longer asked does not count', () => {
  const { questions } = survey();
  const asked = (answers: Record<string, number | string | boolean>): string[] =>
    askedOf(questions, answers).map(({ key }) => key);
  expect(asked({})).toEqual(['happy']);
  expect(asked({ happy: 3 })).toEqual(['happy']);
  expect(asked({ happy: 2 })).toEqual(['happy', 'why']);
  expect(asked({ happy: 2, why: 'late' })).toEqual(['happy', 'why', 'call']);
  // Somebody who was unhappy, said why, and then thought better of it: nobody asks why any more, nor what hung on it.
  expect(countingAnswers(questions, { happy: 5, why: 'late', call: true })).toEqual({ happy: 5 });
});

test('surveys: the score is that of the survey’s own kind, and bad by the limits of the catalogue unless the survey has its own', () => {
  const nps = survey({
    kind: 'nps',
    questions: [
      { key: 'stars', kind: 'rating', text: en('Stars?') },
      { key: 'recommend', kind: 'nps', text: en('Recommend?') },
    ],
  });
  expect(mainQuestion(nps)?.key).toBe('recommend');
  expect([6, 7, null].map((score) => isBad(nps, score))).toEqual([true, false, false]);
  expect([2, 3].map((score) => isBad(survey(), score))).toEqual([true, false]);
  expect(isBad(survey({ answered: { bad: { at_most: 3 } } }), 3)).toBe(true);
  const seven = survey({ kind: 'custom', questions: [{ key: 's', kind: 'rating', points: 7, text: en('?') }] });
  expect(isBad(seven, 1)).toBe(false);
});
