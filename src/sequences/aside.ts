import type { RunRow } from './runs.ts';

/** Minutes until a run that could not go on is tried again; the last one from then on. */
const AGAIN_MINUTES = [10, 60, 360, 1440];

/** The run keeps its place, says why it stands there, and is tried again. It is saved by the caller. */
export function putAside(run: RunRow, reason: string, now: Date): void {
  const minutes = AGAIN_MINUTES[Math.min(run.tries, AGAIN_MINUTES.length - 1)]!;
  Object.assign(run, {
    state: run.state === 'paused' ? 'paused' : 'waiting',
    wake_at: new Date(now.getTime() + minutes * 60_000),
    problem: reason,
    tries: run.tries + 1,
  });
}
