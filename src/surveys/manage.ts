import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { conflict, invalid, notFound, type Problem, stale } from '../base/errors.ts';
import { surveyErrors } from './check.ts';
import type { SurveyDefinition } from './schema.ts';
import {
  addSurveyVersion,
  deleteSurvey,
  findSurvey,
  insertSurvey,
  listSurveys,
  type SurveyRow,
  setSurveyState,
} from './store.ts';

interface Meta {
  actor: string;
  at: Date;
  /** Keys of the texts there are. */
  templates: ReadonlySet<string>;
}

/** @param name id or key @throws Problem 404 */
export async function surveyNamed(tx: Tx, name: string): Promise<SurveyRow> {
  const row = await findSurvey(tx, name);
  if (!row) throw notFound('survey', name);
  return row;
}

/** Keys of the surveys there are: what a sequence may name. */
export const surveyKeys = async (tx: Tx): Promise<Set<string>> =>
  new Set((await listSurveys(tx)).map(({ key }) => key));

/** @throws Problem with the place of every mistake */
function checked(definition: unknown, templates: ReadonlySet<string>): SurveyDefinition {
  const errors = surveyErrors(definition, templates);
  if (errors.length > 0)
    throw invalid(
      `The survey cannot be asked like this: ${errors.map(({ path, message }) => `${path} ${message}`).join('; ')}`,
      errors,
    );
  return definition as SurveyDefinition;
}

const taken = (key: string): Problem =>
  conflict(`There is a survey "${key}" already.`, 'Choose another key, or change that survey.');

/** @throws Problem when the definition has mistakes or its key is taken */
export async function createSurvey(tx: Tx, definition: unknown, meta: Meta): Promise<SurveyRow> {
  const survey = checked(definition, meta.templates);
  const id = await insertSurvey(tx, survey, { by: meta.actor, now: meta.at });
  if (!id) throw taken(survey.key);
  await note(tx, id, 'survey.created', { definition: survey }, meta);
  return surveyNamed(tx, id);
}

/**
 * Saves an edit as a new version. Who was invited before goes on with the version they were asked with.
 * @throws Problem when it changed meanwhile, has mistakes or another key
 */
export async function changeSurvey(
  tx: Tx,
  id: string,
  definition: unknown,
  meta: Meta & { expected: number },
): Promise<SurveyRow> {
  const before = await surveyNamed(tx, id);
  const survey = checked(definition, meta.templates);
  if (survey.key !== before.key)
    throw invalid('The key of a survey does not change.', [{ path: 'key', message: `must stay "${before.key}"` }]);
  const saved = { by: meta.actor, now: meta.at, expected: meta.expected };
  if ((await addSurveyVersion(tx, before.id, survey, saved)) === undefined) throw stale('survey');
  await note(tx, before.id, 'survey.changed', { before: before.definition, after: survey }, meta);
  return surveyNamed(tx, id);
}

/** Closes a survey: its links say so and take nothing. Or opens it again. @throws Problem when it changed meanwhile */
export async function switchSurvey(
  tx: Tx,
  id: string,
  state: 'open' | 'closed',
  meta: Omit<Meta, 'templates'> & { expected: number },
): Promise<SurveyRow> {
  const { id: own } = await surveyNamed(tx, id);
  if (!(await setSurveyState(tx, own, { state, expected: meta.expected, now: meta.at }))) throw stale('survey');
  await note(tx, own, state === 'open' ? 'survey.opened' : 'survey.closed', {}, meta);
  return surveyNamed(tx, own);
}

/**
 * Removes a survey nobody was ever invited to.
 * @param users titles of what names it
 * @throws Problem when somebody was, something names it, or it changed meanwhile
 */
export async function removeSurvey(
  tx: Tx,
  id: string,
  users: readonly string[],
  meta: Omit<Meta, 'templates'> & { expected: number },
): Promise<void> {
  const row = await surveyNamed(tx, id);
  if (row.version !== meta.expected) throw stale('survey');
  if (users.length > 0)
    throw conflict(`"${row.definition.name}" is asked by ${users.join(', ')}.`, 'Change those sequences first.');
  if (!(await deleteSurvey(tx, row.id, meta.expected)))
    throw conflict(
      'People were invited to this survey, and their answers stay.',
      'Close it instead: POST /v1/surveys/{id}/close.',
    );
  await note(tx, row.id, 'survey.deleted', { definition: row.definition }, meta);
}

/** Surveys that come with a playbook: those that are there already stay as they were edited. */
export async function putSurveys(
  tx: Tx,
  surveys: readonly SurveyDefinition[],
  meta: Omit<Meta, 'templates'>,
): Promise<void> {
  for (const survey of surveys) {
    const id = await insertSurvey(tx, survey, { by: meta.actor, now: meta.at });
    if (id) await note(tx, id, 'survey.created', { definition: survey }, meta);
  }
}

const note = (
  tx: Tx,
  id: string,
  action: string,
  data: Record<string, unknown>,
  { actor, at }: Pick<Meta, 'actor' | 'at'>,
): Promise<void> => appendEvents(tx, [{ actor, action, subject: { kind: 'survey', id }, data, at }]);
