import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../src/base/ids.ts';
import { loadCatalogue } from '../src/conditions/custom.ts';
import { countMatching, matching, zonesInUse } from '../src/conditions/store.ts';
import type { Condition } from '../src/conditions/types.ts';
import { seededRandom } from '../src/kit/sandbox/index.ts';
import { makePeople, type Person, storePeople } from './support/conditions/business.ts';
import { matches } from './support/conditions/evaluate.ts';
import { startTestHub, type TestHub, testDatabase } from './support/hub.ts';

const NOW = new Date('2026-03-02T10:30:00Z');
let database: Awaited<ReturnType<typeof testDatabase>>;
let hub: TestHub;
let client: pg.Client;
let people: Person[];

beforeAll(async () => {
  database = await testDatabase();
  hub = await startTestHub({ databaseUrl: database.url, connectors: ['hubspot'], at: NOW.toISOString() });
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  people = makePeople(seededRandom(3), 40, NOW);
  await storePeople(client, hub.tenantId, people, NOW);
});

afterAll(async () => {
  await client?.end();
  await hub?.stop();
  await database?.drop();
});

const WORLD = { now: NOW, zone: 'America/New_York', currency: 'USD' };
const BUYERS: Condition = {
  any: [
    { field: 'customer.spend', above: 0 },
    { exists: 'job', where: { field: 'job.scheduled_at', in_next: { days: 7 } } },
  ],
};
const expected = (condition: Condition): string[] =>
  people
    .filter((person) => matches(condition, person, WORLD))
    .map(({ id }) => id)
    .sort();

test('conditions: the fields of a business are listed with their types, words and tests, custom ones with what was seen', async () => {
  const { status, body } = await hub.api('GET', '/v1/condition-fields');
  expect(status).toBe(200);
  const field = (name: string) => body.items.find((item: { name: string }) => item.name === name);
  expect(field('job.status')).toMatchObject({
    of: 'job',
    type: 'word',
    words: expect.arrayContaining(['completed']),
    tests: ['is', 'is_not', 'one_of', 'none_of', 'empty'],
  });
  expect(field('customer.balance_due')).toMatchObject({ type: 'money', phrase: 'balance due' });
  expect(field('score.vip')).toMatchObject({ type: 'boolean', phrase: 'VIP' });
  const hours = field('customer.custom.hours');
  expect(hours).toMatchObject({ type: 'custom', sources: ['hubspot', 'stripe'], phrase: 'custom field "hours"' });
  expect(hours.seen).toEqual(expect.arrayContaining(['number', 'text', 'boolean', 'list', 'date']));
  // A name that every object inherits is a name like any other.
  expect(field('job.custom.__proto__')).toMatchObject({ of: 'job', type: 'custom' });
  // An empty or missing value is of no type.
  const { custom } = await hub.hub.db.tenant(hub.tenantId, (tx) => loadCatalogue(tx));
  for (const { seen } of custom.values()) expect(seen).not.toContain('null');
});

test('conditions: a mapped custom field can be named before its first record came', async () => {
  const id = newId();
  await client.query(
    `insert into connection (tenant_id, id, connector, name, account, settings, features, granted_scopes, state, state_since, created_at, updated_at)
     values ($1, $2, 'hubspot', 'HubSpot', '{}', '{}', '{}', '{}', 'active', $3, $3, $3)`,
    [hub.tenantId, id, NOW],
  );
  const mapping = { streams: { contacts: { contact: { custom: { planned: { path: 'properties.planned' } } } } } };
  await client.query(
    `insert into mapping_override (tenant_id, connector, connection_id, version, mapping, created_at, created_by) values ($1, 'hubspot', $2, 1, $3, $4, 'x')`,
    [hub.tenantId, id, JSON.stringify(mapping), NOW],
  );
  const check = (name: string) =>
    hub.api('POST', '/v1/conditions/check', { condition: { field: `customer.custom.${name}`, above: 5 } });
  expect((await check('planned')).body.problems).toEqual([]);
  expect((await check('planed')).body.problems[0].message).toMatch(/did you mean "customer.custom.planned"/);
});

test('conditions: a condition and its sentence are each other’s answer over HTTP, and mistakes come all at once', async () => {
  const sentence = 'has at least 2 completed jobs in the last 6 months and balance due over 100';
  const { body: read } = await hub.api('POST', '/v1/conditions/check', { sentence });
  expect(read).toMatchObject({ problems: [], sentence, timeRelative: true });
  const { body: told } = await hub.api('POST', '/v1/conditions/check', { condition: read.condition });
  expect(told).toEqual(read);
  const { status, body } = await hub.api('POST', '/v1/conditions/check', {
    condition: {
      all: [
        { field: 'customer.ctiy', is: 'x' },
        { count: 'job', at_least: 'two' },
      ],
    },
  });
  expect(status).toBe(200);
  expect(body).toMatchObject({ condition: null, sentence: null, timeRelative: null });
  expect(body.problems.map(({ path }: { path: string }) => path)).toEqual(['all[0].field', 'all[1].at_least']);
  expect((await hub.api('POST', '/v1/conditions/check', { sentence: 'has 2 jobs' })).body.problems[0].path).toBe(
    'sentence:5',
  );
  expect((await hub.api('POST', '/v1/conditions/check', {})).status).toBe(422);
  expect((await hub.api('POST', '/v1/conditions/check', { sentence, condition: {} })).status).toBe(422);
});

test('conditions: what nests a hundred thousand deep is refused like any other mistake', async () => {
  const deep = `${'{"not":'.repeat(100_000)}{"exists":"job"}${'}'.repeat(100_000)}`;
  const { status, body } = await hub.api('POST', '/v1/conditions/check', `{"condition":${deep}}`);
  expect(status).toBe(200);
  expect(body.problems).toHaveLength(1);
  expect(body.problems[0].message).toMatch(/nests too deep/);
  const tried = await hub.api('POST', '/v1/conditions/try', `{"condition":${deep}}`);
  expect(tried.status).toBe(422);
  expect(tried.body.fields).toHaveLength(1);
});

test('conditions: trying one tells how many match, some of them, and which part fails for a customer', async () => {
  const ids = expected(BUYERS);
  expect(ids.length).toBeGreaterThan(5);
  const outsider = people.find(({ id }) => !ids.includes(id))!;
  const { status, body } = await hub.api('POST', '/v1/conditions/try', {
    condition: { all: [BUYERS, { not: { field: 'customer.city', is: 'Nowhere' } }] },
    customerId: outsider.id,
  });
  expect(status).toBe(200);
  expect(body.count).toBe(ids.length);
  expect(body.sample.map(({ id }: { id: string }) => id)).toEqual(ids.slice(0, 10));
  expect(body.customer.matches).toBe(false);
  expect(body.customer.parts).toEqual([
    { path: 'condition', sentence: expect.any(String), matches: false },
    { path: 'all[0]', sentence: 'spend over 0 or has a job (scheduled in the next 7 days)', matches: false },
    { path: 'all[0].any[0]', sentence: 'spend over 0', matches: false },
    { path: 'all[0].any[1]', sentence: 'has a job (scheduled in the next 7 days)', matches: false },
    { path: 'all[1]', sentence: 'not (city is "Nowhere")', matches: true },
    { path: 'all[1].not', sentence: 'city is "Nowhere"', matches: false },
  ]);
  const nobody = await hub.api('POST', '/v1/conditions/try', { condition: BUYERS, customerId: newId() });
  expect(nobody.status).toBe(404);
  const wrong = await hub.api('POST', '/v1/conditions/try', { condition: { field: 'customer.city' } });
  expect(wrong.status).toBe(422);
  expect(wrong.body.fields[0]).toMatchObject({ path: 'condition' });
  // A segment that is not there is a mistake, not a failure of ours.
  expect((await hub.api('POST', '/v1/conditions/try', { condition: { segment: newId() } })).status).toBe(422);
});

test('conditions: matching customers come in pages, or among those asked for, each in their own calendar', async () => {
  const { db } = hub.hub;
  const ids = expected(BUYERS);
  const page = (more: object) =>
    db.tenant(hub.tenantId, (tx) => matching(tx, BUYERS, { now: NOW, limit: 1000, ...more }));
  expect(await page({})).toEqual(ids);
  expect(await page({ limit: 3 })).toEqual(ids.slice(0, 3));
  expect(await page({ limit: 3, after: ids[2] })).toEqual(ids.slice(3, 6));
  const some = people.slice(0, 15).map(({ id }) => id);
  expect(await page({ customerIds: some })).toEqual(ids.filter((id) => some.includes(id)));
  expect(await page({ customerIds: [] })).toEqual([]);
  expect(await db.tenant(hub.tenantId, (tx) => countMatching(tx, BUYERS, { now: NOW }))).toBe(ids.length);
  const zones = new Set(people.map(({ customer }) => customer.local_zone).filter((zone) => zone !== null));
  expect(await db.tenant(hub.tenantId, zonesInUse)).toEqual([...zones].sort());
  // Who is deleted matches nothing any more.
  await client.query('update customer set deleted_at = $3 where tenant_id = $1 and id = $2', [
    hub.tenantId,
    ids[0],
    NOW,
  ]);
  expect(await page({})).toEqual(ids.slice(1));
  expect((await hub.api('POST', '/v1/conditions/try', { condition: BUYERS, customerId: ids[0] })).status).toBe(404);
  await client.query('update customer set deleted_at = null where tenant_id = $1 and id = $2', [hub.tenantId, ids[0]]);
});

test('conditions: another business finds nobody of this one, by whatever it asks', async () => {
  const other = await hub.otherTenant();
  const { body } = await other.api('POST', '/v1/conditions/try', {
    sentence: 'not (has no job) or name is not empty or city is empty',
  });
  expect(body).toMatchObject({ count: 0, sample: [] });
  const { body: fields } = await other.api('GET', '/v1/condition-fields');
  expect(fields.items.filter(({ type }: { type: string }) => type === 'custom')).toEqual([]);
  const asked = await other.api('POST', '/v1/conditions/try', { sentence: 'city is empty', customerId: people[0]!.id });
  expect(asked.status).toBe(404);
});
