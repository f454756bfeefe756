import { appendEvents } from '../../src/audit/store.ts';
import type { Database } from '../../src/base/database.ts';
import { newId } from '../../src/base/ids.ts';

/** An event like those that rooms report. */
export const event = (n: number) => ({
  actor: 'user:x',
  action: `thing.${n}`,
  subject: { kind: 'thing', id: `t-${n}` },
  customerId: newId(),
  // Members in another order than the database keeps them, and values that programs write differently.
  data: { z: n, a: { ü: 'ß', list: [1.5, null, true], empty: {} } },
  at: new Date(Date.UTC(2026, 2, 2, 15, 0, 0, n)),
});

/** Appends events numbered from `from`, in one transaction. */
export const append = (db: Database, tenant: string, from: number, count: number): Promise<void> =>
  db.tenant(tenant, (tx) =>
    appendEvents(
      tx,
      Array.from({ length: count }, (_value, at) => event(from + at)),
    ),
  );
