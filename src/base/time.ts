import { DateTime, IANAZone } from 'luxon';

/** A calendar date, `YYYY-MM-DD`. Dates stay dates: they have no zone and no hour. */
export type LocalDate = string;

// Asking the runtime makes a formatter each time, which costs more than everything else about a message.
const zones = new Map<string, boolean>();
const MOST_ZONES = 2000;

export function isZone(zone: unknown): zone is string {
  if (typeof zone !== 'string') return false;
  let valid = zones.get(zone);
  if (valid === undefined) {
    valid = IANAZone.isValidZone(zone);
    // What people type in has no end.
    if (zones.size >= MOST_ZONES) zones.clear();
    zones.set(zone, valid);
  }
  return valid;
}

/** The calendar date an instant falls on in `zone` (IANA). */
export const localDate = (instant: Date, zone: string): LocalDate =>
  DateTime.fromJSDate(instant, { zone }).toISODate()!;

export const addDays = (date: LocalDate, days: number): LocalDate =>
  DateTime.fromISO(date, { zone: 'utc' }).plus({ days }).toISODate()!;

/** Anchor plus n months, clamped to the end of a shorter month; never chained from an earlier result. */
export const addMonths = (date: LocalDate, months: number): LocalDate =>
  DateTime.fromISO(date, { zone: 'utc' }).plus({ months }).toISODate()!;

/** Whole calendar days from `from` to `to`. */
export const daysBetween = (from: LocalDate, to: LocalDate): number =>
  DateTime.fromISO(to, { zone: 'utc' }).diff(DateTime.fromISO(from, { zone: 'utc' }), 'days').days;

export const isLocalDate = (value: unknown): value is LocalDate =>
  typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value) && DateTime.fromISO(value, { zone: 'utc' }).isValid;

/** Day of the week, Monday 1 to Sunday 7. */
export const weekday = (date: LocalDate): number => DateTime.fromISO(date, { zone: 'utc' }).weekday;

/**
 * The instant of a wall-clock time on a date in a zone. A time that a clock change skips becomes the first one after
 * the gap; a time that exists twice is the first of the two.
 * @param time `HH:MM`, or `24:00` for the end of the day
 */
export function instantOf(date: LocalDate, time: string, zone: string): Date {
  if (time === '24:00') return instantOf(addDays(date, 1), '00:00', zone);
  const [hour, minute] = time.split(':').map(Number);
  // Luxon moves a skipped time forward by the length of the gap, which is the first moment after it for times inside.
  const wall = DateTime.fromISO(date, { zone }).set({ hour: hour!, minute: minute!, second: 0, millisecond: 0 });
  if (wall.hour === hour && wall.minute === minute) return wall.toJSDate();
  return firstAfterGap(date, zone, wall).toJSDate();
}

function firstAfterGap(date: LocalDate, zone: string, after: DateTime): DateTime {
  const midnight = DateTime.fromISO(date, { zone }).startOf('day');
  let low = midnight.toMillis();
  let high = after.toMillis();
  const offset = midnight.offset;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (DateTime.fromMillis(middle, { zone }).offset === offset) low = middle;
    else high = middle;
  }
  return DateTime.fromMillis(high, { zone });
}

/** First day after `date` that is not Saturday or Sunday, `days` working days on. */
export function addWorkingDays(date: LocalDate, days: number): LocalDate {
  let result = date;
  for (let left = days; left > 0; ) {
    result = addDays(result, 1);
    if (weekday(result) <= 5) left -= 1;
  }
  return result;
}
