import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Member } from '../../connectors/mailchimp/sandbox.audience.ts';
import { formOf, type MailchimpSandbox, start } from '../../connectors/mailchimp/sandbox.ts';
import { mailchimpTransport } from '../../connectors/mailchimp/transport.ts';
import { manualClock } from '../../src/base/clock.ts';
import type { PreparedRequest } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { DAY, freePort, HOUR, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('mailchimp');

const AT = '2026-03-02T15:00:00Z';
const APP = { MAILCHIMP_CLIENT_ID: 'mailchimp-app', MAILCHIMP_CLIENT_SECRET: 'mailchimp-secret' };
const SECOND_LIST = 'b7c6eb2165';

let vendor: MailchimpSandbox;
let hub: TestHub;
let connection: Record<string, any>;
let people = 0;

beforeAll(async () => {
  const port = await freePort();
  const clock = { now: () => hub?.clock.now() ?? new Date(AT), sleep: manualClock(AT).sleep };
  vendor = await start({ clock, app: APP, limits: false });
  const { audience } = vendor.state;
  audience.addField('PLAN', 'Service plan', 'dropdown', ['Gold', 'Silver']);
  audience.addField('LASTCONT', 'Last contacted', 'date');
  vendor.state.addAudience(SECOND_LIST, 'Partners').add('pat@partner.example', { FNAME: 'Pat' });
  const { login, us19 } = vendor.hosts;
  const env = { ...APP, MAILCHIMP_HOST_LOGIN: login!, MAILCHIMP_HOST_US19: us19! };
  hub = await startTestHub({ at: AT, port, connectors: ['mailchimp'], env });
  connection = await hub.connect('mailchimp', { settings: { interests: { offers: '9143cf3bd1' } } });
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await vendor?.stop();
});

beforeEach(() => vendor.server.faults.clear());

/** Somebody in the audience whom the hub knows. */
async function somebody(
  fields: Record<string, unknown> = {},
): Promise<{ member: Member; customer: Record<string, any> }> {
  const email = `somebody${++people}@people.example`;
  const member = vendor.state.audience.add(email, { FNAME: 'Some', LNAME: `Body ${people}`, ...fields });
  await tell('subscribe', member);
  return { member, customer: (await customerOf(email))! };
}

async function customerOf(email: string): Promise<Record<string, any> | undefined> {
  const { body } = await hub.api('GET', `/v1/customers?search=${encodeURIComponent(email)}`);
  return body.items[0] && (await hub.api('GET', `/v1/customers/${body.items[0].id}`)).body;
}

async function tell(type: string, member: Member, more: Record<string, string> = {}, source = 'user'): Promise<void> {
  await vendor.tell(vendor.state.audience, type, member, more, source);
  await hub.settle();
}

async function read(): Promise<void> {
  await hub.api('POST', `/v1/connections/${connection.id}/sync`, {});
  await hub.settle();
}

const rows = async <Row extends Record<string, any>>(sql: string, values: unknown[] = []): Promise<Row[]> =>
  (await hub.hub.db.tenant(hub.tenantId, (tx) => tx.query<Row>(sql, [hub.tenantId, ...values]))).rows;

const suppressions = async (): Promise<number> =>
  (await rows('select 1 from suppression where tenant_id = $1 and lifted_at is null')).length;

async function act(kind: string, input: Record<string, unknown>): Promise<Record<string, any>> {
  const planned = await hub.api('POST', '/v1/actions', { kind, connectionId: connection.id, input });
  expect(planned.status, JSON.stringify(planned.body)).toBe(202);
  await hub.settle();
  return (await hub.api('GET', `/v1/actions/${planned.body.id}`)).body;
}

describe('connecting', () => {
  test('mailchimp: a connection is one audience, in the data centre the vendor names', async () => {
    expect(connection).toMatchObject({ state: 'active', account: { name: 'Main Street Services: Customers' } });
    const other = await hub.otherTenant();
    const partners = await hub.connect('mailchimp', { api: other.api, settings: { audience: 'partners' } });
    await hub.settle();
    expect(partners.account.id).toBe(`8d3a3db4d97663a9074efcc16-${SECOND_LIST}`);
    expect((await other.api('GET', '/v1/customers')).body.items).toMatchObject([{ email: 'pat@partner.example' }]);
    await other.api('DELETE', `/v1/connections/${partners.id}`);
  });

  test('mailchimp: an audience nobody has, and a data centre that is none, are refused in words', async () => {
    const other = await hub.otherTenant();
    const nobody = hub.connect('mailchimp', { api: other.api, settings: { audience: 'Friends' } });
    await expect(nobody).rejects.toThrow(/no audience .*Friends.*It has Customers, Partners/);
    const evil = () => ({ dc: 'us1.evil.example/' });
    vendor.server.faults.add({ kind: 'rewrite', match: /metadata/, rewrite: evil, times: 1 });
    await expect(hub.connect('mailchimp', { api: other.api })).rejects.toThrow(/data centre/);
    expect((await other.api('GET', '/v1/connections')).body.items).toEqual([]);
  });

  test('mailchimp: the fields of the audience are told with their choices', async () => {
    const { body } = await hub.api('GET', `/v1/connections/${connection.id}/fields/members`);
    const field = (name: string) => body.items.find((item: Record<string, any>) => item.name === name);
    expect(field('PLAN')).toMatchObject({
      label: 'Service plan',
      type: 'enum',
      custom: true,
      options: [{ value: 'Gold' }, { value: 'Silver' }],
    });
    expect(field('FNAME')).toMatchObject({ custom: false, type: 'text' });
    expect(field('LASTCONT')).toMatchObject({ custom: true, type: 'date' });
  });
});

describe('members', () => {
  test('mailchimp: a member becomes a customer with birthday, tags and figures', async () => {
    const address = { addr1: '1 Main St', city: 'Columbus', state: 'OH', zip: '43215', country: 'US' };
    const { member } = await somebody({ BIRTHDAY: '05/06', PHONE: '(614) 555-0142', ADDRESS: address });
    vendor.state.audience.tag(member, 'Maintenance Due', true);
    await tell('profile', member);
    expect(await customerOf(member.email_address)).toMatchObject({
      name: member.full_name,
      birthday: '--05-06',
      phone: '+16145550142',
      tags: ['Maintenance Due'],
    });
    const [row] = await rows('select city, country, email_opt_out from customer where tenant_id = $1 and email = $2', [
      member.email_address,
    ]);
    expect(row).toEqual({ city: 'Columbus', country: 'US', email_opt_out: false });
  });

  test('mailchimp: who unsubscribes or bounces is closed at once, who is only archived is gone', async () => {
    const { audience } = vendor.state;
    const [leaves, bounces, goes] = [await somebody(), await somebody(), await somebody()];
    const before = await suppressions();
    // Nothing can be fetched meanwhile: the post alone must do.
    vendor.server.faults.add({ kind: 'status', status: 503, match: /GET .*\/members\//, times: 6 });
    audience.change(leaves.member, { status: 'unsubscribed' });
    await tell('unsubscribe', leaves.member, { 'data[action]': 'unsub', 'data[reason]': 'manual' });
    audience.change(bounces.member, { status: 'cleaned' });
    await tell('cleaned', bounces.member, { 'data[reason]': 'hard' }, 'admin');
    expect(await suppressions()).toBe(before + 2);
    vendor.server.faults.clear();
    audience.change(goes.member, { status: 'archived' });
    await tell('unsubscribe', goes.member, { 'data[action]': 'delete', 'data[reason]': 'manual' }, 'admin');
    expect(await suppressions()).toBe(before + 2);
    expect(await customerOf(goes.member.email_address)).toBeUndefined();
  });

  test('mailchimp: an unsubscribe nobody posted is found by reading, and coming back grants nothing', async () => {
    const { member } = await somebody();
    const before = await suppressions();
    await hub.advance(10 * MINUTE);
    vendor.state.audience.change(member, { status: 'unsubscribed' });
    await read();
    expect(await suppressions()).toBe(before + 1);
    vendor.state.audience.change(member, { status: 'subscribed' });
    await tell('subscribe', member);
    expect(await suppressions()).toBe(before + 1);
  });

  test('mailchimp: another address is another id and the same customer', async () => {
    const { member, customer } = await somebody();
    const old = member.email_address;
    const to = `renamed${people}@people.example`;
    vendor.state.audience.readdress(member, to);
    await tell('upemail', member, { 'data[old_email]': old, 'data[new_email]': to });
    expect((await customerOf(to))?.id).toBe(customer.id);
    // The same without a post: the contact's own id tells.
    const next = `again${people}@people.example`;
    await hub.advance(10 * MINUTE);
    vendor.state.audience.readdress(member, next);
    await read();
    expect((await customerOf(next))?.id).toBe(customer.id);
  });

  test('mailchimp: who is deleted for ever is gone with the post, or with the next look at all ids', async () => {
    const [told, silent] = [await somebody(), await somebody()];
    vendor.state.audience.remove(told.member);
    await tell('unsubscribe', told.member, { 'data[action]': 'delete' }, 'admin');
    expect(await customerOf(told.member.email_address)).toBeUndefined();
    vendor.state.audience.remove(silent.member);
    for (let passes = 0; passes < 3; passes++) await hub.advance(7 * DAY + HOUR);
    expect(await customerOf(silent.member.email_address)).toBeUndefined();
  });
});

describe('webhooks', () => {
  const send = async (url: string, body: string, headers: Record<string, string>): Promise<number> =>
    (await fetch(url, { method: 'POST', body, headers })).status;

  test('mailchimp: the address holds a secret, and nothing of it is kept with a post', async () => {
    const [webhook] = vendor.state.audience.webhooks;
    const { url, body, headers } = vendor.sign(
      webhook!,
      formOf('profile', (await somebody()).member, hub.clock.now()),
      hub.clock.now(),
    );
    const secret = new URL(url).searchParams.get('secret')!;
    expect(secret.length).toBeGreaterThan(20);
    expect(await send(url.replace(secret, `${secret.slice(0, -1)}_`), body, headers)).toBe(401);
    expect(await send(url.split('?')[0]!, body, headers)).toBe(401);
    expect(await send(url, body, headers)).toBe(200);
    const { rows: kept } = await hub.hub.db.statement<{ url: string }>('select url from hook_inbox');
    expect(kept.length).toBeGreaterThan(0);
    for (const row of kept) expect(row.url).not.toContain(secret);
  });

  test('mailchimp: where posts are not signed the secret in the address is enough', async () => {
    const other = await hub.otherTenant();
    vendor.signs = false;
    const made = await hub.connect('mailchimp', { api: other.api });
    await hub.settle();
    const webhook = vendor.state.audience.webhooks.find(({ url }) => url.includes(made.id))!;
    const member = vendor.state.audience.add('unsigned@people.example', { FNAME: 'Una' });
    const { url, body, headers } = vendor.sign(webhook, formOf('subscribe', member, hub.clock.now()), hub.clock.now());
    expect(headers).not.toHaveProperty('x-mailchimp-signature');
    expect(await send(`${url}x`, body, headers)).toBe(401);
    expect(await send(url, body, headers)).toBe(200);
    await hub.settle();
    const { body: found } = await other.api('GET', '/v1/customers?search=unsigned%40people.example');
    expect(found.items).toHaveLength(1);
    vendor.signs = true;
    // Connected again, the address is entered once and from now on signed.
    await hub.connect('mailchimp', { api: other.api });
    const entered = vendor.state.audience.webhooks.filter((one) => one.url.includes(made.id));
    expect(entered).toHaveLength(1);
    expect(await send(url, body, headers)).toBe(401);
    await other.api('DELETE', `/v1/connections/${made.id}`);
  });
});

describe('what people do with campaigns', () => {
  const activities = (customer: string) =>
    rows<Record<string, any>>(
      'select status, direction, automatic, channel, subject, body from activity where tenant_id = $1 and customer_id = $2 order by occurred_at',
      [customer],
    );

  test('mailchimp: opens, clicks and bounces are facts of the person; only a click is their own doing', async () => {
    const { member, customer } = await somebody();
    const campaign = vendor.state.send('Spring check', [member]);
    vendor.state.send('To partners', [member], hub.clock.now(), SECOND_LIST);
    await hub.advance(MINUTE);
    vendor.state.act(campaign, member, { action: 'open' });
    await read();
    await hub.advance(2 * HOUR);
    vendor.state.act(campaign, member, { action: 'click', url: 'https://business.example/spring' });
    vendor.state.act(campaign, member, { action: 'bounce', type: 'soft' });
    const before = vendor.server.journal.length;
    await read();
    expect(await activities(customer.id)).toEqual([
      expect.objectContaining({ status: 'open', direction: 'in', automatic: true, subject: 'About Spring check' }),
      expect.objectContaining({
        status: 'click',
        automatic: false,
        channel: null,
        body: 'https://business.example/spring',
      }),
      expect.objectContaining({ status: 'bounce', automatic: true, body: 'soft' }),
    ]);
    // Only what is new is asked for, of campaigns of this audience.
    const asked = vendor.server.journal.slice(before).filter(({ path }) => path.endsWith('/email-activity'));
    expect(asked.map(({ path }) => path)).toEqual([`/3.0/reports/${campaign.id}/email-activity`]);
    expect(asked[0]!.query).toHaveProperty('since');
  });
});

describe('actions', () => {
  test('mailchimp: a journey is started by the address shown for its trigger', async () => {
    const { member } = await somebody();
    const automation = 'https://us19.api.mailchimp.com/3.0/customer-journeys/journeys/12/steps/34/actions/trigger';
    expect(await act('enrol_in_automation', { automation, about: { contact: member.id } })).toMatchObject({
      state: 'sent',
    });
    expect(vendor.state.started).toEqual([{ what: 'journey:12/34', email: member.email_address }]);
  });

  test('mailchimp: a journey whose answer got lost is not started twice: nobody can be asked', async () => {
    const { member } = await somebody();
    const before = vendor.state.started.length;
    vendor.server.faults.add({ kind: 'cut_after', match: /POST .*\/trigger$/, times: 1 });
    const action = await act('enrol_in_automation', { automation: 'journey:12/34', about: { contact: member.id } });
    for (let times = 0; times < 4; times++) await hub.advance(12 * HOUR);
    const left = (await hub.api('GET', `/v1/actions/${action.id}`)).body;
    expect(left).toMatchObject({ state: 'unknown', attempts: 1 });
    expect(left.detail).toContain('A person decides');
    expect(vendor.state.started).toHaveLength(before + 1);
  });

  test('mailchimp: a journey that was refused for haste is started once afterwards', async () => {
    const { member } = await somebody();
    const before = vendor.state.started.length;
    vendor.server.faults.add({ kind: 'status', status: 403, body: 'Forbidden', match: /POST .*\/trigger$/, times: 1 });
    const action = await act('enrol_in_automation', { automation: 'journey:12/34', about: { contact: member.id } });
    expect(action).toMatchObject({ state: 'planned', reason: 'rate_limited' });
    await hub.advance(2 * MINUTE);
    expect((await hub.api('GET', `/v1/actions/${action.id}`)).body).toMatchObject({ state: 'sent' });
    expect(vendor.state.started).toHaveLength(before + 1);
  });

  test('mailchimp: a tag can be put on without starting what begins with it', async () => {
    const { member } = await somebody();
    await act('add_tag', { tag: 'Gold', about: { contact: member.id } });
    await act('add_tag', { tag: 'Band A', quiet: true, about: { contact: member.id } });
    expect(vendor.state.tagged.slice(-2)).toMatchObject([
      { tag: 'Gold', active: true, quiet: false },
      { tag: 'Band A', active: true, quiet: true },
    ]);
  });

  test('mailchimp: fields are written by their tags, null clears, and nobody is brought back', async () => {
    const { member } = await somebody({ PLAN: 'Gold' });
    const fields = { PLAN: null, LASTCONT: '2026-03-02', vip: true };
    const written = await act('update_field', { object: 'contact', id: member.id, fields });
    expect(written).toMatchObject({
      state: 'sent',
      receipt: { url: expect.stringContaining('us19.admin.mailchimp.com') },
    });
    expect(member).toMatchObject({ vip: true, merge_fields: { PLAN: '', LASTCONT: '2026-03-02' } });
    const wrong = await act('update_field', { object: 'contact', id: member.id, fields: { PLAN: 'Platinum' } });
    expect(wrong).toMatchObject({ state: 'failed', reason: 'invalid', detail: expect.stringContaining('PLAN') });
    const bodies = vendor.server.journal.filter(({ method }) => method === 'PATCH' || method === 'PUT');
    for (const { body } of bodies)
      expect(['unsubscribed', undefined]).toContain((body as Record<string, unknown>).status);
  });

  test('mailchimp: an unsubscribe here is told to Mailchimp, a topic as the interest it belongs to', async () => {
    const { member, customer } = await somebody();
    const consent = async (body: object) => hub.api('POST', `/v1/customers/${customer.id}/consent`, body);
    const given = { channel: 'email', state: 'denied', evidence: 'Said so on the phone.' };
    const topic = await consent({ ...given, topic: 'offers' });
    expect(topic.status, JSON.stringify(topic.body)).toBeLessThan(300);
    await hub.settle();
    expect(member).toMatchObject({ status: 'subscribed', interests: { '9143cf3bd1': false } });
    expect((await consent(given)).status).toBeLessThan(300);
    await hub.settle();
    expect(member.status).toBe('unsubscribed');
    const told = vendor.server.journal.filter(({ method, path }) => method === 'PATCH' && path.endsWith(member.id));
    expect(told).toHaveLength(2);
    await hub.advance(10 * MINUTE);
    await read();
    expect(
      vendor.server.journal.filter(({ method, path }) => method === 'PATCH' && path.endsWith(member.id)),
    ).toHaveLength(2);
  });
});

describe('transport', () => {
  const request = (origin: string, more: Partial<PreparedRequest> = {}): PreparedRequest => ({
    method: 'GET',
    origin,
    path: '/3.0/ping',
    headers: { authorization: `Bearer ${vendor.oauth.allow([])}` },
    secrets: {},
    settings: {},
    signal: AbortSignal.timeout(20_000),
    guarded: false,
    allowedHosts: [],
    ...more,
  });

  test('mailchimp: ten calls at once are never reached, however many want to be made', async () => {
    const limited = await start({ clock: manualClock(AT), app: APP });
    const headers = { authorization: `Bearer ${limited.oauth.allow([])}` };
    const send = await mailchimpTransport();
    const replies = await Promise.all(
      Array.from({ length: 60 }, () => send(request(limited.hosts.us19!, { headers }))),
    );
    expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
    expect(limited.busiest).toBeGreaterThan(1);
    expect(limited.busiest).toBeLessThanOrEqual(5);
    await limited.stop();
  });

  test('mailchimp: a redirect is not followed: the token stays here', async () => {
    let asked = 0;
    const elsewhere = createServer((_request, response) => {
      asked += 1;
      response.end('{}');
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`;
    const send = await mailchimpTransport();
    for (const status of [301, 302, 303, 307, 308]) {
      vendor.server.faults.add({ kind: 'status', status, headers: { location }, times: 1 });
      expect(await send(request(vendor.hosts.us19!))).toMatchObject({ status });
    }
    expect(asked).toBe(0);
    await new Promise((resolve) => elsewhere.close(resolve));
  });

  test('mailchimp: a silent server is given up, and may have acted', async () => {
    const send = await mailchimpTransport();
    vendor.server.faults.add({ kind: 'silent', times: 1 });
    const given = send(request(vendor.hosts.us19!, { timeoutMs: 50 }));
    await expect(given).rejects.toMatchObject({ kind: 'transient', mayHaveActed: true });
  });
});
