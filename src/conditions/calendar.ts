import { IANAZone } from 'luxon';
import { addDays, addMonths, instantOf, type LocalDate, localDate } from '../base/time.ts';
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

let zones: readonly string[] | undefined;
/** Every zone by its one canonical name, as a customer's zone is stored. */
const allZones = (): readonly string[] => {
  zones ??= Intl.supportedValuesOf('timeZone');
  return zones;
};

// Zones differ from each other by quarters of an hour: between two quarters no date changes anywhere.
const QUARTER = 15 * 60_000;
let dates: { quarter: number; byDate: ReadonlyMap<LocalDate, readonly string[]> } | undefined;

/** Which date it is in which zones; there are never more than three. */
export function datesOnEarth(now: Date): ReadonlyMap<LocalDate, readonly string[]> {
  const quarter = Math.floor(now.getTime() / QUARTER);
  if (dates?.quarter === quarter) return dates.byDate;
  const byDate = new Map<LocalDate, string[]>();
  for (const zone of allZones()) {
    const date = localDate(now, zone);
    const list = byDate.get(date);
    if (list) list.push(zone);
    else byDate.set(date, [zone]);
  }
  dates = { quarter, byDate };
  return byDate;
}

const starts = new Map<LocalDate, ReadonlyMap<string, string>>();
const MOST_STARTS = 60;

/** Midnight of a date in a zone; the long way is needed only where the clock changes within hours of it. */
function midnight(date: LocalDate, zone: string): Date {
  const utc = Date.parse(`${date}T00:00:00Z`);
  const offset = offsetAt(utc, zone);
  const guess = utc - offset;
  const sure = offsetAt(guess, zone) === offset && offsetAt(guess - 1, zone) === offset;
  return sure ? new Date(guess) : instantOf(date, '00:00', zone);
}

const offsetAt = (time: number, zone: string): number => IANAZone.create(zone).offset(time) * 60_000;

/** When a date begins in each zone, as ISO instants. */
function startsOf(date: LocalDate): ReadonlyMap<string, string> {
  let found = starts.get(date);
  if (!found) {
    found = new Map(allZones().map((zone) => [zone, midnight(date, zone).toISOString()]));
    if (starts.size >= MOST_STARTS) starts.clear();
    starts.set(date, found);
  }
  return found;
}

/** When the day begins for the people of every zone. */
export function beginnings(now: Date, day: DayOf): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [date, list] of datesOnEarth(now)) {
    const begins = startsOf(day(date));
    for (const zone of list) result[zone] = begins.get(zone)!;
  }
  return result;
}
