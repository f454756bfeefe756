import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import connector from '../../connectors/calendly/connector.ts';
import { type CalendlySandbox, start } from '../../connectors/calendly/sandbox.ts';
import { webhooks } from '../../connectors/calendly/webhooks.ts';
import { manualClock } from '../../src/base/clock.ts';
import { classify, type RawHook } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { hasPlatform, platformJson } from '../specs/platforms.ts';
import { vendorTruth } from '../specs/suite.ts';
import { freePort, HOUR, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('calendly');

const AT = '2026-03-02T15:00:00Z';
const APP = {
  CALENDLY_CLIENT_ID: 'calendly-app',
  CALENDLY_CLIENT_SECRET: 'calendly-secret',
  CALENDLY_WEBHOOK_SIGNING_KEY: 'calendly-signing-key',
};
const DAY = 24 * HOUR;

describe('without a hub', () => {
  const now = new Date(AT);
  const seconds = now.getTime() / 1000;
  const sign = (text: string): string =>
    createHmac('sha256', APP.CALENDLY_WEBHOOK_SIGNING_KEY).update(text).digest('hex');
  const hook = (signature: string, body = '{}'): RawHook => ({
    method: 'POST',
    url: 'https://hub.example/hooks/calendly/1',
    headers: { 'calendly-webhook-signature': signature },
    body: Buffer.from(body),
  });
  const verdict = (one: RawHook) => webhooks.verify(one, { app: APP, connection: {} }, now);

  test('calendly: signature vectors', async () => {
    const v1 = sign(`${seconds}.{}`);
    expect(await verdict(hook(`t=${seconds},v1=${v1}`))).toEqual({ ok: true });
    // In another order, and with what may come one day.
    expect(await verdict(hook(`v1=${v1}, t=${seconds},v2=x=y`))).toEqual({ ok: true });
    expect(await verdict(hook(`t=${seconds + 1},v1=${v1}`))).toMatchObject({ reason: 'bad_signature' });
    expect(await verdict(hook(`v1=${v1}`))).toMatchObject({ reason: 'missing_signature' });
    const old = seconds - 181;
    expect(await verdict(hook(`t=${old},v1=${sign(`${old}.{}`)}`))).toMatchObject({ reason: 'stale' });
  });

  test.skipIf(!hasPlatform('calendly'))("calendly: reads the vendor's sample, whatever host its addresses have", () => {
    const sample = platformJson('calendly', 'samples/webhook-invitee-created.json');
    expect(webhooks.events(hook('', JSON.stringify(sample)), undefined)).toEqual([
      expect.objectContaining({ type: 'record', stream: 'bookings', id: 'AAAAAAAAAAAAAAAA/AAAAAAAAAAAAAAAA' }),
    ]);
  });

  test('calendly: waits the seconds the answer names, and says which permission is missing', () => {
    const limit = { status: 429, headers: { 'x-ratelimit-reset': '42' }, body: { title: 'Too Many Requests' } };
    expect(classify(connector.errors, limit, now)).toMatchObject({
      ...{ kind: 'rate_limited', until: new Date(now.getTime() + 42_000) },
    });
    const body = { title: 'Permission Denied', message: 'InsufficientScopeError', required_scopes: ['webhooks:write'] };
    const refused = classify(connector.errors, { status: 403, headers: {}, body }, now);
    expect(refused).toMatchObject({ kind: 'forbidden', message: expect.stringContaining('webhooks:write') });
  });
});

describe('with a hub', async () => {
  let vendor: CalendlySandbox;
  let hub: TestHub;
  let connection: Record<string, any>;

  beforeAll(async () => {
    const port = await freePort();
    const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
    vendor = await start({ clock, app: APP, limits: false });
    const env = { ...APP, CALENDLY_HOST_API: vendor.hosts.api!, CALENDLY_HOST_AUTH: vendor.hosts.auth! };
    hub = await startTestHub({ at: AT, port, connectors: ['calendly'], env });
    vendor.state.book(
      { name: 'Ann Archer', email: 'ann@example.com', text_reminder_number: '+1 415-555-1000' },
      soon(),
    );
    connection = await hub.connect('calendly');
    await hub.settle();
  });
  afterAll(async () => {
    await hub?.stop();
    await vendor?.stop();
  });

  const soon = (hours = 48): Date => new Date((hub?.clock.now() ?? new Date(AT)).getTime() + hours * HOUR);
  const customer = async (email: string): Promise<Record<string, any>> =>
    (await hub.api('GET', `/v1/customers?search=${encodeURIComponent(email)}`)).body.items[0];
  const jobsOf = async (email: string): Promise<Record<string, any>[]> => {
    const { id } = await customer(email);
    const { rows } = await hub.hub.db.tenant(hub.tenantId, (tx) =>
      tx.query(
        `select status, native_status, scheduled_at, owner_id is not null as owned from job where tenant_id = $1 and customer_id = $2 and deleted_at is null
         order by scheduled_at`,
        [hub.tenantId, id],
      ),
    );
    return rows;
  };
  const link = async (input: Record<string, unknown>): Promise<() => Promise<Record<string, any>>> => {
    const body = { kind: 'create_booking_link', connectionId: connection.id, input: { about: {}, ...input } };
    const planned = await hub.api('POST', '/v1/actions', body);
    expect(planned.status, JSON.stringify(planned.body)).toBe(202);
    await hub.settle();
    return async () => (await hub.api('GET', `/v1/actions/${planned.body.id}`)).body;
  };

  test('calendly: whoever booked is a customer with an appointment; the whole organisation is read by its owner', async () => {
    expect(await customer('ann@example.com')).toMatchObject({ name: 'Ann Archer', phone: '+14155551000' });
    expect(await jobsOf('ann@example.com')).toMatchObject([
      { status: 'scheduled', native_status: 'booked', owned: true },
    ]);
    const asked = vendor.server.journal.find(({ path }) => path === '/scheduled_events')!;
    expect(asked.query).toMatchObject({ organization: vendor.state.uri });
    expect([...vendor.state.subscriptions.values()]).toMatchObject([
      { scope: 'organization', state: 'active', callback_url: connection.webhookUrl },
    ]);
  });

  test('calendly: each who joins a group is a booking of their own', async () => {
    const first = vendor.state.book({ email: 'group1@example.com' }, soon());
    const event = vendor.state.eventOf(first);
    for (let n = 2; n <= 120; n++) vendor.state.invite(event, { email: `group${n}@example.com` });
    await hub.advance(2 * HOUR);
    for (const n of [1, 2, 120]) expect(await jobsOf(`group${n}@example.com`)).toHaveLength(1);
  });

  test('calendly: a link works once, names the person, and the booking it leads to is followed', async () => {
    const action = await link({ name: 'Nora Noble', email: 'nora@example.com' });
    const { receipt, state, id } = await action();
    expect({ state, kind: receipt.state }).toEqual({ state: 'sent', kind: 'created' });
    const url = new URL(receipt.url);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      ...{ utm_source: 'rapport', utm_content: id, name: 'Nora Noble', email: 'nora@example.com' },
    });
    const tracking = { utm_source: 'rapport', utm_content: id };
    const booked = vendor.state.book({ name: 'Nora Noble', email: 'nora@example.com', tracking }, soon());
    await vendor.tell('invitee.created', booked);
    await hub.settle();
    expect((await action()).receipt).toMatchObject({ state: 'booked' });
    const no_show = { uri: 'https://api.calendly.com/invitee_no_shows/1', created_at: vendor.state.now() };
    await vendor.tell('invitee_no_show.created', vendor.state.touch(booked, { no_show }));
    await hub.settle();
    expect((await action()).receipt).toMatchObject({ state: 'no_show' });
    expect(await jobsOf('nora@example.com')).toMatchObject([{ status: 'no_show' }]);
    await vendor.tell('invitee_no_show.deleted', vendor.state.touch(booked, { no_show: null }));
    await hub.settle();
    expect(await jobsOf('nora@example.com')).toMatchObject([{ status: 'scheduled' }]);
  });

  test.each(['in their order', 'the other way round', 'not at all'])(
    'calendly: a booking that is moved is one appointment, posts come %s',
    async (order) => {
      const email = `moved-${order.replaceAll(' ', '-')}@example.com`;
      const first = vendor.state.book({ email }, soon(24));
      await vendor.tell('invitee.created', first);
      await hub.settle();
      const { id } = await customer(email);
      const next = vendor.state.move(first, soon(72));
      const posts = [() => vendor.tell('invitee.canceled', first), () => vendor.tell('invitee.created', next)];
      if (order === 'the other way round') posts.reverse();
      if (order !== 'not at all') for (const post of posts) await post();
      await hub.advance(order === 'not at all' ? 2 * HOUR : MINUTE);
      expect(await jobsOf(email)).toMatchObject([
        { status: 'scheduled', scheduled_at: new Date(next.event && vendor.state.eventOf(next).start_time) },
      ]);
      // The same customer as before, whatever waits for them.
      expect((await customer(email)).id).toBe(id);
    },
  );

  test('calendly: a booking that is cancelled says so, by post and by reading', async () => {
    const [told, quiet] = ['told@example.com', 'quiet@example.com'].map((email) =>
      vendor.state.book({ email }, soon()),
    );
    for (const one of [told!, quiet!]) await vendor.tell('invitee.created', one);
    await hub.settle();
    for (const one of [told!, quiet!]) vendor.state.cancel(one, 'invitee');
    await vendor.tell('invitee.canceled', told!);
    await hub.settle();
    expect(await jobsOf('told@example.com')).toMatchObject([{ status: 'cancelled' }]);
    await hub.advance(2 * HOUR);
    expect(await jobsOf('quiet@example.com')).toMatchObject([{ status: 'cancelled' }]);
  });

  test('calendly: an invitee of another form spares the others, or is parked with a sentence', async () => {
    const [odd, other] = ['odd@example.com', 'other@example.com'].map((email) => vendor.state.book({ email }, soon()));
    const heal = vendor.server.faults.add({
      kind: 'rewrite',
      match: new RegExp(`^GET ${new URL(odd!.event).pathname}/invitees$`),
      rewrite: (body) => {
        const { collection, ...rest } = body as { collection: object[] };
        return {
          ...rest,
          collection: collection.map((one) => ({ ...one, name: { odd: true }, email: 42, tracking: 'x' })),
        };
      },
    });
    await hub.advance(2 * HOUR);
    expect(await jobsOf('other@example.com')).toHaveLength(1);
    heal();
    await hub.advance(2 * HOUR);
    expect(await jobsOf('odd@example.com')).toHaveLength(1);
    expect(other!.status).toBe('active');
  });

  test('calendly: a webhook that the vendor switched off in silence is entered anew', async () => {
    const [before] = [...vendor.state.subscriptions.values()];
    before!.state = 'disabled';
    for (let hours = 0; hours < 30; hours += 6) await hub.advance(6 * HOUR);
    const after = [...vendor.state.subscriptions.values()];
    expect(after).toMatchObject([{ state: 'active', callback_url: connection.webhookUrl }]);
    expect(after[0]!.uri).not.toBe(before!.uri);
  });

  test('calendly: a refresh token works once, and the hub never spends one twice', async () => {
    const { refreshes } = vendor.oauth.counts;
    await hub.advance(DAY);
    expect(vendor.oauth.counts.refreshes).toBeGreaterThan(refreshes);
    expect(vendor.oauth.counts.reused).toBe(0);
  });

  test('calendly: without a plan for webhooks it works by reading, and says why', async () => {
    const message = 'Please upgrade your Calendly account to Professional';
    const body = { title: 'Permission Denied', message };
    vendor.server.faults.add({ kind: 'status', status: 403, body, match: /^POST \/webhook_subscriptions$/, times: 1 });
    const other = await hub.otherTenant();
    const made = await hub.connect('calendly', { api: other.api });
    const { body: shown } = await other.api('GET', `/v1/connections/${made.id}`);
    expect(shown.state).toBe('active');
    expect(JSON.stringify(shown)).toContain(message);
    // It is not asked for again and again.
    const asked = (): number =>
      vendor.server.journal.filter(({ method, path }) => method === 'POST' && path === '/webhook_subscriptions').length;
    const before = asked();
    for (let hours = 0; hours < 12; hours += 2) await hub.advance(2 * HOUR);
    expect(asked()).toBe(before);
  });

  test('calendly: whoever disconnects takes the webhook out and gives the token back', async () => {
    expect((await hub.api('DELETE', `/v1/connections/${connection.id}`)).status).toBe(204);
    const left = [...vendor.state.subscriptions.values()].filter((one) => one.callback_url === connection.webhookUrl);
    expect(left).toEqual([]);
    expect(vendor.server.journal.some(({ path, status }) => path === '/oauth/revoke' && status === 200)).toBe(true);
  });

  await vendorTruth('calendly', () => vendor.server, { part: 'special' });
});
