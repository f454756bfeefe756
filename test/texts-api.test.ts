import { afterAll, beforeAll, expect, test } from 'vitest';
import { beginStory, type Row, type Story, staffEmail } from './support/story.ts';

let story: Story;

beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot', 'quickbooks', 'smtp'], alwaysOpen: true });
  await story.set('business', { name: 'Keller', country: 'DE', currency: 'EUR', postalAddress: '1 Market Street' });
  await story.playbook('overdue-chase');
});
afterAll(() => story?.end());

const put = (path: string, body: Row): Promise<Row> => story.api('PUT', `/v1/templates/${path}`, body);
const preview = async (asked: Row): Promise<Row> => story.must('POST', '/v1/templates/preview', asked);

test('texts: a template with a mistake is refused with its field, line and cure, and nothing is saved', async () => {
  const { status, body } = await put('thanks/email/en', {
    subject: 'For {{ customer.nmae }}',
    body: 'Hello,\n\n{{ customer.first_name | upcas }}',
    html: '<a href="javascript:alert(1)">x</a>',
    native: { id: 't', variables: { name: '{{ overdue.totl }}' } },
  });
  expect(status).toBe(422);
  expect(body.fields).toEqual([
    { path: 'subject', message: 'there is no variable "customer.nmae"; did you mean "customer.name"?' },
    { path: 'body', message: 'line 3: there is no filter "upcas"; did you mean "upcase"?' },
    { path: 'html', message: 'links to "javascript:alert(1)"; links begin with https://, mailto: or tel:' },
    { path: 'native.variables.name', message: 'there is no variable "overdue.totl"; did you mean "overdue.total"?' },
  ]);
  const { items } = await story.must('GET', '/v1/templates');
  expect(items.filter(({ key }: Row) => key === 'thanks')).toEqual([]);
});

test('texts: ten megabytes and endless loops are refused at the door', async () => {
  expect((await put('huge/email/en', { subject: 'x', body: 'x'.repeat(10_000_000) })).status).toBe(413);
  const long = await put('huge/email/en', { subject: 'x', body: 'x'.repeat(100_001) });
  expect([long.status, JSON.stringify(long.body)]).toEqual([400, expect.stringContaining('100000')]);
  const endless = await put('loop/sms/en', { body: '{% for i in (1..99999999) %}x{% endfor %}' });
  expect([endless.status, endless.body.detail]).toEqual([422, expect.stringContaining('it grows too large')]);
});

test('texts: a sequence whose task names an unknown value is refused with the step', async () => {
  const { status, body } = await story.api('POST', '/v1/sequences', {
    ...{ key: 'x', title: 'x', topic: 'x', triggers: [{ name: 'manual' }], per: 'customer' },
    ...{ again: { policy: 'once' }, exits: [] },
    steps: [{ id: 'a', do: { kind: 'create_task', input: { title: 'Call {{ customer.nam }}' } } }],
  });
  expect([status, body.fields]).toEqual([
    422,
    [
      {
        path: 'steps[0].do.input.title',
        message: 'there is no variable "customer.nam"; did you mean "customer.name"?',
      },
    ],
  ]);
});

test('texts: a sequence whose message asks for a value it does not keep is refused', async () => {
  await story.must('PUT', '/v1/templates/offer/sms/en', { body: 'Only today: {{ values.offr }}' });
  const { status, body } = await story.api('POST', '/v1/sequences', {
    ...{
      key: 'offers',
      title: 'x',
      topic: 'x',
      triggers: [{ name: 'manual' }],
      per: 'customer',
      values: { offer: 'x' },
    },
    ...{ again: { policy: 'once' }, exits: [] },
    steps: [{ id: 'a', message: { channels: ['sms'], template: 'offer' } }],
  });
  expect([status, body.fields]).toEqual([
    422,
    [
      {
        path: 'steps[0].message.template',
        message:
          'the text "offer" (sms, en) cannot be written, body: the sequence has no value "offr"; did you mean "offer"?',
      },
    ],
  ]);
});

test('texts: a preview on a real customer shows what they would get, and names every value they lack', async () => {
  const ann = await story.chased({ owes: [480], phone: null });
  const enrolment = await story.enrolment(ann);
  const links = (): Promise<Row[]> => story.rows('select count(*)::int as n from link_route where tenant_id = $1');
  const before = await links();
  const body =
    'Hello {{ customer.name }},\n\n{{ trigger.subject }}: {{ invoice.amount }} ({{ trigger.data.days }} day). {{ job.title }} on {{ job.completed_on | day }}\n\n[Pay]({{ payment.link }})\n{{ customer.phone }}';
  const seen = await preview({ channel: 'email', enrolmentId: enrolment.id, draft: { subject: 'x'.repeat(61), body } });
  expect(seen.customer).toEqual({ id: ann.id, name: ann.name });
  expect(seen.text).toMatch(
    new RegExp(`^Hello ${ann.name},\\n\\ninvoice \\d+: \\S?480.00.*\\(1 day\\)\\. ⟨job.title⟩`),
  );
  expect(seen.missing).toEqual([
    { name: 'job.title', meaning: 'Title of the job' },
    { name: 'job.completed_on', meaning: 'When it was completed' },
    { name: 'payment.link', meaning: expect.any(String) },
    { name: 'customer.phone', meaning: 'Phone number' },
  ]);
  expect(seen.warnings).toEqual(['The subject has 61 characters; many mail programs show 60 or fewer.']);
  expect(seen.html).toContain('<html lang="de"');
  // Looking keeps nothing, and the links lead nowhere that acts.
  expect(seen.problems).toEqual([]);
  expect(await links()).toEqual(before);
});

test('texts: a stored text is previewed with example values where no customer is named, in parts as it is billed', async () => {
  const { sms, text, missing, locale } = await preview({ key: 'chase', channel: 'sms', locale: 'en-GB' });
  expect([locale, missing]).toEqual(['en', []]);
  expect(text).toContain('Keller: ');
  expect(sms).toMatchObject({ encoding: 'GSM-7', segments: expect.any(Number), forcing: [] });
  const odd = await preview({ channel: 'sms', draft: { body: 'Łukasz – heute' } });
  expect(odd.sms.forcing).toEqual(['Ł', '–']);
  expect(odd.warnings[0]).toContain('"Ł", "–" cannot be sent in the short alphabet');
  const unknown = await story.api('POST', '/v1/templates/preview', { key: 'nix', channel: 'sms' });
  expect(unknown.status).toBe(404);
  const wrong = await preview({ channel: 'sms', draft: { body: '{{ customer.nam }}' } });
  expect([wrong.text, wrong.problems]).toEqual([
    null,
    [{ path: 'body', message: 'there is no variable "customer.nam"; did you mean "customer.name"?' }],
  ]);
});

test('texts: a test goes to staff and oneself only, on the way of real messages, marked and counted in no limit', async () => {
  const rita = staffEmail('Rita Manager');
  const asked = {
    channel: 'email',
    draft: { subject: 'Spring', body: 'Hello {{ customer.first_name }},\n\nhow are you?' },
  };
  const send = (more: Row): Promise<Row> => story.api('POST', '/v1/templates/test-send', { ...asked, ...more });
  const sent = await send({ to: rita.toUpperCase() });
  expect([sent.status, sent.body.class, sent.body.customerId]).toEqual([202, 'internal', null]);
  await story.settle();
  const mail = story.mailsTo({ email: rita } as never).at(-1)!;
  expect([mail.subject, mail.text]).toEqual(['[Test] Spring', expect.stringContaining('Hello Ann,')]);
  expect((await story.action(sent.body.id)).state).toBe('sent');
  expect(await story.rows('select 1 from touch where tenant_id = $1 and request_id = $2', sent.body.id)).toEqual([]);
  const { items } = await story.must('GET', '/v1/audit?action=template.test_sent');
  expect(items[0]).toMatchObject({ data: { to: rita, as: 'example' } });
  expect((await send({ to: 'ann@elsewhere.example' })).status).toBe(403);
  expect((await send({})).body.detail).toContain('An API key has no address of its own');
  expect((await send({ to: rita, channel: 'sms' })).status).toBe(422);
  const ann = await story.customer({ phone: null });
  const lacking = { subject: 'x', body: '{{ customer.phone }}' };
  const held = await send({ to: rita, customer: ann.email, draft: lacking });
  expect([held.status, held.body.detail]).toEqual([
    422,
    expect.stringContaining('there is no value for customer.phone'),
  ]);
});

test('texts: the variables are told over the API, with their meaning and an example', async () => {
  const { items, filters } = await story.must('GET', '/v1/template-variables');
  expect(items).toContainEqual({ name: 'customer.first_name', type: 'text', meaning: 'Given name', example: 'Ann' });
  expect(filters.map(({ name }: Row) => name)).toContain('money');
});
