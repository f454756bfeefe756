import { afterAll, beforeAll, expect, test } from 'vitest';
import { manualClock } from '../../src/base/clock.ts';
import { conformance } from '../../test/conformance/suite.ts';
import { startTestHub, type TestHub } from '../../test/support/hub.ts';
import { type AcmeSandbox, start } from './sandbox.ts';

// Everything that must be true of every connector.
await conformance('acme');

// REPLACE: what is special about this one.
const AT = '2026-03-02T15:00:00Z';

let vendor: AcmeSandbox;
let hub: TestHub;

beforeAll(async () => {
  // The simulation lives in the hub's time.
  const clock = { now: () => hub?.clock.now() ?? new Date(AT), sleep: manualClock(AT).sleep };
  vendor = await start({ clock, app: {} });
  vendor.addPerson({ name: 'Ann Archer', email: 'ann@example.com', phone: '+16145550101' });
  hub = await startTestHub({ at: AT, connectors: ['acme'], env: { ACME_HOST_API: vendor.hosts.api! } });
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

const find = async (text: string): Promise<Record<string, unknown>[]> =>
  (await hub.api('GET', `/v1/customers?search=${encodeURIComponent(text)}`)).body.items;

test('acme: the account is told by its own name', async () => {
  const { body } = await hub.api('GET', '/v1/connections');
  expect(body.items).toMatchObject([{ state: 'active', account: { id: 'acme-1', name: 'Main Street Services' } }]);
});

test('acme: a person is a customer with a name, an address and a number', async () => {
  expect(await find('ann@example.com')).toMatchObject([{ name: 'Ann Archer', phone: '+16145550101' }]);
});

test('acme: its posts find the address that was entered when we connected', async () => {
  expect(await vendor.change('p1', { name: 'Ann Baker' })).toMatchObject({ status: 200 });
  await hub.settle();
  expect(await find('ann@example.com')).toMatchObject([{ name: 'Ann Baker' }]);
});
