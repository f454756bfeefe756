import { createHmac, generateKeyPairSync, sign as signWithKey } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ReceivedPost, start, type WebhookSandbox } from '../../connectors/webhook/sandbox.ts';
import { readKey, signatureHeader, signatureOf, verifyPost } from '../../connectors/webhook/signatures.ts';
import { webhookTransport } from '../../connectors/webhook/transport.ts';
import { manualClock } from '../../src/base/clock.ts';
import type { PreparedRequest, RawHook, Secrets } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { freePort, HOUR, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('webhook');

const AT = '2026-03-02T15:00:00Z';
const TOKEN = 'a-token-of-more-than-24-signs';

let other: WebhookSandbox;
let hub: TestHub;
let connection: Record<string, any>;

const connect = async (settings: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  hub.api('POST', '/v1/connections', { connector: 'webhook', settings, ...more });

beforeAll(async () => {
  // The simulation reads the hub's clock, so that both live in the same moment.
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  other = await start({ clock, app: {} });
  hub = await startTestHub({ at: AT, port: await freePort(), connectors: ['webhook'] });
  const made = await connect({
    name: 'Home-grown',
    secret: other.secret,
    bearerToken: TOKEN,
    target: `${other.hosts.target}/in/42?from=hub`,
  });
  connection = made.body.connection;
  other.hookUrl = connection.webhookUrl;
});

afterAll(async () => {
  await hub?.stop();
  await other?.stop();
});

beforeEach(() => other?.server.faults.clear());

const search = async (text: string): Promise<Record<string, any>[]> =>
  (await hub.api('GET', `/v1/customers?search=${encodeURIComponent(text)}`)).body.items;
const documents = async (customer: string): Promise<Record<string, Record<string, any>[]>> =>
  (await hub.api('GET', `/v1/customers/${(await search(customer))[0]!.id}/documents`)).body;
const parked = async (): Promise<Record<string, any>[]> => (await hub.api('GET', '/v1/parked?kind=record')).body.items;
/** Time of an event, counted from the start of the tests. */
const at = (minutes: number): string => new Date(Date.parse(AT) + minutes * MINUTE).toISOString();
const push = async (type: string, data: unknown, options?: Parameters<WebhookSandbox['send']>[2]) => {
  const delivery = await other.send(type, data, options);
  await hub.settle();
  return delivery;
};

describe('signatures', () => {
  // Published with the specification's own libraries.
  const ID = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
  const TIME = '1614265330';
  const BODY = '{"test": 2432232314}';
  const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const SIGNATURE = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
  const SEED = 'VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=';
  const ASYMMETRIC = 'v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==';
  const NOW = new Date(Number(TIME) * 1000);

  const hook = (headers: Record<string, string>, body = BODY): RawHook => ({
    method: 'POST',
    url: 'https://hub.example/hooks/webhook/1',
    headers,
    body: Buffer.from(body),
  });
  const signed = (signature: string, more: Record<string, string> = {}) =>
    hook({ 'webhook-id': ID, 'webhook-timestamp': TIME, 'webhook-signature': signature, ...more });
  const verdict = (post: RawHook, secrets: Secrets = { secret: SECRET }, now = NOW) => verifyPost(post, secrets, now);

  test('webhook: the published vectors come out, shared and asymmetric', () => {
    const key = Buffer.from(SECRET.slice('whsec_'.length), 'base64');
    expect(`v1,${createHmac('sha256', key).update(`${ID}.${TIME}.${BODY}`).digest('base64')}`).toBe(SIGNATURE);
    expect(signatureOf(readKey(SECRET), ID, TIME, BODY)).toBe(SIGNATURE);
    expect(signatureOf(readKey(`whsk_${SEED}`), ID, TIME, BODY)).toBe(ASYMMETRIC);
    expect(verdict(signed(SIGNATURE))).toEqual({ ok: true });
  });

  test('webhook: the reference package takes our signatures, and we take its', () => {
    const secret = `whsec_${Buffer.alloc(64, 9).toString('base64')}`;
    const now = new Date();
    const time = String(Math.floor(now.getTime() / 1000));
    const ours = signatureHeader({ secret: SECRET, secondarySecret: secret }, 'msg_1', time, BODY);
    const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': time, 'webhook-signature': ours };
    for (const either of [SECRET, secret])
      expect(new Webhook(either).verify(BODY, headers)).toEqual({ test: 2432232314 });
    expect(() => new Webhook(SECRET).verify(`${BODY} `, headers)).toThrow();
    const theirs = new Webhook(secret).sign('msg_1', now, BODY);
    expect(verifyPost(hook({ ...headers, 'webhook-signature': theirs }), { secret }, now)).toEqual({ ok: true });
  });

  test('webhook: a public key checks what its private key signed, and nothing else', () => {
    const pair = generateKeyPairSync('ed25519');
    const secret = `whpk_${pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64')}`;
    const signature = `v1a,${signWithKey(null, Buffer.from(`${ID}.${TIME}.${BODY}`), pair.privateKey).toString('base64')}`;
    expect(verdict(signed(signature), { secret })).toEqual({ ok: true });
    expect(verdict(signed(ASYMMETRIC), { secret })).toMatchObject({ reason: 'bad_signature' });
    // The public key is no shared secret: signing with its text must not pass.
    const forged = createHmac('sha256', Buffer.from(secret.slice(5), 'base64'))
      .update(`${ID}.${TIME}.${BODY}`)
      .digest('base64');
    expect(verdict(signed(`v1,${forged}`), { secret })).toMatchObject({ reason: 'bad_signature' });
    expect(signatureHeader({ secret }, ID, TIME, BODY)).toBe('');
    // 64 bytes of private key are the seed and the public key behind it.
    const long = `whsk_${Buffer.concat([Buffer.from(SEED, 'base64'), Buffer.alloc(32)]).toString('base64')}`;
    expect(signatureOf(readKey(long), ID, TIME, BODY)).toBe(ASYMMETRIC);
  });

  test('webhook: any matching entry of the list is enough, unknown versions and empty ones never match', () => {
    expect(verdict(signed(`v2,AAAA v1,AAAA ${SIGNATURE}`))).toEqual({ ok: true });
    for (const bad of [
      '',
      'v1',
      'v1,',
      'v1a,',
      SIGNATURE.slice(0, -4),
      SIGNATURE.replace('v1,', 'v9,'),
      `v1a,${SIGNATURE.slice(3)}`,
      SIGNATURE.slice(3),
    ]) {
      expect(verdict(signed(bad)), bad).toMatchObject({ ok: false, reason: 'bad_signature' });
    }
  });

  test('webhook: five minutes in both directions, then it is stale', () => {
    for (const seconds of [300, -300])
      expect(verdict(signed(SIGNATURE), { secret: SECRET }, new Date(NOW.getTime() + seconds * 1000))).toEqual({
        ok: true,
      });
    for (const seconds of [301, -301])
      expect(verdict(signed(SIGNATURE), { secret: SECRET }, new Date(NOW.getTime() + seconds * 1000))).toMatchObject({
        reason: 'stale',
      });
  });

  test('webhook: missing headers, odd times and ids with dots are refused', () => {
    expect(verdict(hook({ 'webhook-signature': SIGNATURE }))).toMatchObject({ reason: 'missing_signature' });
    expect(verdict(hook({}))).toMatchObject({ reason: 'missing_signature' });
    for (const time of ['', '16142653.30', '1614265330 ', '0x10', 'now'])
      expect(verdict(signed(SIGNATURE, { 'webhook-timestamp': time })).ok).toBe(false);
    expect(verdict(signed(SIGNATURE, { 'webhook-id': 'a.b' }))).toMatchObject({ status: 400 });
  });

  test('webhook: posts signed the Svix way pass, with its names of the headers', () => {
    expect(verdict(hook({ 'svix-id': ID, 'svix-timestamp': TIME, 'svix-signature': SIGNATURE }))).toEqual({ ok: true });
  });

  test('webhook: an empty secret is a mistake, not a key', () => {
    for (const text of ['', 'whsec_', 'whpk_AAAA', 'whsk_AAAA', 'secret', 'sk_live_123'])
      expect(() => readKey(text), text).toThrow(/whsec_/);
  });
});

describe('connecting', () => {
  test('webhook: a secret or a token must be given, and both must be real ones', async () => {
    const refused = await connect({ name: 'Nothing' });
    expect(refused.status).toBe(422);
    expect(JSON.stringify(refused.body)).toMatch(/secret/);
    for (const bad of [
      { secret: 'whsec_' },
      { secret: 'whsec_c2hvcnQ=' },
      { secret: other.secret, target: 'ftp://x' },
      { secret: other.secret, target: 'https://user:pass@x.example' },
      { bearerToken: 'short' },
    ]) {
      expect((await connect(bad)).status, JSON.stringify(bad)).toBe(422);
    }
  });

  test('webhook: every connection has an address of its own, and secrets are not shown', async () => {
    expect(connection).toMatchObject({
      state: 'active',
      name: 'Home-grown',
      webhookUrl: `${hub.url}/hooks/webhook/${connection.id}`,
      account: { id: connection.id },
    });
    const second = await connect({ bearerToken: TOKEN });
    expect(second.body.connection.id).not.toBe(connection.id);
    expect(JSON.stringify((await hub.api('GET', '/v1/connections')).body)).not.toMatch(/whsec_|a-token-of/);
  });
});

describe('what comes in', () => {
  test('webhook: contacts and companies become customers, with who is responsible', async () => {
    await push('company.upserted', {
      id: 'c-1',
      updated_at: at(0),
      name: 'Acme Glass',
      domain: 'acme.example',
      address: { line1: '1 Main St', city: 'Springfield', country: 'US' },
    });
    const delivery = await push('contact.created', {
      id: 17,
      updated_at: at(0),
      first_name: 'Ann',
      last_name: 'Miller',
      email: 'Ann@Example.com',
      phone: '(415) 555-0100',
      birthday: '1980-04-19',
      timezone: 'America/Los_Angeles',
      company_id: 'c-1',
      owner_email: 'Rita@example.com',
      tags: ['vip'],
      address: {
        line1: '800 W NASA Pkwy',
        line2: 'Suite 2',
        city: 'Webster',
        region: 'TX',
        postal_code: '77598',
        country: 'US',
      },
    });
    expect(delivery).toMatchObject({ status: 200, body: '' });
    expect(await search('Ann Miller')).toMatchObject([
      {
        email: 'ann@example.com',
        phone: '+14155550100',
        company: 'Acme Glass',
        timeZone: 'America/Los_Angeles',
        tags: ['vip'],
      },
    ]);
    expect((await hub.api('GET', '/v1/staff')).body.items).toMatchObject([{ email: 'rita@example.com' }]);
    expect(await parked()).toEqual([]);
  });

  test('webhook: every kind of record lands, in decimals or in the smallest unit', async () => {
    const base = { contact_id: 17, updated_at: at(1), currency: 'USD' };
    await push('batch', [
      {
        type: 'deal.upserted',
        data: { ...base, id: 'd', name: 'Windows', amount: '1200.50', status: 'open', closes_at: '2026-04-01' },
      },
      { type: 'ticket.upserted', data: { ...base, id: 't', subject: 'Leak', status: 'waiting' } },
      {
        type: 'invoice.upserted',
        data: {
          ...base,
          id: 'i',
          number: 'R-1',
          status: 'sent',
          total_minor: 12050,
          due_at: '2026-03-10T00:00:00Z',
          lines: [{ description: 'Glass', quantity: 2, unit_price: '60.25', amount: '120.50' }],
        },
      },
      {
        type: 'invoice.upserted',
        data: {
          ...base,
          id: 'y',
          number: 'R-2',
          status: 'overdue',
          currency: 'JPY',
          total_minor: 5000,
          balance_minor: 4000,
          due_on: '2026-02-10',
        },
      },
      {
        type: 'payment.upserted',
        data: { ...base, id: 'p', amount: 20, status: 'paid', paid_at: '2026-03-01T10:00:00Z', invoice_id: 'i' },
      },
      {
        type: 'job.updated',
        data: { ...base, id: 'j', title: 'Install', kind: 'installation', status: 'done', completed_at: '2026-03-01' },
      },
      {
        type: 'appointment.created',
        data: { ...base, id: 'j', title: 'Visit', status: 'confirmed', starts_at: '2026-03-09T09:00:00Z' },
      },
      {
        type: 'subscription.upserted',
        data: {
          ...base,
          id: 's',
          name: 'Care',
          kind: 'warranty',
          status: 'active',
          ends_at: '2027-03-01',
          amount_minor: 990,
        },
      },
      {
        type: 'activity.created',
        data: {
          ...base,
          id: 'a',
          kind: 'sms',
          channel: 'sms',
          direction: 'inbound',
          text: 'Hello',
          occurred_at: at(1),
        },
      },
    ]);
    expect(await parked()).toEqual([]);
    const all = await documents('Ann Miller');
    expect(all.deal).toMatchObject([
      { name: 'Windows', amount: '1200.50', currency: 'USD', status: 'open', closesOn: '2026-04-01' },
    ]);
    expect(all.ticket).toMatchObject([{ subject: 'Leak', status: 'pending', nativeStatus: 'waiting' }]);
    const byNumber = Object.fromEntries(all.invoice!.map((invoice) => [invoice.number, invoice]));
    expect(Number(byNumber['R-1']!.total)).toBe(120.5);
    expect(Number(byNumber['R-1']!.balance)).toBe(120.5);
    expect(byNumber['R-1']).toMatchObject({ status: 'open', nativeStatus: 'sent' });
    expect([Number(byNumber['R-2']!.total), Number(byNumber['R-2']!.balance), byNumber['R-2']!.dueOn]).toEqual([
      5000,
      4000,
      '2026-02-10',
    ]);
    expect(all.payment).toMatchObject([{ status: 'succeeded', paidOn: '2026-03-01', invoiceRefs: ['i'] }]);
    expect(all.job!.map((job) => [job.title, job.kind, job.status]).sort()).toEqual([
      ['Install', 'installation', 'completed'],
      ['Visit', 'appointment', 'scheduled'],
    ]);
    expect(Number(all.subscription![0]!.amount)).toBe(9.9);
    expect(all.activity).toMatchObject([{ kind: 'message', direction: 'in', body: 'Hello' }]);
  });

  test('webhook: an invoice that names its customer by e-mail address only finds or makes that customer', async () => {
    await push('invoice.upserted', {
      id: 'by-mail',
      updated_at: at(1),
      number: 'M-1',
      status: 'open',
      amount: '10',
      currency: 'USD',
      email: 'ANN@example.com',
      due_on: '2026-03-20',
    });
    expect((await documents('Ann Miller')).invoice!.map((invoice) => invoice.number)).toContain('M-1');
    await push('invoice.upserted', {
      id: 'new-mail',
      updated_at: at(1),
      number: 'M-2',
      status: 'open',
      amount: '10',
      currency: 'USD',
      email: 'nobody-yet@example.com',
      due_on: '2026-03-20',
    });
    expect((await documents('nobody-yet@example.com')).invoice).toMatchObject([{ number: 'M-2' }]);
    // The contact that arrives later is the same customer and brings the name.
    await push('contact.upserted', { id: 99, updated_at: at(2), name: 'Nora Body', email: 'nobody-yet@example.com' });
    expect((await documents('Nora Body')).invoice).toMatchObject([{ number: 'M-2' }]);
    expect(await search('nobody-yet@example.com')).toHaveLength(1);
  });

  test('webhook: the newest state counts, in whichever order posts arrive', async () => {
    await push('contact.upserted', { id: 5, updated_at: at(10), name: 'Newer Name', email: 'order@example.com' });
    await push('contact.upserted', { id: 5, updated_at: at(9), name: 'Older Name', email: 'order@example.com' });
    expect(await search('order@example.com')).toMatchObject([{ name: 'Newer Name' }]);
    await push('batch', [
      {
        type: 'contact.upserted',
        data: { id: 6, updated_at: at(12), name: 'Newer Batch', email: 'batch@example.com' },
      },
      {
        type: 'contact.upserted',
        data: { id: 6, updated_at: at(11), name: 'Older Batch', email: 'batch@example.com' },
      },
    ]);
    expect(await search('batch@example.com')).toMatchObject([{ name: 'Newer Batch' }]);
  });

  test('webhook: a repeated webhook-id is answered and ignored, whatever it carries', async () => {
    await push(
      'contact.upserted',
      { id: 7, updated_at: at(1), name: 'First Post', email: 'replay@example.com' },
      { id: 'msg_replay' },
    );
    expect(
      (
        await push(
          'contact.upserted',
          { id: 7, updated_at: at(2), name: 'Second Post', email: 'replay@example.com' },
          { id: 'msg_replay' },
        )
      ).status,
    ).toBe(200);
    expect(await search('replay@example.com')).toMatchObject([{ name: 'First Post' }]);
  });

  test('webhook: a status nobody knows parks the record with the word, and a corrected one lands', async () => {
    await push('invoice.upserted', {
      id: 'odd',
      updated_at: at(1),
      contact_id: 17,
      number: 'O-1',
      status: 'floating',
      amount: '1',
      currency: 'USD',
    });
    expect(await parked()).toMatchObject([{ reason: expect.stringContaining('floating') }]);
    await push('invoice.upserted', {
      id: 'odd',
      updated_at: at(2),
      contact_id: 17,
      number: 'O-1',
      status: 'paid',
      amount: '1',
      currency: 'USD',
    });
    expect(await parked()).toEqual([]);
    const odd = (await documents('Ann Miller')).invoice!.find((invoice) => invoice.number === 'O-1')!;
    expect([odd.status, Number(odd.balance)]).toEqual(['paid', 0]);
  });

  test('webhook: a field that changes type spares the rest of the record', async () => {
    await push('contact.upserted', {
      id: 9,
      updated_at: at(1),
      name: 'Odd Phone',
      email: 'odd@example.com',
      phone: { number: 1 },
    });
    expect(await search('odd@example.com')).toMatchObject([{ name: 'Odd Phone', phone: null }]);
    await push('contact.upserted', {
      id: 9,
      updated_at: at(2),
      name: 'Odd Phone',
      email: 'odd@example.com',
      phone: '+14155550177',
    });
    expect(await search('odd@example.com')).toMatchObject([{ phone: '+14155550177' }]);
  });

  test('webhook: unsubscribing, stopping and bouncing close the address at once', async () => {
    const consents = async (name: string) =>
      JSON.stringify((await hub.api('GET', `/v1/customers/${(await search(name))[0]!.id}/consent`)).body);
    expect(await consents('Ann Miller')).not.toContain('denied');
    await push('engagement.recorded', { kind: 'unsubscribed', channel: 'email', email: 'Ann@example.com' });
    await push('engagement.recorded', { kind: 'stop', phone: '+1 (415) 555-0100' });
    await push('engagement.recorded', { kind: 'bounced', channel: 'email', email: 'macro@example.com' });
    expect(await consents('Ann Miller')).toContain('denied');
    const closed = (await hub.api('GET', '/v1/audit')).body.items.filter(
      (event: { action: string }) => event.action === 'consent.denied',
    );
    expect(closed.map((event: { subjectId: string }) => event.subjectId).sort()).toEqual(['email', 'email', 'sms']);
  });

  test('webhook: a reply is an answer of the customer; opens and pings are not', async () => {
    await push('engagement.recorded', {
      kind: 'replied',
      channel: 'email',
      email: 'ann@example.com',
      text: 'Call me',
      occurred_at: at(3),
    });
    await push('engagement.recorded', { kind: 'email_opened', channel: 'email', email: 'ann@example.com' });
    await push('ping', {});
    await push('something.else', 'anything');
    const replies = (await documents('Ann Miller')).activity!.filter((activity) => activity.body === 'Call me');
    expect(replies).toMatchObject([{ kind: 'email', direction: 'in' }]);
    expect(await parked()).toEqual([]);
  });

  test.each<[string, unknown, RegExp]>([
    ['contact.upserted', { updated_at: AT, name: 'x' }, /data\.id is missing/],
    ['contact.upserted', { id: 1, updated_at: 'yesterday', name: 'x' }, /updated_at/],
    ['contact.upserted', { id: 1, updated_at: AT }, /nothing but an id/],
    ['contact.upserted', [1], /must be an object/],
    ['invoice.upserted', { id: 1, updated_at: AT, total_minor: 12.5, currency: 'USD' }, /whole number/],
    ['invoice.upserted', { id: 1, updated_at: AT, total_minor: 12, currency: 'usd' }, /currency/],
    ['engagement.recorded', { kind: 'stop', phone: '555-0100' }, /international/],
    ['engagement.recorded', { kind: 'danced' }, /must be one of/],
    ['action.result', { status: 'done' }, /action_id/],
    ['batch', { id: 1 }, /must be a list/],
    ['batch', [{ type: 'ping' }, { type: 'contact.deleted', data: {} }], /Event 2: data\.id/],
    ['batch', Array.from({ length: 501 }, () => ({ type: 'ping' })), /at most 500/],
    ['no type!', {}, /type is missing/],
  ])('webhook: a malformed %s is refused in words: %j', async (type, data, words) => {
    const refused = await push(type, data, { timestamp: (data as { updated_at?: string }).updated_at ?? 'x' });
    expect(refused.status).toBe(400);
    expect(refused.body).toMatch(words);
  });

  test('webhook: what is not JSON, not signed, badly signed or stale is refused, and nothing is kept', async () => {
    const data = { id: 66, updated_at: AT, name: 'Never Seen', email: 'never@example.com' };
    const raw = (headers: Record<string, string>, body = JSON.stringify({ type: 'contact.upserted', data })) =>
      fetch(other.hookUrl!, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
    expect((await raw({})).status).toBe(401);
    expect((await raw({ authorization: 'Bearer wrong' })).status).toBe(401);
    expect(
      (await push('contact.upserted', data, { secret: `whsec_${Buffer.alloc(32, 1).toString('base64')}` })).status,
    ).toBe(401);
    for (const minutes of [-6, 6])
      expect(
        (await push('contact.upserted', data, { at: new Date(hub.clock.now().getTime() + minutes * MINUTE) })).status,
      ).toBe(401);
    const notJson = await raw({ authorization: `Bearer ${TOKEN}` }, '{"type": ');
    expect([notJson.status, await notJson.text()]).toEqual([
      400,
      'The body must be a JSON object with type, timestamp and data.',
    ]);
    expect(
      (await fetch(`${hub.url}/hooks/webhook/00000000-0000-7000-8000-000000000000`, { method: 'POST', body: '{}' }))
        .status,
    ).toBe(404);
    await hub.settle();
    expect(await search('never@example.com')).toEqual([]);
  });

  test('webhook: a sender that cannot sign uses the token; the same bytes twice are one event', async () => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const data = { id: 70, updated_at: at(1), name: 'Macro User', email: 'macro@example.com' };
    for (let n = 0; n < 2; n++)
      expect((await push('contact.upserted', data, { headers, timestamp: AT })).status).toBe(200);
    expect(await search('macro@example.com')).toHaveLength(1);
  });

  test('webhook: the challenge of a sender that insists is echoed as text', async () => {
    const echoed = await fetch(`${other.hookUrl}?challenge=%3Cb%3Eabc`);
    expect([echoed.status, echoed.headers.get('content-type'), await echoed.text()]).toEqual([
      200,
      'text/plain; charset=utf-8',
      '<b>abc',
    ]);
    expect((await fetch(other.hookUrl!)).status).toBe(405);
  });

  test('webhook: secrets are changed over without losing a post', async () => {
    const [before, after] = [other.secret, `whsec_${Buffer.alloc(40, 3).toString('base64')}`];
    const settings = { secret: after, secondarySecret: before, bearerToken: TOKEN, target: connection.settings.target };
    const changed = await connect(settings, { connectionId: connection.id });
    expect(changed.body.connection).toMatchObject({ id: connection.id, state: 'active' });
    for (const secret of [before, after]) expect((await push('ping', {}, { secret })).status).toBe(200);
    // The receiver knows the old one only, and takes our posts all the same.
    expect((await post('rotation.checked', {})).state).toBe('sent');
    await connect({ ...settings, secret: before, secondarySecret: after }, { connectionId: connection.id });
  });
});

let keys = 0;
async function post(type: string, data: unknown, more: Record<string, unknown> = {}): Promise<Record<string, any>> {
  keys += 1;
  const planned = await hub.api(
    'POST',
    '/v1/actions',
    { kind: 'post_webhook', connectionId: connection.id, input: { type, data }, ...more },
    { 'idempotency-key': `post-${keys}` },
  );
  if (planned.status !== 202) throw new Error(JSON.stringify(planned.body));
  await hub.settle();
  return action(planned.body.id);
}
const action = async (id: string): Promise<Record<string, any>> => (await hub.api('GET', `/v1/actions/${id}`)).body;
const receivedOf = (id: string): ReceivedPost | undefined => other.received.get(`msg_${id.replaceAll('-', '')}`);

describe('what goes out', () => {
  test('webhook: posts a signed event to the whole address, with the token beside the signature', async () => {
    other.answer = { external_id: 'wf-1', url: 'https://n8n.example/execution/1' };
    const done = await post('invoice.overdue', { invoice: 'R-1', amount: '120.50' });
    const sent = other.server.journal.at(-1)!;
    expect([sent.method, sent.path, sent.query]).toEqual(['POST', '/in/42', { from: 'hub' }]);
    expect(sent.headers['content-type']).toBe('application/json');
    expect(sent.headers.authorization).toBe(`Bearer ${TOKEN}`);
    expect(sent.headers['webhook-id']).toMatch(/^msg_[0-9a-f]{32}$/);
    expect(receivedOf(done.id)).toMatchObject({
      type: 'invoice.overdue',
      data: { invoice: 'R-1', amount: '120.50' },
      times: 1,
    });
    expect(done).toMatchObject({
      state: 'sent',
      receipt: {
        nativeId: sent.headers['webhook-id'],
        url: 'https://n8n.example/execution/1',
        state: 'accepted as wf-1',
      },
    });
    other.answer = {};
  });

  test('webhook: the other side tells what became of it', async () => {
    const done = await post('action.requested', { action: 'create_task' });
    await other.tellResult(receivedOf(done.id)!, 'failed', { error: 'no such list' });
    await hub.settle();
    expect(await action(done.id)).toMatchObject({ receipt: { state: 'failed' }, detail: 'no such list' });
    await other.send('action.result', { action_id: done.id, status: 'done' });
    await hub.settle();
    expect((await action(done.id)).receipt.state).toBe('done');
  });

  test('webhook: a lost answer is repeated under the same id, signed anew, and counts once', async () => {
    other.server.faults.add({ kind: 'cut_after', times: 1 });
    const lost = await post('invoice.paid', { n: 1 });
    expect(lost).toMatchObject({ state: 'planned', reason: 'transient' });
    await hub.advance(10 * MINUTE);
    expect(await action(lost.id)).toMatchObject({ state: 'sent', attempts: 2 });
    expect(receivedOf(lost.id)).toMatchObject({ times: 2 });
    const tries = other.server.journal.filter(
      (exchange) => exchange.headers['webhook-id'] === `msg_${lost.id.replaceAll('-', '')}`,
    );
    expect(new Set(tries.map((exchange) => exchange.headers['webhook-timestamp'])).size).toBe(2);
  });

  test.each([404, 500, 502, 504])(
    'webhook: status %d is tried again, with growing pauses, and then given up',
    async (status) => {
      other.server.faults.add({ kind: 'status', status });
      const failing = await post('step.due', { status });
      expect(failing).toMatchObject({ state: 'planned', reason: 'transient' });
      for (let n = 0; n < 9; n++) await hub.advance(25 * HOUR);
      expect(await action(failing.id)).toMatchObject({
        state: 'failed',
        reason: 'transient',
        attempts: 10,
        detail: `The receiver answered with status ${status}.`,
      });
    },
  );

  test('webhook: Retry-After is kept, as seconds and as a date', async () => {
    const cases: [number, () => string][] = [
      [429, () => '90'],
      [503, () => new Date(hub.clock.now().getTime() + 90_000).toUTCString()],
    ];
    for (const [status, header] of cases) {
      other.server.faults.add({ kind: 'status', status, times: 1, headers: { 'retry-after': header() } });
      const waiting = await post('step.due', { status });
      const wait = new Date(waiting.notBefore).getTime() - hub.clock.now().getTime();
      expect(wait).toBeGreaterThan(80_000);
      expect(wait).toBeLessThanOrEqual(91_000);
      await hub.advance(3 * MINUTE);
      expect((await action(waiting.id)).state).toBe('sent');
    }
  });

  test('webhook: a redirect is not followed and is no success', async () => {
    const before = other.received.size;
    other.server.faults.add({
      kind: 'status',
      status: 307,
      times: 1,
      headers: { location: `${other.hosts.target}/elsewhere` },
    });
    expect(await post('step.due', {})).toMatchObject({
      state: 'failed',
      reason: 'invalid',
      detail: expect.stringContaining('do not follow'),
    });
    expect(other.received.size).toBe(before);
  });

  test('webhook: 410 stops the address at once, until somebody checks it', async () => {
    other.server.faults.add({ kind: 'status', status: 410, times: 1 });
    const waiting = await post('step.due', { gone: true });
    expect(waiting).toMatchObject({ state: 'planned', reason: 'connection_unusable' });
    const paused = (await hub.api('GET', `/v1/connections/${connection.id}`)).body;
    expect(paused).toMatchObject({ state: 'paused', health: { sentence: expect.stringContaining('410') } });
    const calls = other.server.journal.length;
    await hub.advance(HOUR);
    expect(other.server.journal.length).toBe(calls);
    expect((await hub.api('POST', `/v1/connections/${connection.id}/test`)).body.state).toBe('active');
    await hub.advance(HOUR);
    expect((await action(waiting.id)).state).toBe('sent');
  });

  test('webhook: only types the receiver asked for, and only types that are types', async () => {
    const filtered = await connect({
      secret: other.secret,
      target: `${other.hosts.target}/filtered`,
      eventTypes: ['invoice.*', 'ping'],
    });
    const { id } = filtered.body.connection;
    expect((await post('invoice.overdue', {}, { connectionId: id })).state).toBe('sent');
    expect(await post('score.changed', {}, { connectionId: id })).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('does not take "score.changed"'),
    });
    expect(await post('no type!', {})).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('not an event type'),
    });
    const inbound = await connect({ bearerToken: TOKEN });
    expect(await post('ping', {}, { connectionId: inbound.body.connection.id })).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('no address to post to'),
    });
  });

  test('webhook: a preview shows the whole address and body and sends nothing', async () => {
    const before = other.server.journal.length;
    const { body } = await hub.api('POST', '/v1/actions', {
      kind: 'post_webhook',
      connectionId: connection.id,
      preview: true,
      input: { type: 'ping', data: { a: 1 } },
    });
    expect(body.request).toMatchObject({
      method: 'POST',
      url: `${other.hosts.target}/in/42?from=hub`,
      body: { type: 'ping', data: { a: 1 } },
    });
    expect(other.server.journal.length).toBe(before);
  });

  const prepared = (origin: string, more: Partial<PreparedRequest> = {}): PreparedRequest => ({
    method: 'POST',
    path: '/x',
    json: {},
    origin,
    headers: { 'webhook-id': 'msg_1', 'webhook-timestamp': '1' },
    secrets: { secret: other.secret },
    settings: {},
    signal: AbortSignal.timeout(60_000),
    guarded: true,
    allowedHosts: [],
    expect: 'none',
    ...more,
  });

  test.each([
    'https://127.0.0.1',
    'https://10.1.2.3',
    'https://169.254.169.254',
    'https://[::1]',
    'https://[::ffff:10.0.0.1]',
    'https://localhost',
    'http://example.com',
    'https://example.com:8443',
  ])('webhook: %s is not posted to', async (origin) => {
    const transport = await webhookTransport();
    await expect(transport(prepared(origin))).rejects.toMatchObject({ kind: 'invalid', mayHaveActed: false });
  });

  test('webhook: a silent receiver is given up, and nothing is left in doubt', async () => {
    const transport = await webhookTransport();
    other.server.faults.add({ kind: 'silent', times: 1 });
    await expect(
      transport(prepared(other.hosts.target!, { allowedHosts: ['127.0.0.1'], timeoutMs: 50 })),
    ).rejects.toMatchObject({ kind: 'transient', mayHaveActed: false, message: '127.0.0.1 did not answer in time.' });
  });

  test('webhook: an answer that is no JSON, or endless, is still a success', async () => {
    for (const body of ['Workflow was started', 'x'.repeat(200_000)]) {
      other.server.faults.add({ kind: 'status', status: 200, times: 1, body });
      expect((await post('ping', {})).state).toBe('sent');
    }
  });

  test('webhook: no secret is in any log line', () => {
    const log = hub.lines.join('\n');
    expect(log).not.toContain(other.secret.slice('whsec_'.length));
    expect(log).not.toContain(TOKEN);
  });
});
