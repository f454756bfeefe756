import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { actions } from '../../connectors/whatsapp-cloud/actions.ts';
import { start, type WhatsAppSandbox } from '../../connectors/whatsapp-cloud/sandbox.ts';
import { webhooks } from '../../connectors/whatsapp-cloud/webhooks.ts';
import { manualClock } from '../../src/base/clock.ts';
import type { ActionMeta, VendorContext } from '../../src/kit/index.ts';
import { importFile } from '../../src/sync/imports/import.ts';
import { conformance } from '../conformance/suite.ts';
import { freePort, HOUR, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('whatsapp-cloud');

const AT = '2026-03-02T15:00:00Z';
let vendor: WhatsAppSandbox;
let hub: TestHub;
let connection: Record<string, any>;
let people = 0;

beforeAll(async () => {
  const port = await freePort();
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  vendor = await start({ clock, app: {} });
  const env = { WHATSAPP_CLOUD_HOST_API: vendor.hosts.api! };
  hub = await startTestHub({ at: AT, port, connectors: ['whatsapp-cloud', 'csv'], env });
  // Quiet hours are another room's promise: here every hour is open.
  const always = { open: '00:00', close: '24:00', days: [1, 2, 3, 4, 5, 6, 7] };
  const { headers } = await hub.api('GET', '/v1/settings/quietHours');
  const open = { default: always, channels: {} };
  await hub.api('PUT', '/v1/settings/quietHours', open, { 'if-match': headers.get('etag')! });
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rapport-whatsapp-'));
  const file = path.join(folder, 'customers.csv');
  const rows = Array.from({ length: 30 }, (_, n) => `c${n},Ann Miller ${n},+1415555${1000 + n}`);
  await writeFile(file, ['Id,Name,Phone', ...rows].join('\n'));
  await importFile(hub.hub.deps, hub.tenantId, { object: 'contacts', file, actor: 'test' });
  await rm(folder, { recursive: true });
  const made = await hub.api('POST', '/v1/connections', { connector: 'whatsapp-cloud', settings: vendor.credentials });
  connection = made.body.connection;
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await vendor?.stop();
});

beforeEach(() => vendor.server.faults.clear());

/** A person nobody wrote to yet. */
async function somebody(): Promise<{ phone: string; id: string }> {
  const phone = `+1415555${1000 + people++}`;
  const { body } = await hub.api('GET', `/v1/customers?search=${encodeURIComponent(phone)}`);
  return { phone, id: body.items[0].id };
}

const action = async (id: string): Promise<Record<string, any>> => (await hub.api('GET', `/v1/actions/${id}`)).body;

async function send(who: { id: string; phone: string }, more: object, cls = 'transactional') {
  const input = { to: who.phone, ...more };
  const wish = { kind: 'send_whatsapp', customerId: who.id, class: cls, input };
  const { status, body } = await hub.api('POST', '/v1/actions', wish);
  expect(status, JSON.stringify(body)).toBe(202);
  await hub.settle();
  return action(body.id);
}

const remind = (who: { id: string; phone: string }) => send(who, { template: 'visit_reminder', variables: { 1: '7' } });
const rows = async (sql: string, values: unknown[]): Promise<Record<string, any>[]> =>
  (await hub.hub.db.tenant(hub.tenantId, (tx) => tx.query(sql, [hub.tenantId, ...values]))).rows;
const suppressions = () =>
  rows('select scope, channel from suppression where tenant_id = $1 and lifted_at is null', []);

describe('connecting', () => {
  test('whatsapp-cloud: Meta asks whether the address is ours, and is answered', async () => {
    expect(connection).toMatchObject({ state: 'active', account: { id: vendor.state.phoneNumberId } });
    expect(connection.name).toContain('Bright Glass');
    expect(vendor.hookUrl).toBe(connection.webhookUrl);
    const wrong = new URLSearchParams({ 'hub.mode': 'subscribe', 'hub.verify_token': 'guessed', 'hub.challenge': '1' });
    expect((await fetch(`${connection.webhookUrl}?${wrong}`)).status).toBe(403);
  });

  test('whatsapp-cloud: a number of another account is refused in words', async () => {
    const { api } = await hub.otherTenant();
    const settings = { ...vendor.credentials, phoneNumberId: '999999' };
    const { status, body } = await api('POST', '/v1/connections', { connector: 'whatsapp-cloud', settings });
    expect(status).toBe(422);
    expect(body.detail).toContain('no phone number of this id');
  });
});

describe('sending', () => {
  test('whatsapp-cloud: delivery and reading are followed, and a late state sets nothing back', async () => {
    const sent = await remind(await somebody());
    const { nativeId } = sent.receipt;
    await vendor.deliver(nativeId);
    await vendor.read(nativeId);
    await hub.settle();
    expect(await action(sent.id)).toMatchObject({ state: 'sent', receipt: { state: 'read' } });
    await vendor.deliver(nativeId);
    await hub.settle();
    expect(await action(sent.id)).toMatchObject({ receipt: { state: 'read' } });
  });

  test('whatsapp-cloud: a lost answer is settled by the delivery, which names our message', async () => {
    const who = await somebody();
    vendor.server.faults.add({ kind: 'cut_after', match: /messages$/, times: 1 });
    const lost = await remind(who);
    expect(lost).toMatchObject({ state: 'unknown' });
    const [message] = vendor.state.sent.filter(({ to }) => to === who.phone.slice(1));
    await vendor.deliver(message!.id);
    await hub.settle();
    expect(await action(lost.id)).toMatchObject({
      state: 'sent',
      receipt: { nativeId: message!.id, state: 'delivered' },
    });
    expect(vendor.state.sent.filter(({ to }) => to === who.phone.slice(1))).toHaveLength(1);
  });

  test('whatsapp-cloud: free text outside 24 hours is not sent, inside it is delivered', async () => {
    const who = await somebody();
    const held = await send(who, { text: 'Is nine fine?' });
    expect(held.state).not.toBe('sent');
    expect(JSON.stringify(held)).toContain('24 hours');
    await vendor.reply(who.phone, 'When do you come?');
    await hub.settle();
    const free = await send(who, { text: 'At nine.' });
    expect(free).toMatchObject({ state: 'sent' });
    await vendor.deliver(free.receipt.nativeId);
    await hub.settle();
    expect(await action(free.id)).toMatchObject({ receipt: { state: 'delivered' } });
  });

  test('whatsapp-cloud: the window that closes on the way is told as what it is', async () => {
    const who = await somebody();
    await vendor.reply(who.phone, 'Hello?');
    await hub.settle();
    const sent = await send(who, { text: 'Here we are.' });
    await hub.advance(25 * HOUR);
    await vendor.deliver(sent.receipt.nativeId);
    await hub.settle();
    const failed = await action(sent.id);
    expect(failed).toMatchObject({ receipt: { state: 'failed' } });
    expect(JSON.stringify(failed)).toContain('131047');
  });

  test('whatsapp-cloud: a number without WhatsApp is closed for it', async () => {
    const who = await somebody();
    vendor.state.absent.add(who.phone.slice(1));
    const sent = await remind(who);
    await vendor.deliver(sent.receipt.nativeId);
    await hub.settle();
    expect(JSON.stringify(await action(sent.id))).toContain('has no WhatsApp');
    expect((await remind(who)).state).toBe('skipped');
  });

  test('whatsapp-cloud: an account that cannot pay pauses the connection, and the message waits', async () => {
    const unpaid = {
      error: { message: '(#131042) Business eligibility payment issue', type: 'OAuthException', code: 131_042 },
    };
    vendor.server.faults.add({ kind: 'status', status: 400, body: unpaid, match: /messages$/, times: 1 });
    const held = await remind(await somebody());
    expect(held).toMatchObject({ state: 'planned' });
    const paused = (await hub.api('GET', `/v1/connections/${connection.id}`)).body;
    expect(paused).toMatchObject({ state: 'paused' });
    expect(paused.health.sentence).toContain('payment');
    await hub.api('POST', `/v1/connections/${connection.id}/test`);
    await hub.settle();
    expect((await hub.api('GET', `/v1/connections/${connection.id}`)).body.state).toBe('active');
    await hub.advance(HOUR);
    expect(await action(held.id)).toMatchObject({ state: 'sent' });
  });

  const body = (input: object, settings = {}): Record<string, any> => {
    const ctx = { settings: { phoneNumberId: '1', ...settings } } as unknown as VendorContext;
    return actions[0]!.request(ctx, { to: '+16145550100', ...input } as never, { requestId: 'r-1' } as ActionMeta)
      .json as never;
  };

  test('whatsapp-cloud: values find their places in a template, and break no line', () => {
    const variables = { '2': 'two', '1': 'one\n  more', '10': 'ten', 'header.1': 'Top', 'button.0': 'a?b' };
    expect(body({ template: 'visit_reminder:de', variables }).template).toEqual({
      name: 'visit_reminder',
      language: { code: 'de', policy: 'deterministic' },
      components: [
        { type: 'body', parameters: ['one more', 'two', 'ten'].map((text) => ({ type: 'text', text })) },
        { type: 'header', parameters: [{ type: 'text', text: 'Top' }] },
        { type: 'button', sub_type: 'url', index: '0', parameters: [{ type: 'text', text: 'a?b' }] },
      ],
    });
    const named = body({ template: 'spring_offer', variables: { day: 'Friday' } }, { language: 'es' }).template;
    expect(named).toMatchObject({
      language: { code: 'es' },
      components: [{ parameters: [{ parameter_name: 'day' }] }],
    });
    expect(body({ template: 'plain' }).template).toEqual({
      name: 'plain',
      language: { code: 'en_US', policy: 'deterministic' },
    });
  });
});

describe('what people do', () => {
  const word = async (who: { phone: string; id: string }): Promise<string[]> =>
    (await rows('select body from activity where tenant_id = $1 and customer_id = $2', [who.id])).map(
      ({ body }) => body,
    );

  test('whatsapp-cloud: words, buttons and captions are answers; what a system says is none', async () => {
    const who = await somebody();
    await vendor.reply(who.phone, 'Yes');
    await vendor.reply(who.phone, '', { type: 'button', text: undefined, button: { payload: 'y', text: 'Confirm' } });
    await vendor.reply(who.phone, '', { type: 'image', text: undefined, image: { id: '9', caption: 'The leak' } });
    await vendor.reply(who.phone, '', { type: 'system', text: undefined, system: { type: 'user_changed_number' } });
    await hub.settle();
    expect((await word(who)).sort()).toEqual(['Confirm', 'The leak', 'Yes']);
  });

  test('whatsapp-cloud: STOP closes the number before anything else goes out, START opens it', async () => {
    const who = await somebody();
    await vendor.reply(who.phone, 'stop');
    await hub.settle();
    expect(await suppressions()).toContainEqual({ scope: 'all', channel: 'whatsapp' });
    expect((await remind(who)).state).toBe('skipped');
    await vendor.reply(who.phone, 'START');
    await hub.settle();
    expect((await remind(who)).state).toBe('sent');
  });

  test('whatsapp-cloud: who stops marketing still gets what they asked for', async () => {
    const who = await somebody();
    const answered = vendor.state.sent.length;
    await vendor.prefer(who.phone, 'stop');
    await hub.settle();
    expect(await suppressions()).toContainEqual({ scope: 'marketing', channel: 'whatsapp' });
    // WhatsApp has confirmed it itself.
    expect(vendor.state.sent).toHaveLength(answered);
    expect((await remind(who)).state).toBe('sent');
    const offer = { template: 'spring_offer', variables: { first_name: 'Ann', day: 'Friday' } };
    expect(await send(who, offer, 'marketing')).toMatchObject({ state: 'skipped', reason: 'suppressed' });
    await vendor.prefer(who.phone, 'resume');
    await hub.settle();
    expect(await suppressions()).not.toContainEqual({ scope: 'marketing', channel: 'whatsapp' });
  });

  test('whatsapp-cloud: posts about another number of the app are none of ours', () => {
    const read = (settings: object) => {
      vendor.hookUrl = connection.webhookUrl;
      const post = vendor.trial!.hook!(
        { stream: 'messages', id: 'wamid.x', change: 'changed', event: 'e' },
        new Date(),
      );
      const hook = { method: 'POST', url: post.url, headers: {}, body: Buffer.from(post.body) };
      return webhooks.events(hook, { settings: settings as Record<string, unknown> });
    };
    expect(read({ phoneNumberId: vendor.state.phoneNumberId })).toHaveLength(1);
    expect(read({ phoneNumberId: '1' })).toEqual([]);
  });
});
