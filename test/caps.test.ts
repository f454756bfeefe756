import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../src/kit/sandbox/index.ts';
import { survives } from './support/commits.ts';
import { handlersOf } from './support/handlers.ts';
import { DAY, HOUR } from './support/hub.ts';
import { isWaiting, pausingAt } from './support/pauses.ts';
import { dispatch } from './support/sending.ts';
import { beginStory, type Customer, type Row, type Story } from './support/story.ts';

let story: Story;
let companies = 0;

beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot', 'twilio', 'smtp'], roles: 'api,sync,engine', alwaysOpen: true });
});
afterEach(() => {
  for (const faults of [story.vendors.smtp.faults, story.vendors.twilio.server.faults]) faults.clear();
});
afterAll(() => story?.end());

const consenting = async (): Promise<Customer> => {
  const ann = await story.customer();
  for (const channel of ['email', 'sms'])
    await story.must('POST', `/v1/customers/${ann.id}/consent`, {
      channel,
      state: 'granted',
      evidence: 'asked for it',
    });
  return ann;
};
const offer = (customer: Customer, n: number): Promise<Row> => {
  const more = { customerId: customer.id, class: 'marketing' };
  return n % 2 === 0
    ? story.plan('send_email', { subject: `Offer ${n}`, text: 'Half price' }, more)
    : story.plan('send_sms', { text: `Offer ${n}` }, more);
};
/** Customers who work for the same company. */
async function colleagues(count: number): Promise<Customer[]> {
  const { hubspot } = story.vendors;
  const company = hubspot.state.create('companies', {
    name: `Glass ${++companies}`,
    domain: `glass${companies}.example`,
  });
  const people: Customer[] = [];
  for (let n = 0; n < count; n++) {
    const person = await consenting();
    hubspot.state.attach('contacts', person.contact, company.id);
    await hubspot.change('contacts', person.contact, { jobtitle: 'Glazier' });
    people.push(person);
  }
  await story.must('POST', `/v1/connections/${story.connections.hubspot.id}/sync`, {});
  await story.settle();
  return people;
}
const together = (workers: number): Promise<unknown> =>
  Promise.all(Array.from({ length: workers }, () => dispatch(story)));

test('caps: many senders at once never pass the caps of a person, over weeks and through failures', async () => {
  const ann = await consenting();
  for (let n = 0; n < 16; n++) await offer(ann, n);
  const chance = seededRandom(7);
  // Servers that refuse for a while: what was counted and did not go out is tried on another day.
  for (const faults of [story.vendors.smtp.faults, story.vendors.twilio.server.faults])
    faults.add({ kind: 'status', status: 429, body: '4.3.2 Later', match: /^(RCPT|POST .*Messages)/, chance: 0.4 });
  for (let hours = 0; hours < 21 * 24; ) {
    await together(4);
    const step = 3 + Math.floor(chance() * 9);
    hours += step;
    story.clock.advance(step * HOUR);
  }
  const times = [
    ...story.mailsTo(ann).map(({ at }) => at.getTime()),
    ...story.textsTo(ann).map(({ date_created }) => Date.parse(date_created)),
  ].sort((a, b) => a - b);
  const within = (at: number, days: number): number => times.filter((t) => t > at - days * DAY && t <= at).length;
  expect(times.length).toBeGreaterThan(5);
  for (const at of times) {
    expect(within(at, 1), 'in a day').toBeLessThanOrEqual(1);
    expect(within(at, 7), 'in a week').toBeLessThanOrEqual(3);
  }
});

test('caps: what a platform refused for a while counts from when it went out', async () => {
  await story.set('caps', { marketing: [{ messages: 1, days: 1, then: 'defer' }], marketingPerCompany: [] });
  const ann = await consenting();
  const hours = async (count: number): Promise<number> => {
    story.clock.advance(count * HOUR);
    await dispatch(story);
    return story.mailsTo(ann).length;
  };
  await offer(ann, 0);
  story.vendors.smtp.faults.add({ kind: 'status', status: 451, body: '4.3.2 Later', match: /^RCPT / });
  expect(await hours(0)).toBe(0);
  story.vendors.smtp.faults.clear();
  await offer(ann, 0);
  expect(await hours(20)).toBe(1);
  // A day after the first try, five hours after the message.
  expect(await hours(5)).toBe(1);
  expect(await hours(20)).toBe(2);
});

test.each(['one person', 'two people of one company'])(
  'caps: two senders with different messages for %s do not both let theirs through',
  async (whose) => {
    const cap = [{ messages: 1, days: 1, then: 'skip' }];
    const one = whose === 'one person';
    await story.set('caps', { marketing: one ? cap : [], marketingPerCompany: one ? [] : cap });
    const [ann, bob] = one ? await consenting().then((person) => [person, person]) : await colleagues(2);
    const first = await offer(ann!, 0);
    const { deps } = story.hub;
    const { db, reached, go } = pausingAt(deps.db, /set state = 'committed'/);
    const job = { tenantId: story.tenantId };
    const sending = handlersOf(story.hub, { ...deps, db }).get('dispatch')!(job);
    await reached;
    const second = await offer(bob!, 1);
    const other = dispatch(story);
    // It waits for the first one; without a lock it would be through before.
    await Promise.race([other, isWaiting(story)]).finally(go);
    await Promise.all([sending, other]);
    expect(await story.action(first.id)).toMatchObject({ state: 'sent' });
    expect(await story.action(second.id)).toMatchObject({ state: 'skipped', reason: 'frequency_cap' });
  },
);

test('caps: what was let through and is decided anew by somebody else counts once', async () => {
  await story.set('caps', { marketing: [{ messages: 2, days: 1, then: 'skip' }], marketingPerCompany: [] });
  const ann = await consenting();
  const planned = [await offer(ann, 0), await offer(ann, 1)];
  const job = { tenantId: story.tenantId };
  expect(await survives(story.hub.deps, 1, (deps) => handlersOf(story.hub, deps).get('dispatch')!(job))).toBe(false);
  for (const { id } of planned) expect(await story.action(id)).toMatchObject({ state: 'committed' });
  await together(3);
  for (const { id } of planned) expect(await story.action(id)).toMatchObject({ state: 'sent' });
});

test('caps: of three people of one company only as many are written to as the company may get', async () => {
  await story.set('caps', { marketing: [], marketingPerCompany: [{ messages: 2, days: 1, then: 'skip' }] });
  const people = await colleagues(3);
  for (const person of people) await offer(person, 0);
  await together(4);
  const states = await Promise.all(people.map(async (person) => (await story.actions(person))[0]!));
  expect(states.map(({ state }) => state).sort()).toEqual(['sent', 'sent', 'skipped']);
  expect(states.find(({ state }) => state === 'skipped')).toMatchObject({ reason: 'frequency_cap' });
});

test('caps: an unsubscribe link works for the person, whatever their address is by now', async () => {
  const ann = await consenting();
  await offer(ann, 0);
  await dispatch(story);
  const link = /<([^>]+\/u\/[^>]+)>/.exec(story.mailsTo(ann)[0]!.headers['list-unsubscribe']![0]!)![1]!;
  await story.vendors.hubspot.change('contacts', ann.contact, { email: 'ann.new@elsewhere.example' });
  await story.settle();
  expect((await fetch(link, { method: 'POST' })).status).toBe(200);
  story.clock.advance(8 * DAY);
  const { id } = await offer(ann, 0);
  await dispatch(story);
  expect(await story.action(id)).toMatchObject({ state: 'skipped', reason: 'opted_out' });
});
