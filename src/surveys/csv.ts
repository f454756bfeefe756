import { stringify } from 'csv-stringify/sync';
import type { Database } from '../base/database.ts';
import { type AnswerRow, answersTo, type ResultFilter } from './results.ts';
import type { SurveyDefinition } from './schema.ts';
import type { SurveyRow } from './store.ts';

/** A cell that a spreadsheet would take for a formula is made a text (OWASP, CSV injection). */
const cell = (value: unknown): string => {
  const text = value === undefined || value === null ? '' : Array.isArray(value) ? value.join(' | ') : String(value);
  return typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
};

/** Answers as lines of a file, the questions of the latest version as columns. */
function csvOf(survey: SurveyDefinition, rows: readonly AnswerRow[], head: boolean): string {
  const keys = survey.questions.map(({ key }) => key);
  const fixed = [
    'answered_at',
    'customer_id',
    'customer',
    'email',
    'version',
    'sequence',
    'step',
    'completed_by',
    'score',
  ];
  return stringify([
    ...(head ? [[...fixed, ...keys]] : []),
    ...rows.map((row) => [
      ...[
        row.answered_at.toISOString(),
        row.customer_id,
        cell(row.customer_name),
        cell(row.customer_email),
        row.number,
      ],
      ...[row.sequence, row.step_id, row.completed_by, row.score],
      ...keys.map((key) => cell(row.answers[key])),
    ]),
  ]);
}

/** Rows of the file that are read at once. */
const CSV_PAGE = 1000;

/** The answers to a survey as the text of a file, newest first, one line for each. */
export async function answersCsv(
  db: Database,
  tenantId: string,
  survey: SurveyRow,
  filter: ResultFilter,
): Promise<string> {
  let text = '';
  let before: string | undefined;
  for (let first = true; first || before !== undefined; first = false) {
    const page = { before, limit: CSV_PAGE };
    const rows = await db.tenant(tenantId, (tx) => answersTo(tx, survey.id, filter, page));
    text += csvOf(survey.definition, rows, first);
    before = rows.length === CSV_PAGE ? rows.at(-1)!.id : undefined;
  }
  return text;
}
