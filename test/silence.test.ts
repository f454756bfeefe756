import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type HubSpotSandbox, start } from '../connectors/hubspot/sandbox.ts';
import { start as startTwilio, type TwilioSandbox } from '../connectors/twilio/sandbox.ts';
import { manualClock } from '../src/base/clock.ts';
import { readConnection } from '../src/sync/run.ts';
import { DAY, freePort, HOUR, MINUTE, startTestHub, type TestHub } from './support/hub.ts';

const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const AT = '2026-03-02T15:00:00Z';

let hub: TestHub;
let vendor: HubSpotSandbox;
let texts: TwilioSandbox;
let hooks: string;
let connection: Record<string, any>;
const contacts: string[] = [];

beforeAll(async () => {
  const port = await freePort();
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  hooks = `http://127.0.0.1:${port}/hooks/hubspot`;
  vendor = await start({ clock, app: APP, hookUrl: hooks, limits: false });
  texts = await startTwilio({ clock, app: {} });
  const hosts = {
    HUBSPOT_HOST_API: vendor.hosts.api!,
    HUBSPOT_HOST_APP: vendor.hosts.app!,
    TWILIO_HOST_API: texts.hosts.api!,
    TWILIO_HOST_MESSAGING: texts.hosts.messaging!,
  };
  const env = { ...APP, ...hosts, METRICS_TOKEN: 'm', PUBLIC_URL: `http://127.0.0.1:${port}` };
  hub = await startTestHub({ at: AT, port, connectors: ['hubspot', 'twilio'], env });
  vendor.state.addOwner('Rita', 'Manager', 'rita@example.com');
  for (let n = 0; n < 6; n++)
    contacts.push(vendor.state.create('contacts', { firstname: 'Ann', email: `ann${n}@example.com` }).id);
  vendor.state.create('deals', { dealname: 'A deal' });
  connection = await hub.connect('hubspot');
  await hub.settle();
  hub.clock.advance(HOUR);
});
afterAll(async () => {
  await hub?.stop();
  await vendor?.stop();
  await texts?.stop();
});

const health = async () => (await hub.api('GET', `/v1/connections/${connection.id}`)).body.health;
const posts = async (id = connection.id) => (await hub.api('GET', `/v1/connections/${id}/webhooks`)).body;
const silentGauge = async (connector = 'hubspot'): Promise<number> => {
  const text = await (await fetch(`${hub.url}/metrics`, { headers: { authorization: 'Bearer m' } })).text();
  return Number(new RegExp(`rapport_webhooks_silent\\{connector="${connector}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
};
let names = 0;
/** Somebody changes a contact in HubSpot. */
const edit = (at = 0) => vendor.change('contacts', contacts[at]!, { lastname: `Name ${++names}` });
/** Reads a connection as a poll does; what waits in queues is done first. */
async function poll(id = connection.id as string): Promise<void> {
  await hub.hub.queue.idle();
  await readConnection(hub.hub.deps, hub.tenantId, id, { force: true, only: ['contacts', 'deals', 'messages'] });
  await hub.hub.queue.idle();
}
/** Time passes, with polls every quarter of an hour and something done before each. */
async function quarters(count: number, before?: () => Promise<unknown>, id?: string): Promise<void> {
  for (let n = 0; n < count; n++) {
    await before?.();
    hub.clock.advance(15 * MINUTE + 1000);
    await poll(id);
  }
}
const trail = async (action: string) =>
  (await hub.api('GET', '/v1/audit?limit=200')).body.items.filter((event: any) => event.action === action);

beforeEach(async () => {
  // Posts come: whatever a test before left behind is over.
  vendor.hookUrl = hooks;
  await edit();
  await hub.hub.queue.idle();
  await poll();
});

test('silence: a business in which nothing happens raises no alarm, however long no post comes', async () => {
  vendor.hookUrl = undefined;
  await quarters(8);
  hub.clock.advance(2 * DAY);
  await quarters(4);
  expect(await health()).toMatchObject({ ok: true });
  expect((await posts()).missed).toEqual([]);
  expect(await silentGauge()).toBe(0);
});

test('silence: changes that were announced are no proof of anything, even when polls read them first', async () => {
  await quarters(8, async () => edit());
  expect(await health()).toMatchObject({ ok: true });
  expect((await posts()).missed).toEqual([]);
});

test('silence: posts that stop while changes go on are told within an hour and a poll, with what to check; and it is over when they come again', async () => {
  vendor.hookUrl = undefined;
  await quarters(4, () => edit());
  // Three quarters of an hour since the first one was missed.
  expect(await health()).toMatchObject({ ok: true });
  expect((await posts()).missed).toMatchObject([{ stream: 'contacts', changes: 4, silentSince: null }]);
  await quarters(1, () => edit());
  const told = await health();
  expect(told).toMatchObject({
    ok: false,
    action: { method: 'GET', path: `/v1/connections/${connection.id}/webhooks` },
  });
  expect(told.sentence).toMatch(/Webhooks about contacts do not arrive: since 2026-.* 5 changes were found by asking/);
  expect(told.sentence).toContain(`the address ${hooks} is entered`);
  expect(told.sentence).toMatch(/subscription for contacts.*signing secret/);
  expect(await silentGauge()).toBe(1);
  expect(await posts()).toMatchObject({
    sentence: expect.stringContaining('contacts'),
    missed: [{ silentSince: expect.any(String) }],
  });
  const alarms = await trail('webhooks.silent');
  expect(alarms).toHaveLength(1);
  // It is told once, not with every poll.
  await quarters(3, () => edit());
  expect(await trail('webhooks.silent')).toHaveLength(1);

  vendor.hookUrl = hooks;
  await edit();
  await hub.settle();
  expect(await health()).toMatchObject({ ok: true });
  expect(await silentGauge()).toBe(0);
  expect((await trail('webhooks.back')).length).toBe(1);
  expect((await posts()).missed).toEqual([]);
});

test('silence: with a wrong secret posts arrive and are refused: the alarm names the signature', async () => {
  vendor.hookUrl = undefined;
  await quarters(6, async () => {
    await edit();
    const stamp = String(hub.clock.now().getTime());
    const headers = {
      'content-type': 'application/json',
      'x-hubspot-signature-v3': 'bm90IGl0',
      'x-hubspot-request-timestamp': stamp,
    };
    expect((await fetch(hooks, { method: 'POST', headers, body: '[]' })).status).toBe(401);
  });
  expect((await health()).sentence).toMatch(
    /\d+ posts of HubSpot arrived with a signature that is not right: check the signing secret/,
  );
  expect((await posts()).refusedToday.bad_signature).toBeGreaterThan(0);
});

test('silence: one kind of record falls silent while others are announced', async () => {
  const [deal] = vendor.state.all('deals');
  await quarters(6, async () => {
    vendor.hookUrl = undefined;
    await edit();
    vendor.hookUrl = hooks;
    await vendor.change('deals', deal!.id, { dealname: `Deal ${++names}` });
  });
  expect((await health()).sentence).toMatch(/Webhooks about contacts do not arrive/);
});

test('silence: what one poll found after the hub or the platform was away is no alarm, when nothing more follows', async () => {
  vendor.hookUrl = undefined;
  for (let at = 0; at < 6; at++) await edit(at);
  await quarters(8);
  expect((await posts()).missed).toMatchObject([{ changes: 6, silentSince: null }]);
  expect(await health()).toMatchObject({ ok: true });
});

test('silence: a clock that jumps raises no alarm by itself', async () => {
  vendor.hookUrl = undefined;
  await quarters(2, () => edit());
  await edit();
  // The machine slept for half a day; the first poll after it proves nothing yet.
  hub.clock.advance(12 * HOUR);
  await poll();
  expect(await health()).toMatchObject({ ok: true });
  hub.clock.set(new Date(hub.clock.now().getTime() - 2 * HOUR), true);
  await poll();
  expect(await health()).toMatchObject({ ok: true });
});

test('silence: where no public address is set, nobody misses posts', async () => {
  const { env } = hub.hub.config;
  const address = env.PUBLIC_URL!;
  delete env.PUBLIC_URL;
  try {
    vendor.hookUrl = undefined;
    await quarters(7, () => edit());
    expect(await health()).toMatchObject({ ok: true });
    expect((await posts()).missed).toEqual([]);
  } finally {
    env.PUBLIC_URL = address;
  }
});

describe('where our address can be entered by us', () => {
  let sms: Record<string, any>;
  beforeAll(async () => {
    const settings = { ...texts.credentials, messagingServiceSid: texts.state.service.sid };
    const { status, body } = await hub.api('POST', '/v1/connections', { connector: 'twilio', settings });
    expect(status).toBe(200);
    sms = body.connection;
    await hub.settle();
  });

  test('silence: replies that polls find are told, ours are not; and it offers to set the address up again', async () => {
    const before = texts.inboundUrl;
    const view = async () => (await hub.api('GET', `/v1/connections/${sms.id}`)).body.health;
    await quarters(
      6,
      async () => {
        const form = { To: '+14155550000', MessagingServiceSid: texts.state.service.sid, Body: `ours ${++names}` };
        texts.state.send(form);
      },
      sms.id,
    );
    expect((await posts(sms.id)).missed).toEqual([]);
    texts.inboundUrl = null;
    await quarters(6, async () => texts.reply('+14155550000', `hello ${++names}`), sms.id);
    expect(await view()).toMatchObject({
      ok: false,
      action: { method: 'POST', path: `/v1/connections/${sms.id}/prepare` },
    });
    expect((await hub.api('POST', `/v1/connections/${sms.id}/prepare`)).status).toBe(200);
    expect(texts.inboundUrl).toBe(before);
    await texts.reply('+14155550000', `hello ${++names}`);
    await hub.settle();
    expect(await view()).toMatchObject({ ok: true });
  });
});
