import type { Tx } from './database.ts';
import { messageOf } from './errors.ts';

// A server that is gone, or work that meets other work, is no fault of what was tried: that runs again as a whole.
const PASSING = /^(40|08|53|55|57|E[A-Z])/;

/** Whether a failure lies in the server or in other work that was met, and not in what was tried. */
export function isPassing(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && PASSING.test(code);
}

/**
 * Tries something that may fail without taking the transaction with it.
 * @returns undefined when it was done, otherwise why not; nothing of it is left then
 * @throws what does not lie in the work itself: lost connections, deadlocks
 */
export async function attempt(tx: Tx, work: () => Promise<unknown>): Promise<string | undefined> {
  await tx.query('savepoint attempt');
  try {
    await work();
  } catch (error) {
    if (isPassing(error)) throw error;
    await tx.query('rollback to attempt');
    await tx.query('release attempt');
    return messageOf(error);
  }
  await tx.query('release attempt');
  return undefined;
}
