import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HubSpotSandbox, start as startHubSpot } from '../connectors/hubspot/sandbox.ts';
import { start as startTwilio, type TwilioSandbox } from '../connectors/twilio/sandbox.ts';
import { manualClock } from '../src/base/clock.ts';
import { redact, redactText } from '../src/base/log.ts';
import { captureLog, freePort, HOUR, MINUTE, startTestHub, type TestHub } from './support/hub.ts';
import { until } from './support/processes.ts';

// Day everywhere in the country of the numbers, so that messages go out at once.
const AT = '2026-03-02T20:00:00Z';
const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-client-secret-42' };
const PASSWORD = 'correct horse battery staple';
const NUMBER = '+15005550006';
const SENT = 'Your visit about the broken pane is tomorrow';
const RECEIVED = 'Please call my doctor instead';

let hub: TestHub;
let crm: HubSpotSandbox;
let sms: TwilioSandbox;
/** Every value that must not be found in a log, with the word for it. */
const secrets = new Map<string, string>();

beforeAll(async () => {
  const port = await freePort();
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  crm = await startHubSpot({ clock, app: APP, limits: false, hookUrl: `http://127.0.0.1:${port}/hooks/hubspot` });
  sms = await startTwilio({ clock, app: {} });
  hub = await startTestHub({
    at: AT,
    port,
    connectors: ['hubspot', 'twilio'],
    env: {
      ...APP,
      HUBSPOT_HOST_API: crm.hosts.api!,
      HUBSPOT_HOST_APP: crm.hosts.app!,
      TWILIO_HOST_API: sms.hosts.api!,
      TWILIO_HOST_API_IE1: sms.hosts.api_ie1!,
      TWILIO_HOST_MESSAGING: sms.hosts.messaging!,
    },
  });
});

afterAll(async () => {
  await hub?.stop();
  await crm?.stop();
  await sms?.stop();
});

/** People log in, rightly and wrongly, with cookies and with keys. */
async function logIns(): Promise<void> {
  const post = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(`${hub.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  const owner = { business: 'B', name: 'Olga Owner', email: 'olga.owner@example.com', password: PASSWORD };
  expect((await post('/v1/setup', owner)).status).toBe(201);
  expect((await post('/v1/sessions', { email: owner.email, password: 'wrong password 1' })).status).toBe(401);
  const session = await post('/v1/sessions', { email: owner.email, password: PASSWORD });
  const { token } = (await session.json()) as { token: string };
  const cookie = session.headers.get('set-cookie')!.split(';')[0]!;
  expect((await fetch(`${hub.url}/v1/me`, { headers: { cookie } })).status).toBe(200);
  const key = (await hub.api('POST', '/v1/api-keys', { name: 'k', role: 'viewer' })).body.key as string;
  await fetch(`${hub.url}/v1/me`, { headers: { authorization: `Bearer ${key}` } });
  // What people put where it does not belong.
  await fetch(`${hub.url}/v1/customers?search=${encodeURIComponent('ann7@example.com')}&token=${key}`);
  await fetch(`${hub.url}/u/${token}`);
  await fetch(`${hub.url}/nothing/${encodeURIComponent('ann7@example.com')}?password=${encodeURIComponent(PASSWORD)}`);
  for (const [value, what] of [
    [PASSWORD, 'password'],
    ['wrong password 1', 'a wrong password'],
    [token, 'session'],
    [cookie.split('=')[1]!, 'cookie'],
    [key, 'API key'],
    [owner.email, 'mail address of the owner'],
  ])
    secrets.set(value!, what!);
}

/** What a vendor says about a request, repeating it. */
const told = `The number +14155551003 of ann3@example.com is not valid, Bearer ${'x'.repeat(30)}`;

const owner = async (sql: string): Promise<void> => {
  const client = new pg.Client({ connectionString: hub.hub.db.ownerUrl });
  await client.connect();
  await client.query(sql);
  await client.end();
};

/** Platforms are connected, read, written to and heard, and fail in many ways. */
async function business(): Promise<void> {
  for (let n = 0; n < 20; n++)
    crm.state.create('contacts', {
      firstname: 'Ann',
      lastname: `Miller ${n}`,
      email: `ann${n}@example.com`,
      mobilephone: `+1415555${1000 + n}`,
    });
  crm.server.faults.add({
    kind: 'status',
    status: 400,
    body: { message: told },
    match: /^POST .*properties/,
    times: 1,
  });
  await hub.connect('hubspot');
  const settings = { ...sms.credentials, messagingServiceSid: sms.state.service.sid };
  expect((await hub.api('POST', '/v1/connections', { connector: 'twilio', settings })).status).toBe(200);
  await hub.api('POST', '/v1/connections', {
    connector: 'twilio',
    settings: { ...settings, keySecret: 'wrong-secret-9' },
  });
  await hub.settle();
  const [customer] = (await hub.api('GET', '/v1/customers?search=ann3%40example.com')).body.items;

  const faults = [
    undefined,
    { kind: 'status', status: 400, body: { code: 21_211, message: told, status: 400 } },
    { kind: 'status', status: 500, body: { message: told } },
    { kind: 'cut_after' },
    { kind: 'malformed' },
  ] as const;
  for (const fault of faults) {
    if (fault) sms.server.faults.add({ ...fault, match: /^POST .*Messages\.json$/, times: 1 });
    const body = { kind: 'send_sms', customerId: customer.id, class: 'transactional' };
    await hub.api('POST', '/v1/actions', { ...body, input: { to: customer.phone, text: SENT } });
    await hub.settle();
  }
  // Reading fails, the token ends, hooks come well and badly signed.
  crm.server.faults.add({ kind: 'status', status: 500, body: { message: told }, match: /contacts/, times: 4 });
  await hub.advance(HOUR);
  crm.oauth.expireAll();
  await hub.advance(10 * MINUTE);
  await crm.change('contacts', crm.state.all('contacts')[3]!.id, { firstname: 'Hooked', email: 'hooked@example.com' });
  sms.state.receive('+14155551003', NUMBER, RECEIVED);
  await hub.advance(10 * MINUTE);
  // The database refuses one, and repeats the whole row with its refusal.
  await owner("alter table contact_projection add constraint poison check (last_name <> 'Poison') not valid");
  const refused = { lastname: 'Poison', email: 'poison@example.com', mobilephone: '(415) 555-0199' };
  await crm.change('contacts', crm.state.all('contacts')[5]!.id, refused);
  await until('the job fails', () => hub.lines.some((line) => line.includes('a job failed')));
  await owner('alter table contact_projection drop constraint poison');
  await fetch(`${hub.url}/hooks/hubspot?email=ann3@example.com`, { method: 'POST', body: JSON.stringify([{ told }]) });
  await hub.advance(HOUR);

  for (const { headers, body, reply } of [...crm.server.journal, ...sms.server.journal]) {
    const sent = (headers.authorization ?? '').replace(/^\w+ /, '');
    if (sent) secrets.set(sent, 'credential of a platform');
    for (const part of [body, reply])
      for (const name of ['access_token', 'refresh_token', 'code', 'code_verifier', 'client_secret'])
        if (typeof (part as Record<string, unknown> | null)?.[name] === 'string')
          secrets.set((part as Record<string, string>)[name]!, name);
  }
  for (const [value, what] of [
    [sms.credentials.authToken, 'auth token'],
    [sms.credentials.keySecret, 'key secret'],
    ['wrong-secret-9', 'a wrong key'],
    [SENT, 'what was written to a customer'],
    [RECEIVED, 'what a customer wrote'],
    ['hooked@example.com', 'mail address'],
    ['poison@example.com', 'mail address'],
    ['555-0199', 'phone number'],
    ['Poison', 'name'],
    ['x'.repeat(30), 'a token in a sentence of the vendor'],
  ])
    secrets.set(value!, what!);
  for (let n = 0; n < 20; n++) {
    secrets.set(`ann${n}@example.com`, 'mail address');
    secrets.set(`1415555${1000 + n}`, 'phone number');
  }
}

test('redaction: a busy hub tells no secret, no address and no message in any line of its log', async () => {
  await logIns();
  await business();
  expect(sms.state.messages.some((message) => message.body === SENT)).toBe(true);
  // The log was worth looking at: every kind of line, and failures among them.
  const said = hub.lines.join('');
  expect(hub.lines.length).toBeGreaterThan(20);
  for (const level of ['debug', 'warn', 'error']) expect(said).toContain(`"level":"${level}"`);
  expect([...new Set(secrets.values())].sort()).toEqual(
    expect.arrayContaining([
      'API key',
      'credential of a platform',
      'client_secret',
      'cookie',
      'mail address',
      'refresh_token',
    ]),
  );
  for (const [value, what] of secrets) {
    const variants = [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)];
    const line = hub.lines.find((text) => variants.some((variant) => text.includes(variant)));
    expect(line, `${what} (${value}) stands in the log`).toBeUndefined();
  }
});

test('redaction: what fails with a secret in its message is logged without it', () => {
  const { log, lines } = captureLog();
  const cause = Object.assign(new Error('for ann@example.com at +14155551000'), {
    detail: 'Failing row contains (Pat Poison, (415) 555-0199)',
  });
  log.error({ err: cause, job: { to: ['ann@example.com'] } }, 'sending to ann@example.com failed');
  log.error(new Error('postgres://rapport:hunter2@10.0.0.1/x refused Bearer abc.def rpk_live_1'));
  log.warn({ url: 'https://h.example/?code=abc&state=def&access_token=ghi&x=1' }, 'seen %s', 'rpk_live_2');
  log.info({ deep: { accessToken: 'aaa', nested: { cookie: 'bbb', password: 'ccc', list: [{ apiKey: 'ddd' }] } } });
  log.info({ body: Buffer.from('ann@example.com'), authorization: 'Basic dXNlcjpwYXNz' });
  const said = lines.join('');
  for (const secret of [
    'ann@',
    '1415555',
    'hunter2',
    'Poison',
    'abc',
    'def',
    'ghi',
    'rpk_live',
    'aaa',
    'bbb',
    'ccc',
    'ddd',
    'dXNl',
  ])
    expect(said, secret).not.toContain(secret);
  expect(said).toContain('x=1');
  expect(said).toContain('10.0.0.1');
});

test('redaction: what is no secret stays readable', () => {
  const text = 'job 01a20131-f0d1-7282-ba74-70116e7b2c9e of @fastify/otel took +15 ms at 2026-03-02T15:00:00+01:00';
  expect(redactText(text)).toBe(text);
  expect(redact({ count: 3, at: new Date(AT), none: null, state: 'sent' })).toEqual({
    count: 3,
    at: new Date(AT),
    none: null,
    state: 'sent',
  });
});
