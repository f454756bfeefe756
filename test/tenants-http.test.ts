import type pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { makeApiKey } from '../src/access/identity.ts';
import { type Answer, type Api, apiFor, startTestHub, type TestHub, testDatabase } from './support/hub.ts';
import { BODIES, NAMED, OTHERS, RESOURCES } from './support/tenants/addresses.ts';
import { leaksOf, rowsAsText } from './support/tenants/attempt.ts';
import { type Catalog, ownerClient, readCatalog } from './support/tenants/catalog.ts';
import { newTenant, storeTenant, type Tenant } from './support/tenants/seed.ts';

let database: Awaited<ReturnType<typeof testDatabase>>;
let hub: TestHub;
let owner: pg.Client;
let catalog: Catalog;
let victim: Tenant;
let attacker: Tenant;
/** The attacker's own admin key, and the victim's. */
let stranger: Api;
let own: Api;

interface Operation {
  name: string;
  method: string;
  path: string;
  parameters: { name: string; in: string; schema?: { format?: string } }[];
}
let operations: Operation[];

const REASON = 'reason=Stolen';
const WAIT = { timeout: 10_000, interval: 20 };

beforeAll(async () => {
  database = await testDatabase();
  hub = await startTestHub({ databaseUrl: database.url, connectors: ['hubspot', 'csv'] });
  owner = await ownerClient(database.url);
  catalog = await readCatalog(owner);
  victim = newTenant(catalog, 'victim');
  attacker = newTenant(catalog, 'attacker');
  const enter = async (tenant: Tenant): Promise<Api> => {
    await storeTenant(owner, tenant);
    const { key } = await makeApiKey(hub.hub.access, tenant.tenantId, { name: 'admin', role: 'admin', by: 'test' });
    return apiFor(hub.url, key);
  };
  own = await enter(victim);
  stranger = await enter(attacker);
  const { body } = await hub.api('GET', '/docs/json');
  operations = Object.entries(body.paths as Record<string, Record<string, any>>)
    .filter(([path]) => path.startsWith('/v1'))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        parameters: operation.parameters ?? [],
      })),
    );
});

afterAll(async () => {
  await owner?.end();
  await hub?.stop();
  await database?.drop();
});

const resourceOf = (operation: Operation): string => operation.path.split('/')[2]!;
const withId = (): Operation[] =>
  operations.filter((operation) => operation.path.includes('{') && !(resourceOf(operation) in NAMED));

/** The address with the victim's id in it, and what else the operation requires. */
function call(api: Api, operation: Operation): Promise<Answer> {
  const id = (OTHERS[operation.name] ?? RESOURCES[resourceOf(operation)]!)(victim.ids);
  const needs = (wanted: string): boolean => operation.parameters.some(({ name }) => name === wanted);
  const platform = operation.path.includes('{connector}');
  const needed = needs('runs')
    ? '?runs=stop'
    : needs('reason')
      ? `?${REASON}`
      : platform && needs('connectionId')
        ? `?connectionId=${id}`
        : '';
  const path = operation.path
    .replace('{id}', id)
    .replace('{customerId}', victim.ids.customer)
    .replace('{stream}', 'contacts')
    .replace('{connector}', 'hubspot')
    .replace('{kind}', 'birthday');
  return api(operation.method, `${path}${needed}`, BODIES[operation.name]?.(victim.ids), { 'if-match': '"1"' });
}

const rowsOfVictim = async (): Promise<Record<string, string>> => {
  const rows: Record<string, string> = {};
  for (const table of catalog.tables) rows[table] = await rowsAsText(owner as never, table, victim.tenantId);
  return rows;
};

test('tenants: every address with something in its path is known here', () => {
  const unknown = operations.filter(
    (operation) =>
      operation.path.includes('{') && !(resourceOf(operation) in RESOURCES) && !(resourceOf(operation) in NAMED),
  );
  expect(unknown.map(({ name }) => name)).toEqual([]);
  expect(withId().length).toBeGreaterThan(35);
});

test('tenants: another business’s id is not found, whatever is done with it, and nothing of it changes', async () => {
  const before = await rowsOfVictim();
  for (const operation of withId()) {
    const answer = await call(stranger, operation);
    const told = JSON.stringify(answer.body);
    expect(answer.status, `${operation.name}: ${told}`).toBe(404);
    expect(leaksOf(told, JSON.stringify(victim.ids), victim), operation.name).toEqual([]);
    // The same words as for an id that is nobody's.
    expect(answer.body.type, operation.name).toMatch(/not_found$/);
  }
  expect(await rowsOfVictim()).toEqual(before);
});

test('tenants: what has a name instead of an id is one’s own', async () => {
  const before = await rowsOfVictim();
  const named = operations.filter((operation) => resourceOf(operation) in NAMED && operation.path.includes('{'));
  expect(named.length).toBeGreaterThan(6);
  for (const operation of named) {
    const path = NAMED[resourceOf(operation)]!;
    const body = BODIES[operation.name]?.(victim.ids);
    const answer = await stranger(operation.method, path, body, { 'if-match': '"1"' });
    expect(answer.status, `${operation.name}: ${JSON.stringify(answer.body)}`).toBeLessThan(500);
    expect(leaksOf(JSON.stringify(answer.body), '', victim), operation.name).toEqual([]);
  }
  expect(await rowsOfVictim()).toEqual(before);
});

test('tenants: lists show nothing of another business, not even when asked for its ids', async () => {
  const given: Record<string, string> = {
    customerId: victim.ids.customer,
    connectionId: victim.ids.connection,
    streamId: victim.ids.stream,
    sequenceId: victim.ids.sequence,
    enrolmentId: victim.ids.run,
    subjectId: victim.ids.customer,
    cursor: Buffer.from('ffffffff-ffff-7fff-bfff-ffffffffffff').toString('base64url'),
    search: 'VICTIM',
  };
  for (const operation of operations.filter(({ method, path }) => method === 'GET' && !path.includes('{'))) {
    const plain = await stranger('GET', operation.path);
    expect(plain.status, operation.name).toBe(200);
    expect(leaksOf(JSON.stringify(plain.body), '', victim), operation.name).toEqual([]);
    const unknown = operation.parameters.filter(
      ({ name, schema }) => schema?.format === 'uuid' && given[name] === undefined,
    );
    expect(unknown, operation.name).toEqual([]);
    for (const { name } of operation.parameters.filter((parameter) => given[parameter.name] !== undefined)) {
      const asked = await stranger('GET', `${operation.path}?${name}=${given[name]}`);
      expect(asked.status, `${operation.name} ${name}`).toBe(200);
      expect(leaksOf(JSON.stringify(asked.body), given[name]!, victim), `${operation.name} ${name}`).toEqual([]);
    }
  }
});

test('tenants: another business’s id inside a body is nobody’s', async () => {
  const before = await rowsOfVictim();
  const { ids } = victim;
  const task = { kind: 'create_task', input: { title: 'Stolen' } };
  const message = { kind: 'send_email', input: { subject: 'x', text: 'x' } };
  const refused: [string, string, unknown][] = [
    ['POST', '/v1/actions', { ...task, customerId: ids.customer }],
    ['POST', '/v1/actions', { ...message, customerId: ids.customer, preview: true }],
    ['POST', '/v1/enrolments', { sequence: ids.sequence, customers: [ids.customer], reason: 'Stolen' }],
    ['PATCH', `/v1/staff/${attacker.ids.staff}`, { deputyId: ids.deputy }],
    ['POST', '/v1/merges', { ids: [ids.customer, ids.customer2], reason: 'Stolen' }],
    ['POST', '/v1/merges', { ids: [attacker.ids.customer, ids.customer2], reason: 'Stolen' }],
    ['POST', '/v1/merges', { kind: 'company', ids: [ids.company, attacker.ids.company], reason: 'Stolen' }],
  ];
  for (const [method, path, body] of refused) {
    const answer = await stranger(method, path, body, { 'if-match': '"1"' });
    expect(answer.status, `${method} ${path}: ${JSON.stringify(answer.body)}`).toBe(404);
  }
  const enrolled = await stranger('POST', '/v1/enrolments', {
    sequence: attacker.ids.sequence,
    customers: [ids.customer, ids.merged],
    reason: 'Stolen',
  });
  expect(enrolled.body.items.map((item: { outcome: string }) => item.outcome)).toEqual([
    'refused: no such customer',
    'refused: no such customer',
  ]);
  expect((await stranger('POST', '/v1/parked/replay', { id: ids.parked })).body.tried).toBe(0);
  const records = [{ streamId: ids.stream, remoteId: 'c-1' }];
  const split = await stranger('POST', `/v1/customers/${attacker.ids.customer}/split`, { records, reason: 'Stolen' });
  expect(split.body.detail).toBe('Some of these records are not of this customer or company.');
  // A connection or sequence that is not there is as good as none.
  const through = await stranger('POST', '/v1/actions', { ...task, connectionId: ids.connection, preview: true });
  expect(leaksOf(JSON.stringify(through.body), ids.connection, victim)).toEqual([]);
  const trigger = await stranger('POST', '/v1/triggers', { name: 'invoice.overdue', sequenceId: ids.sequence });
  expect(leaksOf(JSON.stringify(trigger.body), ids.sequence, victim)).toEqual([]);
  expect(await rowsOfVictim()).toEqual(before);
});

const MAPPINGS = '/v1/mappings/hubspot';

test('tenants: a mapping is looked at, applied and rolled back for one’s own connections only, whatever stands beside the id', async () => {
  const before = await rowsOfVictim();
  const { connection: connectionId } = victim.ids;
  const override = { streams: { contacts: { contact: { fields: { city: { path: 'properties.town' } } } } } };
  const attempts: [string, object][] = [
    ...[
      {},
      { override },
      { version: 0 },
      { version: 1 },
      { rollback: true },
      { ids: { contacts: ['c-1', 'c-2'] } },
    ].map((body): [string, object] => ['preview', body]),
    ...[{}, { override }, { version: 0 }, { version: 1 }].map((body): [string, object] => ['apply', body]),
    ...[{}, { to: 0 }].map((body): [string, object] => ['rollback', body]),
  ];
  // Of another platform, too: that it is not of this one is told about one's own only.
  for (const connector of ['hubspot', 'csv'])
    for (const [verb, body] of attempts) {
      const path = `/v1/mappings/${connector}/${verb}`;
      const answer = await stranger('POST', path, { ...body, connectionId }, { 'if-match': '"1"' });
      const told = `${path} ${JSON.stringify(body)}: ${JSON.stringify(answer.body)}`;
      expect(answer.status, told).toBe(404);
      expect(answer.body.detail, told).toBe(`There is no connection ${connectionId} here.`);
    }
  expect(await rowsOfVictim()).toEqual(before);
});

test('tenants: the mapping of a whole platform is that of one’s own connections, and so are the records it is brought to', async () => {
  const before = await rowsOfVictim();
  const runs = async (): Promise<Record<string, any>[]> => (await stranger('GET', `${MAPPINGS}/runs`)).body.items;
  const done = () =>
    vi.waitFor(
      async () => expect((await runs()).filter((run) => ['waiting', 'running'].includes(run.state))).toEqual([]),
      WAIT,
    );
  const apply = (body: object, version: number) =>
    stranger('POST', `${MAPPINGS}/apply`, body, { 'if-match': `"${version}"` });
  expect((await apply({ connectionId: attacker.ids.connection }, 1)).status).toBe(202);
  await done();
  const override = { streams: { contacts: { contact: { fields: { city: { path: 'properties.firstname' } } } } } };
  const preview = await stranger('POST', `${MAPPINGS}/preview`, {
    override,
    ids: { contacts: ['c-1', 'c-2'] },
    sample: 50,
  });
  expect(preview.body.streams).toMatchObject([{ connectionId: attacker.ids.connection, records: 1 }]);
  const applied = await apply({ override }, 0);
  expect(applied.body.runs, JSON.stringify(applied.body)).toMatchObject([{ connectionId: attacker.ids.connection }]);
  await done();
  const back = await stranger('POST', `${MAPPINGS}/rollback`, { to: 0 }, { 'if-match': '"1"' });
  expect(back.body.runs, JSON.stringify(back.body)).toMatchObject([{ connectionId: attacker.ids.connection }]);
  await done();
  const versions = await stranger('GET', `${MAPPINGS}/versions`);
  expect(versions.body.items.map((item: { version: number }) => item.version)).toEqual([2, 1]);
  for (const { body } of [preview, applied, back, versions, await stranger('GET', `${MAPPINGS}/runs`)])
    expect(leaksOf(JSON.stringify(body), '', victim)).toEqual([]);
  expect(await rowsOfVictim()).toEqual(before);
});

test('tenants: a mapping of one’s own connection is found, so that not found means another’s', async () => {
  const { connection: connectionId } = victim.ids;
  const preview = await own('POST', `${MAPPINGS}/preview`, { connectionId, ids: { contacts: ['c-1'] } });
  expect(preview.body.sample[0]).toMatchObject({ connectionId, id: 'c-1' });
  const list = async (name: string): Promise<Record<string, any>[]> =>
    (await own('GET', `${MAPPINGS}/${name}?connectionId=${connectionId}`)).body.items;
  expect(await list('versions')).toMatchObject([{ version: 1 }]);
  expect((await list('runs')).map((run) => run.id)).toContain(victim.ids.remapRun);
  const applied = await own('POST', `${MAPPINGS}/apply`, { connectionId }, { 'if-match': '"1"' });
  expect(applied.body.runs, JSON.stringify(applied.body)).toMatchObject([{ connectionId }]);
  const back = await own('POST', `${MAPPINGS}/rollback`, { connectionId, to: 0 }, { 'if-match': '"1"' });
  expect(back.body, JSON.stringify(back.body)).toMatchObject({ version: 2, restored: 0 });
});

test('tenants: the same calls find what is one’s own, so that not found means another’s', async () => {
  const order = ['GET', 'PATCH', 'PUT', 'POST', 'DELETE'];
  const sorted = withId().sort((a, b) => order.indexOf(a.method) - order.indexOf(b.method));
  for (const operation of sorted) {
    const answer = await call(own, operation);
    const told = `${operation.name}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 300)}`;
    expect([400, 401, 403, 404, 405], told).not.toContain(answer.status);
    if (operation.method === 'GET') expect(answer.status, told).toBe(200);
  }
});
