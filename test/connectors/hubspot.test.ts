import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HubSpotSandbox, start } from '../../connectors/hubspot/sandbox.ts';
import { manualClock } from '../../src/base/clock.ts';
import { vendorTruth } from '../specs/suite.ts';
import { DAY, freePort, HOUR, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const AT = '2026-03-02T15:00:00Z';

let vendor: HubSpotSandbox;
let hub: TestHub;
let connection: Record<string, any>;

beforeAll(async () => {
  const port = await freePort();
  // The simulation reads the hub's clock, so that both live in the same moment.
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  vendor = await start({ clock, app: APP, hookUrl: `http://127.0.0.1:${port}/hooks/hubspot`, limits: false });
  hub = await startTestHub({
    at: AT,
    port,
    connectors: ['hubspot'],
    env: { ...APP, HUBSPOT_HOST_API: vendor.hosts.api!, HUBSPOT_HOST_APP: vendor.hosts.app! },
  });
  vendor.state.addOwner('Rita', 'Manager', 'rita@example.com');
  const company = vendor.state.create('companies', { name: 'Acme Glass', domain: 'acme.example' });
  for (let n = 0; n < 250; n++) {
    const contact = vendor.state.create('contacts', {
      firstname: 'Ann',
      lastname: `Miller ${n}`,
      email: `ann${n}@example.com`,
      mobilephone: `+1415555${1000 + n}`,
      hubspot_owner_id: '500',
    });
    if (n === 0) vendor.state.attach('contacts', contact.id, company.id);
  }
  connection = await hub.connect('hubspot');
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await vendor?.stop();
});

const stream = async (name: string): Promise<Record<string, any>> =>
  (await hub.api('GET', '/v1/streams')).body.items.find((item: { stream: string }) => item.stream === name);
const search = async (text: string): Promise<Record<string, any>[]> =>
  (await hub.api('GET', `/v1/customers?search=${encodeURIComponent(text)}`)).body.items;

test('hubspot: the first load reads every page', async () => {
  expect(connection.state).toBe('active');
  expect(connection.account.id).toBe('8712001');
  expect(await stream('contacts')).toMatchObject({ records: 250, phase: 'incremental', error: null });
});

test('hubspot: contacts know their company', async () => {
  const [first] = await search('Miller 0');
  expect(first).toMatchObject({ company: 'Acme Glass', email: 'ann0@example.com', phone: '+14155551000' });
});

test('hubspot: asks for what is mapped', async () => {
  const listed = vendor.server.journal.find(
    (exchange) =>
      exchange.method === 'GET' &&
      exchange.path.includes('/objects/') &&
      exchange.path.endsWith('/contacts') &&
      exchange.query.archived === 'false',
  )!;
  expect(String(listed.query.properties).split(',')).toEqual(
    expect.arrayContaining(['firstname', 'email', 'hs_email_optout']),
  );
});

test('hubspot: reads only what changed, and a late index loses nothing', async () => {
  await hub.advance(10 * MINUTE);
  const before = vendor.server.journal.length;
  vendor.state.lateIndexMs = 30_000;
  vendor.state.update('contacts', vendor.state.all('contacts')[7]!.id, { lastname: 'Late' });
  await hub.advance(5 * MINUTE);
  vendor.state.lateIndexMs = 0;
  await hub.advance(5 * MINUTE);
  expect(await search('Ann Late')).toHaveLength(1);
  const searches = vendor.server.journal.slice(before).filter((exchange) => exchange.path.endsWith('/contacts/search'));
  expect(searches.length).toBeGreaterThan(0);
});

test('hubspot: more equal timestamps than a page', async () => {
  const same = new Date(hub.clock.now().getTime()).toISOString();
  for (let n = 0; n < 450; n++)
    vendor.state.create(
      'contacts',
      { firstname: 'Bulk', lastname: `Import ${n}`, email: `bulk${n}@example.com` },
      same,
    );
  await hub.advance(6 * MINUTE);
  expect(await stream('contacts')).toMatchObject({ records: 700, error: null });
});

test('hubspot: a webhook is fetched again and stored', async () => {
  await vendor.change('contacts', vendor.state.all('contacts')[3]!.id, { firstname: 'Hooked' });
  await hub.settle();
  expect(await search('Hooked')).toHaveLength(1);
});

test('hubspot: a merge is followed', async () => {
  const [survivor, loser] = [vendor.state.all('contacts')[20]!, vendor.state.all('contacts')[21]!];
  const [lost] = await search('Miller 21');
  vendor.state.merge('contacts', survivor.id, loser.id);
  await vendor.announce([
    {
      subscriptionType: 'object.merge',
      objectTypeId: '0-1',
      portalId: 8712001,
      occurredAt: hub.clock.now().getTime(),
      subscriptionId: 7,
      primaryObjectId: Number(survivor.id),
      mergedObjectIds: [Number(loser.id)],
    },
  ]);
  await hub.settle();
  const resolved = await hub.api('GET', `/v1/customers/${lost!.id}`);
  expect(resolved.body.name).toBe('Ann Miller 20');
});

test('hubspot: a bad, stale or missing signature is refused, and a replay is taken once', async () => {
  const url = `${hub.url}/hooks/hubspot`;
  const unsigned = await fetch(url, { method: 'POST', body: '[]' });
  expect(unsigned.status).toBe(401);
  const bad = await fetch(url, {
    method: 'POST',
    body: '[]',
    headers: { 'x-hubspot-signature-v3': 'AAAA', 'x-hubspot-request-timestamp': String(hub.clock.now().getTime()) },
  });
  expect(bad.status).toBe(401);
  const events = [
    {
      objectId: 1,
      objectTypeId: '0-1',
      subscriptionType: 'object.creation',
      portalId: 8712001,
      occurredAt: 1,
      subscriptionId: 1,
    },
  ];
  expect((await vendor.announce(events)).status).toBe(200);
  expect((await vendor.announce(events)).status).toBe(200);
  const { rows } = await hub.hub.db.tenant(hub.tenantId, (tx) =>
    tx.query("select 1 from hint where tenant_id = $1 and remote_id = '1'", [hub.tenantId]),
  );
  await hub.settle();
  expect(rows.length).toBeLessThanOrEqual(1);
});

test('hubspot: a lost answer makes one task', async () => {
  const [customer] = await search('Hooked');
  vendor.server.faults.add({ kind: 'cut_after', match: /^POST .*\/tasks$/, times: 1 });
  const planned = await hub.api(
    'POST',
    '/v1/actions',
    {
      kind: 'create_task',
      customerId: customer!.id,
      input: { title: 'Call about invoice', dueAt: '2026-03-03T15:00:00Z', about: {} },
    },
    { 'idempotency-key': 'task-1' },
  );
  expect(planned.status).toBe(202);
  await hub.settle();
  await hub.advance(2 * MINUTE);
  const done = await hub.api('GET', `/v1/actions/${planned.body.id}`);
  expect(done.body.state).toBe('sent');
  expect(done.body.tries[0].outcome).toBe('unknown');
  expect(
    vendor.state.all('tasks').filter((task) => task.properties.hs_task_subject === 'Call about invoice'),
  ).toHaveLength(1);
});

test('hubspot: deletions come with the daily list of archived records', async () => {
  vendor.state.archive('contacts', vendor.state.all('contacts')[30]!.id);
  await hub.advance(DAY + HOUR);
  expect(await search('Miller 30')).toHaveLength(0);
});

test('hubspot: every kind of action is done and answered, also the ones looked up after a lost answer', async () => {
  const person = vendor.state.create('contacts', { firstname: 'Acted', lastname: 'Upon', email: 'acted@example.com' });
  await vendor.change('contacts', person.id, { lastname: 'On' });
  await hub.settle();
  const [customer] = await search('Acted');
  const at = `/v1/connections/${connection.id}`;
  const settings = { singleSendEmailId: '77', sequenceUserId: '9000', sequenceSender: 'rita@example.com' };
  const etag = (await hub.api('GET', at)).headers.get('etag')!;
  expect((await hub.api('PATCH', at, { settings }, { 'if-match': etag })).status).toBe(200);
  const about = { contact: person.id };
  const [from, to] = ['2026-03-10T15:00:00Z', '2026-03-10T16:00:00Z'];
  const inputs: [string, Record<string, unknown>][] = [
    ['add_note', { body: 'Called', about }],
    ['create_task', { title: 'Call again', dueAt: from, priority: 'high', assignee: '500', about }],
    ['create_calendar_event', { title: 'Visit', startsAt: from, endsAt: to, location: 'There', about }],
    ['create_ticket', { title: 'Leak', body: 'Kitchen', priority: 'urgent', about }],
    ['update_field', { object: 'contact', id: person.id, fields: { jobtitle: 'Owner', city: null, numchildren: 2 } }],
    ['add_tag', { tag: '12', about }],
    ['remove_tag', { tag: '12', about }],
    ['enrol_in_automation', { automation: '5', about }],
    ['send_email', { to: 'acted@example.com', subject: 'Hello', text: 'There' }],
  ];
  vendor.server.faults.add({ kind: 'cut_after', match: /^POST .*\/enrollments$/, times: 1 });
  for (const [kind, input] of inputs) {
    const body = { kind, customerId: customer!.id, connectionId: connection.id, input, class: 'transactional' };
    const planned = await hub.api('POST', '/v1/actions', body, { 'idempotency-key': `every-${kind}` });
    expect(planned.status, `${kind}: ${JSON.stringify(planned.body)}`).toBe(202);
    await hub.settle();
    await hub.advance(2 * MINUTE);
    const { body: done } = await hub.api('GET', `/v1/actions/${planned.body.id}`);
    expect(done.state, `${kind}: ${JSON.stringify(done)}`).toBe('sent');
  }
});

await vendorTruth('hubspot', () => vendor.server);
