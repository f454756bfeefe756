import { answeredSql } from '../model/dates.ts';
import { type Days, moved } from './calendar.ts';
import { rowsOf } from './related.ts';
import type { Statement } from './statement.ts';
import type { Act, Range, Related, TestName } from './types.ts';
import { dateWithin, instantWithin, type Predicate } from './values.ts';

interface Sign {
  kind: Related;
  /** The field that says when it was. */
  on: string;
  instant?: true;
  /** Which rows count. */
  such: (row: string) => string;
  /** The fields that decide it. */
  fields: readonly string[];
}

/** Rows that show each act, the same that end a customer's inactivity (`model/dates.ts`). */
const SHOWN_BY: Record<Act, readonly Sign[]> = {
  purchase: [
    {
      kind: 'invoice',
      on: 'issued_on',
      such: (row) => `${row}.status not in ('draft', 'void', 'credited')`,
      fields: ['issued_on', 'status', 'duplicate_of'],
    },
    {
      kind: 'payment',
      on: 'paid_on',
      such: (row) => `${row}.status = 'succeeded' and coalesce(${row}.kind, 'payment') = 'payment'`,
      fields: ['paid_on', 'status', 'kind'],
    },
  ],
  job: [
    {
      kind: 'job',
      on: 'completed_on',
      such: (row) => `${row}.status = 'completed'`,
      fields: ['completed_on', 'status'],
    },
  ],
  answer: [
    {
      kind: 'activity',
      on: 'occurred_at',
      instant: true,
      such: answeredSql,
      fields: ['occurred_at', 'direction', 'automatic', 'kind', 'status'],
    },
    { kind: 'survey_response', on: 'answered_at', instant: true, such: () => 'true', fields: ['answered_at'] },
  ],
};

/** The kinds and fields that show an act. */
export const signsOf = (act: Act): readonly Pick<Sign, 'kind' | 'fields'>[] => SHOWN_BY[act];

function happened(statement: Statement, acts: readonly Act[], days: Days): string {
  const parts = acts
    .flatMap((act) => SHOWN_BY[act])
    .map(({ kind, on, instant, such }) => {
      const row = statement.name();
      const when = (instant ? instantWithin : dateWithin)(statement, `${row}.${on}`, days);
      return `exists (select 1 from ${rowsOf(statement, kind, row)} and ${such(row)} and ${when})`;
    });
  return `(${parts.join(' or ')})`;
}

const ago = (days: number): ReturnType<typeof moved> => moved({ days }, -1);

/**
 * Whole days since the last of the acts, compared: something in the span of days, and nothing after it. What lies in
 * the future does not count. Who never did any of it has no such number.
 */
export function sinceTest(
  statement: Statement,
  acts: readonly Act[],
  test: TestName,
  operand: number | boolean | Range<number>,
): Predicate {
  if (test === 'empty') return { sql: happened(statement, acts, { to: ago(0) }), opposite: operand === true };
  const { least, most } = spanOf(test, operand as number | Range<number>);
  const seen = happened(statement, acts, { to: ago(least), ...(most === undefined ? {} : { from: ago(most) }) });
  const after = least === 0 ? undefined : happened(statement, acts, { from: ago(least - 1), to: ago(0) });
  return { sql: after ? `(${seen} and not ${after})` : seen, opposite: test === 'is_not' };
}

/** How many days ago the last act was, at least and at most. */
function spanOf(test: TestName, operand: number | Range<number>): { least: number; most?: number } {
  if (typeof operand !== 'number') return { least: operand.from, most: operand.to };
  switch (test) {
    case 'above':
      return { least: operand + 1 };
    case 'at_least':
      return { least: operand };
    case 'below':
      return { least: 0, most: operand - 1 };
    case 'at_most':
      return { least: 0, most: operand };
    default:
      return { least: operand, most: operand };
  }
}
