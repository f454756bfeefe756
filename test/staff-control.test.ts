import { DateTime } from 'luxon';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandOf } from '../src/actions/control.words.ts';
import { tellScores } from '../src/actions/writeback.ts';
import { CONTROL_SETTINGS, controlMistakes } from '../src/settings/control.ts';
import { DAY, HOUR } from './support/hub.ts';
import { beginStory, type Customer, type Row, type Story } from './support/story.ts';

let story: Story;
const crm = () => story.vendors.hubspot;

beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot', 'smtp'], alwaysOpen: true });
  // The account has a property with words for the hub; the mapping says that it holds the tags.
  const { body } = await story.api('GET', `/v1/connections/${story.connections.hubspot.id}/mapping`);
  const contact = {
    fields: { tags: { list: { of: { path: 'properties.rapport_tags' }, split: ';' } } },
    custom: { rapport: { path: 'properties.rapport' } },
  };
  await story.must(
    'POST',
    '/v1/mappings/hubspot/apply',
    { connectionId: story.connections.hubspot.id, override: { streams: { contacts: { contact } } } },
    { 'if-match': `"${body.version}"` },
  );
  await story.settle();
  await story.must('POST', '/v1/sequences', {
    ...{ key: 'care', title: 'Care package', class: 'transactional', topic: 'service', per: 'customer' },
    ...{ triggers: [{ name: 'manual' }], again: { policy: 'always' }, exits: [] },
    steps: [
      { id: 'call', do: { kind: 'create_task', input: { title: 'Call {{ customer.name }}' } } },
      { id: 'later', wait: { days: 3 } },
      { id: 'again', do: { kind: 'create_task', input: { title: 'Call {{ customer.name }} again' } } },
    ],
  });
  await story.must('POST', '/v1/sequences/care/switch', { on: true }, await story.version('/v1/sequences/care'));
});

afterAll(() => story?.end());

/** Staff set the words of a contact, and the platform tells of it. */
async function tagged(customer: Customer, tags: string, property = 'rapport_tags'): Promise<void> {
  story.clock.advance(1000);
  await crm().change('contacts', customer.contact, { [property]: tags });
  await story.settle();
}
const control = (more: Row = {}): Promise<void> =>
  story.set('staffControl', { on: true, acknowledge: 'keep', ...more });
const said = async (customer: Customer): Promise<string[]> =>
  (await story.audit(customer))
    .filter(({ action }) => action.startsWith('staff_control'))
    .map(({ action, data }) => `${action.split('.')[1]} ${data.what}: ${data.outcome}`);
const enrolments = async ({ id }: Customer): Promise<Row[]> =>
  (await story.must('GET', `/v1/enrolments?customerId=${id}`)).items;

test('staff control: it is off until somebody switches it on', async () => {
  const ann = await story.customer();
  await tagged(ann, 'Rapport: start care');
  expect(await enrolments(ann)).toEqual([]);
  expect(await said(ann)).toEqual([]);
});

test('staff control: a tag starts a sequence once, with the platform as the reason, and what it does happens natively', async () => {
  await control();
  const ann = await story.customer();
  await tagged(ann, 'Gold;Rapport: start care');
  expect(await enrolments(ann)).toHaveLength(1);
  expect(await said(ann)).toEqual(['applied start: started']);
  const [event] = (await story.audit(ann)).filter(({ action }) => action === 'staff_control.applied');
  expect(event).toMatchObject({ actor: 'crm:hubspot', data: { said: 'Rapport: start care', sequence: 'care' } });
  const { occurrences } = await story.explain(ann);
  expect(occurrences[0]).toMatchObject({ trigger: 'manual', subject: expect.stringContaining('tag set in HubSpot') });
  expect(story.tasksFor(ann).map(({ properties }) => properties.hs_task_subject)).toEqual([`Call ${ann.name}`]);
  // The same tag seen again, with another beside it, says nothing new.
  await tagged(ann, 'Gold;Rapport: start care;Silver');
  expect(await enrolments(ann)).toHaveLength(1);
  // By its title too, and what there is not is refused and told.
  const bob = await story.customer();
  await tagged(bob, 'rapport: start Care Package');
  expect(await said(bob)).toEqual(['applied start: started']);
  await tagged(bob, 'Rapport: start nonsense');
  expect((await said(bob)).at(-1)).toBe('refused start: refused: there is no sequence "nonsense"');
});

test('staff control: the tag to pause holds everything, and taking it off lets go on what it paused and nothing else', async () => {
  await control();
  const ann = await story.customer();
  await tagged(ann, 'Rapport: start care');
  await tagged(ann, 'Rapport: start care;Rapport: pause');
  expect((await enrolments(ann))[0]).toMatchObject({ state: 'paused' });
  story.clock.advance(4 * DAY);
  await story.settle();
  expect(story.tasksFor(ann)).toHaveLength(1);
  await tagged(ann, '');
  await story.advance(HOUR);
  expect((await enrolments(ann))[0]).toMatchObject({ state: 'done' });
  expect(story.tasksFor(ann)).toHaveLength(2);
  expect(await said(ann)).toEqual([
    'applied start: started',
    'applied pause: paused: 1 of 1 enrolments',
    'applied pause: goes on: 1 enrolments',
  ]);
  // A person paused it: the tag that comes and goes is no reason to let it go on.
  const bob = await story.customer();
  await tagged(bob, 'Rapport: start care');
  const [run] = await enrolments(bob);
  await story.must('POST', `/v1/enrolments/${run!.id}/pause`, undefined, { 'if-match': `"${run!.version}"` });
  await tagged(bob, 'Rapport: pause');
  await tagged(bob, '');
  expect((await enrolments(bob))[0]).toMatchObject({ state: 'paused' });
});

test('staff control: the tag to stop ends everything, and nothing new begins while it stands', async () => {
  await control();
  const ann = await story.customer();
  await tagged(ann, 'Rapport: start care');
  await tagged(ann, 'Rapport: start care;Rapport: stop');
  expect((await enrolments(ann))[0]).toMatchObject({ state: 'stopped', endReason: 'tag set in HubSpot' });
  const byHand = { sequence: 'care', customers: [ann.id], reason: 'by hand' };
  const refused = await story.must('POST', '/v1/enrolments', byHand);
  expect(refused.items[0].outcome).toBe('refused: "Rapport: stop" stands at the customer in the CRM');
  await tagged(ann, '');
  expect((await story.must('POST', '/v1/enrolments', { ...byHand, reason: 'once more' })).items[0].outcome).toBe(
    'started',
  );
  // What is paused in the CRM waits from its first moment.
  const bob = await story.customer();
  await tagged(bob, 'Rapport: pause');
  await story.must('POST', '/v1/enrolments', { ...byHand, customers: [bob.id] });
  await story.settle();
  expect((await enrolments(bob))[0]).toMatchObject({ state: 'paused' });
  expect(story.tasksFor(bob)).toEqual([]);
});

test('staff control: a field says the same, and is emptied when it was done without anything following from that', async () => {
  await control({ field: 'rapport', acknowledge: 'remove' });
  const ann = await story.customer();
  await tagged(ann, 'Rapport: start care, keep me', 'rapport');
  expect(await said(ann)).toEqual(['applied start: started']);
  expect(crm().state.find('contacts', ann.contact)!.properties.rapport).toBe('keep me');
  await tagged(ann, 'Rapport: pause', 'rapport');
  await story.advance(HOUR);
  expect(crm().state.find('contacts', ann.contact)!.properties.rapport).toBe('');
  // The hub itself took the word off: the pause stays until a person ends it.
  expect((await enrolments(ann))[0]).toMatchObject({ state: 'paused' });
  expect(await said(ann)).toHaveLength(2);
});

test('staff control: words are read in any spelling, and a pattern that would start anything is refused', () => {
  const { value } = CONTROL_SETTINGS.staffControl;
  const known = [{ key: 'win-back', title: 'Win back' }] as never;
  expect(commandOf(value, 'RAPPORT:START WIN_BACK', known)).toMatchObject({
    what: 'start',
    sequence: { key: 'win-back' },
  });
  expect(commandOf(value, 'Rapport: start', known)).toBeUndefined();
  expect(commandOf(value, 'Rapport', known)).toBeUndefined();
  expect(commandOf(value, 'rapport:stop', known)).toMatchObject({ what: 'stop' });
  expect(controlMistakes({ ...value, enrol: '{sequence}' })).toHaveLength(1);
  expect(controlMistakes({ ...value, enrol: 'start' })).toHaveLength(1);
  expect(controlMistakes({ ...value, pause: 'x', stop: ' X' })).toHaveLength(1);
  expect(controlMistakes(value)).toEqual([]);
});

test('progress: what comes next and the sequences stand in the CRM, written when they change and not otherwise', async () => {
  await control({ acknowledge: 'keep' });
  const to = [{ connection: story.connections.hubspot.id, nextStep: 'rapport_next', enrolment: 'rapport_sequences' }];
  await story.set('progressWriteBack', { to });
  const definition = (await story.must('GET', '/v1/sequences/care')).definition;
  await story.must('PUT', '/v1/templates/hello/email/en', { subject: 'Hello', body: 'Hello' }, { 'if-match': '"0"' });
  await story.must('POST', '/v1/sequences', {
    ...{ ...definition, key: 'news', title: 'News' },
    steps: [
      { id: 'later', wait: { days: 3 } },
      { id: 'mail', title: 'Reminder', message: { channels: ['email'], template: 'hello' } },
    ],
  });
  await story.must('POST', '/v1/sequences/news/switch', { on: true }, await story.version('/v1/sequences/news'));
  const ann = await story.customer();
  const props = (): Row => crm().state.find('contacts', ann.contact)!.properties;
  const writes = async (): Promise<number> =>
    (await story.actions(ann)).filter(({ createdBy }) => createdBy === 'progress').length;
  const pass = async (): Promise<void> => {
    await tellScores(() => story.hub.deps)(story.tenantId);
    await story.settle();
  };
  await tagged(ann, 'Rapport: start news;Rapport: start care');
  await pass();
  const day = DateTime.fromJSDate(story.clock.now()).plus({ days: 3 }).setZone('America/New_York').toFormat('d LLLL');
  expect(props()).toMatchObject({
    rapport_sequences: 'Care package, News',
    rapport_next: `Reminder by e-mail on ${day}`,
  });
  expect(await writes()).toBe(1);
  await pass();
  await pass();
  expect(await writes()).toBe(1);
  await tagged(ann, 'Rapport: stop');
  await pass();
  expect(props()).toMatchObject({ rapport_sequences: '', rapport_next: '' });
  expect(await writes()).toBe(2);
  const wrong = await story.api(
    'PUT',
    '/v1/settings/progressWriteBack',
    { to: [{ connection: to[0]!.connection }] },
    await story.version('/v1/settings/progressWriteBack'),
  );
  expect(wrong.status).toBe(422);
});

test('VIP: what is made for staff about a VIP is marked, where the business wants that', async () => {
  const ann = await story.customer();
  await story.must('PUT', `/v1/customers/${ann.id}/vip`, { vip: true }, { 'if-match': '"0"' });
  await story.settle();
  const make = async (title: string): Promise<Row | undefined> => {
    await story.plan('create_task', { title }, { customerId: ann.id });
    await story.settle();
    return story.tasksFor(ann).find(({ properties }) => properties.hs_task_subject.includes(title))?.properties;
  };
  expect(await make('One')).toMatchObject({ hs_task_subject: 'One', hs_task_priority: 'MEDIUM' });
  await story.set('vipMark', { on: true, title: 'VIP! ' });
  expect(await make('Two')).toMatchObject({ hs_task_subject: 'VIP! Two', hs_task_priority: 'HIGH' });
});
