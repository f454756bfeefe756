import { afterAll, beforeAll, expect, test } from 'vitest';
import { start, type WebhookSandbox } from '../connectors/webhook/sandbox.ts';
import { manualClock } from '../src/base/clock.ts';
import { freePort, MINUTE, startTestHub, type TestHub } from './support/hub.ts';

const AT = '2026-03-02T15:00:00Z';

let other: WebhookSandbox;
let hub: TestHub;

beforeAll(async () => {
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  other = await start({ clock, app: {} });
  hub = await startTestHub({ at: AT, port: await freePort(), connectors: ['webhook'] });
  const settings = { name: 'Home-grown', secret: other.secret, target: `${other.hosts.target}/in` };
  const made = await hub.api('POST', '/v1/connections', { connector: 'webhook', settings });
  other.hookUrl = made.body.connection.webhookUrl;
});

afterAll(async () => {
  await hub?.stop();
  await other?.stop();
});

let minutes = 0;
const push = async (type: string, data: object): Promise<void> => {
  minutes += 1;
  await other.send(type, { updated_at: new Date(Date.parse(AT) + minutes * MINUTE).toISOString(), ...data });
  await hub.settle();
};
/** A contact of the platform; answers the customer's id. */
const contact = async (id: string, more: object = {}): Promise<string> => {
  await push('contact.upserted', { id, name: `Person ${id}`, email: `${id}@example.com`, ...more });
  const found = await hub.api('GET', `/v1/customers?search=${id}@example.com`);
  return found.body.items[0].id;
};
const customer = async (id: string) => (await hub.api('GET', `/v1/customers/${id}`)).body;
const dates = async (id: string): Promise<Record<string, any>[]> =>
  (await hub.api('GET', `/v1/customers/${id}/dates`)).body.items;
const set = (id: string, kind: string, value: string, more: object = {}) =>
  hub.api('PUT', `/v1/customers/${id}/dates/${kind}`, { value, ...more });

test('dates: a birthday set by hand wins over the platforms, also over what one says later', async () => {
  const id = await contact('ann', { birthday: '1987-02-14' });
  expect(await dates(id)).toMatchObject([
    { kind: 'birthday', value: '1987-02-14', origin: 'platform', setBy: null },
    { kind: 'first_service', value: null, origin: null },
    { kind: 'first_installation', value: null, origin: null },
  ]);
  const answer = await set(id, 'birthday', '--02-29', { source: 'customer', note: 'On the phone' });
  expect(answer).toMatchObject({ status: 200, body: { items: [{ value: '--02-29', origin: 'customer' }, {}, {}] } });
  await contact('ann', { birthday: '1990-12-24' });
  await contact('ann', { birthday: null });
  expect((await customer(id)).birthday).toBe('--02-29');
  const { items } = (await hub.api('GET', `/v1/customers/${id}/provenance`)).body;
  expect(items.find((item: { field: string }) => item.field === 'birthday')).toMatchObject({
    value: '--02-29',
    rule: 'set by hand',
    record: 'customer',
    connector: null,
    setBy: expect.stringMatching(/^api_key:/),
    changedAt: AT.replace('Z', '.000Z'),
  });
  // The other fields still come from the platform.
  expect(items.find((item: { field: string }) => item.field === 'name')).toMatchObject({ connector: 'webhook' });
});

test('dates: taken back, the birthday is the platforms’ again', async () => {
  const id = await contact('ben', { birthday: '1987-02-14' });
  await set(id, 'birthday', '1987-02-15');
  const before = (await customer(id)).version;
  const cleared = await hub.api('DELETE', `/v1/customers/${id}/dates/birthday`);
  expect(cleared).toMatchObject({
    status: 200,
    body: { items: [{ value: '1987-02-14', origin: 'platform' }, {}, {}] },
  });
  expect(await customer(id)).toMatchObject({ birthday: '1987-02-14', version: before + 1 });
  expect((await hub.api('DELETE', `/v1/customers/${id}/dates/birthday`)).status).toBe(404);
  const { items } = (await hub.api('GET', `/v1/audit?customerId=${id}`)).body;
  expect(items.map((item: { action: string }) => item.action)).toEqual(
    expect.arrayContaining(['customer.date_set', 'customer.date_cleared']),
  );
});

test('dates: what is no such day is refused with the path and the reason', async () => {
  const id = await contact('cleo');
  for (const [kind, value, reason] of [
    ['birthday', '1987-02-31', 'is not a day of the calendar'],
    ['birthday', '0001-02-14', 'has a year before 1900'],
    ['birthday', '2026-03-03', 'is in the future'],
    ['birthday', '14.02.1987', 'must be written'],
    ['first_service', '--02-14', 'must be a day of the calendar'],
    ['first_service', '2026-03-03', 'is in the future'],
  ] as const) {
    const { status, body } = await set(id, kind, value);
    expect({ status, fields: body.fields ?? body.errors }, value).toMatchObject({
      status: 422,
      fields: [{ path: 'value', message: expect.stringContaining(reason) }],
    });
  }
  expect((await set(id, 'wedding', '1987-02-14')).status).toBe(400);
  expect((await customer(id)).birthday).toBeNull();
});

test('dates: a wrong birthday from a platform costs itself only, and is reported', async () => {
  const id = await contact('dora', { birthday: '1987-02-31' });
  expect(await customer(id)).toMatchObject({ name: 'Person dora', birthday: null });
  const { items } = (await hub.api('GET', '/v1/parked?kind=field')).body;
  expect(items).toMatchObject([
    { reason: expect.stringContaining('the birthday "1987-02-31" is not a day of the calendar') },
  ]);
});

test('dates: anniversaries are derived from the jobs, and can be corrected', async () => {
  const id = await contact('emil');
  const job = { contact_id: 'emil', status: 'completed' };
  await push('job.upserted', { id: 'j1', ...job, title: 'Maintenance', completed_on: '2021-05-01' });
  await push('job.upserted', { id: 'j2', ...job, kind: 'Installation', completed_on: '2022-06-02' });
  await push('job.upserted', { id: 'j3', ...job, status: 'scheduled', kind: 'installation', completed_on: null });
  expect(await dates(id)).toMatchObject([
    { value: null },
    { kind: 'first_service', value: '2021-05-01', origin: 'jobs' },
    { kind: 'first_installation', value: '2022-06-02', origin: 'jobs' },
  ]);
  await set(id, 'first_installation', '2019-04-03');
  expect((await dates(id))[2]).toMatchObject({ value: '2019-04-03', origin: 'staff' });
  // The trigger goes by what was set, for the kinds of work it is about.
  const fires = async (settings: object): Promise<string[]> =>
    (
      await hub.api('POST', '/v1/triggers/try', { trigger: 'service.anniversary', customer: id, settings })
    ).body.items.map((one: { occurredOn: string }) => one.occurredOn);
  expect(await fires({})).toEqual(['2025-05-01']);
  expect(await fires({ jobKinds: ['Installation'] })).toEqual(['2025-04-03']);
  await set(id, 'first_service', '2020-07-08');
  expect(await fires({})).toEqual(['2025-07-08']);
  await hub.api('DELETE', `/v1/customers/${id}/dates/first_service`);
  expect(await fires({})).toEqual(['2025-05-01']);
});

test('dates: joined, the newest entry counts; taken apart, each has their own again', async () => {
  const [first, second] = [await contact('fred'), await contact('fritz')];
  await set(first, 'birthday', '1987-02-14');
  await hub.advance(MINUTE);
  await set(second, 'birthday', '1987-02-15');
  const merged = await hub.api('POST', '/v1/merges', { ids: [first, second], reason: 'The same' });
  expect(merged.status).toBe(201);
  for (const id of [first, second]) expect((await customer(id)).birthday).toBe('1987-02-15');
  // Read again from the platform, it is still what was set by hand.
  await contact('fred', { birthday: '1990-01-01', job_title: 'Boss' });
  expect((await customer(first)).birthday).toBe('1987-02-15');
  await hub.api('POST', `/v1/merges/${merged.body.id}/undo`, { reason: 'Father and son' });
  expect((await customer(first)).birthday).toBe('1987-02-14');
  expect((await customer(second)).birthday).toBe('1987-02-15');
});
