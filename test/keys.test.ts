import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HubSpotSandbox, start } from '../connectors/hubspot/sandbox.ts';
import { verifyAudit } from '../src/audit/chain.ts';
import { loadConfig } from '../src/base/config.ts';
import { type Database, openDatabase } from '../src/base/database.ts';
import { createKeyring } from '../src/base/keyring.ts';
import { freshCredential, readCredential } from '../src/connections/credentials.ts';
import { admitKeys, keyUses, newMasterKey, rotateKeys } from '../src/keys.ts';
import { decideOnPage } from '../src/kit/sandbox/index.ts';
import { freePort, startTestHub, type TestHub, testDatabase } from './support/hub.ts';

const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const AT = '2026-03-02T15:00:00Z';
const key = (id: string, fill: number): string => `${id}:${Buffer.alloc(32, fill).toString('base64')}`;
const [K1, K2, K3] = [key('k1', 7), key('k2', 8), key('k3', 9)];
const keysOf = (...keys: string[]) =>
  loadConfig({ RAPPORT_DATA: '/nonexistent', DATABASE_URL: 'postgres://x', RAPPORT_KEYS: keys.join(',') }).keys;

let vendor: HubSpotSandbox;
let database: Awaited<ReturnType<typeof testDatabase>>;
let port: number;
/** The hub that runs from the beginning, with the first key, and its tenant with a connection. */
let old: TestHub;
let connection: Record<string, any>;

let fresh: TestHub | undefined;
let db: Database;
/** What the start of a hub says to these keys. */
const admitted = async (...keys: string[]) => (await admitKeys(db, withKeys(...keys).config, now())).keyring;

async function hubWith(...keys: string[]): Promise<TestHub> {
  const hosts = { HUBSPOT_HOST_API: vendor.hosts.api!, HUBSPOT_HOST_APP: vendor.hosts.app! };
  const env = { ...APP, ...hosts, RAPPORT_KEYS: keys.join(',') };
  const at = old?.clock.now().toISOString() ?? AT;
  return startTestHub({ at, port, connectors: ['hubspot'], env, databaseUrl: database.url });
}
/** What a rotation needs, as the command has it. */
const withKeys = (...keys: string[]) => {
  const config = { ...old.hub.config, keys: keysOf(...keys) };
  return { db, config, keyring: createKeyring(config.keys) };
};
const now = (): Date => old.clock.now();
const sealedWith = async (...keys: string[]): Promise<Record<string, Record<string, number>>> => {
  const uses = await keyUses(db, withKeys(...keys).config);
  return Object.fromEntries(
    uses.map(({ key: id, tables }) => [
      id,
      Object.fromEntries(Object.entries(tables).map(([name, { rows }]) => [name, rows])),
    ]),
  );
};
beforeAll(async () => {
  database = await testDatabase();
  port = await freePort();
  db = openDatabase({ ownerUrl: database.url, max: 4 });
  const clock = { now: () => old?.clock.now() ?? new Date(AT), sleep: async () => {} };
  vendor = await start({ clock, app: APP, limits: false });
  old = await hubWith(K1);
  connection = await old.connect('hubspot');
  await old.settle();
});
afterAll(async () => {
  await fresh?.stop();
  await old?.stop();
  await db?.close();
  await vendor?.stop();
  await database?.drop();
});

/** A connection whose credential is sealed with these keys; it leads nowhere. */
async function connected(...keys: string[]): Promise<string> {
  const { tenantId } = await old.otherTenant(`With ${keys.length} keys ${Math.random()}`);
  const id = connection.id as string;
  const sealed = createKeyring(keysOf(...keys)).seal('{"accessToken":"x"}', `credential ${tenantId} ${id}`);
  await db.tenant(tenantId, (tx) =>
    tx.query('insert into credential (tenant_id, connection_id, sealed) values ($1, $2, $3)', [tenantId, id, sealed]),
  );
  return tenantId;
}

test('keys: everything that is sealed anywhere in the sources is known to the rotation', () => {
  const source = fileURLToPath(new URL('../src', import.meta.url));
  const sealing = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter(
      (file) =>
        file.endsWith('.ts') && /keyring\.seal\(|\.seal\([^)]/.test(readFileSync(path.join(source, file), 'utf8')),
    )
    .filter((file) => file !== path.join('base', 'keyring.ts'));
  // Credentials, verifiers of authorisations, kept answers, and the hub's own two words.
  expect(sealing.sort()).toEqual([
    'connections/credentials.ts',
    'connections/oauth.ts',
    'http/idempotency.ts',
    'keys.ts',
  ]);
});

test('keys: a hub without a key that something is sealed with does not start, and says which and what to do', async () => {
  await expect(admitted(K2)).rejects.toThrow(/the key "k1" is missing.*rapport keys rotate/s);
  await expect(admitted(key('k1', 1))).rejects.toThrow(
    /does not open the secrets in this database.*not the one it was sealed with/s,
  );
});

test('keys: a rotation that is killed midway loses nothing, and the next one does the rest', async () => {
  for (let n = 0; n < 3; n++) await connected(K1);
  let batches = 0;
  const dying = rotateKeys(withKeys(K2, K1), now(), 'cli', async () => {
    batches += 1;
    if (batches === 5) throw new Error('killed');
  });
  await expect(dying).rejects.toThrow('killed');
  const half = await sealedWith(K2, K1);
  expect(half.k1!.credential).toBeGreaterThan(0);
  expect(half.k2!.credential).toBeGreaterThan(0);
  const rest = await rotateKeys(withKeys(K2, K1), now(), 'cli');
  expect(rest.unreadable).toEqual([]);
  expect(await sealedWith(K2, K1)).toMatchObject({ k1: {}, k2: { credential: 4, link_route: 2 } });
  // Back again, so that the other tests begin where a business begins.
  await rotateKeys(withKeys(K1, K2), now(), 'cli');
  expect(await sealedWith(K1, K2)).toMatchObject({ k1: { credential: 4, link_route: 2 }, k2: {} });
});

/** A database in which something happens just before the rotation replaces a credential. */
const disturbed = (db: Database, what: () => Promise<unknown>): Database => ({
  ...db,
  tenant: (tenantId, work) =>
    db.tenant(tenantId, (tx) =>
      work({
        ...tx,
        query: async (text, values) => {
          if (tenantId === old.tenantId && text.startsWith('update credential set sealed')) await what();
          return tx.query(text, values);
        },
      }),
    ),
});

test('keys: a token that is refreshed while it is sealed anew is never overwritten with the one before', async () => {
  const { deps } = old.hub;
  const connector = deps.registry.find('hubspot')!;
  const before = await readCredential(deps, old.tenantId, connection.id);
  const refresh = () => freshCredential(deps, connector, old.tenantId, connection.id, before.version);
  const rotating = withKeys(K2, K1);
  await rotateKeys({ ...rotating, db: disturbed(rotating.db, refresh) }, now(), 'cli');
  const after = await readCredential({ ...deps, keyring: rotating.keyring }, old.tenantId, connection.id);
  expect(after.version).toBe(before.version + 1);
  expect(after.secrets.accessToken).not.toBe(before.secrets.accessToken);
  // It was written with the old key meanwhile; the next rotation finds it.
  expect((await sealedWith(K2, K1)).k1).toMatchObject({ credential: 1 });
  await rotateKeys(rotating, now(), 'cli');
  expect(await sealedWith(K2, K1)).toMatchObject({ k1: {} });
  await rotateKeys(withKeys(K1, K2), now(), 'cli');
});

test('keys: a refresh that is waiting for the platform while its credential is sealed anew keeps its new token', async () => {
  const { deps } = old.hub;
  const connector = deps.registry.find('hubspot')!;
  const before = await readCredential(deps, old.tenantId, connection.id);
  const rotating = withKeys(K2, K1);
  // The platform answers the refresh only after the rotation.
  vendor.server.faults.add({
    kind: 'rewrite',
    match: /\/oauth\/.*\/token$/,
    times: 1,
    rewrite: async (body: unknown) => {
      await rotateKeys(rotating, now(), 'cli');
      return body;
    },
  });
  const got = await freshCredential(deps, connector, old.tenantId, connection.id, before.version);
  expect(got.version).toBe(before.version + 1);
  const stored = await readCredential({ ...deps, keyring: rotating.keyring }, old.tenantId, connection.id);
  expect(stored.secrets.accessToken).toBe(got.secrets.accessToken);
  await rotateKeys(withKeys(K1, K2), now(), 'cli');
});

test('keys: two rotations at once seal each value once', async () => {
  const both = await Promise.all([
    rotateKeys(withKeys(K2, K1), now(), 'one'),
    rotateKeys(withKeys(K2, K1), now(), 'two'),
  ]);
  const sealed = both.map(({ resealed }) => resealed.credential ?? 0);
  expect(sealed[0]! + sealed[1]!).toBe(4);
  expect(both.flatMap(({ unreadable }) => unreadable)).toEqual([]);
  expect(await sealedWith(K2, K1)).toMatchObject({ k1: {}, k2: { credential: 4 } });
  await rotateKeys(withKeys(K1, K2), now(), 'cli');
});

test('keys: a value sealed with a key nobody has is told by table and id, and the others are sealed all the same', async () => {
  const lost = await connected(K3);
  const { unreadable, resealed, uses } = await rotateKeys(withKeys(K2, K1), now(), 'cli');
  expect(unreadable).toEqual([
    {
      table: 'credential',
      id: connection.id,
      tenantId: lost,
      key: 'k3',
      reason: expect.stringContaining('"k3", which is not in RAPPORT_KEYS'),
    },
  ]);
  expect(resealed.credential).toBe(4);
  expect(uses.find((use) => use.key === 'k3')).toMatchObject({ known: false, tables: { credential: { rows: 1 } } });
  await db.tenant(lost, (tx) => tx.query('delete from credential where tenant_id = $1', [lost]));
  await rotateKeys(withKeys(K1, K2), now(), 'cli');
});

test('keys: after a rotation the old key goes away and everything still works: calls, answers, links, authorisations under way', async () => {
  const bearing = { 'idempotency-key': 'keep-this' };
  const made = await old.api('POST', '/v1/api-keys', { name: 'shown once', role: 'viewer' }, bearing);
  expect(made.status).toBe(201);
  const underWay = (await old.api('POST', '/v1/connections', { connector: 'hubspot' })).body.authorizeUrl as string;
  const derived = old.hub.deps.keyring.derive('links');

  // The new key comes first; the hub that has only the old one still runs and still seals.
  expect((await admitted(K2, K1)).derive('links')).toEqual(derived);
  const early = await rotateKeys(withKeys(K2, K1), now(), 'cli');
  expect(early).toMatchObject({ key: 'k2', notNeeded: [], stillSealing: [{ key: 'k1' }] });
  await expect(admitted(K2)).rejects.toThrow(/"k1" is missing/);

  // It has been stopped for a while.
  await old.hub.stop();
  old.clock.advance(10 * 60_000);
  const done = await rotateKeys({ ...withKeys(K2, K1), db }, now(), 'cli');
  expect(done).toMatchObject({ notNeeded: ['k1'], stillSealing: [] });
  fresh = await hubWith(K2);
  expect(fresh.hub.deps.keyring.derive('links')).toEqual(derived);
  const path = `/v1/connections/${connection.id}`;
  expect((await old.api('POST', `${path}/test`)).body.health).toMatchObject({ ok: true });
  const again = await old.api('POST', '/v1/api-keys', { name: 'shown once', role: 'viewer' }, bearing);
  expect(again.headers.get('idempotent-replay')).toBe('true');
  expect(again.body).toEqual(made.body);
  expect((await decideOnPage(underWay, 'allow')).status).toBe(200);
  expect(await sealedWith(K2)).toEqual({
    k2: expect.objectContaining({ oauth_state: expect.any(Number), link_route: 2 }),
  });
  // The trail says what was done, and is whole.
  const { body } = await old.api('GET', '/v1/audit?limit=100');
  const event = body.items.find(({ action }: { action: string }) => action === 'keys.rotated');
  expect(event).toMatchObject({ data: { from: ['k1'], to: 'k2' } });
  expect(await verifyAudit(db, old.tenantId)).toMatchObject({ ok: true });
});

test('keys: a hub that seals with an old key after all makes it needed again', async () => {
  await admitted(K1, K2);
  await expect(admitted(K2)).rejects.toThrow(/"k1" is missing/);
  expect((await rotateKeys({ ...withKeys(K2, K1), db }, now(), 'cli')).stillSealing).toMatchObject([{ key: 'k1' }]);
});

test('keys: a key that was only tried, and sealed nothing, is not asked for afterwards', async () => {
  const tried = await admitKeys(db, withKeys(key('k77', 3), K2, K1).config, now());
  await expect(admitted(K2, K1)).rejects.toThrow(/"k77" is missing/);
  await tried.forget();
  await admitted(K2, K1);
});

test('keys: a new key has a name that is not taken and 32 random bytes', () => {
  const made = newMasterKey(['k1', 'k7', 'other']);
  expect(made.id).toBe('k8');
  expect(keysOf(made.text)[0]!.key).toHaveLength(32);
  expect(newMasterKey([]).id).toBe('k1');
  expect(newMasterKey([]).text).not.toBe(newMasterKey([]).text);
});
