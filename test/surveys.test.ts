import { afterAll, beforeAll, expect, test } from 'vitest';
import { open, sendForm } from './support/forms.ts';
import { handlersOf } from './support/handlers.ts';
import { DAY } from './support/hub.ts';
import { beginStory, type Customer, type Row, type Story, staffEmail } from './support/story.ts';
import { afterTheJob, fillIn, invited, putTexts, responsesOf } from './support/surveys.ts';

let story: Story;
const RITA = staffEmail('Rita Manager');

beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot', 'smtp', 'slack'] });
  await putTexts(story);
  await story.must('POST', '/v1/surveys', afterTheJob());
});
afterAll(() => story?.end());

/** What was planned because of answers of a customer. */
const setOff = async (ann: Customer): Promise<Row[]> =>
  story.rows(
    `select kind, class, run_id, plan ->> 'template' as template, state from action_request
     where tenant_id = $1 and customer_id = $2 and created_by like 'survey:%' order by idempotency_key`,
    ann.id,
  );
const invitationOf = async (ann: Customer): Promise<Row> =>
  (
    await story.rows(
      'select state, answers, score::float8 as score, counts_at, completed_by from survey_invitation where tenant_id = $1 and customer_id = $2 order by created_at desc',
      ann.id,
    )
  )[0]!;

test('surveys: a bad answer is a fact, a reply to the customer, a notice and a task with the answers in the CRM, and a tag', async () => {
  const ann = await story.customer();
  const link = await invited(story, ann);
  // In the middle of the night: whoever just answered is awake.
  story.clock.set(new Date('2026-03-03T07:30:00Z'));
  const page = await open(link);
  expect(page.status).toBe(200);
  const more = await fillIn(link, { happy: 2 }, 'send', page);
  expect(more.text).toContain('What went wrong?');
  expect(await responsesOf(story, ann)).toEqual([]);
  const done = await fillIn(
    link,
    { why: 'Two hours late\n{{ business.name }}', liked: ['price'], again: 'no' },
    'send',
    more,
  );
  expect(done.text).toContain('Thank you very much.');
  await story.settle();

  expect(await responsesOf(story, ann)).toEqual([
    {
      ...{
        survey: 'after-the-job',
        kind: 'csat',
        score: 2,
        gone: false,
        comment: 'Two hours late\n{{ business.name }}',
      },
      answers: { happy: 2, why: 'Two hours late\n{{ business.name }}', again: false, liked: ['price'] },
    },
  ]);
  const [mail] = story.mailsTo(ann);
  expect(mail).toMatchObject({ subject: 'We are sorry' });
  expect(story.mailsTo(ann)).toHaveLength(1);
  const tasks = story.tasksFor(ann).map(({ properties }) => properties);
  expect(tasks.map((task) => task.hs_task_subject).sort()).toEqual([
    `Call ${ann.name}: 2 of 5`,
    'Review survey results',
  ]);
  const review = tasks.find((task) => task.hs_task_subject === 'Review survey results')!;
  // What a customer writes is no template, and stands there as it was written.
  expect(review.hs_task_body).toMatch(/How happy are you\? 2 of 5[\s\S]*Two hours late[\s\S]*\{\{ business\.name \}\}/);
  expect(review.hubspot_owner_id).toBe(story.vendors.hubspot.state.owners[0]!.id);
  expect(story.chatsTo(RITA, ann).at(-1)?.text).toContain('After the job');
  const notice = story.vendors.smtp
    .mails()
    .find(({ envelope, subject }) => envelope.to.includes(RITA) && subject.includes(ann.name));
  expect(notice?.text).toContain('What went wrong? Two hours late');
  const planned = await setOff(ann);
  expect(planned.map(({ kind, state, run_id }) => `${kind} ${state} ${run_id}`).sort()).toEqual(
    ['add_tag', 'create_task', 'create_task', 'send_chat', 'send_email', 'send_email'].map((kind) =>
      kind === 'add_tag' ? expect.stringContaining('add_tag') : `${kind} sent null`,
    ),
  );
  // The score sees it: a bad answer marks the customer as unhappy.
  const { rows } = await story.hub.db.tenant(story.tenantId, (tx) =>
    tx.query<Row>('select unhappy from customer_score where tenant_id = $1 and customer_id = $2', [
      story.tenantId,
      ann.id,
    ]),
  );
  expect(rows[0]?.unhappy).toBe(true);
});

test('surveys: looking records nothing, and an answer clicked in a mail is only chosen', async () => {
  const ann = await story.customer();
  const link = await invited(story, ann);
  const before = await story.rows('select count(*) from audit_event where tenant_id = $1');
  const page = await open(`${link}?a=5`);
  expect(page.forms[0]!.get('q-happy')).toBe('5');
  expect((await open(`${link}?a=6`)).forms[0]!.get('q-happy')).toBeNull();
  await fetch(`${link}?a=5`, { method: 'HEAD' });
  expect(await invitationOf(ann)).toMatchObject({ state: 'open', answers: {} });
  expect(await story.rows('select count(*) from audit_event where tenant_id = $1')).toEqual(before);
  const done = await fillIn(link, {}, 'send', page);
  expect(done.text).toContain('Thank you very much.');
  expect(await invitationOf(ann)).toMatchObject({ state: 'answered', score: 5, completed_by: 'person' });
  await story.settle();
  expect(story.mailsTo(ann).map(({ subject }) => subject)).toEqual(['Thank you for 5']);
});

test('surveys: an invitation is answered once: two at the same moment make one fact, one reply and one task, and later ones show what was given', async () => {
  const ann = await story.customer();
  const link = await invited(story, ann);
  const pages = await Promise.all([fillIn(link, { happy: 4 }), fillIn(link, { happy: 5 })]);
  expect(pages.map(({ status }) => status)).toEqual([200, 200]);
  expect(await responsesOf(story, ann)).toHaveLength(1);
  expect((await setOff(ann)).map(({ kind }) => kind).sort()).toEqual([
    ...['create_task', 'send_chat', 'send_email', 'send_email'],
  ]);
  const { score } = await invitationOf(ann);
  const again = await sendForm(link, new URLSearchParams({ shown: 'happy', 'q-happy': '1', do: 'send' }));
  expect(again.text).toContain(`How happy are you? ${score} of 5`);
  expect(again.forms).toEqual([]);
  expect(await responsesOf(story, ann)).toHaveLength(1);
});

test('surveys: what was given is kept page by page, mistakes are told at their question, and nothing is a fact before it is sent', async () => {
  const ann = await story.customer();
  const link = await invited(story, ann);
  const wrong = await fillIn(link, { word: 'x'.repeat(501), again: 'yes' });
  expect(wrong.status).toBe(422);
  expect(wrong.html).toMatch(/<title>Error: How was it\?/);
  expect(wrong.html).toMatch(/<a href="#q-happy-1">How happy are you\?<\/a> Please answer this question\./);
  expect(wrong.html).toMatch(/id="q-word"[^>]*aria-invalid="true"[^>]*aria-describedby="q-word-hint q-word-error"/);
  expect(wrong.html).toContain('at most 500 characters');
  expect(await invitationOf(ann)).toMatchObject({ state: 'started', answers: { again: true } });
  expect(await responsesOf(story, ann)).toEqual([]);
  const back = await open(link);
  expect(back.forms[0]!.get('q-again')).toBe('yes');
});

test('surveys: rubbish is nothing: unknown questions, wrong types, too much at once, foreign and unknown links', async () => {
  const ann = await story.customer();
  const link = await invited(story, ann);
  const send = (fields: string): Promise<Response> =>
    fetch(link, { method: 'POST', body: fields, headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  for (const fields of [
    'shown=happy,nobody&q-happy=9&q-nobody=1&do=send',
    'shown=happy&q-happy=4&q-happy=5&do=send',
    'shown=happy&q-happy[]=4&do=send',
    'shown=happy&q-happy=4.5&do=send',
    'shown=happy&q-happy=%00&do=send',
    'shown=liked&q-liked=speed&q-liked=gold&do=send',
    'shown=__proto__,constructor&q-__proto__=1&do=send',
    'do=send',
  ]) {
    expect((await send(fields)).status, fields).toBeLessThan(500);
    expect(await invitationOf(ann), fields).toMatchObject({ answers: {} });
  }
  expect((await send(`shown=why&q-why=${'x'.repeat(10 * 1024 * 1024)}`)).status).toBe(413);
  expect(
    (await fetch(link, { method: 'POST', body: '{"shown":', headers: { 'content-type': 'application/json' } })).status,
  ).toBe(400);
  expect(await responsesOf(story, ann)).toEqual([]);

  const nowhere = link.replace(/[^/]+$/, 'x'.repeat(43));
  expect((await open(nowhere)).status).toBe(404);
  expect((await sendForm(nowhere, new URLSearchParams({ do: 'send' }))).status).toBe(404);
  // A link of another purpose is none of ours, nor ours of its.
  expect((await open(link.replace('/s/', '/u/'))).status).toBe(404);
  expect((await open(link.replace('/s/', '/p/'))).status).toBe(404);
});

test('surveys: one question after the other, forth and back; what nobody asks any more does not count', async () => {
  await story.must('POST', '/v1/surveys', afterTheJob({ key: 'in-steps', layout: 'step_by_step' }));
  const ann = await story.customer();
  const link = await invited(story, ann, 'in-steps');
  let page = await fillIn(link, { happy: 1 }, 'next');
  expect(page.text).toContain('Question 2 of 5');
  expect(page.text).toContain('What went wrong?');
  page = await fillIn(link, { why: 'All of it' }, 'next', page);
  expect(page.text).toContain('Would you come back?');
  page = await fillIn(link, {}, 'back', page);
  expect(page.html).toContain('All of it</textarea>');
  page = await fillIn(link, {}, 'back', page);
  page = await fillIn(link, { happy: 5 }, 'next', page);
  expect(page.text).toContain('Would you come back?');
  for (const name of ['liked', 'word']) {
    page = await fillIn(link, {}, 'next', page);
    expect(page.html).toContain(`q-${name}`);
  }
  page = await fillIn(link, { word: 'Fine' }, 'send', page);
  expect(page.text).toContain('Thank you very much.');
  expect(await responsesOf(story, ann)).toMatchObject([
    { score: 5, answers: { happy: 5, word: 'Fine' }, comment: 'Fine' },
  ]);
});

test('surveys: what was entered and never sent counts when the days of the survey are over, once, and nobody is written to', async () => {
  await story.must('POST', '/v1/surveys', afterTheJob({ key: 'patient', partial_after_days: 7 }));
  const [ann, ben] = [await story.customer(), await story.customer()];
  await fillIn(await invited(story, ann, 'patient'), { happy: 3 }, 'save');
  // Without the score there is nothing to count.
  await fillIn(await invited(story, ben, 'patient'), { word: 'Hm' });
  await story.advance(6 * DAY);
  expect(await responsesOf(story, ann)).toEqual([]);
  await story.advance(2 * DAY);
  expect(await responsesOf(story, ann)).toMatchObject([{ score: 3, survey: 'patient' }]);
  expect(await responsesOf(story, ben)).toEqual([]);
  expect(story.mailsTo(ann)).toEqual([]);
  expect(story.tasksFor(ann)).toHaveLength(1);
  await handlersOf(story.hub).get('surveys')!({ tenantId: story.tenantId });
  expect(await responsesOf(story, ann)).toHaveLength(1);
});

test('surveys: a closed survey says so and takes nothing; opened again it goes on', async () => {
  const made = await story.must('POST', '/v1/surveys', afterTheJob({ key: 'closing' }));
  const path = `/v1/surveys/${made.id}`;
  const ann = await story.customer();
  const link = await invited(story, ann, 'closing');
  await story.must('POST', `${path}/close`, {}, await story.version(path));
  expect((await open(link, 'de')).text).toContain('Diese Umfrage ist geschlossen');
  expect(
    (await fillIn(link, { happy: 4 }, 'send', { forms: [new URLSearchParams({ shown: 'happy' })] } as never)).text,
  ).toContain('closed');
  expect(await responsesOf(story, ann)).toEqual([]);
  await story.must('POST', `${path}/open`, {}, await story.version(path));
  expect((await fillIn(link, { happy: 4 })).text).toContain('Thank you');
  expect((await story.api('DELETE', path, undefined, await story.version(path))).status).toBe(409);
});

test('surveys: whoever was invited answers the version they were asked with', async () => {
  const made = await story.must('POST', '/v1/surveys', afterTheJob({ key: 'versioned' }));
  const path = `/v1/surveys/${made.id}`;
  const ann = await story.customer();
  const link = await invited(story, ann, 'versioned');
  const [first] = afterTheJob().questions;
  await story.must(
    'PUT',
    path,
    afterTheJob({ key: 'versioned', questions: [{ ...first!, text: { en: 'A new question?' } }] }),
    await story.version(path),
  );
  expect((await open(link)).text).toContain('How happy are you?');
  expect((await open(await invited(story, ann, 'versioned'))).text).toContain('A new question?');
  const stale = await story.api('PUT', path, afterTheJob({ key: 'versioned' }), { 'if-match': '"1"' });
  expect(stale.status).toBe(412);
  const mistaken = await story.api(
    'PUT',
    path,
    afterTheJob({ key: 'versioned', score: 'why' }),
    await story.version(path),
  );
  expect(mistaken.body.fields[0]).toMatchObject({ path: 'score' });
});
