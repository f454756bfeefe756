import type { Tx } from '../base/database.ts';
import { HUB_STREAM } from './answer.ts';
import { mainQuestion } from './questions.ts';
import type { Answers, SurveyDefinition } from './schema.ts';

/** Which answers are looked at: from an instant up to another, of one sequence. */
export interface ResultFilter {
  from?: Date | undefined;
  to?: Date | undefined;
  sequenceId?: string | undefined;
}

/** NPS is 0 to 10, of which 9 and 10 are promoters and 0 to 6 detractors (Reichheld 2003). */
const PROMOTER = 9;
const DETRACTOR = 6;

/** What scores come to. */
export interface Scores {
  n: number;
  /** Mean of the scores, two decimals; null: there is none. */
  average: number | null;
  /** Share of promoters minus share of detractors, -100 to 100, whole; null without an NPS question or answer. */
  nps: number | null;
  promoters: number;
  detractors: number;
}

interface ScoreRow {
  n: number;
  average: string | null;
  promoters: number;
  detractors: number;
}

const SCORES = `count(i.score)::int as n, round(avg(i.score), 2) as average,
  (count(*) filter (where i.score >= ${PROMOTER}))::int as promoters, (count(*) filter (where i.score <= ${DETRACTOR}))::int as detractors`;

const toScores = (row: ScoreRow, isNps: boolean): Scores => ({
  n: row.n,
  average: row.average === null ? null : Number(row.average),
  nps: isNps && row.n > 0 ? Math.round(((row.promoters - row.detractors) * 100) / row.n) : null,
  promoters: isNps ? row.promoters : 0,
  detractors: isNps ? row.detractors : 0,
});

const FROM = `survey_invitation i left join run r on r.tenant_id = $1 and r.id = i.run_id
  where i.tenant_id = $1 and i.survey_id = $2 and ($5::uuid is null or r.sequence_id = $5)`;
const ANSWERED = `${FROM} and i.state = 'answered' and ($3::timestamptz is null or i.answered_at >= $3) and ($4::timestamptz is null or i.answered_at < $4)`;

const valuesOf = (tx: Tx, surveyId: string, filter: ResultFilter): unknown[] => [
  tx.tenantId,
  surveyId,
  filter.from ?? null,
  filter.to ?? null,
  filter.sequenceId ?? null,
];

export interface Results {
  /** People whose invitation went out, or was made by hand; in the time looked at. */
  invited: number;
  started: number;
  answered: number;
  /** Handed in because the days were over. */
  countedByTime: number;
  scores: Scores;
  questions: { key: string; answered: number; values: { value: string; n: number }[] }[];
  periods: ({ from: string } & Scores)[];
  steps: ({ sequence: string | null; step: string | null } & Scores)[];
}

/**
 * What the answers to a survey come to, over all its versions. Answers of people who were erased are gone, their score
 * stays in the numbers.
 * @param unit length of the periods, on the calendar of `zone`
 */
export async function resultsOf(
  tx: Tx,
  surveyId: string,
  survey: SurveyDefinition,
  filter: ResultFilter,
  unit: 'day' | 'week' | 'month',
  zone: string,
): Promise<Results> {
  const values = valuesOf(tx, surveyId, filter);
  const isNps = mainQuestion(survey)?.kind === 'nps';
  // An invitation counts when its message went out: one that is still waiting, or never could be sent, asked nobody.
  const { rows: counts } = await tx.query<{ invited: number; started: number; answered: number; timed: number }>(
    `select (count(*) filter (where i.run_id is null or i.state <> 'open' or exists (select from action_request q
         where q.tenant_id = $1 and q.run_id = i.run_id and q.step_id = i.step_id and q.visit = i.visit and q.state = 'sent')))::int as invited,
       (count(*) filter (where i.state <> 'open'))::int as started, (count(*) filter (where i.state = 'answered'))::int as answered,
       (count(*) filter (where i.completed_by = 'time'))::int as timed
     from ${FROM} and ($3::timestamptz is null or i.created_at >= $3) and ($4::timestamptz is null or i.created_at < $4)`,
    values,
  );
  const { rows: scores } = await tx.query<ScoreRow>(`select ${SCORES} from ${ANSWERED}`, values);
  const { rows: periods } = await tx.query<ScoreRow & { from: string }>(
    `select to_char(date_trunc($6, i.answered_at at time zone $7), 'YYYY-MM-DD') as "from", ${SCORES} from ${ANSWERED} group by 1 order by 1`,
    [...values, unit, zone],
  );
  const { rows: steps } = await tx.query<ScoreRow & { sequence: string | null; step: string | null }>(
    `select (select s.key from sequence s where s.tenant_id = $1 and s.id = r.sequence_id) as sequence, i.step_id as step, ${SCORES}
     from ${ANSWERED} group by r.sequence_id, i.step_id order by 1 nulls last, 2`,
    values,
  );
  return {
    ...{ invited: counts[0]!.invited, started: counts[0]!.started, answered: counts[0]!.answered },
    countedByTime: counts[0]!.timed,
    scores: toScores(scores[0]!, isNps),
    questions: await distributions(tx, survey, values),
    periods: periods.map((row) => ({ from: row.from, ...toScores(row, isNps) })),
    steps: steps.map((row) => ({ sequence: row.sequence, step: row.step, ...toScores(row, isNps) })),
  };
}

/** How often each value was given, question by question; of texts only how many there are. */
async function distributions(
  tx: Tx,
  survey: SurveyDefinition,
  values: readonly unknown[],
): Promise<Results['questions']> {
  const { rows } = await tx.query<{ key: string; value: string | null; n: number }>(
    `select a.key, case when a.key = any($6::text[]) then null else e.value end as value, count(*)::int as n
     from (select i.answers from ${ANSWERED}) i cross join lateral jsonb_each(i.answers) a
       cross join lateral jsonb_array_elements_text(case when jsonb_typeof(a.value) = 'array' then a.value else jsonb_build_array(a.value) end) e(value)
     group by 1, 2 order by 1, 2`,
    [...values, survey.questions.filter(({ kind }) => kind.endsWith('_text')).map(({ key }) => key)],
  );
  const { rows: given } = await tx.query<{ key: string; n: number }>(
    `select a.key, count(*)::int as n from (select i.answers from ${ANSWERED}) i cross join lateral jsonb_each(i.answers) a group by 1`,
    [...values],
  );
  const inOrder = (a: { value: string }, b: { value: string }): number =>
    Number(a.value) - Number(b.value) || (a.value < b.value ? -1 : 1);
  // What only an earlier version asked comes behind.
  const keys = [...new Set([...survey.questions.map(({ key }) => key), ...given.map(({ key }) => key).sort()])];
  return keys.map((key) => ({
    key,
    answered: given.find((row) => row.key === key)?.n ?? 0,
    values: rows
      .flatMap((row) => (row.key === key && row.value !== null ? [{ value: row.value, n: row.n }] : []))
      .sort(inOrder),
  }));
}

export interface AnswerRow {
  id: string;
  number: number;
  customer_id: string;
  customer_name: string | null;
  customer_email: string | null;
  sequence: string | null;
  step_id: string | null;
  answers: Answers;
  score: string | null;
  comment: string | null;
  completed_by: 'person' | 'time';
  answered_at: Date;
}

/**
 * Answers that were handed in, newest first.
 * @param page `before` is the last id of the page before; `commented`: only those with a comment
 */
export async function answersTo(
  tx: Tx,
  surveyId: string,
  filter: ResultFilter,
  page: { before?: string | undefined; limit: number; commented?: boolean | undefined },
): Promise<AnswerRow[]> {
  const { rows } = await tx.query<AnswerRow>(
    `select i.id, i.number, coalesce(f.customer_id, i.customer_id) as customer_id, c.name as customer_name, c.email as customer_email,
       (select s.key from sequence s where s.tenant_id = $1 and s.id = r.sequence_id) as sequence, i.step_id, i.answers, i.score, f.comment, i.completed_by, i.answered_at
     from survey_invitation i left join run r on r.tenant_id = $1 and r.id = i.run_id
       left join survey_response f on f.tenant_id = $1 and f.stream_id = $8 and f.remote_id = i.id::text
       left join customer c on c.tenant_id = $1 and c.id = coalesce(f.customer_id, i.customer_id)
     where i.tenant_id = $1 and i.survey_id = $2 and ($5::uuid is null or r.sequence_id = $5) and i.state = 'answered'
       and ($3::timestamptz is null or i.answered_at >= $3) and ($4::timestamptz is null or i.answered_at < $4)
       and ($6::uuid is null or (i.answered_at, i.id) < (select b.answered_at, b.id from survey_invitation b where b.tenant_id = $1 and b.id = $6))
       and ($9::boolean is not true or f.comment is not null)
     order by i.answered_at desc, i.id desc limit $7`,
    [...valuesOf(tx, surveyId, filter), page.before ?? null, page.limit, HUB_STREAM, page.commented ?? null],
  );
  return rows;
}
