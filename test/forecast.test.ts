import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../src/base/ids.ts';
import { addDays, instantOf, localDate } from '../src/base/time.ts';
import { Agenda } from '../src/forecast/queue.ts';
import { beginStory, type Customer, type Row, type Story, ZONE } from './support/story.ts';

let story: Story;
const today = (): string => localDate(story.clock.now(), ZONE);

/** Makes a sequence and switches it on. */
async function sequence(key: string, more: Row): Promise<void> {
  await story.must('POST', '/v1/sequences', {
    ...{ key, title: key, topic: 'service', per: 'customer', again: { policy: 'always' }, exits: [] },
    ...more,
  });
  await story.must('POST', `/v1/sequences/${key}/switch`, { on: true }, await story.version(`/v1/sequences/${key}`));
}

const text = (channel: string, body: string): Promise<Row> =>
  story.must(
    'PUT',
    `/v1/templates/hello/${channel}/en`,
    { body, ...(channel === 'email' ? { subject: 'Hello' } : {}) },
    { 'if-match': '"0"' },
  );

const care = {
  class: 'transactional',
  triggers: [{ name: 'manual' }],
  steps: [
    { id: 'first', message: { channels: ['email'], template: 'hello' } },
    { id: 'pause', wait: { days: 2 } },
    {
      id: 'way',
      branch: { cases: [{ when: { reachable: ['sms'] }, then: 'short' }], else: 'long' },
    },
    { id: 'short', at: '21:30', message: { channels: ['sms'], template: 'hello' }, next: 'call' },
    { id: 'long', message: { channels: ['sms', 'email'], template: 'hello' } },
    { id: 'call', do: { kind: 'create_task', input: { title: 'Call {{ customer.name }}' } } },
    { id: 'listen', wait_for: { event: { what: 'answer' }, timeout: { days: 3 }, on_timeout: 'last' } },
    { id: 'happy', end: { reason: 'answered' } },
    { id: 'last', day: 9, at: '10:00', message: { channels: ['email'], template: 'hello' } },
  ],
};

let people: Customer[];
/** From the first step of whoever is in something to the last, and a whole chase. */
const DAYS = 15;

beforeAll(async () => {
  story = await beginStory();
  await text('email', 'Hello {{ customer.first_name }}');
  await text('sms', 'Hello {{ customer.first_name }}');
  await story.playbook('overdue-chase');
  await sequence('care', care);
  await sequence('news', {
    ...{ class: 'marketing', triggers: [{ name: 'manual' }] },
    steps: [
      { id: 'one', message: { channels: ['email'], template: 'hello' } },
      { id: 'two', day: 1, message: { channels: ['email'], template: 'hello' } },
      { id: 'three', day: 2, message: { channels: ['email', 'sms'], template: 'hello' } },
      { id: 'four', day: 3, message: { channels: ['email'], template: 'hello' } },
      { id: 'five', day: 4, message: { channels: ['email'], template: 'hello' } },
    ],
  });
  await sequence('congratulations', {
    ...{ class: 'transactional', triggers: [{ name: 'birthday' }], per: 'occurrence' },
    steps: [{ id: 'wish', at: '09:00', message: { channels: ['sms', 'email'], template: 'hello' } }],
  });
  people = [
    await story.customer({ owes: [100] }),
    await story.customer({ owes: [70], due: addDays(today(), 3), zone: 'america_slash_los_angeles' }),
    await story.customer({ phone: null, zone: 'europe_slash_berlin' }),
    await story.customer({ owes: [40], due: addDays(today(), 8) }),
  ];
  const birthday = addDays(today(), 6);
  await story.vendors.hubspot.change('contacts', people[2]!.contact, { date_of_birth: `1980${birthday.slice(4)}` });
  await story.vendors.hubspot.change('contacts', people[0]!.contact, { date_of_birth: `1990${birthday.slice(4)}` });
  await story.settle();
  const enrol = (key: string, who: Customer[]): Promise<Row> =>
    story.must('POST', '/v1/enrolments', { sequence: key, customers: who.map(({ id }) => id), reason: 'a test' });
  for (const person of [people[0]!, people[1]!])
    await story.must('POST', `/v1/customers/${person.id}/consent`, {
      ...{ channel: 'email', state: 'granted', class: 'marketing', basis: 'consent', evidence: 'said so' },
    });
  await enrol('care', people);
  await enrol('news', people.slice(0, 3));
  await story.until(0, '13:00');
});

afterAll(() => story?.end());

/** When something of an enrolment is due next, or the business looks what the day brings. */
async function nextMoment(): Promise<Date> {
  const now = story.clock.now();
  const [next] = await story.rows(
    `select least((select min(wake_at) from run where tenant_id = $1 and state = 'waiting' and wake_at > $2),
       (select min(not_before) from action_request where tenant_id = $1 and state in ('planned', 'committed') and not_before > $2)) as at`,
    now,
  );
  const midnight = instantOf(addDays(localDate(now, ZONE), 1), '00:01', ZONE);
  return [next!.at as Date | null, midnight]
    .filter((at): at is Date => at !== null && at > now)
    .sort((a, b) => a.getTime() - b.getTime())[0]!;
}

const keyOf = (row: Row): string => [row.on, row.customer, row.sequence, row.step, row.channel].join(' ');

test('forecast: what is foretold is what goes out, on those dates, with those steps, by those channels', async () => {
  const planned = (): Promise<Row[]> =>
    story.rows('select count(*)::int as n from action_request where tenant_id = $1');
  const before = await planned();
  const answer = await story.must('POST', '/v1/forecast', { days: DAYS });
  // Nothing was kept of it.
  expect(await planned()).toEqual(before);
  const name = new Map(people.map(({ id }, n) => [id, `person${n}`]));
  const foretold = answer.messages.map((row: Row) => keyOf({ ...row, customer: name.get(row.customer.id) })).sort();
  expect(answer.total).toBe(foretold.length);
  expect(answer.days.reduce((sum: number, day: Row) => sum + day.count, 0)).toBe(answer.total);
  const since = story.clock.now();
  const end = instantOf(addDays(localDate(since, ZONE), DAYS + 1), '00:00', ZONE);
  for (let at = await nextMoment(); at < end; at = await nextMoment()) {
    story.clock.set(at);
    await story.settle();
  }
  const sent = await story.rows(
    `select a.customer_id as customer, to_char(a.ended_at at time zone r.zone, 'YYYY-MM-DD') as on, s.key as sequence, a.step_id as step, a.channel
     from action_request a join run r on r.tenant_id = a.tenant_id and r.id = a.run_id join sequence s on s.tenant_id = r.tenant_id and s.id = r.sequence_id
     where a.tenant_id = $1 and a.state = 'sent' and a.class <> 'internal' and a.ended_at > $2`,
    since,
  );
  const real = sent.map((row) => keyOf({ ...row, customer: name.get(row.customer) })).sort();
  expect(foretold).toEqual(real);
  expect(real.length).toBeGreaterThan(15);
  for (const key of ['overdue-chase final', 'care short', 'care long', 'care last', 'congratulations wish', 'news'])
    expect(
      real.some((line) => line.includes(key)),
      key,
    ).toBe(true);
});

test('forecast: things come in the order of their moments', () => {
  const agenda = new Agenda<number>();
  const at = Array.from({ length: 500 }, (_, n) => (n * 7919) % 101);
  for (const [n, moment] of at.entries()) agenda.add(new Date(moment), n);
  const taken: number[] = [];
  while (agenda.size > 0) taken.push(...agenda.take());
  expect(taken).toEqual(
    at
      .map((moment, n) => ({ moment, n }))
      .sort((a, b) => a.moment - b.moment || a.n - b.n)
      .map(({ n }) => n),
  );
});

test('try: every step has its date, the hours that moved it, its text and every gate, and why it went that way', async () => {
  const [, ann, ben] = people;
  const before = await story.rows(
    'select (select count(*) from run where tenant_id = $1) as runs, (select count(*) from action_request where tenant_id = $1) as actions, (select count(*) from link_route) as links',
  );
  const tried = await story.must('POST', '/v1/sequences/care/try', {
    customer: ann!.email,
    from: addDays(today(), 1),
    days: 30,
  });
  expect(tried).toMatchObject({ zone: 'America/Los_Angeles', startOn: addDays(today(), 1), ends: 'reached the end' });
  const way = (answer: Row): string[] => answer.steps.map((step: Row) => `${step.day} ${step.step}: ${step.outcome}`);
  expect(way(tried)).toEqual([
    '0 first: sent',
    '2 pause: waited',
    '2 way: short',
    // Half past nine in the evening lies in the quiet hours.
    '3 short: sent',
    '3 call: sent',
    '6 listen: timeout',
    '9 last: sent',
  ]);
  const short = tried.steps.find(({ step }: Row) => step === 'short').messages[0];
  expect(short).toMatchObject({
    channel: 'sms',
    recipient: ann!.phone,
    verdict: 'allow',
    content: { text: expect.stringContaining('Hello Ann') },
  });
  expect(short.localTime).toContain('08:00');
  expect(short.movedBy).toContain('quiet_hours');
  expect(short.gates.map(({ gate }: Row) => gate)).toEqual(
    expect.arrayContaining(['suppression and consent', 'quiet hours', 'frequency cap']),
  );
  const call = tried.steps.find(({ step }: Row) => step === 'call').messages[0];
  expect(call.content.title).toBe(`Call ${ann!.name}`);
  // Without a number it goes the other way, and says why.
  const other = await story.must('POST', '/v1/sequences/care/try', { customer: ben!.id });
  expect(way(other).slice(2, 4)).toEqual(['2 way: else', '2 long: sent']);
  expect(other.steps[3].messages[0].channel).toBe('email');
  // A draft is tried without being saved, and keeps nothing.
  const definition = {
    ...(await story.must('GET', '/v1/sequences/care')).definition,
    steps: [{ id: 'only', day: 3, message: { channels: ['sms'], template: 'hello' } }],
  };
  expect(way(await story.must('POST', '/v1/sequences/care/try', { customer: ben!.id, definition }))).toEqual([
    '3 only: skipped',
  ]);
  expect(
    await story.rows(
      'select (select count(*) from run where tenant_id = $1) as runs, (select count(*) from action_request where tenant_id = $1) as actions, (select count(*) from link_route) as links',
    ),
  ).toEqual(before);
  const wrong = await story.api('POST', '/v1/sequences/care/try', {
    customer: ben!.id,
    definition: { ...definition, steps: [] },
  });
  expect(wrong.status).toBe(422);
});

test('forecast: a draft is drawn against what is active, with who gets more and who gets less', async () => {
  const { definition } = await story.must('GET', '/v1/sequences/congratulations');
  const draft = {
    ...definition,
    steps: [...definition.steps, { id: 'again', day: 2, message: { channels: ['email'], template: 'hello' } }],
  };
  const birthday = addDays(today(), 20);
  await story.vendors.hubspot.change('contacts', people[3]!.contact, { date_of_birth: `1970${birthday.slice(4)}` });
  await story.settle();
  const { difference, total } = await story.must('POST', '/v1/forecast', { days: 40, draft });
  expect(difference).toMatchObject({ after: total, before: total - 1, more: 1, less: 0 });
  expect(difference.customers).toEqual([expect.objectContaining({ id: people[3]!.id })]);
  const mine = await story.must('POST', '/v1/forecast', { days: 40, customer: people[3]!.email });
  expect(mine.messages.map(({ step, on }: Row) => `${step} ${on}`)).toContain(`wish ${birthday}`);
  expect(mine.messages.every(({ customer }: Row) => customer.id === people[3]!.id)).toBe(true);
  expect((await story.api('POST', '/v1/forecast', { days: 631 })).status).toBe(400);
});

test('forecast: people who wait for their turn in a campaign are foretold for that turn', async () => {
  const ben = people[2]!;
  const due = instantOf(addDays(today(), 4), '10:00', ZONE);
  const [care] = await story.rows("select id from sequence where tenant_id = $1 and key = 'care'");
  const campaign = newId();
  await story.rows(
    `insert into campaign (tenant_id, id, key, title, sequence_id, audience, entry, open, holdout_percent, state, created_at, created_by, updated_at)
     values ($1, $2, 'spring', 'Spring', $3, '{}', '{"mode": "from_now"}', false, 0, 'running', $4, 'test', $4)`,
    ...[campaign, care!.id, story.clock.now()],
  );
  const member = (id: string, heldOut: boolean): Promise<Row[]> =>
    story.rows(
      `insert into campaign_member (tenant_id, campaign_id, customer_id, state, held_out, later, place, due_at, updated_at)
       values ($1, $2, $3, 'waiting', $4, false, 1, $5, $6)`,
      ...[campaign, id, heldOut, due, story.clock.now()],
    );
  await member(ben.id, false);
  await member(people[1]!.id, true);
  const foretold = async (who: Customer): Promise<string[]> =>
    (await story.must('POST', '/v1/forecast', { days: 20, customer: who.id })).messages
      .filter(({ sequence }: Row) => sequence === 'care')
      .map(({ on, step }: Row) => `${on} ${step}`);
  expect(await foretold(ben)).toEqual(
    [4, 6, 13].map((day, at) => `${addDays(today(), day)} ${['first', 'long', 'last'][at]}`),
  );
  expect(await foretold(people[1]!)).toEqual([]);
});
