import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { QuickBooksSandbox } from '../../connectors/quickbooks/sandbox.ts';
import { streams } from '../../connectors/quickbooks/streams.ts';
import { vendorTruth } from '../specs/suite.ts';
import { DAY, HOUR, MINUTE } from '../support/hub.ts';
import { Books } from './quickbooks.setup.ts';

const EARLIER = new Date('2026-02-01T10:00:00Z');
const CUSTOMERS = 1_150;

let books: Books;
let vendor: QuickBooksSandbox;

function fill({ state }: QuickBooksSandbox): void {
  state.info.CompanyName = 'Northwind Heating';
  const address = { City: 'Boston', CountrySubDivisionCode: 'MA', PostalCode: '02101', Country: 'USA' };
  for (let n = 0; n < CUSTOMERS; n++) {
    state.addCustomer(
      {
        GivenName: 'Ann',
        FamilyName: `Miller ${n}`,
        PrimaryEmailAddr: { Address: `ann${n}@example.com` },
        PrimaryPhone: { FreeFormNumber: `(415) 555-${1000 + n}` },
        BillAddr: { Line1: `${n} Elm St`, ...address },
      },
      new Date(EARLIER.getTime() + n * 1000),
    );
  }
  // An import of the accountant's: more of one second than two pages hold.
  for (let n = 0; n < 2_300; n++) {
    const customer = String(1 + (n % CUSTOMERS));
    state.addInvoice({ customer, amount: 10, issued: '2026-01-10', due: '2026-06-30' }, EARLIER);
  }
}

beforeAll(async () => {
  books = await Books.open(fill);
  ({ vendor } = books);
}, 120_000);

afterAll(async () => books?.close());

afterEach(() => books.calm());

test('quickbooks: the first load reads every page, more equal times than two pages included', async () => {
  expect(books.connection).toMatchObject({
    state: 'active',
    account: { id: vendor.state.realm, name: 'Northwind Heating' },
  });
  expect(await books.stream('customers')).toMatchObject({ records: CUSTOMERS, phase: 'incremental', error: null });
  expect(await books.stream('invoices')).toMatchObject({
    records: 2_300,
    phase: 'incremental',
    error: null,
    parked: 0,
  });
});

test('quickbooks: every call names the company, the minor version and JSON, and no page position while data moves', async () => {
  const calls = vendor.server.journal.filter((exchange) => exchange.path.startsWith('/v3/'));
  expect(calls.length).toBeGreaterThan(10);
  for (const { path, query, headers } of calls) {
    expect(path).toContain(`/v3/company/${vendor.state.realm}/`);
    expect(query.minorversion).toBe('75');
    expect(headers.accept).toBe('application/json');
    const text = String(query.query ?? '');
    if (/startposition (?!1 )/.test(text)) expect(text).toMatch(/>= '([^']+)' and MetaData.LastUpdatedTime < '/);
  }
});

test('quickbooks: one record is a person and a company', async () => {
  const customer = await books.newCustomer({
    CompanyName: 'Boiler Works LLC',
    DisplayName: 'Boiler Works',
    Mobile: { FreeFormNumber: '0171 1234567' },
    BillAddr: { Line1: 'Hauptstr. 1', Line2: 'Hof', City: 'Berlin', Country: 'DEU' },
    PrimaryEmailAddr: { Address: 'office@boiler.example, boss@boiler.example' },
  });
  const [found] = await books.search(customer.name);
  expect(found).toMatchObject({
    company: 'Boiler Works LLC',
    email: 'office@boiler.example',
    country: 'DE',
    phone: '+491711234567',
    status: 'customer',
  });
  const [row] = await books.select(
    'select emails, address_line, external_ids from customer where tenant_id = $1 and id = $2',
    customer.hubId,
  );
  expect(row).toMatchObject({
    emails: ['office@boiler.example', 'boss@boiler.example'],
    address_line: 'Hauptstr. 1, Hof',
    external_ids: [`quickbooks:${vendor.state.realm}:${customer.id}`],
  });
});

test('quickbooks: sub-customers and projects are their parent, whoever arrives first', async () => {
  const parent = await books.newCustomer();
  const sub = vendor.state.addCustomer({
    DisplayName: 'Roof',
    ParentRef: { value: parent.id },
    Job: true,
    PrimaryEmailAddr: { Address: 'site@example.com' },
    BillAddr: { City: 'Elsewhere' },
  });
  const deep = vendor.state.addCustomer({ DisplayName: 'North side', ParentRef: { value: sub.Id }, IsProject: true });
  const owed = vendor.state.addInvoice({ customer: deep.Id, amount: 70, due: '2026-03-01' });
  await vendor.announce([
    { entity: 'Invoice', operation: 'created', id: owed.Id },
    { entity: 'Customer', operation: 'created', id: deep.Id },
  ]);
  await books.rest();
  await vendor.announce([{ entity: 'Customer', operation: 'created', id: sub.Id }]);
  await books.rest();
  expect((await books.documents(parent.hubId)).invoice).toMatchObject([{ balance: '70' }]);
  expect((await books.search(parent.name))[0]).toMatchObject({ email: parent.email, sources: 3 });
  expect(await books.search('Roof')).toHaveLength(0);
  expect(await books.select("select 1 from customer where tenant_id = $1 and city = 'Elsewhere'")).toHaveLength(0);
});

test('quickbooks: the status follows from the amounts', async () => {
  const { id } = await books.newCustomer();
  const add = (amount = 100) => vendor.state.addInvoice({ customer: id, amount, due: '2026-03-01' });
  const [open, partial, paid, voided, zero] = [add(), add(), add(), add(), add(0)];
  vendor.payQuietly(partial.Id, 30);
  vendor.payQuietly(paid.Id, 100);
  vendor.state.voidInvoice(voided.Id);
  await books.read('invoices');
  for (const [made, status, balance] of [
    [open, 'open', '100'],
    [partial, 'partial', '70'],
    [paid, 'paid', '0'],
    [voided, 'void', '0'],
    [zero, 'paid', '0'],
  ] as const) {
    expect(await books.invoice(made.Id)).toMatchObject({ status, balance });
  }
  const overdue = await books.select(
    "select balance from invoice where tenant_id = $1 and balance > 0 and due_on < '2026-03-02' and customer_ref like '%/' || $2 and status <> 'void'",
    id,
  );
  expect(overdue).toHaveLength(2);
});

test('quickbooks: an invoice is whole: dates, lines, mail, link for the customer', async () => {
  const { id } = await books.newCustomer();
  const made = vendor.state.addInvoice({
    customer: id,
    amount: 120.5,
    issued: '2026-02-10',
    due: '2026-03-12',
    email: 'Pay@Example.com, second@example.com',
    description: 'Boiler service',
    serviceOn: '2026-02-09',
    online: true,
  });
  const plain = vendor.state.addInvoice({ customer: id, amount: 5 });
  await books.read('invoices');
  const whole = {
    total: '120.5',
    currency: 'USD',
    issued_on: '2026-02-10',
    due_on: '2026-03-12',
    email: 'pay@example.com',
    url: expect.stringContaining('https://connect.intuit.com/'),
    lines: [{ description: 'Boiler service', quantity: 1, amount: 120.5, service_on: '2026-02-09' }],
    native_status: 'NotSet',
  };
  expect(await books.invoice(made.Id)).toMatchObject(whole);
  expect((await books.invoice(plain.Id)).url).toBeNull();
  // Read at its own address it is the same.
  const before = vendor.server.journal.length;
  await vendor.announce([{ entity: 'Invoice', operation: 'updated', id: made.Id }]);
  await books.rest();
  expect(books.asked(before)).toEqual([`GET /invoice/${made.Id}`]);
  expect(await books.invoice(made.Id)).toMatchObject(whole);
});

test('quickbooks: payment links are left out when the connection says so', async () => {
  await books.set({ paymentLinks: false });
  const { id } = await books.newCustomer();
  const made = vendor.state.addInvoice({ customer: id, amount: 5, online: true });
  await books.read('invoices');
  expect((await books.invoice(made.Id)).url).toBeNull();
  await books.set({ paymentLinks: true });
  vendor.state.change('Invoice', made.Id, { DueDate: '2026-05-01' });
  await books.read('invoices');
  expect((await books.invoice(made.Id)).url).toContain('https://connect.intuit.com/');
});

test('quickbooks: estimates, recurring templates and time find their customer', async () => {
  const { id, hubId } = await books.newCustomer();
  const { state } = vendor;
  for (const status of ['Pending', 'Accepted', 'Rejected', 'Converted', 'Closed']) state.addEstimate(id, 50, status);
  state.addEstimate(id, 50, 'Closed', { LinkedTxn: [{ TxnId: '1', TxnType: 'Invoice' }] });
  const schedule = { IntervalType: 'Monthly', NumInterval: 1, StartDate: '2026-01-01', NextDate: '2026-04-01' };
  const sold = { CustomerRef: { value: id } };
  state.addRecurring('Invoice', { ...sold, TotalAmt: 49 }, schedule, { Name: 'Service plan' });
  state.addRecurring('Invoice', { ...sold, TotalAmt: 20 }, schedule, { Name: 'Paused plan', Active: false });
  state.addRecurring('Bill', { VendorRef: { value: '9' }, TotalAmt: 999, PrivateNote: 'rent' }, schedule);
  const work = { ItemRef: { value: '3', name: 'Installation' }, HourlyRate: 60, Hours: 1, Minutes: 30 };
  state.addTime(id, { ...work, TxnDate: '2026-02-27' });
  await books.read('estimates', 'recurring', 'time_activities');
  const all = await books.documents(hubId);
  expect(all.deal!.map((deal) => `${deal.nativeStatus} ${deal.status}`).sort()).toEqual([
    'Accepted won',
    'Closed lost',
    'Closed won',
    'Converted won',
    'Pending open',
    'Rejected lost',
  ]);
  expect(all.subscription).toHaveLength(2);
  expect(all.subscription).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ name: 'Service plan', status: 'active', amount: '49' }),
      expect.objectContaining({ name: 'Paused plan', status: 'paused' }),
    ]),
  );
  expect(all.job).toMatchObject([
    { kind: 'Installation', status: 'completed', completedOn: '2026-02-27', amount: '90' },
  ]);
  const kept = await books.select(
    "select payload from source_record where tenant_id = $1 and payload->>'type' = 'Bill'",
  );
  expect(kept).toEqual([{ payload: { Id: expect.any(String), type: 'Bill' } }]);
});

test('quickbooks: money without an invoice counts too, and what was given back', async () => {
  const { id, hubId } = await books.newCustomer();
  const sale = vendor.state.addReceipt('SalesReceipt', id, 80);
  vendor.state.addReceipt('RefundReceipt', id, 15);
  await books.read('sales_receipts', 'refund_receipts');
  const money = async () => (await books.documents(hubId)).payment!;
  const common = { status: 'succeeded', currency: 'USD', paidOn: '2026-03-02', method: 'Cash' };
  expect(await money()).toHaveLength(2);
  expect(await money()).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ ...common, kind: 'payment', amount: '80', unapplied: '0' }),
      expect.objectContaining({ ...common, kind: 'refund', amount: '15' }),
    ]),
  );
  vendor.state.change('SalesReceipt', sale.Id, { TotalAmt: 0, PrivateNote: 'Voided' });
  await vendor.announce([{ entity: 'SalesReceipt', operation: 'voided', id: sale.Id }]);
  await books.rest();
  expect((await money()).find((item) => item.kind === 'payment')).toMatchObject({ status: 'void', amount: '0' });
});

test('quickbooks: reads only what changed, and a late index loses nothing', async () => {
  const { id } = await books.newCustomer();
  await books.hub.advance(2 * HOUR);
  const before = vendor.server.journal.length;
  vendor.state.lateIndexMs = 60_000;
  const made = vendor.state.addInvoice({ customer: id, amount: 33 });
  await books.read('invoices');
  expect(await books.invoice(made.Id)).toBeUndefined();
  vendor.state.lateIndexMs = 0;
  await books.hub.advance(2 * MINUTE);
  await books.read('invoices');
  expect(await books.invoice(made.Id)).toMatchObject({ total: '33' });
  const queries = vendor.server.journal.slice(before).filter((exchange) => exchange.path.endsWith('/query'));
  for (const { reply } of queries) expect((reply as any).QueryResponse.maxResults ?? 0).toBeLessThan(10);
});

test('quickbooks: what changes between two pages is neither lost nor doubled', async () => {
  let pages = 0;
  vendor.state.beforeQuery = (query) => {
    if (query.entity !== 'Customer' || query.count || ++pages !== 2) return;
    vendor.state.change('Customer', '3', { FamilyName: 'Moved' });
    vendor.state.change('Customer', '4', { Active: false });
  };
  const wanted = { full: true, streams: ['customers'] };
  await books.hub.api('POST', `/v1/connections/${books.connection.id}/sync`, wanted);
  await books.rest();
  expect(pages).toBeGreaterThan(1);
  expect((await books.stream('customers')).error).toBeNull();
  expect(await books.search('Ann Moved')).toHaveLength(1);
  expect(await books.search('ann3@example.com')).toHaveLength(0);
  const { length } = await books.select(
    'select 1 from source_record r join stream s on s.tenant_id = r.tenant_id and s.id = r.stream_id where r.tenant_id = $1 and s.name = $2',
    'customers',
  );
  expect(length).toBe(vendor.state.all('Customer').length);
});

test('quickbooks: reading twice changes nothing', async () => {
  await books.read();
  const count = async () => (await books.select('select count(*)::int as n from change where tenant_id = $1'))[0]!.n;
  const before = await count();
  await books.hub.api('POST', `/v1/connections/${books.connection.id}/sync`, { full: true });
  await books.rest();
  expect(await count()).toBe(before);
  expect((await books.stream('invoices')).error).toBeNull();
});

test('quickbooks: inactive customers leave and come back', async () => {
  const { id, name } = await books.newCustomer();
  vendor.state.change('Customer', id, { Active: false });
  await books.read('customers');
  expect(await books.search(name)).toHaveLength(0);
  await vendor.edit('Customer', id, { Active: true });
  await books.rest();
  expect(await books.search(name)).toHaveLength(1);
});

test('quickbooks: deletions nobody announced come with the daily list of changes', async () => {
  const { invoice: id } = await books.debtor();
  vendor.state.deleteInvoice(id);
  await books.read('invoices');
  expect((await books.invoice(id)).deleted_at).toBeNull();
  await books.hub.advance(DAY + HOUR);
  expect((await books.invoice(id)).deleted_at).not.toBeNull();
  const asked = vendor.server.journal.filter((exchange) => exchange.path.endsWith('/cdc'));
  expect(asked.every(({ status }) => status === 200)).toBe(true);
});

test('quickbooks: a list of changes that is full proves nothing and is said so', async () => {
  const { id } = await books.newCustomer();
  vendor.state.addInvoice({ customer: id, amount: 1 });
  const full = (set: any) => (set.Invoice ? { ...set, Invoice: Array(1000).fill(set.Invoice[0]) } : set);
  vendor.server.faults.add({
    kind: 'rewrite',
    match: /\/cdc$/,
    rewrite: (body: any) => ({ CDCResponse: [{ QueryResponse: body.CDCResponse[0].QueryResponse.map(full) }] }),
  });
  await books.hub.advance(DAY + HOUR);
  const reasons = (await books.parked()).filter((item) => item.kind === 'stream').map((item) => item.reason);
  expect(reasons).toEqual([expect.stringContaining('More of Invoices changed')]);
});

test('quickbooks: a connection that slept for more than 30 days asks for no more than the vendor tells', async () => {
  const { deletes } = streams.find((candidate) => candidate.name === 'invoices')!;
  if (deletes.kind !== 'tombstones') throw new Error('Invoices have no list of deletions.');
  const asked = async (now: string, since?: string) => {
    const ctx = { account: { id: '1', name: '' }, settings: {}, now: new Date(now) } as never;
    return (await deletes.list(ctx, { limit: 100, ...(since ? { since } : {}) })).query;
  };
  const slept = await asked('2026-08-01T00:00:00Z', '2026-03-01T00:00:00Z');
  expect(slept).toMatchObject({ entities: 'Invoice', changedSince: '2026-07-02T00:01:00Z' });
  expect(await asked('2026-08-01T00:00:00Z')).toMatchObject({ changedSince: '2026-07-31T00:00:00Z' });
});

test('quickbooks: only streams the vendor has a list of changes for ask for one', () => {
  const asking = streams.filter((stream) => stream.deletes.kind === 'tombstones').map((stream) => stream.name);
  expect(asking).toEqual(['invoices', 'payments', 'credit_memos', 'sales_receipts', 'refund_receipts', 'estimates']);
});

test('quickbooks: every kind of record was read here', () => {
  const answers = vendor.server.journal.map(({ reply }) => reply as Record<string, any>);
  const met = new Set(answers.flatMap((reply) => Object.keys(reply.QueryResponse ?? reply)));
  const read = ['Customer', 'Invoice', 'Payment', 'SalesReceipt', 'RefundReceipt', 'Estimate', 'TimeActivity'];
  expect([...met]).toEqual(expect.arrayContaining([...read, 'RecurringTransaction', 'CompanyInfo']));
});

await vendorTruth('quickbooks', () => vendor.server, { part: 'sync' });
