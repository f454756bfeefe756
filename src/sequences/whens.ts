import { plain } from '../triggers/match.ts';
import { causesOf } from './causes.ts';
import { thoseWho } from './conditions.ts';
import type { Moment, Work } from './moments.ts';
import { classOf } from './schema.ts';
import type { When } from './tests.schema.ts';

/** A test, and the enrolment it is asked of. */
export interface Question {
  moment: Moment;
  when: When;
}

type Compared = Pick<NonNullable<When['answer']>, 'is' | 'at_least' | 'at_most'>;

/** Whether a value is as asked: words in any spelling of case, numbers as numbers. What is not known is nothing. */
export function compares(value: unknown, { is, at_least, at_most }: Compared): boolean {
  if (value === null || value === undefined || value === '') return false;
  if (is !== undefined) {
    const same = typeof is === 'number' ? Number(value) === is : plain(value) === plain(is);
    if (!(Array.isArray(value) ? value.some((item) => plain(item) === plain(is)) : same)) return false;
  }
  const number = Number(value);
  if (at_least !== undefined && !(number >= at_least)) return false;
  return at_most === undefined || number <= at_most;
}

/** Whether each test holds now. Everything that is named in one must hold. */
export async function holds(work: Work, asked: readonly Question[]): Promise<boolean[]> {
  const held = asked.map(() => true);
  for (const judge of [byCondition, byReach, byOutcome, byTrigger, byAnswer]) {
    // What failed already is not asked again.
    const open = asked.flatMap((question, at) => (held[at] ? [{ ...question, at }] : []));
    for (const at of await judge(work, open)) held[at] = false;
  }
  return held;
}

type Open = Question & { at: number };
/** Answers which of the questions fail. */
type Judge = (work: Work, open: readonly Open[]) => Promise<number[]>;

const places = (questions: readonly Open[]): number[] => questions.map(({ at }) => at);

const byCondition: Judge = async ({ tx, now }, open) => {
  const groups = new Map<string, Open[]>();
  for (const question of open)
    if (question.when.condition !== undefined) {
      const key = JSON.stringify(question.when.condition);
      groups.set(key, [...(groups.get(key) ?? []), question]);
    }
  const failed: number[] = [];
  for (const group of groups.values()) {
    const customers = group.map(({ moment }) => moment.run.customer_id);
    const those = await thoseWho(tx, group[0]!.when.condition, customers, now);
    failed.push(...places(group.filter(({ moment }) => !those.has(moment.run.customer_id))));
  }
  return failed;
};

const byReach: Judge = async ({ ports, tx, now }, open) => {
  const asked = open.filter(({ when }) => when.reachable);
  if (asked.length === 0) return [];
  const reached = await ports.reachable(
    tx,
    asked.map(({ moment: { run, definition }, when }) => ({
      customerId: run.customer_id,
      channels: when.reachable!,
      class: classOf(definition),
      topic: definition.topic,
    })),
    now,
  );
  return places(asked.filter((_, index) => !reached[index]));
};

const byOutcome: Judge = async (work, open) => {
  const asked = open.filter(({ when }) => when.outcome);
  if (asked.length === 0) return [];
  const outcomes = await work.outcomes(
    asked.map(({ moment, when }) => ({ runId: moment.run.id, stepId: when.outcome!.step })),
  );
  return places(asked.filter(({ when }, index) => !when.outcome!.is.includes(outcomes[index] ?? '')));
};

const byTrigger: Judge = async ({ tx }, open) => {
  const asked = open.filter(({ when }) => when.trigger);
  if (asked.length === 0) return [];
  const causes = await causesOf(
    tx,
    asked.map(({ moment }) => moment.run),
  );
  return places(
    asked.filter(({ moment, when }) => {
      const { name, data, ...wanted } = when.trigger!;
      const cause = causes.get(moment.run.id);
      if (name !== undefined && (cause?.trigger_name ?? moment.run.cause.trigger) !== name) return true;
      return data !== undefined && !compares(cause?.data[data], wanted);
    }),
  );
};

const byAnswer: Judge = async ({ tx }, open) => {
  const asked = open.filter(({ when }) => when.answer);
  if (asked.length === 0) return [];
  const { rows } = await tx.query<{
    customer_id: string;
    survey: string | null;
    score: string | null;
    answers: unknown;
    answered_at: Date;
  }>(
    `select customer_id, survey, score, answers, answered_at from survey_response
     where tenant_id = $1 and customer_id = any($2) and deleted_at is null order by answered_at desc, entity_id`,
    [tx.tenantId, [...new Set(asked.map(({ moment }) => moment.run.customer_id))]],
  );
  return places(
    asked.filter(({ moment: { run }, when }) => {
      const { survey, question, ...wanted } = when.answer!;
      const latest = rows.find(
        (row) =>
          row.customer_id === run.customer_id &&
          row.answered_at >= run.started_at &&
          (survey === undefined || plain(row.survey) === plain(survey)),
      );
      return !latest || !compares(question === undefined ? latest.score : answerTo(latest.answers, question), wanted);
    }),
  );
};

/** The answer to a question, however the survey keeps its answers: by question, or as a list of both. */
export function answerTo(answers: unknown, question: string): unknown {
  if (Array.isArray(answers)) {
    const found = answers.find(
      (item: Record<string, unknown> | null) => plain(item?.question ?? item?.id ?? item?.key) === plain(question),
    ) as Record<string, unknown> | undefined;
    return found?.answer ?? found?.value;
  }
  if (answers === null || typeof answers !== 'object') return undefined;
  const value = Object.entries(answers).find(([key]) => plain(key) === plain(question))?.[1] as unknown;
  return value !== null && typeof value === 'object' && 'value' in value ? (value as { value: unknown }).value : value;
}
