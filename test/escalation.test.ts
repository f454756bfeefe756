import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { addDays, instantOf, localDate } from '../src/base/time.ts';
import { beginStory, type Customer, type Row, type Story, staffEmail, ZONE } from './support/story.ts';

const [RITA, DAN, ADA, ALMA] = ['Rita Manager', 'Dan Deputy', 'Ada Accounts', 'Alma Admin'].map(staffEmail) as [
  string,
  string,
  string,
  string,
];
const EVERYBODY = [RITA, DAN, ADA, ALMA];

let story: Story;
let staff: Map<string, Row>;

const change = async (email: string, what: Row): Promise<void> => {
  const items = (await story.must('GET', '/v1/staff')).items as Row[];
  const { id, version } = items.find((person) => person.email === email)!;
  await story.must('PATCH', `/v1/staff/${id}`, what, { 'if-match': `"${version}"` });
};

beforeAll(async () => {
  story = await beginStory({
    vendors: ['hubspot', 'quickbooks', 'twilio', 'slack', 'smtp', 'webhook'],
    staff: ['Rita Manager', 'Dan Deputy', 'Ada Accounts', 'Alma Admin'],
  });
  staff = new Map((await story.must('GET', '/v1/staff')).items.map((person: Row) => [person.email, person]));
  await change(RITA, { deputyId: staff.get(DAN)!.id });
  await change(ADA, { roles: ['accounts'] });
  await change(ALMA, { roles: ['admin'] });
  await story.playbook('overdue-chase');
});

afterAll(() => story?.end());

afterEach(async () => {
  for (const email of EVERYBODY) await change(email, { absentUntil: null, departedOn: null, workingHours: null });
});

const escalation = async (customer: Customer): Promise<Row> =>
  (await story.must('GET', `/v1/escalations?customerId=${customer.id}`)).items[0];
/** Who was told about a customer, in the order they were told. */
const told = (customer: Customer): string[] =>
  EVERYBODY.flatMap((email) => story.chatsTo(email, customer).map(({ ts }) => ({ email, ts })))
    .sort((a, b) => (a.ts < b.ts ? -1 : 1))
    .map(({ email }) => email);
const events = async (customer: Customer, prefix: string): Promise<Row[]> =>
  (await story.audit(customer)).filter(({ action }) => action.startsWith(prefix));
const messagesTo = (customer: Customer): number => story.mailsTo(customer).length + story.textsTo(customer).length;

test('escalation: no answer to three reminders puts a task, a chat message with a button and a date before the one responsible', async () => {
  const ann = await story.escalated({ owes: [100, 50] });
  expect([story.mailsTo(ann).length, story.textsTo(ann).length]).toEqual([2, 1]);
  const { state } = story.vendors.hubspot;
  const rita = state.owners.find(({ email }) => email === RITA)!;
  const [task, ...others] = story.tasksFor(ann);
  expect(others).toEqual([]);
  expect(task!.properties).toMatchObject({
    hs_task_subject: `Overdue: ${ann.name} owes $150.00`,
    hubspot_owner_id: rita.id,
    hs_task_priority: 'HIGH',
    hs_task_status: 'NOT_STARTED',
  });
  expect(task!.properties.hs_task_body).toMatch(/2 invoice\(s\).*\$100\.00.*\$50\.00/);
  const [message, ...repeated] = story.chatsTo(RITA, ann);
  expect(repeated).toEqual([]);
  expect(message!.text).toContain(`${ann.name} does not answer about $150.00`);
  const buttons = message!.blocks.flatMap(({ elements }) => elements ?? []);
  expect(buttons.map(({ text }) => text?.text)).toEqual(['I have it']);
  const meetings = state
    .all('meetings')
    .filter(({ id }) => state.associated('contacts', ann.contact, 'meetings').includes(id));
  expect(meetings).toHaveLength(1);
  expect(told(ann)).toEqual([RITA]);
  // Four working hours from the opening of the office, not from five past eight.
  expect(await escalation(ann)).toMatchObject({
    state: 'open',
    assignee: { email: RITA, who: 'owner' },
    nextAt: instantOf(localDate(story.clock.now(), ZONE), '13:00', ZONE).toISOString(),
  });
  expect((await story.explain(ann)).enrolments[0]).toMatchObject({ step: 'people', waitingFor: 'escalation' });
});

test('escalation: the button stops the clock, changes the message, and counts once', async () => {
  const ann = await story.escalated();
  await story.press(RITA, ann);
  const taken = await escalation(ann);
  expect(taken).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'rita.manager', nextAt: null });
  const [message, ...more] = story.chatsTo(RITA, ann);
  expect(more).toEqual([]);
  expect(message!.edited).toBeDefined();
  expect(JSON.stringify(message!.blocks)).toContain('rita.manager has it');
  expect(message!.blocks.flatMap(({ elements }) => elements ?? [])).toEqual([]);
  expect(await story.enrolment(ann)).toMatchObject({ state: 'done', endReason: 'handed over' });
  // Somebody else presses over the API, too late; the clock does not start again.
  const second = await story.must('POST', `/v1/escalations/${taken.id}/acknowledge`);
  expect(second).toMatchObject({ first: false, escalation: { acknowledgedBy: 'rita.manager' } });
  await story.until(2, '17:00');
  expect(told(ann)).toEqual([RITA]);
  expect(story.tasksFor(ann)).toHaveLength(1);
  expect((await events(ann, 'escalation.')).map(({ action, actor }) => [action, actor])).toEqual([
    ['escalation.opened', 'system'],
    ['escalation.acknowledged', 'rita.manager'],
  ]);
});

test('escalation: two presses at once are one acknowledgement and one changed message', async () => {
  const ann = await story.escalated();
  const { id } = await escalation(ann);
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => story.must('POST', `/v1/escalations/${id}/acknowledge`)),
  );
  await story.settle();
  expect(answers.filter(({ first }) => first)).toHaveLength(1);
  expect(await events(ann, 'escalation.acknowledged')).toHaveLength(1);
  expect((await story.actions(ann)).filter(({ channel }) => channel === 'acknowledged')).toHaveLength(1);
});

test('escalation: nobody takes it: deputy, role and admin, each after four working hours, then it stays open', async () => {
  const ann = await story.escalated();
  const steps = [
    [0, '12:59', [RITA]],
    [0, '13:00', [RITA, DAN]],
    [0, '16:59', [RITA, DAN]],
    [0, '17:00', [RITA, DAN, ADA]],
    // The night is no working time.
    [1, '12:59', [RITA, DAN, ADA]],
    [0, '13:00', EVERYBODY],
    [0, '17:00', EVERYBODY],
    [5, '17:00', EVERYBODY],
  ] as const;
  for (const [days, time, expected] of steps) {
    await story.until(days, time);
    expect(told(ann), `at ${time}`).toEqual(expected);
  }
  // One task for each who was asked, one date for the first.
  expect(story.tasksFor(ann)).toHaveLength(4);
  expect(await escalation(ann)).toMatchObject({ state: 'open', nextAt: null, level: 3 });
  expect(await story.enrolment(ann)).toMatchObject({ state: 'done' });
  expect((await events(ann, 'escalation.')).map(({ action, data }) => `${action} ${data.who}`)).toEqual([
    'escalation.opened owner',
    'escalation.raised deputy',
    'escalation.raised role',
    'escalation.raised admin',
    'escalation.unacknowledged admin',
  ]);
  // Late is better than never.
  await story.press(ALMA, ann);
  expect(await escalation(ann)).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'alma.admin' });
});

test('escalation: the hours of the person count, and a weekend is none of them', async () => {
  // Works Fridays from two to four and nothing else.
  await change(RITA, { workingHours: { open: '14:00', close: '16:00', days: [5] } });
  const ann = await story.escalated();
  const friday = addDays(localDate(story.clock.now(), ZONE), 2);
  const { nextAt } = await escalation(ann);
  // Two hours this Friday, two the next.
  expect(localDate(new Date(nextAt), ZONE)).toBe(addDays(friday, 7));
  await story.until(5, '17:00');
  expect(told(ann)).toEqual([RITA]);
});

test('escalation: who is absent or has left is passed over at once', async () => {
  const ann = await story.chased();
  for (const days of [6, 7]) await story.until(days, '08:05');
  await change(RITA, { absentUntil: addDays(localDate(story.clock.now(), ZONE), 30) });
  await change(DAN, { departedOn: localDate(story.clock.now(), ZONE) });
  await story.until(3, '08:05');
  expect(told(ann)).toEqual([ADA]);
  expect(await escalation(ann)).toMatchObject({ level: 2, assignee: { email: ADA, who: 'role' } });
  await story.until(0, '13:00');
  expect(told(ann)).toEqual([ADA, ALMA]);
});

test('escalation: a payment closes it, and the task stays for its owner to close', async () => {
  const ann = await story.escalated();
  await story.pay(ann, 100);
  expect(await escalation(ann)).toMatchObject({
    state: 'closed',
    closedReason: 'nothing is overdue any more',
    nextAt: null,
  });
  await story.until(2, '17:00');
  expect(told(ann)).toEqual([RITA]);
  expect(story.tasksFor(ann).map(({ properties }) => properties.hs_task_status)).toEqual(['NOT_STARTED']);
  // The button under the old message does no harm.
  await story.press(RITA, ann);
  expect(await escalation(ann)).toMatchObject({ state: 'closed', acknowledgedBy: null });
});

test('escalation: an answer stops what goes to the customer and leaves what staff have', async () => {
  const ann = await story.escalated();
  const sent = messagesTo(ann);
  await story.write(ann, 'I will look into it, sorry.');
  expect(await story.enrolment(ann)).toMatchObject({ state: 'exited', endReason: 'the customer answered' });
  expect(await escalation(ann)).toMatchObject({ state: 'open' });
  expect(story.tasksFor(ann)).toHaveLength(1);
  await story.until(20, '12:00');
  expect(messagesTo(ann)).toBe(sent);
});

test('escalation: an answer between two reminders ends the chase, and nobody on the staff is bothered', async () => {
  const ann = await story.chased();
  await story.until(6, '00:30');
  expect((await story.actions(ann)).at(-1)).toMatchObject({ channel: 'sms', state: 'planned' });
  await story.write(ann, 'When exactly was this due?');
  expect((await story.actions(ann)).at(-1)).toMatchObject({ state: 'skipped', reason: 'run_ended' });
  for (const days of [0, 8, 4]) await story.until(days, '17:00');
  expect([messagesTo(ann), told(ann).length, story.tasksFor(ann).length]).toEqual([1, 0, 0]);
});

test('escalation: an automatic reply, our own messages and delivery reports are no answers; a person on another channel is', async () => {
  const ann = await story.chased();
  const { webhook, twilio } = story.vendors;
  const at = (): string => story.clock.now().toISOString();
  const mail = (id: string, more: Row): Promise<unknown> =>
    webhook.send('activity.created', {
      ...{ id, kind: 'email', channel: 'email', direction: 'in', email: ann.email, subject: 'Re: reminder' },
      ...{ occurred_at: at(), updated_at: at(), ...more },
    });
  // One that says they are away puts things off (see care.test.ts).
  await mail('auto', { automatic: true, body: 'Thank you, your message has arrived.' });
  await mail('ours', { direction: 'out', body: 'A friendly reminder' });
  await mail('note', { kind: 'note', body: 'Called, nobody there' });
  await mail('call', { kind: 'call', direction: 'out', status: 'no_answer' });
  await story.settle();
  await story.until(6, '08:05');
  const [text] = story.textsTo(ann);
  await twilio.handToCarrier(text!.sid);
  await twilio.deliver(text!.sid);
  await story.settle();
  expect(await story.enrolment(ann)).toMatchObject({ state: 'waiting', step: 'final' });
  await mail('real', { body: 'Back now: I will pay tomorrow.' });
  await story.settle();
  expect(await story.enrolment(ann)).toMatchObject({ state: 'exited', endReason: 'the customer answered' });
});

test('escalation: a button value that is not ours, or is another one’s, acknowledges nothing', async () => {
  const bob = await story.escalated();
  const ann = await story.escalated();
  const { slack } = story.vendors;
  const [message] = story.chatsTo(RITA, ann);
  const button = message!.blocks.flatMap(({ elements }) => elements ?? [])[0]!;
  const rita = [...slack.state.users.values()].find(({ profile }) => profile.email === RITA)!;
  const good = button.value!;
  const [id, signature] = good.split('.') as [string, string];
  const other = await escalation(bob);
  const press = async (value: string): Promise<void> => {
    button.value = value;
    // Presses of the same moment are one press told twice.
    story.clock.advance(1000);
    await slack.press(message!.ts, 'I have it', rita.id);
    await story.settle();
  };
  for (const value of [
    '',
    id,
    `${id}.`,
    `${id}.${signature.slice(1)}A`,
    `${other.id}.${signature}`,
    'x'.repeat(2000),
  ]) {
    await press(value);
    expect((await escalation(ann)).state, value.slice(0, 60)).toBe('open');
    expect(await escalation(bob)).toEqual(other);
  }
  await press(good);
  expect((await escalation(ann)).state).toBe('acknowledged');
});
