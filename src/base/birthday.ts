import type { LocalDate } from './time.ts';

/**
 * A birthday: `YYYY-MM-DD`, or `--MM-DD` where the year is not known (the truncated form of RFC 6350, section 4.3.1).
 */
export type Birthday = string;

/** The oldest person on record was born in 1875; what platforms write before 1900 is a filler or a typing error. */
export const OLDEST_BIRTH_YEAR = 1900;

const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

/** Whether there is such a day in `year`; without a year, in some year: 29 February is somebody's birthday. */
export const isDay = (month: number, day: number, year?: number): boolean =>
  day >= 1 && day <= (DAYS[month - 1] ?? 0) && (month !== 2 || day < 29 || year === undefined || isLeap(year));

/**
 * What is wrong with a birthday somebody gives.
 * @param today the last day somebody can have been born on
 * @returns the fault as the end of a sentence ("is not a day of the calendar"); undefined when there is none
 */
export function birthdayFault(text: string, today: LocalDate): string | undefined {
  const parts = /^(?:(\d{4})|-)-(\d{2})-(\d{2})$/.exec(text);
  if (!parts) return 'must be written YYYY-MM-DD, or --MM-DD where the year is not known';
  const year = parts[1] === undefined ? undefined : Number(parts[1]);
  if (!isDay(Number(parts[2]), Number(parts[3]), year)) return 'is not a day of the calendar';
  if (year !== undefined && year < OLDEST_BIRTH_YEAR)
    return `has a year before ${OLDEST_BIRTH_YEAR}; write --MM-DD where the year is not known`;
  if (text > today && year !== undefined) return 'is in the future';
  return undefined;
}
