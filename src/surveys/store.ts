import { one, type Tx } from '../base/database.ts';
import { isId, newId } from '../base/ids.ts';
import type { SurveyDefinition } from './schema.ts';

export interface SurveyRow {
  id: string;
  key: string;
  state: 'open' | 'closed';
  latest_version: number;
  created_at: Date;
  updated_at: Date;
  version: number;
  /** Of the latest version. */
  definition: SurveyDefinition;
}

const SURVEY = `select s.id, s.key, s.state, s.latest_version, s.created_at, s.updated_at, s.version, v.definition
  from survey s join survey_version v on v.tenant_id = $1 and v.survey_id = s.id and v.number = s.latest_version where s.tenant_id = $1`;

/** Every survey with its latest version, by key. */
export async function listSurveys(tx: Tx): Promise<SurveyRow[]> {
  return (await tx.query<SurveyRow>(`${SURVEY} order by s.key`, [tx.tenantId])).rows;
}

/** @param name id or key */
export async function findSurvey(tx: Tx, name: string): Promise<SurveyRow | undefined> {
  return one(await tx.query<SurveyRow>(`${SURVEY} and ${isId(name) ? 's.id' : 's.key'} = $2`, [tx.tenantId, name]));
}

/** What a survey asked in one of its versions. */
export async function loadVersion(tx: Tx, surveyId: string, number: number): Promise<SurveyDefinition | undefined> {
  return one(
    await tx.query<{ definition: SurveyDefinition }>(
      'select definition from survey_version where tenant_id = $1 and survey_id = $2 and number = $3',
      [tx.tenantId, surveyId, number],
    ),
  )?.definition;
}

interface Saved {
  by: string;
  now: Date;
}

/** @returns the id, or undefined when the key is taken */
export async function insertSurvey(
  tx: Tx,
  definition: SurveyDefinition,
  { by, now }: Saved,
): Promise<string | undefined> {
  const id = newId();
  const { rowCount } = await tx.query(
    `insert into survey (tenant_id, id, key, state, latest_version, created_at, created_by, updated_at)
     values ($1, $2, $3, 'open', 1, $4, $5, $4) on conflict (tenant_id, key) do nothing`,
    [tx.tenantId, id, definition.key, now, by],
  );
  if (rowCount === 0) return undefined;
  await insertVersion(tx, id, 1, definition, { by, now });
  return id;
}

async function insertVersion(
  tx: Tx,
  id: string,
  number: number,
  definition: SurveyDefinition,
  { by, now }: Saved,
): Promise<void> {
  await tx.query(
    'insert into survey_version (tenant_id, survey_id, number, definition, created_at, created_by) values ($1, $2, $3, $4, $5, $6)',
    [tx.tenantId, id, number, definition, now, by],
  );
}

/** Adds a version to a survey whose row version is the expected one. @returns its number, or undefined */
export async function addSurveyVersion(
  tx: Tx,
  id: string,
  definition: SurveyDefinition,
  saved: Saved & { expected: number },
): Promise<number | undefined> {
  const row = one(
    await tx.query<{ latest_version: number }>(
      `update survey set latest_version = latest_version + 1, updated_at = $4, version = version + 1
       where tenant_id = $1 and id = $2 and version = $3 returning latest_version`,
      [tx.tenantId, id, saved.expected, saved.now],
    ),
  );
  if (!row) return undefined;
  await insertVersion(tx, id, row.latest_version, definition, saved);
  return row.latest_version;
}

/** Closes a survey or opens it again. @returns whether its version was the expected one */
export async function setSurveyState(
  tx: Tx,
  id: string,
  change: { state: SurveyRow['state']; expected: number; now: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    'update survey set state = $3, updated_at = $5, version = version + 1 where tenant_id = $1 and id = $2 and version = $4',
    [tx.tenantId, id, change.state, change.expected, change.now],
  );
  return rowCount === 1;
}

/** Removes a survey nobody was invited to. @returns whether it was removed */
export async function deleteSurvey(tx: Tx, id: string, expected: number): Promise<boolean> {
  const { rowCount } = await tx.query(
    `delete from survey where tenant_id = $1 and id = $2 and version = $3
       and not exists (select from survey_invitation i where i.tenant_id = $1 and i.survey_id = $2)`,
    [tx.tenantId, id, expected],
  );
  if (rowCount === 1)
    await tx.query('delete from survey_version where tenant_id = $1 and survey_id = $2', [tx.tenantId, id]);
  return rowCount === 1;
}
