import { BACKFILL_SHARE, keptOf, type Window } from '../connections/quota.ts';

/** How fast a connection calls just now, in calls a second. */
export interface Pace {
  now: Date;
  polls: number;
  /** Of a first load, when nothing but the short limits slows it. */
  speed: number;
}

/** An allowance as it stands. */
export interface Allotted {
  limit: number;
  used: number;
  others: number;
  left: number;
  window: Window;
}

export interface Forecast {
  /** When a first load of these calls ends, within what it may use; undefined: never at this pace. */
  finishedAt: Date | undefined;
  /** Part of the allowance that will be used when its window ends. */
  share: number | undefined;
  /** When the allowance would be used up if nothing were slowed; undefined: not within its window. */
  runsOutAt: Date | undefined;
}

/** What is ahead of a connection: polls go on, a first load uses what it may. */
export function finishOf(pace: Pace, callsLeft: number, allotted: readonly Allotted[]): Forecast {
  const forecasts = allotted.map((one) => forecast(pace, callsLeft, one));
  const unlimited = pace.speed > 0 ? new Date(pace.now.getTime() + (callsLeft / pace.speed) * 1000) : undefined;
  if (forecasts.length === 0)
    return { finishedAt: callsLeft === 0 ? pace.now : unlimited, share: undefined, runsOutAt: undefined };
  const ends = forecasts.map(({ finishedAt }) => finishedAt);
  const runsOut = forecasts.flatMap(({ runsOutAt }) => runsOutAt ?? []).sort((a, b) => a.getTime() - b.getTime());
  return {
    finishedAt: ends.includes(undefined) ? undefined : new Date(Math.max(...ends.map((end) => end!.getTime()))),
    share: Math.max(...forecasts.map(({ share }) => share!)),
    runsOutAt: runsOut[0],
  };
}

function forecast(pace: Pace, callsLeft: number, { limit, used, others, left, window }: Allotted): Forecast {
  const { now, polls } = pace;
  const ahead = Math.max(0, window.end.getTime() - now.getTime()) / 1000;
  const whole = (window.end.getTime() - window.start.getTime()) / 1000;
  const speed = callsLeft > 0 ? pace.speed : 0;
  // By its end a window leaves a first load everything but the reserve of messages and changes.
  const kept = keptOf(limit, 'backfill', window, window.end);
  const today = Math.min(callsLeft, Math.max(0, left - kept - polls * ahead), speed * ahead);
  const share = (used + others + Math.min(left, polls * ahead + today)) / limit;
  const rate = polls + speed;
  const empty = rate > 0 ? left / rate : Number.POSITIVE_INFINITY;
  // A load that ends before that stops eating.
  const eaten = speed > 0 && callsLeft / speed < empty ? (left - callsLeft) / Math.max(polls, 1e-9) : empty;
  const runsOutAt = eaten < ahead ? new Date(now.getTime() + eaten * 1000) : undefined;
  return { share, runsOutAt, finishedAt: finish() };

  function finish(): Date | undefined {
    if (callsLeft === 0) return now;
    if (speed === 0) return undefined;
    if (today >= callsLeft) {
      const at = secondsFor(callsLeft, left, limit, whole, speed, whole - ahead);
      return new Date(now.getTime() + at * 1000);
    }
    const each = Math.min(BACKFILL_SHARE * limit - polls * whole, speed * whole);
    if (each <= 0) return undefined;
    const rest = callsLeft - today;
    const full = Math.ceil(rest / each) - 1;
    const last = secondsFor(rest - full * each, limit, limit, whole, speed, 0);
    return new Date(window.end.getTime() + (full * whole + last) * 1000);
  }
}

/** Seconds until `calls` more may have been made in a window of which `gone` seconds are over: the reserve falls with time. */
function secondsFor(calls: number, left: number, limit: number, whole: number, speed: number, gone: number): number {
  const constant = limit * (1 - BACKFILL_SHARE);
  const falling = keptOf(limit, 'backfill', { start: new Date(0), end: new Date(1) }, new Date(0)) - constant;
  const moment = falling > 0 ? whole * (1 - (left - calls - constant) / falling) : 0;
  return Math.max(calls / speed, Math.min(whole, moment) - gone, 0);
}
