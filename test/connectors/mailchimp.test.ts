import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { start } from '../../connectors/mailchimp/sandbox.ts';
import { mailchimpTransport } from '../../connectors/mailchimp/transport.ts';
import { manualClock } from '../../src/base/clock.ts';
import type { PreparedRequest } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { DAY, HOUR, MINUTE } from '../support/hub.ts';
import { APP, AT, type Mailchimp, SECOND_LIST, startMailchimp } from './mailchimp.setup.ts';

await conformance('mailchimp');

let { vendor, hub, connection, somebody, customerOf, tell, read, rows }: Mailchimp = {} as Mailchimp;
let stop: Mailchimp['stop'] | undefined;

beforeAll(async () => {
  ({ vendor, hub, connection, somebody, customerOf, tell, read, rows, stop } = await startMailchimp());
});

afterAll(() => stop?.());

beforeEach(() => vendor.server.faults.clear());

const suppressions = async (): Promise<number> =>
  (await rows('select 1 from suppression where tenant_id = $1 and lifted_at is null')).length;

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
    const { member, customer, n } = await somebody();
    const old = member.email_address;
    const to = `renamed${n}@people.example`;
    vendor.state.audience.readdress(member, to);
    await tell('upemail', member, { 'data[old_email]': old, 'data[new_email]': to });
    expect((await customerOf(to))?.id).toBe(customer.id);
    // The same without a post: the contact's own id tells.
    const next = `again${n}@people.example`;
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
