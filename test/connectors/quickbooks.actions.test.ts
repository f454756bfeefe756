import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { QuickBooksSandbox } from '../../connectors/quickbooks/sandbox.ts';
import { vendorTruth } from '../specs/suite.ts';
import { DAY, MINUTE } from '../support/hub.ts';
import { Books } from './quickbooks.setup.ts';

let books: Books;
let vendor: QuickBooksSandbox;

beforeAll(async () => {
  books = await Books.open();
  ({ vendor } = books);
});

afterAll(async () => books?.close());

afterEach(() => books.calm());

const mailsOf = (invoice: string): string[] =>
  vendor.state.mails.filter((mail) => mail.invoice === invoice).map((mail) => mail.to);

test('quickbooks: the invoice goes out again, to the address on it or to another', async () => {
  const { invoice: id, email } = await books.debtor();
  const before = vendor.server.journal.length;
  const done = await books.act('send_invoice_reminder', { invoice: id });
  expect(done).toMatchObject({
    state: 'sent',
    receipt: { nativeId: id, state: 'EmailSent', url: expect.stringContaining(`/app/invoice?txnId=${id}`) },
  });
  const sent = vendor.server.journal.slice(before).find((exchange) => exchange.path.endsWith('/send'))!;
  expect(sent).toMatchObject({
    method: 'POST',
    path: `/v3/company/${vendor.state.realm}/invoice/${id}/send`,
    query: { requestid: done.id.replaceAll('-', ''), minorversion: '75' },
    headers: { 'content-type': 'application/octet-stream', 'content-length': '0' },
  });
  expect(sent.query).not.toHaveProperty('sendTo');
  await books.act('send_invoice_reminder', { invoice: id, to: 'boss@example.com' });
  expect(mailsOf(id)).toEqual([email, 'boss@example.com']);
});

test('quickbooks: a lost answer makes one mail', async () => {
  const { invoice: id } = await books.debtor();
  vendor.server.faults.add({ kind: 'cut_after', match: /^POST .*\/send$/, times: 1 });
  const done = await books.act('send_invoice_reminder', { invoice: id }, 3 * MINUTE);
  expect(done).toMatchObject({ state: 'sent', attempts: 1, receipt: { nativeId: id } });
  expect(mailsOf(id)).toHaveLength(1);
});

test('quickbooks: a lost answer makes one mail, also when nobody looked for a day', async () => {
  const { invoice: id } = await books.debtor();
  vendor.server.faults.add({ kind: 'cut_after', match: /^POST .*\/send$/, times: 1 });
  const planned = await books.plan('send_invoice_reminder', { invoice: id });
  vendor.forgetRequests();
  await books.hub.advance(DAY);
  await books.hub.advance(2 * MINUTE);
  expect(await books.action(planned)).toMatchObject({ state: 'sent' });
  expect(mailsOf(id)).toHaveLength(1);
});

test('quickbooks: what never went out goes out after a look, once', async () => {
  const { invoice: id } = await books.debtor();
  // An older mail is not taken for this one.
  vendor.state.mail(id, 'earlier@example.com');
  await books.hub.advance(MINUTE);
  vendor.server.faults.add({ kind: 'status', status: 503, match: /^POST .*\/send$/, times: 1, body: 'busy' });
  const planned = await books.plan('send_invoice_reminder', { invoice: id });
  expect((await books.action(planned)).state).toBe('unknown');
  for (let n = 0; n < 4; n++) await books.hub.advance(MINUTE);
  expect(await books.action(planned)).toMatchObject({ state: 'sent', attempts: 2 });
  expect(mailsOf(id)).toHaveLength(2);
  const ids = vendor.server.journal
    .filter(({ path }) => path.endsWith(`/${id}/send`))
    .map(({ query }) => query.requestid);
  expect(new Set(ids).size).toBe(1);
});

test('quickbooks: refusals are told in the words of QuickBooks', async () => {
  const { invoice: id } = await books.debtor();
  vendor.state.change('Invoice', id, { BillEmail: undefined });
  expect(await books.act('send_invoice_reminder', { invoice: id })).toMatchObject({
    state: 'failed',
    reason: 'invalid',
    detail: expect.stringMatching(/Email address is missing.*intuit_tid/),
  });
  expect(await books.act('send_invoice_reminder', { invoice: '999999' })).toMatchObject({
    state: 'failed',
    reason: 'not_found',
  });
});

test('quickbooks: closed books refuse one write and leave the connection at work', async () => {
  const { invoice: id } = await books.debtor();
  const detail = 'The account period has closed and the account books cannot be updated';
  const closed = {
    Fault: { Error: [{ Message: 'Account Period Closed', Detail: detail, code: '6210' }], type: 'ValidationFault' },
  };
  vendor.server.faults.add({ kind: 'status', status: 400, match: /^POST .*\/invoice$/, body: closed });
  expect(await books.act('add_note', { body: 'Called', about: { invoice: id } })).toMatchObject({
    state: 'failed',
    reason: 'invalid',
    detail: expect.stringContaining(detail),
  });
  const { body } = await books.hub.api('GET', `/v1/connections/${books.connection.id}`);
  expect(body.state).toBe('active');
});

test('quickbooks: notes are added to what staff wrote, once, and never in place of it', async () => {
  const { id } = await books.newCustomer({ Notes: 'Has a dog.' });
  const day = books.hub.clock.now().toISOString().slice(0, 10);
  expect(await books.act('add_note', { body: 'Reminder sent', about: { contact: id } })).toMatchObject({
    state: 'sent',
    receipt: { nativeId: id, url: expect.stringContaining(`customerdetail?nameId=${id}`) },
  });
  expect(vendor.state.get('Customer', id)).toMatchObject({
    Notes: `Has a dog.\n${day}: Reminder sent`,
    FamilyName: expect.stringContaining('Person'),
  });
  vendor.server.faults.add({ kind: 'cut_after', match: /^POST .*\/customer$/, times: 1 });
  const planned = await books.plan('add_note', { body: 'Second', about: { contact: id } });
  vendor.forgetRequests();
  await books.hub.advance(2 * MINUTE);
  expect((await books.action(planned)).state).toBe('sent');
  expect(String(vendor.state.get('Customer', id).Notes).match(/Second/g)).toHaveLength(1);
});

test('quickbooks: a note that does not fit is refused, nothing is cut', async () => {
  const { id } = await books.newCustomer({ Notes: 'x'.repeat(1_990) });
  expect(await books.act('add_note', { body: 'Reminder sent', about: { contact: id } })).toMatchObject({
    state: 'failed',
    reason: 'invalid',
    detail: expect.stringContaining('1,990 of 2,000 characters'),
  });
  expect(String(vendor.state.get('Customer', id).Notes)).toHaveLength(1_990);
  expect(await books.act('add_note', { body: 'To nobody', about: {} })).toMatchObject({
    state: 'failed',
    detail: expect.stringContaining('needs the customer or the invoice'),
  });
});

test('quickbooks: a note on the invoice is for staff only', async () => {
  const { id, invoice: owed } = await books.debtor();
  await books.act('add_note', { body: 'Promised to pay on Friday', about: { contact: id, invoice: owed } });
  expect(vendor.state.get('Invoice', owed).PrivateNote).toMatch(/^\d{4}-\d\d-\d\d: Promised to pay on Friday$/);
  expect(vendor.state.get('Invoice', owed)).toMatchObject({ Balance: 100, DueDate: '2026-03-01' });
  expect(vendor.state.get('Customer', id).Notes).toBeUndefined();
});

test('quickbooks: fields are written in the version that was read, and nothing else is emptied', async () => {
  const { id, invoice: owed, name } = await books.debtor();
  const before = vendor.state.get('Customer', id);
  const fields = { CompanyName: 'New Name Ltd', Notes: 'vip' };
  const done = await books.act('update_field', { object: 'contact', id, fields });
  expect(done).toMatchObject({ state: 'sent', receipt: { nativeId: id } });
  expect(vendor.state.get('Customer', id)).toMatchObject({
    ...fields,
    SyncToken: '1',
    FamilyName: before.FamilyName,
    PrimaryEmailAddr: before.PrimaryEmailAddr,
  });
  await books.rest();
  expect((await books.search(name))[0]!.company).toBe('New Name Ltd');
  await books.act('update_field', { object: 'contact', id, fields: { Notes: null } });
  expect(vendor.state.get('Customer', id)).not.toHaveProperty('Notes');
  await books.act('update_field', { object: 'invoice', id: owed, fields: { DueDate: '2026-04-01' } });
  expect(vendor.state.get('Invoice', owed)).toMatchObject({ DueDate: '2026-04-01', Balance: 100 });
});

test('quickbooks: members of an object and custom fields are written without losing their neighbours', async () => {
  const { id, invoice: owed } = await books.debtor();
  vendor.state.change('Customer', id, { BillAddr: { Line1: '1 Elm St', City: 'Boston' } });
  const fields = { 'PrimaryEmailAddr.Address': 'new@example.com', 'BillAddr.City': 'Salem' };
  expect(await books.act('update_field', { object: 'contact', id, fields })).toMatchObject({ state: 'sent' });
  expect(vendor.state.get('Customer', id)).toMatchObject({
    PrimaryEmailAddr: { Address: 'new@example.com' },
    BillAddr: { Line1: '1 Elm St', City: 'Salem' },
  });
  const custom = (number: number, Name: string, StringValue?: string) => ({
    DefinitionId: String(number),
    Name,
    Type: 'StringType',
    ...(StringValue === undefined ? {} : { StringValue }),
  });
  vendor.state.change('Invoice', owed, {
    CustomField: [custom(1, 'Crew #', '102'), custom(2, 'Follow-up')],
    SalesTermRef: { value: '3', name: 'Net 30' },
  });
  const more = { 'CustomField.Follow-up': 'reminder 1', 'SalesTermRef.value': '4', 'CustomerMemo.value': 'Thank you' };
  expect(await books.act('update_field', { object: 'invoice', id: owed, fields: more })).toMatchObject({
    state: 'sent',
  });
  expect(vendor.state.get('Invoice', owed)).toMatchObject({
    CustomField: [custom(1, 'Crew #', '102'), custom(2, 'Follow-up', 'reminder 1')],
    SalesTermRef: { value: '4' },
    CustomerMemo: { value: 'Thank you' },
  });
  const unknown = await books.act('update_field', {
    object: 'invoice',
    id: owed,
    fields: { 'CustomField.Colour': 'red' },
  });
  expect(unknown).toMatchObject({ state: 'failed', detail: expect.stringContaining('There are Crew #, Follow-up.') });
});

test('quickbooks: somebody else saved meanwhile: read again and written, refusals remembered or not', async () => {
  for (const remembersRefusals of [false, true]) {
    vendor.remembersRefusals = remembersRefusals;
    const { id } = await books.newCustomer();
    vendor.server.faults.add({
      kind: 'rewrite',
      match: /^GET .*\/customer\/\d+$/,
      times: 1,
      rewrite: (body: any) => ({ Customer: { ...body.Customer, SyncToken: '77' } }),
    });
    const planned = await books.plan('update_field', { object: 'customer', id, fields: { Notes: 'late' } });
    expect(await books.action(planned)).toMatchObject({ state: 'planned' });
    await books.hub.advance(10_000);
    expect(await books.action(planned)).toMatchObject({ state: 'sent', attempts: 2 });
    expect(vendor.state.get('Customer', id)).toMatchObject({ Notes: 'late', SyncToken: '1' });
  }
});

test('quickbooks: what cannot be written is refused before anything is sent', async () => {
  const { id, invoice: owed } = await books.debtor();
  const taken = await books.newCustomer({ DisplayName: 'Taken' });
  const failed = async (object: string, fields: Record<string, unknown>) =>
    (await books.act('update_field', { object, id: object === 'invoice' ? owed : id, fields })).detail;
  expect(await failed('invoice', { Balance: 0 })).toContain('QuickBooks keeps Balance itself');
  expect(await failed('invoice', { Line: '[]' })).toContain('keeps Line itself');
  expect(await failed('invoice', { 'MetaData.CreateTime': 'x' })).toContain('keeps MetaData.CreateTime itself');
  expect(await failed('contact', { 'BillAddr.City.Name': 'x' })).toContain('lies too deep');
  expect(await failed('deal', { Name: 'x' })).toContain('"deal" cannot be written in QuickBooks');
  expect(
    vendor.server.journal.filter(({ method, path }) => method === 'POST' && path.endsWith('/invoice')),
  ).not.toEqual(expect.arrayContaining([expect.objectContaining({ body: expect.objectContaining({ Id: owed }) })]));
  expect(await failed('customer', { Colour: 'red' })).toContain('Property Name:Colour is not supported');
  expect(await failed('customer', { DisplayName: 'Taken' })).toContain('Duplicate Name Exists');
  expect(taken.id).not.toBe(id);
});

test('quickbooks: a preview shows the request and does nothing', async () => {
  const { id, invoice: owed } = await books.debtor();
  const preview = async (kind: string, input: Record<string, unknown>) =>
    (await books.hub.api('POST', '/v1/actions', { kind, input, connectionId: books.connection.id, preview: true })).body
      .request;
  expect(await preview('send_invoice_reminder', { invoice: owed })).toMatchObject({
    method: 'POST',
    url: expect.stringContaining(`/invoice/${owed}/send?requestid=`),
    body: '',
  });
  expect(await preview('add_note', { body: 'Called', about: { contact: id } })).toMatchObject({
    method: 'POST',
    body: { Id: id, sparse: true, Notes: expect.stringContaining('Called') },
  });
  const fields = { 'CustomField.Follow-up': 'x' };
  expect(await preview('update_field', { object: 'invoice', id: owed, fields })).toMatchObject({
    body: { Id: owed, CustomField: [{ Name: 'Follow-up', StringValue: 'x' }] },
  });
  expect(mailsOf(owed)).toHaveLength(0);
});

await vendorTruth('quickbooks', () => vendor.server, { part: 'actions' });
