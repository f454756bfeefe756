import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fullId } from '../../connectors/salesforce/api.ts';
import connector from '../../connectors/salesforce/connector.ts';
import { hostOf } from '../../connectors/salesforce/hosts.ts';
import { type SalesforceSandbox, start } from '../../connectors/salesforce/sandbox.ts';
import { salesforceTransport } from '../../connectors/salesforce/transport.ts';
import { manualClock } from '../../src/base/clock.ts';
import { originOf } from '../../src/connections/vendors.ts';
import { classify } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { DAY, HOUR, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('salesforce');

const APP = { SALESFORCE_CLIENT_ID: 'salesforce-app', SALESFORCE_CLIENT_SECRET: 'salesforce-secret' };
const AT = '2026-03-02T15:00:00Z';

describe('without a hub', () => {
  test('salesforce: every organisation is asked at its own address, and no token goes to one of somebody else', () => {
    const at = (instance_url: string) => hostOf('api', { settings: {}, secrets: { instance_url } });
    expect(at('https://acme.my.salesforce.com')).toBe('https://acme.my.salesforce.com');
    expect(at('https://acme--dev.sandbox.my.salesforce.com/')).toBe('https://acme--dev.sandbox.my.salesforce.com');
    for (const other of [
      'http://acme.my.salesforce.com',
      'https://acme.my.salesforce.com.evil.example',
      'https://evilsalesforce.com',
      'https://acme.my.salesforce.com:8443',
      'https://user@acme.my.salesforce.com',
      'nonsense',
    ])
      expect(at(other), other).toBeUndefined();
    // Two organisations at once.
    const origins = ['one', 'two'].map((name) =>
      originOf({ env: {} } as never, connector, 'api', {
        settings: {},
        secrets: { instance_url: `https://${name}.my.salesforce.com` },
      }),
    );
    expect(origins).toEqual(['https://one.my.salesforce.com', 'https://two.my.salesforce.com']);
  });

  test('salesforce: people log in at production, at the host of sandboxes or at their own domain', () => {
    const login = (settings: Record<string, unknown>) =>
      originOf({ env: {} } as never, connector, 'login', { settings, secrets: {} });
    expect(login({})).toBe('https://login.salesforce.com');
    expect(login({ environment: 'sandbox' })).toBe('https://test.salesforce.com');
    expect(login({ domain: 'acme' })).toBe('https://acme.my.salesforce.com');
    expect(login({ domain: 'https://acme--dev.sandbox.my.salesforce.com/home' })).toBe(
      'https://acme--dev.sandbox.my.salesforce.com',
    );
    expect(login({ domain: 'acme.lightning.force.com' })).toBe('https://acme.my.salesforce.com');
    expect(login({ domain: 'evil.example' })).toBe('https://login.salesforce.com');
  });

  test('salesforce: ids of 15 characters become those of 18', () => {
    expect(fullId('0032o00003WauzJ')).toBe('0032o00003WauzJAAR');
    expect(fullId('0014H00002x6HUh')).toBe('0014H00002x6HUhQAM');
    expect(fullId('0034H00002JsInQ')).toBe('0034H00002JsInQQAV');
    expect(fullId('0032o00003WauzJAAR')).toBe('0032o00003WauzJAAR');
  });

  const refused = (status: number, body: unknown, headers: Record<string, string> = {}) =>
    classify(connector.errors, { status, body, headers }, new Date(AT));

  test('salesforce: one code for two limits is told apart by what is left of the allowance', () => {
    const body = [{ errorCode: 'REQUEST_LIMIT_EXCEEDED', message: 'Limit exceeded.' }];
    expect(refused(403, body, { 'sforce-limit-info': 'api-usage=10018/100000' })).toMatchObject({
      kind: 'rate_limited',
    });
    const gone = { kind: 'quota_exhausted', until: new Date('2026-03-02T16:00:00Z') };
    expect(refused(403, body, { 'sforce-limit-info': 'api-usage=100000/100000' })).toMatchObject(gone);
    expect(refused(403, body)).toMatchObject(gone);
  });

  test('salesforce: a failure among results with status 200 is a failure, and the one that caused the others is told', () => {
    const result = { success: false, errors: [{ statusCode: 'UNABLE_TO_LOCK_ROW', message: 'unable to lock' }] };
    expect(refused(200, [{ id: '1', success: true, errors: [] }, result])).toMatchObject({
      kind: 'transient',
      mayHaveActed: false,
    });
    const halted = { httpStatusCode: 400, body: [{ errorCode: 'PROCESSING_HALTED', message: 'rolled back' }] };
    const cause = { httpStatusCode: 400, body: [{ errorCode: 'STRING_TOO_LONG', message: 'too long' }] };
    expect(refused(200, { compositeResponse: [halted, cause] })).toMatchObject({
      kind: 'invalid',
      message: 'too long',
    });
    const flow = [
      { actionName: 'x', isSuccess: false, errors: [{ statusCode: 'EMAIL_OPTED_OUT', message: 'opted out' }] },
    ];
    expect(refused(200, flow)).toMatchObject({ kind: 'recipient_opted_out' });
    expect(refused(200, [{ actionName: 'x', isSuccess: true, errors: null }])).toBeUndefined();
  });

  test('salesforce: a session that no new token helps asks for a person instead of refreshing for ever', () => {
    const body = [{ errorCode: 'INVALID_SESSION_ID', message: 'This session is not valid for use with the REST API' }];
    expect(refused(401, body)).toMatchObject({ kind: 'auth_revoked' });
    expect(refused(401, [{ errorCode: 'INVALID_SESSION_ID', message: 'Session expired or invalid' }])).toMatchObject({
      kind: 'auth_expired',
    });
  });
});

describe('with a hub', () => {
  let vendor: SalesforceSandbox;
  let hub: TestHub;
  let connection: Record<string, any>;
  let accountId: string;
  let ann: { id: string; customerId: string };

  beforeAll(async () => {
    const clock = { now: () => hub?.clock.now() ?? new Date(AT), sleep: manualClock(AT).sleep };
    vendor = await start({ clock, app: APP });
    const { state } = vendor;
    accountId = state.create('Account', { Name: 'Acme Glass', Website: 'https://acme.example', Type: 'Customer' }).Id;
    const { Id: contact } = state.create('Contact', {
      FirstName: 'Ann',
      LastName: 'Miller',
      Email: 'ann@example.com',
      MobilePhone: '+14155551000',
      Birthdate: '1980-05-17',
      AccountId: accountId,
    });
    const { Id: deal } = state.create('Opportunity', { Name: 'Windows', AccountId: accountId, Amount: 1200.5 });
    state.create('OpportunityContactRole', { OpportunityId: deal, ContactId: contact, IsPrimary: true });
    state.create('Lead', {
      LastName: 'Keller',
      Company: 'Keller Works',
      Email: 'keller@example.com',
      IsConverted: false,
    });
    const { api, login, test: sandboxes } = vendor.hosts;
    const env = { ...APP, SALESFORCE_HOST_API: api!, SALESFORCE_HOST_LOGIN: login!, SALESFORCE_HOST_TEST: sandboxes! };
    hub = await startTestHub({ at: AT, connectors: ['salesforce'], env });
    connection = await hub.connect('salesforce');
    await hub.settle();
    ann = { id: contact, customerId: (await search('ann@example.com'))[0]!.id };
  });
  afterAll(async () => {
    await hub?.stop();
    await vendor?.stop();
  });

  const search = async (text: string): Promise<Record<string, any>[]> =>
    (await hub.api('GET', `/v1/customers?search=${encodeURIComponent(text)}`)).body.items;

  const entities = async (table: string): Promise<Record<string, any>[]> =>
    (
      await hub.hub.db.tenant(hub.tenantId, (tx) =>
        tx.query(`select * from ${table} where tenant_id = $1`, [tx.tenantId]),
      )
    ).rows;

  /** Plans an action about Ann and lets it happen. */
  const act = async (kind: string, input: Record<string, unknown>): Promise<Record<string, any>> => {
    const body = { kind, customerId: ann.customerId, connectionId: connection.id, input, class: 'transactional' };
    const planned = await hub.api('POST', '/v1/actions', body);
    expect(planned.status, JSON.stringify(planned.body)).toBe(202);
    await hub.settle();
    return (await hub.api('GET', `/v1/actions/${planned.body.id}`)).body;
  };
  const again = async (id: string): Promise<Record<string, any>> => (await hub.api('GET', `/v1/actions/${id}`)).body;

  const asked = (pattern: RegExp): string[] =>
    vendor.server.journal.flatMap(({ query }) => (pattern.test(String(query.q ?? '')) ? [String(query.q)] : []));

  const settings = async (values: Record<string, unknown>): Promise<void> => {
    const path = `/v1/connections/${connection.id}`;
    const etag = (await hub.api('GET', path)).headers.get('etag')!;
    expect((await hub.api('PATCH', path, { settings: values }, { 'if-match': etag })).status).toBe(200);
  };

  test('salesforce: connecting tells the organisation, its zone and its address', async () => {
    expect(connection).toMatchObject({ state: 'active', account: { id: vendor.orgId, name: 'Acme Glass' } });
    expect(JSON.stringify(connection)).toContain('https://acme.my.salesforce.com');
  });

  test('salesforce: contacts know their account, deals the person first in them, leads are people too', async () => {
    expect((await search('Ann Miller'))[0]).toMatchObject({ company: 'Acme Glass', email: 'ann@example.com' });
    const [deal] = await entities('deal');
    expect(deal).toMatchObject({ name: 'Windows', status: 'open', stage: 'Prospecting', customer_id: ann.customerId });
    expect(await search('keller@example.com')).toHaveLength(1);
    expect(await entities('company')).toHaveLength(1);
  });

  test('salesforce: asks for what is mapped and may be seen; a field that is hidden does not stop the reading', async () => {
    expect(asked(/FROM Contact$/).at(-1)).toMatch(/SELECT .*MobilePhone.*FROM Contact$/);
    expect(asked(/FROM Account/).join()).not.toContain('IsPersonAccount');
    vendor.state.hidden.set('Contact', new Set(['Birthdate']));
    const { Id } = vendor.state.create('Contact', { LastName: 'Hidden', Email: 'hidden@example.com' });
    await hub.advance(2 * HOUR);
    expect(await search('hidden@example.com')).toHaveLength(1);
    expect(asked(/FROM Contact WHERE SystemModstamp/).at(-1)).not.toContain('Birthdate');
    vendor.state.hidden.clear();
    vendor.state.remove('Contact', Id);
    await hub.advance(HOUR);
    expect(await search('hidden@example.com')).toHaveLength(0);
  });

  test('salesforce: deleted for good within the days the vendor lists is deleted here', async () => {
    const { Id } = vendor.state.create('Contact', { LastName: 'Erased', Email: 'erased@example.com' });
    await hub.advance(HOUR);
    expect(await search('erased@example.com')).toHaveLength(1);
    vendor.state.purge('Contact', Id);
    await hub.advance(DAY + HOUR);
    expect(await search('erased@example.com')).toHaveLength(0);
  });

  test('salesforce: a task done there counts here, in whatever words, and a case closed comes back', async () => {
    const task = await act('create_task', {
      title: 'Call back',
      dueAt: '2026-03-20T02:00:00Z',
      about: { contact: ann.id },
    });
    expect(task, JSON.stringify(task)).toMatchObject({ state: 'sent', receipt: { state: 'Not Started' } });
    // Two in the morning in Greenwich is the evening before in New York.
    expect(vendor.state.table('Task').find(task.receipt.nativeId)!.values).toMatchObject({
      WhoId: ann.id,
      ActivityDate: '2026-03-19',
      ReminderDateTime: '2026-03-20T02:00:00Z',
    });
    const ticket = await act('create_ticket', { title: 'Leak', about: { contact: ann.id, company: accountId } });
    // It is for whoever looks after Ann: rules of assignment must not give it to somebody else.
    const posted = vendor.server.journal.findLast(({ method, path }) => method === 'POST' && path.endsWith('/Case'));
    expect(posted!.headers['sforce-auto-assign']).toBe('FALSE');
    vendor.state.change('Task', task.receipt.nativeId, { Status: 'Completed' });
    vendor.state.change('Case', ticket.receipt.nativeId, { Status: 'Closed' });
    await hub.advance(6 * MINUTE);
    expect(await again(task.id)).toMatchObject({ receipt: { state: 'Completed' } });
    expect(await again(ticket.id)).toMatchObject({ receipt: { state: 'Closed' } });
    expect(await entities('activity')).toEqual([expect.objectContaining({ kind: 'task', subject: 'Call back' })]);
    expect((await entities('ticket')).find(({ subject }) => subject === 'Leak')).toMatchObject({ status: 'closed' });
  });

  test('salesforce: what people do there starts what happens there: a stage, a closed case, a completed job', async () => {
    const sequence = async (key: string, trigger: Record<string, unknown>, step: Record<string, unknown>) => {
      const made = await hub.api('POST', '/v1/sequences', {
        ...{ key, title: key, class: 'transactional', topic: 'service', triggers: [trigger], per: 'subject' },
        ...{ again: { policy: 'always' }, exits: [], steps: [{ id: 'do', do: step }] },
      });
      expect(made.status, JSON.stringify(made.body)).toBeLessThan(300);
      const etag = (await hub.api('GET', `/v1/sequences/${key}`)).headers.get('etag')!;
      const on = await hub.api('POST', `/v1/sequences/${key}/switch`, { on: true }, { 'if-match': etag });
      expect(on.status, JSON.stringify(on.body)).toBeLessThan(300);
    };
    const task = (title: string) => ({ kind: 'create_task', input: { title } });
    await sequence(
      'won',
      { name: 'deal.stage_changed', settings: { to: ['Closed Won'] } },
      task('Thank {{ customer.name }}'),
    );
    const note = { kind: 'add_note', input: { body: 'The case of {{ customer.name }} was closed' } };
    await sequence('closed', { name: 'ticket.closed' }, note);
    await sequence('served', { name: 'job.completed' }, task('Ask {{ customer.name }} how it went'));
    const { state } = vendor;
    await hub.advance(6 * MINUTE);
    const about = { ContactId: ann.id, AccountId: accountId };
    const { Id: ticket } = state.create('Case', { Subject: 'Broken pane', ...about });
    const { Id: job } = state.create('WorkOrder', { Subject: 'New pane', Status: 'In Progress', ...about });
    await hub.advance(6 * MINUTE);
    const made = (): unknown[] => [
      ...state.all('Task').map(({ Subject, WhoId }) => `${WhoId === ann.id ? 'Ann' : WhoId}: ${Subject}`),
      ...state.all('ContentNote').map(({ Content }) => Buffer.from(String(Content), 'base64').toString()),
    ];
    const before = made().length;
    state.change('Opportunity', state.all('Opportunity')[0]!.Id, { StageName: 'Closed Won' });
    state.change('Case', ticket, { Status: 'Closed' });
    state.change('WorkOrder', job, { Status: 'Completed', EndDate: '2026-03-02T15:00:00.000+0000' });
    for (let times = 0; times < 3; times++) await hub.advance(6 * MINUTE);
    expect(made().slice(0, -1)).toEqual(
      expect.arrayContaining(['Ann: Thank Ann Miller', 'Ann: Ask Ann Miller how it went']),
    );
    expect(made()).toContain('<p>The case of Ann Miller was closed</p>');
    expect(made()).toHaveLength(before + 3);
  });

  test('salesforce: where there is a field for our id Salesforce itself makes no second one', async () => {
    vendor.state.addField('Task', 'Rapport_Action_Id__c', { externalId: true });
    await hub.advance(2 * HOUR);
    const heal = vendor.server.faults.add({
      kind: 'cut_after',
      times: 1,
      match: /^PATCH .*\/Task\/Rapport_Action_Id__c\//,
    });
    const planned = await act('create_task', {
      title: 'Marked',
      dueAt: '2026-03-20T15:00:00Z',
      about: { contact: ann.id },
    });
    for (let times = 0; times < 5; times++) await hub.advance(2 * MINUTE);
    heal();
    const done = vendor.state.all('Task').filter(({ Subject }) => Subject === 'Marked');
    expect(done).toEqual([expect.objectContaining({ Rapport_Action_Id__c: planned.id })]);
    expect(done[0]!.Description).toBeUndefined();
    expect(await again(planned.id)).toMatchObject({ state: 'sent', receipt: { nativeId: done[0]!.Id } });
  });

  test('salesforce: a custom object is read as what a setting says it is', async () => {
    vendor.state.schema.set('Visit__c', { ...vendor.state.object('WorkOrder'), name: 'Visit__c', prefix: 'a02' });
    vendor.state.create('Visit__c', {
      Subject: 'Gutter',
      Status: 'Completed',
      ContactId: ann.id,
      EndDate: '2026-03-01T10:00:00.000+0000',
    });
    await settings({ jobObject: 'Visit__c' });
    const { body } = await hub.api('POST', `/v1/connections/${connection.id}/sync`, { full: true });
    expect(JSON.stringify(body)).not.toContain('error');
    await hub.settle();
    expect(await entities('job')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ title: 'Gutter', status: 'completed', customer_id: ann.customerId }),
      ]),
    );
  });

  test('salesforce: a place in a long list that the vendor forgot begins the reading anew', async () => {
    const { state } = vendor;
    for (let n = 0; n < 2100; n++)
      state.create('EmailMessage', {
        Subject: `Mail ${n}`,
        Incoming: true,
        FromAddress: `p${n}@example.com`,
        MessageDate: '2026-03-01T10:00:00.000+0000',
      });
    let forgot = 0;
    const heal = vendor.server.faults.add({
      kind: 'rewrite',
      match: /\/query$/,
      rewrite: (body) => {
        const isFirst = (body as { nextRecordsUrl?: string }).nextRecordsUrl !== undefined && forgot++ === 0;
        if (isFirst) state.places.clear();
        return body;
      },
    });
    const { api } = await hub.otherTenant();
    await hub.connect('salesforce', { api });
    await hub.settle();
    for (let times = 0; times < 3; times++) await hub.advance(MINUTE);
    heal();
    expect(forgot).toBeGreaterThan(1);
    const { body } = await api('GET', '/v1/streams');
    const read = body.items.find(({ stream }: { stream: string }) => stream === 'emails');
    expect(read, JSON.stringify(read)).toMatchObject({ phase: 'incremental', run: { seen: 2100 } });
  });

  test('salesforce: an unsubscribe sets the opt-out of everybody with the address, lead or contact', async () => {
    vendor.state.create('Lead', { LastName: 'Miller', Company: 'Acme', Email: 'ann@example.com', IsConverted: false });
    const done = await act('record_opt_out', { channel: 'email', address: 'ann@example.com', contact: ann.id });
    expect(done.state, JSON.stringify(done)).toBe('sent');
    const people = [...vendor.state.all('Contact'), ...vendor.state.all('Lead')];
    const out = people
      .filter(({ Email }) => Email === 'ann@example.com')
      .map(({ HasOptedOutOfEmail }) => HasOptedOutOfEmail);
    expect(out).toEqual([true, true]);
  });

  test('salesforce: many rows are exported, waited for and read in parts, and are as queries show them', async () => {
    const { state, server } = vendor;
    const [odd, plain] = state.all('EmailMessage');
    state.change('EmailMessage', odd!.Id, { Subject: 'Said "a, b"\nand c', Incoming: false });
    state.change('EmailMessage', plain!.Id, { FromAddress: null });
    await hub.advance(6 * MINUTE);
    await settings({ exportFrom: 2000 });
    const before = server.journal.length;
    await hub.api('POST', `/v1/connections/${connection.id}/sync`, { full: true, streams: ['emails'] });
    await hub.settle();
    const meanwhile = (await hub.api('GET', '/v1/streams')).body.items.find(({ stream }: any) => stream === 'emails');
    expect(meanwhile.error).toContain('still writing the export');
    for (let times = 0; times < 3; times++) await hub.advance(MINUTE);
    const calls = server.journal.slice(before).filter(({ path }) => path.includes('/jobs/query'));
    expect(calls.map(({ method, path }) => `${method} ${path.split('/').at(-1)}`)).toEqual([
      'POST query',
      expect.stringMatching(/^GET 750/),
      expect.stringMatching(/^GET 750/),
      'GET results',
      'GET results',
    ]);
    const read = (await hub.api('GET', '/v1/streams')).body.items.find(({ stream }: any) => stream === 'emails');
    // All of them were read before by queries: none differs.
    expect(read, JSON.stringify(read)).toMatchObject({ phase: 'incremental', error: null, run: { changed: 0 } });
    expect(read.run.seen).toBe(2100);
  });

  test('salesforce: a silent server is given up, and an answer that breaks off ends one call and not the program', async () => {
    const send = await salesforceTransport();
    const request = {
      method: 'GET',
      path: '/services/oauth2/userinfo',
      origin: vendor.hosts.api!,
      headers: {},
    } as const;
    const rest = { secrets: {}, settings: {}, guarded: false, allowedHosts: ['127.0.0.1'] };
    for (const kind of ['silent', 'truncated'] as const) {
      const heal = vendor.server.faults.add({ kind });
      const failure = await send({ ...request, ...rest, signal: AbortSignal.timeout(300) }).catch((error) => error);
      heal();
      expect(failure, kind).toMatchObject({ kind: 'transient' });
    }
  });
});
