import type { Answer, Answers, AskOnlyIf, Question, SurveyDefinition } from './schema.ts';

/** Ends of a scale. */
export interface Scale {
  least: number;
  most: number;
}

/** The scale of a question, or undefined when it has none. NPS is 0 to 10 (Reichheld 2003), CSAT 1 to 5. */
export function scaleOf(question: Question): Scale | undefined {
  if (question.kind === 'nps') return { least: 0, most: 10 };
  if (question.kind === 'csat') return { least: 1, most: 5 };
  return question.kind === 'rating' ? { least: 1, most: question.points ?? 5 } : undefined;
}

export const isScale = (question: Question): boolean => scaleOf(question) !== undefined;
const isText = ({ kind }: Question): boolean => kind === 'short_text' || kind === 'long_text';

/** The question whose answer is the score: the one named, else one of the survey's own kind, else the first scale. */
export const mainQuestion = (survey: Pick<SurveyDefinition, 'questions' | 'score' | 'kind'>): Question | undefined =>
  survey.score
    ? survey.questions.find(({ key }) => key === survey.score)
    : (survey.questions.find(({ kind }) => kind === survey.kind) ?? survey.questions.find(isScale));

/** The comment among answers: that to the question named, else the first text that was given. */
export function commentOf(survey: Pick<SurveyDefinition, 'questions' | 'comment'>, answers: Answers): string | null {
  const question = survey.comment
    ? survey.questions.find(({ key }) => key === survey.comment)
    : survey.questions.find((one) => isText(one) && answers[one.key] !== undefined);
  const answer = question && answers[question.key];
  return typeof answer === 'string' ? answer : null;
}

/** Whether a question is asked, given the answers to the ones before it. */
export function isAsked(question: Question, answers: Answers): boolean {
  return question.only_if === undefined || holds(question.only_if, answers[question.only_if.question]);
}

function holds(asked: AskOnlyIf, answer: Answer | undefined): boolean {
  if (answer === undefined) return false;
  if (asked.at_least !== undefined && !(typeof answer === 'number' && answer >= asked.at_least)) return false;
  if (asked.at_most !== undefined && !(typeof answer === 'number' && answer <= asked.at_most)) return false;
  if (asked.is === undefined) return true;
  const wanted: readonly unknown[] = Array.isArray(asked.is) ? asked.is : [asked.is];
  return Array.isArray(answer) ? answer.some((one) => wanted.includes(one)) : wanted.includes(answer);
}

/** The questions that are asked, in order. An answer to a question that is not asked (any more) does not count. */
export function askedOf(questions: readonly Question[], answers: Answers): Question[] {
  const counting: Answers = {};
  return questions.filter((question) => {
    if (!isAsked(question, counting)) return false;
    const answer = answers[question.key];
    if (answer !== undefined) counting[question.key] = answer;
    return true;
  });
}

/** The answers that count: those to questions that are asked. */
export const countingAnswers = (questions: readonly Question[], answers: Answers): Answers =>
  Object.fromEntries(
    askedOf(questions, answers).flatMap(({ key }) => (answers[key] === undefined ? [] : [[key, answers[key]]])),
  );

/** Scores up to which an answer is bad, where the survey says nothing: as the trigger `nps.detractor` has them. */
const BAD: Partial<Record<Question['kind'], number>> = { nps: 6, csat: 2, rating: 2 };

/**
 * Whether a score is bad. A rating of other than five points has no limit of its own.
 * @param score as given; null: there is none
 */
export function isBad(survey: SurveyDefinition, score: number | null): boolean {
  const main = mainQuestion(survey);
  if (score === null || !main) return false;
  const own = main.kind === 'rating' && (main.points ?? 5) !== 5 ? undefined : BAD[main.kind];
  const limit = survey.answered?.bad?.at_most ?? own;
  return limit !== undefined && score <= limit;
}
