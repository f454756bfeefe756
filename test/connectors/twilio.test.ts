import { createHash, createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { start as startCrm } from '../../connectors/hubspot/sandbox.ts';
import { actions } from '../../connectors/twilio/actions.ts';
import { start, type TwilioSandbox } from '../../connectors/twilio/sandbox.ts';
import { webhooks } from '../../connectors/twilio/webhooks.ts';
import { manualClock } from '../../src/base/clock.ts';
import type { RawHook } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { vendorTruth } from '../specs/suite.ts';
import { freePort, HOUR, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('twilio');

const CRM = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const AT = '2026-03-02T15:00:00Z';
const OLD = 'Sun, 01 Mar 2026 12:00:00 +0000';
const NUMBER = '+15005550006';

let vendor: TwilioSandbox;
let crm: Awaited<ReturnType<typeof startCrm>>;
let hub: TestHub;
let connection: Record<string, any>;
let people = 0;

/** Fields to connect with; the number sends, so that the Messaging Service is left out unless a test wants it. */
const fields = (more: Record<string, unknown> = {}) => ({
  ...vendor.credentials,
  messagingServiceSid: vendor.state.service.sid,
  whatsappFrom: vendor.state.senders[1],
  ...more,
});

const connect = async (more: Record<string, unknown> = {}, call = hub.api) =>
  call('POST', '/v1/connections', { connector: 'twilio', settings: fields(more) });

/** A message on its way to the person, one post after the other. */
async function deliver(sid: string): Promise<void> {
  for (const move of [vendor.handToCarrier, vendor.deliver]) {
    await move(sid);
    await hub.settle();
  }
}

/** Connects for another business, which leaves again before the next test. */
async function connectElsewhere(more: Record<string, unknown>): Promise<Record<string, any>> {
  const { api } = await hub.otherTenant();
  const { body } = await connect(more, api);
  expect((await api('DELETE', `/v1/connections/${body.connection.id}`)).status).toBe(204);
  return body.connection;
}

beforeAll(async () => {
  const port = await freePort();
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  vendor = await start({ clock, app: {} });
  crm = await startCrm({ clock, app: CRM, limits: false });
  for (let n = 0; n < 60; n++) {
    crm.state.create('contacts', { firstname: 'Ann', lastname: `Miller ${n}`, mobilephone: `+1415555${1000 + n}` });
  }
  hub = await startTestHub({
    at: AT,
    port,
    connectors: ['hubspot', 'twilio'],
    env: {
      ...CRM,
      HUBSPOT_HOST_API: crm.hosts.api!,
      HUBSPOT_HOST_APP: crm.hosts.app!,
      TWILIO_HOST_API: vendor.hosts.api!,
      TWILIO_HOST_API_IE1: vendor.hosts.api_ie1!,
      TWILIO_HOST_MESSAGING: vendor.hosts.messaging!,
    },
  });
  // Quiet hours are another room's promise: here every hour is open.
  const always = { open: '00:00', close: '24:00', days: [1, 2, 3, 4, 5, 6, 7] };
  const { headers } = await hub.api('GET', '/v1/settings/quietHours');
  const open = { default: always, channels: {} };
  const set = await hub.api('PUT', '/v1/settings/quietHours', open, { 'if-match': headers.get('etag')! });
  expect(set.status).toBeLessThan(300);
  await hub.connect('hubspot');
  await hub.settle();
  const before = { date_created: OLD, date_sent: OLD, date_updated: OLD };
  for (let n = 0; n < 1_250; n++) {
    Object.assign(vendor.state.receive(`+1415555${1000 + (n % 50)}`, NUMBER, `History ${n}`), before);
  }
  connection = (await connect()).body.connection;
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await crm?.stop();
  await vendor?.stop();
});

beforeEach(() => vendor.server.faults.clear());

/** A person nobody wrote to yet: number and customer id. */
async function somebody(): Promise<{ phone: string; id: string }> {
  const phone = `+1415555${1000 + people++}`;
  const { body } = await hub.api('GET', `/v1/customers?search=${encodeURIComponent(phone)}`);
  return { phone, id: body.items[0].id };
}

const rows = async <Row extends Record<string, unknown>>(sql: string, values: unknown[] = []): Promise<Row[]> =>
  (await hub.hub.db.tenant(hub.tenantId, (tx) => tx.query<Row>(sql, [hub.tenantId, ...values]))).rows;

const activities = (address: string) =>
  rows<Record<string, any>>(
    'select * from activity where tenant_id = $1 and address = $2 order by occurred_at, entity_id',
    [address],
  );

const suppressions = (reason: string) =>
  rows<Record<string, any>>(
    'select channel, reason from suppression where tenant_id = $1 and reason = $2 and lifted_at is null',
    [reason],
  );

const stream = async (): Promise<Record<string, any>> =>
  (await hub.api('GET', '/v1/streams')).body.items.find(
    (item: Record<string, unknown>) => item.stream === 'messages' && item.connectionId === connection.id,
  );

const plan = async (kind: string, who: { id: string }, input: Record<string, unknown>, cls = 'transactional') => {
  const planned = await hub.api('POST', '/v1/actions', { kind, customerId: who.id, class: cls, input });
  expect(planned.status).toBe(202);
  await hub.settle();
  return action(planned.body.id);
};
const action = async (id: string): Promise<Record<string, any>> => (await hub.api('GET', `/v1/actions/${id}`)).body;
const sms = (who: { id: string; phone: string }, text = 'Your visit is tomorrow.') =>
  plan('send_sms', who, { to: who.phone, text });
const sentTo = (address: string) =>
  vendor.state.messages.filter((message) => message.to === address && message.direction === 'outbound-api');

describe('connecting', () => {
  test('twilio: who is connected is told, and no secret is shown', async () => {
    expect(connection).toMatchObject({
      state: 'active',
      account: { id: vendor.credentials.accountSid, name: 'Main Street Services' },
    });
    const shown = JSON.stringify((await hub.api('GET', '/v1/connections')).body);
    for (const secret of [vendor.credentials.authToken, vendor.credentials.keySecret])
      expect(shown).not.toContain(secret);
  });

  test('twilio: a restricted key that may not read the account connects by its messages', async () => {
    for (const [status, code] of [
      [403, 20_403],
      [401, 20_003],
    ] as const) {
      vendor.server.faults.add({
        kind: 'status',
        status,
        body: { code, status },
        match: /Accounts\/AC\w+\.json$/,
        times: 1,
      });
      const made = await connectElsewhere({ messagingServiceSid: undefined, from: NUMBER });
      expect(made).toMatchObject({ state: 'active', account: { name: `Twilio ${vendor.credentials.accountSid}` } });
    }
  });

  test('twilio: wrong credentials and a suspended account are refused in words', async () => {
    const wrong = await connect({ keySecret: 'wrong' });
    expect(wrong.status).toBeGreaterThanOrEqual(400);
    expect(JSON.stringify(wrong.body)).toContain('refuses the credentials');
    vendor.state.accountStatus = 'suspended';
    const suspended = await connect();
    vendor.state.accountStatus = 'active';
    expect(JSON.stringify(suspended.body)).toContain('The Twilio account is suspended');
    const misspelt = await hub.api('POST', '/v1/connections', {
      connector: 'twilio',
      settings: { ...fields(), autToken: 'x' },
    });
    expect(misspelt.status).toBe(422);
  });

  test('twilio: our address for replies is entered where none was, and never over another', async () => {
    expect(vendor.inboundUrl).toBe(connection.webhookUrl);
    const before = vendor.server.journal.length;
    await connectElsewhere({});
    expect(vendor.inboundUrl).toBe(connection.webhookUrl);
    expect(vendor.server.journal.slice(before).filter(({ method }) => method === 'POST')).toEqual([]);
    expect(hub.lines.join('\n')).toContain('Replies to the Messaging Service already go to 127.0.0.1');
    vendor.state.number.sms_url = '';
    await connectElsewhere({ messagingServiceSid: undefined, from: NUMBER, inboundWebhook: 'by_hand' });
    expect(vendor.state.number.sms_url).toBe('');
    const number = await connectElsewhere({ messagingServiceSid: undefined, from: NUMBER });
    expect(vendor.state.number.sms_url).toBe(number.webhookUrl);
    await connectElsewhere({ messagingServiceSid: undefined, from: NUMBER });
    expect(vendor.state.number.sms_url).toBe(number.webhookUrl);
  });

  test('twilio: an account in Ireland is asked in Ireland', async () => {
    const irish = await connectElsewhere({ region: 'ie1', inboundWebhook: 'by_hand' });
    expect(irish.settings.region).toBe('ie1');
  });
});

describe('reading', () => {
  test('twilio: messages belong to the person, whichever way they went', async () => {
    const who = await somebody();
    const [told] = await activities(who.phone);
    expect(told).toMatchObject({
      customer_id: who.id,
      kind: 'message',
      channel: 'sms',
      direction: 'in',
      automatic: false,
    });
    const wrote = await sms(who, 'Hello from us');
    vendor.state.advance(vendor.state.find(wrote.receipt.nativeId)!, 'sent');
    await hub.advance(6 * MINUTE);
    const found = (await activities(who.phone)).find(({ body }) => body === 'Hello from us');
    expect(found).toMatchObject({
      customer_id: who.id,
      direction: 'out',
      automatic: true,
      address: who.phone,
      status: 'sent',
    });
  });

  test('twilio: reads only the last hour again, and so sees states that came later', async () => {
    const who = await somebody();
    const { receipt } = await sms(who, 'A state follows');
    vendor.state.advance(vendor.state.find(receipt.nativeId)!, 'sent');
    await hub.advance(10 * MINUTE);
    const before = vendor.server.journal.length;
    vendor.state.advance(vendor.state.find(receipt.nativeId)!, 'delivered');
    await hub.advance(30 * MINUTE);
    const asked = vendor.server.journal.slice(before).filter(({ path: asked }) => asked.endsWith('/Messages.json'));
    const since = String(asked.at(-1)?.query['DateSent>']);
    expect(since).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(hub.clock.now().getTime() - Date.parse(since)).toBeGreaterThanOrEqual(HOUR);
    expect((await activities(who.phone)).find(({ body }) => body === 'A state follows')).toMatchObject({
      status: 'delivered',
    });
  });

  test('twilio: a broken page stops the run and loses nothing', async () => {
    const who = await somebody();
    for (const kind of ['malformed', 'truncated'] as const) {
      vendor.state.receive(who.phone, NUMBER, `After ${kind}`);
      vendor.server.faults.add({ kind, match: /^GET .*\/Messages\.json$/, times: 3 });
      await hub.advance(6 * MINUTE);
      await hub.advance(40 * MINUTE);
      expect((await activities(who.phone)).map(({ body }) => body)).toContain(`After ${kind}`);
    }
    expect(await stream()).toMatchObject({ error: null });
  });

  test('twilio: a next page elsewhere is refused, so that the key stays here', async () => {
    const rewrite = (body: unknown) => ({ ...(body as object), next_page_uri: '@evil.example/2010-04-01/Accounts/x' });
    vendor.server.faults.add({ kind: 'rewrite', rewrite, match: /^GET .*\/Messages\.json$/, times: 1 });
    await hub.advance(6 * MINUTE);
    expect((await stream()).error).toContain('not on its API');
    await hub.api('POST', `/v1/connections/${connection.id}/sync`, {});
    await hub.advance(40 * MINUTE);
    expect(await stream()).toMatchObject({ error: null });
  });

  test('twilio: a time in another form parks that message and takes the others', async () => {
    const who = await somebody();
    vendor.state.receive(who.phone, NUMBER, 'Odd');
    vendor.state.receive(who.phone, NUMBER, 'Even');
    const rewrite = (body: unknown) => {
      const page = structuredClone(body) as { messages: Record<string, unknown>[] };
      for (const message of page.messages) if (message.body === 'Odd') message.date_sent = { seconds: 5 };
      return page;
    };
    const stop = vendor.server.faults.add({ kind: 'rewrite', rewrite, match: /^GET .*\/Messages\.json$/ });
    await hub.advance(6 * MINUTE);
    stop();
    const { body } = await hub.api('GET', '/v1/parked');
    expect(JSON.stringify(body)).toContain('activity.occurred_at');
    expect((await activities(who.phone)).map((row) => row.body)).toContain('Even');
    await hub.advance(6 * MINUTE);
    expect((await activities(who.phone)).map((row) => row.body)).toContain('Odd');
  });
});

const hookOf = (
  url: string,
  parameters: Record<string, string>,
  token: string,
  more: Partial<RawHook> = {},
): RawHook => {
  const data = Object.keys(parameters)
    .sort()
    .map((name) => name + parameters[name])
    .join('');
  const signature = createHmac('sha1', token)
    .update(url + data)
    .digest('base64');
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature };
  return { method: 'POST', url, headers, body: Buffer.from(new URLSearchParams(parameters).toString()), ...more };
};
const verdict = (hook: RawHook, connectionSecrets: Record<string, string>) =>
  webhooks.verify(hook, { app: {}, connection: connectionSecrets }, new Date(AT));

describe('signatures', () => {
  const url = "https://hub.example/hooks/twilio/1?request=a%20b&name=O'Neil";
  const form = { MessageSid: 'SM1', Body: 'Grüße & more + signs', FromCity: '' };
  const good = { ok: true };
  const bad = { ok: false, reason: 'bad_signature' };

  test('twilio: signature vectors', () => {
    const hook = hookOf('https://mycompany.com/myapp.php?foo=1&bar=2', {}, '12345', {
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-twilio-signature': 'RSOYDt4T1cUTdK1PDd93/VVr8B8=',
      },
      body: Buffer.from(
        'CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309',
      ),
    });
    expect(verdict(hook, { authToken: '12345' })).toEqual(good);
    expect(verdict(hook, { authToken: '12346' })).toEqual(bad);
  });

  test('twilio: any of the four forms of the address is taken, and no other', () => {
    const withPort = url.replace('hub.example', 'hub.example:443');
    const legacy = (text: string) => text.replace('a%20b', 'a+b').replace("O'Neil", 'O%27Neil');
    for (const signed of [url, withPort, legacy(url), legacy(withPort)]) {
      expect(verdict({ ...hookOf(signed, form, 't'), url }, { authToken: 't' })).toEqual(good);
    }
    for (const signed of [
      url.replace('https', 'http'),
      url.replace('/1?', '/2?'),
      url.replace('a%20b', 'c'),
      withPort.replace('443', '8443'),
    ]) {
      expect(verdict({ ...hookOf(signed, form, 't'), url }, { authToken: 't' })).toEqual(bad);
    }
    const own = 'http://user:pass@hub.example:8080/hooks/twilio/1';
    expect(verdict(hookOf(own, form, 't'), { authToken: 't' })).toEqual(good);
    expect(verdict({ ...hookOf(own.replace(':8080', ''), form, 't'), url: own }, { authToken: 't' })).toEqual(good);
  });

  test('twilio: every parameter is covered, empty and repeated ones too', () => {
    const dropped = hookOf(url, form, 't', {
      body: Buffer.from('MessageSid=SM1&Body=Gr%C3%BC%C3%9Fe+%26+more+%2B+signs'),
    });
    expect(verdict(dropped, { authToken: 't' })).toEqual(bad);
    const signature = createHmac('sha1', 't').update(`${url}AxAyB1`).digest('base64');
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature };
    expect(verdict({ method: 'POST', url, headers, body: Buffer.from('B=1&A=y&A=x&A=y') }, { authToken: 't' })).toEqual(
      good,
    );
    const asText = { ...hookOf(url, form, 't').headers, 'content-type': 'text/plain' };
    expect(
      verdict(hookOf(url, {}, 't', { headers: asText, body: Buffer.from('MessageSid=SM9') }), { authToken: 't' }),
    ).toEqual(bad);
  });

  test('twilio: JSON is covered by its hash', () => {
    const body = Buffer.from('{"a":1}');
    const hashed = `${url}&bodySHA256=${createHash('sha256').update(body).digest('hex')}`;
    const json = {
      'content-type': 'application/json',
      'x-twilio-signature': hookOf(hashed, {}, 't').headers['x-twilio-signature']!,
    };
    expect(verdict({ method: 'POST', url: hashed, headers: json, body }, { authToken: 't' })).toEqual(good);
    expect(
      verdict({ method: 'POST', url: hashed, headers: json, body: Buffer.from('{"a":2}') }, { authToken: 't' }),
    ).toEqual(bad);
    const plain = hookOf(url, {}, 't', {
      headers: { ...json, ...hookOf(url, {}, 't').headers, 'content-type': 'application/json' },
      body,
    });
    expect(verdict(plain, { authToken: 't' })).toEqual(bad);
  });

  test('twilio: both tokens count while one replaces the other, an API key never', () => {
    expect(verdict(hookOf(url, form, 'new'), { authToken: 'old', authTokenSecondary: 'new' })).toEqual(good);
    expect(verdict(hookOf(url, form, 'key'), { authToken: 'old', keySecret: 'key' })).toEqual(bad);
    expect(verdict(hookOf(url, form, ''), { authToken: '', authTokenSecondary: '' })).toMatchObject({ ok: false });
  });
});

describe('replies', () => {
  test('twilio: a reply is answered with empty TwiML, fetched and stored once', async () => {
    const who = await somebody();
    const answer = await vendor.reply(who.phone, 'Can you come at 10?');
    expect(answer).toMatchObject({ status: 200, body: '<Response/>' });
    await hub.settle();
    const { sid } = vendor.state.messages.find(({ body }) => body === 'Can you come at 10?')!;
    const posted = { MessageSid: sid, SmsStatus: 'received', From: who.phone, To: NUMBER, Body: 'Can you come at 10?' };
    await vendor.post(connection.webhookUrl, posted);
    await hub.settle();
    await hub.advance(6 * MINUTE);
    const found = (await activities(who.phone)).filter(({ body }) => body === 'Can you come at 10?');
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ customer_id: who.id, direction: 'in', automatic: false });
    expect(vendor.server.journal.filter(({ path: asked }) => asked.endsWith(`${sid}.json`))).toHaveLength(1);
  });

  test('twilio: a reply that cannot be fetched yet comes with the next read', async () => {
    const who = await somebody();
    const body = { code: 20_404, status: 404, message: 'not found' };
    vendor.server.faults.add({ kind: 'status', status: 404, body, match: /^GET .*\/Messages\/\w+\.json$/, times: 1 });
    await vendor.reply(who.phone, 'Seen later');
    await hub.settle();
    expect((await activities(who.phone)).map((row) => row.body)).not.toContain('Seen later');
    await hub.advance(6 * MINUTE);
    expect((await activities(who.phone)).map((row) => row.body)).toContain('Seen later');
  });

  test('twilio: STOP closes the number before anything else goes out, START opens it', async () => {
    const who = await somebody();
    await vendor.reply(who.phone, ' stop ');
    await hub.settle();
    const closed = await sms(who);
    expect(closed).toMatchObject({ state: 'skipped', reason: 'suppressed' });
    expect(sentTo(who.phone)).toHaveLength(0);
    const { body } = await hub.api('GET', `/v1/customers/${who.id}/consent`);
    expect(body.present).toEqual([expect.objectContaining({ channel: 'sms', state: 'denied' })]);
    await vendor.reply(who.phone, 'START');
    await hub.settle();
    expect(await sms(who)).toMatchObject({ state: 'sent' });
  });

  test('twilio: WhatsApp leaves STOP to us; a choice on one channel is none on the other', async () => {
    const who = await somebody();
    await vendor.reply(`whatsapp:${who.phone}`, 'Unsubscribe');
    await hub.settle();
    expect(await plan('send_whatsapp', who, { to: who.phone, text: 'Hi' })).toMatchObject({
      state: 'skipped',
      reason: 'suppressed',
    });
    expect(await sms(who)).toMatchObject({ state: 'sent' });
  });

  test("twilio: Twilio's own understanding comes first, and YES is only an answer", async () => {
    const read = (more: Record<string, string>) =>
      webhooks
        .events(
          hookOf(
            'https://hub.example/',
            { MessageSid: 'SM1', From: '+14155550000', SmsStatus: 'received', ...more },
            't',
          ),
          undefined,
        )
        .map(({ type }) => type);
    expect(read({ Body: 'arret', OptOutType: 'STOP' })).toEqual(['opt_out', 'record']);
    expect(read({ Body: 'stop', OptOutType: 'HELP' })).toEqual(['record']);
    expect(read({ Body: 'YES' })).toEqual(['record']);
    expect(read({ Body: 'yes', OptOutType: 'START' })).toEqual(['opt_in', 'record']);
    expect(read({ Body: 'Please stop calling' })).toEqual(['record']);
    const byGet = {
      method: 'GET',
      url: 'https://hub.example/?MessageSid=SM2&Body=Stop&From=%2B14155550000',
      headers: {},
      body: Buffer.alloc(0),
    };
    expect(webhooks.events(byGet, undefined)[0]).toMatchObject({
      type: 'opt_out',
      channel: 'sms',
      address: '+14155550000',
    });
    expect(() => webhooks.events(hookOf('https://hub.example/', { CallSid: 'CA1' }, 't'), undefined)).toThrow(
      'not about a message',
    );
  });
});

describe('sending', () => {
  test('twilio: a text message goes through the Messaging Service and names itself for the callback', async () => {
    const who = await somebody();
    const done = await sms(who);
    expect(done).toMatchObject({ state: 'sent', receipt: { state: 'accepted' } });
    const { body } = vendor.server.journal.findLast(
      ({ method, path: asked }) => method === 'POST' && asked.endsWith('/Messages.json'),
    )!;
    expect(body).toEqual({
      To: who.phone,
      MessagingServiceSid: vendor.state.service.sid,
      Body: 'Your visit is tomorrow.',
      StatusCallback: `${connection.webhookUrl}?request=${done.id}`,
    });
  });

  test('twilio: a preview shows what would be sent and sends nothing', async () => {
    const who = await somebody();
    const before = vendor.state.messages.length;
    const input = { to: who.phone, text: 'Preview' };
    const { body } = await hub.api('POST', '/v1/actions', {
      kind: 'send_sms',
      customerId: who.id,
      class: 'transactional',
      input,
      preview: true,
    });
    expect(body.request).toMatchObject({ method: 'POST', body: { To: who.phone, Body: 'Preview' } });
    expect(JSON.stringify(body)).not.toContain(vendor.credentials.keySecret);
    expect(vendor.state.messages).toHaveLength(before);
  });

  test('twilio: delivery is followed, and a state that comes twice counts once', async () => {
    const who = await somebody();
    const { id, receipt } = await sms(who);
    await deliver(receipt.nativeId);
    expect((await action(id)).receipt.state).toBe('delivered');
    const answer = await vendor.announce(receipt.nativeId, 'delivered');
    expect(answer).toMatchObject({ status: 204, body: '' });
    const keys = await rows<{ event_key: string }>(
      "select event_key from hint where tenant_id = $1 and stream = '(receipt)' and event_key like $2",
      [`${receipt.nativeId}%`],
    );
    expect(keys.map((row) => row.event_key).sort()).toEqual([
      `${receipt.nativeId}|delivered`,
      `${receipt.nativeId}|sent`,
    ]);
  });

  test('twilio: the order of states is stated, so that a late one can be told from a new one', () => {
    for (const { follows = [] } of actions) {
      const rank = (state: string) => follows.indexOf(state);
      for (const [earlier, later] of [
        ['accepted', 'queued'],
        ['queued', 'sending'],
        ['sending', 'sent'],
        ['sent', 'delivered'],
        ['delivered', 'read'],
        ['sent', 'failed'],
      ] as const) {
        expect(rank(later)).toBeGreaterThan(rank(earlier));
      }
      expect(follows.slice(-3)).toEqual(['undelivered', 'failed', 'canceled']);
    }
  });

  test('twilio: a landline is closed, a filtered message is only told', async () => {
    const landline = await somebody();
    const first = await sms(landline);
    await vendor.fail(first.receipt.nativeId, 30_006);
    await hub.settle();
    expect(await action(first.id)).toMatchObject({
      receipt: { state: 'undelivered' },
      detail: expect.stringContaining('landline'),
    });
    // A state that comes late does not open it again.
    await vendor.announce(first.receipt.nativeId, 'sent');
    await hub.settle();
    expect(await sms(landline)).toMatchObject({ state: 'skipped', reason: 'suppressed' });
    const filtered = await somebody();
    const second = await sms(filtered);
    await vendor.fail(second.receipt.nativeId, 30_007);
    await hub.settle();
    expect(await action(second.id)).toMatchObject({ detail: expect.stringContaining('(30007)') });
    expect(await sms(filtered)).toMatchObject({ state: 'sent' });
  });

  test('twilio: a failure tells what it means for the address', () => {
    const outcome = (MessageStatus: string, ErrorCode?: string) =>
      webhooks.events(
        hookOf('https://hub.example/', { MessageSid: 'SM1', MessageStatus, ...(ErrorCode ? { ErrorCode } : {}) }, 't'),
        undefined,
      )[0];
    for (const code of ['30005', '30006', '21211', '21614', '63003', '63024'])
      expect(outcome('undelivered', code)).toMatchObject({ outcome: 'invalid_recipient' });
    expect(outcome('failed', '21610')).toMatchObject({ outcome: 'opted_out' });
    for (const code of ['30003', '30004', '30007', '30008', '63016', '99999'])
      expect(outcome('failed', code)).toMatchObject({ outcome: 'failed', detail: expect.stringContaining(code) });
    expect(outcome('undelivered')).toMatchObject({ outcome: 'failed', detail: 'Twilio gives no reason.' });
    expect(outcome('read')).toMatchObject({ outcome: 'delivered', state: 'read' });
    for (const state of ['queued', 'sent', 'canceled']) expect(outcome(state)).not.toHaveProperty('outcome');
  });

  test('twilio: who sent STOP elsewhere is closed here when Twilio says so', async () => {
    const who = await somebody();
    vendor.state.optedOut.add(who.phone);
    const before = (await suppressions('recipient_opted_out')).length;
    expect(await sms(who)).toMatchObject({ state: 'failed', reason: 'recipient_opted_out' });
    expect(await suppressions('recipient_opted_out')).toHaveLength(before + 1);
    expect(await sms(who)).toMatchObject({ state: 'skipped', reason: 'suppressed' });
  });

  test('twilio: a number that is none is closed', async () => {
    const who = await somebody();
    const body = { code: 21_614, status: 400, message: 'not a mobile number' };
    vendor.server.faults.add({ kind: 'status', status: 400, body, match: /^POST .*\/Messages\.json$/, times: 1 });
    expect(await sms(who)).toMatchObject({ state: 'failed', reason: 'recipient_invalid' });
  });

  test('twilio: a lost answer makes one message', async () => {
    const who = await somebody();
    vendor.server.faults.add({ kind: 'cut_after', match: /^POST .*\/Messages\.json$/, times: 1 });
    const lost = await sms(who, 'Only once');
    expect(lost.state).toBe('unknown');
    // It still waits in Twilio's queue, so it has no time of sending: it is found nevertheless.
    expect(sentTo(who.phone)[0]?.date_sent).toBeNull();
    await hub.advance(2 * MINUTE);
    const found = await action(lost.id);
    expect(found).toMatchObject({ state: 'sent', receipt: { nativeId: sentTo(who.phone)[0]?.sid } });
    expect(sentTo(who.phone)).toHaveLength(1);
  });

  test('twilio: what never arrived goes out after a look, once', async () => {
    const who = await somebody();
    vendor.server.faults.add({ kind: 'cut', match: /^POST .*\/Messages\.json$/, times: 1 });
    const lost = await sms(who, 'Cut before');
    expect(lost.state).toBe('unknown');
    for (let minute = 0; minute < 4; minute++) await hub.advance(MINUTE);
    expect(await action(lost.id)).toMatchObject({ state: 'sent' });
    expect(sentTo(who.phone)).toHaveLength(1);
  });

  test('twilio: a server error and an answer without an id are looked up first', async () => {
    const who = await somebody();
    for (const fault of [
      { kind: 'status', status: 503, body: { code: 20_500 } },
      { kind: 'rewrite', rewrite: () => ({ status: 'queued' }) },
    ] as const) {
      vendor.server.faults.add({ ...fault, match: /^POST .*\/Messages\.json$/, times: 1 });
      const text = `After ${fault.kind}`;
      const lost = await sms(who, text);
      expect(lost.state).toBe('unknown');
      for (let minute = 0; minute < 4; minute++) await hub.advance(MINUTE);
      expect(await action(lost.id)).toMatchObject({ state: 'sent' });
      expect(sentTo(who.phone).filter(({ body }) => body === text)).toHaveLength(1);
    }
  });

  test('twilio: an earlier message with the same words is not taken for a lost one', async () => {
    const who = await somebody();
    await sms(who, 'Same words');
    await hub.advance(5 * MINUTE);
    vendor.server.faults.add({ kind: 'cut', match: /^POST .*\/Messages\.json$/, times: 1 });
    const lost = await sms(who, 'Same words');
    for (let minute = 0; minute < 4; minute++) await hub.advance(MINUTE);
    expect(await action(lost.id)).toMatchObject({ state: 'sent' });
    expect(sentTo(who.phone)).toHaveLength(2);
  });

  test('twilio: a limit was never acted on and is tried again, with a date and without', async () => {
    const who = await somebody();
    for (const headers of [{}, { 'retry-after': '20' }]) {
      vendor.server.faults.add({
        kind: 'status',
        status: 429,
        body: { code: 20_429 },
        headers,
        match: /^POST .*\/Messages\.json$/,
        times: 1,
      });
      const text = `Limited ${Object.keys(headers).length}`;
      const first = await sms(who, text);
      await hub.advance(2 * MINUTE);
      expect(await action(first.id)).toMatchObject({ state: 'sent' });
      expect(sentTo(who.phone).filter(({ body }) => body === text)).toHaveLength(1);
    }
  });

  test('twilio: a service without numbers pauses the connection, and nothing is lost', async () => {
    const who = await somebody();
    vendor.state.service.numbers = 0;
    const waiting = await sms(who, 'Waits for a number');
    expect(waiting).toMatchObject({ state: 'planned', reason: 'connection_unusable' });
    const { body } = await hub.api('GET', `/v1/connections/${connection.id}`);
    expect(body).toMatchObject({ state: 'paused', health: { sentence: expect.stringContaining('has no sender') } });
    vendor.state.service.numbers = 1;
    await hub.api('POST', `/v1/connections/${connection.id}/test`, {});
    await hub.advance(25 * MINUTE);
    expect(await action(waiting.id)).toMatchObject({ state: 'sent' });
  });

  test('twilio: a key taken back asks for a new one, and the message waits', async () => {
    const who = await somebody();
    vendor.server.faults.add({ kind: 'status', status: 401, body: { code: 20_003, message: 'Authenticate' } });
    const waiting = await sms(who, 'Waits for a key');
    expect(waiting.state).toBe('planned');
    expect((await hub.api('GET', `/v1/connections/${connection.id}`)).body.state).toBe('needs_reauthorisation');
    vendor.server.faults.clear();
    expect((await connect()).body.connection.id).toBe(connection.id);
    await hub.advance(25 * MINUTE);
    expect(await action(waiting.id)).toMatchObject({ state: 'sent' });
  });
});

describe('WhatsApp', () => {
  test('twilio: an approved template reaches people who did not write', async () => {
    const who = await somebody();
    const template = `HX${'ab'.repeat(16)}`;
    vendor.state.templates.set(template, 'Hello {{1}}, your invoice {{2}} is open.');
    const done = await plan('send_whatsapp', who, { to: who.phone, template, variables: { 1: 'Ann', 2: 'R-7' } });
    const message = vendor.state.find(done.receipt.nativeId)!;
    expect(message).toMatchObject({
      to: `whatsapp:${who.phone}`,
      from: `whatsapp:${vendor.state.senders[1]}`,
      body: 'Hello Ann, your invoice R-7 is open.',
    });
    await deliver(message.sid);
    await vendor.read(message.sid);
    await hub.settle();
    expect((await action(done.id)).receipt.state).toBe('read');
    await hub.advance(6 * MINUTE);
    expect((await activities(who.phone)).find((row) => row.channel === 'whatsapp')).toMatchObject({
      customer_id: who.id,
      direction: 'out',
    });
  });

  test('twilio: a lost answer about a template makes one message', async () => {
    const who = await somebody();
    const template = `HX${'ab'.repeat(16)}`;
    vendor.server.faults.add({ kind: 'cut_after', match: /^POST .*\/Messages\.json$/, times: 1 });
    const lost = await plan('send_whatsapp', who, { to: who.phone, template, variables: { 1: 'Ann', 2: 'R-8' } });
    expect(lost.state).toBe('unknown');
    for (let minute = 0; minute < 4; minute++) await hub.advance(MINUTE);
    expect(await action(lost.id)).toMatchObject({ state: 'sent' });
    expect(sentTo(`whatsapp:${who.phone}`)).toHaveLength(1);
  });

  test('twilio: free text outside 24 hours is not sent, inside it is delivered', async () => {
    const who = await somebody();
    expect(await plan('send_whatsapp', who, { to: who.phone, text: 'Hello?' })).toMatchObject({
      state: 'skipped',
      reason: 'outside_session',
      detail: expect.stringContaining('approved template'),
    });
    await vendor.reply(`whatsapp:${who.phone}`, 'Hi there');
    await hub.settle();
    const open = await plan('send_whatsapp', who, { to: who.phone, text: 'Hello!' });
    await deliver(open.receipt.nativeId);
    expect((await action(open.id)).receipt.state).toBe('delivered');
    expect((await activities(who.phone)).map((row) => row.body)).toContain('Hi there');
  });

  test('twilio: neither text nor template, or the name of one, is refused before it is sent', async () => {
    const who = await somebody();
    await vendor.reply(`whatsapp:${who.phone}`, 'Hi there');
    await hub.settle();
    const before = vendor.state.messages.length;
    expect(await plan('send_whatsapp', who, { to: who.phone })).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('needs a text or a template'),
    });
    expect(await plan('send_whatsapp', who, { to: who.phone, template: 'reminder' })).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('HX'),
    });
    expect(vendor.state.messages).toHaveLength(before);
  });
});

test('twilio: no secret is in any line of the log', () => {
  const log = hub.lines.join('\n');
  expect(log.length).toBeGreaterThan(0);
  const basic = Buffer.from(`${vendor.credentials.keySid}:${vendor.credentials.keySecret}`).toString('base64');
  for (const secret of [vendor.credentials.authToken, vendor.credentials.keySecret, basic])
    expect(log).not.toContain(secret);
});

await vendorTruth('twilio', () => vendor.server);
