import { addDays, instantOf, type LocalDate, localDate, weekday } from '../base/time.ts';
import type { Window } from '../settings/schema.ts';

/** A daily window that is closed on some dates. */
export interface Hours extends Window {
  closedOn?: (date: LocalDate) => boolean;
}

/** Hours that must be open in each of the zones. */
export interface Opening {
  zones: readonly string[];
  window: Hours;
}

const DAY_MS = 86_400_000;
/** Beyond this no instant suits all candidate zones. */
const MAX_DAYS = 15;

/** Whether the window is open at `instant`, read on the clock and calendar of `zone`. */
export function isOpen(instant: Date, zone: string, window: Hours): boolean {
  const today = localDate(instant, zone);
  // A window over midnight belongs to the day on which it opened.
  return [addDays(today, -1), today].some((date) => {
    const span = spanOf(date, zone, window);
    return span !== undefined && instant >= span.open && instant < span.close;
  });
}

/** The window of one local date as instants; undefined on a day that has none. */
function spanOf(date: LocalDate, zone: string, window: Hours): { open: Date; close: Date } | undefined {
  if (!window.days.includes(weekday(date)) || window.closedOn?.(date)) return undefined;
  const open = instantOf(date, window.open, zone);
  const close = instantOf(window.close <= window.open ? addDays(date, 1) : date, window.close, zone);
  return close > open ? { open, close } : undefined;
}

/**
 * The first instant at or after `ask` at which the window is open in `zone`. Computed from local dates each time, so a
 * change of clocks never shifts it; `close` itself is closed.
 */
export function nextOpen(ask: Date, zone: string, window: Hours): Date | undefined {
  const known = answers.get(window) ?? new Map<string, Date | undefined>();
  answers.set(window, known);
  const question = `${ask.getTime()} ${zone}`;
  if (!known.has(question)) {
    if (known.size >= MOST_ANSWERS) known.clear();
    known.set(question, findOpen(ask, zone, window));
  }
  return known.get(question);
}

/** A batch asks about the same moment in the same few zones again and again. */
const answers = new WeakMap<Hours, Map<string, Date | undefined>>();
const MOST_ANSWERS = 1000;

function findOpen(ask: Date, zone: string, window: Hours): Date | undefined {
  const today = localDate(ask, zone);
  for (let day = -1; day <= MAX_DAYS; day++) {
    const span = spanOf(addDays(today, day), zone, window);
    if (!span || span.close <= ask) continue;
    return span.open > ask ? span.open : ask;
  }
  return undefined;
}

/**
 * The first instant at which the window is open in every one of the zones a person may be in.
 * @returns undefined when there is none in the next two weeks
 */
export const nextOpenInAll = (ask: Date, zones: readonly string[], window: Hours): Date | undefined =>
  nextOpenUnder(ask, [{ zones, window }]);

/**
 * The first instant at which every one of the windows is open in every one of its zones.
 * @returns undefined when there is none in the next two weeks
 */
export function nextOpenUnder(ask: Date, openings: readonly Opening[]): Date | undefined {
  let candidate = ask;
  const pairs = openings.flatMap(({ zones, window }) => zones.map((zone) => ({ zone, window })));
  for (let round = 0; round < pairs.length * MAX_DAYS; round++) {
    let later = candidate;
    for (const { zone, window } of pairs) {
      const open = nextOpen(later, zone, window);
      if (!open || open.getTime() - ask.getTime() > MAX_DAYS * DAY_MS) return undefined;
      later = open;
    }
    if (later.getTime() === candidate.getTime()) return candidate;
    candidate = later;
  }
  return pairs.length === 0 ? ask : undefined;
}

/**
 * The instant `minutes` of working time after `from`.
 * @param hours when work is done, on the clock of `zone`
 */
export function addWorkingMinutes(from: Date, minutes: number, zone: string, hours: Window): Date {
  let here = from;
  let left = minutes * 60_000;
  for (let round = 0; round < 1000; round++) {
    const open = nextOpen(here, zone, hours);
    if (!open) return new Date(from.getTime() + minutes * 60_000);
    const close = closeAfter(open, zone, hours);
    const room = close.getTime() - open.getTime();
    if (left <= room) return new Date(open.getTime() + left);
    left -= room;
    here = close;
  }
  return here;
}

/** When the window that is open at `instant` closes. */
function closeAfter(instant: Date, zone: string, window: Hours): Date {
  const today = localDate(instant, zone);
  for (const date of [addDays(today, -1), today]) {
    const span = spanOf(date, zone, window);
    if (span && instant >= span.open && instant < span.close) return span.close;
  }
  return instant;
}
