import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkCallback, signedText } from '../../connectors/shopify/callback.ts';
import connector from '../../connectors/shopify/connector.ts';
import { MOST, requestedCost } from '../../connectors/shopify/cost.ts';
import { type ShopifySandbox, start } from '../../connectors/shopify/sandbox.ts';
import { shopifyTransport } from '../../connectors/shopify/transport.ts';
import { GRAPHQL } from '../../connectors/shopify/version.ts';
import { manualClock } from '../../src/base/clock.ts';
import { type EntityKind, hmacSha256, type ListPosition, type VendorContext } from '../../src/kit/index.ts';
import { projectionTable } from '../../src/model/columns.ts';
import { nextPosition, type Page } from '../../src/sync/paging.ts';
import { conformance } from '../conformance/suite.ts';
import { vendorTruth } from '../specs/suite.ts';
import { freePort, HOUR, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('shopify');

const APP = { SHOPIFY_CLIENT_ID: 'shopify-app', SHOPIFY_CLIENT_SECRET: 'shopify-secret' };
const AT = '2026-03-02T15:00:00Z';
const SHOP = 'green-lane.myshopify.com';

const streamOf = (name: string) => connector.streams.find((stream) => stream.name === name)!;

describe('without a hub', () => {
  const app = { clientId: 'shopify-app', clientSecret: 'shopify-secret' };

  test('shopify: a way back that is not signed, or of another shop, connects nothing', async () => {
    const { shopifyApi, ApiVersion } = await import('@shopify/shopify-api');
    await import('@shopify/shopify-api/adapters/node');
    const now = new Date();
    const query: Record<string, string> = {
      ...{ code: 'a b+c', shop: SHOP, state: 'x&y=z', host: 'YWRt' },
      timestamp: String(Math.floor(now.getTime() / 1000)),
    };
    query.hmac = hmacSha256(app.clientSecret, signedText(query)).toString('hex');
    // The vendor's own package finds the same signature right.
    const theirs = shopifyApi({
      ...{ apiKey: app.clientId, apiSecretKey: app.clientSecret, hostName: 'hub.example', isEmbeddedApp: false },
      ...{ apiVersion: ApiVersion.October26, logger: { log: () => undefined } },
    });
    expect(await theirs.utils.validateHmac({ ...query })).toBe(true);
    const known = { app, settings: { shop: SHOP }, now };
    expect(checkCallback(query, known)).toBeUndefined();
    expect(checkCallback({ ...query, code: 'another' }, known)).toContain('not signed');
    expect(checkCallback(query, { ...known, settings: { shop: 'other.myshopify.com' } })).toContain(
      'You entered other',
    );
    expect(checkCallback(query, { ...known, now: new Date(now.getTime() + 2 * MINUTE) })).toContain('too long');
  });

  test('shopify: a token is sent to addresses of shops only', () => {
    const hostOf = (shop: unknown) => connector.hostOf('api', { settings: { shop }, secrets: {} });
    expect(hostOf(SHOP)).toBe(`https://${SHOP}`);
    for (const evil of ['evil.example', `${SHOP}.evil.example`, `evil.example/${SHOP}`, `${SHOP}/..`, '', 7])
      expect(hostOf(evil), String(evil)).toBeUndefined();
  });

  test('shopify: a page is never dearer than one query may be, however much is mapped', async () => {
    const paths = Array.from({ length: 40 }, (_, n) => `metafields.custom.field_${n}`);
    const ctx = { paths: () => paths, features: ['companies', 'staff'] } as unknown as VendorContext;
    for (const { name, list } of connector.streams) {
      const { json } = await list!(ctx, { limit: 250 } as ListPosition);
      const { query, variables } = json as { query: string; variables: { first: number } };
      expect(variables.first, name).toBeGreaterThan(0);
      const points = requestedCost(query, variables);
      expect(points, name).toBeLessThanOrEqual(MOST);
      if (variables.first < 250) expect(points, name).toBeGreaterThan(MOST / 2);
    }
  });

  test('shopify: a list that ends before everything was shown is read to its real end', () => {
    const stream = streamOf('customers');
    const time = (n: number): string => new Date(Date.parse(AT) + n * 1000).toISOString();
    const page = (from: number): Page => ({
      reply: {
        ...{ status: 200, headers: {} },
        body: { data: { customers: { pageInfo: { hasNextPage: true, endCursor: `c${from}` } } } },
      },
      records: [0, 1].map((n) => ({ id: `${from + n}`, vendorAt: time(from + n) })) as unknown as Page['records'],
      ...{ size: 2, nameless: 0 },
    });
    const ctx = {} as VendorContext;
    const near = nextPosition(stream.paging!, stream, { pages: 498, listed: 24_950, token: 'c8' }, page(9), ctx);
    expect(near).toMatchObject({ since: time(10) });
    expect(near).not.toHaveProperty('token');
    expect(near).not.toHaveProperty('listed');
    const far = nextPosition(stream.paging!, stream, { pages: 3, listed: 150, token: 'c8' }, page(9), ctx);
    expect(far).toMatchObject({ token: 'c9', listed: 200 });
    // Whoever ignores the order would have some skipped.
    const mixed = { ...page(9), records: page(9).records.toReversed() };
    expect(() => nextPosition(stream.paging!, stream, { pages: 498, listed: 24_950 }, mixed, ctx)).toThrow(
      'ignores the order',
    );
  });
});

describe('with a hub', async () => {
  let vendor: ShopifySandbox;
  let hub: TestHub;
  let connection: Record<string, any>;
  let ann: string;

  beforeAll(async () => {
    const port = await freePort();
    const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
    vendor = await start({ clock, app: APP, hookUrl: `http://127.0.0.1:${port}/hooks/shopify` });
    const env = { ...APP, SHOPIFY_HOST_API: vendor.hosts.api! };
    hub = await startTestHub({ at: AT, port, connectors: ['shopify'], env });
    vendor.fill!();
    ann = String(vendor.state.tables.Customer.all()[0]!.legacyResourceId);
    connection = await hub.connect('shopify', { settings: { shop: SHOP } });
    await hub.settle();
  });
  afterAll(async () => {
    await hub?.stop();
    await vendor?.stop();
  });

  const act = async (kind: string, input: object): Promise<Record<string, any>> => {
    const { status, body } = await hub.api('POST', '/v1/actions', { kind, input, connectionId: connection.id });
    expect(status, JSON.stringify(body)).toBe(202);
    await hub.settle();
    return (await hub.api('GET', `/v1/actions/${body.id}`)).body;
  };
  const deed = (name: string, fields: Record<string, string>): Promise<string> =>
    vendor.deeds!.find((one) => one.name === name)!.act(fields);
  const records = async (kind: EntityKind, id: string): Promise<Record<string, any>[]> =>
    (
      await hub.hub.db.tenant(hub.tenantId, (tx) =>
        tx.query(`select * from ${projectionTable(kind)} where tenant_id = $1 and remote_id = $2`, [hub.tenantId, id]),
      )
    ).rows;

  test('shopify: connecting tells the shop, its zone and what it may', async () => {
    const { body } = await hub.api('GET', `/v1/connections/${connection.id}`);
    expect(body).toMatchObject({ state: 'active', account: { id: '548380009', name: 'Green Lane Garden Supplies' } });
    expect(body.health, JSON.stringify(body.health)).toMatchObject({ ok: true });
    const refused = await hub.api('POST', '/v1/connections', {
      connector: 'shopify',
      settings: { shop: 'evil.example' },
    });
    expect(refused.status).toBe(422);
  });

  test('shopify: a tagged order that is fulfilled is a completed job, and one that is paid a paid invoice', async () => {
    const order = vendor.state.tables.Order.all().find(({ tags }) => (tags as string[]).includes('Service'))!;
    const id = String(order.legacyResourceId);
    expect(await records('job', id)).toMatchObject([{ status: 'requested', kind: 'service' }]);
    await deed('fulfil-order', { order: id });
    await deed('pay-order', { order: id });
    await hub.settle();
    expect(await records('job', id)).toMatchObject([{ status: 'completed', title: 'Hedge trimming' }]);
    expect(await records('invoice', id)).toMatchObject([{ status: 'paid', number: order.name }]);
    const other = vendor.state.tables.Order.all().find(({ tags }) => (tags as string[]).length === 0)!;
    expect(await records('job', String(other.legacyResourceId))).toEqual([]);
  });

  test('shopify: more payments than an order shows at first are all read', async () => {
    const order = String(vendor.state.create('Order', {}).legacyResourceId);
    const paid = Array.from({ length: 13 }, () => vendor.state.pay(order, {}));
    await hub.api('POST', `/v1/connections/${connection.id}/sync`, {});
    await hub.settle();
    for (const id of paid)
      expect(await records('payment', id), id).toMatchObject([{ kind: 'payment', status: 'succeeded' }]);
  });

  test('shopify: an unsubscribe at Shopify counts here', async () => {
    await deed('unsubscribe', { customer: ann });
    await hub.settle();
    expect(await records('contact', ann)).toMatchObject([{ email_opt_out: true, sms_opt_out: false }]);
  });

  test('shopify: each consent is taken back where it stands', async () => {
    const [, ben] = vendor.state.tables.Customer.all();
    const contact = String(ben!.legacyResourceId);
    const address = (ben!.defaultPhoneNumber as { phoneNumber: string }).phoneNumber;
    for (const channel of ['sms', 'whatsapp'])
      expect(await act('record_opt_out', { channel, address, contact })).toMatchObject({ state: 'sent' });
    expect(vendor.state.find('Customer', contact)!.defaultPhoneNumber).toMatchObject({
      smsMarketingConsent: { state: 'UNSUBSCRIBED' },
      whatsAppMarketingConsent: { state: 'UNSUBSCRIBED' },
    });
  });

  test('shopify: a tag of ours leaves the others alone', async () => {
    vendor.state.change('Customer', ann, { tags: ['wholesale', 'VIP'] });
    expect(await act('add_tag', { tag: 'follow-up', about: { contact: ann } })).toMatchObject({ state: 'sent' });
    expect(await act('remove_tag', { tag: 'vip', about: { contact: ann } })).toMatchObject({ state: 'sent' });
    expect(vendor.state.find('Customer', ann)!.tags).toEqual(['wholesale', 'follow-up']);
  });

  test('shopify: a score is written as a metafield, and cleared', async () => {
    const written = (): unknown => vendor.state.find('Customer', ann)!.metafields;
    const write = (score: number | null) =>
      act('update_field', { object: 'contact', id: ann, fields: { score, 'facts.birth_date': '1980-04-01' } });
    expect(await write(87)).toMatchObject({ state: 'sent' });
    expect(written()).toEqual([
      { namespace: 'rapport', key: 'score', value: '87' },
      { namespace: 'facts', key: 'birth_date', value: '1980-04-01' },
    ]);
    expect(await write(null)).toMatchObject({ state: 'sent' });
    expect(written()).toEqual([{ namespace: 'facts', key: 'birth_date', value: '1980-04-01' }]);
    await hub.advance(5 * MINUTE);
    expect(await records('contact', ann)).toMatchObject([{ birthday: '1980-04-01' }]);
  });

  test('shopify: a subscription that Shopify deleted is made again within a day', async () => {
    const topics = () => vendor.state.subscriptions.map(({ topic }) => topic);
    const before = topics();
    expect(before).toContain('ORDERS_UPDATED');
    expect(new Set(before).size).toBe(before.length);
    vendor.state.subscriptions.splice(0, 5);
    await hub.advance(25 * HOUR);
    expect(topics().sort()).toEqual(before.sort());
  });

  test('shopify: a silent shop is given up', async () => {
    const send = await shopifyTransport();
    const remove = vendor.faults!.add({ kind: 'silent' });
    const json = { query: 'query Shop { shop { id } }', variables: {} };
    const asked = send({
      ...{ method: 'POST', path: GRAPHQL, origin: vendor.hosts.api!, headers: {}, secrets: { accessToken: 'x' } },
      ...{ settings: {}, signal: AbortSignal.timeout(200), guarded: false, allowedHosts: [], json },
    });
    await expect(asked).rejects.toMatchObject({ kind: 'transient', mayHaveActed: true });
    remove();
  });

  // The connection waits to be authorised again afterwards.
  test('shopify: a shop that was renamed is not followed', async () => {
    const location = `${vendor.hosts.api}/elsewhere`;
    const remove = vendor.faults!.add({ kind: 'status', status: 301, headers: { location }, match: / AddTag$/ });
    const row = await act('add_tag', { tag: 'late', about: { contact: ann } });
    remove();
    expect(row, JSON.stringify(row)).toMatchObject({ state: 'planned' });
    const { body } = await hub.api('GET', `/v1/connections/${connection.id}`);
    expect(body).toMatchObject({ state: 'needs_reauthorisation' });
    expect(body.health.sentence).toContain('another address');
    expect(vendor.server.journal.some(({ path }) => path === '/elsewhere')).toBe(false);
  });

  await vendorTruth('shopify', () => vendor.server, { part: 'special' });
});
