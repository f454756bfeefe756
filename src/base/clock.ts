import { setTimeout as delay } from 'node:timers/promises';

/** The one source of time. Everything that asks "now" or waits goes through it, so any moment can be run. */
export interface Clock {
  now(): Date;
  /** Resolves when `ms` have passed on this clock; rejects when `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: async (ms, signal) => {
    await delay(Math.max(0, ms), undefined, signal ? { signal } : {});
  },
};

/** A clock that is moved by hand; whoever sleeps on it moves it. Real time flows on it only when asked to. */
export interface ManualClock extends Clock {
  /** Moves the clock to `to`; it never goes back unless `allowBack` is set (a test of exactly that). */
  set(to: Date | string, allowBack?: boolean): void;
  advance(ms: number): void;
}

/**
 * @param start where the clock stands at first
 * @param flowing whether real time passes on it between moves (the demo wants to see real latencies)
 */
export function manualClock(start: Date | string, flowing = false): ManualClock {
  let base = new Date(start).getTime();
  let anchor = performance.now();
  const now = (): number => base + (flowing ? performance.now() - anchor : 0);
  const move = (to: number): void => {
    base = to;
    anchor = performance.now();
  };
  return {
    now: () => new Date(Math.floor(now())),
    set: (to, allowBack = false) => {
      const target = new Date(to).getTime();
      if (allowBack || target > now()) move(target);
    },
    advance: (ms) => move(now() + ms),
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      const target = now() + ms;
      // Yield to the event loop so that other work runs before time jumps.
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (target > now()) move(target);
    },
  };
}
