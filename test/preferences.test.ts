import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { TEXTS } from '../src/consent/texts/index.ts';
import { LANGUAGES } from '../src/settings/schema.ts';
import { faultsOf, open, sendForm } from './support/forms.ts';
import { handlersOf } from './support/handlers.ts';
import { DAY } from './support/hub.ts';
import { isWaiting, pausingAt } from './support/pauses.ts';
import { dispatch } from './support/sending.ts';
import { beginStory, type Customer, type Row, type Story } from './support/story.ts';

let story: Story;

beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot', 'twilio', 'smtp'], roles: 'api,sync,engine', alwaysOpen: true });
  await story.set('caps', { marketing: [], marketingPerCompany: [] });
});
const paused = new Set<() => void>();
afterEach(() => {
  for (const go of paused) go();
  paused.clear();
});
afterAll(() => story?.end());

const grant = (ann: Customer, channel: string, more: Row = {}): Promise<Row> =>
  story.must('POST', `/v1/customers/${ann.id}/consent`, {
    ...{ channel, state: 'granted', evidence: 'a form of 2 March', ...more },
  });
const offer = (ann: Customer, kind = 'send_email', topic = 'offers'): Promise<Row> =>
  story.plan(kind, kind === 'send_email' ? { subject: 'Half price', text: 'Only today.' } : { text: 'Half price' }, {
    ...{ customerId: ann.id, class: 'marketing', topic },
  });
/** A customer who consented, and the links at the foot of the mail they got. */
async function written(): Promise<{ ann: Customer; u: string; p: string; w: string; mail: Row }> {
  const ann = await story.customer();
  for (const channel of ['email', 'sms']) await grant(ann, channel);
  await offer(ann);
  await dispatch(story);
  const mail = story.mailsTo(ann)[0]!;
  const u = /<([^>]+\/u\/[^>]+)>/.exec(mail.headers['list-unsubscribe']![0]!)![1]!;
  return { ann, mail, u, p: u.replace('/u/', '/p/'), w: u.replace('/u/', '/w/') };
}
const choices = (ann: Customer): Promise<Row[]> =>
  story.rows(
    'select channel, topic, state, source from consent where tenant_id = $1 and customer_id = $2 order by 1, 2',
    ann.id,
  );
const verdict = async (id: string): Promise<string> => {
  await dispatch(story);
  const { state, reason } = await story.action(id);
  return reason ? `${state} ${reason}` : state;
};
/** What everything about consent looks like, to see whether a visit changed it. */
const everything = async (): Promise<string> =>
  JSON.stringify(
    await story.rows(
      `select (select count(*) from consent_event where tenant_id = $1) as events, (select count(*) from suppression where tenant_id = $1) as closed,
         (select count(*) from contact_preference where tenant_id = $1) as wishes, (select count(*) from audit_event where tenant_id = $1) as audit`,
    ),
  );

test('preferences: marketing mail says at its foot who writes, why, and how to choose and end it', async () => {
  await story.set('business', { name: 'Bright & Glass', postalAddress: '1 Main Street\nAlbany NY 12207' });
  const { mail, u, p, w } = await written();
  for (const part of ['Bright & Glass, 1 Main Street, Albany NY 12207', u, p, w]) expect(mail.text).toContain(part);
});

test('preferences: looking changes nothing, sets no cookie and leads nowhere else', async () => {
  const { u, p, w } = await written();
  const before = await everything();
  for (const url of [u, p, w])
    for (const method of ['GET', 'HEAD']) {
      const answer = await fetch(url, { method, redirect: 'manual' });
      expect([answer.status, answer.headers.get('set-cookie'), answer.headers.get('location')]).toEqual([
        200,
        null,
        null,
      ]);
      expect(answer.headers.get('content-security-policy')).toMatch(/default-src 'none'.*script-src 'self'/s);
    }
  expect(await everything()).toBe(before);
});

test('preferences: a birthday is asked for where something is done with it, once, and what people say of themselves stays', async () => {
  const { ann, p } = await written();
  const asked = async (): Promise<boolean> => (await (await fetch(p)).text()).includes('name="birthday"');
  const say = (birthday: string): Promise<Row> => sendForm(p, new URLSearchParams({ birthday }));
  const known = async (): Promise<Row> =>
    (await story.rows('select birthday from customer where tenant_id = $1 and id = $2', ann.id))[0]!;
  expect(await asked()).toBe(false);
  await say('1980-04-19');
  expect((await known()).birthday).toBeNull();
  const trigger = await story.must('POST', '/v1/triggers', { name: 'birthday', enabled: true });
  expect(await asked()).toBe(true);
  await say('1980-02-31');
  expect((await known()).birthday).toBeNull();
  expect(await asked()).toBe(true);
  await say('--02-29');
  expect((await known()).birthday).toBe('--02-29');
  expect(await asked()).toBe(false);
  const { items } = await story.must('GET', `/v1/customers/${ann.id}/dates`);
  expect(items.find((date: Row) => date.kind === 'birthday')).toMatchObject({ value: '--02-29', origin: 'customer' });
  await story.must('DELETE', `/v1/triggers/${trigger.id}`);
});

test.each([
  ['as a form', { 'content-type': 'application/x-www-form-urlencoded' }, 'List-Unsubscribe=One-Click'],
  [
    'in parts',
    { 'content-type': 'multipart/form-data; boundary=xyz' },
    '--xyz\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--xyz--\r\n',
  ],
])('preferences: one click %s unsubscribes, twice as once', async (_how, headers, body) => {
  const { ann, u } = await written();
  for (let n = 0; n < 2; n++) {
    const answer = await fetch(u, { method: 'POST', headers, body, redirect: 'manual' });
    expect([answer.status, answer.headers.get('set-cookie')]).toEqual([200, null]);
  }
  expect((await choices(ann)).filter(({ topic }) => topic === 'offers')).toMatchObject([
    { channel: 'email', topic: 'offers', state: 'denied', source: 'one_click' },
  ]);
  expect(
    await story.rows(
      'select 1 from consent_event where tenant_id = $1 and customer_id = $2 and source = $3',
      ann.id,
      'one_click',
    ),
  ).toHaveLength(1);
  expect(await verdict((await offer(ann)).id)).toBe('skipped opted_out');
  // It named its topic: the others go on.
  expect(await verdict((await offer(ann, 'send_email', 'service')).id)).toBe('sent');
});

test('preferences: a link that is nobody’s opens nothing, and clicking it looks as always', async () => {
  const { u } = await written();
  const made = u.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
  const before = await everything();
  for (const page of ['u', 'p', 'w']) expect((await open(made.replace('/u/', `/${page}/`))).status).toBe(404);
  expect((await sendForm(made, new URLSearchParams())).status).toBe(200);
  expect((await sendForm(made.replace('/u/', '/p/'), new URLSearchParams({ do: 'nothing' }))).status).toBe(404);
  expect(await everything()).toBe(before);
});

test.each(LANGUAGES)(
  'preferences: the pages are whole in %s, with names for everything that can be used',
  async (language) => {
    const { ann, u, p, w } = await written();
    for (const url of [u, p, w]) {
      const paper = await open(url, `${language}-XX, en;q=0.5`);
      expect(paper.lang).toBe(language);
      expect(faultsOf(paper)).toEqual([]);
      expect(paper.text).not.toMatch(/undefined|\{\w+\}|\[object/);
    }
    const paper = await open(p, language);
    for (const text of [TEXTS[language].howOften, TEXTS[language].pause, TEXTS[language].allButton])
      expect(paper.text).toContain(text);
    // Whoever looks over a shoulder learns no address.
    for (const url of [p, w]) expect((await open(url)).html).not.toContain(ann.email);
  },
);

test('preferences: the person’s own language comes before the browser’s', async () => {
  const { ann, p } = await written();
  await story.rows("update customer set locale = 'de-DE' where tenant_id = $1 and id = $2", ann.id);
  expect((await open(p, 'es')).lang).toBe('de');
});

test('preferences: one topic less on one channel, and more again, as often as they like', async () => {
  const { ann, p } = await written();
  const [form] = (await open(p)).forms;
  expect([form!.get('topic:email:offers'), form!.get('topic:sms:offers')]).toEqual(['1', '1']);
  form!.delete('topic:email:offers');
  const after = await sendForm(p, form!);
  expect(after.text).toContain(TEXTS.en.saved);
  expect(after.forms[0]!.get('topic:email:offers')).toBeNull();
  expect(await verdict((await offer(ann)).id)).toBe('skipped opted_out');
  expect(await verdict((await offer(ann, 'send_sms')).id)).toBe('sent');
  // Sent again by the back button: what it shows is no longer so, and nothing changes.
  expect((await sendForm(p, form!)).text).toContain(TEXTS.en.saved);
  const again = (await open(p)).forms[0]!;
  again.set('topic:email:offers', '1');
  await sendForm(p, again);
  expect(await verdict((await offer(ann)).id)).toBe('sent');
});

test('preferences: saved untouched, nothing is a choice', async () => {
  const { p } = await written();
  const [form] = (await open(p)).forms;
  const before = await everything();
  expect((await sendForm(p, form!)).text).toContain(TEXTS.en.nothingChanged);
  expect((await sendForm(p, new URLSearchParams())).text).toContain(TEXTS.en.nothingChanged);
  expect(
    (await sendForm(p, new URLSearchParams({ do: 'x', 'was:email:': '0', 'was:__proto__:x': '1', rate: 'toString' })))
      .status,
  ).toBe(200);
  expect(await everything()).toBe(before);
});

test('preferences: everything ends with one button, and one topic can be taken back alone', async () => {
  const { ann, p } = await written();
  await grant(ann, 'email', { topic: 'service' });
  const [, all] = (await open(p)).forms;
  const after = await sendForm(p, all!);
  // HubSpot is told, and its echo is there before they change their mind, or after.
  await dispatch(story);
  await story.settle();
  for (const kind of ['send_email', 'send_sms'])
    expect(await verdict((await offer(ann, kind)).id), kind).toBe('skipped suppressed');
  const form = after.forms[0]!;
  expect([...form.keys()].filter((name) => name.startsWith('topic:'))).toEqual([]);
  form.set('topic:email:offers', '1');
  const back = (await sendForm(p, form)).forms[0]!;
  // Service was allowed before everything was refused: taking back offers does not bring it back.
  expect([...back.keys()].filter((name) => name.startsWith('topic:'))).toEqual(['topic:email:offers']);
  expect(await verdict((await offer(ann)).id)).toBe('sent');
  expect(await verdict((await offer(ann, 'send_email', 'service')).id)).toBe('skipped opted_out');
  expect(await verdict((await offer(ann, 'send_email', 'other')).id)).toBe('skipped no_consent');
  expect(await verdict((await offer(ann, 'send_sms')).id)).toBe('skipped suppressed');
});

test('preferences: a page opened before a STOP takes nothing of the STOP back when it is sent', async () => {
  const { ann, p } = await written();
  const [form] = (await open(p)).forms;
  await story.vendors.twilio.reply(ann.phone, 'STOP');
  story.vendors.twilio.state.optedOut.delete(ann.phone);
  await story.settle();
  form!.delete('topic:email:service');
  const after = await sendForm(p, form!);
  expect(after.text).toContain('You wrote STOP');
  expect([...after.forms[0]!.keys()].filter((name) => name.includes(':sms:'))).toEqual([]);
  expect(await verdict((await offer(ann, 'send_sms')).id)).toBe('skipped suppressed');
  // Even a form made by hand does not open what a STOP closed.
  form!.set('was:sms:offers', '0');
  await sendForm(p, form!);
  expect(await verdict((await offer(ann, 'send_sms')).id)).toBe('skipped suppressed');
});

test('preferences: a pause of 30 days holds marketing, is told with its date, and ends by itself', async () => {
  const { ann, p } = await written();
  const [form] = (await open(p)).forms;
  form!.set('pause', '1');
  expect((await sendForm(p, form!)).text).toMatch(/You get nothing of this until \w+ \d+, 2026/);
  const { id } = await offer(ann);
  expect(await verdict(id)).toBe('planned paused_by_customer');
  const { standing, wishes } = await story.must('GET', `/v1/customers/${ann.id}/consent`);
  const mail = standing.find(
    (row: Row) => row.channel === 'email' && row.class === 'marketing' && row.topic === 'offers',
  );
  expect(mail).toMatchObject({
    allowed: true,
    verdict: 'defer',
    reason: 'paused_by_customer',
    until: wishes.pausedUntil,
  });
  expect(mail.detail).toContain(String(wishes.pausedUntil).slice(0, 10));
  const transactional = await story.plan(
    'send_email',
    { subject: 'Visit', text: 'At nine.' },
    { customerId: ann.id, class: 'transactional' },
  );
  expect(await verdict(transactional.id)).toBe('sent');
  story.clock.advance(30 * DAY + 1);
  expect(await verdict(id)).toBe('sent');
  expect((await open(p)).text).toContain(TEXTS.en.pause);
});

test('preferences: at most one message in 30 days, whatever the business’s caps say', async () => {
  const { ann, p } = await written();
  const [form] = (await open(p)).forms;
  form!.set('rate', 'monthly');
  expect((await sendForm(p, form!)).forms[0]!.get('rate')).toBe('monthly');
  story.clock.advance(29 * DAY);
  const { id } = await offer(ann);
  expect(await verdict(id)).toBe('skipped frequency_cap');
  expect((await story.action(id)).detail).toContain('asked for fewer messages');
  story.clock.advance(2 * DAY);
  expect(await verdict((await offer(ann)).id)).toBe('sent');
});

const without = (form: URLSearchParams, name: string): URLSearchParams => {
  form.delete(name);
  return form;
};
const chooses: [string, (form: URLSearchParams[]) => URLSearchParams, string][] = [
  ['one topic less', ([form]) => without(form!, 'topic:email:offers'), 'skipped opted_out'],
  ['everything refused', ([, all]) => all!, 'skipped opted_out'],
  ['a pause', ([form]) => new URLSearchParams([...form!, ['pause', '1']]), 'planned paused_by_customer'],
];
test.each(chooses)(
  'preferences: %s, sent between the gate and the platform, stops the message',
  async (_what, choose, outcome) => {
    const { ann, p } = await written();
    const form = choose((await open(p)).forms);
    const { id } = await offer(ann);
    const { deps } = story.hub;
    const { db, reached, go } = pausingAt(deps.db, /set state = 'sending'/);
    paused.add(go);
    const sending = handlersOf(story.hub, { ...deps, db }).get('dispatch')!({ tenantId: story.tenantId });
    await reached;
    expect((await sendForm(p, form)).text).toContain(TEXTS.en.saved);
    go();
    await sending;
    expect(await verdict(id)).toBe(outcome);
    expect(story.mailsTo(ann)).toHaveLength(1);
  },
);

test('preferences: a choice waits for a gate that is deciding, and the page says so only then', async () => {
  const { ann, p } = await written();
  const [, all] = (await open(p)).forms;
  const { id } = await offer(ann);
  const { deps } = story.hub;
  const { db, reached, go } = pausingAt(deps.db, /set state = 'committed'/);
  paused.add(go);
  const sending = handlersOf(story.hub, { ...deps, db }).get('dispatch')!({ tenantId: story.tenantId });
  await reached;
  let said = false;
  const saying = sendForm(p, all!).then(() => {
    said = true;
  });
  await isWaiting(story);
  expect(said).toBe(false);
  go();
  await Promise.all([sending, saying]);
  // Whichever was next: it was taken back, or the platform had it in hand.
  const { state } = await story.action(id);
  expect([state, story.mailsTo(ann).length]).toEqual(state === 'sent' ? ['sent', 2] : ['skipped', 1]);
});

test('preferences: the page of reasons tells what this address got, and of nothing else', async () => {
  const { ann, w, p } = await written();
  await story.plan('send_sms', { text: 'Secret visit' }, { customerId: ann.id, class: 'transactional' });
  await dispatch(story);
  const paper = await open(w);
  expect(paper.text).toContain('Half price');
  expect(paper.text).toMatch(/Allowed by: your consent, since \w+ \d+, 2026/);
  expect(paper.text).toContain('(noted by the business)');
  expect(paper.text).not.toContain('Secret visit');
  expect(paper.html).toContain(new URL(p).pathname);
});
