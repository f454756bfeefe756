import { afterAll, beforeAll, expect, test } from 'vitest';
import { DAY } from './support/hub.ts';
import { beginStory, type Customer, type Row, type Story } from './support/story.ts';

// What people do on the platforms, as the platforms tell of it, moves enrolments on: nothing here is told to the hub itself.

let story: Story;

/** A sequence that does something, waits for what people do about it, and says in the CRM which way it went. */
async function sequence(key: string, first: Row, event: Row): Promise<void> {
  const note = (id: string, body: string, more: Row = {}): Row => ({
    id,
    do: { kind: 'add_note', input: { body } },
    ...more,
  });
  await story.must('POST', '/v1/sequences', {
    ...{ key, title: key, class: 'transactional', topic: 'service', per: 'customer', exits: [] },
    ...{ triggers: [{ name: 'manual' }], again: { policy: 'always' } },
    steps: [
      first,
      { id: 'until', wait_for: { event, timeout: { days: 5 }, on_timeout: 'late' } },
      note('came', `${key}: it happened`, { next: 'end' }),
      note('late', `${key}: nothing happened`),
    ],
  });
  const path = `/v1/sequences/${key}`;
  await story.must('POST', `${path}/switch`, { on: true }, await story.version(path));
}

beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot', 'quickbooks', 'twilio', 'webhook'], alwaysOpen: true });
  await story.must('PUT', '/v1/templates/hello/sms/en', { body: 'Hello {{ customer.name }}' });
  const text = { id: 'first', message: { channels: ['sms'], template: 'hello' } };
  await sequence(
    'task',
    { id: 'first', do: { kind: 'create_task', input: { title: 'Call' } } },
    { what: 'task_done', step: 'first' },
  );
  await sequence('reply', text, { what: 'answer' });
  await sequence('paid', text, { what: 'payment' });
  await sequence('booked', text, { what: 'booking' });
});
afterAll(() => story?.end());

async function enter(of: Customer, key: string): Promise<void> {
  await story.must('POST', '/v1/enrolments', { sequence: key, customers: [of.id], reason: 'a test' });
  await story.settle();
}
const notes = ({ contact }: Customer): string[] => {
  const { state } = story.vendors.hubspot;
  const ids = state.associated('contacts', contact, 'notes');
  return state
    .all('notes')
    .filter(({ id }) => ids.includes(id))
    .map(({ properties }) => String(properties.hs_note_body));
};
const days = async (count: number): Promise<void> => {
  story.clock.advance(count * DAY);
  await story.settle();
};

test('followed: a task that staff complete in the CRM is done here, and one they leave open is not', async () => {
  const [ann, bob] = [await story.customer(), await story.customer()];
  for (const one of [ann, bob]) await enter(one, 'task');
  const [call] = story.tasksFor(ann);
  await days(1);
  expect(notes(ann)).toEqual([]);
  // Moved on, but not done.
  await story.vendors.hubspot.change('tasks', call!.id, { hs_task_status: 'IN_PROGRESS' });
  await story.settle();
  expect(notes(ann)).toEqual([]);
  await story.vendors.hubspot.change('tasks', call!.id, { hs_task_status: 'COMPLETED' });
  await story.settle();
  expect(notes(ann)).toEqual(['task: it happened']);
  await days(5);
  expect(notes(ann)).toHaveLength(1);
  expect(notes(bob)).toEqual(['task: nothing happened']);
});

test('followed: a reply by text message is the answer that is waited for, of whoever wrote it and nobody else', async () => {
  const [ann, bob] = [await story.customer(), await story.customer()];
  for (const one of [ann, bob]) await enter(one, 'reply');
  expect(story.textsTo(ann)).toHaveLength(1);
  await days(1);
  await story.write(ann, 'Yes please');
  expect(notes(ann)).toEqual(['reply: it happened']);
  expect(notes(bob)).toEqual([]);
  await days(5);
  expect(notes(bob)).toEqual(['reply: nothing happened']);
});

test('followed: money that comes into the books is a payment', async () => {
  const [ann, bob] = [await story.customer({ owes: [100] }), await story.customer({ owes: [100] })];
  for (const one of [ann, bob]) await enter(one, 'paid');
  await days(1);
  await story.pay(ann, 40);
  expect(notes(ann)).toEqual(['paid: it happened']);
  await days(5);
  expect(notes(bob)).toEqual(['paid: nothing happened']);
});

test('followed: an appointment another system tells of is a booking; one that is cancelled at once is none', async () => {
  const [ann, bob] = [await story.customer(), await story.customer()];
  for (const one of [ann, bob]) await enter(one, 'booked');
  await days(1);
  const tell = async (of: Customer, id: string, status: string): Promise<void> => {
    story.clock.advance(1000);
    const now = story.clock.now().getTime();
    const fields = {
      id,
      status,
      scheduled_for: new Date(now + 3 * DAY).toISOString(),
      updated_at: new Date(now).toISOString(),
    };
    const { status: answer, body } = await story.vendors.webhook.send('appointment.upserted', {
      email: of.email,
      ...fields,
    });
    expect(answer, String(body)).toBeLessThan(300);
    await story.settle();
  };
  await tell(ann, 'a-1', 'scheduled');
  await tell(bob, 'b-1', 'cancelled');
  expect(notes(ann)).toEqual(['booked: it happened']);
  await days(5);
  expect(notes(bob)).toEqual(['booked: nothing happened']);
});
