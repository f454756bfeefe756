import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HubSpotSandbox, start } from '../connectors/hubspot/sandbox.ts';
import { manualClock } from '../src/base/clock.ts';
import { compileMapping } from '../src/mapping/compile.ts';
import { addTally, changedShape, emptyTally, isMissing, tallyOf } from '../src/sync/drift/tally.ts';
import { flushFields } from '../src/sync/drift/watch.ts';
import { ingest } from '../src/sync/ingest.ts';
import { loadSource } from '../src/sync/source.ts';
import { DAY, freePort, HOUR, startTestHub, type TestHub } from './support/hub.ts';

const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const AT = '2026-03-02T15:00:00Z';

let vendor: HubSpotSandbox;
let hub: TestHub;
let connection: Record<string, any>;

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
  vendor.state.create('contacts', { firstname: 'Ann', lastname: 'Miller', email: 'ann@example.com' });
  has(property('birthday_c', 'date'), property('plan_c', 'enumeration', ['gold']));
  connection = await hub.connect('hubspot');
  await hub.settle();
  const fields = {
    birthday: { date: { path: 'properties.birthday_c' } },
    status: { enum: { of: { path: 'properties.plan_c' }, map: { gold: 'customer' } } },
  };
  const override = { streams: { contacts: { contact: { fields } } } };
  const saved = await hub.api('PUT', `/v1/connections/${connection.id}/mapping`, override, { 'if-match': '"0"' });
  expect(saved.status).toBe(200);
});

afterAll(async () => {
  await hub?.stop();
  await vendor?.stop();
});

const property = (name: string, type: string, options: string[] = []) => ({
  name,
  type,
  fieldType: type === 'enumeration' ? 'select' : 'text',
  options: options.map((value) => ({ value, label: value })),
});

/** The custom fields the platform says contacts have. */
function has(...fields: ReturnType<typeof property>[]): void {
  const label = (field: (typeof fields)[number]) => ({
    groupName: 'x',
    description: '',
    hubspotDefined: false,
    label: field.name,
    ...field,
  });
  vendor.state.propertiesOf = (type) => (type === 'contacts' ? fields.map(label) : []);
}

const found = async (all = false): Promise<Record<string, any>[]> =>
  (await hub.api('GET', `/v1/connections/${connection.id}/drift${all ? '?all=true' : ''}`)).body.items;

/** The platform is asked for its fields once a day. */
async function nextDay(...fields: ReturnType<typeof property>[]): Promise<Record<string, any>[]> {
  has(...fields);
  await hub.advance(DAY + 1000);
  return found();
}

const noted = (field: string): number =>
  hub.lines.filter((line) => line.includes('"level":"warn"') && line.includes(`"field":"${field}"`)).length;

test('drift: a mapped field that the platform removed is told before a record lacks it, once, and is over when it returns', async () => {
  const [birthday, plan] = [property('birthday_c', 'date'), property('plan_c', 'enumeration', ['gold'])];
  expect(await nextDay(birthday, plan)).toEqual([]);
  const gone = await nextDay(plan);
  expect(gone).toMatchObject([{ stream: 'contacts', kind: 'gone', field: 'birthday_c', resolvedAt: null }]);
  expect(gone[0]!.message).toContain('properties.birthday_c');
  await nextDay(plan);
  expect(noted('birthday_c')).toBe(1);
  const told = await hub.hub.db.tenant(hub.tenantId, (tx) =>
    tx.query("select 1 from audit_event where tenant_id = $1 and action = 'mapping.drift'", [hub.tenantId]),
  );
  expect(told.rowCount).toBe(1);
  expect(await nextDay(birthday, plan)).toEqual([]);
  expect(await found(true)).toMatchObject([{ field: 'birthday_c', resolvedAt: expect.any(String) }]);
});

test('drift: another type, an option the enum does not know, and a new field are told, each with what to do', async () => {
  const told = await nextDay(
    property('birthday_c', 'number'),
    property('plan_c', 'enumeration', ['gold', 'platinum']),
    property('job_title', 'string'),
  );
  expect(told.map(({ kind, field }) => [kind, field]).sort()).toEqual([
    ['new', 'job_title'],
    ['option', 'plan_c'],
    ['type', 'birthday_c'],
  ]);
  const message = (kind: string): string => told.find((item) => item.kind === kind)!.message;
  expect(message('option')).toContain('platinum');
  expect(message('type')).toContain('was of type date and is of type number');
  expect(message('new')).toContain('contact.job_title');
  // The enum learns the word; the type and the new field are as they were.
  const fields = {
    status: { enum: { of: { path: 'properties.plan_c' }, map: { gold: 'customer', platinum: 'customer' } } },
  };
  const own = (await hub.api('GET', `/v1/connections/${connection.id}/mapping`)).body;
  const override = {
    streams: { contacts: { contact: { fields: { ...own.override.streams.contacts.contact.fields, ...fields } } } },
  };
  await hub.api('PUT', `/v1/connections/${connection.id}/mapping`, override, { 'if-match': `"${own.version}"` });
  expect(
    await nextDay(property('birthday_c', 'date'), property('plan_c', 'enumeration', ['gold', 'platinum'])),
  ).toEqual([]);
});

const FIELD_LISTS = /^GET \/crm\/properties\//;
const asked = (): number =>
  vendor.server.journal.filter((call) => FIELD_LISTS.test(`${call.method} ${call.path}`)).length;

test('drift: fields of one sort of record that may not be seen keep those of the others from nobody', async () => {
  const usual = [property('birthday_c', 'date'), property('plan_c', 'enumeration', ['gold', 'platinum'])];
  const before = asked();
  const body = { status: 'error', category: 'MISSING_SCOPES', message: 'This app may not see companies.' };
  const remove = vendor.server.faults.add({
    kind: 'status',
    status: 403,
    body,
    match: /properties\/[^/]+\/companies$/,
  });
  expect(await nextDay(...usual, property('hair_colour', 'string'))).toMatchObject([{ field: 'hair_colour' }]);
  expect(asked() - before).toBeGreaterThan(2);
  remove();
  expect(await nextDay(...usual)).toEqual([]);
});

test.each([
  ['without calls left', 'DAILY', 'new_after_quota'],
  ['that is asked too often', 'BURST', 'new_after_burst'],
])(
  'drift: a platform %s is asked for its fields at the moment it names, not over and over until nobody does',
  async (_why, policyName, name) => {
    const usual = [property('birthday_c', 'date'), property('plan_c', 'enumeration', ['gold', 'platinum'])];
    const body = { status: 'error', category: 'RATE_LIMITS', errorType: 'RATE_LIMIT', message: 'Later.', policyName };
    vendor.server.faults.add({
      ...{ kind: 'status', status: 429, body, headers: { 'retry-after': String((2 * HOUR) / 1000) } },
      match: FIELD_LISTS,
    });
    const before = asked();
    // It comes to rest: nothing is left that a queue would try again.
    expect(await nextDay(...usual, property(name, 'string'))).toEqual([]);
    const refused = asked() - before;
    expect(refused).toBe(1);
    vendor.server.faults.clear();
    await hub.advance(2 * HOUR - 60_000);
    expect(await found()).toEqual([]);
    expect(asked() - before).toBe(refused);
    await hub.advance(60_000);
    expect(await found()).toMatchObject([{ kind: 'new', field: name }]);
    // From then on once a day, as ever.
    const then = asked();
    await hub.advance(DAY - 60_000);
    expect(asked()).toBe(then);
    expect(await nextDay(...usual)).toEqual([]);
    expect(asked()).toBeGreaterThan(then);
  },
);

/** Records as they come in, counted and written down. */
async function arrive(from: number, count: number, properties: (n: number) => Record<string, unknown>): Promise<void> {
  const { deps } = hub.hub;
  const source = await loadSource(deps, hub.tenantId, connection.id);
  const records = Array.from({ length: count }, (_, n) => ({
    id: `d${from + n}`,
    raw: { id: `d${from + n}`, properties: { firstname: 'D', lastname: `Rift ${from + n}`, ...properties(from + n) } },
  }));
  await deps.db.tenant(hub.tenantId, (tx) => ingest(deps, tx, source, [{ stream: 'contacts', records }], 'live'));
  await flushFields(deps, hub.tenantId);
}

test('drift: a mapped path that fresh records lack is told although no field list says so; one that is often empty is not', async () => {
  const open = async () => (await found()).filter((item) => item.kind === 'missing').map((item) => item.field);
  // Nine in ten have a city, one in twenty a job title.
  const usual = (n: number) => ({
    ...(n % 10 === 0 ? {} : { city: 'Akron' }),
    ...(n % 20 === 0 ? { jobtitle: 'x' } : {}),
  });
  await arrive(0, 120, usual);
  expect(await open()).toEqual([]);
  await arrive(200, 60, () => ({}));
  expect(await open()).toEqual(['properties.city']);
  await arrive(300, 1, () => ({ city: 'Akron' }));
  expect(await open()).toEqual([]);
});

test('drift: counts of another business are its own', async () => {
  const other = await hub.otherTenant();
  expect((await other.api('GET', `/v1/connections/${connection.id}/drift`)).status).toBe(404);
});

const { mapping } = compileMapping({
  streams: { contacts: { contact: { fields: { name: { path: 'p.a' }, city: { path: 'p.b' } } } } },
});
const compiled = mapping.streams.get('contacts')!;
const counted = (...batches: unknown[][]) =>
  batches.map((batch) => tallyOf(compiled, batch).get('p.a')!).reduce(addTally, emptyTally());
const many = (n: number, value?: unknown) =>
  Array.from({ length: n }, () => ({ p: value === undefined ? {} : { a: value } }));

test('drift: a field counts as missing only when chance would not do it: the rarer it was, the longer it must stay away', () => {
  expect(isMissing(counted(many(100, 'x'), many(49)))).toBe(false);
  expect(isMissing(counted(many(100, 'x'), many(50)))).toBe(true);
  // A short past proves nothing.
  expect(isMissing(counted(many(40, 'x'), many(200)))).toBe(false);
  // One in five: fifty without it happen.
  const fifth = [...many(20, 'x'), ...many(80)];
  const mixed = Array.from({ length: 100 }, (_, n) => fifth[(n * 37) % 100]);
  expect(isMissing(counted(mixed, many(60)))).toBe(false);
  expect(isMissing(counted(mixed, mixed, mixed, mixed, many(200)))).toBe(true);
  // Never there at all: nothing went.
  expect(isMissing(counted(many(200), many(200)))).toBe(false);
  // Empty is not missing: the platform still has the field.
  expect(isMissing(counted(many(100, 'x'), many(100, null)))).toBe(false);
});

test('drift: a value is of another type when all of the latest are, and nearly none before', () => {
  expect(changedShape(counted(many(100, '2026-01-01'), many(19, 7)))).toBeUndefined();
  expect(changedShape(counted(many(100, '2026-01-01'), many(20, 7)))).toEqual({ was: 'date', is: 'number' });
  expect(changedShape(counted(many(100, 'x'), [...many(30, ['y']), ...many(1, 'z')]))).toBeUndefined();
  expect(changedShape(counted([...many(50, 'x'), ...many(50, 5)], many(20, [1])))).toBeUndefined();
  expect(changedShape(counted(many(100, 'x'), many(50, null), many(50)))).toBeUndefined();
});

test('drift: counting is cheap', () => {
  const fields = Object.fromEntries(
    ['name', 'first_name', 'last_name', 'city', 'region', 'country', 'job_title', 'locale'].map((name, n) => [
      name,
      { path: `properties.p${n}` },
    ]),
  );
  const wide = compileMapping({ streams: { contacts: { contact: { fields } } } }).mapping.streams.get('contacts')!;
  const records = Array.from({ length: 1000 }, () => ({
    properties: Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`p${n}`, 'x'])),
  }));
  tallyOf(wide, records);
  const mapped = performance.now();
  for (const record of records) void wide.run(record, {} as never);
  const mapping = performance.now() - mapped;
  const began = performance.now();
  tallyOf(wide, records);
  // Against what mapping the same records takes: the machine may be busy with both.
  expect(performance.now() - began).toBeLessThan(mapping * 2 + 5);
});
