import type { Clock } from '../../src/kit/index.ts';

/** A bucket of points that flows full again (dossier, Limits): 20 times what flows in a second. */
export interface Throttle {
  /** Takes points. @returns whether there were enough */
  take(points: number): boolean;
  /** Gives back what a call did not need. */
  giveBack(points: number): void;
  status(): { maximumAvailable: number; currentlyAvailable: number; restoreRate: number };
}

export function createThrottle(clock: Clock, restoreRate: number, limited: boolean): Throttle {
  const maximumAvailable = 20 * restoreRate;
  let available = maximumAvailable;
  let filled = clock.now().getTime();
  const flow = (): void => {
    const now = clock.now().getTime();
    // A clock that is set back fills nothing.
    available = Math.min(maximumAvailable, available + (Math.max(0, now - filled) / 1000) * restoreRate);
    filled = now;
  };
  return {
    take(points) {
      flow();
      if (limited && available < points) return false;
      if (limited) available -= points;
      return true;
    },
    giveBack: (points) => {
      available = Math.min(maximumAvailable, available + points);
    },
    status: () => ({ maximumAvailable, currentlyAvailable: Math.floor(available), restoreRate }),
  };
}
