import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type QuickBooksSandbox, start } from '../../connectors/quickbooks/sandbox.ts';
import { manualClock } from '../../src/base/clock.ts';
import { vendorTruth } from '../specs/suite.ts';
import { HOUR, MINUTE } from '../support/hub.ts';
import { APP, AT, ask, Books, tokenOf } from './quickbooks.setup.ts';

let books: Books;
let vendor: QuickBooksSandbox;

const CUSTOMERS = 1_020;

beforeAll(async () => {
  books = await Books.open(({ state }) => {
    for (let n = 0; n < CUSTOMERS; n++)
      state.addCustomer({ DisplayName: `Customer ${n}` }, new Date(Date.parse('2026-02-01T10:00:00Z') + n * 1000));
  });
  ({ vendor } = books);
});

afterAll(async () => books?.close());

afterEach(() => books.calm());

const readAll = (options: Record<string, unknown>) =>
  books.hub.api('POST', `/v1/connections/${books.connection.id}/sync`, options);

test('quickbooks: the refresh token works once, and is spent once', async () => {
  await books.hub.advance(2 * HOUR);
  const { counts } = vendor.oauth;
  const before = counts.refreshes;
  vendor.oauth.expireAll();
  await vendor.announce(['1', '2', '3'].map((id) => ({ entity: 'Customer', operation: 'updated', id })));
  await readAll({});
  await books.rest();
  expect(counts.refreshes).toBe(before + 1);
  expect(counts.reused).toBe(0);
  expect((await books.stream('customers')).error).toBeNull();
});

test('quickbooks: a token that ends between two pages costs nothing', async () => {
  let pages = 0;
  vendor.state.beforeQuery = (query) => {
    if (query.entity === 'Customer' && !query.count && ++pages === 1) vendor.oauth.expireAll();
  };
  await readAll({ full: true, streams: ['customers'] });
  await books.rest();
  expect(pages).toBeGreaterThan(1);
  expect(await books.stream('customers')).toMatchObject({ phase: 'incremental', error: null });
  expect(vendor.oauth.counts.reused).toBe(0);
});

test('quickbooks: the health check asks the company that is connected', async () => {
  const before = vendor.server.journal.length;
  const { body } = await books.hub.api('POST', `/v1/connections/${books.connection.id}/test`);
  expect(body.state).toBe('active');
  expect(books.asked(before)).toEqual([`GET /companyinfo/${vendor.state.realm}`]);
});

test('quickbooks: waits a minute after a refusal for speed, or as long as it is told', async () => {
  const throttled = { Fault: { Error: [{ Message: 'ThrottleExceeded', code: '003001' }], type: 'SERVICE' } };
  for (const [headers, seconds] of [
    [{}, 60],
    [{ 'retry-after': '600' }, 600],
  ] as const) {
    vendor.server.faults.add({ kind: 'status', status: 429, match: /\/query$/, times: 1, body: throttled, headers });
    const at = books.hub.clock.now().getTime();
    await readAll({ streams: ['estimates'] });
    await books.hub.settle();
    const { nextRunAt } = await books.stream('estimates');
    expect(Math.round((new Date(nextRunAt).getTime() - at) / 1000)).toBeGreaterThanOrEqual(seconds);
    await books.hub.advance(seconds * 1000 + 2 * MINUTE);
    expect(await books.stream('estimates')).toMatchObject({ error: null });
  }
});

test('quickbooks: what a webhook tells while the vendor wants a pause is fetched after it', async () => {
  const { invoice: id } = await books.debtor();
  vendor.server.faults.add({ kind: 'status', status: 429, match: /\/invoice\/\d+$/, times: 1, body: {} });
  vendor.state.change('Invoice', id, { DueDate: '2026-03-30' });
  await vendor.announce([{ entity: 'Invoice', operation: 'updated', id }]);
  await books.hub.settle();
  const before = vendor.server.journal.length;
  await books.hub.advance(30_000);
  expect(books.asked(before)).toEqual([]);
  await books.hub.advance(40_000);
  expect(books.asked(before)).toEqual([`GET /invoice/${id}`]);
  expect(await books.invoice(id)).toMatchObject({ due_on: '2026-03-30' });
});

test('quickbooks: its limits are kept, by the minute and by the second', async () => {
  const clock = manualClock(AT);
  const strict = await start({ clock, app: APP });
  const token = await tokenOf(strict);
  const { realm } = strict.state;
  const company = () => ask(strict, token, `/v3/company/${realm}/companyinfo/${realm}`);
  const answers: number[] = [];
  for (let n = 0; n < 12; n++) answers.push((await company()).status);
  expect(answers).toEqual([...Array(10).fill(200), 429, 429]);
  clock.advance(1_100);
  expect((await company()).status).toBe(200);
  strict.oauth.expireAll();
  expect((await company()).body).toMatchObject({ fault: { type: 'AUTHENTICATION' } });
  await strict.stop();

  // A burst of hooks goes through the same limits: none is refused, all are fetched.
  const { id } = await books.newCustomer();
  const made = Array.from({ length: 40 }, (_, n) => vendor.state.addInvoice({ customer: id, amount: n + 1 }).Id);
  const before = vendor.server.journal.length;
  for (const each of made) await vendor.announce([{ entity: 'Invoice', operation: 'created', id: each }]);
  await books.rest();
  expect(vendor.server.journal.slice(before).filter(({ status }) => status !== 200)).toEqual([]);
  for (const each of made) expect(await books.invoice(each)).toBeDefined();
});

test('quickbooks: broken, cut and truncated answers are asked for again', async () => {
  const { id } = await books.newCustomer();
  for (const kind of ['malformed', 'cut', 'cut_after', 'truncated'] as const) {
    const made = vendor.state.addInvoice({ customer: id, amount: 12 });
    vendor.server.faults.add({ kind, match: /\/query$/, times: 1 });
    await books.read('invoices');
    expect(await books.invoice(made.Id)).toMatchObject({ total: '12' });
  }
});

test('quickbooks: an answer that is none deletes nothing', async () => {
  const [one, two] = [await books.debtor(), await books.debtor()];
  const refusal = { Error: [{ Message: 'busy', code: '9999' }], type: 'ValidationFault' };
  for (const body of [{ time: AT }, { QueryResponse: { Fault: refusal } }, { Invoice: { Id: '1' } }]) {
    vendor.server.faults.add({ kind: 'rewrite', match: /\/(query|invoice\/\d+)$/, rewrite: () => body });
    await vendor.announce([one, two].map(({ invoice: id }) => ({ entity: 'Invoice', operation: 'updated', id })));
    await books.hub.settle();
    vendor.server.faults.clear();
    await books.rest();
    for (const { invoice: id } of [one, two]) expect((await books.invoice(id)).deleted_at).toBeNull();
  }
  const reasons = (await books.parked()).filter((item) => item.kind === 'hook').map((item) => item.reason);
  expect(reasons.some((reason) => reason.includes(`without the Invoice ${one.invoice}`))).toBe(true);
  vendor.server.faults.add({ kind: 'rewrite', match: /\/query$/, rewrite: () => ({ time: AT }) });
  await readAll({ streams: ['invoices'] });
  await books.hub.settle();
  expect((await books.stream('invoices')).error).toContain('without a query response');
  vendor.server.faults.clear();
  await books.read('invoices');
  expect((await books.stream('invoices')).error).toBeNull();
});

test('quickbooks: an invoice that comes without its balance is kept out, not chased', async () => {
  const { invoice: id } = await books.debtor();
  vendor.server.faults.add({
    kind: 'rewrite',
    match: /\/query$/,
    rewrite: (body: any) => ({
      QueryResponse: { Invoice: body.QueryResponse.Invoice?.map(({ Balance: _, ...rest }: any) => rest) },
    }),
  });
  vendor.state.change('Invoice', id, { DueDate: '2026-03-15' });
  await books.read('invoices');
  expect(await books.invoice(id)).toMatchObject({ status: 'open', balance: '100', due_on: '2026-03-01' });
  const reason = (await books.parked()).find((item) => item.recordId === id)!.reason;
  expect(reason).toContain('invoice.status: is required');
  vendor.server.faults.clear();
  vendor.state.change('Invoice', id, {});
  await books.read('invoices');
  expect(await books.invoice(id)).toMatchObject({ due_on: '2026-03-15' });
});

test('quickbooks: a field that changes its type keeps that record out, with the reason, and no other', async () => {
  const [bad, good] = [await books.debtor(), await books.debtor()];
  vendor.state.change('Invoice', bad.invoice, { Balance: 'a hundred' });
  vendor.state.change('Invoice', good.invoice, { Balance: '40.00', DueDate: '2026-03-05' });
  await books.read('invoices');
  const kept = { balance: '40.00', status: 'partial', due_on: '2026-03-05' };
  expect(await books.invoice(good.invoice)).toMatchObject(kept);
  expect(await books.invoice(bad.invoice)).toMatchObject({ balance: '100' });
  expect((await books.parked()).find((item) => item.recordId === bad.invoice)!.reason).toContain(
    'invoice.balance: expected a number, got "a hundred"',
  );
  vendor.state.change('Invoice', bad.invoice, { Balance: 100 });
  await books.read('invoices');
  expect((await books.parked()).filter((item) => item.recordId === bad.invoice)).toEqual([]);
});

test('quickbooks: a lapsed subscription pauses the connection until somebody looks', async () => {
  const detail = 'Subscription period has ended or canceled';
  const lapsed = {
    Fault: { Error: [{ Message: 'Invalid Company Status', Detail: detail, code: '6190' }], type: 'ValidationFault' },
  };
  vendor.server.faults.add({ kind: 'status', status: 400, match: /\/query$/, body: lapsed });
  await books.read('estimates');
  const { body } = await books.hub.api('GET', `/v1/connections/${books.connection.id}`);
  expect(body.state).toBe('paused');
  expect(body.health.sentence).toContain(detail);
  vendor.server.faults.clear();
  await books.hub.api('POST', `/v1/connections/${books.connection.id}/test`);
  await books.read('estimates');
  expect(await books.stream('estimates')).toMatchObject({ error: null });
});

test('quickbooks: a company that let the app go is asked to be connected again', async () => {
  const gone = {
    Fault: { Error: [{ Message: 'ApplicationAuthorizationFailed', code: '003100' }], type: 'AuthorizationFault' },
  };
  vendor.server.faults.add({ kind: 'status', status: 403, match: /\/query$/, body: gone });
  await books.read('estimates');
  const { body } = await books.hub.api('GET', `/v1/connections/${books.connection.id}`);
  expect(body).toMatchObject({ state: 'needs_reauthorisation', health: { ok: false } });
  vendor.server.faults.clear();
  await books.hub.connect('quickbooks');
  await books.rest();
  const after = await books.hub.api('GET', `/v1/connections/${books.connection.id}`);
  expect(after.body).toMatchObject({ state: 'active', health: { ok: true } });
});

test('quickbooks: no token and no secret is in any log line', () => {
  for (const line of books.hub.lines)
    expect(line).not.toMatch(/(access|refresh|code)-[0-9a-f]{16}|quickbooks-secret|quickbooks-verifier/);
});

await vendorTruth('quickbooks', () => vendor.server, { part: 'trouble' });
