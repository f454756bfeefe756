import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { QuickBooksSandbox } from '../../connectors/quickbooks/sandbox.ts';
import { vendorTruth } from '../specs/suite.ts';
import { HOUR, MINUTE } from '../support/hub.ts';
import { Books } from './quickbooks.setup.ts';

let books: Books;
let vendor: QuickBooksSandbox;

beforeAll(async () => {
  books = await Books.open();
  ({ vendor } = books);
});

afterAll(async () => books?.close());

afterEach(() => books.calm());

test('quickbooks: a payment, announced alone, settles its invoice in the same transaction', async () => {
  const { invoice: id, hubId } = await books.debtor();
  const before = vendor.server.journal.length;
  const payment = await vendor.pay(id, 60, { date: '2026-03-02' });
  await books.rest();
  expect(await books.invoice(id)).toMatchObject({ status: 'partial', balance: '40' });
  expect((await books.documents(hubId)).payment).toMatchObject([
    { amount: '60', paidOn: '2026-03-02', unapplied: '0', invoiceRefs: [id], status: 'succeeded' },
  ]);
  const [together] = await books.select(
    'select i.xmin = p.xmin as same from invoice i join payment p on p.tenant_id = i.tenant_id and p.remote_id = $3 where i.tenant_id = $1 and i.remote_id = $2 and i.customer_id = p.customer_id',
    id,
    payment.Id,
  );
  expect(together).toEqual({ same: true });
  expect(books.asked(before)).toEqual([`GET /payment/${payment.Id}`, `GET /invoice/${id}`]);
  await vendor.pay(id, 50);
  await books.rest();
  expect(await books.invoice(id)).toMatchObject({ status: 'paid', balance: '0' });
  expect((await books.documents(hubId)).payment!.map((item) => item.unapplied).sort()).toEqual(['0', '10']);
});

test('quickbooks: a payment whose webhook never comes is found at the next poll', async () => {
  const { invoice: id } = await books.debtor();
  vendor.payQuietly(id, 100);
  await books.rest();
  expect(await books.invoice(id)).toMatchObject({ status: 'open' });
  await books.hub.advance(HOUR + MINUTE);
  expect(await books.invoice(id)).toMatchObject({ status: 'paid', balance: '0' });
});

test('quickbooks: a credit settles the invoice it is applied to, or waits unapplied', async () => {
  const { id, invoice: owed, hubId } = await books.debtor();
  await vendor.credit(id, 25, owed);
  await vendor.credit(id, 40);
  await books.rest();
  expect(await books.invoice(owed)).toMatchObject({ status: 'partial', balance: '75' });
  const credits = (await books.documents(hubId)).payment!.map(({ kind, amount, unapplied }) => ({
    kind,
    amount,
    unapplied,
  }));
  expect(credits).toHaveLength(2);
  expect(credits).toEqual(
    expect.arrayContaining([
      { kind: 'credit', amount: '25', unapplied: '0' },
      { kind: 'credit', amount: '40', unapplied: '40' },
    ]),
  );
});

test('quickbooks: voided, deleted and mailed invoices are seen', async () => {
  const [voided, deleted, mailed] = [await books.debtor(), await books.debtor(), await books.debtor()];
  await vendor.voidInvoice(voided.invoice);
  await vendor.deleteInvoice(deleted.invoice);
  vendor.state.mail(mailed.invoice, 'somebody@example.com');
  await vendor.announce([{ entity: 'Invoice', operation: 'emailed', id: mailed.invoice }]);
  await books.rest();
  expect((await books.invoice(voided.invoice)).status).toBe('void');
  expect((await books.invoice(deleted.invoice)).deleted_at).not.toBeNull();
  const after = await books.invoice(mailed.invoice);
  expect(after).toMatchObject({ email: 'somebody@example.com', native_status: 'EmailSent' });
  vendor.state.change('Invoice', mailed.invoice, {
    EInvoiceStatus: 'Viewed',
    DeliveryInfo: { DeliveryType: 'Email', DeliveryErrorType: 'Bounced Email' },
  });
  await vendor.announce([{ entity: 'Invoice', operation: 'updated', id: mailed.invoice }]);
  await books.rest();
  expect(await books.invoice(mailed.invoice)).toMatchObject({
    native_status: 'Viewed',
    custom: { delivery_error: 'Bounced Email' },
  });
});

test('quickbooks: many changes are fetched with few calls, and what is gone with them', async () => {
  const { id, invoice: kept } = await books.debtor();
  const more = Array.from({ length: 5 }, (_, n) => vendor.state.addInvoice({ customer: id, amount: n + 1 }).Id);
  const { invoice: gone } = await books.debtor();
  vendor.state.deleteInvoice(gone);
  const before = vendor.server.journal.length;
  await vendor.announce([kept, ...more, gone].map((each) => ({ entity: 'Invoice', operation: 'updated', id: each })));
  await books.rest();
  expect(books.asked(before)).toEqual([expect.stringMatching(/^GET \/query select \* from Invoice where Id in \(/)]);
  for (const each of more) expect(await books.invoice(each)).toMatchObject({ status: 'open' });
  expect((await books.invoice(gone)).deleted_at).not.toBeNull();
  expect((await books.invoice(kept)).deleted_at).toBeNull();
});

test('quickbooks: a question about many that is refused is asked one by one', async () => {
  const [one, two] = [await books.debtor(), await books.debtor()];
  for (const { invoice: id } of [one, two]) vendor.state.change('Invoice', id, { DueDate: '2026-03-20' });
  const refused = { Fault: { Error: [{ Message: 'Error parsing query', code: '4000' }], type: 'ValidationFault' } };
  vendor.server.faults.add({ kind: 'status', status: 400, match: /\/query$/, body: refused });
  await vendor.announce([one, two].map(({ invoice: id }) => ({ entity: 'Invoice', operation: 'updated', id })));
  await books.rest();
  for (const { invoice: id } of [one, two]) expect(await books.invoice(id)).toMatchObject({ due_on: '2026-03-20' });
});

test('quickbooks: both forms are read, order and repetition do not matter, and a wrong deletion is not believed', async () => {
  for (const form of ['legacy', 'cloudevents'] as const) {
    const { invoice: id } = await books.debtor();
    const now = books.hub.clock.now().getTime();
    const later = { entity: 'Invoice', operation: 'updated', id, at: new Date(now + 60_000) };
    const earlier = { entity: 'Invoice', operation: 'deleted', id, at: new Date(now - 60_000) };
    vendor.state.change('Invoice', id, { DueDate: '2026-03-09' });
    await vendor.announce([later, later, earlier], form);
    await vendor.announce([earlier], form);
    await books.rest();
    expect(await books.invoice(id)).toMatchObject({ due_on: '2026-03-09', deleted_at: null });
  }
});

test('quickbooks: a replay, also one written anew, is taken once', async () => {
  const { invoice: id } = await books.debtor();
  const event = { entity: 'Invoice', operation: 'updated', id, eventId: `known-${id}`, at: books.hub.clock.now() };
  for (let n = 0; n < 3; n++) expect((await vendor.announce([event])).status).toBe(200);
  await vendor.announce([event, { entity: 'Item', operation: 'updated', id: '1' }]);
  await books.rest();
  const known = 'select 1 from hint where tenant_id = $1 and event_key = $2';
  expect(await books.select(known, `known-${id}`)).toHaveLength(1);
});

test('quickbooks: what is not read, or not understood, is no trouble', async () => {
  const delivery = await vendor.announce([
    { entity: 'Vendor', operation: 'created', id: '1' },
    { entity: 'Employee', operation: 'updated', id: '2' },
    { entity: 'Invoice', operation: 'shredded', id: '3' },
  ]);
  expect(delivery.status).toBe(200);
  for (const body of ['{"no":"list"}', 'not JSON', '[1, null, {}]'])
    expect((await vendor.postRaw(body)).status).toBe(200);
  await books.rest();
  expect((await books.parked()).filter((item) => item.kind === 'hook')).toHaveLength(0);
});

test('quickbooks: one post, several companies, and a company of two businesses', async () => {
  const { hub } = books;
  const other = await hub.otherTenant();
  const third = await hub.otherTenant('Third business');
  const across = vendor.company('9130350000000002');
  const them = across.addCustomer({ DisplayName: 'Across the street' });
  vendor.realmId = across.realm;
  const theirs = await hub.connect('quickbooks', { api: other.api });
  vendor.realmId = vendor.state.realm;
  await hub.connect('quickbooks', { api: third.api, features: ['read'] });
  await books.rest();
  const { id, name } = await books.newCustomer();
  vendor.state.change('Customer', id, { MiddleName: 'Q', FamilyName: `${name} Changed` });
  across.change('Customer', them.Id, { DisplayName: 'Next door' });
  const changes = [
    { entity: 'Customer', operation: 'updated', id, realm: vendor.state.realm },
    { entity: 'Customer', operation: 'updated', id: them.Id, realm: across.realm },
  ];
  await vendor.announce(changes, 'legacy');
  await books.rest();
  const names = async (call: typeof hub.api, text: string) =>
    (await call('GET', `/v1/customers?search=${encodeURIComponent(text)}`)).body.items.length;
  expect(await names(hub.api, `${name} Changed`)).toBe(1);
  expect(await names(third.api, `${name} Changed`)).toBe(1);
  expect(await names(other.api, 'Next door')).toBe(1);
  expect(await names(hub.api, 'Next door')).toBe(0);
  expect(await names(other.api, name)).toBe(0);

  expect((await other.api('DELETE', `/v1/connections/${theirs.id}`)).status).toBe(204);
  expect(vendor.revoked).toEqual([expect.stringMatching(/^refresh-/)]);
  const given = vendor.server.journal.find((exchange) => exchange.path === '/v2/oauth2/tokens/revoke')!;
  const client = Buffer.from('quickbooks-app:quickbooks-secret').toString('base64');
  expect(given.headers.authorization).toBe(`Basic ${client}`);
});

await vendorTruth('quickbooks', () => vendor.server, { part: 'hooks' });
