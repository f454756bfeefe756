import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { addDays, localDate } from '../src/base/time.ts';
import { HOUR, MINUTE } from './support/hub.ts';
import { beginStory, type Customer, type Row, type Story, ZONE } from './support/story.ts';

const LOS_ANGELES = 'America/Los_Angeles';

let story: Story;

beforeAll(async () => {
  story = await beginStory();
  await story.playbook('overdue-chase');
});

afterAll(() => story?.end());

beforeEach(() => {
  for (const vendor of Object.values(story.vendors))
    (vendor as { server?: Story['vendors']['hubspot']['server'] }).server?.faults.clear();
});

/** The last message that was or will be sent to a customer. */
const last = async (customer: Customer): Promise<Row> => (await story.actions(customer)).at(-1)!;
/** The first gate that does not let the next message through. */
const obstacle = async (customer: Customer): Promise<Row | undefined> =>
  (await story.explain(customer)).enrolments[0].next?.gates.find((gate: Row) => gate.verdict !== 'allow');
const audited = async (customer: Customer): Promise<string[]> =>
  (await story.audit(customer)).map((event) => event.action);

test('chase: one e-mail lists everything that is overdue of the customer, and nothing else', async () => {
  const { state } = story.vendors.quickbooks;
  const ann = await story.chased({ owes: [100, 250.5, 75] });
  const [mail, ...more] = story.mailsTo(ann);
  expect(more).toEqual([]);
  const number = (id: string): string => String(state.find('Invoice', id)!.DocNumber);
  for (const id of ann.invoices) expect(mail!.text).toContain(`Invoice ${number(id)}:`);
  expect(mail!.text.match(/Invoice \d+:/g)).toHaveLength(3);
  expect(mail!.text).toContain('Total: $425.50');
  expect(mail!.subject).toContain('friendly reminder about $425.50');
  expect(story.textsTo(ann)).toEqual([]);
});

test('chase: what is not due, paid, void or settled by credit is no claim', async () => {
  const { quickbooks: books } = story.vendors;
  const ann = await story.customer({ owes: [] });
  await story.invoice(ann, 500, '2027-01-01');
  const paid = await story.invoice(ann, 60, '2026-02-10');
  await story.pay(ann, 60, paid);
  await books.voidInvoice(await story.invoice(ann, 70, '2026-02-10'));
  const credited = await story.customer({ owes: [90], due: '2026-02-10' });
  await books.credit(credited.account, 90);
  await story.settle();
  await story.chased();
  for (const customer of [ann, credited]) expect(story.mailsTo(customer)).toEqual([]);
});

test('chase: the text message waits for the morning where the customer is, and says so', async () => {
  const ann = await story.chased({ zone: 'america_slash_los_angeles' });
  expect(story.mailsTo(ann)).toHaveLength(1);
  // Eight in New York is five in Los Angeles.
  await story.until(6, '08:30');
  expect(story.textsTo(ann)).toEqual([]);
  const waiting = await last(ann);
  expect(waiting).toMatchObject({ channel: 'sms', state: 'planned', reason: 'quiet_hours' });
  expect(await obstacle(ann)).toMatchObject({
    gate: 'quiet hours',
    verdict: 'defer',
    detail: 'Outside 08:00-20:00 in America/Los_Angeles (from explicit).',
  });
  expect((await story.explain(ann)).enrolments[0].nextAt).toBe(waiting.notBefore);
  await story.until(0, '07:59', LOS_ANGELES);
  expect(story.textsTo(ann)).toEqual([]);
  await story.until(0, '08:00', LOS_ANGELES);
  expect(story.textsTo(ann)).toHaveLength(1);
  expect(story.textsTo(ann)[0]!.body).toMatch(/\$100\.00 is overdue \(1 invoice, oldest \d+ days\).*STOP/);
});

test('chase: a payment by webhook ends it in the transaction that stores the payment', async () => {
  const ann = await story.chased({ owes: [100, 40] });
  // The second reminder is planned and waits for the morning.
  await story.until(6, '00:30');
  expect(await last(ann)).toMatchObject({ channel: 'sms', state: 'planned' });
  const facts = (): Promise<Row[]> =>
    story.rows(
      `select r.state as run, a.state as action, (select sum(balance) from invoice i where i.tenant_id = $1 and i.customer_id = $2) as owed,
         r.xmin::text as run_by, a.xmin::text as action_by, (select array_agg(distinct i.xmin::text) from invoice i where i.tenant_id = $1 and i.customer_id = $2) as invoices_by
       from run r join action_request a on a.tenant_id = r.tenant_id and a.run_id = r.id and a.channel = 'sms' where r.tenant_id = $1 and r.customer_id = $2`,
      ann.id,
    );
  const seen = new Set<string>();
  let watching = true;
  const watcher = (async () => {
    while (watching) for (const { run, action, owed } of await facts()) seen.add(`${run} ${action} ${owed}`);
  })();
  // Both invoices by one payment, as banks bring them.
  const { quickbooks: books } = story.vendors;
  for (const id of ann.invoices) books.payQuietly(id, id === ann.invoices[0] ? 100 : 40);
  await books.announce(ann.invoices.map((id) => ({ entity: 'Invoice', operation: 'updated', id })));
  await story.settle();
  watching = false;
  await watcher;
  // Before and after, and nothing in between for anybody to see.
  expect([...seen].sort()).toEqual(['exited skipped 0', 'waiting planned 140']);
  const [after] = await facts();
  expect(after!.action_by).toBe(after!.run_by);
  expect(after!.invoices_by).toEqual([after!.run_by]);
  await story.until(0, '12:00');
  await story.until(8, '12:00');
  expect(story.textsTo(ann)).toEqual([]);
  expect(story.mailsTo(ann)).toHaveLength(1);
  expect((await story.explain(ann)).enrolments[0]).toMatchObject({
    state: 'exited',
    endReason: 'nothing is overdue any more',
  });
  expect(await audited(ann)).toContain('enrolment.exited');
});

test('chase: a webhook about the payment alone is enough, and one told twice or late changes nothing', async () => {
  const ann = await story.chased();
  await story.pay(ann, 100);
  expect(await story.enrolment(ann)).toMatchObject({ state: 'exited', endReason: 'nothing is overdue any more' });
  const events = await story.audit(ann);
  const { quickbooks: books } = story.vendors;
  for (let times = 0; times < 2; times++) {
    await books.announce([{ entity: 'Invoice', operation: 'updated', id: ann.invoices[0]! }]);
    await story.settle();
  }
  expect(await story.audit(ann)).toEqual(events);
});

test('chase: money that came in unnoticed is seen before the next reminder, which does not go out', async () => {
  const ann = await story.chased();
  story.vendors.quickbooks.payQuietly(ann.invoices[0]!, 100);
  await story.until(6, '08:01');
  expect(story.textsTo(ann)).toEqual([]);
  expect(await story.enrolment(ann)).toMatchObject({ state: 'exited' });
});

test('chase: a partial payment goes on with the smaller amount, at the same place', async () => {
  const ann = await story.chased({ owes: [100, 60] });
  const before = await story.enrolment(ann);
  // The text is planned already when the money comes.
  await story.until(6, '00:30');
  await story.pay(ann, 75);
  await story.until(0, '08:00');
  expect(story.textsTo(ann).map(({ body }) => body)).toEqual([expect.stringContaining('$85.00 is overdue')]);
  expect(await story.enrolment(ann)).toMatchObject({ id: before.id, state: 'waiting', step: 'final' });
  await story.pay(ann, 25);
  expect(await story.enrolment(ann)).toMatchObject({ state: 'waiting' });
  await story.until(7, '09:00');
  expect(story.mailsTo(ann).map(({ subject }) => subject)).toEqual([
    expect.stringContaining('$160.00'),
    'Final reminder: $60.00 overdue',
  ]);
});

test.each([3, 10])('chase: a promise to pay pauses it, and it goes on when the %i days pass in vain', async (days) => {
  const ann = await story.chased();
  await story.until(6, '00:30');
  const promisedOn = addDays(localDate(story.clock.now(), ZONE), days);
  await story.must('POST', `/v1/customers/${ann.id}/promises`, { promisedOn, note: 'said so on the phone' });
  await story.until(0, '08:00');
  expect(story.textsTo(ann)).toEqual([]);
  expect(await obstacle(ann)).toMatchObject({
    gate: 'promise or dispute',
    detail: expect.stringContaining(`promised to pay on ${promisedOn}`),
  });
  // The promised day itself is the customer's.
  await story.until(days, '12:00');
  expect(story.textsTo(ann)).toEqual([]);
  // One working day more, a weekend included.
  await story.until(4, '12:00');
  expect(story.textsTo(ann)).toHaveLength(1);
  expect(await audited(ann)).toContain('promise.recorded');
});

test('chase: a promise that is kept ends it', async () => {
  const ann = await story.chased();
  await story.must('POST', `/v1/customers/${ann.id}/promises`, { promisedOn: localDate(story.clock.now(), ZONE) });
  await story.pay(ann, 100);
  await story.until(7, '12:00');
  expect(await story.enrolment(ann)).toMatchObject({ state: 'exited' });
  expect(story.mailsTo(ann)).toHaveLength(1);
  expect(story.textsTo(ann)).toEqual([]);
});

test('chase: a dispute holds it for as long as it is open, however long', async () => {
  const ann = await story.chased();
  const dispute = await story.must('POST', `/v1/customers/${ann.id}/disputes`, { owner: 'Rita', note: 'wrong amount' });
  expect(await obstacle(ann)).toMatchObject({ gate: 'promise or dispute', reason: 'dispute' });
  await story.until(6, '08:00');
  for (let week = 0; week < 3; week++) await story.until(7, '12:00');
  expect(story.textsTo(ann)).toEqual([]);
  expect(await obstacle(ann)).toMatchObject({ detail: 'A dispute is open (Rita takes care of it).' });
  await story.must(
    'POST',
    `/v1/holds/${dispute.id}/close`,
    { outcome: 'the invoice was right' },
    { 'if-match': '"1"' },
  );
  await story.settle();
  expect(story.textsTo(ann)).toHaveLength(1);
});

test('chase: STOP stops text messages at once, and it goes on by e-mail', async () => {
  const ann = await story.chased();
  await story.until(6, '00:30');
  expect(await last(ann)).toMatchObject({ channel: 'sms', state: 'planned' });
  await story.write(ann, 'Stop.');
  const [, text] = await story.actions(ann);
  expect(text).toMatchObject({ channel: 'sms', state: 'skipped', reason: 'opted_out' });
  expect(await last(ann)).toMatchObject({ channel: 'email', step: 'firm', state: 'planned', reason: 'quiet_hours' });
  await story.until(0, '08:00');
  expect(story.mailsTo(ann)).toHaveLength(2);
  await story.until(7, '09:00');
  expect(story.mailsTo(ann)).toHaveLength(3);
  expect(story.textsTo(ann)).toEqual([]);
  // A STOP is a choice about a channel, no answer to the matter.
  expect(await story.enrolment(ann)).toMatchObject({ state: 'waiting', step: 'silence' });
  expect(await audited(ann)).toContain('consent.denied');
});

test('chase: the kill switch holds everything, loses nothing, and says who pulled it', async () => {
  const ann = await story.chased();
  for (const scope of ['*', 'channel:sms', 'sequence:overdue-chase']) {
    await story.must('PUT', `/v1/kill-switches/${scope}`, { reason: 'wrong texts' });
    await story.until(scope === '*' ? 6 : 0, '12:00');
    await story.hub.sweep();
    expect(story.textsTo(ann)).toEqual([]);
    expect(await obstacle(ann)).toMatchObject({
      gate: 'kill switch',
      detail: expect.stringMatching(/by api_key:.*wrong texts/),
    });
    await story.must('PUT', `/v1/kill-switches/${scope === '*' ? 'channel:sms' : 'sequence:overdue-chase'}`, {
      reason: 'wrong texts',
    });
    await story.must('DELETE', `/v1/kill-switches/${scope}`);
    await story.settle();
  }
  await story.must('DELETE', '/v1/kill-switches/sequence:overdue-chase').catch(() => {});
  await story.settle();
  expect(story.textsTo(ann)).toHaveLength(1);
});

test('chase: stale billing data holds the reminder until the books answer again', async () => {
  const ann = await story.chased();
  const { faults } = story.vendors.quickbooks.server;
  faults.add({ kind: 'status', status: 503, match: /\/v3\// });
  await story.until(6, '08:00');
  expect(story.textsTo(ann)).toEqual([]);
  expect(await last(ann)).toMatchObject({
    state: 'planned',
    held: true,
    reason: 'billing_stale',
    detail: expect.stringContaining('could not be asked'),
  });
  await story.advance(HOUR);
  expect(story.textsTo(ann)).toEqual([]);
  faults.clear();
  await story.advance(11 * MINUTE);
  expect(story.textsTo(ann)).toHaveLength(1);
});

test('chase: everything of it is in the audit trail, in order and unbroken', async () => {
  const ann = await story.chased();
  await story.until(6, '08:00');
  await story.pay(ann, 100);
  const events = await story.audit(ann);
  expect(events.map(({ actor, action, data }) => [actor, action, data.channel ?? data.sequence ?? data.rule])).toEqual([
    ['system', 'enrolment.started', 'overdue-chase'],
    ['sequence:overdue-chase', 'action.sent', 'email'],
    ['sequence:overdue-chase', 'action.sent', 'sms'],
    ['system', 'enrolment.exited', 'invoices_settled'],
  ]);
  expect(events[0]!.data.because).toMatch(/^invoice \d+$/);
  expect(await story.must('POST', '/v1/audit/verify')).toMatchObject({ ok: true });
});
