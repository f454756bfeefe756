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

// Every zone there is by its canonical name, the fixed offsets included, and what each name was resolved to.
let all: readonly string[] | undefined;
const canonical = new Map<string, string | undefined>();

const resolve = (zone: string): string => new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone;

/** Every canonical zone. */
export function allZones(): readonly string[] {
  const fixed = Array.from({ length: 27 }, (_, at) => `Etc/GMT${at - 14 >= 0 ? '+' : ''}${at - 14}`);
  all ??= [...new Set([...Intl.supportedValuesOf('timeZone'), ...fixed.map(resolve), 'UTC'])];
  return all;
}

/**
 * The one name of a zone that has several (`US/Eastern` is `America/New_York`), as `localToday` lists them.
 * @returns undefined for what is no zone of that list, such as an offset of its own
 */
export function canonicalZone(zone: string): string | undefined {
  if (!canonical.has(zone)) {
    if (canonical.size >= MOST_ZONES) canonical.clear();
    const name = isZone(zone) ? resolve(zone) : undefined;
    canonical.set(zone, name && allZones().includes(name) ? name : undefined);
  }
  return canonical.get(zone);
}

/** The date it is for a business, and the zones (canonical names) where it is another one. */
export interface LocalToday {
  today: LocalDate;
  /** One date later, and one date earlier. */
  ahead: string[];
  behind: string[];
  /** Two dates apart: Kiritimati and Pago Pago are, for an hour a day. */
  farAhead: string[];
  farBehind: string[];
}

interface Offsets {
  from: number;
  /** Minutes east of Greenwich by zone; those that change within the slot are asked each time. */
  fixed: [string, number][];
  changing: string[];
}
const SLOT = 6 * 3_600_000;
let offsets: Offsets | undefined;

/** Minutes east of Greenwich of every zone at a moment. Formatters are dear, so they are asked once for six hours. */
function offsetsAt(now: number): [string, number][] {
  const from = now - (((now % SLOT) + SLOT) % SLOT);
  if (offsets?.from !== from) {
    offsets = { from, fixed: [], changing: [] };
    for (const zone of allZones()) {
      const [begin, end] = offsetOf(zone, [from, from + SLOT]);
      if (begin === end) offsets.fixed.push([zone, begin!]);
      else offsets.changing.push(zone);
    }
  }
  return [...offsets.fixed, ...offsets.changing.map((zone): [string, number] => [zone, offsetOf(zone, [now])[0]!])];
}

function offsetOf(zone: string, instants: readonly number[]): number[] {
  const format = new Intl.DateTimeFormat('en', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return instants.map((instant) => {
    const part = new Map(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    const get = (type: Intl.DateTimeFormatPartTypes): number => part.get(type)!;
    const wall = Date.UTC(get('year'), get('month') - 1, get('day'), get('hour'), get('minute'), get('second'));
    return Math.round((wall - Math.floor(instant / 1000) * 1000) / 60_000);
  });
}

const utcDate = (instant: number): LocalDate => new Date(instant).toISOString().slice(0, 10);

/**
 * The date it is now, everywhere: for SQL that must know a customer's today without zone tables of its own. A customer
 * without a `local_zone` has the business's date. At most three dates exist on earth at once.
 * See `localTodaySql` for the expression.
 */
export function localToday(now: Date, businessZone: string): LocalToday {
  const today = localDate(now, businessZone);
  const found: LocalToday = { today, ahead: [], behind: [], farAhead: [], farBehind: [] };
  const lists = new Map([
    [1, found.ahead],
    [-1, found.behind],
    [2, found.farAhead],
    [-2, found.farBehind],
  ]);
  for (const [zone, minutes] of offsetsAt(now.getTime()))
    lists.get(daysBetween(today, utcDate(now.getTime() + minutes * 60_000)))?.push(zone);
  return found;
}

/**
 * A customer's today as an SQL expression of type date.
 * @param column the column `local_zone`, such as `c.local_zone`
 * @param first number of the first of five parameters: `localTodayValues`
 */
export const localTodaySql = (column: string, first: number): string =>
  `($${first}::date + case when ${column} = any($${first + 1}::text[]) then 1 when ${column} = any($${first + 2}::text[]) then -1 when ${column} = any($${first + 3}::text[]) then 2 when ${column} = any($${first + 4}::text[]) then -2 else 0 end)`;

export const localTodayValues = (local: LocalToday): unknown[] => [
  local.today,
  local.ahead,
  local.behind,
  local.farAhead,
  local.farBehind,
];
