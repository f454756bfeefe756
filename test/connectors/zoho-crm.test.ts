import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import connector from '../../connectors/zoho-crm/connector.ts';
import { fieldGroups } from '../../connectors/zoho-crm/records.ts';
import { hostOf } from '../../connectors/zoho-crm/regions.ts';
import { start, type ZohoSandbox } from '../../connectors/zoho-crm/sandbox.ts';
import { manualClock } from '../../src/base/clock.ts';
import { originOf } from '../../src/connections/vendors.ts';
import { classify, type Reply, type VendorContext } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { vendorTruth } from '../specs/suite.ts';
import { freePort, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('zoho-crm');

const APP = { ZOHO_CRM_CLIENT_ID: 'zoho-app', ZOHO_CRM_CLIENT_SECRET: 'zoho-secret' };
const AT = '2026-03-02T15:00:00Z';

describe('without a hub', () => {
  const known = (settings: Record<string, string>, secrets: Record<string, string> = {}) => ({ settings, secrets });
  const origin = (host: string, at: ReturnType<typeof known>): string =>
    originOf({ env: {} } as never, connector, host, at);

  test('zoho-crm: the redirect picks the data centre, and whatever it says leads nowhere but to Zoho', () => {
    expect(origin('api', known({ location: 'eu' }))).toBe('https://www.zohoapis.eu');
    expect(origin('accounts', known({ location: 'au' }))).toBe('https://accounts.zoho.com.au');
    expect(origin('accounts', known({ 'accounts-server': 'https://accounts.zohocloud.ca' }))).toBe(
      'https://accounts.zohocloud.ca',
    );
    for (const evil of ['https://accounts.zoho.com.evil.example', 'https://evil.example', 'eu@evil', '__proto__']) {
      const settings = { location: evil, 'accounts-server': evil };
      expect(origin('accounts', known(settings))).toBe('https://accounts.zoho.com');
      expect(origin('api', known(settings, { api_domain: evil }))).toBe('https://www.zohoapis.com');
    }
    expect(hostOf('api', known({}, { api_domain: 'https://sandbox.zohoapis.eu/' }))).toBe(
      'https://sandbox.zohoapis.eu',
    );
  });

  const refused = (reply: Partial<Reply>) =>
    classify(connector.errors, { status: 200, headers: {}, body: {}, ...reply }, new Date(AT));
  const row = (code: string, message: string, details: object = {}) => ({
    data: [{ code, message, details, status: 'error' }],
  });

  test('zoho-crm: a refused row in an answer that looks good is a refusal, and a good one is none', () => {
    expect(
      refused({ body: row('MANDATORY_NOT_FOUND', 'required field not found', { api_name: 'Subject' }) }),
    ).toMatchObject({ kind: 'invalid', message: expect.stringContaining('field Subject') });
    expect(refused({ body: row('DUPLICATE_DATA', 'duplicate data', { id: '77' }) })).toMatchObject({
      kind: 'conflict',
      existingId: '77',
    });
    expect(refused({ body: row('RECORD_LOCKED', 'locked') })).toMatchObject({ kind: 'transient', mayHaveActed: false });
    expect(refused({ status: 202, body: row('INVALID_DATA', 'the id given seems to be invalid.') })?.kind).toBe(
      'not_found',
    );
    // Records have statuses of their own.
    expect(
      refused({
        body: {
          data: [
            { id: '1', status: 'error' },
            { id: '2', Status: 'error' },
          ],
        },
      }),
    ).toBeUndefined();
    expect(refused({ status: 204, body: undefined })).toBeUndefined();
  });

  test('zoho-crm: too many at once is waited out, and credits that are gone are a matter of hours', () => {
    const body = { code: 'TOO_MANY_REQUESTS', message: 'too many requests fired', status: 'error' };
    expect(refused({ status: 429, body })).toMatchObject({ kind: 'rate_limited' });
    const headers = { 'x-api-credits-remaining': '0' };
    expect(refused({ status: 429, body, headers })).toMatchObject({ kind: 'quota_exhausted' });
  });

  test('zoho-crm: more mapped fields than one call takes are asked for in several', () => {
    const paths = ['id', 'Owner.id', 'Owner.name', ...Array.from({ length: 70 }, (_, n) => `Field_${n}`)];
    const groups = fieldGroups({ paths: () => paths } as unknown as VendorContext, 'contacts');
    expect(groups.map((group) => group.length)).toEqual([50, 23]);
    expect(new Set(groups.flat())).toEqual(new Set(['Owner', 'Modified_Time', ...paths.slice(3)]));
  });
});

describe('with a hub', async () => {
  let vendor: ZohoSandbox;
  let hub: TestHub;
  let connection: Record<string, any>;
  let contact: string;

  beforeAll(async () => {
    const port = await freePort();
    const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
    vendor = await start({ clock, app: APP, limits: false });
    // Another name of the same machine, so that one sees which address was asked.
    const europe = vendor.hosts.api!.replace('127.0.0.1', 'localhost');
    hub = await startTestHub({
      at: AT,
      port,
      connectors: ['zoho-crm'],
      env: {
        ...APP,
        ZOHO_CRM_HOST_API: vendor.hosts.api!,
        ZOHO_CRM_HOST_ACCOUNTS: vendor.hosts.accounts!,
        ZOHO_CRM_HOST_API_EU: europe,
        ZOHO_CRM_HOST_ACCOUNTS_EU: europe,
      },
    });
    vendor.region = 'eu';
    const company = vendor.org.create('Accounts', { Account_Name: 'Acme Glass' });
    contact = vendor.org.create('Contacts', {
      ...{ First_Name: 'Ann', Last_Name: 'Miller', Email: 'ann@example.com', Mobile: '+14155551000' },
      ...{ Account_Name: { id: company.id, name: 'Acme Glass' }, Tag: [{ id: '1', name: 'VIP' }] },
    }).id;
    connection = await hub.connect('zoho-crm');
    await hub.settle();
  });
  afterAll(async () => {
    await hub?.stop();
    await vendor?.stop();
  });

  const ann = async (): Promise<Record<string, any>> =>
    (await hub.api('GET', '/v1/customers?search=ann%40example.com')).body.items[0];

  test('zoho-crm: an account in Europe is asked for tokens and records in Europe', async () => {
    const asked = vendor.server.journal.filter(({ path }) => !path.endsWith('/auth'));
    expect(asked.length).toBeGreaterThan(5);
    expect(new Set(asked.map(({ headers }) => headers.host?.split(':')[0]))).toEqual(new Set(['localhost']));
    expect(await ann()).toMatchObject({ company: 'Acme Glass', phone: '+14155551000' });
    vendor.oauth.expireAll();
    await hub.api('POST', `/v1/connections/${connection.id}/test`);
    expect(vendor.oauth.counts.refreshes).toBeGreaterThan(0);
    expect(vendor.server.journal.at(-1)?.headers.host).toContain('localhost');
  });

  test('zoho-crm: a token endpoint that is asked too often ends nothing', async () => {
    vendor.oauth.expireAll();
    vendor.server.faults.add({
      ...{ kind: 'status', status: 200, body: { error: 'access_denied' }, times: 1 },
      match: /POST \/oauth\/v2\/token$/,
    });
    await hub.api('POST', `/v1/connections/${connection.id}/test`);
    await hub.advance(10 * MINUTE);
    const { body } = await hub.api('GET', `/v1/connections/${connection.id}`);
    expect(body.state).toBe('active');
  });

  test('zoho-crm: a task done at Zoho is done here, told by a notification that brings no field', async () => {
    const { id: customerId } = await ann();
    const planned = await hub.api('POST', '/v1/actions', {
      ...{ kind: 'create_task', customerId, connectionId: connection.id },
      input: { title: 'Call Ann', dueAt: '2026-03-05T02:00:00Z' },
    });
    expect(planned.status, JSON.stringify(planned.body)).toBe(202);
    await hub.settle();
    const action = async () => (await hub.api('GET', `/v1/actions/${planned.body.id}`)).body;
    const { nativeId } = (await action()).receipt;
    const task = vendor.org.table('Tasks').find(nativeId)!;
    // The day where the organisation is, and the person it is about.
    expect(task.fields).toMatchObject({ Due_Date: '2026-03-04', Who_Id: { id: contact }, Status: 'Not Started' });
    hub.clock.advance(2 * MINUTE);
    await vendor.change('Tasks', nativeId, { Status: 'Completed' });
    await hub.settle();
    expect((await action()).receipt).toMatchObject({ state: 'Completed' });
  });

  test('zoho-crm: a deal that is won and a case that is closed are seen as such, by the label of their stage', async () => {
    const won = vendor.org.addStage('Sold and paid', 'Closed Won');
    const link = { Contact_Name: { id: contact } };
    const deal = vendor.org.create('Deals', { Deal_Name: 'New boiler', Stage: 'Negotiation', ...link });
    const ticket = vendor.org.create('Cases', { Subject: 'Leak', Status: 'New', Related_To: { id: contact } });
    await hub.api('POST', `/v1/connections/${connection.id}/sync`, {});
    await hub.settle();
    hub.clock.advance(2 * MINUTE);
    await vendor.change('Deals', deal.id, { Stage: won.actual_value });
    await vendor.change('Cases', ticket.id, { Status: 'Closed' });
    await hub.settle();
    const rows = await hub.hub.db.tenant(hub.tenantId, async (tx) => ({
      deals: (await tx.query('select status, stage from deal where tenant_id = $1', [tx.tenantId])).rows,
      tickets: (await tx.query('select status from ticket where tenant_id = $1', [tx.tenantId])).rows,
    }));
    expect(rows.deals).toEqual([{ status: 'won', stage: 'Sold and paid' }]);
    expect(rows.tickets).toEqual([{ status: 'closed' }]);
  });

  test('zoho-crm: the choices of a picklist are discovered with value and label', async () => {
    const { body } = await hub.api('GET', `/v1/connections/${connection.id}/fields/cases`);
    const status = (body.items ?? body.fields ?? body).find((field: { name: string }) => field.name === 'Status');
    expect(JSON.stringify(status)).toContain('Escalated');
  });

  await vendorTruth('zoho-crm', () => vendor.server, { part: 'special' });
});
