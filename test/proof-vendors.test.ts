import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type HubSpotSandbox, start } from '../connectors/hubspot/sandbox.ts';
import { manualClock } from '../src/base/clock.ts';
import { Books } from './connectors/quickbooks.setup.ts';
import { DAY, HOUR, MINUTE, startTestHub, type TestHub, testDatabase } from './support/hub.ts';
import { endAll, fail, programEnv, rapport, run } from './support/processes.ts';

// Commands are programs of their own, which take a second to start, and more on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const CONTACTS = 450;

let database: Awaited<ReturnType<typeof testDatabase>>;
let hubspot: HubSpotSandbox;
let hub: TestHub;
let connection: Record<string, any>;
let env: Record<string, string>;
let books: Books;

beforeAll(async () => {
  database = await testDatabase();
  // Commands have no clock of ours: everything happens now.
  const at = new Date().toISOString();
  const clock = { now: () => hub?.clock.now() ?? new Date(at), sleep: manualClock(at).sleep };
  hubspot = await start({ clock, app: APP, limits: false });
  for (let n = 0; n < CONTACTS; n++) {
    const made = new Date(Date.parse(at) - (n + 30) * HOUR).toISOString();
    hubspot.state.create('contacts', { firstname: 'Ann', lastname: `M${n}`, email: `a${n}@example.com` }, made);
  }
  const vendor = { ...APP, HUBSPOT_HOST_API: hubspot.hosts.api!, HUBSPOT_HOST_APP: hubspot.hosts.app! };
  hub = await startTestHub({ at, connectors: ['hubspot'], env: vendor, databaseUrl: database.url });
  connection = await hub.connect('hubspot', { features: ['read'] });
  await hub.settle();
  env = await programEnv(database.url, vendor);
});

afterAll(async () => {
  endAll();
  await hub?.stop();
  await hubspot?.stop();
  await books?.close();
  await database?.drop();
});

const contacts = async (): Promise<Record<string, any>> =>
  (await hub.api('GET', '/v1/streams')).body.items.find((item: { stream: string }) => item.stream === 'contacts');

test('verify: a HubSpot contact that never came is found by counting, from the command line', async () => {
  const late = new Date(hub.clock.now().getTime() - 200 * HOUR + MINUTE).toISOString();
  hubspot.state.create('contacts', { firstname: 'Late', email: 'late@example.com' }, late);
  const before = hubspot.server.journal.length;
  const { stdout, json } = await run(
    env,
    'verify',
    'hubspot',
    '--stream',
    'contacts',
    '--json',
    '--tenant',
    hub.tenantId,
  );
  expect(stdout.trim().split('\n')).toHaveLength(1);
  expect(json().streams).toEqual([
    expect.objectContaining({
      ...{ stream: 'contacts', state: 'proven', method: 'counts', reasons: [] },
      result: expect.objectContaining({ vendor: CONTACTS + 1, here: CONTACTS + 1, repaired: 1, lost: 1 }),
    }),
  ]);
  const searched = hubspot.server.journal.slice(before).filter(({ path }) => path.endsWith('/contacts/search'));
  const read = searched.filter(({ body }) => (body as { limit: number }).limit > 1);
  // One page for the poll before it, one or two for the place that differed.
  expect(read.length).toBeLessThanOrEqual(4);
  expect(await contacts()).toMatchObject({ records: CONTACTS + 1, completeness: { state: 'proven' } });
  const text = await run(env, 'verify', connection.id, '--stream', 'contacts', '--tenant', hub.tenantId);
  expect(text.stdout).toMatch(/contacts +proven +counted +451 +451/);
});

test('verify: what is asked for wrongly is said so', async () => {
  const nobody = await fail(env, 'verify', 'nonsense', '--tenant', hub.tenantId);
  expect(nobody.stderr).toMatch(/There is no connection "nonsense"/);
  const stream = await fail(env, 'verify', 'hubspot', '--stream', 'nonsense', '--tenant', hub.tenantId);
  expect(stream.stderr).toMatch(/has no stream "nonsense".*\n.*contacts/);
});

test('deletions: what HubSpot lists as deleted is held, shown and decided about on the command line', async () => {
  await hub.advance(2 * HOUR);
  const ids = hubspot.state.all('contacts').map(({ id }) => id);
  for (const id of ids.slice(0, 60)) hubspot.state.archive('contacts', id);
  await hub.advance(DAY);
  const tenant = ['--tenant', hub.tenantId];
  const shown = await run(env, 'deletions', ...tenant);
  expect(shown.stdout).toMatch(
    /1 decision waits:\n60 of contacts would be deleted, because .* list of deleted records/,
  );
  expect(shown.stdout).toMatch(/Ann M\d+, Ann M\d+/);
  const { items } = (await run(env, 'deletions', '--state', 'held', '--json', ...tenant)).json();
  expect(items).toHaveLength(1);
  expect((await contacts()).records).toBe(CONTACTS + 1);
  const done = await run(env, 'deletions', 'confirm', items[0].id, ...tenant);
  expect(done.stdout).toMatch(/60 of contacts were deleted/);
  expect((await contacts()).records).toBe(CONTACTS + 1 - 60);
  const twice = await rapport(env, 'deletions', 'confirm', items[0].id, ...tenant);
  expect(twice).toMatchObject({ code: 1, stderr: expect.stringContaining('carried out already') });
  const undone = await run(env, 'deletions', 'undo', items[0].id, '--json', ...tenant);
  expect(undone.json()).toMatchObject({ state: 'undone', counts: { restored: 60 } });
  expect((await contacts()).records).toBe(CONTACTS + 1);
});

test('quickbooks: counting finds the invoice that never came; a sweep finds what no list of changes tells', async () => {
  const times: string[] = [];
  books = await Books.open((vendor) => {
    const customer = vendor.state.addCustomer({ GivenName: 'Ann', FamilyName: 'Miller' }).Id;
    for (let n = 0; n < 30; n++) vendor.state.addInvoice({ customer, amount: 10 + n });
    for (let n = 0; n < 3; n++) times.push(vendor.state.addTime(customer, { Description: `Visit ${n}` }).Id);
    for (let n = 0; n < 2; n++)
      vendor.state.addRecurring(
        'Invoice',
        { CustomerRef: { value: customer }, TotalAmt: 5 },
        { IntervalType: 'Monthly' },
      );
  });
  const { vendor } = books;
  await books.hub.advance(2 * DAY);
  const customer = vendor.state.all('Customer')[0]!.Id;
  const late = new Date(books.hub.clock.now().getTime() - DAY);
  const invoice = vendor.state.addInvoice({ customer, amount: 99 }, late);
  vendor.state.remove('TimeActivity', times[0]!);
  vendor.state.remove('RecurringTransaction', vendor.state.all('RecurringTransaction')[0]!.Id);
  await books.hub.api('POST', `/v1/connections/${books.connection.id}/verify`, {
    streams: ['invoices', 'time_activities'],
  });
  await books.rest();
  expect(await books.invoice(invoice.Id)).toMatchObject({ total: '99' });
  expect((await books.stream('invoices')).completeness).toMatchObject({
    ...{ state: 'proven', method: 'counts', figures: { vendor: 31, here: 31, repaired: 1, lost: 1 } },
  });
  expect((await books.stream('time_activities')).records).toBe(2);
  // Templates can be asked for by nobody: two passes, a week apart.
  expect((await books.stream('recurring')).records).toBe(2);
  await books.hub.advance(8 * DAY);
  expect(await books.stream('recurring')).toMatchObject({ records: 2, missing: 1 });
  await books.hub.advance(8 * DAY);
  expect(await books.stream('recurring')).toMatchObject({ records: 1, missing: 0 });
});
