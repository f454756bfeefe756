import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HubSpotSandbox, start } from '../connectors/hubspot/sandbox.ts';
import { manualClock } from '../src/base/clock.ts';
import type { Row } from '../src/base/database.ts';
import type { MappingOverride } from '../src/mapping/schema.ts';
import type { SyncDeps } from '../src/sync/deps.ts';
import { ingest } from '../src/sync/ingest.ts';
import { remapConnection } from '../src/sync/remap/run.ts';
import { applyMapping } from '../src/sync/remap/start.ts';
import { loadSource, type Source } from '../src/sync/source.ts';
import { survives } from './support/commits.ts';
import { type Api, freePort, MINUTE, startTestHub, type TestHub } from './support/hub.ts';
import { isWaiting, pausingAt } from './support/pauses.ts';

const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const AT = '2026-03-02T15:00:00Z';
const CONTACTS = 200;

let vendor: HubSpotSandbox;
let hub: TestHub;
let connection: Record<string, any>;
let other: { tenantId: string; api: Api };

beforeAll(async () => {
  const port = await freePort();
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  vendor = await start({ clock, app: APP, hookUrl: `http://127.0.0.1:${port}/hooks/hubspot`, limits: false });
  hub = await startTestHub({
    at: AT,
    port,
    connectors: ['hubspot'],
    env: { ...APP, HUBSPOT_HOST_API: vendor.hosts.api!, HUBSPOT_HOST_APP: vendor.hosts.app! },
  });
  other = await hub.otherTenant();
  for (let n = 0; n < CONTACTS; n++)
    vendor.state.create('contacts', {
      firstname: 'Ann',
      lastname: `Miller ${n}`,
      email: `ann${n}@example.com`,
      mobilephone: `+1415555${1000 + n}`,
      company: `Company ${n % 7}`,
      city: 'Columbus',
      zip: String(43_000 + n),
    });
  // Two records of one person that only a wrong (or better) mapping takes for one.
  for (const mail of ['tim@home.example', 'tim@work.example'])
    vendor.state.create('contacts', { firstname: 'Tim', lastname: 'Twin', email: mail, address: 'twin@example.com' });
  connection = await hub.connect('hubspot');
  await hub.connect('hubspot', { api: other.api });
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await vendor?.stop();
});

const TITLE = { streams: { contacts: { contact: { fields: { job_title: { path: 'properties.city' } } } } } };
const TWINS = {
  streams: {
    contacts: {
      contact: {
        fields: {
          email: { first: [{ email: { path: 'properties.address' } }, { email: { path: 'properties.email' } }] },
        },
      },
    },
  },
};

const version = async (): Promise<number> =>
  (await hub.api('GET', `/v1/connections/${connection.id}/mapping`)).body.version;
const act = async (verb: 'apply' | 'rollback', body: object = {}, api = hub.api) =>
  api(
    'POST',
    `/v1/mappings/hubspot/${verb}`,
    { connectionId: connection.id, ...body },
    {
      'if-match': `"${await version()}"`,
    },
  );
const preview = async (body: object) =>
  (await hub.api('POST', '/v1/mappings/hubspot/preview', { connectionId: connection.id, ...body })).body;
const lastRun = async () =>
  (await hub.api('GET', `/v1/mappings/hubspot/runs?connectionId=${connection.id}`)).body.items[0];
const applied = async (override: object) => {
  const answer = await act('apply', { override });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  await hub.settle();
  return lastRun();
};
const rolledBack = async (body: object = {}) => {
  const answer = await act('rollback', body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  await hub.settle();
  return lastRun();
};

const rows = async (sql: string, tenantId = hub.tenantId): Promise<Row[]> =>
  hub.hub.db.tenant(tenantId, async (tx) => (await tx.query(sql, [tenantId])).rows);
const count = async (sql: string): Promise<number> => (await rows(sql)).length;

/** Everything a mapping decides, without the bookkeeping of when it was written. */
const facts = async (tenantId = hub.tenantId): Promise<Row[]> => [
  ...(await rows(
    `select to_jsonb(t) - array['updated_at'] as row from contact_projection t where tenant_id = $1 order by stream_id, remote_id`,
    tenantId,
  )),
  ...(await rows(
    `select to_jsonb(t) - array['updated_at', 'version'] as row from customer t where tenant_id = $1 order by id`,
    tenantId,
  )),
  ...(await rows(`select kind, key, entity_id from identity_key where tenant_id = $1 order by kind, key`, tenantId)),
  ...(await rows(`select old_id, entity_id from entity_alias where tenant_id = $1 order by old_id`, tenantId)),
];

const titles = (title: string): Promise<number> =>
  count(`select 1 from customer where tenant_id = $1 and job_title = '${title}'`);

/** Saves a mapping without anybody working on it. */
const saved = async (override: MappingOverride): Promise<void> => {
  await applyMapping(
    byHand(),
    hub.tenantId,
    { connector: 'hubspot', connectionId: connection.id, subject: { kind: 'connection', id: connection.id } },
    { override, expected: await version(), actor: 'test' },
  );
};

/** A hub that puts no jobs, so that what works on a remap is what the test calls. */
const byHand = (): SyncDeps => {
  const { deps } = hub.hub;
  return { ...deps, queue: { ...deps.queue, send: async () => {} } };
};

test('remap: a preview shows before and after on real records, counts all of them, writes nothing and asks nobody', async () => {
  const before = await facts();
  const parkedBefore = await rows('select * from parked_item where tenant_id = $1');
  const calls = vendor.server.journal.length;
  const id = vendor.state.all('contacts')[7]!.id;
  const found = await preview({ override: TITLE, sample: 3, ids: { contacts: [id] } });
  expect(found).toMatchObject({ records: CONTACTS + 2, examined: CONTACTS + 2, share: 1, affected: CONTACTS });
  expect(found.streams).toMatchObject([
    { stream: 'contacts', fields: [{ kind: 'contact', field: 'job_title', affected: CONTACTS }], newlyParked: 0 },
  ]);
  expect(found.sample).toHaveLength(4);
  expect(found.sample[0]).toMatchObject({
    id,
    name: 'Ann Miller 7',
    changes: [{ kind: 'contact', field: 'job_title', before: null, after: 'Columbus' }],
  });
  expect(await facts()).toEqual(before);
  expect(await rows('select * from parked_item where tenant_id = $1')).toEqual(parkedBefore);
  expect(vendor.server.journal.length).toBe(calls);
  expect(await version()).toBe(0);
});

test('remap: a preview with a limit tells how much it looked at', async () => {
  const found = await preview({ override: TITLE, limit: 1 });
  // Not less than one batch of a stream; here that is nearly all.
  expect(found.examined).toBeLessThanOrEqual(500);
  const few = await hub.api('POST', '/v1/mappings/hubspot/preview', { override: { streams: { nobody: {} } } });
  expect(few.status).toBe(422);
});

test('remap: a preview tells what would be parked, what would be joined and what was never read', async () => {
  const wrong = {
    streams: {
      contacts: {
        contact: { fields: { birthday: { path: 'properties.city' }, locale: { path: 'properties.never_heard_of' } } },
      },
    },
  };
  const found = await preview({ override: wrong });
  expect(found.streams[0].issues).toMatchObject([
    {
      kind: 'contact',
      field: 'birthday',
      records: CONTACTS,
      critical: false,
      example: expect.stringContaining('Columbus'),
    },
  ]);
  expect(found.streams[0].neverSeen).toEqual(['properties.never_heard_of']);
  expect(found.notes.join(' ')).toContain('was not asked for it yet');
  expect((await preview({ override: TWINS })).streams[0]).toMatchObject({ affected: 2 });
});

test('remap: applying brings every stored record through, sets nothing off, and rolling back restores every fact', async () => {
  const before = await facts();
  const run = await applied(TITLE);
  expect(run).toMatchObject({ state: 'done', reason: 'apply', changed: CONTACTS, parked: 0, error: null });
  expect(run.seen).toBe(CONTACTS + 2);
  expect(await titles('Columbus')).toBe(CONTACTS);
  const live =
    "select 1 from change where tenant_id = $1 and 'job_title' = any(fields) and (origin = 'live' or not processed)";
  expect(await count(live)).toBe(0);
  expect(await rolledBack()).toMatchObject({ state: 'done', reason: 'rollback', changed: CONTACTS });
  expect(await facts()).toEqual(before);
  const versions = (await hub.api('GET', `/v1/mappings/hubspot/versions?connectionId=${connection.id}`)).body.items;
  expect(versions.map((item: Row) => [item.version, item.restores])).toEqual([
    [2, 0],
    [1, null],
  ]);
  expect((await act('rollback')).body.detail).toContain('nothing to go back to'.replace('nothing', 'no mapping'));
});

test('remap: doing it again changes nothing', async () => {
  await applied(TITLE);
  const before = await facts();
  const changes = await count('select 1 from change where tenant_id = $1');
  const answer = await act('apply');
  expect(answer.body.runs).toHaveLength(1);
  await hub.settle();
  expect(await lastRun()).toMatchObject({ state: 'done', reason: 'request', seen: expect.any(Number), changed: 0 });
  expect(await facts()).toEqual(before);
  expect(await count('select 1 from change where tenant_id = $1')).toBe(changes);
  await rolledBack();
});

test('remap: entities joined by a mapping are two again after it is rolled back', async () => {
  const before = await facts();
  const twins = "select id, email from customer where tenant_id = $1 and name = 'Tim Twin' order by email";
  const apart = await rows(twins);
  expect(apart).toHaveLength(2);
  expect(await applied(TWINS)).toMatchObject({ state: 'done', joined: 1 });
  expect(await rows(twins)).toHaveLength(1);
  const told = await preview({ rollback: true });
  expect(told.notes.join(' ')).toContain('1 joins that came of the mapping would be taken apart');
  expect(await rolledBack()).toMatchObject({ state: 'done', separated: 1 });
  expect(await rows(twins)).toEqual(apart);
  expect(await facts()).toEqual(before);
  expect(await count('select 1 from not_same where tenant_id = $1')).toBe(0);
});

test('remap: whichever commit is the last thing that happens, the next process finishes it', async () => {
  const before = await facts();
  let commits = 1;
  for (; ; commits++) {
    await hub.settle();
    const deps = byHand();
    const override = { streams: { contacts: { contact: { fields: { job_title: `Kill ${commits}` } } } } };
    await saved(override);
    const survived = await survives(deps, commits, (mortal) =>
      remapConnection(mortal, hub.tenantId, connection.id, { batch: 90 }),
    );
    if (!survived) {
      // Nobody else takes it while the dead one's lease runs.
      expect(await remapConnection(deps, hub.tenantId, connection.id)).toBeUndefined();
      hub.clock.advance(2 * MINUTE);
      await remapConnection(deps, hub.tenantId, connection.id, { batch: 90 });
    }
    expect(await lastRun(), `stopped after commit ${commits}`).toMatchObject({ state: 'done', seen: CONTACTS + 2 });
    expect(await titles(`Kill ${commits}`)).toBe(CONTACTS + 2);
    if (survived) break;
  }
  expect(commits).toBeGreaterThan(4);
  await rolledBack({ to: 0 });
  expect(await facts()).toEqual(before);
});

test('remap: two at once on one connection do the work once', async () => {
  const deps = byHand();
  const level = {
    connector: 'hubspot',
    connectionId: connection.id,
    subject: { kind: 'connection', id: connection.id },
  };
  const change = { override: TITLE, expected: await version(), actor: 'test' };
  const both = await Promise.allSettled([
    applyMapping(deps, hub.tenantId, level, change),
    applyMapping(deps, hub.tenantId, level, change),
  ]);
  expect(both.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
  expect((both.find((one) => one.status === 'rejected') as PromiseRejectedResult).reason.message).toContain(
    'changed by someone else',
  );
  const runs = await Promise.all([
    remapConnection(deps, hub.tenantId, connection.id, { batch: 50 }),
    remapConnection(deps, hub.tenantId, connection.id, { batch: 50 }),
  ]);
  expect(runs.filter((run) => run !== undefined)).toHaveLength(1);
  expect(await lastRun()).toMatchObject({ state: 'done', seen: CONTACTS + 2, changed: CONTACTS });
  await rolledBack();
});

test('remap: a record that changes meanwhile keeps its newest state, mapped by the newest mapping', async () => {
  const deps = byHand();
  await saved(TITLE);
  const all = vendor.state.all('contacts');
  hub.clock.advance(10 * MINUTE);
  for (const n of [0, 1, CONTACTS - 1]) vendor.state.update('contacts', all[n]!.id, { city: 'Dayton' });
  vendor.state.create('contacts', { firstname: 'New', lastname: 'Comer', email: 'new@example.com', city: 'Akron' });
  const [, , run] = await Promise.all([
    hub.api('POST', `/v1/connections/${connection.id}/sync`, {}),
    hub.settle(),
    remapConnection(deps, hub.tenantId, connection.id, { batch: 20 }),
  ]);
  await hub.settle();
  expect(run?.state).toBe('done');
  expect(await titles('Dayton')).toBe(3);
  expect(await titles('Akron')).toBe(1);
  expect(await titles('Columbus')).toBe(CONTACTS - 3);
  await rolledBack();
  expect(await count('select 1 from customer where tenant_id = $1 and job_title is not null')).toBe(0);
  expect(await count("select 1 from customer where tenant_id = $1 and city = 'Dayton'")).toBe(3);
});

/** A stored contact as the vendor would send it after its city changed. */
async function moved(city: string): Promise<{ id: string; raw: unknown }> {
  const [stored] = await rows(
    "select remote_id, payload from source_record where tenant_id = $1 and payload->'properties'->>'city' = 'Columbus' order by remote_id limit 1",
  );
  const raw = structuredClone(stored!.payload) as { properties: Record<string, unknown> };
  raw.properties.city = city;
  return { id: stored!.remote_id as string, raw };
}

const store = (deps: SyncDeps, source: Source, record: { id: string; raw: unknown }) =>
  deps.db.tenant(hub.tenantId, (tx) => ingest(deps, tx, source, [{ stream: 'contacts', records: [record] }], 'live'));

test('remap: a reader that began with the old mapping stores nothing by it once the new one is saved', async () => {
  const source = await loadSource(hub.hub.deps, hub.tenantId, connection.id);
  await applied(TITLE);
  await store(hub.hub.deps, source, await moved('Toledo'));
  expect(await titles('Toledo')).toBe(1);
  await rolledBack();
});

test('remap: a mapping is saved when whoever stores by the old one is through, so that the remap finds what they stored', async () => {
  const { deps } = hub.hub;
  const source = await loadSource(deps, hub.tenantId, connection.id);
  const paused = pausingAt(deps.db, /insert into contact_projection/);
  const properties = { firstname: 'Late', lastname: 'Comer', email: 'late@example.com', city: 'Lima' };
  const storing = store({ ...deps, db: paused.db }, source, { id: 'late', raw: { id: 'late', properties } });
  await paused.reached;
  const saving = saved(TITLE);
  await isWaiting(hub);
  paused.go();
  await Promise.all([storing, saving]);
  await remapConnection(byHand(), hub.tenantId, connection.id);
  expect(await titles('Lima')).toBe(1);
  await rolledBack();
});

test('remap: what arrives while a batch is in hand waits for it and wins', async () => {
  const deps = byHand();
  const record = await moved('Xenia');
  await saved(TITLE);
  const source = await loadSource(deps, hub.tenantId, connection.id);
  // It has read the stored record, and written nothing yet.
  const paused = pausingAt(deps.db, /contact_projection/);
  const remapping = remapConnection({ ...deps, db: paused.db }, hub.tenantId, connection.id);
  await paused.reached;
  const storing = store(deps, source, record);
  await isWaiting(hub);
  paused.go();
  await Promise.all([remapping, storing]);
  expect(await titles('Xenia')).toBe(1);
  await rolledBack();
  expect(await count("select 1 from customer where tenant_id = $1 and city = 'Xenia'")).toBe(1);
});

test('remap: what arrives after a batch was mapped ahead and before it is stored wins', async () => {
  const deps = byHand();
  const record = await moved('Piqua');
  await saved(TITLE);
  const source = await loadSource(deps, hub.tenantId, connection.id);
  // Everything is read and mapped, and nothing is held yet.
  const paused = pausingAt(deps.db, /hash, changed_at/);
  const remapping = remapConnection({ ...deps, db: paused.db }, hub.tenantId, connection.id);
  await paused.reached;
  await store(deps, source, record);
  paused.go();
  await remapping;
  expect(await titles('Piqua')).toBe(1);
  expect(await lastRun()).toMatchObject({ state: 'done' });
  await rolledBack();
  expect(await count("select 1 from customer where tenant_id = $1 and city = 'Piqua'")).toBe(1);
});

test('remap: records that no longer fit are parked and keep their values; a rollback resolves them', async () => {
  const before = await facts();
  const open = "select 1 from parked_item where tenant_id = $1 and kind = 'record' and resolved_at is null";
  const critical = {
    streams: {
      contacts: {
        deal: { fields: { name: { path: 'properties.firstname' }, amount: { money: { path: 'properties.city' } } } },
      },
    },
  };
  const told = await preview({ override: critical });
  const run = await applied(critical);
  expect(run.parked).toBeGreaterThan(0);
  expect(told.streams[0].newlyParked).toBe(run.parked);
  expect(await count(open)).toBe(run.parked);
  expect(await rolledBack()).toMatchObject({ state: 'done', resolved: run.parked });
  expect(await count(open)).toBe(0);
  expect(await facts()).toEqual(before);
});

test('remap: a mapping that throws parks the records it throws on and ends', async () => {
  const throwing = {
    streams: {
      contacts: {
        contact: { fields: { birthday: { plus_days: { of: { literal: '2000-01-01' }, days: 1e15 } } } },
      },
    },
  };
  const run = await applied(throwing);
  expect(run).toMatchObject({ state: 'done', changed: 0 });
  expect(run.parked).toBe(run.seen);
  expect(await rolledBack()).toMatchObject({ state: 'done', resolved: run.parked });
});

test('remap: kinds a mapping adds go when it is rolled back, and come back with it', async () => {
  const before = await facts();
  const alive = 'select entity_id from company_projection where tenant_id = $1 and deleted_at is null order by 1';
  const companies = await rows(alive);
  const adds = { streams: { contacts: { company: { fields: { name: { path: 'properties.company' } } } } } };
  expect(await applied(adds)).toMatchObject({ state: 'done' });
  const made = await rows(alive);
  expect(made.length).toBeGreaterThan(companies.length);
  await rolledBack();
  expect(await rows(alive)).toEqual(companies);
  expect((await facts()).filter((row) => row.kind !== 'company')).toEqual(
    before.filter((row) => row.kind !== 'company'),
  );
  expect(await applied(adds)).toMatchObject({ state: 'done' });
  expect(await rows(alive)).toEqual(made);
  await rolledBack();
});

test('remap: the day an invoice was seen paid comes back, although its record does not tell it', async () => {
  const source = await loadSource(hub.hub.deps, hub.tenantId, connection.id);
  const paid = (changed: string) => ({
    id: 'i1',
    vendorAt: changed,
    raw: {
      id: 'i1',
      createdAt: '2026-02-01T10:00:00.000Z',
      properties: {
        ...{ hs_number: 'A-1', hs_invoice_status: 'paid', hs_amount_billed: '10', hs_balance_due: '0' },
        ...{ hs_currency: 'USD', hs_due_date: '2026-01-31', hs_lastmodifieddate: changed },
      },
    },
  });
  const { deps } = hub.hub;
  for (const changed of ['2026-02-20T12:00:00.000Z', '2026-02-27T12:00:00.000Z'])
    await deps.db.tenant(hub.tenantId, (tx) =>
      ingest(deps, tx, source, [{ stream: 'invoices', records: [paid(changed)] }], 'live'),
    );
  const day = async (): Promise<unknown> =>
    (await rows('select paid_on from invoice where tenant_id = $1'))[0]?.paid_on;
  expect(await day()).toBe('2026-02-20');
  const byDueDay = { paid_on: { date: { path: 'properties.hs_due_date' } } };
  await applied({ streams: { invoices: { invoice: { fields: byDueDay } } } });
  expect(await day()).toBe('2026-01-31');
  await rolledBack();
  expect(await day()).toBe('2026-02-20');
});

test('remap: a released mapping is noticed and stored records are brought through it', async () => {
  await hub.settle();
  const owned = "select id from stream where tenant_id = $1 and name = 'contacts'";
  const [stream] = await rows(owned);
  await hub.hub.db.tenant(hub.tenantId, async (tx) => {
    await tx.query(
      "update stream set default_version = 'older', mapping_version = 'older' where tenant_id = $1 and id = $2",
      [hub.tenantId, stream!.id],
    );
    await tx.query("update contact_projection set job_title = 'Stale' where tenant_id = $1 and stream_id = $2", [
      hub.tenantId,
      stream!.id,
    ]);
  });
  await hub.advance(10 * MINUTE);
  expect(await lastRun()).toMatchObject({ state: 'done', reason: 'release', by: 'system' });
  expect(await count("select 1 from customer where tenant_id = $1 and job_title = 'Stale'")).toBe(0);
  const runs = (await hub.api('GET', '/v1/mappings/hubspot/runs')).body.items.length;
  await hub.advance(10 * MINUTE);
  expect((await hub.api('GET', '/v1/mappings/hubspot/runs')).body.items).toHaveLength(runs);
});

test('remap: another business sees, changes and starts nothing', async () => {
  const before = await facts(other.tenantId);
  await applied(TITLE);
  for (const [path, body] of [
    ['preview', { override: TITLE }],
    ['apply', { override: TITLE }],
    ['rollback', {}],
  ] as const) {
    const answer = await other.api(
      'POST',
      `/v1/mappings/hubspot/${path}`,
      { connectionId: connection.id, ...body },
      { 'if-match': '"0"' },
    );
    expect(answer.status, path).toBe(404);
  }
  expect((await other.api('GET', `/v1/mappings/hubspot/runs?connectionId=${connection.id}`)).status).toBe(404);
  expect((await other.api('GET', '/v1/mappings/hubspot/runs')).body.items).toEqual([]);
  expect(await facts(other.tenantId)).toEqual(before);
  await rolledBack();
});
