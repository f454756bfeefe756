import { openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../src/base/clock.ts';

/** How often a sleeper looks whether the clock was moved. */
const LOOK_MS = 20;

/** One clock for several processes: real time flows on it, and whoever holds it can move all of them on at once. */
export interface SharedClock extends Clock {
  /** Moves the clock on for every process that reads the file. */
  advance(milliseconds: number): void;
}

/** Makes the file that holds how far the clock is from real time. */
export function makeClock(file: string, start: Date): SharedClock {
  writeFileSync(file, Buffer.alloc(8));
  const clock = sharedClock(file);
  clock.advance(start.getTime() - Date.now());
  return clock;
}

/** The clock of `file`, which another process made. */
export function sharedClock(file: string): SharedClock {
  const handle = openSync(file, 'r+');
  const buffer = Buffer.alloc(8);
  const offset = (): number => {
    readSync(handle, buffer, 0, 8, 0);
    return buffer.readDoubleLE();
  };
  const now = (): number => Date.now() + offset();
  return {
    now: () => new Date(now()),
    sleep: async (milliseconds, signal) => {
      signal?.throwIfAborted();
      const target = now() + milliseconds;
      for (;;) {
        const left = target - now();
        if (left <= 0) return;
        await delay(Math.min(left, LOOK_MS), undefined, signal ? { signal } : {});
      }
    },
    advance: (milliseconds) => {
      const moved = Buffer.alloc(8);
      moved.writeDoubleLE(offset() + milliseconds);
      writeSync(handle, moved, 0, 8, 0);
    },
  };
}
