import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { surveyDeps } from '../src/actions/surveys.ts';
import { handIn } from '../src/surveys/answer.ts';
import { findInvitation, invite, linkTo } from '../src/surveys/invitations.ts';
import { findSurvey } from '../src/surveys/store.ts';
import { open } from './support/forms.ts';
import { apiFor, DAY } from './support/hub.ts';
import { programEnv, run } from './support/processes.ts';
import { beginStory, type Customer, type Row, type Story } from './support/story.ts';
import { afterTheJob, fillIn, invited, putTexts, responsesOf, said } from './support/surveys.ts';

let story: Story;

beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot', 'smtp'], alwaysOpen: true });
  await putTexts(story);
  await story.must('POST', '/v1/surveys', afterTheJob({ answered: { task: { title: 'Review survey results' } } }));
});
afterAll(() => story?.end());

const nps = (key: string, more: Row = {}) => ({
  ...{ key, name: key, kind: 'nps' as const, title: said('One question'), thanks: said('Thank you') },
  questions: [
    { key: 'recommend', kind: 'nps' as const, text: said('Would you recommend us?') },
    { key: 'note', kind: 'long_text' as const, text: said('Anything else?') },
  ],
  ...more,
});
const tasksOf = async ({ id }: Pick<Customer, 'id'>): Promise<number> =>
  (
    await story.rows(
      "select 1 from action_request where tenant_id = $1 and customer_id = $2 and kind = 'create_task'",
      id,
    )
  ).length;
const mergeOf = async (...people: Customer[]): Promise<{ id: string; survivor: string }> =>
  (await story.must('POST', '/v1/merges', { ids: people.map(({ id }) => id), reason: 'same' })) as never;

test('surveys: what is cut off in the middle never happened, and the next try does all of it', async () => {
  const ann = await story.customer();
  const link = await invited(story, ann);
  const [{ id } = { id: '' }] = await story.rows(
    'select id from survey_invitation where tenant_id = $1 and customer_id = $2',
    ann.id,
  );
  const { db, clock } = story.hub;
  // The fact is in, and then whoever plans the task is gone.
  const deps = surveyDeps(story.hub.deps);
  const broken = {
    ...deps,
    surveyPorts: { ...deps.surveyPorts, task: () => Promise.reject(new Error('the power went')) },
  };
  const cut = db.tenant(story.tenantId, async (tx) => {
    const row = (await findInvitation(tx, id, true))!;
    const survey = afterTheJob({ answered: { task: { title: 'Review survey results' } } });
    return handIn(broken, tx, row, survey, { happy: 5 }, 'person', clock.now());
  });
  await expect(cut).rejects.toThrow('the power went');
  expect(await responsesOf(story, ann)).toEqual([]);
  expect(await tasksOf(ann)).toBe(0);
  expect((await open(link)).forms).toHaveLength(1);
  expect((await fillIn(link, { happy: 5 })).status).toBe(200);
  expect(await responsesOf(story, ann)).toHaveLength(1);
  expect(await tasksOf(ann)).toBe(1);
});

test('surveys: an answer belongs to whoever was asked, through a merge and its undoing', async () => {
  const [ann, bea] = [await story.customer(), await story.customer()];
  const [toAnn, toBea] = [await invited(story, ann), await invited(story, bea)];
  const merge = await mergeOf(ann, bea);
  expect((await fillIn(toBea, { happy: 4, word: 'Bea' })).status).toBe(200);
  // They are one now: what either answered is of both.
  expect(await responsesOf(story, { id: merge.survivor })).toMatchObject([{ comment: 'Bea' }]);
  await story.must('POST', `/v1/merges/${merge.id}/undo`, { reason: 'two after all' });
  expect(await responsesOf(story, ann)).toEqual([]);
  expect(await responsesOf(story, bea)).toMatchObject([{ comment: 'Bea' }]);
  await fillIn(toAnn, { happy: 5, word: 'Ann' });
  expect(await responsesOf(story, ann)).toMatchObject([{ comment: 'Ann' }]);
  expect(await responsesOf(story, bea)).toHaveLength(1);
});

test('surveys: of an erased person stays the score, and their link leads nowhere', async () => {
  await story.must('POST', '/v1/surveys', nps('erasing'));
  const [ann, bea] = [await story.customer(), await story.customer()];
  const secret = 'My neighbour Xaver said so';
  const answered = await invited(story, ann, 'erasing');
  const waiting = await invited(story, ann, 'erasing');
  await fillIn(answered, { recommend: 3, note: secret });
  await fillIn(await invited(story, bea, 'erasing'), { recommend: 10 });
  await fillIn(waiting, { note: secret }, 'save');
  await story.must('POST', `/v1/customers/${ann.id}/erasure`, { ground: 'objection', confirm: ann.id });
  await story.settle();
  for (const link of [answered, waiting]) {
    expect((await open(link)).status).toBe(404);
    expect(
      (await fillIn(link, { recommend: 9 }, 'send', { forms: [new URLSearchParams({ shown: 'recommend' })] } as never))
        .status,
    ).toBe(404);
  }
  const left = await story.rows(
    'select answers, score::int as score, customer_ref from survey_invitation where tenant_id = $1 and customer_id = $2 order by id',
    ann.id,
  );
  expect(left).toEqual([
    { answers: {}, score: 3, customer_ref: 'erased' },
    { answers: {}, score: null, customer_ref: 'erased' },
  ]);
  const results = await story.must('GET', '/v1/surveys/erasing/results');
  expect(results).toMatchObject({ scores: { n: 2, nps: 0, promoters: 1, detractors: 1 } });
  expect(JSON.stringify(await story.must('GET', '/v1/surveys/erasing/answers'))).not.toContain('Xaver');
});

test('surveys: whoever was erased after a merge was undone does not answer as the other one', async () => {
  await story.must('POST', '/v1/surveys', nps('apart'));
  const [ann, bea] = [await story.customer(), await story.customer()];
  const merge = await mergeOf(ann, bea);
  const gone = merge.survivor === ann.id ? bea : ann;
  // While they are one, the one who goes is asked by a mail to their own address.
  const asked = await story.hub.db.tenant(story.tenantId, async (tx) => {
    const survey = (await findSurvey(tx, 'apart'))!;
    const at = story.clock.now();
    const row = await invite(tx, survey, { customerId: merge.survivor, address: gone.email, by: 'test' }, at);
    return linkTo(story.hub.deps.content, tx, row, at);
  });
  await story.must('POST', `/v1/merges/${merge.id}/undo`, { reason: 'two after all' });
  await story.must('POST', `/v1/customers/${gone.id}/erasure`, { ground: 'objection', confirm: gone.id });
  await story.settle();
  expect((await open(asked)).status).toBe(404);
  expect(await responsesOf(story, { id: merge.survivor })).toEqual([]);
});

test('surveys: results tell NPS with how many answered, means, what was given to each question, months, and comments', async () => {
  await story.must('POST', '/v1/surveys', nps('counting'));
  const people = [];
  for (const value of [10, 9, 8, 6, 0]) {
    const ann = await story.customer();
    people.push(ann);
    await fillIn(await invited(story, ann, 'counting'), {
      recommend: value,
      ...(value === 0 ? { note: '=HYPERLINK("x")' } : {}),
    });
    // Into the next month with the last one.
    if (value === 6) story.clock.advance(31 * DAY);
  }
  await invited(story, people[0]!, 'counting');
  const results = await story.must('GET', '/v1/surveys/counting/results');
  // Two promoters, two detractors, one between: 40 % - 40 %.
  expect(results).toMatchObject({
    ...{ invited: 6, started: 5, answered: 5, countedByTime: 0 },
    scores: { n: 5, average: 6.6, nps: 0, promoters: 2, detractors: 2 },
    questions: [
      {
        key: 'recommend',
        answered: 5,
        average: 6.6,
        nps: 0,
        values: [0, 6, 8, 9, 10].map((value) => ({ value: String(value), n: 1 })),
      },
      { key: 'note', answered: 1, values: [], average: null, nps: null },
    ],
    periods: [
      { n: 4, nps: 25 },
      { n: 1, nps: -100 },
    ],
    steps: [{ sequence: null, step: null, n: 5 }],
  });
  const [, { from }] = results.periods;
  expect(await story.must('GET', `/v1/surveys/counting/results?from=${from}`)).toMatchObject({
    scores: { n: 1, nps: -100 },
  });
  expect((await story.api('GET', '/v1/surveys/counting/results?from=2026-02-30')).status).toBeGreaterThanOrEqual(400);

  const commented = await story.must('GET', '/v1/surveys/counting/answers?commented=true');
  expect(commented.items).toMatchObject([{ score: 0, comment: '=HYPERLINK("x")', customerId: people[4]!.id }]);
  const [first, second] = [await story.must('GET', '/v1/surveys/counting/answers?limit=3'), undefined];
  expect(second).toBeUndefined();
  const rest = await story.must('GET', `/v1/surveys/counting/answers?limit=3&cursor=${first.next}`);
  expect([...first.items, ...rest.items].map(({ score }: Row) => score)).toEqual([0, 6, 8, 9, 10]);

  const { body, headers } = await story.api<string>('GET', '/v1/surveys/counting/answers.csv');
  expect(headers.get('content-type')).toContain('text/csv');
  const lines: Row[] = parse(body, { columns: true });
  expect(lines).toHaveLength(5);
  // A spreadsheet must not take what somebody wrote for a formula.
  expect(lines[0]).toMatchObject({ recommend: '0', note: `'=HYPERLINK("x")`, customer: people[4]!.name });
});

test('surveys: the owner sees the page as customers do, fills it in, and nothing is recorded', async () => {
  const before = await story.rows('select count(*) from survey_invitation where tenant_id = $1');
  const look = async (query: string): Promise<string> =>
    (await story.api<string>('GET', `/v1/surveys/after-the-job/preview?${query}`)).body;
  expect(await look('language=de')).toMatch(/<html lang="de">[\s\S]*Vorschau[\s\S]*Wie zufrieden sind Sie\?/);
  expect(await look('shown=happy,again,liked,word&q-happy=1&do=send')).toContain('What went wrong?');
  expect(await look('shown=happy,again,liked,word&q-happy=5&do=send')).toContain('Thank you very much.');
  expect(await story.rows('select count(*) from survey_invitation where tenant_id = $1')).toEqual(before);
  expect((await open(`${story.url}/s/preview`)).text).toContain('example');
});

test('surveys: who may do what, and another business sees nothing of it', async () => {
  const key = async (role: string): Promise<ReturnType<typeof apiFor>> =>
    apiFor(story.url, (await story.must('POST', '/v1/api-keys', { name: role, role })).key);
  const [viewer, operator, other] = [await key('viewer'), await key('operator'), (await story.otherTenant()).api];
  const ann = await story.customer();
  const invitation = { customerId: ann.id };
  expect((await viewer('GET', '/v1/surveys/after-the-job/results')).status).toBe(200);
  expect((await viewer('POST', '/v1/surveys/after-the-job/invitations', invitation)).status).toBe(403);
  expect((await operator('POST', '/v1/surveys/after-the-job/invitations', invitation)).status).toBe(201);
  expect((await operator('POST', '/v1/surveys', nps('by-operator'))).status).toBe(403);
  expect((await other('GET', '/v1/surveys')).body).toEqual({ items: [] });
  for (const path of ['', '/results', '/answers', '/answers.csv', '/preview'])
    expect((await other('GET', `/v1/surveys/after-the-job${path}`)).status, path).toBe(404);
  await other('POST', '/v1/surveys', nps('after-the-job'));
  expect((await other('POST', '/v1/surveys/after-the-job/invitations', invitation)).status).toBe(404);
});

test('surveys: a step asks, the text has the link, and what is answered decides how it goes on', async () => {
  await story.must('POST', '/v1/surveys', nps('asked', { partial_after_days: 1 }));
  await story.must('PUT', '/v1/templates/ask/email/en', {
    subject: '{{ survey.title }}',
    body: '{{ survey.question }} {% for one in survey_scale %}{{ one.value }}: {{ one.link }}\n{% endfor %}{{ survey.link }}',
  });
  await story.must('PUT', '/v1/templates/pleased/email/en', { subject: 'We are pleased', body: 'Thank you.' });
  const reach = { channels: ['email'] };
  await story.must('POST', '/v1/sequences', {
    ...{ key: 'asking', title: 'Asking', class: 'transactional', topic: 'service', triggers: [{ name: 'manual' }] },
    ...{ per: 'customer', again: { policy: 'always' }, exits: [] },
    steps: [
      { id: 'ask', survey: { survey: 'asked', template: 'ask', ...reach } },
      {
        id: 'wait',
        wait_for: { event: { what: 'survey', survey: 'asked' }, timeout: { days: 5 }, on_timeout: 'over' },
      },
      {
        ...{
          id: 'which',
          branch: { cases: [{ when: { answer: { survey: 'asked', at_least: 9 } }, then: 'pleased' }] },
        },
        next: 'over',
      },
      { id: 'over', end: {} },
      { id: 'pleased', message: { template: 'pleased', ...reach } },
    ],
  });
  const path = '/v1/sequences/asking';
  const nobody = await story.api(
    'PUT',
    path,
    {
      ...(await story.must('GET', path)).definition,
      steps: [{ id: 'ask', survey: { survey: 'no-such', template: 'ask', ...reach } }],
    },
    await story.version(path),
  );
  expect(nobody.body.fields).toMatchObject([{ path: 'steps[0].survey.survey' }]);
  await story.must('POST', `${path}/switch`, { on: true }, await story.version(path));
  const [ann, bea] = [await story.customer(), await story.customer()];
  for (const { id } of [ann, bea])
    await story.must('POST', '/v1/enrolments', { sequence: 'asking', customers: [id], reason: 'a test' });
  await story.settle();
  const linkOf = (who: Customer): string => {
    const [mail, ...more] = story.mailsTo(who).filter(({ subject }) => subject === 'One question');
    expect(more).toEqual([]);
    return /(\S+\/s\/\S+)\?a=10/.exec(mail!.text)![1]!;
  };
  expect(await story.must('GET', '/v1/surveys/asked/results')).toMatchObject({ invited: 2, started: 0, answered: 0 });
  await fillIn(linkOf(ann), { recommend: 10 });
  await fillIn(linkOf(bea), { recommend: 3 });
  await story.settle();
  expect(story.mailsTo(ann).map(({ subject }) => subject)).toEqual(['One question', 'We are pleased']);
  expect(story.mailsTo(bea).map(({ subject }) => subject)).toEqual(['One question']);
  expect(await story.must('GET', '/v1/surveys/asked/results?sequence=asking')).toMatchObject({
    answered: 2,
    steps: [{ sequence: 'asking', step: 'ask', n: 2, nps: 0 }],
  });
  // A survey that a sequence asks stays, and one that is closed lets nobody in any more.
  expect(
    (await story.api('DELETE', '/v1/surveys/asked', undefined, await story.version('/v1/surveys/asked'))).status,
  ).toBe(409);
});

test('surveys: a bad answer sets off whoever listens for detractors, as one that a platform told of would', async () => {
  await story.must('POST', '/v1/surveys', nps('listened-to'));
  await story.must('POST', '/v1/sequences', {
    ...{ key: 'detractors', title: 'Detractors', class: 'transactional', topic: 'service' },
    triggers: [{ name: 'nps.detractor', settings: { surveys: ['listened-to'] } }],
    ...{ per: 'subject', again: { policy: 'once_per_key' }, exits: [] },
    steps: [{ id: 'sorry', message: { template: 'survey-sorry', channels: ['email'] } }],
  });
  const sorry = { subject: 'We are sorry', body: 'Hello {{ customer.first_name }}, we call you.' };
  const text = '/v1/templates/survey-sorry/email/en';
  await story.must('PUT', text, sorry, { 'if-match': '"1"' });
  const path = '/v1/sequences/detractors';
  await story.must('POST', `${path}/switch`, { on: true }, await story.version(path));
  const [ann, bea] = [await story.customer(), await story.customer()];
  story.clock.advance(60_000);
  await fillIn(await invited(story, ann, 'listened-to'), { recommend: 6 });
  await fillIn(await invited(story, bea, 'listened-to'), { recommend: 7 });
  await story.settle();
  expect(story.mailsTo(ann).map(({ subject }) => subject)).toEqual(['We are sorry']);
  expect(story.mailsTo(bea)).toEqual([]);
});

test('surveys: one link can be asked for only so often, others go on; its page allows no scripts and tells nobody where it is', async () => {
  const [ann, bea] = [await story.customer(), await story.customer()];
  const [mine, hers] = [await invited(story, ann), await invited(story, bea)];
  const { headers } = await open(mine);
  expect(headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(headers.get('referrer-policy')).toBe('no-referrer');
  expect(headers.get('x-robots-tag')).toBe('noindex');
  expect(headers.get('cache-control')).toBe('no-store');
  const answers = await Promise.all(Array.from({ length: 70 }, () => open(mine)));
  expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
  expect((await open(hers)).status).toBe(200);
});

test('surveys: the command line tells what came of a survey, and hands out links', async () => {
  const env = await programEnv(story.hub.db.ownerUrl);
  await story.must('POST', '/v1/surveys', nps('by-command'));
  const ann = await story.customer();
  const invited = await run(env, '--tenant', story.tenantId, 'surveys', 'by-command', '--invite', ann.email);
  const token = /\/s\/(\S+)/.exec(invited.stdout)![1]!;
  const told = JSON.parse((await run(env, '--tenant', story.tenantId, '--json', 'surveys', 'by-command')).stdout);
  expect(told).toMatchObject({ survey: 'by-command', invited: 1, answered: 0 });
  const closed = await run(env, '--tenant', story.tenantId, 'surveys', 'by-command', '--close');
  expect(closed.stdout).toContain('"by-command" is closed');
  expect((await open(`${story.url}/s/${token}`)).text).toContain('closed');
}, 120_000);
