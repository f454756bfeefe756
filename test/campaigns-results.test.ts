import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { troubleOf } from '../src/actions/ears.ts';
import { takeEvent } from '../src/actions/events.ts';
import { newId } from '../src/base/ids.ts';
import { reasonToStop } from '../src/campaigns/breaker.ts';
import { differenceOf, verdictOf, wilson } from '../src/campaigns/interval.ts';
import { findConnection } from '../src/connections/store.ts';
import { markEverybody } from '../src/model/stale.ts';
import { CAMPAIGN_SETTINGS } from '../src/settings/campaigns.ts';
import { beginCampaigns, type CampaignStory, MAIL } from './support/campaigns.ts';
import { handlersOf } from './support/handlers.ts';
import { DAY, HOUR } from './support/hub.ts';
import { isWaiting, pausingAt } from './support/pauses.ts';
import type { Row } from './support/story.ts';

describe('results: intervals', () => {
  test('results: shares carry the interval the textbook gives, and stay within 0 and 1', () => {
    // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29 by the score method.
    const rounded = (hits: number, n: number) => [wilson(hits, n).low, wilson(hits, n).high].map((x) => x!.toFixed(4));
    expect(rounded(81, 263)).toEqual(['0.2553', '0.3662']);
    expect(rounded(15, 148)).toEqual(['0.0624', '0.1605']);
    expect(rounded(0, 20)).toEqual(['0.0000', '0.1611']);
    expect(rounded(1, 29)).toEqual(['0.0061', '0.1718']);
    expect(wilson(0, 0)).toEqual({ n: 0, hits: 0, rate: null, low: null, high: null });
    expect(wilson(20, 20).high).toBe(1);
    // Table II, method 10: 56 of 70 against 48 of 80.
    const found = differenceOf(wilson(56, 70), wilson(48, 80))!;
    expect([found.difference, found.low, found.high].map((x) => x.toFixed(4))).toEqual(['0.2000', '0.0524', '0.3339']);
  });

  test('results: few people tell nothing, and many tell what there is', () => {
    expect(verdictOf(wilson(9, 10), wilson(0, 10), 100)).toBe('too_few_to_tell');
    expect(verdictOf(wilson(300, 1000), wilson(200, 1000), 100)).toBe('more');
    expect(verdictOf(wilson(200, 1000), wilson(300, 1000), 100)).toBe('fewer');
    expect(verdictOf(wilson(200, 1000), wilson(210, 1000), 100)).toBe('no_difference_seen');
    expect(verdictOf(wilson(200, 1000), wilson(0, 0), 1)).toBe('too_few_to_tell');
  });
});

test('breaker: it stops at more than its shares, never for a handful of messages or of events', () => {
  const limits = CAMPAIGN_SETTINGS.sendBreaker.value;
  const none = { sends: 1000, bounce: 0, complaint: 0, stop: 0, failure: 0 };
  expect(reasonToStop({ ...none, complaint: 3 }, limits)).toBeUndefined();
  expect(reasonToStop({ ...none, complaint: 4 }, limits)).toContain('4 of 1000 messages within 24 hours were reported');
  expect(reasonToStop({ ...none, sends: 60, complaint: 2 }, limits)).toBeUndefined();
  expect(reasonToStop({ ...none, sends: 60, complaint: 3 }, limits)).toContain('spam');
  expect(reasonToStop({ ...none, sends: 49, bounce: 40 }, limits)).toBeUndefined();
  expect(reasonToStop({ ...none, bounce: 50 }, limits)).toBeUndefined();
  expect(reasonToStop({ ...none, bounce: 51 }, limits)).toContain('5.1 %');
});

test('breaker: what platforms say is read as what it is', () => {
  const event = (state: string, outcome?: string) =>
    troubleOf({ type: 'receipt', key: 'k', nativeId: 'n', state, ...(outcome ? { outcome } : {}) } as never);
  expect([event('delivered'), event('spamreport'), event('complained'), event('bounced')]).toEqual([
    ...[undefined, 'complaint', 'complaint', 'bounce'],
  ]);
  expect([event('undelivered', 'failed'), event('failed', 'opted_out'), event('read')]).toEqual([
    ...['bounce', 'stop', undefined],
  ]);
});

let story: CampaignStory;
beforeAll(async () => {
  story = await beginCampaigns('2026-03-05T15:00:00Z', true);
});
afterAll(() => story?.end());

const mails = (campaign: Row): Promise<Row[]> =>
  story.rows(
    "select q.id, q.state, q.reason, q.customer_id from action_request q join run r on r.tenant_id = $1 and r.id = q.run_id where q.tenant_id = $1 and r.campaign_id = $2 and q.state <> 'skipped' order by q.id",
    campaign.id,
  );
/** The platform tells of a message; each report is taken by a worker of its own. */
const report = async (requestId: string, state: string, db = story.hub.db): Promise<void> => {
  const { hub, tenantId } = story;
  await db.tenant(tenantId, async (tx) => {
    const connection = (await findConnection(tx, story.connections.smtp.id as string))!;
    const event = { type: 'receipt', key: newId(), nativeId: requestId, requestId, state } as const;
    await takeEvent(hub.deps, tx, connection, event, hub.clock.now());
  });
};
const run = async (key: string, n: number, more: Row = {}, steps: readonly Row[] = MAIL): Promise<Row> => {
  await story.sequence(key, steps);
  const ids = await story.crowd(key, n);
  const campaign = await story.campaign(key, key, { customers: ids }, { percentPerDay: 100, perHour: 3600, ...more });
  await story.start(campaign);
  story.clock.advance(60_000);
  await story.tick();
  await story.settle();
  return campaign;
};

test('breaker: bad news in several transactions at once trips it exactly once, holds what is queued, and only a person lets it go on', async () => {
  await story.set('sendBreaker', { minSends: 10, minEvents: 3, bouncePercent: 20 });
  const steps = [
    ...MAIL.slice(0, 1),
    { id: 'pause', wait: { hours: 1 } },
    { ...MAIL[0], id: 'again' },
    ...MAIL.slice(1),
  ];
  const campaign = await run('bad', 10, {}, steps);
  const sent = (await mails(campaign)).filter((one) => one.state === 'sent');
  expect(sent).toHaveLength(10);
  await report(sent[0]!.id, 'bounced');
  // The second stands between counting for the sequence and for the campaign when the third comes.
  const { db, reached, go } = pausingAt(story.hub.db, /from sequence_send .* campaign_id = /);
  const second = report(sent[1]!.id, 'bounced', db);
  await reached;
  const third = report(sent[2]!.id, 'bounced');
  await Promise.race([third, isWaiting(story)]).finally(go);
  await Promise.all([second, third]);
  const tripped = async () =>
    (await story.rows("select data from audit_event where tenant_id = $1 and action = 'send_breaker.tripped'")).length;
  // The sequence and the campaign, each once.
  expect(await tripped()).toBe(2);
  await report(sent[3]!.id, 'bounced');
  expect(await tripped()).toBe(2);
  expect(await story.must('GET', `/v1/campaigns/${campaign.id}`)).toMatchObject({
    state: 'paused',
    reason: expect.stringContaining('3 of 10 messages within 24 hours bounced (30.0 %, the limit is 20 %)'),
  });
  const { items } = await story.must('GET', '/v1/send-breakers');
  expect(items.map((one: Row) => one.scope).sort()).toEqual([`campaign:${campaign.id}`, 'sequence:bad']);
  expect(items[0].figures).toMatchObject({ sends: 10, bounce: 3 });

  await story.advance(2 * HOUR);
  const held = (await mails(campaign)).filter((one) => one.state !== 'sent');
  expect(held.length).toBeGreaterThan(0);
  expect(held.every((one) => one.state === 'planned' && one.reason === 'kill_switch')).toBe(true);
  expect((await story.api('DELETE', '/v1/kill-switches/sequence:bad')).status).toBe(204);
  await story.settle();
  expect((await mails(campaign)).filter((one) => one.state === 'sent')).toHaveLength(10);
  await story.act(campaign, 'resume');
  await story.advance(60_000);
  expect((await mails(campaign)).filter((one) => one.state === 'sent').length).toBe(10 + held.length);
  // What was looked at does not count again.
  await report(sent[4]!.id, 'bounced');
  expect(await tripped()).toBe(2);
  expect((await story.must('GET', '/v1/send-breakers')).items).toEqual([]);
});

test('breaker: a STOP counts for the last message on its channel, and the worst news stays', async () => {
  const campaign = await run('words', 1);
  const [mail] = await mails(campaign);
  const { hub, tenantId } = story;
  const trouble = async () =>
    (await story.rows('select trouble from sequence_send where tenant_id = $1 and request_id = $2', mail!.id))[0]!
      .trouble;
  await hub.db.tenant(tenantId, (tx) => hub.deps.ears!.stopped(tx, mail!.customer_id, 'sms', hub.clock.now()));
  expect(await trouble()).toBeNull();
  await hub.db.tenant(tenantId, (tx) => hub.deps.ears!.stopped(tx, mail!.customer_id, 'email', hub.clock.now()));
  expect(await trouble()).toBe('stop');
  await report(mail!.id, 'spam');
  await report(mail!.id, 'bounced');
  expect(await trouble()).toBe('complaint');
});

const credit = async (...ids: string[]): Promise<void> => {
  await story.rows(
    "insert into customer_stale (tenant_id, reader, customer_id) select $1, 'credit', unnest($2::uuid[]) on conflict do nothing",
    ids,
  );
  await handlersOf(story.hub).get('credit')!({ tenantId: story.tenantId });
};
const pays = async (customer: string, amount: number, on: string, currency = 'USD'): Promise<string> => {
  const id = newId();
  await story.rows(
    `insert into payment (tenant_id, stream_id, remote_id, entity_id, status, amount, currency, paid_on, customer_id, mapping_version, updated_at)
     values ($1, $2, $3, $2, 'succeeded', $4, $5, $6, $7, 'x', $8)`,
    ...[id, id, amount, currency, on, customer, story.clock.now()],
  );
  return id;
};
const credits = () =>
  story.rows(
    'select s.key, c.fact, c.step_id, c.last_touch, c.amount from credit c join sequence s on s.tenant_id = $1 and s.id = c.sequence_id where c.tenant_id = $1 order by 1, 2, 5',
  );

test('results: a payment is credited once to each sequence, is gone when it is voided, and comes to the same when counted anew', async () => {
  story.clock.set('2026-04-01T14:00:00Z');
  await story.set('sendBreaker', { minSends: 10_000 });
  const one = await run('first', 1);
  const [first] = await story.members(one);
  const ann = first!.customerId as string;
  story.clock.advance(2 * DAY);
  await story.sequence('second', MAIL);
  await story.must('POST', '/v1/enrolments', { sequence: 'second', customers: [ann], reason: 'as well' });
  await story.settle();
  const before = await pays(ann, 5, '2026-03-31');
  const paid = await pays(ann, 120.5, '2026-04-06');
  await pays(ann, 20, '2026-04-06', 'EUR');
  // Too late for the first message, in time for the second.
  await pays(ann, 7, '2026-04-16');
  await pays(ann, 9, '2026-05-20');
  await credit(ann);
  const all = [
    { key: 'first', fact: 'payment', step_id: 'hello', last_touch: false, amount: '20' },
    { key: 'first', fact: 'payment', step_id: 'hello', last_touch: false, amount: '120.5' },
    { key: 'second', fact: 'payment', step_id: 'hello', last_touch: true, amount: '7' },
    { key: 'second', fact: 'payment', step_id: 'hello', last_touch: true, amount: '20' },
    { key: 'second', fact: 'payment', step_id: 'hello', last_touch: true, amount: '120.5' },
  ];
  expect(await credits()).toEqual(all);
  await Promise.all([credit(ann), credit(ann)]);
  expect(await credits()).toEqual(all);
  await story.hub.db.tenant(story.tenantId, (tx) => markEverybody(tx, 'credit'));
  await handlersOf(story.hub).get('credit')!({ tenantId: story.tenantId });
  expect(await credits()).toEqual(all);
  const { id } = await story.must('GET', '/v1/sequences/second');
  const results = await story.must('GET', `/v1/sequences/${id}/results`);
  expect(results.total).toMatchObject({ sent: 1, delivered: 1, paid: 3, lastTouch: { paid: 3 } });
  expect(results.total.money).toEqual([
    { currency: 'EUR', amount: '20' },
    { currency: 'USD', amount: '127.5' },
  ]);
  expect(results.steps).toMatchObject([{ step: 'hello', variant: null, sent: 1, paid: 3 }]);
  await story.rows("update payment set status = 'void' where tenant_id = $1 and entity_id = $2", paid);
  await credit(ann);
  expect((await credits()).map((row) => row.amount)).toEqual(['20', '7', '20']);
  expect(before).not.toBe(paid);
});

test('results: a campaign is compared with those it left out, with how many there are on either side', async () => {
  await story.set('attribution', { days: 14, leastToCompare: 2 });
  story.clock.set('2026-06-01T14:00:00Z');
  const campaign = await run('compare', 24, { holdoutPercent: 50 });
  const entered = await story.members(campaign, 'entered');
  const out = await story.members(campaign, 'held_out');
  expect(entered.length + out.length).toBe(24);
  expect(out.length).toBeGreaterThan(2);
  for (const one of entered) await pays(one.customerId, 10, '2026-06-03');
  await pays(out[0]!.customerId, 10, '2026-06-04');
  // Before and long after their turn.
  await pays(out[1]!.customerId, 10, '2026-05-20');
  await pays(out[1]!.customerId, 10, '2026-07-20');
  await credit(...entered.map((one) => one.customerId as string), out[0]!.customerId);
  const results = await story.must('GET', `/v1/campaigns/${campaign.id}/results`);
  expect(results.total).toMatchObject({ sent: entered.length, paid: entered.length });
  const paid = results.comparison.facts.find((one: Row) => one.fact === 'payment');
  expect(paid).toMatchObject({
    written: { n: entered.length, hits: entered.length, rate: 1 },
    leftOut: { n: out.length, hits: 1 },
    verdict: 'more',
  });
  expect(results.comparison.openWindows).toBe(24);
  await story.set('attribution', { days: 14, leastToCompare: 100 });
  const again = await story.must('GET', `/v1/campaigns/${campaign.id}/results`);
  expect(again.comparison.facts.every((one: Row) => one.verdict === 'too_few_to_tell')).toBe(true);
  const { api } = await story.otherTenant();
  expect((await api('GET', `/v1/campaigns/${campaign.id}/results`)).status).toBe(404);
  expect((await api('GET', '/v1/send-breakers')).body.items).toEqual([]);
});

test('results: a booking and an answer told live count, one that was cancelled and a STOP do not', async () => {
  const campaign = await run('talk', 1);
  const [{ customerId }] = (await story.members(campaign)) as [Row];
  const at = new Date(story.clock.now().getTime() + HOUR);
  const insert = (table: string, id: string, more: Row) =>
    story.rows(
      `insert into ${table} (tenant_id, stream_id, remote_id, entity_id, customer_id, mapping_version, updated_at, ${Object.keys(more).join(', ')})
       values ($1, $2, $3, $2, $4, 'x', $5, ${Object.keys(more)
         .map((_, n) => `$${n + 6}`)
         .join(', ')})`,
      ...[id, id, customerId, at, ...Object.values(more)],
    );
  const job = newId();
  await insert('job', job, { status: 'scheduled', source_created_at: at });
  await insert('activity', newId(), { kind: 'message', direction: 'in', body: 'Yes please', occurred_at: at });
  await insert('activity', newId(), { kind: 'message', direction: 'in', body: 'STOP', occurred_at: at });
  await credit(customerId);
  const figures = async () => (await story.must('GET', `/v1/campaigns/${campaign.id}/results`)).total;
  expect(await figures()).toMatchObject({ answered: 1, booked: 1, paid: 0 });
  await story.rows("update job set status = 'cancelled' where tenant_id = $1 and entity_id = $2", job);
  await credit(customerId);
  expect(await figures()).toMatchObject({ answered: 1, booked: 0 });
});

test('results: the ways of a split are told apart, and a sequence is compared with those its own holdout left out', async () => {
  await story.set('attribution', { days: 14, leastToCompare: 1 });
  const message = { channels: ['email'], template: 'hello' };
  const campaign = await run('ways', 24, {}, [
    { id: 'some', holdout: { percent: 30 } },
    {
      id: 'way',
      split: [
        { name: 'short', weight: 1, then: 'one' },
        { name: 'long', weight: 1, then: 'other' },
      ],
    },
    { id: 'one', message, next: 'rest' },
    { id: 'other', message, next: 'rest' },
    { id: 'rest', wait: { days: 90 } },
  ]);
  const { sequenceId } = campaign;
  const results = await story.must('GET', `/v1/sequences/${sequenceId}/results`);
  const arms = await story.rows(
    "select count(*) filter (where arm = 'held_out')::int as out, count(*) filter (where arm is null)::int as written from run where tenant_id = $1 and sequence_id = $2",
    sequenceId,
  );
  const { out, written } = arms[0]!;
  expect(out + written).toBe(24);
  expect(out).toBeGreaterThan(0);
  expect(results.total.sent).toBe(written);
  expect(results.steps.map((one: Row) => [one.step, one.variant])).toEqual([
    ['one', 'short'],
    ['other', 'long'],
  ]);
  const any = results.comparison.facts.find((one: Row) => one.fact === 'any');
  expect(any).toMatchObject({ written: { n: written, hits: 0 }, leftOut: { n: out, hits: 0 } });
});
