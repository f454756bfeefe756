import { type Static, Type } from 'typebox';
import type { Database, Tx } from '../base/database.ts';
import { invalid } from '../base/errors.ts';
import { words } from '../base/schema.ts';
import { addDays, instantOf, isLocalDate } from '../base/time.ts';
import { languageOf } from '../consent/texts/index.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, PageQuery, pageOf, ref, toPage } from '../http/helpers.ts';
import { surveyPage, thanksPage } from '../http/survey.ts';
import { findSequence } from '../sequences/store.ts';
import { LANGUAGES } from '../settings/schema.ts';
import { setting, tenantZone } from '../settings/store.ts';
import { answersCsv } from './csv.ts';
import { firstShown, readForm, shownIn, turn } from './form.ts';
import { surveyNamed } from './manage.ts';
import { type AnswerRow, answersTo, type ResultFilter, resultsOf } from './results.ts';
import { SurveyParams } from './routes.ts';
import { SurveyAnswer, type SurveyDefinition, SurveyResults } from './schema.ts';
import type { SurveyRow } from './store.ts';

const Range = {
  from: Type.Optional(Type.String({ format: 'date', description: 'First day, in the zone of the business' })),
  to: Type.Optional(Type.String({ format: 'date', description: 'Last day' })),
  sequence: Type.Optional(Type.String({ maxLength: 60, description: 'Id or key of a sequence' })),
};

type Ranged = { from?: string; to?: string; sequence?: string };

/** @throws Problem when a day is none, or there is no such sequence */
async function filterOf(tx: Tx, { from, to, sequence }: Ranged, zone: string): Promise<ResultFilter> {
  for (const [path, day] of Object.entries({ from, to }))
    if (day !== undefined && !isLocalDate(day))
      throw invalid(`"${day}" is not a day of the calendar.`, [{ path, message: 'must be YYYY-MM-DD' }]);
  const found = sequence === undefined ? undefined : await findSequence(tx, sequence);
  if (sequence !== undefined && !found)
    throw invalid(`There is no sequence "${sequence}".`, [{ path: 'sequence', message: 'must be an id or key' }]);
  return {
    from: from ? instantOf(from, '00:00', zone) : undefined,
    to: to ? instantOf(addDays(to, 1), '00:00', zone) : undefined,
    sequenceId: found?.id,
  };
}

const toAnswer = (row: AnswerRow): Static<typeof SurveyAnswer> => ({
  id: row.id,
  customerId: row.customer_id,
  customer: row.customer_name ?? row.customer_email,
  version: row.number,
  sequence: row.sequence,
  step: row.step_id,
  score: row.score === null ? null : Number(row.score),
  comment: row.comment,
  answers: row.answers,
  completedBy: row.completed_by,
  answeredAt: row.answered_at.toISOString(),
});

/** Mean and NPS of one question, from how often each value was given. */
function ofQuestion(
  survey: SurveyDefinition,
  { key, values, answered }: { key: string; answered: number; values: { value: string; n: number }[] },
): Static<typeof SurveyResults>['questions'][number] {
  const question = survey.questions.find((one) => one.key === key);
  const scaled = question && ['nps', 'csat', 'rating'].includes(question.kind) ? values : [];
  const n = scaled.reduce((sum, one) => sum + one.n, 0);
  const sum = (fits: (value: number) => boolean): number =>
    scaled.reduce((total, one) => total + (fits(Number(one.value)) ? one.n : 0), 0);
  const mean = scaled.reduce((total, one) => total + Number(one.value) * one.n, 0) / n;
  return {
    ...{ key, answered, values, kind: question?.kind ?? null, text: question?.text.en ?? null },
    average: n === 0 ? null : Math.round(mean * 100) / 100,
    nps: n === 0 || question?.kind !== 'nps' ? null : Math.round(((sum((v) => v >= 9) - sum((v) => v <= 6)) * 100) / n),
  };
}

/** What came of a survey, and how its page looks. */
export function surveyResultRoutes(app: App, deps: { db: Database }): void {
  app.get(
    '/v1/surveys/:id/results',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['surveys'],
        summary: 'What the answers come to: in all, by question, by period and by the step that asked',
        params: SurveyParams,
        querystring: Type.Object({ ...Range, by: Type.Optional(words(['day', 'week', 'month'])) }),
        response: { 200: ref(SurveyResults) },
      },
    },
    async (request) =>
      deps.db.tenant(caller(request).tenantId, async (tx) => {
        const { id, definition } = await surveyNamed(tx, request.params.id);
        const zone = await tenantZone(tx);
        const filter = await filterOf(tx, request.query, zone);
        const results = await resultsOf(tx, id, definition, filter, request.query.by ?? 'month', zone);
        return { ...results, questions: results.questions.map((one) => ofQuestion(definition, one)) };
      }),
  );

  app.get(
    '/v1/surveys/:id/answers',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['surveys'],
        summary: 'Answers that were handed in, newest first',
        params: SurveyParams,
        querystring: Type.Object({
          ...{ ...PageQuery.properties, ...Range },
          commented: Type.Optional(Type.Boolean({ description: 'Only those with a comment' })),
        }),
        response: { 200: pageOf(ref(SurveyAnswer)) },
      },
    },
    async (request) => {
      const { cursor, limit, commented } = request.query;
      const rows = await deps.db.tenant(caller(request).tenantId, async (tx) => {
        const { id } = await surveyNamed(tx, request.params.id);
        const filter = await filterOf(tx, request.query, await tenantZone(tx));
        return answersTo(tx, id, filter, { before: cursorId(cursor), limit: limit + 1, commented });
      });
      return toPage(rows, limit, toAnswer);
    },
  );

  app.get(
    '/v1/surveys/:id/answers.csv',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['surveys'],
        summary: 'The same as a file',
        params: SurveyParams,
        querystring: Type.Object(Range),
        produces: ['text/csv'],
      },
    },
    async (request, reply) => {
      const { tenantId } = caller(request);
      const { survey, filter } = await deps.db.tenant(tenantId, async (tx) => ({
        survey: await surveyNamed(tx, request.params.id),
        filter: await filterOf(tx, request.query, await tenantZone(tx)),
      }));
      const text = await answersCsv(deps.db, tenantId, survey, filter);
      return reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', `attachment; filename="${survey.key}.csv"`)
        .send(text);
    },
  );

  app.get(
    '/v1/surveys/:id/preview',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['surveys'],
        summary: 'The page as the customer sees it; it can be filled in, and nothing is recorded',
        params: SurveyParams,
        querystring: Type.Object({ language: Type.Optional(words(LANGUAGES)) }, { additionalProperties: true }),
      },
    },
    async (request, reply) => {
      const { survey, of } = await deps.db.tenant(caller(request).tenantId, async (tx) => {
        const { name, zone, country } = await setting(tx, 'business');
        const language = request.query.language ?? languageOf({ country });
        return { survey: await surveyNamed(tx, request.params.id), of: { language, business: name, zone } };
      });
      return reply
        .type('text/html')
        .header('cache-control', 'no-store')
        .send(previewOf(survey, of, request.query));
    },
  );
}

function previewOf(
  { definition }: SurveyRow,
  of: Parameters<typeof surveyPage>[0],
  query: Record<string, unknown>,
): string {
  const kept = Object.fromEntries(
    Object.entries(query).flatMap(([name, value]) =>
      name.startsWith('kept-') ? [[name.replace('kept-', 'q-'), value]] : [],
    ),
  );
  const everything = definition.questions.map(({ key }) => key).join(',');
  const { answers } = readForm(definition, {}, { ...kept, shown: everything });
  if (shownIn(query).length === 0)
    return surveyPage(of, definition, {
      ...{ show: firstShown(definition, {}), answers: {}, mistakes: new Map(), typed: {}, more: false, preview: true },
    });
  const next = turn(definition, answers, query);
  return next.done
    ? thanksPage(of, definition, next.answers)
    : surveyPage(of, definition, { ...next, typed: query, preview: true });
}
