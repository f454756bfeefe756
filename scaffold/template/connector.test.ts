import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { manualClock } from '../../src/base/clock.ts';
import { freePort, MINUTE, startTestHub, type TestHub } from '../../test/support/hub.ts';
import { type AcmeSandbox, start } from './sandbox.ts';

const AT = '2026-03-02T15:00:00Z';

let vendor: AcmeSandbox;
let hub: TestHub;

beforeAll(async () => {
  const port = await freePort();
  // The simulation lives in the hub's time.
  vendor = await start({
    clock: { now: () => hub?.clock.now() ?? new Date(AT), sleep: manualClock(AT).sleep },
    app: {},
  });
  for (let n = 1; n <= 250; n++) vendor.addPerson({ name: `Ann ${n}`, email: `ann${n}@example.com`, phone: '' });
  hub = await startTestHub({ at: AT, port, connectors: ['acme'], env: { ACME_HOST_API: vendor.hosts.api! } });
  const { status, body } = await hub.api('POST', '/v1/connections', {
    connector: 'acme',
    settings: vendor.credentials,
  });
  expect(status, JSON.stringify(body)).toBe(200);
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await vendor?.stop();
});

beforeEach(() => vendor.server.faults.clear());

const find = async (text: string): Promise<Record<string, unknown>[]> =>
  (await hub.api('GET', `/v1/customers?search=${encodeURIComponent(text)}`)).body.items;

test('acme: who is connected is told, and no secret is shown', async () => {
  const { body } = await hub.api('GET', '/v1/connections');
  expect(body.items).toMatchObject([{ state: 'active', account: { id: 'acme-1', name: 'Main Street Services' } }]);
  for (const secret of Object.values(vendor.credentials)) expect(JSON.stringify(body)).not.toContain(secret);
});

test('acme: everybody is read, over all pages', async () => {
  const { body } = await hub.api('GET', '/v1/streams');
  expect(body.items).toMatchObject([{ stream: 'people', records: 250, error: null }]);
  expect(await find('ann250@example.com')).toMatchObject([{ name: 'Ann 250' }]);
});

test('acme: only what changed is read again, and a late list loses nothing', async () => {
  await hub.advance(10 * MINUTE);
  const hook = vendor.hookUrl;
  vendor.hookUrl = undefined;
  vendor.lateIndexMs = 30_000;
  await vendor.change('p7', { name: 'Late Ann' });
  await hub.advance(10 * MINUTE);
  vendor.lateIndexMs = 0;
  await hub.advance(10 * MINUTE);
  vendor.hookUrl = hook;
  expect(await find('ann7@example.com')).toMatchObject([{ name: 'Late Ann' }]);
  const list = vendor.server.journal.filter(({ path }) => path === '/v1/people').at(-1)!;
  expect((list.reply as { people: unknown[] }).people.length).toBeLessThan(3);
});

test('acme: a change is heard of by webhook, and a forged post is not', async () => {
  await vendor.change('p9', { name: 'Beth 9' });
  await hub.settle();
  expect(await find('ann9@example.com')).toMatchObject([{ name: 'Beth 9' }]);
  expect((await vendor.post({ event_id: 'e', person_id: 'p9' }, 'not-the-secret')).status).toBe(401);
});

test('acme: whoever is deleted there is gone here', async () => {
  await vendor.change('p11', { deleted: true });
  await hub.settle();
  expect(await find('ann11@example.com')).toEqual([]);
});

test('acme: a note is made once, even when its answer gets lost', async () => {
  const [ann] = await find('ann12@example.com');
  vendor.server.faults.add({ kind: 'cut_after', times: 1, match: /^POST .*\/notes$/ });
  const { status, body } = await hub.api('POST', '/v1/actions', {
    kind: 'add_note',
    customerId: ann!.id,
    input: { body: 'Called, no answer.' },
  });
  expect(status, JSON.stringify(body)).toBe(202);
  for (let round = 0; round < 3; round++) await hub.advance(5 * MINUTE);
  expect((await hub.api('GET', `/v1/actions/${body.id}`)).body).toMatchObject({ state: 'sent' });
  expect([...vendor.notes.values()]).toMatchObject([{ person: 'p12', text: 'Called, no answer.' }]);
});

test('acme: a limit is waited for, and nothing is lost', async () => {
  vendor.server.faults.add({ kind: 'status', status: 429, headers: { 'retry-after': '30' }, times: 2 });
  await vendor.change('p13', { name: 'Cleo 13' });
  for (let round = 0; round < 3; round++) await hub.advance(2 * MINUTE);
  expect(await find('ann13@example.com')).toMatchObject([{ name: 'Cleo 13' }]);
});
