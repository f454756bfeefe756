import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import connector from '../../connectors/hubspot/connector.ts';
import { type HubSpotSandbox, start } from '../../connectors/hubspot/sandbox.ts';
import { hubspotTransport } from '../../connectors/hubspot/transport.ts';
import { webhooks } from '../../connectors/hubspot/webhooks.ts';
import { manualClock } from '../../src/base/clock.ts';
import { classify, type RawHook } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { vendorTruth } from '../specs/suite.ts';
import { freePort, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('hubspot');

const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const AT = '2026-03-02T15:00:00Z';

describe('without a hub', () => {
  const sign = (text: string): string => createHmac('sha256', APP.HUBSPOT_CLIENT_SECRET).update(text).digest('base64');
  const now = new Date(AT);
  const stamp = String(now.getTime());
  const hook = (url: string, signed: string, headers: Record<string, string> = {}): RawHook => ({
    method: 'POST',
    url,
    headers: {
      'x-hubspot-signature-v3': sign(`POST${signed}[]${stamp}`),
      'x-hubspot-request-timestamp': stamp,
      ...headers,
    },
    body: Buffer.from('[]'),
  });
  const verdict = (post: RawHook) => webhooks.verify(post, { app: APP, connection: {} }, now);

  test('hubspot: signature vectors', async () => {
    const plain = 'https://hub.example/hooks/hubspot';
    expect(await verdict(hook(plain, plain))).toEqual({ ok: true });
    // These escapes are decoded before it signs; a space and a percent sign are not.
    const escaped = `${plain}?to=a%40b.c%3A1%2f2%20%25`;
    expect(await verdict(hook(escaped, `${plain}?to=a@b.c:1/2%20%25`))).toEqual({ ok: true });
    expect(await verdict(hook(escaped, `${plain}?to=a@b.c:1/2 %`))).toMatchObject({ reason: 'bad_signature' });
    expect(await verdict(hook(plain, 'http://hub.example/hooks/hubspot'))).toMatchObject({ reason: 'bad_signature' });
    const old = { 'x-hubspot-request-timestamp': String(now.getTime() - 6 * MINUTE) };
    const late = sign(`POST${plain}[]${old['x-hubspot-request-timestamp']}`);
    expect(await verdict(hook(plain, plain, { ...old, 'x-hubspot-signature-v3': late }))).toMatchObject({
      reason: 'stale',
    });
  });

  test.each([
    ['SECONDLY', 'rate_limited', 1],
    ['TEN_SECONDLY_ROLLING', 'rate_limited', 10],
    ['DAILY', 'quota_exhausted', 3600],
  ] as const)('hubspot: backs off as the policy says: %s', (policyName, kind, seconds) => {
    const body = { status: 'error', message: 'Limit', errorType: 'RATE_LIMIT', policyName };
    const failure = classify(connector.errors, { status: 429, headers: {}, body }, now);
    expect(failure).toMatchObject({ kind, until: new Date(now.getTime() + seconds * 1000) });
  });
});

describe('with a hub', async () => {
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
    const [ann] = ['Ann', 'Ben'].map((firstname, n) =>
      vendor.state.create('contacts', {
        firstname,
        lastname: 'Miller',
        email: `${firstname}@example.com`.toLowerCase(),
        mobilephone: `+1415555${1000 + n}`,
        hubspot_owner_id: '500',
      }),
    );
    vendor.state.attach('contacts', ann!.id, company.id);
    connection = await hub.connect('hubspot');
    await hub.settle();
  });
  afterAll(async () => {
    await hub?.stop();
    await vendor?.stop();
  });

  const search = async (text: string, api = hub.api): Promise<Record<string, any>[]> =>
    (await api('GET', `/v1/customers?search=${encodeURIComponent(text)}`)).body.items;

  test('hubspot: contacts know their company', async () => {
    const [first] = await search('Ann Miller');
    expect(first).toMatchObject({ company: 'Acme Glass', email: 'ann@example.com', phone: '+14155551000' });
  });

  test('hubspot: asks for what is mapped', async () => {
    const listed = vendor.server.journal.find(
      ({ method, path, query }) =>
        method === 'GET' && /\/objects\/.*\/contacts$/.test(path) && query.archived === 'false',
    )!;
    expect(String(listed.query.properties).split(',')).toEqual(
      expect.arrayContaining(['firstname', 'email', 'hs_email_optout']),
    );
  });

  test('hubspot: one post, two accounts', async () => {
    const first = vendor.portalId;
    vendor.portalId = '8712002';
    const { api } = await hub.otherTenant();
    await hub.connect('hubspot', { api });
    const made = vendor.state.create('contacts', { firstname: 'Nora', lastname: 'Noble' });
    const event = {
      objectId: Number(made.id),
      objectTypeId: '0-1',
      subscriptionType: 'object.creation',
      subscriptionId: 1,
      occurredAt: hub.clock.now().getTime(),
    };
    // Nobody here connected the third one.
    await vendor.announce([first, '8712002', '8712003'].map((portalId) => ({ ...event, portalId: Number(portalId) })));
    await hub.hub.queue.idle();
    for (const call of [hub.api, api]) expect(await search('Nora Noble', call)).toHaveLength(1);
    vendor.portalId = first;
  });

  /** A contact the hub has heard of. */
  const somebody = async (properties: Record<string, string>): Promise<{ id: string; customerId: string }> => {
    const { id } = vendor.state.create('contacts', properties);
    await vendor.tell('creation', 'contacts', id);
    await hub.hub.queue.idle();
    return { id, customerId: (await search(properties.firstname!))[0]!.id };
  };
  const act = async (
    kind: string,
    customerId: string,
    input: Record<string, unknown>,
  ): Promise<Record<string, any>> => {
    const body = { kind, customerId, connectionId: connection.id, input, class: 'transactional' };
    const planned = await hub.api('POST', '/v1/actions', body);
    expect(planned.status, JSON.stringify(planned.body)).toBe(202);
    await hub.settle();
    return (await hub.api('GET', `/v1/actions/${planned.body.id}`)).body;
  };

  test('hubspot: clears a field', async () => {
    const { id, customerId } = await somebody({ firstname: 'Clara', city: 'Springfield' });
    const done = await act('update_field', customerId, {
      object: 'contact',
      id,
      fields: { city: null, numchildren: 2 },
    });
    expect(done.state, JSON.stringify(done)).toBe('sent');
    expect(vendor.state.find('contacts', id)!.properties).toMatchObject({ city: '', numchildren: '2' });
  });

  test('hubspot: settings of the connection say who enrols and which e-mail is sent', async () => {
    const path = `/v1/connections/${connection.id}`;
    const settings = { singleSendEmailId: '77', sequenceUserId: '9000', sequenceSender: 'rita@example.com' };
    const etag = (await hub.api('GET', path)).headers.get('etag')!;
    expect((await hub.api('PATCH', path, { settings }, { 'if-match': etag })).status).toBe(200);
    const person = await somebody({ firstname: 'Acted', lastname: 'Upon', email: 'acted@example.com' });
    const enrolled = await act('enrol_in_automation', person.customerId, {
      automation: '5',
      about: { contact: person.id },
    });
    expect(enrolled.state, JSON.stringify(enrolled)).toBe('sent');
    expect(vendor.state.enrolments.get(person.id)).toMatchObject({ enrolledBy: '9000' });
    const mailed = await act('send_email', person.customerId, {
      to: 'acted@example.com',
      subject: 'Hello',
      text: 'There',
    });
    expect(mailed.state, JSON.stringify(mailed)).toBe('sent');
  });

  test('hubspot: a silent server is given up', async () => {
    const heal = vendor.server.faults.add({ kind: 'silent' });
    const send = await hubspotTransport();
    const request = { method: 'GET', path: '/crm/owners', origin: vendor.hosts.api!, headers: {} } as const;
    const rest = { secrets: {}, settings: {}, guarded: false, allowedHosts: ['127.0.0.1'] };
    const failure = await send({ ...request, ...rest, signal: AbortSignal.timeout(200) }).catch((error) => error);
    heal();
    expect(failure).toMatchObject({ kind: 'transient' });
  });

  await vendorTruth('hubspot', () => vendor.server, { part: 'special' });
});
