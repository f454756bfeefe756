import type { Database, SystemTx } from '../../src/base/database.ts';

/**
 * A database on which a statement waits: a test stands between two moments of a transaction.
 * @param match the statement; it runs when `go` is called
 */
export function pausingAt(db: Database, match: RegExp): { db: Database; reached: Promise<void>; go: () => void } {
  let arrive: () => void = () => {};
  let go: () => void = () => {};
  const reached = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const open = new Promise<void>((resolve) => {
    go = resolve;
  });
  const slow = <T extends SystemTx>(tx: T): T => ({
    ...tx,
    query: async (text: string, values?: readonly unknown[]) => {
      if (match.test(text)) {
        arrive();
        await open;
      }
      return tx.query(text, values);
    },
  });
  return { db: { ...db, tenant: (id, work) => db.tenant(id, (tx) => work(slow(tx))) }, reached, go };
}
