import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import connector from '../../connectors/sendgrid/connector.ts';
import { type SendGridSandbox, start } from '../../connectors/sendgrid/sandbox.ts';
import { manualClock } from '../../src/base/clock.ts';
import { classify } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { vendorTruth } from '../specs/suite.ts';
import { startTestHub, type TestHub } from '../support/hub.ts';

await conformance('sendgrid');

const AT = '2026-03-02T15:00:00Z';
const TEMPLATE = `d-${'0a'.repeat(16)}`;

test('sendgrid: credits that are used up are no lost key', () => {
  const now = new Date(AT);
  const reply = (message: string) => ({ status: 401, headers: {}, body: { errors: [{ field: null, message }] } });
  expect(classify(connector.errors, reply('Maximum credits exceeded'), now)).toMatchObject({ kind: 'quota_exhausted' });
  expect(classify(connector.errors, reply('The authorization grant is revoked'), now)).toMatchObject({
    kind: 'auth_revoked',
  });
});

test('sendgrid: an account in Europe is asked there, marketing contacts where they all are', () => {
  const hostOf = (host: string, region?: string) => connector.hostOf(host, { settings: { region }, secrets: {} });
  expect([hostOf('api', 'eu'), hostOf('api'), hostOf('marketing', 'eu')]).toEqual(['eu', undefined, undefined]);
  expect(connector.hosts.eu).toBe('https://api.eu.sendgrid.com');
});

describe('with a hub', async () => {
  let vendor: SendGridSandbox;
  let hub: TestHub;
  let connection: Record<string, any>;

  beforeAll(async () => {
    const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
    vendor = await start({ clock, app: {} });
    const { api, eu, marketing } = vendor.hosts;
    const env = { SENDGRID_HOST_API: api!, SENDGRID_HOST_EU: eu!, SENDGRID_HOST_MARKETING: marketing! };
    hub = await startTestHub({ at: AT, connectors: ['sendgrid', 'csv'], env });
    vendor.state.receivers.push({ id: 'theirs', url: 'https://other.example/events', enabled: false });
    // Quiet hours are another room's promise: here every hour is open.
    const always = { open: '00:00', close: '24:00', days: [1, 2, 3, 4, 5, 6, 7] };
    const { headers } = await hub.api('GET', '/v1/settings/quietHours');
    await hub.api(
      'PUT',
      '/v1/settings/quietHours',
      { default: always, channels: {} },
      { 'if-match': headers.get('etag')! },
    );
    const settings = { ...vendor.credentials, templateId: TEMPLATE, groups: { offers: 17 } };
    const { body } = await hub.api('POST', '/v1/connections', { connector: 'sendgrid', settings });
    connection = body.connection;
    await hub.settle();
  });
  afterAll(async () => {
    await hub?.stop();
    await vendor?.stop();
  });

  const ask = async (kind: string, input: object): Promise<string> => {
    const { status, body } = await hub.api('POST', '/v1/actions', { kind, input, connectionId: connection.id });
    expect(status, JSON.stringify(body)).toBe(202);
    await hub.settle();
    return body.id;
  };
  const action = async (id: string): Promise<Record<string, any>> => (await hub.api('GET', `/v1/actions/${id}`)).body;

  test("sendgrid: our address for events is added beside others' and signed, once", async () => {
    expect(vendor.state.receivers.map(({ url }) => url)).toEqual([
      'https://other.example/events',
      connection.webhookUrl,
    ]);
    await hub.api('POST', `/v1/connections/${connection.id}/prepare`, {});
    expect(vendor.state.receivers).toHaveLength(2);
  });

  test('sendgrid: an unsubscribe is told to the group of its topic, or to everything', async () => {
    const about = { channel: 'email', address: 'Ann@Example.com' };
    expect(
      connector.optOut?.email?.input(
        { ...about, channel: 'email', topic: 'offers', at: new Date(AT) },
        { groups: { offers: 17 } },
      ),
    ).toMatchObject({ group: 17 });
    expect(
      connector.optOut?.email?.input({ ...about, channel: 'email', topic: 'news', at: new Date(AT) }, {}),
    ).toBeUndefined();
    expect(await action(await ask('record_opt_out', { ...about, group: 17 }))).toMatchObject({ state: 'sent' });
    expect([...vendor.state.groups.get(17)!]).toEqual(['ann@example.com']);
  });

  test('sendgrid: a list entry of somebody who wants no mail comes in by reading too', async () => {
    vendor.state.suppress('unsubscribes', 'quiet@example.com');
    await hub.api('POST', `/v1/connections/${connection.id}/sync`, {});
    await hub.settle();
    const { body } = await hub.api('GET', '/v1/customers?search=quiet%40example.com');
    expect(body.items).toHaveLength(1);
  });

  /** A mail to somebody the hub knows. @returns its action, whenever it is asked */
  async function mail(email: string, fault?: () => () => void): Promise<() => Promise<Record<string, any>>> {
    vendor.state.suppress('unsubscribes', email);
    await hub.api('POST', `/v1/connections/${connection.id}/sync`, {});
    await hub.settle();
    vendor.state.lists.unsubscribes.remove(email);
    const [{ id: customerId }] = (await hub.api('GET', `/v1/customers?search=${encodeURIComponent(email)}`)).body.items;
    const heal = fault?.();
    const input = { to: email, subject: 'Invoice 7', text: 'It is attached.' };
    const { status, body } = await hub.api('POST', '/v1/actions', {
      ...{ kind: 'send_email', customerId, class: 'transactional', input, connectionId: connection.id },
    });
    expect(status, JSON.stringify(body)).toBe(202);
    await hub.settle();
    heal?.();
    return () => action(body.id);
  }

  test('sendgrid: a mail is framed by the template and carries nothing private', async () => {
    const sent = await mail('carla@example.com');
    const row = await sent();
    expect(row, JSON.stringify(row)).toMatchObject({ state: 'sent' });
    const asked = vendor.server.journal.findLast(({ path }) => path === '/v3/mail/send')!.body as Record<string, any>;
    expect(asked).toMatchObject({ template_id: TEMPLATE });
    expect(asked.personalizations[0].dynamic_template_data).toMatchObject({
      text: expect.stringContaining('attached'),
    });
    expect(asked.personalizations[0].custom_args).toEqual({ hub_send_id: row.id });
  });

  test('sendgrid: what became of a mail comes back, whatever the order and however often', async () => {
    const sent = await mail('dora@example.com');
    const known = vendor.state.mails.at(-1)!;
    const opened = vendor.state.event('open', known, { sg_machine_open: true });
    const delivered = vendor.state.event('delivered', known, { response: '250 OK' });
    await vendor.tell([opened, delivered, delivered, vendor.state.event('processed', known)]);
    await vendor.tell([delivered]);
    await hub.settle();
    expect((await sent()).receipt).toMatchObject({
      nativeId: known.id,
      state: expect.stringMatching(/delivered|open/),
    });
  });

  test('sendgrid: an event tells of a mail whose answer got lost', async () => {
    const sent = await mail('elif@example.com', () =>
      vendor.faults!.add({ kind: 'cut_after', match: /^POST \/v3\/mail\/send$/, times: 1 }),
    );
    expect(await sent()).toMatchObject({ state: 'unknown' });
    await vendor.tell([vendor.state.event('delivered', vendor.state.mails.at(-1)!)]);
    await hub.settle();
    expect(await sent()).toMatchObject({ state: 'sent' });
  });

  test('sendgrid: joining the list of an automation starts it', async () => {
    const id = await ask('enrol_in_automation', { automation: 'newsletter', about: { contact: 'Ben@Example.com' } });
    expect(await action(id)).toMatchObject({ state: 'sent' });
    expect([...vendor.state.contacts.get('ben@example.com')!.lists]).toEqual([vendor.state.marketingLists[0]!.id]);
  });

  test('sendgrid: a full plan leaves the others alone and says so', async () => {
    const other = await hub.otherTenant();
    vendor.state.maxReceivers = 2;
    const { body } = await other.api('POST', '/v1/connections', {
      connector: 'sendgrid',
      settings: vendor.credentials,
    });
    vendor.state.maxReceivers = 5;
    expect(vendor.state.receivers).toHaveLength(2);
    const shown = await other.api('GET', `/v1/connections/${body.connection.id}`);
    expect(JSON.stringify(shown.body)).toContain('all your plan allows');
  });

  await vendorTruth('sendgrid', () => vendor.server, { part: 'special' });
});
