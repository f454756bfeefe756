import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ACTS, type Act, decide, heal, type Planned, uniqueText } from './support/acts.ts';
import { HOUR, MINUTE } from './support/hub.ts';
import { dispatch, lookAfter, reconcile } from './support/sending.ts';
import { beginStory, type Customer, type Row, type Story } from './support/story.ts';

let story: Story;
let ann: Customer;
let sms: Act;

beforeAll(async () => {
  // The test sends by hand, so that it stands between planning and sending.
  story = await beginStory({ roles: 'api,sync,engine', alwaysOpen: true });
  ann = await story.customer({ owes: [100] });
  sms = ACTS['a text message by Twilio']!(story, ann);
});
beforeEach(() => heal(story));
afterAll(() => story?.end());

/** A mail to the customer, and how often the mail server has it. */
async function mail(): Promise<{ id: string; taken: () => number }> {
  const subject = uniqueText();
  const { id } = await story.plan('send_email', { subject, text: 'x' }, { customerId: ann.id, class: 'transactional' });
  return { id, taken: () => story.mailsTo(ann).filter((one) => one.subject === subject).length };
}

test.each([
  ['after it was taken', 'cut_after', 1],
  ['before it was taken', 'cut', 0],
] as const)('unknowns: a mail whose line broke %s stays unknown, and a person decides', async (_when, kind, there) => {
  const { id, taken } = await mail();
  story.vendors.smtp.faults.add({ kind, match: /^DATA /, times: 1 });
  await dispatch(story);
  const unknown = await lookAfter(story, id);
  expect(unknown).toMatchObject({
    state: 'unknown',
    attempts: 1,
    detail: expect.stringMatching(/A person decides\.$/),
  });
  expect(taken()).toBe(there);
  await decide(story, id, there ? 'sent' : 'again');
  expect(await lookAfter(story, id)).toMatchObject({ state: 'sent' });
  expect(taken()).toBe(1);
});

test('unknowns: a mail that definitely did not leave is tried again, a limited number of times', async () => {
  const greylisted = { kind: 'status', status: 451, body: '4.7.1 Greylisted', match: /^RCPT / } as const;
  const lucky = await mail();
  story.vendors.smtp.faults.add({ ...greylisted, times: 1 });
  await dispatch(story);
  expect(await lookAfter(story, lucky.id)).toMatchObject({ state: 'sent', attempts: 2 });
  expect(lucky.taken()).toBe(1);
  const hopeless = await mail();
  story.vendors.smtp.faults.add(greylisted);
  await dispatch(story);
  for (let hours = 0; hours < 24; hours++) {
    story.clock.advance(HOUR);
    await dispatch(story);
  }
  expect(await story.action(hopeless.id)).toMatchObject({ state: 'failed', reason: 'transient', attempts: 5 });
  expect(hopeless.taken()).toBe(0);
});

test('unknowns: an enrolment does not wait for ever for a mail nobody can ask about', async () => {
  await story.playbook('overdue-chase');
  const bob = await story.chased();
  story.vendors.smtp.faults.add({ kind: 'cut_after', match: new RegExp(`^DATA ${bob.email}`), times: 1 });
  await dispatch(story);
  await story.settle();
  expect(await story.actions(bob)).toMatchObject([{ state: 'unknown', step: 'friendly' }]);
  expect(await story.enrolment(bob)).toMatchObject({ state: 'waiting', step: 'firm' });
  expect((await story.explain(bob)).enrolments[0].steps[0]).toMatchObject({ step_id: 'friendly', outcome: 'unknown' });
});

test('unknowns: an enrolment waits for the look-up, and goes on after a day without an answer', async () => {
  await story.playbook('overdue-chase');
  const bob = await story.chased();
  await dispatch(story);
  await story.until(6, '09:00');
  sms.add({ kind: 'cut', match: sms.match });
  sms.add({ kind: 'status', status: 503, match: /^GET .*\/Messages\.json$/ });
  await dispatch(story);
  expect(await story.enrolment(bob)).toMatchObject({ step: 'firm', waitingFor: 'action' });
  for (const hours of [1, 12, 13]) {
    expect(await story.enrolment(bob)).toMatchObject({ step: 'firm' });
    story.clock.advance(hours * HOUR);
    await reconcile(story);
  }
  expect(await story.enrolment(bob)).toMatchObject({ state: 'waiting', step: 'final' });
  expect((await story.actions(bob)).at(-1)).toMatchObject({ state: 'unknown', channel: 'sms' });
});

test('unknowns: marketing whose fate nobody knows is not sent twice, not even where it could be looked for', async () => {
  const consent = { channel: 'sms', state: 'granted', evidence: 'said so in the shop' };
  await story.must('POST', `/v1/customers/${ann.id}/consent`, consent);
  const text = uniqueText();
  const { id } = await story.plan('send_sms', { text }, { customerId: ann.id, class: 'marketing' });
  sms.add({ kind: 'cut', match: sms.match, times: 1 });
  await dispatch(story);
  expect(await lookAfter(story, id)).toMatchObject({
    state: 'unknown',
    attempts: 1,
    detail: expect.stringContaining('marketing is not sent twice without a person'),
  });
  expect(story.textsTo(ann).filter(({ body }) => body === text)).toEqual([]);
});

test('unknowns: writing a field twice is the same as once', async () => {
  const jobtitle = uniqueText();
  const { id } = await story.plan('update_field', { fields: { jobtitle } }, { customerId: ann.id });
  story.vendors.hubspot.server.faults.add({ kind: 'cut_after', match: /^PATCH .*\/contacts\//, times: 1 });
  await dispatch(story);
  expect(await lookAfter(story, id)).toMatchObject({ state: 'sent', attempts: 2 });
  expect(story.vendors.hubspot.state.find('contacts', ann.contact)!.properties.jobtitle).toBe(jobtitle);
});

/** A text message that Twilio took, whose answer got lost. */
async function lost(): Promise<Planned & { sid: string }> {
  const planned = await sms.plan();
  sms.add({ kind: 'cut_after', match: sms.match, times: 1 });
  await dispatch(story);
  return { ...planned, sid: (planned.native()[0] as { sid: string }).sid };
}

test('unknowns: what only a person can decide keeps nobody else waiting, however much of it there is', async () => {
  const { id } = await mail();
  story.vendors.smtp.faults.add({ kind: 'cut', match: /^DATA /, times: 1 });
  await dispatch(story);
  await lookAfter(story, id);
  // As after a bad night of the mail server: two hundred of them.
  const { rows: columns } = await story.hub.db.statement<{ names: string }>(
    `select string_agg(column_name, ', ') as names from information_schema.columns where table_name = 'action_request' and column_name not in ('id', 'idempotency_key')`,
  );
  const names = columns[0]!.names;
  await story.hub.db.tenant(story.tenantId, (tx) =>
    tx.query(
      `insert into action_request (id, ${names}) select gen_random_uuid(), ${names} from action_request, generate_series(1, 200) where tenant_id = $1 and id = $2`,
      [tx.tenantId, id],
    ),
  );
  story.clock.advance(25 * HOUR);
  const { id: text } = await lost();
  story.clock.advance(2 * MINUTE);
  await reconcile(story);
  expect(await story.action(text)).toMatchObject({ state: 'sent', attempts: 1 });
  await story.hub.db.tenant(story.tenantId, (tx) =>
    tx.query(
      'delete from action_request where tenant_id = $1 and plan = (select plan from action_request where tenant_id = $1 and id = $2) and id <> $2',
      [tx.tenantId, id],
    ),
  );
});

/** Twilio's list does not show what it took. */
const hideMessages = (): void =>
  sms.add({
    kind: 'rewrite',
    rewrite: (body) => ({ ...(body as object), messages: [] }),
    match: /^GET .*\/Messages\.json$/,
  });

test('unknowns: a report that comes later proves a message whose answer was lost', async () => {
  const { id, sid, native } = await lost();
  hideMessages();
  await story.vendors.twilio.handToCarrier(sid);
  await story.settle();
  const receipt = { nativeId: sid, state: 'sent' };
  expect(await story.action(id)).toMatchObject({ state: 'sent', attempts: 1, receipt });
  await lookAfter(story, id);
  expect(native()).toHaveLength(1);
});

test('unknowns: a report that comes when it was about to be tried again stops that', async () => {
  const { id, sid, native } = await lost();
  hideMessages();
  story.clock.advance(5 * MINUTE);
  await reconcile(story);
  expect(await story.action(id)).toMatchObject({ state: 'planned', reason: 'retry' });
  await story.vendors.twilio.handToCarrier(sid);
  await story.settle();
  await lookAfter(story, id);
  expect(native()).toHaveLength(1);
  expect(await story.action(id)).toMatchObject({ state: 'sent', attempts: 1, receipt: { nativeId: sid } });
});

test('unknowns: what shows up only when it is about to be sent again is found then', async () => {
  const { id, native } = await lost();
  hideMessages();
  story.clock.advance(5 * MINUTE);
  await reconcile(story);
  expect(await story.action(id)).toMatchObject({ state: 'planned', reason: 'retry' });
  heal(story);
  await dispatch(story);
  expect(await story.action(id)).toMatchObject({ state: 'sent', attempts: 2 });
  expect(native()).toHaveLength(1);
});

test('unknowns: a report that overtakes the answer, which then gets lost, is proof enough', async () => {
  const { id, native } = await sms.plan();
  hideMessages();
  // The report is told while the call is open, and what comes back says nothing.
  sms.add({
    kind: 'rewrite',
    match: sms.match,
    times: 1,
    rewrite: async (body: unknown) => {
      await story.vendors.twilio.handToCarrier((body as Row).sid);
      await story.settle();
      return {};
    },
  });
  await dispatch(story);
  await lookAfter(story, id);
  expect(native()).toHaveLength(1);
  expect(await story.action(id)).toMatchObject({ state: 'sent', attempts: 1 });
});

test('unknowns: the platform is given its time after every try, not after the first one only', async () => {
  const { id, native } = await sms.plan();
  // The first try never arrives, and the platform says so after its time.
  sms.add({ kind: 'cut', match: sms.match, times: 1 });
  await dispatch(story);
  story.clock.advance(5 * MINUTE);
  await reconcile(story);
  expect(await story.action(id)).toMatchObject({ state: 'planned', reason: 'retry' });
  // The second one arrives; the answer is lost, and the list does not show it yet.
  sms.add({ kind: 'cut_after', match: sms.match, times: 1 });
  hideMessages();
  await dispatch(story);
  expect(native()).toHaveLength(1);
  story.clock.advance(MINUTE);
  await reconcile(story);
  expect(await story.action(id)).toMatchObject({
    state: 'unknown',
    attempts: 2,
    detail: expect.stringMatching(/not found yet/),
  });
  heal(story);
  expect(await lookAfter(story, id)).toMatchObject({ state: 'sent', attempts: 2 });
  expect(native()).toHaveLength(1);
});
