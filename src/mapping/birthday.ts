import { DateTime } from 'luxon';
import { type Birthday, birthdayFault } from '../base/birthday.ts';
import type { LocalDate } from '../base/time.ts';
import { empty, shown, toDate, ValueError } from './values.ts';

/** Years that platforms write where they know none: 1604 is Apple's, 0001 and 0000 are what an empty date becomes. */
const NO_YEAR = new Set(['0000', '0001', '1604']);

/** What an empty date becomes in some programs. Read as a birthday, it would be everybody's on New Year's Day. */
const NO_DATE = new Set(['0001-01-01', '0000-00-00']);

/**
 * A birthday as platforms and people write it.
 * @param today the last day somebody can have been born on
 * @param format how it is written (Luxon's tokens); one without a year gives a birthday whose year is not known
 * @returns `YYYY-MM-DD`, or `--MM-DD` where the year is not known; null for nothing
 * @throws ValueError when it is no day of the calendar, lies in the future or before 1900
 */
export function toBirthday(value: unknown, zone: string, today: LocalDate, format?: string): Birthday | null {
  if (empty(value)) return null;
  const text = String(value).trim();
  const written = format ? byFormat(text, format, today) : plain(text, zone);
  if (NO_DATE.has(written)) throw new ValueError(`${shown(value)} is what programs write where there is no date`);
  const birthday = NO_YEAR.has(written.slice(0, 4)) ? `-${written.slice(4)}` : written;
  const fault = birthdayFault(birthday, today);
  if (fault) throw new ValueError(`the birthday ${shown(value)} ${fault}`);
  return birthday;
}

/** Whether dates written so say which year they are of. */
export const hasYear = (format: string): boolean => /[ykDFfTtXx]/.test(format.replace(/'[^']*'/g, ''));

function byFormat(text: string, format: string, today: LocalDate): string {
  const refused = new ValueError(`expected a birthday written as ${format}, got ${shown(text)}`);
  if (hasYear(format)) {
    const parsed = DateTime.fromFormat(text, format, { zone: 'utc', locale: 'en' });
    if (!parsed.isValid) throw refused;
    // Of the two years that 45 can mean, the one somebody can have been born in.
    const twoDigits = /(^|[^y])yy([^y]|$)/.test(format) && parsed.toISODate()! > today;
    return (twoDigits ? parsed.minus({ years: 100 }) : parsed).toISODate()!;
  }
  // In a leap year: without one, Luxon would take the present year, in which there may be no 29 February.
  const parsed = DateTime.fromFormat(`2000 ${text}`, `yyyy ${format}`, { zone: 'utc', locale: 'en' });
  if (!parsed.isValid) throw refused;
  return `-${parsed.toISODate()!.slice(4)}`;
}

function plain(text: string, zone: string): string {
  const basic = /^--(\d{2})-?(\d{2})$/.exec(text);
  if (basic) return `--${basic[1]}-${basic[2]}`;
  // A day that a program keeps as its midnight is that day, in whatever zone midnight was.
  const day = /^(\d{4}-\d{2}-\d{2})(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/.exec(text);
  return day ? day[1]! : toDate(text, zone)!;
}
