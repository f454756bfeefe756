import { describe, expect, test } from 'vitest';
import connector from '../../connectors/quickbooks/connector.ts';
import { parseQuery } from '../../connectors/quickbooks/sandbox.query.ts';
import { start } from '../../connectors/quickbooks/sandbox.ts';
import { webhooks } from '../../connectors/quickbooks/webhooks.ts';
import { manualClock } from '../../src/base/clock.ts';
import { classify, type HookEvent, type Reply } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { hasPlatform, platformFile } from '../specs/platforms.ts';
import { QUICKBOOKS_FILES } from '../specs/readers/quickbooks.ts';
import { readXsd } from '../specs/readers/xsd.ts';
import { APP, AT, ask, tokenOf } from './quickbooks.setup.ts';

await conformance('quickbooks');

const NOW = new Date(AT);

const replyOf = (status: number, body: unknown, headers: Record<string, string> = {}): Reply => ({
  status,
  body,
  headers,
});
const fault = (code: string, type = 'ValidationFault') => ({
  Fault: { Error: [{ Message: 'No', Detail: 'because', code }], type },
});

describe('refusals', () => {
  const kindOf = (reply: Reply) => classify(connector.errors, reply, NOW)?.kind;

  test.each([
    [403, '003100', 'auth_revoked'],
    [403, '5020', 'forbidden'],
    [400, '5020', 'forbidden'],
    [400, '120', 'forbidden'],
    [401, '120', 'forbidden'],
    [400, '610', 'not_found'],
    [400, '6240', 'conflict'],
    [400, '6140', 'conflict'],
    [400, '6190', 'paused'],
    [400, '6200', 'invalid'],
    [400, '6210', 'invalid'],
    [400, '6000', 'invalid'],
    [400, '2500', 'invalid'],
    [400, '2010', 'invalid'],
    [400, '5010', 'transient'],
    [429, '003001', 'rate_limited'],
    [400, '3001', 'rate_limited'],
    [500, '10000', 'transient'],
    [200, '610', 'not_found'],
  ] as const)('quickbooks: faults in all their forms: %i with code %s is %s', (status, code, kind) => {
    expect(kindOf(replyOf(status, fault(code)))).toBe(kind);
  });

  test('quickbooks: faults in all their forms: of the gateway, in XML, inside of a list', () => {
    const message = 'message=AuthenticationFailed; errorCode=003200; statusCode=401';
    for (const error of [{ message, code: '3200' }, { message }])
      expect(kindOf(replyOf(401, { fault: { error: [error], type: 'AUTHENTICATION' } }))).toBe('auth_expired');
    const xml =
      '<?xml version="1.0"?><IntuitResponse><Fault type="AUTHENTICATION"><Error code="003200"><Message>no</Message></Error></Fault></IntuitResponse>';
    expect(kindOf(replyOf(401, xml))).toBe('auth_expired');
    expect(kindOf(replyOf(200, { QueryResponse: {} }))).toBeUndefined();
    expect(kindOf(replyOf(200, { QueryResponse: fault('2010') }))).toBe('invalid');
    expect(kindOf(replyOf(200, { CDCResponse: [fault('4001')] }))).toBe('invalid');
    expect(kindOf(replyOf(200, { CDCResponse: [{ QueryResponse: [fault('610')] }] }))).toBe('not_found');
    expect(kindOf(replyOf(200, { Fault: { Error: [], type: 'ValidationFault' } }))).toBe('invalid');
    expect(kindOf(replyOf(200, { Fault: { Error: [], type: 'SERVICE' } }))).toBe('unknown');
  });

  test('quickbooks: faults say whether it may have acted, when to come again, and what support asks for', () => {
    const error = (reply: Reply) => classify(connector.errors, reply, NOW);
    expect(error(replyOf(503, ''))).toMatchObject({ kind: 'transient', mayHaveActed: true });
    const system = replyOf(400, fault('1', 'SystemFault'));
    expect(error(system)).toMatchObject({ kind: 'transient', mayHaveActed: true });
    const stale = { mayHaveActed: false, until: new Date(NOW.getTime() + 5_000) };
    expect(error(replyOf(400, fault('5010')))).toMatchObject(stale);
    expect(error(replyOf(429, ''))?.until).toEqual(new Date(NOW.getTime() + 60_000));
    expect(error(replyOf(429, '', { 'retry-after': '7' }))?.until).toEqual(new Date(NOW.getTime() + 7_000));
    const traced = replyOf(400, fault('6000'), { intuit_tid: '1-abc' });
    expect(error(traced)?.message).toBe('QuickBooks says: No: because (intuit_tid 1-abc)');
  });
});

test('quickbooks: who is connected, with a zone only where one is given', async () => {
  const account = async (
    info: Record<string, unknown>,
    settings: Record<string, unknown> = {},
    callback: Record<string, string> = { realmId: '42' },
  ) =>
    connector.account(
      { account: { id: '', name: '' }, settings, call: async () => replyOf(200, { CompanyInfo: info }) } as never,
      callback,
    );
  const zone = 'America/Denver';
  expect(await account({ CompanyName: 'Acme', Country: 'US' })).toEqual({ id: '42', name: 'Acme' });
  expect(await account({ CompanyName: 'Acme', DefaultTimeZone: zone })).toMatchObject({ timeZone: zone });
  expect(await account({ CompanyName: 'Acme', DefaultTimeZone: 'Mountain time' })).not.toHaveProperty('timeZone');
  expect(await account({ LegalName: 'Acme Inc', DefaultTimeZone: zone }, { timeZone: 'Europe/Berlin' })).toEqual({
    id: '42',
    name: 'Acme Inc',
    timeZone: 'Europe/Berlin',
  });
  await expect(account({}, {}, {})).rejects.toThrow(/which company/);
});

describe('the simulation', () => {
  test('quickbooks: the simulation reads the query language and refuses what the vendor refuses', () => {
    const good = parseQuery(
      "select * from Invoice where Balance > '0' and DueDate < '2026-03-01' and CustomerRef = '5' orderby MetaData.LastUpdatedTime desc startposition 11 maxresults 10",
    );
    expect(good).toMatchObject({ entity: 'Invoice', count: false, start: 11, max: 10 });
    const row = (record: Record<string, unknown>) => ({ record, at: 0 });
    expect(good.matches(row({ Balance: 5, DueDate: '2026-02-01', CustomerRef: { value: '5' } }))).toBe(true);
    expect(good.matches(row({ Balance: 0, DueDate: '2026-02-01', CustomerRef: { value: '5' } }))).toBe(false);
    const quoted = parseQuery("SELECT COUNT(*) FROM Customer WHERE DisplayName = 'O\\'Brien'");
    expect(quoted.matches(row({ DisplayName: "O'Brien" }))).toBe(true);
    for (const refused of [
      "select * from Invoice where Balance > '0' or TotalAmt > '0'",
      'select * from Invoice where Balance > 0',
      "select * from Invoice where PrivateNote = 'x'",
      "select * from Invoice, Customer where Id = '1'",
      'select * from Invoice group by CustomerRef',
      "select * from Invoice where Balance != '0'",
      'select * from Invoice maxresults 1001',
      'select * from Invoice startposition 0',
      'select * from Ledger',
      "select * from Invoice where Id in ('1', '2'",
      "select * from Customer where DisplayName = 'O'Brien'",
      "select * from Invoice where MetaData.LastUpdatedTime > 'yesterday'",
      'delete from Invoice',
      '',
    ])
      expect(() => parseQuery(refused), refused).toThrow(/Error parsing query|QueryValidationError/);
  });

  test('quickbooks: the simulation answers like the vendor: XML without Accept, its own companies only, a hundred unless asked', async () => {
    const sandbox = await start({ clock: manualClock(AT), app: APP, limits: false });
    const { state } = sandbox;
    const { Id } = state.addCustomer({ DisplayName: 'Customer' });
    for (let n = 0; n < 1_200; n++) state.addInvoice({ customer: Id, amount: n }, new Date(NOW.getTime() - n * 1000));
    const token = await tokenOf(sandbox);
    const base = `/v3/company/${state.realm}`;
    const query = (text: string) => `/query?query=${encodeURIComponent(text)}`;
    const all = await ask(sandbox, token, base + query('select * from Invoice maxresults 1000'));
    expect(all.body.QueryResponse).toMatchObject({ startPosition: 1, maxResults: 1000 });
    const some = await ask(sandbox, token, base + query('select * from Invoice'));
    expect(some.body.QueryResponse.Invoice).toHaveLength(100);
    const none = await ask(sandbox, token, base + query("select * from Invoice where DocNumber = 'none'"));
    expect(none.body.QueryResponse).toEqual({});
    expect((await ask(sandbox, token, `/v3/company/77${query('select * from Invoice')}`)).status).toBe(403);
    expect((await ask(sandbox, token, base + query('select * from Invoice'), 'text/html')).body).toContain('<?xml');
    for (const refused of ['entities=Invoice&changedSince=2026-01-01', 'entities=TimeActivity&changedSince=2026-03-01'])
      expect((await ask(sandbox, token, `${base}/cdc?${refused}`)).status, refused).toBe(400);
    expect((await ask(sandbox, token, `${base}/invoice/99999`)).body.Fault.Error[0].code).toBe('610');
    await sandbox.stop();
  });
});

describe.skipIf(!hasPlatform('quickbooks'))('what the vendor publishes (skipped without it)', () => {
  const events = (body: Buffer | string): HookEvent[] =>
    webhooks.events({ method: 'POST', url: '', headers: {}, body: Buffer.from(body) }, undefined);
  const sample = (file: string): string => platformFile('quickbooks', `samples/${file}`);

  test("quickbooks: the publisher's own samples of webhooks are read", () => {
    expect(events(sample('webhook.cloudevents.account-created.json'))).toEqual([]);
    expect(events(sample('webhook.legacy.json'))).toEqual([]);
    expect(events(sample('webhook.cloudevents.salesreceipt-updated.json'))).toMatchObject([
      { type: 'record', stream: 'sales_receipts', id: '150', change: 'changed' },
    ]);
    expect(events(sample('webhook.cloudevents.customer-merged.json'))).toMatchObject([
      {
        type: 'record',
        stream: 'customers',
        id: '27',
        into: '123',
        change: 'merged',
        at: new Date('2025-12-04T15:25:05Z'),
      },
    ]);
    const ofInvoice = sample('webhook.cloudevents.account-created.json').replace('account', 'invoice');
    expect(events(ofInvoice)).toMatchObject([
      { stream: 'invoices', id: '1234', account: '310687', at: new Date('2025-09-10T21:31:25.179Z') },
    ]);
    expect(events(sample('webhook.legacy.json').replace('Account', 'Invoice'))).toMatchObject([
      { stream: 'invoices', id: '1234', account: '310687', change: 'changed' },
    ]);
  });

  test('quickbooks: what queries filter and sort by is published as such', () => {
    const schemas = readXsd(QUICKBOOKS_FILES.map((file) => platformFile('quickbooks', file)));
    const updated = schemas.describe('ModificationMetaData', 'LastUpdatedTime');
    expect(updated).toMatch(/Filterable:\s*ALL/);
    expect(updated).toMatch(/Sortable:\s*ALL/);
    expect(schemas.describe('Invoice', 'Id')).toMatch(/Filterable:\s*ALL/);
  });

  test('quickbooks: the token answer is read as published', async () => {
    const sandbox = await start({ clock: manualClock(AT), app: APP });
    await tokenOf(sandbox);
    const { reply } = sandbox.server.journal.find(({ path: address }) => address.endsWith('/tokens/bearer'))!;
    await sandbox.stop();
    const { id_token: _, ...published } = JSON.parse(sample('oauth.token-response.json'));
    expect(Object.keys(reply as object).sort()).toEqual(Object.keys(published).sort());
    const lives = ({ expires_in, x_refresh_token_expires_in, token_type }: any) => [
      expires_in,
      x_refresh_token_expires_in,
      token_type,
    ];
    expect(lives(reply)).toEqual(lives(published));
  });
});
