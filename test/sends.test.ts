import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Fault } from '../src/kit/sandbox/index.ts';
import { ACTS, type Act, decide, heal } from './support/acts.ts';
import { HOUR, MINUTE } from './support/hub.ts';
import { dispatch, lookAfter, reconcile } from './support/sending.ts';
import { beginStory, type Customer, type Row, type Story } from './support/story.ts';

let story: Story;
let ann: Customer;

beforeAll(async () => {
  // The test sends by hand, so that it stands between planning and sending.
  story = await beginStory({ roles: 'api,sync,engine', alwaysOpen: true });
  ann = await story.customer({ owes: [100] });
});
beforeEach(() => heal(story));
afterAll(() => story?.end());

const LOST: { what: string; fault: Fault; acts: boolean }[] = [
  { what: 'the request is lost', fault: { kind: 'cut' }, acts: false },
  { what: 'the answer is lost', fault: { kind: 'cut_after' }, acts: true },
  { what: 'the answer breaks off', fault: { kind: 'truncated' }, acts: true },
  { what: 'the answer is no JSON', fault: { kind: 'malformed' }, acts: true },
  { what: 'it fails without acting', fault: { kind: 'status', status: 500 }, acts: false },
];

describe.each(Object.keys(ACTS))('%s', (name) => {
  let one: Act;
  beforeAll(() => {
    one = ACTS[name]!(story, ann);
  });

  test.each(LOST)(`sends: ${name}: when $what, there is exactly one in the end`, async ({ fault, acts }) => {
    const { id, native } = await one.plan();
    one.add({ ...fault, match: one.match, times: 1 });
    await dispatch(story);
    expect(native()).toHaveLength(acts ? 1 : 0);
    expect(await story.action(id)).toMatchObject({ state: 'unknown', reason: 'no_good_answer' });
    const done = await lookAfter(story, id);
    expect(done).toMatchObject({ state: 'sent' });
    expect(native()).toHaveLength(1);
    // Every try is written down with what came of it.
    expect(done.tries.map(({ outcome }: Row) => outcome).at(0)).toMatch(/unknown|sent/);
    expect(done.tries.every(({ endedAt }: Row) => endedAt !== null)).toBe(true);
  });

  test(`sends: ${name}: when the answer names nothing, the object is found afterwards`, async () => {
    const { id, native } = await one.plan();
    one.add({ kind: 'rewrite', rewrite: () => ({}), match: one.match, times: 1 });
    await dispatch(story);
    const done = await lookAfter(story, id);
    expect(done).toMatchObject({ state: 'sent' });
    expect(done.receipt.nativeId).toMatch(/\S/);
    expect(native()).toHaveLength(1);
  });

  test(`sends: ${name}: when it fails after having acted, there is exactly one in the end`, async () => {
    const { id, native, act } = await one.plan();
    one.add({ kind: 'status', status: 500, match: one.match, times: 1 });
    act();
    await dispatch(story);
    expect(await lookAfter(story, id)).toMatchObject({ state: 'sent' });
    expect(native()).toHaveLength(1);
  });

  test(`sends: ${name}: looked at by several at once, it is done once`, async () => {
    const { id, native } = await one.plan();
    one.add({ kind: 'cut', match: one.match, times: 1 });
    await dispatch(story);
    story.clock.advance(10 * MINUTE);
    const ask = () => story.api('POST', `/v1/actions/${id}/reconcile`);
    await Promise.all([reconcile(story), reconcile(story), ask(), ask(), dispatch(story)]);
    await Promise.all([dispatch(story), reconcile(story), ask(), dispatch(story)]);
    expect(await lookAfter(story, id)).toMatchObject({ state: 'sent' });
    expect(native()).toHaveLength(1);
  });

  test(`sends: ${name}: the number of tries is limited, and then a person decides`, async () => {
    const { id, native } = await one.plan();
    one.add({ kind: 'status', status: 500, match: one.match });
    await dispatch(story);
    for (let hours = 0; hours < 6; hours++) {
      story.clock.advance(HOUR);
      await lookAfter(story, id);
    }
    const left = await story.action(id);
    expect(left).toMatchObject({ state: 'unknown', attempts: 5 });
    expect(left.detail).toMatch(/tried 5 times.*A person decides\.$/);
    expect(native()).toEqual([]);
    heal(story);
    await decide(story, id, 'again');
    expect(await lookAfter(story, id)).toMatchObject({ state: 'sent' });
    expect(native()).toHaveLength(1);
  });
});

test('sends: the same request made twice, or by many at once, is one action', async () => {
  const text = 'Once and only once';
  const body = { kind: 'send_sms', input: { text }, customerId: ann.id, class: 'transactional' };
  const ask = () => story.api('POST', '/v1/actions', body, { 'idempotency-key': 'the same' });
  const answers = [...(await Promise.all(Array.from({ length: 8 }, ask))), await ask()];
  const ids = answers.flatMap((answer) => (answer.status === 202 ? [answer.body.id] : []));
  expect(answers.at(-1)!.status).toBe(202);
  expect(new Set(ids).size).toBe(1);
  await Promise.all([dispatch(story), dispatch(story), dispatch(story)]);
  expect(story.textsTo(ann).filter((message) => message.body === text)).toHaveLength(1);
});
