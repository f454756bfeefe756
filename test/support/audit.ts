import pg from 'pg';
import { createTenant } from '../../src/access/identity.ts';
import { appendEvents } from '../../src/audit/store.ts';
import type { Database } from '../../src/base/database.ts';
import { newId } from '../../src/base/ids.ts';
import { startTestHub, type TestHub, testDatabase } from './hub.ts';

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

/** A hub whose trails are looked at, and tampered with. */
export interface Trails {
  hub: TestHub;
  databaseUrl: string;
  /** The owner of the tables: nothing keeps them from tampering, so verification must find it. */
  owner: pg.Client;
  /** A tenant of its own with ten events after the one that tells of its making. */
  tenant(): Promise<string>;
  stop(): Promise<void>;
}

export async function startTrails(): Promise<Trails> {
  const database = await testDatabase();
  const hub = await startTestHub({ databaseUrl: database.url, connectors: [] });
  const owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  return {
    hub,
    databaseUrl: database.url,
    owner,
    tenant: async () => {
      const tenantId = await createTenant(hub.hub.access, { business: 'Chain' });
      await append(hub.hub.db, tenantId, 1, 10);
      return tenantId;
    },
    stop: async () => {
      await owner.end();
      await hub.stop();
      await database.drop();
    },
  };
}
