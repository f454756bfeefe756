import { anniversaries, type DayOf, type Days, daysOf } from './calendar.ts';
import type { ValueType } from './fields.ts';
import type { Statement } from './statement.ts';
import { OPPOSITES, readAs } from './tests.ts';
import type { Range, TestName } from './types.ts';

/** A value of a row in SQL. */
export interface SqlValue {
  sql: string;
  type: ValueType;
  /** The currency the amount is in, and the one it is wanted in. */
  currency?: { sql: string; wanted: string };
  /** Postgres type of a number, where it is not numeric. */
  numeric?: 'float8' | 'int';
}

/** A predicate that is true or not (null counts as not), and whether its opposite was asked for. */
export interface Predicate {
  sql: string;
  opposite: boolean;
}

/** What is neither true nor asked for by its opposite; nulls never get any further than this. */
export const negated = (sql: string): string => `(${sql}) is not true`;

/** One test of a value. */
export function predicate(statement: Statement, value: SqlValue, test: TestName, operand: unknown): Predicate {
  if (test === 'empty') return { sql: filled(value), opposite: operand === true };
  const positive = OPPOSITES[test];
  const sql = positiveTest(statement, value, positive ?? test, operand);
  return { sql, opposite: positive !== undefined };
}

/** Whether a value is there: neither null, nor an empty text or list. */
function filled({ sql, type }: SqlValue): string {
  switch (type) {
    case 'custom':
      return `(jsonb_typeof(${sql}) <> 'null' and ${sql} not in ('""'::jsonb, '[]'::jsonb))`;
    case 'list':
      return `cardinality(${sql}) > 0`;
    case 'text':
    case 'word':
    case 'postal_code':
      return `${sql} <> ''`;
    default:
      return `${sql} is not null`;
  }
}

function positiveTest(statement: Statement, value: SqlValue, test: TestName, operand: unknown): string {
  const { sql } = value;
  switch (value.type) {
    case 'text':
    case 'word':
      return textTest(statement, sql, test, operand);
    case 'postal_code':
      return postalTest(statement, sql, test, operand);
    case 'number':
    case 'money':
      return inCurrency(statement, value, numberTest(statement, sql, test, operand, value.numeric));
    case 'boolean':
      return operand === true ? sql : `not ${sql}`;
    case 'list':
      return listTest(statement, `unnest(${sql})`, test, operand as string[]);
    case 'date':
      return dateTest(statement, sql, test, operand as never);
    case 'birthday':
      return birthdayTest(statement, sql, test, operand as never);
    case 'instant':
      return instantWithin(statement, sql, daysOf(test, operand as never)!);
    case 'custom':
      return customTest(statement, sql, test, operand);
  }
}

function textTest(statement: Statement, sql: string, test: TestName, operand: unknown): string {
  if (test === 'one_of') return `lower(${sql}) = any(${statement.lowered(operand as string[])})`;
  const text = `lower(${statement.param(operand, 'text')})`;
  switch (test) {
    case 'contains':
      return `position(${text} in lower(${sql})) > 0`;
    case 'starts_with':
      return `starts_with(lower(${sql}), ${text})`;
    case 'ends_with':
      return `right(lower(${sql}), length(${text})) = ${text}`;
    default:
      return `lower(${sql}) = ${text}`;
  }
}

/** Postal codes are compared without blanks and case; a range holds codes as long as its ends. */
function postalTest(statement: Statement, sql: string, test: TestName, operand: unknown): string {
  const code = (text: string): string => text.replaceAll(' ', '');
  const bare = `replace(${sql}, ' ', '')`;
  if (test === 'one_of') return textTest(statement, bare, test, (operand as string[]).map(code));
  if (test !== 'between') return textTest(statement, bare, test, code(operand as string));
  const { from, to } = operand as Range<string>;
  const [low, high] = [from, to].map((end) => `lower(${statement.param(code(end), 'text')}) collate "C"`);
  return `(length(${bare}) = ${statement.param(code(from).length, 'int')} and lower(${bare}) collate "C" between ${low} and ${high})`;
}

const COMPARED = { is: '=', above: '>', below: '<', at_least: '>=', at_most: '<=' } as const;

function numberTest(
  statement: Statement,
  sql: string,
  test: TestName,
  operand: unknown,
  type: 'numeric' | 'float8' | 'int' = 'numeric',
): string {
  const number = (value: number): string => statement.param(type === 'numeric' ? String(value) : value, type);
  if (test === 'between') {
    const { from, to } = operand as Range<number>;
    return `${sql} between ${number(from)} and ${number(to)}`;
  }
  return `${sql} ${COMPARED[test as keyof typeof COMPARED]} ${number(operand as number)}`;
}

/** An amount in another currency than the wanted one is as good as missing. */
function inCurrency(statement: Statement, { currency }: SqlValue, sql: string): string {
  return currency === undefined ? sql : `(${sql} and ${sameCurrency(statement, currency)})`;
}

export const sameCurrency = (statement: Statement, { sql, wanted }: { sql: string; wanted: string }): string =>
  `coalesce(${sql}, ${statement.param(statement.currency, 'text')}) = ${statement.param(wanted, 'text')}`;

function listTest(statement: Statement, elements: string, test: TestName, words: readonly string[]): string {
  if (test === 'has_any')
    return `exists (select 1 from ${elements} as e(item) where lower(e.item) = any(${statement.lowered(words)}))`;
  return `not exists (select 1 from unnest(${statement.param(words, 'text[]')}) as w(word) where not exists (select 1 from ${elements} as e(item) where lower(e.item) = lower(w.word)))`;
}

function dateTest(statement: Statement, sql: string, test: TestName, operand: never): string {
  const days = daysOf(test, operand);
  if (days) return dateWithin(statement, sql, days);
  // What has not happened yet has no anniversary, nor has what happened today.
  const past = `${sql} < ${statement.day((today) => today)}`;
  return `(${past} and to_char(${sql}, 'MM-DD') = any(${remembered(statement, test, operand)}))`;
}

const remembered = (statement: Statement, test: TestName, { days }: { days: number }): string =>
  statement.ofToday(anniversaries(days, test === 'anniversary_within'), 'text[]');

/** A birthday is text, `YYYY-MM-DD` or `--MM-DD`: without its year it is neither before nor after anything. */
function birthdayTest(statement: Statement, sql: string, test: TestName, operand: never): string {
  const date = `${sql} collate "C"`;
  const days = daysOf(test, operand);
  if (days) {
    const end = (day: DayOf | undefined): string | undefined => day && statement.ofToday(day, 'text');
    return `(left(${sql}, 1) <> '-' and ${within(date, end(days.from), '<=', end(days.to))})`;
  }
  const past = `(left(${sql}, 1) = '-' or ${date} < ${statement.ofToday((today) => today, 'text')})`;
  return `(right(${sql}, 5) = any(${remembered(statement, test, operand)}) and ${past})`;
}

/** A date of the row within days of the customer's calendar. */
export function dateWithin(statement: Statement, sql: string, { from, to }: Days): string {
  return within(sql, from && statement.day(from), '<=', to && statement.day(to));
}

/** The same for an instant. */
export function instantWithin(statement: Statement, sql: string, { from, to }: Days): string {
  const after = to && statement.beginning((today) => nextDay(to(today)));
  return within(sql, from && statement.beginning(from), '<', after);
}

const nextDay = (date: string): string =>
  new Date(Date.parse(`${date}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);

function within(sql: string, from: string | undefined, until: '<' | '<=', to: string | undefined): string {
  const parts = [...(from ? [`${sql} >= ${from}`] : []), ...(to ? [`${sql} ${until} ${to}`] : [])];
  return `(${parts.join(' and ')})`;
}

const MONTHS =
  '((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))';
const LEAP = '([0-9][0-9](0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29';
const DATE = `(?!0000)([0-9]{4}-${MONTHS}|${LEAP})`;
const CLOCK = '([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])';
export const IS_DATE = `^${DATE}$`;
export const IS_INSTANT = `^${DATE}[T ]${CLOCK}$`;
const IS_NUMBER = '^-?[0-9]{1,40}([.][0-9]{1,40})?$';

/** A custom value as a number in SQL; null when it is none. `case` keeps the cast from what would end the statement. */
export const customNumber = (sql: string): string =>
  `case when ${sql} #>> '{}' ~ '${IS_NUMBER}' then (${sql} #>> '{}')::numeric end`;

const YES = ['true', 'yes', 'y', '1', 'on'];
const NO = ['false', 'no', 'n', '0', 'off'];

/** A value as a platform sent it: read as what the test compares it with, and false where it cannot be. */
function customTest(statement: Statement, sql: string, test: TestName, operand: unknown): string {
  const text = `(${sql} #>> '{}')`;
  const type = readAs(test, operand);
  switch (type) {
    case 'number':
      return numberTest(statement, `(${customNumber(sql)})`, test, operand);
    case 'boolean':
      return `(${scalar(sql)} and lower(${text}) = any(${statement.param(operand === true ? YES : NO, 'text[]')}))`;
    case 'list': {
      const list = `case jsonb_typeof(${sql}) when 'array' then ${sql} when 'string' then jsonb_build_array(${sql}) else '[]'::jsonb end`;
      return `(${sql} is not null and ${listTest(statement, `jsonb_array_elements_text(${list})`, test, operand as string[])})`;
    }
    case 'date': {
      const days = daysOf(test, operand as never);
      const asInstant = days
        ? ` when ${text} ~ '${IS_INSTANT}' then ${instantWithin(statement, `${text}::timestamptz`, days)}`
        : '';
      return `case when ${text} ~ '${IS_DATE}' then ${dateTest(statement, `${text}::date`, test, operand as never)}${asInstant} end`;
    }
    default:
      return `(${scalar(sql)} and ${textTest(statement, text, test, operand)})`;
  }
}

const scalar = (sql: string): string => `jsonb_typeof(${sql}) in ('string', 'number', 'boolean')`;
