import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import connector from '../../connectors/pipedrive/connector.ts';
import { companyHost, tokenCost } from '../../connectors/pipedrive/paths.ts';
import { type PipedriveSandbox, start } from '../../connectors/pipedrive/sandbox.ts';
import { pipedriveTransport } from '../../connectors/pipedrive/transport.ts';
import { manualClock } from '../../src/base/clock.ts';
import { classify } from '../../src/kit/index.ts';
import { projectionTable } from '../../src/model/columns.ts';
import { conformance } from '../conformance/suite.ts';
import { vendorTruth } from '../specs/suite.ts';
import { freePort, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('pipedrive');

const APP = { PIPEDRIVE_CLIENT_ID: 'pipedrive-app', PIPEDRIVE_CLIENT_SECRET: 'pipedrive-secret' };
const AT = '2026-03-02T15:00:00Z';

describe('without a hub', () => {
  test('pipedrive: the host of a company is one of the vendor, whatever the token answer says', () => {
    const api = (api_domain: string) => connector.hostOf?.('api', { settings: {}, secrets: { api_domain } });
    expect(api('https://acme.pipedrive.com/')).toBe('https://acme.pipedrive.com');
    for (const evil of [
      'https://evil.example',
      'https://pipedrive.com.evil.example',
      'http://acme.pipedrive.com',
      'https://a.b@evil.example/.pipedrive.com',
    ])
      expect(companyHost(evil), evil).toBeUndefined();
    expect(
      connector.hostOf?.('oauth', { settings: {}, secrets: { api_domain: 'https://acme.pipedrive.com' } }),
    ).toBeUndefined();
  });

  test('pipedrive: what a call costs is what the description says', () => {
    const cost = (method: string, path: string): number => tokenCost({ method, path });
    expect(cost('GET', '/api/v2/persons')).toBe(10);
    expect(cost('GET', '/api/v2/persons/12')).toBe(1);
    expect(cost('PATCH', '/api/v2/deals/12')).toBe(5);
    expect(cost('GET', '/api/v2/persons/search')).toBe(20);
    expect(cost('GET', '/api/v2/stages')).toBe(5);
    expect(cost('GET', '/v1/users/me')).toBe(2);
    expect(cost('GET', '/v1/notes')).toBe(20);
    expect(cost('POST', '/v1/notes')).toBe(10);
    expect(cost('GET', '/v1/webhooks')).toBe(10);
    expect(cost('DELETE', '/v1/webhooks/7')).toBe(6);
  });

  test('pipedrive: too many at once is a matter of seconds, the tokens of a day one of hours', () => {
    const refused = (remaining: string) =>
      classify(
        connector.errors,
        { status: 429, headers: { 'x-ratelimit-remaining': remaining }, body: {} },
        new Date(AT),
      );
    expect(refused('0')).toMatchObject({ kind: 'rate_limited', until: new Date(Date.parse(AT) + 2000) });
    expect(refused('55')).toMatchObject({ kind: 'quota_exhausted' });
  });
});

describe('with a hub', async () => {
  let vendor: PipedriveSandbox;
  let hub: TestHub;
  let connection: Record<string, any>;
  let person: number;

  beforeAll(async () => {
    const port = await freePort();
    const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
    vendor = await start({ clock, app: APP, limits: false });
    const { company } = vendor;
    hub = await startTestHub({
      at: AT,
      port,
      connectors: ['pipedrive'],
      env: { ...APP, PIPEDRIVE_HOST_API: vendor.hosts.api!, PIPEDRIVE_HOST_OAUTH: vendor.hosts.oauth! },
    });
    const org_id = company.create('organizations', { name: 'Acme Glass' }).id;
    person = company.create('persons', {
      ...{ name: 'Ann Miller', org_id, label_ids: [company.addLabel('personFields', 'VIP')] },
      emails: [
        { value: 'old@example.com', primary: false, label: 'home' },
        { value: 'ann@example.com', primary: true, label: 'work' },
      ],
      phones: [{ value: '+14155551000', primary: true, label: 'mobile' }],
    }).id;
    connection = await hub.connect('pipedrive');
    await hub.settle();
  });
  afterAll(async () => {
    await hub?.stop();
    await vendor?.stop();
  });

  const ann = async (): Promise<Record<string, any>> =>
    (await hub.api('GET', '/v1/customers?search=ann%40example.com')).body.items[0];
  const act = async (kind: string, input: object): Promise<() => Promise<Record<string, any>>> => {
    const { id: customerId } = await ann();
    const made = await hub.api('POST', '/v1/actions', { kind, customerId, connectionId: connection.id, input });
    expect(made.status, JSON.stringify(made.body)).toBe(202);
    await hub.settle();
    return async () => (await hub.api('GET', `/v1/actions/${made.body.id}`)).body;
  };

  test('pipedrive: the main address counts, labels are tags', async () => {
    expect(await ann()).toMatchObject({ company: 'Acme Glass', email: 'ann@example.com', phone: '+14155551000' });
    const { rows } = await hub.hub.db.tenant(hub.tenantId, (tx) =>
      tx.query(`select tags from ${projectionTable('contact')} where tenant_id = $1`, [tx.tenantId]),
    );
    expect(rows).toEqual([{ tags: ['VIP'] }]);
  });

  test('pipedrive: an activity that is done there is done here, and is dated in UTC', async () => {
    const action = await act('create_task', {
      title: 'Call Ann',
      dueAt: '2026-03-05T02:30:00Z',
      about: { contact: String(person) },
    });
    const { nativeId } = (await action()).receipt;
    const { fields } = vendor.company.table('activities').find(Number(nativeId))!;
    expect(fields).toMatchObject({
      due_date: '2026-03-05',
      due_time: '02:30',
      participants: [{ person_id: person, primary: true }],
    });
    hub.clock.advance(2 * MINUTE);
    await vendor.change('activities', Number(nativeId), { done: true });
    await hub.settle();
    expect((await action()).receipt).toMatchObject({ state: 'done' });
  });

  test('pipedrive: a stage by its name, a choice by its label and a field by its code are written as ids', async () => {
    const code = vendor.company.addField('dealFields', 'Heating', 'enum', ['Gas', 'Heat pump']);
    const { id } = vendor.company.create('deals', { title: 'Boiler', status: 'open', person_id: person });
    const choice = vendor.company.fields.dealFields!.at(-1)!.options![1]!.id;
    const stage = vendor.company.stages[2]!;
    const fields = { stage: stage.name.toUpperCase(), Heating: 'heat pump' };
    const action = await act('update_field', { object: 'deal', id: String(id), fields });
    expect(await action()).toMatchObject({ state: 'sent' });
    expect(vendor.company.table('deals').find(id)!.fields).toMatchObject({
      stage_id: stage.id,
      custom_fields: { [code]: choice },
    });
  });

  test('pipedrive: a deal that is won is seen as such, with the names of stage and pipeline', async () => {
    const stage = vendor.company.stages[1]!;
    const { id } = vendor.company.create('deals', { title: 'New roof', status: 'open', stage_id: stage.id, value: 5 });
    hub.clock.advance(2 * MINUTE);
    await vendor.change('deals', id, { status: 'won' });
    await hub.settle();
    const { rows } = await hub.hub.db.tenant(hub.tenantId, (tx) =>
      tx.query("select status, stage, pipeline from deal where tenant_id = $1 and name = 'New roof'", [tx.tenantId]),
    );
    expect(rows).toEqual([{ status: 'won', stage: stage.name, pipeline: 'Sales' }]);
  });

  test('pipedrive: a webhook that was taken away is entered again the next day', async () => {
    vendor.company.hooks.splice(0, 2);
    for (let hours = 0; hours < 26; hours += 2) await hub.advance(120 * MINUTE);
    expect(vendor.company.hooks.map(({ event_object }) => event_object).sort()).toEqual([
      'activity',
      'deal',
      'organization',
      'person',
    ]);
  });

  test('pipedrive: a silent server is given up', async () => {
    const send = await pipedriveTransport();
    vendor.server.faults.add({ kind: 'silent', times: 1, match: /GET \/api\/v2\/stages/ });
    const asked = send({
      ...{ method: 'GET', path: '/api/v2/stages', origin: vendor.hosts.api!, headers: {}, secrets: {}, settings: {} },
      ...{ signal: AbortSignal.timeout(200), guarded: false, allowedHosts: [] },
    });
    await expect(asked).rejects.toMatchObject({ kind: 'transient', mayHaveActed: true });
  });

  await vendorTruth('pipedrive', () => vendor.server, { part: 'special' });
});
