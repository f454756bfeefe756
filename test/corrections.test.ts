import { afterAll, beforeAll, expect, test } from 'vitest';
import { DAY, MINUTE } from './support/hub.ts';
import { beginStory, type Customer, type Row, type Story } from './support/story.ts';

let story: Story;

/** A sequence that writes a note after three days, started by one trigger. */
async function sequence(key: string, trigger: Row, more: Row = {}): Promise<void> {
  await story.must('POST', '/v1/sequences', {
    key,
    title: key,
    class: 'transactional',
    topic: 'service',
    triggers: [trigger],
    per: 'subject',
    again: { policy: 'always' },
    exits: [],
    steps: [
      { id: 'rest', wait: { days: 3 } },
      { id: 'note', do: { kind: 'add_note', input: { body: `${key} of {{ customer.name }}` } } },
    ],
    ...more,
  });
  const path = `/v1/sequences/${key}`;
  await story.must('POST', `${path}/switch`, { on: true }, await story.version(path));
}

beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot', 'webhook'], alwaysOpen: true });
  await sequence('after-job', { name: 'job.completed' });
  await sequence('issued', { name: 'invoice.issued' });
  await sequence('closed', { name: 'ticket.closed' });
  await sequence('stage-stays', { name: 'deal.stage_changed', settings: { to: ['Visit'] } });
  await sequence(
    'stage-ends',
    { name: 'deal.stage_changed', settings: { to: ['Visit'] } },
    { exits: ['subject_gone'] },
  );
  await sequence('once-each', { name: 'job.completed', settings: { kinds: ['cleaning'] } }, { per: 'customer' });
  await sequence(
    'at-once',
    { name: 'deal.won' },
    {
      steps: [{ id: 'note', do: { kind: 'add_note', input: { body: 'Won by {{ customer.name }}' } } }],
    },
  );
  story.clock.advance(MINUTE);
});

afterAll(() => story?.end());

/** Another system tells of a record of the customer. */
async function tell(type: string, of: Customer, fields: Row): Promise<void> {
  story.clock.advance(1000);
  const { webhook } = story.vendors;
  const data = { email: of.email, updated_at: new Date(story.clock.now().getTime() - 500).toISOString(), ...fields };
  expect((await webhook.send(type, data)).status).toBeLessThan(300);
  await story.settle();
}
const enrolments = async (of: Customer, key: string): Promise<Row[]> =>
  (await story.must('GET', `/v1/enrolments?customerId=${of.id}`)).items.filter((row: Row) => row.sequence === key);
const states = async (of: Customer, key: string): Promise<string[]> =>
  (await enrolments(of, key)).map((row) => `${row.state} ${row.endReason ?? ''}`.trim());
const notesOn = ({ contact }: Customer): string[] => {
  const { state } = story.vendors.hubspot;
  const ids = state.associated('contacts', contact, 'notes');
  return state
    .all('notes')
    .filter(({ id }) => ids.includes(id))
    .map(({ properties }) => String(properties.hs_note_body));
};
const GONE = 'exited what it is about is no longer so';

test('corrections: a job that is not completed after all ends what it started, in the same moment, and nothing goes out', async () => {
  const ann = await story.customer();
  await tell('job.upserted', ann, { id: 'j1', title: 'Gutters', status: 'completed' });
  expect(await states(ann, 'after-job')).toEqual(['waiting']);
  await tell('job.upserted', ann, { id: 'j1', title: 'Gutters', status: 'in_progress' });
  expect(await states(ann, 'after-job')).toEqual([GONE]);
  const told = (await story.audit(ann)).find((event) => event.action === 'enrolment.exited');
  expect(told!.data).toMatchObject({ rule: 'subject_gone' });
  await story.advance(4 * DAY);
  expect(notesOn(ann)).toEqual([]);
  // Completed once more, it is the same job: it fired for it already.
  await tell('job.upserted', ann, { id: 'j1', title: 'Gutters', status: 'completed' });
  expect(await states(ann, 'after-job')).toEqual([GONE]);
});

test('corrections: a voided invoice, a ticket that is opened again and a deleted record end what they started', async () => {
  const ann = await story.customer();
  const invoice = { id: 'i1', number: 'A-1', total: '50', currency: 'USD' };
  await tell('invoice.upserted', ann, { ...invoice, status: 'open' });
  await tell('ticket.upserted', ann, { id: 't1', subject: 'Leak', status: 'closed' });
  await tell('job.upserted', ann, { id: 'j2', title: 'Roof', status: 'completed' });
  for (const key of ['issued', 'closed', 'after-job']) expect(await states(ann, key), key).toEqual(['waiting']);
  await tell('invoice.upserted', ann, { ...invoice, status: 'void' });
  await tell('ticket.upserted', ann, { id: 't1', subject: 'Leak', status: 'open' });
  await tell('job.deleted', ann, { id: 'j2' });
  for (const key of ['issued', 'closed', 'after-job']) expect(await states(ann, key), key).toEqual([GONE]);
  await story.advance(4 * DAY);
  expect(notesOn(ann)).toEqual([]);
});

test('corrections: what changes about the same fact without undoing it ends nothing', async () => {
  const ann = await story.customer();
  await tell('invoice.upserted', ann, { id: 'i2', number: 'A-2', total: '50', currency: 'USD', status: 'open' });
  await tell('invoice.upserted', ann, {
    id: 'i2',
    number: 'A-2',
    total: '60',
    currency: 'USD',
    status: 'partial',
    balance: '10',
  });
  await tell('invoice.upserted', ann, { id: 'i2', number: 'A-2', total: '60', currency: 'USD', status: 'paid' });
  expect(await states(ann, 'issued')).toEqual(['waiting']);
});

test('corrections: a document that belongs to somebody else ends what it started for the first', async () => {
  const [ann, bob] = [await story.customer(), await story.customer()];
  await tell('job.upserted', ann, { id: 'j3', title: 'Roof', status: 'completed' });
  expect(await states(ann, 'after-job')).toEqual(['waiting']);
  await tell('job.upserted', bob, { id: 'j3', title: 'Roof', status: 'completed' });
  expect(await states(ann, 'after-job')).toEqual([GONE]);
});

test('corrections: a deal that moves on ends the sequences that say so and no others', async () => {
  const ann = await story.customer();
  await tell('deal.upserted', ann, { id: 'd1', name: 'Roof', stage: 'Visit' });
  for (const key of ['stage-stays', 'stage-ends']) expect(await states(ann, key), key).toEqual(['waiting']);
  await tell('deal.upserted', ann, { id: 'd1', name: 'Roof', stage: 'Offer' });
  expect(await states(ann, 'stage-ends')).toEqual([GONE]);
  expect(await states(ann, 'stage-stays')).toEqual(['waiting']);
  await tell('deal.deleted', ann, { id: 'd1' });
  expect(await states(ann, 'stage-stays')).toEqual([GONE]);
});

test('corrections: an enrolment that another job joined goes on until that one is taken back too', async () => {
  const ann = await story.customer();
  await tell('job.upserted', ann, { id: 'k1', kind: 'cleaning', status: 'completed' });
  await tell('job.upserted', ann, { id: 'k2', kind: 'cleaning', status: 'completed' });
  expect(await states(ann, 'once-each')).toEqual(['waiting']);
  await tell('job.upserted', ann, { id: 'k1', kind: 'cleaning', status: 'cancelled' });
  expect(await states(ann, 'once-each')).toEqual(['waiting']);
  await tell('job.upserted', ann, { id: 'k2', kind: 'cleaning', status: 'cancelled' });
  expect(await states(ann, 'once-each')).toEqual([GONE]);
});

test('corrections: what is already planned does not go out, and the gate sees it for itself', async () => {
  const ann = await story.customer();
  // Nothing is sent meanwhile: everything is switched off.
  await story.must('PUT', '/v1/kill-switches/*', { reason: 'a test' });
  await tell('deal.upserted', ann, { id: 'w1', name: 'Roof', status: 'won' });
  const [planned] = await story.actions(ann);
  expect(planned).toMatchObject({ kind: 'add_note', state: 'planned' });
  // As if the fact had been stored without anybody being told.
  await story.rows("update deal set status = 'open' where tenant_id = $1 and remote_id = 'w1'");
  const explained = (await story.explain(ann)).enrolments[0].next.gates;
  expect(explained.find((gate: Row) => gate.gate === 'exit rules')).toMatchObject({ verdict: 'skip' });
  await story.rows("update deal set status = 'won' where tenant_id = $1 and remote_id = 'w1'");
  await tell('deal.upserted', ann, { id: 'w1', name: 'Roof', status: 'open' });
  expect(await states(ann, 'at-once')).toEqual([GONE]);
  await story.must('DELETE', '/v1/kill-switches/*');
  await story.advance(DAY);
  expect(await story.action(planned!.id)).toMatchObject({ state: 'skipped', reason: 'run_moved_on' });
  expect(notesOn(ann)).toEqual([]);
});
