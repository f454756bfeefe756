import { afterAll, beforeAll, expect, test } from 'vitest';
import { localDate } from '../src/base/time.ts';
import { simulate } from '../src/sequences/simulate.ts';
import { DAY, MINUTE } from './support/hub.ts';
import { beginStory, type Customer, type Row, type Story, ZONE } from './support/story.ts';

let story: Story;

/** A sequence of one native step, started by one trigger. */
async function sequence(key: string, trigger: Row, step: Row): Promise<void> {
  await story.must('POST', '/v1/sequences', {
    key,
    title: key,
    class: 'transactional',
    topic: 'service',
    triggers: [trigger],
    per: 'subject',
    again: { policy: 'always' },
    exits: [],
    steps: [{ id: 'do', do: step }],
  });
  const path = `/v1/sequences/${key}`;
  await story.must('POST', `${path}/switch`, { on: true }, await story.version(path));
}
const trigger = (name: string, settings: Row = {}): Promise<Row> =>
  story.must('POST', '/v1/triggers', { name, settings, enabled: true });

beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot', 'webhook'], alwaysOpen: true });
  await sequence(
    'sent-contract',
    { name: 'deal.stage_changed', settings: { pipelines: ['Sales'], to: ['Contract sent'] } },
    { kind: 'create_task', input: { title: 'Call {{ customer.name }} about the contract' } },
  );
  await sequence(
    'closed-ticket',
    { name: 'ticket.closed' },
    { kind: 'add_note', input: { body: 'The ticket of {{ customer.name }} was closed' } },
  );
  await sequence(
    'served',
    { name: 'job.completed', settings: { kinds: ['none'] } },
    { kind: 'create_task', input: { title: 'Thank {{ customer.name }}' } },
  );
  await trigger('interest.shown');
  await trigger('invoice.first_issued');
  await trigger('tag.added', { tags: ['Gold'] });
  await trigger('crm.flag', { kind: 'contact', field: 'job_title', operator: 'equals', to: ['Buyer'] });
  await trigger('job.completed', { kinds: ['installation', 'order'], nativeStatuses: ['signed off'] });
  for (const name of ['customer.unhappy', 'vip.gained', 'vip.lost']) await trigger(name);
  story.clock.advance(MINUTE);
});

afterAll(() => story?.end());

const crm = () => story.vendors.hubspot;
const found = async (of: Customer, name: string): Promise<Row[]> =>
  (await story.must('GET', `/v1/occurrences?customerId=${of.id}&trigger=${name}&limit=200`)).items.reverse();
const started = async (of: Customer, name: string): Promise<number> =>
  (await found(of, name)).filter(({ outcome }) => !String(outcome).startsWith('skipped')).length;
const notesOn = ({ contact }: Customer): string[] => {
  const ids = crm().state.associated('contacts', contact, 'notes');
  return crm()
    .state.all('notes')
    .filter(({ id }) => ids.includes(id))
    .map(({ properties }) => String(properties.hs_note_body));
};
const tasks = (of: Customer): string[] => story.tasksFor(of).map(({ properties }) => properties.hs_task_subject);

/** Somebody at the CRM changes a record; it tells, and the hub looks. */
async function change(type: string, id: string, properties: Row): Promise<void> {
  story.clock.advance(1000);
  await crm().change(type, id, properties);
  await story.settle();
}
function deal(of: Customer | undefined, properties: Row): string {
  const { id } = crm().state.create('deals', { dealname: 'Roof', pipeline: 'default', ...properties });
  if (of) crm().state.attach('deals', id, of.contact);
  return id;
}
/** Another system tells of a record of the customer. */
async function tell(type: string, of: Customer, fields: Row): Promise<void> {
  story.clock.advance(1000);
  const at = new Date(story.clock.now().getTime() - 500).toISOString();
  const { status, body } = await story.vendors.webhook.send(type, { email: of.email, updated_at: at, ...fields });
  expect(status, String(body)).toBeLessThan(300);
  await story.settle();
}
const says = (of: Customer, id: string, body: string, more: Row = {}): Promise<void> =>
  tell('activity.upserted', of, {
    ...{ id, kind: 'message', channel: 'sms', direction: 'in', body },
    ...{ occurred_at: new Date(story.clock.now().getTime() + 500).toISOString(), ...more },
  });

test('native: a deal that comes into a stage becomes a task at the CRM, once, and once more when it comes back', async () => {
  const ann = await story.customer();
  const id = deal(ann, { dealstage: 'appointmentscheduled' });
  await change('deals', id, { dealname: 'New roof' });
  expect(tasks(ann)).toEqual([]);
  await change('deals', id, { dealstage: 'contractsent' });
  expect(tasks(ann)).toEqual([`Call ${ann.name} about the contract`]);
  await change('deals', id, { amount: '900' });
  // The stage is called otherwise from now on; nothing moves.
  const stage = crm().state.pipelines.deals![0]!.stages.find((one) => one.id === 'contractsent')!;
  for (const label of ['Contract out', 'Contract sent']) {
    stage.label = label;
    await story.must('POST', `/v1/connections/${story.connections.hubspot.id}/sync`, { streams: ['deal_stages'] });
    await story.settle();
    await change('deals', id, { amount: `${label.length}` });
    expect(await story.rows('select stage from deal where tenant_id = $1 and remote_id = $2', id)).toEqual([
      { stage: label },
    ]);
  }
  expect(await started(ann, 'deal.stage_changed')).toBe(1);
  await change('deals', id, { dealstage: 'appointmentscheduled' });
  await change('deals', id, { dealstage: 'contractsent' });
  expect(await started(ann, 'deal.stage_changed')).toBe(2);
  expect(tasks(ann)).toHaveLength(2);
});

test('native: a deal that is heard of before its customer starts when the customer is known', async () => {
  const id = deal(undefined, { dealstage: 'appointmentscheduled' });
  await change('deals', id, { dealname: 'Early' });
  await change('deals', id, { dealstage: 'contractsent' });
  const ann = await story.customer();
  expect(tasks(ann)).toEqual([]);
  crm().state.attach('deals', id, ann.contact);
  await change('deals', id, { dealname: 'Early and known' });
  expect(tasks(ann)).toEqual([`Call ${ann.name} about the contract`]);
  expect(await started(ann, 'deal.stage_changed')).toBe(1);
});

test('native: a ticket that is closed becomes a note on the customer', async () => {
  const ann = await story.customer();
  const { id } = crm().state.create('tickets', { subject: 'Leak', hs_pipeline: '0', hs_pipeline_stage: '1' });
  crm().state.attach('tickets', id, ann.contact);
  await change('tickets', id, { subject: 'Big leak' });
  expect(notesOn(ann)).toEqual([]);
  await change('tickets', id, { hs_pipeline_stage: '4' });
  expect(notesOn(ann)).toEqual([`The ticket of ${ann.name} was closed`]);
});

test('native: a lifecycle stage "Service Completed" becomes a task at the CRM', async () => {
  const ann = await story.customer();
  expect(tasks(ann)).toEqual([]);
  await change('contacts', ann.contact, { lifecyclestage: 'service_completed' });
  expect(tasks(ann)).toEqual([`Thank ${ann.name}`]);
  await change('contacts', ann.contact, { lifecyclestage: 'customer' });
  await change('contacts', ann.contact, { lifecyclestage: 'service_completed' });
  expect(tasks(ann)).toHaveLength(1);
  story.clock.advance(2 * DAY);
  await change('contacts', ann.contact, { lifecyclestage: 'customer' });
  await change('contacts', ann.contact, { lifecyclestage: 'service_completed' });
  expect(tasks(ann)).toHaveLength(2);
});

test('echo: a field that we set ourselves starts nothing, the same set by a person does', async () => {
  const [ann, bob] = [await story.customer(), await story.customer()];
  await story.plan('update_field', { object: 'contact', id: ann.contact, fields: { jobtitle: 'Buyer' } });
  await story.settle();
  await crm().tell('propertyChange', 'contacts', ann.contact);
  await story.settle();
  expect(crm().state.find('contacts', ann.contact)!.properties.jobtitle).toBe('Buyer');
  expect(await found(ann, 'crm.flag')).toEqual([]);
  await change('contacts', bob.contact, { jobtitle: 'Buyer' });
  expect(await started(bob, 'crm.flag')).toBe(1);
  await change('contacts', bob.contact, { city: 'Boston' });
  expect(await started(bob, 'crm.flag')).toBe(1);
});

test('interest: it fires for the first message, is quiet for a week, and then fires for the next', async () => {
  const ann = await story.customer();
  await says(ann, 'm0', 'STOP');
  await says(ann, 'm1', 'I am out of the office', { automatic: true });
  await says(ann, 'm2', 'What we sent', { direction: 'out' });
  expect(await started(ann, 'interest.shown')).toBe(0);
  await says(ann, 'm3', 'Do you also clean gutters?');
  await says(ann, 'm4', 'And windows?');
  story.clock.advance(6 * DAY);
  await says(ann, 'm5', 'Still interested');
  expect(await started(ann, 'interest.shown')).toBe(1);
  story.clock.advance(DAY);
  await says(ann, 'm6', 'Hello?', { channel: 'web-form' });
  expect(await started(ann, 'interest.shown')).toBe(2);
});

test('merge: what fired for one of two customers has fired for both, and a tag that comes with the other is no news', async () => {
  const [ann, bob] = [await story.customer(), await story.customer()];
  await tell('contact.upserted', bob, { id: 'tagged', name: bob.name, tags: ['gold'] });
  expect(await started(bob, 'tag.added')).toBe(1);
  await says(bob, 'b1', 'Do you come on Sundays?');
  const reason = 'One person with two addresses';
  const { survivor } = await story.must('POST', '/v1/merges', { ids: [ann.id, bob.id], reason });
  await story.settle();
  const one = { ...ann, id: survivor };
  await says(one, 'b2', 'And on Mondays?');
  expect(await started(one, 'interest.shown')).toBe(1);
  expect(await started(one, 'tag.added')).toBe(1);
});

test('merge: two who turn out to be one by what another system tells are tagged no more than they were', async () => {
  const kim = { id: 'kim', name: 'Kim Lee', email: 'kim@home.example' };
  const lee = { id: 'lee', name: 'Kim Lee', email: 'kim@work.example', tags: ['gold'] };
  for (const record of [kim, lee]) await tell('contact.upserted', record as never, record);
  await tell('contact.upserted', kim as never, { ...kim, emails: [kim.email, lee.email] });
  const [one, ...more] = (await story.must('GET', '/v1/customers?search=kim')).items;
  expect(more).toEqual([]);
  expect(one.tags).toEqual(['gold']);
  expect(await started(one, 'tag.added')).toBe(1);
});

test('companies: what is known of a company starts for the person who has been with it longest', async () => {
  const firm = { id: 'firm', name: 'Glass & Sons', domain: 'glass.example' };
  await tell('company.upserted', firm as never, firm);
  const people = ['first', 'second'].map((id) => ({ id, name: id, email: `${id}@glass.example`, company_id: 'firm' }));
  for (const person of people) await tell('contact.upserted', person as never, person);
  await tell('company.upserted', firm as never, { ...firm, tags: ['Gold'] });
  const [first, second] = await story.rows(
    "select id from customer where tenant_id = $1 and email like '%@glass.example' order by email",
  );
  expect(await found(first as Customer, 'tag.added')).toMatchObject([
    { subject: { kind: 'company', label: 'Glass & Sons' } },
  ]);
  expect(await found(second as Customer, 'tag.added')).toEqual([]);
});

test('scores: whoever is pinned as a VIP became one, and whoever is pinned as none is one no longer', async () => {
  const ann = await story.customer();
  const path = `/v1/customers/${ann.id}/vip`;
  for (const vip of [true, false]) {
    const version = await story.version(`/v1/customers/${ann.id}/score`);
    await story.must('PUT', path, { vip }, version);
    await story.settle();
  }
  for (const name of ['vip.gained', 'vip.lost']) expect(await started(ann, name), name).toBe(1);
});

test('rehearsal: a business is shown what its own triggers would have found', async () => {
  const ann = await story.customer();
  await tell('job.upserted', ann, { id: 'shown', title: 'Shown', kind: 'installation', status: 'completed' });
  const day = localDate(story.clock.now(), ZONE);
  const rows = await story.hub.db.tenant(story.tenantId, (tx) => simulate(tx, day, day, story.clock.now()));
  expect(rows).toContainEqual(expect.objectContaining({ trigger: 'job.completed', subject: 'job Shown' }));
});

test('invoices: the first one is the first over all systems; drafts, voided ones and copies are none', async () => {
  const ann = await story.customer();
  const invoice = (id: string, status: string): Promise<void> =>
    tell('invoice.upserted', ann, { id, number: id, status, total: '10', currency: 'USD' });
  await invoice('f-draft', 'draft');
  expect(await started(ann, 'invoice.first_issued')).toBe(0);
  await invoice('f-1', 'open');
  await invoice('f-2', 'open');
  expect((await found(ann, 'invoice.first_issued')).map(({ subject }) => subject.label)).toEqual(['invoice f-1']);
  await invoice('f-1', 'void');
  await invoice('f-2', 'void');
  await invoice('f-3', 'open');
  expect((await found(ann, 'invoice.first_issued')).map(({ subject }) => subject.label)).toEqual([
    'invoice f-1',
    'invoice f-3',
  ]);
});

test('jobs: kinds, words of the platform and tags of orders decide what counts, and a job counts once', async () => {
  const ann = await story.customer();
  const job = (id: string, kind: string, status: string, more: Row = {}): Promise<void> =>
    tell('job.upserted', ann, { id, title: id, kind, status, ...more });
  await job('repair', 'repair', 'completed');
  await job('shirt', 'order', 'completed', { tags: ['Clothes'] });
  await job('tagged', 'order', 'completed', { tags: ['Clothes', 'installation'] });
  for (const status of ['completed', 'started', 'completed']) await job('roof', 'installation', status);
  await job('old', 'installation', 'completed', { completed_on: '2026-01-05' });
  expect(
    (await found(ann, 'job.completed')).map(({ subject, outcome }) => [subject.label, outcome.split(':')[0]]),
  ).toEqual([
    ['job tagged', 'recorded'],
    ['job roof', 'recorded'],
    ['job old', 'skipped'],
  ]);
});

test('unhappy: a complaint counts by its category, tags or subject, and once in a while', async () => {
  const [ann, bob] = [await story.customer(), await story.customer()];
  await tell('ticket.upserted', ann, { id: 'u1', subject: 'Question', status: 'open' });
  expect(await started(ann, 'customer.unhappy')).toBe(0);
  await tell('ticket.upserted', ann, { id: 'u1', subject: 'Question', category: 'Complaints', status: 'open' });
  await tell('ticket.upserted', ann, { id: 'u2', subject: 'A complaint, again', status: 'open' });
  expect(await started(ann, 'customer.unhappy')).toBe(1);
  await tell('ticket.upserted', bob, { id: 'u3', subject: 'Glass', tags: ['Reklamation'], status: 'open' });
  expect(await started(bob, 'customer.unhappy')).toBe(1);
});
