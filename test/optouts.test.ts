import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { handlersOf } from './support/handlers.ts';
import { DAY, HOUR, MINUTE } from './support/hub.ts';
import { isWaiting, pausingAt } from './support/pauses.ts';
import { dispatch } from './support/sending.ts';
import { beginStory, type Customer, type Row, type Story } from './support/story.ts';

let story: Story;

beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot', 'twilio', 'smtp'], roles: 'api,sync,engine', alwaysOpen: true });
  await story.set('caps', { marketing: [], marketingPerCompany: [] });
  await story.set('business', { name: 'Bright Glass', phone: '+1 212 555 0100' });
});
const paused = new Set<() => void>();
afterEach(() => {
  for (const go of paused) go();
  paused.clear();
  story.vendors.hubspot.server.faults.clear();
});
afterAll(() => story?.end());

const grant = (ann: Customer, channel: string, more: Row = {}): Promise<Row> =>
  story.must('POST', `/v1/customers/${ann.id}/consent`, { channel, state: 'granted', evidence: 'a form', ...more });
const consenting = async (more: Row = {}): Promise<Customer> => {
  const ann = await story.customer(more);
  for (const channel of ['email', 'sms']) await grant(ann, channel);
  return ann;
};
const offer = (ann: Customer, kind = 'send_email', more: Row = {}): Promise<Row> =>
  story.plan(kind, kind === 'send_email' ? { subject: 'Half price', text: 'Only today.' } : { text: 'Half price' }, {
    ...{ customerId: ann.id, class: 'marketing', topic: 'offers', ...more },
  });
const verdict = async (id: string): Promise<string> => {
  await dispatch(story);
  const { state, reason } = await story.action(id);
  return reason ? `${state} ${reason}` : state;
};
const proof = (ann: Customer): Promise<Row> => story.must('GET', `/v1/customers/${ann.id}/consent`);
const refuse = (ann: Customer, more: Row = {}): Promise<Row> =>
  story.must('POST', `/v1/customers/${ann.id}/consent`, {
    ...{ channel: 'email', state: 'denied', evidence: 'said so on the phone', ...more },
  });
const told = (ann: Customer): string[] =>
  story.vendors.hubspot.state.optOuts.filter(({ email }) => email === ann.email).map(({ property }) => property);
const optedOut = (ann: Customer): unknown =>
  story.vendors.hubspot.state.find('contacts', ann.contact)?.properties.hs_email_optout;
/** A message on WhatsApp, or a text. */
const writes = async (ann: Customer, text: string, channel = 'whatsapp'): Promise<void> => {
  const from = channel === 'whatsapp' ? `whatsapp:${ann.phone}` : ann.phone;
  await story.vendors.twilio.reply(from, text);
  story.vendors.twilio.state.optedOut.delete(ann.phone);
  await story.settle();
  await dispatch(story);
};
const answersTo = (ann: Customer): string[] =>
  story.vendors.twilio.state.messages
    .filter(({ to, direction }) => to.endsWith(ann.phone) && direction === 'outbound-api')
    .map(({ body }) => body);

test('opt-outs: an unsubscribe here is told to HubSpot, once, and its echo changes nothing', async () => {
  const ann = await consenting();
  await refuse(ann);
  await dispatch(story);
  await story.settle();
  expect([told(ann), optedOut(ann)]).toEqual([['hs_email_optout'], 'true']);
  // It comes back with a webhook: nobody is told again, and what the person said stays as they said it.
  await dispatch(story);
  await refuse(ann);
  await dispatch(story);
  expect(told(ann)).toHaveLength(1);
  const { present, passedOn } = await proof(ann);
  expect(present.filter((row: Row) => row.state === 'denied')).toMatchObject([
    { source: expect.not.stringMatching('platform') },
  ]);
  expect(passedOn).toMatchObject([
    { state: 'sent', channel: 'email', topic: '*', platform: expect.stringContaining('HubSpot') },
  ]);
});

test('opt-outs: the echo of what was told does not undo that somebody changed their mind meanwhile', async () => {
  const ann = await consenting();
  await refuse(ann);
  await grant(ann, 'email');
  await dispatch(story);
  await story.settle();
  expect([told(ann), optedOut(ann)]).toEqual([['hs_email_optout'], 'true']);
  expect(await verdict((await offer(ann)).id)).toBe('sent');
});

test('opt-outs: a platform that is away is told when it is back', async () => {
  const ann = await consenting();
  story.vendors.hubspot.server.faults.add({
    kind: 'status',
    status: 502,
    body: 'away',
    match: /communication-preferences/,
  });
  await refuse(ann);
  await dispatch(story);
  expect((await proof(ann)).passedOn).toMatchObject([{ state: expect.not.stringMatching('sent') }]);
  story.vendors.hubspot.server.faults.clear();
  for (let n = 0; n < 4; n++) {
    story.clock.advance(10 * MINUTE);
    await handlersOf(story.hub).get('reconcile')!({ tenantId: story.tenantId });
    await dispatch(story);
  }
  expect([told(ann), (await proof(ann)).passedOn]).toMatchObject([['hs_email_optout'], [{ state: 'sent' }]]);
});

test('opt-outs: a topic is told where the connection names its counterpart, and not where it does not', async () => {
  const ann = await consenting();
  await refuse(ann, { topic: 'offers' });
  await dispatch(story);
  expect(told(ann)).toEqual([]);
  await story.rows(
    `update connection set settings = settings || '{"subscriptionTypes": {"service": "77"}}' where tenant_id = $1 and connector = 'hubspot'`,
  );
  await refuse(ann, { topic: 'service' });
  await dispatch(story);
  expect(told(ann)).toEqual(['hs_email_optout_77']);
});

test('opt-outs: who unsubscribes at HubSpot is closed here, HubSpot is not told, and its change of mind grants nothing', async () => {
  const ann = await consenting();
  await story.vendors.hubspot.change('contacts', ann.contact, { hs_email_optout: 'true' });
  await story.settle();
  expect(await verdict((await offer(ann)).id)).toBe('skipped suppressed');
  expect([told(ann), (await proof(ann)).passedOn]).toEqual([[], []]);
  await story.vendors.hubspot.change('contacts', ann.contact, { hs_email_optout: 'false' });
  await story.settle();
  expect(await verdict((await offer(ann)).id)).toBe('skipped suppressed');
  expect((await story.audit(ann)).map(({ action }) => action)).toContain('consent.kept');
});

test('opt-outs: topics refused at a platform are refused here, one by one', async () => {
  const ann = await consenting();
  const path = '/v1/connectors/hubspot/mapping';
  const { headers } = await story.api('GET', path);
  await story.must(
    'PUT',
    path,
    {
      streams: {
        contacts: {
          contact: {
            fields: {
              topic_opt_outs: {
                list: {
                  of: {
                    case: [{ when: { path: 'properties.hs_email_optout_88', equals: 'true' }, then: 'email:offers' }],
                  },
                },
              },
            },
          },
        },
      },
    },
    { 'if-match': headers.get('etag')! },
  );
  await story.settle();
  await story.vendors.hubspot.change('contacts', ann.contact, { hs_email_optout_88: 'true' });
  await story.settle();
  expect(await verdict((await offer(ann)).id)).toBe('skipped opted_out');
  expect(await verdict((await offer(ann, 'send_email', { topic: 'service' })).id)).toBe('sent');
});

test('words: STOP on WhatsApp is confirmed once within five minutes, in the language of the word; a text message is not', async () => {
  const ann = await consenting();
  await grant(ann, 'whatsapp');
  await writes(ann, 'Abmelden!');
  expect(answersTo(ann)).toEqual([
    'Bright Glass: Sie bekommen hier keine Nachrichten mehr. Mit START bekommen Sie sie wieder.',
  ]);
  await writes(ann, 'STOP');
  expect(answersTo(ann)).toHaveLength(1);
  expect(await verdict((await offer(ann, 'send_whatsapp')).id)).toBe('skipped suppressed');
  // Twilio confirms a STOP by text message itself.
  await writes(ann, 'STOP', 'sms');
  expect(answersTo(ann)).toHaveLength(1);
  expect(await verdict((await offer(ann, 'send_sms')).id)).toBe('skipped suppressed');
  // It is told twice, as an event and with the message: the second does not take the answer back.
  const bob = await consenting();
  await writes(bob, 'STOP');
  expect(answersTo(bob)).toEqual(['Bright Glass: you will get no more messages here. Reply START to get them again.']);
});

test('words: a confirmation that is late is not sent at all', async () => {
  const ann = await consenting();
  await story.must('PUT', '/v1/kill-switches/channel:whatsapp', { reason: 'maintenance' });
  await writes(ann, 'STOP');
  await story.must('DELETE', '/v1/kill-switches/channel:whatsapp');
  story.clock.advance(11 * MINUTE);
  await dispatch(story);
  expect(answersTo(ann)).toEqual([]);
  expect((await story.actions(ann)).at(-1)).toMatchObject({ state: 'skipped', reason: 'suppressed' });
});

test('words: HELP is answered once an hour, by night too, and a sentence with the word is for people', async () => {
  const ann = await consenting();
  await story.set('quietHours', { default: { open: '03:00', close: '03:01', days: [7] }, channels: {} });
  for (const text of ['HELP', 'help?', 'Can you help me with the door?']) await writes(ann, text);
  expect(answersTo(ann)).toEqual(['Bright Glass: for help call +1 212 555 0100. Reply STOP to get no more messages.']);
  story.clock.advance(HOUR + MINUTE);
  await writes(ann, 'Help');
  expect(answersTo(ann)).toHaveLength(2);
  await writes(ann, 'HELP', 'sms');
  expect(answersTo(ann)).toHaveLength(2);
  const always = { open: '00:00', close: '24:00', days: [1, 2, 3, 4, 5, 6, 7] };
  await story.set('quietHours', { default: always, channels: {}, regions: false });
});

test('consent: what was implied by a purchase ends after two years, at the gate and in the proof', async () => {
  const ann = await story.customer();
  const since = new Date(story.clock.now().getTime() - 700 * DAY).toISOString();
  await grant(ann, 'email', { basis: 'implied_purchase', since });
  expect(await verdict((await offer(ann)).id)).toBe('sent');
  story.clock.advance(40 * DAY);
  const { id } = await offer(ann);
  expect(await verdict(id)).toBe('skipped no_consent');
  expect((await story.action(id)).detail).toMatch(/ended on 202\d-/);
  const { present, standing } = await proof(ann);
  expect(present).toMatchObject([{ basis: 'implied_purchase', class: 'marketing', expiresAt: expect.any(String) }]);
  expect(standing.find((row: Row) => row.channel === 'email' && row.topic === 'offers')).toMatchObject({
    ...{ allowed: false, verdict: 'skip', reason: 'no_consent' },
  });
});

test.each([
  [{ basis: 'implied_inquiry', expiresAt: '2030-01-01T00:00:00Z' }, 'expiresAt'],
  [{ basis: 'contract' }, 'basis'],
  [{ basis: 'objection' }, 'basis'],
  [{ state: 'denied', basis: 'consent' }, 'basis'],
  [{ basis: 'consent', since: '2030-01-01T00:00:00Z' }, 'since'],
  [{ basis: 'whim' }, 'basis'],
])('consent: %o is refused with the place of the mistake', async (more, path) => {
  const ann = await story.customer();
  const body = { channel: 'email', state: 'granted', evidence: 'a form', ...more };
  const answer = await story.api('POST', `/v1/customers/${ann.id}/consent`, body);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(JSON.stringify(answer.body)).toContain(path);
  expect((await proof(ann)).present).toEqual([]);
});

test('consent: a refusal of transactional messages is one of that class alone', async () => {
  const ann = await consenting();
  await refuse(ann, { class: 'transactional', topic: 'visits' });
  const visit = { class: 'transactional', topic: 'visits' };
  expect(await verdict((await offer(ann, 'send_email', visit)).id)).toBe('skipped opted_out');
  expect(await verdict((await offer(ann, 'send_email', { ...visit, topic: 'invoices' })).id)).toBe('sent');
  expect(await verdict((await offer(ann)).id)).toBe('sent');
  expect(told(ann)).toEqual([]);
});

test('suppression: who was deleted and comes back as somebody new stays closed', async () => {
  const ann = await consenting();
  await story.vendors.hubspot.change('contacts', ann.contact, { hs_email_optout: 'true' });
  await story.settle();
  // Everything about the person goes; of their address a keyed hash stays.
  for (const table of ['consent', 'consent_event', 'identity_key'])
    await story.rows(
      `delete from ${table} where tenant_id = $1 and ${table === 'identity_key' ? 'entity_id' : 'customer_id'} = $2`,
      ann.id,
    );
  await story.rows('delete from contact_projection where tenant_id = $1 and entity_id = $2', ann.id);
  await story.rows('delete from customer where tenant_id = $1 and id = $2', ann.id);
  const closed = await story.rows("select * from suppression where tenant_id = $1 and channel = 'email'");
  expect(JSON.stringify(closed)).not.toContain(ann.email);
  const { hubspot } = story.vendors;
  const made = hubspot.state.create('contacts', { firstname: 'Ann', lastname: 'Anew', email: ann.email });
  await hubspot.change('contacts', made.id, { lifecyclestage: 'customer' });
  await story.settle();
  const [found] = (await story.must('GET', `/v1/customers?search=${encodeURIComponent(ann.email)}`)).items;
  expect(found.id).not.toBe(ann.id);
  await grant(found, 'email');
  expect(await verdict((await offer(found)).id)).toBe('skipped suppressed');
});

const HOUSEHOLD = { messages: 1, days: 1, then: 'skip' };

test('households: two senders with messages for two people at one address do not both let theirs through', async () => {
  const [ann, bob] = [await consenting(), await consenting()];
  for (const [person, line] of [
    [ann, '12 Main St.'],
    [bob, '12  main st'],
  ] as const)
    await story.vendors.hubspot.change('contacts', person.contact, { address: line, zip: '12207' });
  await story.settle();
  await story.set('caps', { marketing: [], marketingPerCompany: [], marketingPerHousehold: [HOUSEHOLD] });
  const first = await offer(ann);
  const { deps } = story.hub;
  const { db, reached, go } = pausingAt(deps.db, /set state = 'committed'/);
  paused.add(go);
  const sending = handlersOf(story.hub, { ...deps, db }).get('dispatch')!({ tenantId: story.tenantId });
  await reached;
  const second = await offer(bob, 'send_sms');
  const other = dispatch(story);
  await Promise.race([other, isWaiting(story)]).finally(go);
  await Promise.all([sending, other]);
  expect(await story.action(first.id)).toMatchObject({ state: 'sent' });
  expect(await story.action(second.id)).toMatchObject({ state: 'skipped', reason: 'frequency_cap' });
  expect((await story.action(second.id)).detail).toContain('The household');
  // Transactional messages are counted and never stopped.
  expect(await verdict((await offer(bob, 'send_sms', { class: 'transactional' })).id)).toBe('sent');
  await story.set('caps', { marketing: [], marketingPerCompany: [], marketingPerHousehold: [] });
  expect(await verdict((await offer(bob, 'send_sms')).id)).toBe('sent');
});

test('households: one phone number is one household; what did not go out gives its place back', async () => {
  await story.set('caps', { marketing: [], marketingPerCompany: [], marketingPerHousehold: [HOUSEHOLD] });
  const ann = await consenting();
  const bob = await consenting({ phone: ann.phone });
  story.vendors.smtp.faults.add({ kind: 'status', status: 550, body: '5.1.1 No such user', match: /^RCPT / });
  expect(await verdict((await offer(ann)).id)).toMatch(/^failed/);
  story.vendors.smtp.faults.clear();
  expect(await verdict((await offer(bob)).id)).toBe('sent');
  expect(await verdict((await offer(ann, 'send_sms')).id)).toBe('skipped frequency_cap');
  await story.set('caps', { marketing: [], marketingPerCompany: [], marketingPerHousehold: [] });
});

test('caps: of one channel, of all classes, and what would be too late is left out at once', async () => {
  await story.set('caps', {
    marketing: [
      { messages: 1, days: 1, then: 'skip', channels: ['sms'] },
      { messages: 2, days: 1, then: 'defer', counts: 'all' },
    ],
    marketingPerCompany: [],
  });
  const ann = await consenting();
  expect(await verdict((await offer(ann, 'send_sms')).id)).toBe('sent');
  expect(await verdict((await offer(ann, 'send_sms')).id)).toBe('skipped frequency_cap');
  expect(await verdict((await offer(ann, 'send_email', { class: 'transactional' })).id)).toBe('sent');
  const waits = await offer(ann);
  const late = await offer(ann);
  const soon = new Date(story.clock.now().getTime() + HOUR);
  await story.rows('update action_request set stale_after = $3 where tenant_id = $1 and id = $2', late.id, soon);
  expect(await verdict(waits.id)).toBe('planned frequency_cap');
  expect(await verdict(late.id)).toBe('skipped frequency_cap');
  // Whoever waited longest is first when a place is free.
  story.clock.advance(HOUR);
  const younger = await offer(ann);
  await dispatch(story);
  story.clock.advance(DAY);
  await story.set('caps', { marketing: [{ messages: 1, days: 1, then: 'defer' }], marketingPerCompany: [] });
  expect([await verdict(waits.id), await verdict(younger.id)]).toEqual(['sent', 'planned frequency_cap']);
  await story.set('caps', { marketing: [], marketingPerCompany: [] });
});

test('quiet hours: a marketing text waits for the hours of the person’s state, other messages do not', async () => {
  const always = { open: '00:00', close: '24:00', days: [1, 2, 3, 4, 5, 6, 7] };
  const ann = await consenting();
  await story.vendors.hubspot.change('contacts', ann.contact, { country: 'US', state: 'Florida' });
  await story.settle();
  await story.set('quietHours', { default: always, channels: {}, regions: true });
  await story.until(1, '20:30');
  const { id } = await offer(ann, 'send_sms');
  expect(await verdict(id)).toBe('planned quiet_hours');
  expect((await story.action(id)).detail).toContain('US-FL 08:00-20:00');
  expect(await verdict((await offer(ann)).id)).toBe('sent');
  expect(await verdict((await offer(ann, 'send_sms', { class: 'transactional' })).id)).toBe('sent');
  await story.until(1, '08:00');
  expect(await verdict(id)).toBe('sent');
  await story.set('quietHours', { default: always, channels: {}, regions: false });
});
