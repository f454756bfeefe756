import type pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Database, openDatabase } from '../src/base/database.ts';
import { accessTo, startTestHub, type TestHub, testDatabase } from './support/hub.ts';
import { ATTACKS } from './support/tenants/attacks.ts';
import { type Attempt, attempt, leaksOf, rowsAsText } from './support/tenants/attempt.ts';
import { type Catalog, ownerClient, readCatalog } from './support/tenants/catalog.ts';
import { type StoreFunction, storeFunctions } from './support/tenants/functions.ts';
import { newTenant, storeTenant, type Tenant } from './support/tenants/seed.ts';

let database: Awaited<ReturnType<typeof testDatabase>>;
let hub: TestHub;
let owner: pg.Client;
let catalog: Catalog;
let functions: StoreFunction[];
/** As the role of the application, whom row-level security binds. */
let bound: Database;
/** As the owner of the tables, whom nothing binds but the statements themselves. */
let unbound: Database;
let victim: Tenant;
let attacker: Tenant;
/** What the attacker's calls did before there was a victim. */
const alone = new Map<Database, Map<string, Attempt>>();
/** And afterwards, as far as row-level security binds. */
let afterwards: Map<string, Attempt>;
/** The victim's rows by table. */
const untouched = new Map<string, string>();

beforeAll(async () => {
  database = await testDatabase();
  hub = await startTestHub({ databaseUrl: database.url, connectors: ['hubspot'] });
  owner = await ownerClient(database.url);
  catalog = await readCatalog(owner);
  functions = await storeFunctions();
  bound = openDatabase({ ...accessTo(database.url), max: 1 });
  unbound = openDatabase({ ...accessTo(database.url), appUrl: database.url, max: 1 });
  victim = newTenant(catalog, 'victim');
  attacker = newTenant(catalog, 'attacker');
  await storeTenant(owner, attacker);
  for (const db of [bound, unbound]) alone.set(db, await attackAll(db, attacker.tenantId));
  await storeTenant(owner, victim);
  for (const table of catalog.tables)
    untouched.set(table, await rowsAsText({ query: unbound.statement }, table, victim.tenantId));
  afterwards = await attackAll(bound, attacker.tenantId);
  // Every function of the hub is called several times, and the machine may have other tests to run.
}, 180_000);

afterAll(async () => {
  await bound?.close();
  await unbound?.close();
  await owner?.end();
  await hub?.stop();
  await database?.drop();
});

/** Calls every function in a transaction of the tenant with the victim's ids; nothing of it is kept. */
async function attackAll(db: Database, tenantId: string): Promise<Map<string, Attempt>> {
  const start = async (_tx: unknown, _trigger: unknown, occurrences: readonly { id: string }[]) =>
    occurrences.map(({ id }) => ({ id, outcome: 'started', runId: null }));
  const around = { deps: hub.hub.deps, start: start as never };
  const done = new Map<string, Attempt>();
  for (const target of functions) {
    const attack = ATTACKS.get(target.name);
    if (attack)
      done.set(target.name, await attempt({ db, tenantId, target, attack, around, victim, attacker, untouched }));
  }
  return done;
}

test('tenants: every function that works in a tenant’s transaction has an attack, and every attack a function', () => {
  const names = functions.map(({ name }) => name);
  expect(names.length).toBeGreaterThan(200);
  expect(names.filter((name) => !ATTACKS.has(name))).toEqual([]);
  expect([...ATTACKS.keys()].filter((name) => !names.includes(name))).toEqual([]);
});

test('tenants: the victim has a row in every table that names a tenant', async () => {
  for (const table of catalog.tables) {
    const { rows } = await owner.query(`select count(*)::int as n from ${table} where tenant_id = $1`, [
      victim.tenantId,
    ]);
    expect(rows[0].n, table).toBeGreaterThan(0);
  }
});

/** Every way in which a call in the attacker's transaction touched the victim. */
function faults(db: Database, done: ReadonlyMap<string, Attempt>): string[] {
  return [...done].flatMap(([name, made]) => {
    const { refuses } = ATTACKS.get(name)!;
    const told = `${name}: `;
    if (made.error !== undefined && !refuses?.test(made.error)) return [`${told}fails: ${made.error}`];
    if (made.error === undefined && refuses) return [`${told}does not refuse`];
    const before = alone.get(db)!.get(name)!;
    return [
      ...leaksOf(made.text, made.given, victim).map((leak) => `${told}answers ${leak}`),
      ...leaksOf(made.own, made.given, victim).map((leak) => `${told}copies ${leak}`),
      ...made.changed.map((table) => `${told}changes ${table} of another tenant`),
      ...(made.same === before.same
        ? []
        : [`${told}answers differently because of another tenant: ${made.same} instead of ${before.same}`]),
    ];
  });
}

test('tenants: no store function reads, changes or copies a row of another tenant', () => {
  expect(faults(bound, afterwards)).toEqual([]);
});

test('tenants: no store function does so even without row-level security: each statement names its tenant', async () => {
  expect(faults(unbound, await attackAll(unbound, attacker.tenantId))).toEqual([]);
});

// Which tables a call wrote to is counted by the server it wrote to: on a cluster that is another one.
test.skipIf(inject('cluster'))(
  'tenants: every attack hits when the ids are one’s own, so that none of them is a blow into the air',
  async () => {
    const vain = [...(await attackAll(bound, victim.tenantId))].flatMap(([name, made]) => {
      const { harmless } = ATTACKS.get(name)!;
      if (made.error !== undefined) return [`${name}: fails in the own tenant: ${made.error}`];
      const hits =
        made.changed.length > 0 ||
        leaksOf(made.text, made.given, victim).length > 0 ||
        made.same !== afterwards.get(name)!.same;
      return hits === (harmless === undefined) ? [] : [`${name}: ${hits ? 'is not harmless' : 'has no effect'}`];
    });
    expect(vain).toEqual([]);
  },
);
