import {
  addDays,
  addMonths,
  allZones,
  instantOf,
  isZone,
  type LocalDate,
  localDate,
  localToday,
} from '../base/time.ts';
import { type Period, type TestName, UNITS, type Unit } from './types.ts';

/** A date that hangs on which day it is where the customer is. */
export type DayOf = (today: LocalDate) => LocalDate;

/** Days from `from` to `to`, both included; without one of them, open on that side. */
export interface Days {
  from?: DayOf;
  to?: DayOf;
}

const fixed =
  (date: string, days = 0): DayOf =>
  () =>
    addDays(date, days);

/** Today moved by a period. Months are counted from today and end with the month, never chained. */
export function moved(period: Period, sign: 1 | -1): DayOf {
  const unit = (Object.keys(UNITS) as Unit[]).find((name) => Object.hasOwn(period, name))!;
  const count = period[unit]! * sign;
  if (unit === 'days' || unit === 'weeks') return (today) => addDays(today, count * (unit === 'weeks' ? 7 : 1));
  return (today) => addMonths(today, count * (unit === 'years' ? 12 : 1));
}

const next =
  (day: DayOf, days: number): DayOf =>
  (today) =>
    addDays(day(today), days);

const today: DayOf = (date) => date;

/** The days a test of a date means, or undefined for tests that mean no span of days. */
export function daysOf(test: TestName, operand: never): Days | undefined {
  const date = operand as string;
  const period = operand as Period;
  const range = operand as { from: string; to: string };
  switch (test) {
    case 'on':
      return { from: fixed(date), to: fixed(date) };
    case 'before':
      return { to: fixed(date, -1) };
    case 'after':
      return { from: fixed(date, 1) };
    case 'on_or_before':
      return { to: fixed(date) };
    case 'on_or_after':
      return { from: fixed(date) };
    case 'between':
      return { from: fixed(range.from), to: fixed(range.to) };
    case 'in_last':
      return { from: moved(period, -1), to: today };
    case 'in_next':
      return { from: today, to: moved(period, 1) };
    case 'more_than_ago':
      return { to: next(moved(period, -1), -1) };
    case 'more_than_ahead':
      return { from: next(moved(period, 1), 1) };
    case 'today':
      return { from: today, to: today };
    default:
      return undefined;
  }
}

/** The days one of which must be an anniversary of the date, as `MM-DD`; 29 February is remembered on the 28th. */
export function anniversaries(days: number, within: boolean): (today: LocalDate) => string[] {
  return (date) => {
    const found = new Set<string>();
    for (let ahead = within ? 0 : days; ahead <= days; ahead++) {
      const day = addDays(date, ahead);
      found.add(day.slice(5));
      if (day.endsWith('-02-28') && addDays(day, 1).endsWith('-03-01')) found.add('02-29');
    }
    return [...found].sort();
  };
}

/** Which date it is in which zones; there are never more than three. */
export function datesOnEarth(now: Date): ReadonlyMap<LocalDate, readonly string[]> {
  const { today: date, ahead, behind, farAhead, farBehind } = localToday(now, 'UTC');
  const elsewhere = new Set([...ahead, ...behind, ...farAhead, ...farBehind]);
  const found = [
    [date, allZones().filter((zone) => !elsewhere.has(zone))],
    [addDays(date, 1), ahead],
    [addDays(date, -1), behind],
    [addDays(date, 2), farAhead],
    [addDays(date, -2), farBehind],
  ] as const;
  return new Map(found.filter(([, zones]) => zones.length > 0));
}

const starts = new Map<string, string>();
const MOST_STARTS = 20_000;

/** When a date begins in a zone, as an ISO instant. */
function beginningOf(date: LocalDate, zone: string): string {
  const key = `${date} ${zone}`;
  let found = starts.get(key);
  if (!found) {
    found = instantOf(date, '00:00', zone).toISOString();
    if (starts.size >= MOST_STARTS) starts.clear();
    starts.set(key, found);
  }
  return found;
}

/**
 * When a day begins for the people of each zone, by its name.
 * @param now decides which day it is there
 */
export const beginnings = (now: Date, day: DayOf, zones: readonly string[]): Record<string, string> =>
  Object.fromEntries(zones.filter(isZone).map((zone) => [zone, beginningOf(day(localDate(now, zone)), zone)]));
