import { type LocalDate, localDate } from '../base/time.ts';
import { isOpen } from '../consent/windows.ts';
import type { Window } from '../settings/schema.ts';

const HOUR = 3_600_000;
/** Nobody is given a turn further ahead than this: five years of hours. */
const MAX_HOURS = 5 * 366 * 24;

/** How fast people are let in, and what was used of it already. */
export interface Drip {
  from: Date;
  perHour: number;
  /** Of the day of the business. */
  perDay: number;
  /** The business's, whose day it is. */
  zone: string;
  /** When messages may go out, on the clock of each person: who enters while it is closed would only queue up for the morning. */
  window: Window;
  /** People let in since the hour began. */
  usedHour: number;
  /** People let in since the day began. */
  usedDay: number;
}

/** Somebody who waits for a turn. */
export interface Waiting {
  /** IANA zone in which they live. */
  zone: string;
  /** Not of the list at the start: the share of a day is not for them. */
  later?: boolean;
}

/** An hour of the clock, filled from its beginning. */
interface Bucket {
  at: number;
  day: LocalDate;
  /** Turns that are left. */
  left: number;
  /** Number of the next turn within the hour. */
  next: number;
}

/**
 * Gives people their turns, in their order: never more than `perHour` in an hour of the clock nor `perDay` in a day, evenly within the
 * hour, and only while it is a time for messages where they are. Whoever cannot be let in now makes way for others.
 * @returns a moment for each; undefined where there is none within years
 */
export function turnsOf(people: readonly Waiting[], drip: Drip): (Date | undefined)[] {
  const first = Math.floor(drip.from.getTime() / HOUR);
  const today = localDate(drip.from, drip.zone);
  const buckets = new Map<number, Bucket>();
  const days = new Map<LocalDate, number>([[today, Math.max(0, drip.perDay - drip.usedDay)]]);
  const open = new Map<string, boolean>();
  /** The hour up to which there is nothing left for the likes of somebody. */
  const reached = new Map<string, number>();

  const bucketOf = (hour: number): Bucket => {
    let bucket = buckets.get(hour);
    if (!bucket) {
      const at = hour * HOUR;
      const next = hour === first ? Math.ceil(((drip.from.getTime() - at) * drip.perHour) / HOUR) : 0;
      const used = hour === first ? drip.usedHour : 0;
      bucket = { at, day: localDate(new Date(at), drip.zone), next, left: drip.perHour - Math.max(next, used) };
      buckets.set(hour, bucket);
    }
    return bucket;
  };
  const isOpenIn = (hour: number, zone: string): boolean => {
    const key = `${hour} ${zone}`;
    let answer = open.get(key);
    if (answer === undefined) {
      const last = new Date(hour * HOUR + HOUR - 1);
      answer = isOpen(new Date(hour * HOUR), zone, drip.window) && isOpen(last, zone, drip.window);
      open.set(key, answer);
    }
    return answer;
  };
  const leftOn = (day: LocalDate): number => days.get(day) ?? drip.perDay;

  return people.map(({ zone, later = false }) => {
    const kind = `${later} ${zone}`;
    for (let hour = reached.get(kind) ?? first; hour < first + MAX_HOURS; hour++) {
      reached.set(kind, hour);
      const bucket = bucketOf(hour);
      if (bucket.left <= 0 || (!later && leftOn(bucket.day) <= 0) || !isOpenIn(hour, zone)) continue;
      const at = new Date(bucket.at + Math.floor((bucket.next * HOUR) / drip.perHour));
      bucket.next += 1;
      bucket.left -= 1;
      if (!later) days.set(bucket.day, leftOn(bucket.day) - 1);
      return at;
    }
    return undefined;
  });
}

/** How many of a list are let in within a day: the share rounded down, so that it is never more, and at least one. */
export const perDayOf = (list: number, percent: number): number => Math.max(1, Math.floor((list * percent) / 100));
