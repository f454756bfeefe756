import { isLocalDate } from '../base/time.ts';
import { suggestion } from './near.ts';
import type { Operand } from './tests.ts';
import { has, LIMITS, UNITS, type Unit } from './types.ts';

/** Says what is wrong with a value at a place below the present one. */
export type Refuse = (message: string, below?: string) => void;

/** Counts what a whole condition holds, so that the sum is limited too. */
export interface Budget {
  items: number;
}

interface Around {
  refuse: Refuse;
  budget: Budget;
  /** The closed list of words, where the field has one. */
  words?: readonly string[] | undefined;
  /** Lowest and highest number, and whether only whole ones make sense. */
  whole?: { least: number; most: number } | undefined;
}

const shown = (value: unknown): string => {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
};

/** Own members of a plain object, or undefined. */
export const asObject = (value: unknown): Record<string, unknown> | undefined =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;

/**
 * What stands beside a test, made canonical, or undefined with every mistake in it told.
 * @param kind what it has to look like
 */
export function operand(value: unknown, kind: Operand, around: Around): unknown {
  switch (kind) {
    case 'text':
      return text(value, around);
    case 'texts':
      return texts(value, around);
    case 'number':
      return number(value, around);
    case 'date':
      return date(value, around.refuse);
    case 'boolean':
    case 'flag':
      return typeof value === 'boolean' ? value : wrong(around, `must be true or false, not ${shown(value)}`);
    case 'true':
      return value === true ? true : wrong(around, `must be true; for the opposite put the condition into "not"`);
    case 'period':
      return period(value, around);
    case 'near':
      return near(value, around);
    default:
      return range(value, kind, around);
  }
}

function wrong({ refuse }: { refuse: Refuse }, message: string, below?: string): undefined {
  refuse(message, below);
  return undefined;
}

function text(value: unknown, around: Around, below?: string): string | undefined {
  const problem = textProblem(value, around.words);
  return problem === undefined ? (value as string) : wrong(around, problem, below);
}

/** What is wrong with a text, or undefined. */
export function textProblem(value: unknown, words?: readonly string[]): string | undefined {
  if (typeof value !== 'string') return `must be a text in quotes, not ${shown(value)}`;
  if (value === '') return 'must not be empty; to find what is missing use "empty": true';
  if (value.length > LIMITS.text)
    return `has ${value.length} characters; a text in a condition has ${LIMITS.text} at most`;
  if (value.includes('\0') || !value.isWellFormed()) return 'holds characters that no text in the database can hold';
  if (words && !words.includes(value))
    return `"${value.slice(0, 60)}" is not one of the words of this field: ${words.join(', ')}${suggestion(value, words)}`;
  return undefined;
}

function texts(value: unknown, around: Around): string[] | undefined {
  if (!Array.isArray(value)) return wrong(around, `must be a list of texts such as ["a", "b"], not ${shown(value)}`);
  if (value.length === 0) return wrong(around, 'is an empty list: name at least one');
  if (value.length > LIMITS.list)
    return wrong(around, `lists ${value.length} texts; a list has ${LIMITS.list} at most`);
  around.budget.items += value.length;
  if (around.budget.items > LIMITS.items)
    return wrong(around, `makes more than ${LIMITS.items} texts in all lists of the condition together`);
  const good = value.map((item, at) => text(item, around, `[${at}]`));
  return good.includes(undefined) ? undefined : (good as string[]);
}

function number(value: unknown, around: Around, below?: string): number | undefined {
  if (typeof value !== 'number') return wrong(around, `must be a number, not ${shown(value)}`, below);
  if (!Number.isFinite(value) || Math.abs(value) > LIMITS.number)
    return wrong(around, `must be a number between -${LIMITS.number} and ${LIMITS.number}, not ${value}`, below);
  const { whole } = around;
  if (whole && !(Number.isInteger(value) && value >= whole.least && value <= whole.most))
    return wrong(around, `must be a whole number from ${whole.least} to ${whole.most}, not ${value}`, below);
  return value + 0 === 0 ? 0 : value;
}

const [FIRST_YEAR, LAST_YEAR] = [1800, 2299];

function date(value: unknown, refuse: Refuse, below?: string): string | undefined {
  if (!isLocalDate(value))
    return wrong(
      { refuse },
      typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value)
        ? `"${value}" is no day of the calendar`
        : `must be a date such as "2026-03-31", not ${shown(value)}`,
      below,
    );
  const year = Number(value.slice(0, 4));
  if (year < FIRST_YEAR || year > LAST_YEAR)
    return wrong({ refuse }, `the year of "${value}" is not between ${FIRST_YEAR} and ${LAST_YEAR}`, below);
  return value;
}

const EXAMPLE = '{"months": 6}';

function period(value: unknown, around: Around): object | undefined {
  const given = asObject(value);
  const units = Object.keys(given ?? {});
  if (!given || units.length !== 1)
    return wrong(around, `must be a period with one unit such as ${EXAMPLE}, not ${shown(value)}`);
  const unit = units[0]!;
  if (!has(UNITS, unit))
    return wrong(
      around,
      `"${unit}" is no unit; the units are ${Object.keys(UNITS).join(', ')}${suggestion(unit, Object.keys(UNITS))}`,
    );
  const count = number(given[unit], { ...around, whole: { least: 0, most: UNITS[unit as Unit] } }, `.${unit}`);
  return count === undefined ? undefined : { [unit]: count };
}

function near(value: unknown, around: Around): object | undefined {
  const given = asObject(value);
  if (!given || Object.keys(given).join() !== 'days')
    return wrong(around, `must say in how many days, such as {"days": 7}, not ${shown(value)}`);
  const days = number(given.days, { ...around, whole: { least: 0, most: 365 } }, '.days');
  return days === undefined ? undefined : { days };
}

function range(value: unknown, kind: Operand, around: Around): object | undefined {
  const given = asObject(value);
  if (!given || !has(given, 'from') || !has(given, 'to') || Object.keys(given).length !== 2)
    return wrong(around, `must have a beginning and an end such as ${RANGES[kind]}, not ${shown(value)}`);
  const end = (name: 'from' | 'to'): unknown => {
    if (kind === 'numbers') return number(given[name], around, `.${name}`);
    return kind === 'dates' ? date(given[name], around.refuse, `.${name}`) : text(given[name], around, `.${name}`);
  };
  const [from, to] = [end('from'), end('to')] as [string, string];
  if (from === undefined || to === undefined) return undefined;
  if (kind === 'postal_codes' && from.replaceAll(' ', '').length !== to.replaceAll(' ', '').length)
    return wrong(around, 'must have a beginning and an end of the same length');
  const ordered = kind === 'postal_codes' ? from.toLowerCase() <= to.toLowerCase() : from <= to;
  return ordered ? { from, to } : wrong(around, `ends before it begins: ${shown(from)} comes after ${shown(to)}`);
}

const RANGES: Partial<Record<Operand, string>> = {
  numbers: '{"from": 1, "to": 5}',
  dates: '{"from": "2026-01-01", "to": "2026-03-31"}',
  postal_codes: '{"from": "10115", "to": "14199"}',
};
