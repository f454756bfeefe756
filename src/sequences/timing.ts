import { DateTime } from 'luxon';
import { addDays, instantOf, type LocalDate, localDate } from '../base/time.ts';
import { nextOpenUnder } from '../consent/windows.ts';
import type { Duration, LocalWindow, Step } from './steps.ts';

/** What the dates of an enrolment are counted from. */
export interface Calendar {
  start_on: LocalDate;
  /** IANA zone of the customer. */
  zone: string;
}

/**
 * When a step that is reached at `now` is due: its day counted from the start, never from the step before, and its time
 * on the customer's clock. A day that lies in the past is due at once.
 */
export function dueOf(step: Pick<Step, 'day' | 'at'>, { start_on, zone }: Calendar, now: Date): Date {
  if (step.day !== undefined) return instantOf(addDays(start_on, step.day), step.at ?? '00:00', zone);
  if (step.at === undefined) return now;
  const today = instantOf(localDate(now, zone), step.at, zone);
  return today >= now ? today : instantOf(addDays(localDate(now, zone), 1), step.at, zone);
}

/** The end of a stretch of time: days keep the time on the customer's clock, hours and minutes are real ones. */
export function after(now: Date, { days = 0, hours = 0, minutes = 0 }: Duration, zone: string): Date {
  const time = DateTime.fromJSDate(now, { zone }).toFormat('HH:mm');
  const day = days === 0 ? now : instantOf(addDays(localDate(now, zone), days), time, zone);
  return new Date(day.getTime() + hours * 3_600_000 + minutes * 60_000);
}

const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7];

/** The next moment within hours of the customer: now, when they are open. undefined: never. */
export const opens = (window: LocalWindow, now: Date, zone: string): Date | undefined =>
  nextOpenUnder(now, [
    { zones: [zone], window: { open: window.open, close: window.close, days: window.weekdays ?? EVERY_DAY } },
  ]);

/**
 * The next time a date that comes back every year comes round, on `from` or after it; 29 February is kept on the 28th
 * where a year has none.
 * @param date `YYYY-MM-DD`, or `--MM-DD` where the year is not known
 * @returns undefined for what is no such date
 */
export function nextAnniversary(date: string, from: LocalDate): LocalDate | undefined {
  const [, month, day] = /^(?:\d{4}|-)-(\d{2})-(\d{2})$/.exec(date) ?? [];
  if (!month || !day) return undefined;
  const year = Number(from.slice(0, 4));
  for (const at of [year, year + 1]) {
    const anniversary = DateTime.utc(at, Number(month), 1)
      .plus({ days: Number(day) - 1 })
      .toISODate()!;
    const kept = anniversary.slice(5, 7) === month ? anniversary : addDays(`${anniversary.slice(0, 7)}-01`, -1);
    if (kept >= from) return kept;
  }
  return undefined;
}
