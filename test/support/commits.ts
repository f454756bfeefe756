import type { Database, SystemTx } from '../../src/base/database.ts';
import type { SyncDeps } from '../../src/sync/deps.ts';

const writes = (text: string): boolean => /^\s*(insert|update|delete|with)\b/i.test(text);

/** A database that tells of every commit that wrote something, at the moment it happened and before anything else is done. */
export function tellingCommits(db: Database, told: () => void | Promise<void>): Database {
  const watched = <T extends SystemTx>(tx: T): T => {
    let wrote = false;
    tx.afterCommit(() => (wrote ? told() : undefined));
    const query: T['query'] = (text, values) => {
      wrote ||= writes(text);
      return tx.query(text, values);
    };
    return { ...tx, query };
  };
  return {
    ...db,
    tenant: (id, work) => db.tenant(id, (tx) => work(watched(tx))),
    system: (work) => db.system((tx) => work(watched(tx))),
    statement: async (text, values) => {
      const result = await db.statement(text, values);
      if (writes(text)) await told();
      return result as never;
    },
  };
}

/**
 * Does something that stops for ever right after a commit, as if the power had failed: cheaper than killing a process,
 * so that every commit there is can be tried.
 * @param commits number of the commit after which nothing happens any more
 * @returns whether it came to its end before that
 */
export async function survives<Deps extends SyncDeps>(
  deps: Deps,
  commits: number,
  work: (deps: Deps) => Promise<unknown>,
): Promise<boolean> {
  let left = commits;
  let stop: (survived: boolean) => void = () => {};
  const stopped = new Promise<boolean>((resolve) => {
    stop = resolve;
  });
  const db = tellingCommits(deps.db, async () => {
    left -= 1;
    if (left > 0) return;
    stop(false);
    await new Promise(() => {});
  });
  return Promise.race([work({ ...deps, db }).then(() => true), stopped]);
}
