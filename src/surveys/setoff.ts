import type { Tx } from '../base/database.ts';
import { fill, textIn } from '../consent/texts/index.ts';
import type { Language } from '../settings/schema.ts';
import type { InvitationRow } from './invitations.ts';
import type { SurveyPorts } from './ports.ts';
import { scaleOf } from './questions.ts';
import type { Answer, Answered, Answers, Question, SurveyDefinition } from './schema.ts';
import { SURVEY_TEXTS } from './texts/index.ts';

/** An answer that was taken. */
export interface Taken {
  row: Pick<InvitationRow, 'id'>;
  survey: SurveyDefinition;
  answers: Answers;
  score: number | null;
  bad: boolean;
  by: 'person' | 'time';
  customer: { id: string; name: string | null; email: string | null };
  /** The language of the business. */
  language: Language;
}

/** An answer in words. */
export function wordsOf(question: Question, answer: Answer | undefined, language: Language): string {
  const texts = SURVEY_TEXTS[language];
  if (answer === undefined) return texts.noAnswer;
  if (typeof answer === 'boolean') return answer ? texts.yes : texts.no;
  if (typeof answer === 'number')
    return fill(texts.ofScale, { n: String(answer), most: String(scaleOf(question)?.most) });
  const chosen = (key: string): string => {
    const choice = question.choices?.find((one) => one.key === key);
    return choice ? textIn(choice.text, language) : key;
  };
  return Array.isArray(answer) ? answer.map(chosen).join(', ') : chosen(answer);
}

/** The answers as lines for staff: those that were given. */
export const linesOf = ({ survey, answers, language }: Pick<Taken, 'survey' | 'answers' | 'language'>): string =>
  survey.questions
    .filter(({ key }) => answers[key] !== undefined)
    .map((question) => `${textIn(question.text, language)} ${wordsOf(question, answers[question.key], language)}`)
    .join('\n');

type Task = NonNullable<Answered['task']>;
type Notice = NonNullable<Answered['notify']>;

/**
 * Plans everything a survey wants done about an answer, each once for the invitation, in the transaction that takes it.
 * What counted because its days were over gets no reply: nobody wrote just now.
 * @returns what came of each, for the audit trail
 */
export async function setOff(ports: SurveyPorts, tx: Tx, taken: Taken, now: Date): Promise<Record<string, string>> {
  const { survey, bad, customer, row } = taken;
  const { responder, task, notify, bad: worse } = survey.answered ?? {};
  const about = (what: string) => ({ key: `survey:${row.id}:${what}`, customerId: customer.id, survey: survey.key });
  const outcome: Record<string, string> = {};
  const note = (what: string, problem: string | undefined): void => {
    outcome[what] = problem ?? 'planned';
  };
  if (responder && taken.by === 'person') {
    const template = bad ? (responder.bad_template ?? responder.template) : responder.template;
    const { channels } = responder;
    note('responder', await ports.reply(tx, { ...about('responder'), invitation: row.id, template, channels }, now));
  }
  const tell = async (what: string, wish: Notice): Promise<void> => {
    const { title, text } = noticeOf(taken, wish);
    for (const by of wish.by)
      note(`${what}:${by}`, await ports.tell(tx, { ...about(`${what}:${by}`), by, title, text }, now));
  };
  const plan = async (what: string, wish: Task, priority: 'normal' | 'high'): Promise<void> => {
    const { title, body } = taskOf(taken, wish);
    const more = { dueInDays: wish.due_in_days ?? 1, priority: wish.priority ?? priority };
    await ports.task(tx, { ...about(what), title, body, ...more }, now);
    note(what, undefined);
  };
  if (notify) await tell('notice', notify);
  if (task) await plan('task', task, bad ? 'high' : 'normal');
  if (bad && worse?.notify) await tell('bad-notice', worse.notify);
  if (bad && worse?.task) await plan('bad-task', worse.task, 'high');
  if (bad && worse?.tag) {
    await ports.tag(tx, { ...about('bad-tag'), tag: worse.tag }, now);
    note('bad-tag', undefined);
  }
  return outcome;
}

/** Blanks of a text to staff. What a customer wrote is put in as it is: it is no template. */
const filled = (text: string, { customer, survey, score }: Taken): string =>
  fill(text, {
    customer: customer.name ?? customer.email ?? '?',
    survey: survey.name,
    score: score === null ? '-' : String(score),
  });

/** A title is one line, whatever a customer is called. */
const titled = (text: string, taken: Taken): string => cut(filled(text, taken).replace(/\s+/g, ' '), 500);

const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function taskOf(taken: Taken, task: Task): { title: string; body: string } {
  const lines = [task.body && filled(task.body, taken), headOf(taken), linesOf(taken)];
  return {
    title: titled(task.title, taken),
    body: cut(lines.filter((line) => line !== undefined && line !== '').join('\n\n'), 20_000),
  };
}

function noticeOf(taken: Taken, notice: Notice): { title: string; text: string } {
  const texts = SURVEY_TEXTS[taken.language];
  const lines = [notice.text && filled(notice.text, taken), headOf(taken), linesOf(taken)];
  return {
    title: titled(notice.title ?? texts.noticeTitle, taken),
    text: cut(lines.filter((line) => line !== undefined && line !== '').join('\n\n'), 3000),
  };
}

const headOf = (taken: Taken): string => {
  const texts = SURVEY_TEXTS[taken.language];
  return filled(taken.by === 'time' ? `${texts.noticeHead} ${texts.notHandedIn}` : texts.noticeHead, taken);
};
