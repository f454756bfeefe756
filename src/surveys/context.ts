import type { Tx } from '../base/database.ts';
import { languageOf, textIn } from '../consent/texts/index.ts';
import { findCustomer } from '../model/store.ts';
import type { Language } from '../settings/schema.ts';
import { setting } from '../settings/store.ts';
import { findInvitation, invite, type LinkDeps, linkTo } from './invitations.ts';
import { isBad, mainQuestion, scaleOf } from './questions.ts';
import type { Question, SurveyDefinition } from './schema.ts';
import { findSurvey, loadVersion } from './store.ts';
import { SURVEY_TEXTS } from './texts/index.ts';

/** A message that invites to a survey, or replies to an answer. */
export interface Asking {
  /** Key of the survey. */
  survey: string;
  /** The invitation it replies to. */
  invitation?: string | undefined;
  customerId: string;
  address: string;
  step: { runId: string; stepId: string; visit: number } | undefined;
  by: string;
}

/** Thrown with a sentence that says why there is no such link. */
export class NoSurvey extends Error {}

/** Where the links of examples lead. */
export const EXAMPLE = 'preview';

/**
 * What a text can say of a survey, as docs/templates.md lists it: `survey`, and `survey_scale`, whose links have an answer
 * chosen already. The invitation is made in this transaction,
 * once for its step; a message of no enrolment has an example of a link.
 * @throws NoSurvey when there is no such survey or it is closed
 */
export async function surveyValues(
  deps: LinkDeps,
  tx: Tx,
  asking: Asking,
  now: Date,
): Promise<Record<string, unknown>> {
  const survey = await findSurvey(tx, asking.survey);
  if (!survey) throw new NoSurvey(`there is no survey "${asking.survey}"`);
  const { country } = await setting(tx, 'business');
  const customer = await findCustomer(tx, asking.customerId);
  const language = languageOf({ locale: customer?.locale as string | null | undefined, country });
  if (asking.invitation) {
    const row = await findInvitation(tx, asking.invitation);
    const definition = row && (await loadVersion(tx, row.survey_id, row.number));
    if (!row || !definition) throw new NoSurvey('the invitation to the survey is gone');
    const score = row.score === null ? null : Number(row.score);
    const told = score === null ? {} : { score, verdict: isBad(definition, score) ? 'bad' : 'good' };
    return said(definition, language, await linkTo(deps, tx, row, now), told);
  }
  if (survey.state === 'closed') throw new NoSurvey(`the survey "${asking.survey}" is closed`);
  if (!asking.step || !(await isRun(tx, asking.step.runId)))
    return said(survey.definition, language, `${deps.publicUrl}/s/${EXAMPLE}`);
  const row = await invite(tx, survey, asking, now);
  const definition = (await loadVersion(tx, row.survey_id, row.number))!;
  return said(definition, language, await linkTo(deps, tx, row, now));
}

/**
 * What a text can say of a survey when nobody is invited: with an example of a link.
 * @returns undefined when there is no such survey
 */
export async function surveyExample(
  tx: Tx,
  publicUrl: string,
  key: string,
  language: Language,
): Promise<Record<string, unknown> | undefined> {
  const survey = await findSurvey(tx, key);
  return survey && said(survey.definition, language, `${publicUrl}/s/${EXAMPLE}`);
}

/** What is only imagined has no enrolment, and nobody is invited by it. */
const isRun = async (tx: Tx, runId: string): Promise<boolean> =>
  (await tx.query('select from run where tenant_id = $1 and id = $2', [tx.tenantId, runId])).rowCount === 1;

function said(
  survey: SurveyDefinition,
  language: Language,
  link: string,
  told: Record<string, unknown> = {},
): Record<string, unknown> {
  const main = mainQuestion(survey);
  const scale = main ? valuesOf(main, language).map((one) => ({ ...one, link: `${link}?a=${one.value}` })) : [];
  const question = main ? { question: textIn(main.text, language) } : {};
  return { survey: { title: textIn(survey.title, language), link, ...question, ...told }, survey_scale: scale };
}

/** The values of a scale, the ends with what they mean. */
function valuesOf(question: Question, language: Language): { value: number; label: string }[] {
  const { least, most } = scaleOf(question)!;
  const { low, high } = endsOf(question, language);
  return Array.from({ length: most - least + 1 }, (_none, at) => {
    const value = least + at;
    return { value, label: value === least ? low : value === most ? high : String(value) };
  });
}

/** What the ends of a scale mean, in the survey's words or ours. */
export function endsOf(question: Question, language: Language): { low: string; high: string } {
  const texts = SURVEY_TEXTS[language];
  const own = { nps: [texts.npsLow, texts.npsHigh], csat: [texts.csatLow, texts.csatHigh] }[question.kind as string];
  const [low, high] = own ?? [texts.ratingLow, texts.ratingHigh];
  return {
    low: question.low ? textIn(question.low, language) : low!,
    high: question.high ? textIn(question.high, language) : high!,
  };
}
