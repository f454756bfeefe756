import type { Database, SystemTx } from '../../src/base/database.ts';
import type { Hub } from '../../src/hub.ts';
import { eventually } from './children.ts';

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

/** Comes back when somebody waits for a lock that another transaction holds. */
export const isWaiting = ({ hub }: { hub: Hub }): Promise<unknown> =>
  eventually(async () => {
    const { rows } = await hub.db.statement(
      'select 1 from pg_locks l join pg_stat_activity a on a.pid = l.pid where not l.granted and a.datname = current_database()',
    );
    return rows.length > 0 || undefined;
  });
