import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../src/base/ids.ts';
import { addDays, localDate } from '../src/base/time.ts';
import { beginStory, type Row, type Story, ZONE } from './support/story.ts';

let story: Story;
const PATH = '/v1/sequences/overdue-chase';

beforeAll(async () => {
  story = await beginStory();
  await story.playbook('overdue-chase');
});

afterAll(() => story?.end());

/** Puts the chase into the shadow or makes it live. */
const mode = async (name: 'live' | 'shadow'): Promise<Row> =>
  story.must('PUT', `${PATH}/mode`, { mode: name }, await story.version(PATH));
/** Everything that reached any platform, counted. */
const ledger = (): Row => ({
  mails: story.vendors.smtp.mails().length,
  texts: story.vendors.twilio.state.messages.length,
  tasks: story.vendors.hubspot.state.all('tasks').length,
  meetings: story.vendors.hubspot.state.all('meetings').length,
  chats:
    story.vendors.slack.state.messages?.length ?? story.chatsTo('rita@business.example', { name: '' } as never).length,
});

test('shadow: the whole chase is decided and written down, staff and customer are told nothing', async () => {
  await mode('shadow');
  const before = ledger();
  const ann = await story.escalated({ owes: [100] });
  expect(ledger()).toEqual(before);

  const { items, days, enrolments } = await story.must('GET', `/v1/shadow?sequence=overdue-chase&customerId=${ann.id}`);
  expect(enrolments).toBe(1);
  const oldestFirst = [...items].reverse();
  expect(oldestFirst.map((item: Row) => `${item.at.slice(0, 10)} ${item.step} ${item.channel}`).sort()).toEqual([
    '2026-03-02 friendly email',
    '2026-03-08 firm sms',
    '2026-03-15 final email',
    '2026-03-15 invoice-again native',
    '2026-03-18 people calendar',
    '2026-03-18 people chat',
    '2026-03-18 people task',
  ]);
  expect(oldestFirst[0]).toMatchObject({ sequence: 'overdue-chase', customer: { id: ann.id }, recipient: ann.email });
  expect(oldestFirst[0].content.text).toContain('Total: $100.00');
  expect(oldestFirst.find(({ channel }: Row) => channel === 'task').content.title).toContain('owes $100.00');
  expect(days.reduce((sum: number, day: Row) => sum + day.count, 0)).toBe(items.length);
  // It went on as if it had been sent.
  const enrolment = await story.enrolment(ann);
  expect(enrolment).toMatchObject({ shadow: true, state: 'waiting', step: 'people' });
  // Nobody finds it among what staff are asked to take.
  expect((await story.must('GET', `/v1/escalations?customerId=${ann.id}`)).items).toEqual([]);
  expect((await story.explain(ann)).actions.map(({ reason }: Row) => reason)).toContain('shadow');
});

test('shadow: going live ends what was in shadow, and the same customer is chased for real afterwards', async () => {
  await mode('shadow');
  const bob = await story.chased({ owes: [70] });
  expect(story.mailsTo(bob)).toEqual([]);
  const { ended, version } = await mode('live');
  expect(ended).toBeGreaterThanOrEqual(1);
  expect(await story.enrolment(bob)).toMatchObject({ state: 'exited', endReason: 'the sequence went live' });
  // What shadow has seen starts nothing afterwards; the next thing that happens does, although the last time was no 14 days ago.
  await story.invoice(bob, 30, addDays(localDate(story.clock.now(), ZONE), -1));
  await story.until(0, '13:00');
  expect((await story.enrolment(bob)).shadow).toBe(false);
  expect(story.mailsTo(bob)).toHaveLength(1);
  // An old version of the sequence switches nothing.
  const stale = await story.api('PUT', `${PATH}/mode`, { mode: 'shadow' }, { 'if-match': `"${version - 1}"` });
  expect(stale.status).toBe(412);
  const events = (await story.must('GET', '/v1/audit?action=sequence.mode_changed&limit=200')).items;
  expect(events.some((event: Row) => event.action === 'sequence.mode_changed' && event.data.to === 'live')).toBe(true);
});

test('shadow: a message in shadow takes no place of a real one under a cap, and real ones take its place', async () => {
  const ann = await story.customer();
  const at = story.clock.now();
  const touch = (shadow: boolean): Promise<Row[]> =>
    story.rows(
      "insert into touch (tenant_id, request_id, customer_id, channel, class, at, shadow) values ($1, $2, $3, 'email', 'marketing', $4, $5)",
      ...[newId(), ann.id, at, shadow],
    );
  const verdict = async (): Promise<string | undefined> => {
    const { gates } = await story.must('POST', '/v1/actions', {
      ...{ kind: 'send_email', customerId: ann.id, class: 'marketing', preview: true },
      input: { subject: 'Hello', text: 'Hello' },
    });
    return gates.find(({ gate }: Row) => gate === 'frequency cap')?.verdict;
  };
  await touch(true);
  expect(await verdict()).toBe('allow');
  await touch(false);
  expect(await verdict()).toBe('defer');
});

test('explain: the whole story in sentences, as it was known at any moment, and why triggers started nothing', async () => {
  await mode('live');
  const dan = await story.chased({ owes: [55], zone: 'america_slash_los_angeles' });
  const then = story.clock.now();
  await story.until(6, '08:05');
  await story.until(0, '14:00');
  const told = async (at?: Date): Promise<Row> =>
    story.must('GET', `/v1/customers/${dan.id}/explain?sequence=overdue-chase${at ? `&at=${at.toISOString()}` : ''}`);
  const sentences = (answer: Row): string => answer.story.map(({ text }: Row) => text).join('\n');
  const past = await told(then);
  expect(sentences(past)).toMatch(/The trigger invoice.overdue fired for .* and started "Overdue invoices"\./);
  expect(sentences(past)).toContain('E-mail of "Overdue invoices", step "friendly": sent.');
  expect(sentences(past)).toContain('"Overdue invoices", step "firm": reached, and stood there then.');
  expect(past.enrolments[0]).toMatchObject({ state: 'running', next: null });
  const now = await told();
  // Eight in New York is five in Los Angeles: what held it, and until when, is still known.
  expect(sentences(now)).toMatch(/Text message had to wait until .*: Outside /);
  expect(sentences(now)).toContain('Text message of "Overdue invoices", step "firm": sent.');
  expect(now.story.length).toBeGreaterThan(past.story.length);
  // Who owes nothing is told why nothing came.
  const eve = await story.customer();
  const none = await story.must('GET', `/v1/customers/${eve.id}/explain?sequence=overdue-chase`);
  expect(none.story).toEqual(
    expect.not.arrayContaining([expect.objectContaining({ text: expect.stringContaining('started') })]),
  );
  expect(none.notStarted).toEqual([{ trigger: 'invoice.overdue', why: expect.stringContaining('nothing to notice') }]);
});
