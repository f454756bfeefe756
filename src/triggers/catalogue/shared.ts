import { Type } from 'typebox';
import { addDays, type LocalDate } from '../../base/time.ts';
import type { DetectEnv } from '../schema.ts';

// `offset 0` in the statements of triggers keeps each day or customer a look into an index of its own: seen as a plain
// join, the planner reads the whole table as soon as it expects enough rows.

/** Days before a date on which something fires, each once. */
export const LeadDays = (maximum = 365) =>
  Type.Array(Type.Integer({ minimum: 0, maximum }), { minItems: 1, maxItems: 20, uniqueItems: true });

/** Words that are compared without regard to case and blanks around them. */
export const Words = Type.Array(Type.String({ minLength: 1, maxLength: 60 }), { maxItems: 50, uniqueItems: true });

/** Words as `jobKindSql` and `assetSql` write them. */
export const lowered = (words: readonly string[]): string[] => words.map((word) => word.trim().toLowerCase());

/**
 * The end of a condition: of one customer, where only theirs is asked for.
 * @param column the customer's id in the statement
 * @param at number of the parameter that `ofCustomer` gives
 */
export const ownSql = (env: DetectEnv, column: string, at: number): string =>
  env.customerId === undefined ? '' : ` and ${column} = $${at}`;
export const ofCustomer = (env: DetectEnv): string[] => (env.customerId === undefined ? [] : [env.customerId]);

export const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

/** On which day somebody of 29 February celebrates in other years. */
export const LeapDay = Type.Union([Type.Literal('02-28'), Type.Literal('03-01')], {
  description: 'The day of those of 29 February in years without one',
});

/**
 * The days of the year (`MM-DD`) that are celebrated on each date of a range, with the date.
 * @param leapDay the day that stands for 29 February in a year without one
 */
export function celebrated(from: LocalDate, to: LocalDate, leapDay: string): { days: string[]; dates: LocalDate[] } {
  const days: string[] = [];
  const dates: LocalDate[] = [];
  for (let date = from; date <= to; date = addDays(date, 1)) {
    const day = date.slice(5);
    days.push(day);
    dates.push(date);
    if (day !== leapDay || isLeap(Number(date.slice(0, 4)))) continue;
    days.push('02-29');
    dates.push(date);
  }
  return { days, dates };
}

/** How a customer is named in what is found. */
export const personLabel = (name: string | null, what: string): string =>
  `${what} of ${name ?? 'a customer without a name'}`;
