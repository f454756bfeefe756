import { dayIn, fill, textIn } from '../consent/texts/index.ts';
import type { Language } from '../settings/schema.ts';
import { endsOf } from '../surveys/context.ts';
import { fieldOf, type Mistake, TEXT_LIMITS } from '../surveys/form.ts';
import { askedOf, scaleOf } from '../surveys/questions.ts';
import type { Answer, Answers, Question, SurveyDefinition } from '../surveys/schema.ts';
import { wordsOf } from '../surveys/setoff.ts';
import { SURVEY_TEXTS } from '../surveys/texts/index.ts';
import { escapeHtml, page } from './pages.ts';

/** Whose page it is, and in which language. */
export interface SurveyPageOf {
  language: Language;
  business: string;
  zone: string;
}

type Texts = SurveyDefinition['title'];

/** A text of the survey; where it is not there in the language of the page, it says which it is in. */
function said(texts: Texts, language: Language): string {
  const text = escapeHtml(textIn(texts, language)).replaceAll('\n', '<br>');
  return texts[language] === undefined && language !== 'en' ? `<span lang="en">${text}</span>` : text;
}

const shown = (of: SurveyPageOf, title: string, body: string): string =>
  page(title, body, { lang: of.language, of: of.business });

/** What a page of questions is made of. */
export interface FormView {
  show: readonly Question[];
  answers: Answers;
  mistakes: ReadonlyMap<string, Mistake>;
  /** What was typed, where it is no answer. */
  typed: Readonly<Record<string, unknown>>;
  /** Questions came up that were not there before. */
  more: boolean;
  /** Nothing is recorded. */
  preview?: boolean;
}

/** The questions, or one of them. */
export function surveyPage(of: SurveyPageOf, survey: SurveyDefinition, view: FormView): string {
  const texts = SURVEY_TEXTS[of.language];
  const steps = survey.layout === 'step_by_step';
  const asked = askedOf(survey.questions, view.answers);
  const at = asked.findIndex(({ key }) => key === view.show[0]?.key);
  const last = !steps || at === asked.length - 1;
  const title = textIn(survey.title, of.language);
  const hidden = (name: string, value: string): string =>
    `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`;
  const body = [
    view.preview ? `<p class="done">${escapeHtml(texts.preview)}</p>` : '',
    summaryOf(of, view),
    view.more ? `<p role="status" class="done">${escapeHtml(texts.more)}</p>` : '',
    survey.intro && (!steps || at <= 0) ? `<p>${said(survey.intro, of.language)}</p>` : '',
    steps ? `<p>${escapeHtml(fill(texts.step, { n: String(at + 1), m: String(Math.max(asked.length, 1)) }))}</p>` : '',
    // Mistakes are told by the page itself, in its own language, whatever the browser speaks.
    `<form method="${view.preview ? 'get' : 'post'}" novalidate>`,
    hidden('shown', view.show.map(({ key }) => key).join(',')),
    ...(view.preview ? keptFields(view, of.language) : []),
    ...view.show.map((question) => questionHtml(of.language, question, view)),
    last ? `<p class="hint">${escapeHtml(texts.final)}</p>` : '',
    // The first button is the one that Enter presses.
    `<button name="do" value="${last ? 'send' : 'next'}">${escapeHtml(last ? texts.send : texts.next)}</button>`,
    steps && at > 0 ? ` <button name="do" value="back">${escapeHtml(texts.back)}</button>` : '',
    '</form>',
  ].join('');
  return shown(of, `${view.mistakes.size > 0 ? texts.errorTitle : ''}${title}`, body);
}

/** A preview keeps nothing: what was given on other pages goes along. */
const keptFields = ({ show, answers }: FormView, language: Language): string[] => {
  const other = Object.entries(answers).filter(([key]) => !show.some((question) => question.key === key));
  const field = (name: string, value: string): string =>
    `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`;
  return [
    field('language', language),
    ...other.flatMap(([key, answer]) =>
      (Array.isArray(answer) ? answer : [answer]).map((one) => field(`kept-${key}`, plainOf(one))),
    ),
  ];
};

const plainOf = (answer: Exclude<Answer, string[]>): string =>
  typeof answer === 'boolean' ? (answer ? 'yes' : 'no') : String(answer);

const wordOf = (question: Question, mistake: Mistake, language: Language): string => {
  const texts = SURVEY_TEXTS[language];
  if (mistake === 'missing') return texts.missing;
  if (mistake === 'not_possible') return texts.notPossible;
  return fill(texts.tooLong, { n: String(TEXT_LIMITS[question.kind as keyof typeof TEXT_LIMITS]) });
};

/** The mistakes at the top, each leading to its question. */
function summaryOf({ language }: SurveyPageOf, { show, mistakes }: FormView): string {
  const wrong = show.filter(({ key }) => mistakes.has(key));
  if (wrong.length === 0) return '';
  const items = wrong.map(
    (question) =>
      `<li><a href="#${firstField(question)}">${said(question.text, language)}</a> ${escapeHtml(wordOf(question, mistakes.get(question.key)!, language))}</li>`,
  );
  return `<div role="alert" class="error"><h2>${escapeHtml(SURVEY_TEXTS[language].problems)}</h2><ul>${items.join('')}</ul></div>`;
}

/** Values and words of what can be chosen. */
function optionsOf(question: Question, language: Language): { value: string; html: string }[] {
  const texts = SURVEY_TEXTS[language];
  const scale = scaleOf(question);
  if (scale)
    return Array.from({ length: scale.most - scale.least + 1 }, (_none, at) => String(scale.least + at)).map(
      (value) => ({ value, html: value }),
    );
  if (question.kind === 'yes_no')
    return [
      { value: 'yes', html: escapeHtml(texts.yes) },
      { value: 'no', html: escapeHtml(texts.no) },
    ];
  return question.choices!.map(({ key, text }) => ({ value: key, html: said(text, language) }));
}

const isText = ({ kind }: Question): boolean => kind === 'short_text' || kind === 'long_text';
const idOf = (question: Question, value: string): string => `${fieldOf(question.key)}-${value}`;

function firstField(question: Question): string {
  return isText(question) ? fieldOf(question.key) : idOf(question, optionsOf(question, 'en')[0]!.value);
}

function questionHtml(language: Language, question: Question, view: FormView): string {
  const texts = SURVEY_TEXTS[language];
  const name = fieldOf(question.key);
  const mistake = view.mistakes.get(question.key);
  const scale = scaleOf(question);
  const ends = scale && endsOf(question, language);
  const notes = [
    question.hint && { id: `${name}-hint`, class: 'hint', html: said(question.hint, language) },
    scale && {
      id: `${name}-ends`,
      class: 'hint',
      html: escapeHtml(fill(texts.ends, { ...ends, least: String(scale.least), most: String(scale.most) })),
    },
    mistake && { id: `${name}-error`, class: 'error', html: escapeHtml(wordOf(question, mistake, language)) },
  ].filter((note) => note !== undefined);
  const described = notes.length > 0 ? ` aria-describedby="${notes.map(({ id }) => id).join(' ')}"` : '';
  const told = notes.map(({ id, class: kind, html }) => `<p class="${kind}" id="${id}">${html}</p>`).join('');
  const legend = `${said(question.text, language)}${question.required ? '' : ` <span class="hint">${escapeHtml(texts.optional)}</span>`}`;
  const marks = `${question.required ? ' required' : ''}${mistake ? ' aria-invalid="true"' : ''}`;
  if (isText(question))
    return `<div class="asked"><label for="${name}">${legend}</label>${told}${textField(question, view, `${marks}${described}`)}</div>`;
  const type = question.kind === 'multiple' ? 'checkbox' : 'radio';
  const given = view.answers[question.key];
  const chosen = new Set(given === undefined ? [] : (Array.isArray(given) ? given : [given]).map(plainOf));
  const boxes = optionsOf(question, language).map(
    ({ value, html }) =>
      `<label class="choice" for="${idOf(question, value)}"><input type="${type}" id="${idOf(question, value)}" name="${name}" value="${escapeHtml(value)}"${chosen.has(value) ? ' checked' : ''}${type === 'radio' ? marks : mistake ? ' aria-invalid="true"' : ''}><span>${html}</span></label>`,
  );
  return `<fieldset${described}><legend>${legend}</legend>${told}<div class="${scale ? 'scale' : 'choices'}">${boxes.join('')}</div></fieldset>`;
}

function textField(question: Question, { answers, mistakes, typed }: FormView, attributes: string): string {
  const name = fieldOf(question.key);
  const raw = mistakes.has(question.key) ? typed[name] : answers[question.key];
  const text = escapeHtml(typeof raw === 'string' ? raw : '');
  const most = TEXT_LIMITS[question.kind as keyof typeof TEXT_LIMITS];
  return question.kind === 'long_text'
    ? `<textarea id="${name}" name="${name}" rows="5" maxlength="${most}"${attributes}>\n${text}</textarea>`
    : `<input type="text" id="${name}" name="${name}" maxlength="${most}" value="${text}"${attributes}>`;
}

/** Questions and answers, to read. */
function listOf({ language }: SurveyPageOf, survey: SurveyDefinition, answers: Answers): string {
  const items = askedOf(survey.questions, answers).map(
    (question) =>
      `<dt>${said(question.text, language)}</dt><dd>${escapeHtml(wordsOf(question, answers[question.key], language)).replaceAll('\n', '<br>')}</dd>`,
  );
  return `<dl>${items.join('')}</dl>`;
}

/** After the answers were taken. */
export function thanksPage(of: SurveyPageOf, survey: SurveyDefinition, answers: Answers): string {
  const texts = SURVEY_TEXTS[of.language];
  return shown(
    of,
    texts.thanksTitle,
    `<p role="status" class="done">${said(survey.thanks, of.language)}</p><h2>${escapeHtml(texts.alreadyTitle)}</h2>${listOf(of, survey, answers)}`,
  );
}

/** Whoever comes again sees what was given. */
export function answeredPage(
  of: SurveyPageOf,
  survey: SurveyDefinition,
  given: { answers: Answers; answeredAt: Date; byPerson: boolean },
): string {
  const texts = SURVEY_TEXTS[of.language];
  const when = fill(given.byPerson ? texts.already : texts.counted, {
    date: dayIn(given.answeredAt, of.language, of.zone),
  });
  return shown(of, texts.alreadyTitle, `<p>${escapeHtml(when)}</p>${listOf(of, survey, given.answers)}`);
}

export function closedPage(of: SurveyPageOf): string {
  const texts = SURVEY_TEXTS[of.language];
  return shown(of, texts.closedTitle, `<p>${escapeHtml(texts.closed)}</p>`);
}

export function examplePage(language: Language): string {
  const texts = SURVEY_TEXTS[language];
  return page(texts.exampleTitle, `<p>${escapeHtml(texts.example)}</p>`, { lang: language, of: '' });
}
