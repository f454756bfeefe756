import { afterAll, beforeAll, expect, test } from 'vitest';
import { decideBatch } from '../src/actions/facts.ts';
import { newId } from '../src/base/ids.ts';
import { addDays, instantOf, localDate } from '../src/base/time.ts';
import { noteOutcome, noteSent, replyListener } from '../src/scoring/engagement.ts';
import { scoreHistory } from '../src/scoring/history.ts';
import { runScores } from '../src/scoring/jobs.ts';
import { unhappyOf } from '../src/scoring/store.ts';
import { DAY, startTestHub, type TestHub } from './support/hub.ts';

type Row = Record<string, any>;
let hub: TestHub;
const ZONE = 'America/New_York';
beforeAll(async () => {
  hub = await startTestHub({ connectors: ['csv'], zone: ZONE });
});
afterAll(() => hub?.stop());

/** A business of its own, with what its customers did put into the tables. */
async function business() {
  const { tenantId, api } = await hub.otherTenant(`Business ${newId()}`);
  const stream = newId();
  const sql = async (text: string, ...values: unknown[]): Promise<Row[]> =>
    (await hub.hub.db.tenant(tenantId, (tx) => tx.query<Row>(text, [tenantId, ...values]))).rows;
  const put = async (table: string, row: Row): Promise<string> => {
    const id = newId();
    const all: Row = {
      ...{ stream_id: stream, remote_id: id, entity_id: id, mapping_version: 'x', updated_at: hub.clock.now() },
      ...row,
    };
    const names = Object.keys(all);
    await sql(
      `insert into ${table} (tenant_id, ${names.join(', ')}) values ($1, ${names.map((_name, at) => `$${at + 2}`).join(', ')})`,
      ...names.map((name) => all[name]),
    );
    return id;
  };
  const customer = async (more: Row = {}): Promise<string> => {
    const id = newId();
    const all: Row = {
      id,
      name: 'x',
      provenance: {},
      sources: 1,
      created_at: hub.clock.now(),
      updated_at: hub.clock.now(),
      ...more,
    };
    const names = Object.keys(all);
    await sql(
      `insert into customer (tenant_id, ${names.join(', ')}) values ($1, ${names.map((_name, at) => `$${at + 2}`).join(', ')})`,
      ...names.map((name) => all[name]),
    );
    return id;
  };
  const today = (): string => localDate(hub.clock.now(), ZONE);
  const job = (customer_id: string, daysAgo: number, more: Row = {}) =>
    put('job', { customer_id, status: 'completed', completed_on: addDays(today(), -daysAgo), ...more });
  const pay = (customer_id: string, amount: number | string, more: Row = {}) =>
    put('payment', {
      customer_id,
      amount,
      status: 'succeeded',
      kind: 'payment',
      paid_on: addDays(today(), -100),
      ...more,
    });
  const answer = (customer_id: string, score: number | string, daysAgo: number, more: Row = {}) =>
    put('survey_response', {
      ...{ customer_id, score, kind: 'nps' },
      answered_at: new Date(instantOf(addDays(today(), -daysAgo), '12:00', ZONE)),
      ...more,
    });
  const message = (customer_id: string, n: number, more: Row = {}) =>
    sql(
      `insert into message_engagement (tenant_id, key, customer_id, channel, delivered_at, opened_at, clicked_at, replied_at, machine) values ($1, $2, $3, 'email', $4, $5, $6, $7, $8)`,
      `m-${customer_id}-${n}`,
      customer_id,
      new Date(hub.clock.now().getTime() - 10 * DAY),
      ...['opened_at', 'clicked_at', 'replied_at'].map((name) => more[name] ?? null),
      more.machine ?? false,
    );
  const pass = (force = false) => runScores({ db: hub.hub.db, clock: hub.clock }, tenantId, force);
  const scoreOfOne = async (id: string): Promise<Row> =>
    (await sql('select * from customer_score where tenant_id = $1 and customer_id = $2', id))[0]!;
  return { tenantId, api, sql, put, customer, job, pay, answer, message, pass, score: scoreOfOne, today };
}

type Business = Awaited<ReturnType<typeof business>>;

test('score: the worked examples come out of stored facts', async () => {
  const b = await business();
  const [champion, fresh, lapsed, never] = [
    await b.customer(),
    await b.customer(),
    await b.customer(),
    await b.customer(),
  ];
  for (const days of [0, 10, 20, 30, 40, 364]) await b.job(champion, days);
  await b.pay(champion, 13_000);
  await b.pay(champion, 500, { kind: 'refund' });
  await b.answer(champion, 3, 20);
  await b.answer(champion, 10, 0);
  for (let n = 0; n < 20; n++) await b.message(champion, n, n < 10 ? { clicked_at: hub.clock.now() } : {});
  await b.job(fresh, 5);
  await b.pay(fresh, 300);
  await b.job(lapsed, 400);
  await b.pay(lapsed, 8_200);
  await b.answer(lapsed, 9, 420);
  for (let n = 0; n < 15; n++)
    await b.message(
      lapsed,
      n,
      n === 0
        ? { replied_at: hub.clock.now(), machine: true }
        : n < 3
          ? { opened_at: hub.clock.now() }
          : n < 8
            ? { clicked_at: hub.clock.now(), machine: true }
            : {},
    );
  for (let n = 0; n < 6; n++) await b.message(never, n);
  const result = await b.pass();
  expect(result).toMatchObject({ scope: 'everybody', written: 4, kept: 4 });
  const scores = await Promise.all([champion, fresh, lapsed, never].map(b.score));
  expect(scores.map(({ score }) => score)).toEqual([99.17, 52.74, 41.31, 7]);
  expect(scores.map(({ band }) => band)).toEqual(['strong', 'steady', 'steady', 'at_risk']);
  expect(scores[0]).toMatchObject({ vip: true, spend: 12_500, jobs: 6, last_job_on: b.today() });
});

/** Rows of a table with what tells whether they were written anew. */
const written = async (b: Business, table: string): Promise<Row[]> =>
  b.sql(
    `select t.*, t.xmin::text as xmin, t.ctid::text as ctid from ${table} t where tenant_id = $1 order by customer_id, day`,
  );

test('score: a second pass on the same day writes nothing, and a day on which nothing changed writes no history', async () => {
  const b = await business();
  const [steady, fading] = [await b.customer(), await b.customer()];
  await b.job(steady, 2);
  await b.job(fading, 200);
  for (let n = 0; n < 30; n++) await b.pay(await b.customer(), 100 + n);
  expect(await b.pass()).toMatchObject({ scope: 'everybody', written: 32, kept: 32 });
  const before = [await written(b, 'customer_score'), await written(b, 'score_history')];
  expect(await b.pass()).toMatchObject({ scope: 'none', written: 0 });
  expect(await b.pass(true)).toMatchObject({ scope: 'everybody', written: 0, kept: 0 });
  expect([await written(b, 'customer_score'), await written(b, 'score_history')]).toEqual(before);
  hub.clock.advance(DAY);
  // Only who fades is another the next day, and that is time passing: no history.
  expect(await b.pass()).toMatchObject({ scope: 'everybody', written: 1, kept: 0 });
});

test('score: one changed customer comes out of the incremental way as out of a pass over everybody', async () => {
  const b = await business();
  const ids: string[] = [];
  for (let n = 0; n < 25; n++) {
    const id = await b.customer();
    ids.push(id);
    await b.job(id, n * 20);
    await b.pay(id, 50 * n + 1, n % 5 === 0 ? { kind: 'refund' } : {});
    if (n % 3 === 0) await b.answer(id, n % 11, n * 7);
    await b.message(id, n, n % 2 === 0 ? { opened_at: hub.clock.now() } : {});
  }
  await b.pass();
  hub.clock.advance(3_600_000);
  const [one, two, three] = ids as [string, string, string];
  await b.job(one, 1);
  await b.pay(two, '123.45');
  await b.put('ticket', {
    customer_id: three,
    status: 'open',
    category: 'Service complaint',
    source_created_at: hub.clock.now(),
  });
  await b.sql('update customer set deleted_at = now() where tenant_id = $1 and id = $2', ids[7]);
  await b.sql('delete from customer where tenant_id = $1 and id = $2', ids[8]);
  for (const id of [one, two, three, ids[7], ids[8]])
    await b.sql("insert into customer_stale (tenant_id, reader, customer_id) values ($1, 'score', $2)", id);
  const partly = await b.pass();
  expect(partly).toMatchObject({ scope: 'some', written: 5, turned: 2 });
  expect(await b.score(three)).toMatchObject({ unhappy: true, unhappy_reason: 'complaint' });
  expect(await b.score(ids[7]!)).toMatchObject({ score: null, band: null, reason: 'deleted' });
  expect(await b.score(ids[8]!)).toMatchObject({ score: null, reason: 'merged' });
  // Everybody, from nothing: the same to the last bit.
  const strip = (rows: Row[]) =>
    rows.map(({ xmin, ctid, updated_at, ...row }) => row).filter((row) => row.reason !== 'merged');
  const incremental = strip(await written(b, 'customer_score'));
  await b.sql('delete from customer_score where tenant_id = $1');
  await b.pass(true);
  expect(strip(await written(b, 'customer_score'))).toEqual(incremental.map((row) => ({ ...row, day: b.today() })));
});

test('score: a row no score can be made of stops nobody else’s', async () => {
  const b = await business();
  const [good, bad] = [await b.customer(), await b.customer()];
  await b.job(good, 0);
  await b.pay(good, 10_000);
  for (const completed_on of ['0001-01-01', '0044-03-15 BC', '-infinity', 'infinity', '9999-12-31'])
    await b.put('job', { customer_id: bad, status: 'completed', completed_on });
  for (const amount of ['NaN', 'Infinity', '-Infinity', `1${'0'.repeat(400)}`, `-1${'0'.repeat(400)}`])
    await b.pay(bad, amount);
  await b.pay(bad, 20, { paid_on: '0001-01-01' });
  await b.pay(bad, 5, { paid_on: null });
  await b.pay(bad, 1000, { currency: 'EUR' });
  for (const score of ['NaN', '11', '-3']) await b.answer(bad, score, 1);
  await b.answer(bad, 8, 1, { answered_at: '0001-01-01T00:00:00Z' });
  await b.answer(bad, 8, 1, { answered_at: 'infinity' });
  await b.answer(bad, 8, 1, { kind: 'custom' });
  await b.answer(bad, 8, 1, { kind: null });
  await b.sql(
    'update customer set tags = array[null, \'x\'], custom = \'{"weight": "NaN"}\' where tenant_id = $1 and id = $2',
    bad,
  );
  await b.pass();
  expect(await b.score(bad)).toMatchObject({ last_job_on: null, jobs: 0, spend: 25, answer: null, recency: 0 });
  expect((await b.score(good)).score).toBe(77.78);
  // Long ago, but possible.
  const old = await b.customer();
  await b.put('job', { customer_id: old, status: 'completed', completed_on: '1901-05-05' });
  await b.pass(true);
  expect((await b.score(old)).recency).toBeCloseTo(0, 10);
});

test('score: what nothing ever delivered is left out for everybody; closed, deleted and test customers have no score', async () => {
  const b = await business();
  const id = await b.customer();
  await b.pass();
  expect(await b.score(id)).toMatchObject({ score: null, band: null, reason: null });
  await b.job(id, 0);
  expect(await b.pass()).toMatchObject({ scope: 'everybody' });
  // Recency 100 with 0.35, frequency 25 with 0.2.
  expect(await b.score(id)).toMatchObject({ score: 72.73, spending: null, sentiment: null, engagement: null });
  const [closed, test] = [await b.customer({ status: 'inactive' }), await b.customer({ tags: ['VIP', 'Test'] })];
  for (const other of [closed, test]) await b.job(other, 0);
  // Money in invoices only: what is no longer open was paid.
  await b.put('invoice', { customer_id: id, status: 'partial', total: 900, balance: 400, issued_on: b.today() });
  await b.put('invoice', { customer_id: id, status: 'void', total: 900, balance: 0, issued_on: b.today() });
  await b.pass(true);
  expect((await b.score(id)).spend).toBe(500);
  expect(await b.score(closed)).toMatchObject({ score: null, reason: 'closed', vip: false });
  expect(await b.score(test)).toMatchObject({ score: null, reason: 'test' });
});

test('score: any past day comes out bit for bit from what was stored, over changes of facts, weights and yardstick', async () => {
  const b = await business();
  const id = await b.customer();
  for (const days of [3, 100, 340, 350]) await b.job(id, days);
  await b.pay(id, 750);
  await b.answer(id, 9, 40);
  await b.message(id, 1, { opened_at: hub.clock.now() });
  for (let n = 1; n <= 25; n++) await b.pay(await b.customer(), n * 100);
  const first = b.today();
  const seen = new Map<string, Row>();
  for (let n = 0; n < 45; n++) {
    if (n === 12) await b.pay(id, '99.99');
    if (n === 20) {
      const { headers } = await b.api('GET', '/v1/settings/score');
      const weights = { recency: 0.2, spend: 0.2, frequency: 0.2, sentiment: 0.2, engagement: 0.2 };
      expect((await b.api('PUT', '/v1/settings/score', { weights }, { 'if-match': headers.get('etag')! })).status).toBe(
        200,
      );
    }
    await b.pass();
    seen.set(b.today(), await b.score(id));
    hub.clock.advance(DAY);
  }
  const days = await hub.hub.db.tenant(b.tenantId, (tx) => scoreHistory(tx, id, first, addDays(first, 44)));
  expect(days).toHaveLength(45);
  for (const { day, score, factors } of days) {
    const then = seen.get(day)!;
    expect([day, score, ...Object.values(factors)]).toEqual([
      ...[day, then.score, then.recency, then.spending, then.frequency, then.sentiment, then.engagement],
    ]);
  }
  const lines = await b.sql('select day from score_history where tenant_id = $1 and customer_id = $2', id);
  expect(lines.length).toBeGreaterThan(4);
  expect(lines.length).toBeLessThan(15);
  // Frozen: what others paid within a month moved nothing.
  const stored = await b.sql('select month, kind, payers from score_yardstick where tenant_id = $1 order by version');
  expect(stored.map(({ kind, payers }) => [kind, payers])).toEqual([
    ['payers', 26],
    ['payers', 26],
  ]);
});

/** Change rows and audit events about one customer's score, oldest first. */
const toldOf = async (b: Business, id: string) => ({
  changes: (
    await b.sql(
      "select op, fields, before, after, origin, depth, entity_id from change where tenant_id = $1 and kind = 'score' and customer_id = $2 order by id",
      id,
    )
  ).map(({ entity_id, ...row }) => ({ ...row, own: entity_id === id })),
  events: (await b.sql('select action from audit_event where tenant_id = $1 and customer_id = $2 order by id', id)).map(
    ({ action }) => action,
  ),
});

test('score: the first scores of a business are news of nothing; a band that changes then is told once, with before and after', async () => {
  const b = await business();
  const id = await b.customer();
  for (const days of [28, 100, 200, 300]) await b.job(id, days);
  await b.answer(id, 9, 100);
  await b.pass();
  expect(await toldOf(b, id)).toEqual({ changes: [], events: [] });
  const was = await b.score(id);
  expect(was.band).toBe('strong');
  await b.sql('update job set completed_on = completed_on - 200 where tenant_id = $1 and customer_id = $2', id);
  await b.sql("insert into customer_stale (tenant_id, reader, customer_id) values ($1, 'score', $2)", id);
  hub.clock.advance(60_000);
  expect(await b.pass()).toMatchObject({ scope: 'some', turned: 1, told: true });
  const is = await b.score(id);
  const sides = { vip: false, unhappy: false };
  const change = {
    ...{ op: 'updated', fields: ['band', 'score'], origin: 'live', depth: 0, own: true },
    before: { band: 'strong', score: was.score, ...sides },
    after: { band: is.band, score: is.score, ...sides },
  };
  expect(await toldOf(b, id)).toEqual({ changes: [change], events: ['score.band_changed'] });
  expect(
    (await b.sql("select 1 from customer_stale where tenant_id = $1 and reader = 'segments' and customer_id = $2", id))
      .length,
  ).toBe(1);
  await b.pass(true);
  expect((await toldOf(b, id)).changes).toHaveLength(1);
});

test('score: new weights are told as a replay, which starts nothing, and a history that comes in is news of nothing', async () => {
  const b = await business();
  const id = await b.customer();
  await b.job(id, 0);
  await b.pass();
  const { headers } = await b.api('GET', '/v1/settings/score');
  const weights = { recency: 0, spend: 0, frequency: 1, sentiment: 0, engagement: 0 };
  await b.api('PUT', '/v1/settings/score', { weights }, { 'if-match': headers.get('etag')! });
  expect(await b.pass()).toMatchObject({ scope: 'everybody', turned: 1, told: false });
  expect((await toldOf(b, id)).changes).toMatchObject([{ origin: 'replay', after: { band: 'at_risk', score: 25 } }]);
  for (const days of [20, 40, 60]) await b.job(id, days);
  await b.sql(
    "insert into import_run (tenant_id, id, connection_id, object, file_name, state, started_at, alive_at, ended_at) values ($1, $2, $2, 'jobs', 'x', 'done', $3, $3, $3)",
    newId(),
    hub.clock.now(),
  );
  expect(await b.pass()).toMatchObject({ scope: 'everybody', written: 1, turned: 1, told: false });
  expect((await b.score(id)).score).toBe(100);
  expect((await toldOf(b, id)).changes).toHaveLength(1);
});

test('score: one becomes VIP at the 90th percentile of spend and stays it down to the 85th; a pin wins, and what others pay within the month moves nothing', async () => {
  const b = await business();
  const ids: string[] = [];
  for (let n = 1; n <= 40; n++) {
    const id = await b.customer();
    ids.push(id);
    for (const days of [1, 2, 3, 4]) await b.job(id, days);
    await b.pay(id, n * 100);
  }
  await b.pass();
  const [yardstick] = await b.sql('select * from score_yardstick where tenant_id = $1');
  expect(yardstick).toMatchObject({ kind: 'payers', payers: 40, target: 3610 });
  const vips = async (): Promise<number[]> => {
    const rows = await b.sql('select customer_id from customer_score where tenant_id = $1 and vip');
    return rows.map((row) => ids.indexOf(row.customer_id) + 1).sort((x, y) => x - y);
  };
  expect(await vips()).toEqual([37, 38, 39, 40]);
  // One hundred less leaves 3,600, between the ranks: still VIP. 3,500 more for somebody at 100: not yet one.
  await b.pay(ids[36]!, 100, { kind: 'refund' });
  await b.pay(ids[0]!, 3_400);
  await b.pass(true);
  expect(await vips()).toEqual([37, 38, 39, 40]);
  await b.pay(ids[36]!, 300, { kind: 'refund' });
  await b.pay(ids[0]!, 200);
  await b.pass(true);
  expect(await vips()).toEqual([1, 38, 39, 40]);
  expect((await toldOf(b, ids[36]!)).events).toEqual(['vip.lost']);
  expect((await toldOf(b, ids[0]!)).events).toContain('vip.gained');
  expect((await b.sql('select target from score_yardstick where tenant_id = $1')).map(({ target }) => target)).toEqual([
    3610,
  ]);
  // By hand, in both directions; whoever saw an older state is told so.
  const pin = (id: string, vip: boolean, version: number) =>
    b.api('PUT', `/v1/customers/${id}/vip`, { vip }, { 'if-match': `"${version}"` });
  expect((await pin(ids[1]!, true, 0)).status).toBe(200);
  expect((await pin(ids[39]!, false, 0)).status).toBe(200);
  expect((await pin(ids[39]!, true, 0)).status).toBe(412);
  await b.pass();
  expect(await vips()).toEqual([1, 2, 38, 39]);
  expect((await toldOf(b, ids[1]!)).events).toEqual(['vip.pinned', 'vip.gained']);
  const freed = await b.api('DELETE', `/v1/customers/${ids[39]}/vip`, undefined, { 'if-match': '"1"' });
  expect(freed.body).toMatchObject({ pinned: null, version: 2 });
  await b.pass();
  expect(await vips()).toEqual([1, 2, 38, 39, 40]);
});

test('score: unhappy wins over a high score at the gate, and ends by a good answer, by time or by a person', async () => {
  const b = await business();
  const people: string[] = [];
  for (let n = 0; n < 4; n++) {
    const id = await b.customer();
    people.push(id);
    for (const days of [1, 2, 3, 4]) await b.job(id, days);
    await b.pay(id, 20_000);
  }
  const [better, older, cleared, complaining] = people as [string, string, string, string];
  for (const id of [better, older, cleared]) await b.answer(id, 6, 1);
  await b.put('ticket', {
    customer_id: complaining,
    status: 'open',
    category: 'Reklamation Heizung',
    source_created_at: hub.clock.now(),
  });
  await b.pass();
  for (const id of people) expect(await b.score(id)).toMatchObject({ band: 'strong', unhappy: true });
  const marked = async (id: string, kind: string): Promise<string | undefined> => {
    return (await hub.hub.db.tenant(b.tenantId, (tx) => unhappyOf(tx, [id]))).get(id)?.reason === kind
      ? kind
      : undefined;
  };
  expect([await marked(better, 'detractor'), await marked(complaining, 'complaint')]).toEqual([
    'detractor',
    'complaint',
  ]);
  await b.answer(better, 7, 0);
  const clear = (id: string, version: number) =>
    b.api(
      'POST',
      `/v1/customers/${id}/unhappy/clear`,
      { reason: 'Called; all is well.' },
      { 'if-match': `"${version}"` },
    );
  hub.clock.advance(60_000);
  expect((await clear(cleared, 0)).status).toBe(200);
  await b.pass(true);
  const unhappy = async (): Promise<boolean[]> => Promise.all(people.map(async (id) => (await b.score(id)).unhappy));
  expect(await unhappy()).toEqual([false, true, false, true]);
  expect((await toldOf(b, cleared)).events).toEqual(['customer.unhappy_cleared', 'customer.unhappy_ended']);
  // A later bad answer counts again, whatever was cleared; the old one and the complaint fade.
  hub.clock.advance(89 * DAY);
  await b.answer(cleared, 2, 0, { answered_at: hub.clock.now() });
  await b.pass();
  expect(await unhappy()).toEqual([false, false, true, true]);
  await b.sql("update ticket set status = 'closed' where tenant_id = $1");
  await b.pass(true);
  expect((await b.score(complaining)).unhappy).toBe(false);
});

test('score: a source that fell silent keeps its last values and says since when; files never grow stale', async () => {
  const b = await business();
  const [stream, file] = [newId(), newId()];
  const id = await b.customer();
  for (const [stream_id, state] of [
    [stream, 'waiting'],
    [file, 'off'],
  ])
    await b.sql(
      "insert into stream (tenant_id, id, connection_id, name, state, phase, last_complete_at) values ($1, $2, $2, 'jobs', $3, 'incremental', $4)",
      ...[stream_id, state, hub.clock.now()],
    );
  await b.put('job', {
    customer_id: id,
    stream_id: stream,
    status: 'completed',
    completed_on: addDays(b.today(), -100),
  });
  await b.answer(id, 10, 0, { stream_id: file });
  await b.pass();
  const [day, before] = [b.today(), await b.score(id)];
  hub.clock.advance(60 * DAY);
  await b.pass();
  const after = await b.score(id);
  expect(after).toMatchObject({ recency: before.recency, frequency: before.frequency });
  expect(after.sentiment).toBeLessThan(before.sentiment);
  const told = (await b.api('GET', `/v1/customers/${id}/score`)).body;
  expect(told.factors.find(({ factor }: Row) => factor === 'recency')).toMatchObject({
    staleSince: day,
    staleDays: 60,
  });
  await b.sql('update stream set last_complete_at = $3 where tenant_id = $1 and id = $2', stream, hub.clock.now());
  await b.pass(true);
  expect((await b.score(id)).recency).toBeLessThan(before.recency);
});

test('score: the explanation adds up: points to the score, differences of factors to the difference of days, and the yardstick apart', async () => {
  const b = await business();
  const id = await b.customer();
  for (const days of [3, 100, 340]) await b.job(id, days);
  await b.pay(id, 750);
  await b.answer(id, 9, 40);
  for (let n = 1; n <= 25; n++) await b.pay(await b.customer(), n * 100);
  // Into the middle of a month, so that no yardstick changes meanwhile.
  hub.clock.set(instantOf(`${addDays(b.today(), 40).slice(0, 7)}-15`, '12:00', ZONE));
  await b.pass();
  hub.clock.advance(DAY);
  await b.pay(id, 400);
  await b.sql("insert into customer_stale (tenant_id, reader, customer_id) values ($1, 'score', $2)", id);
  await b.pass();
  const { body } = await b.api('GET', `/v1/customers/${id}/score`);
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
  expect(body).toMatchObject({ scoredOn: 4, of: 5, band: expect.any(String) });
  expect(sum(body.factors.map(({ points }: Row) => points))).toBeCloseTo(body.score, 1);
  expect(sum(body.factors.map(({ weight }: Row) => weight))).toBeCloseTo(1, 9);
  expect(sum(body.factors.map(({ points, gap }: Row) => points + gap))).toBeCloseTo(100, 1);
  const [yesterday] = body.since;
  expect(yesterday).toMatchObject({ day: addDays(b.today(), -1), yardstick: 0 });
  expect(yesterday.factors.spend).toBeGreaterThan(1);
  expect(sum(Object.values(yesterday.factors))).toBeCloseTo(yesterday.total, 9);
  expect(yesterday.total).toBeCloseTo(yesterday.to - yesterday.from, 1);
  // The change it promises is the change that comes.
  const { change } = body.factors.find(({ factor }: Row) => factor === 'recency');
  expect(change.what).toBe('a job this month');
  await b.job(id, 0);
  await b.pass(true);
  expect((await b.score(id)).score).toBeCloseTo(body.score + change.effect, 6);
  // A month on the yardstick is another one: its part stands apart, and all of it still adds up.
  for (let n = 0; n < 25; n++) await b.pay(await b.customer(), 90_000);
  hub.clock.advance(20 * DAY);
  await b.pass();
  const later = (await b.api('GET', `/v1/customers/${id}/score`)).body.since.at(-1);
  hub.clock.advance(11 * DAY);
  await b.pass();
  expect(later.yardstick).toBeLessThan(-1);
  expect(sum(Object.values(later.factors as Record<string, number>)) + later.yardstick).toBeCloseTo(later.total, 9);
  const history = await b.api(
    'GET',
    `/v1/customers/${id}/score/history?from=${addDays(b.today(), -5)}&to=${b.today()}`,
  );
  expect(history.body.items).toHaveLength(6);
  expect(history.body.items.at(-1).score).toBe((await b.score(id)).score);
});

test('score: the list is sorted, paged without gaps and filtered, and a cursor nobody handed out is refused', async () => {
  const b = await business();
  for (let n = 0; n < 7; n++) await b.job(await b.customer(), n < 3 ? 5 : 300);
  await b.pass();
  const all: string[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await b.api('GET', `/v1/scores?limit=2${cursor}`);
    all.push(...body.items.map((item: Row) => `${item.score} ${item.customerId}`));
    if (body.next === null) break;
    cursor = `&cursor=${body.next}`;
  }
  expect(new Set(all).size).toBe(7);
  expect(all).toEqual([...all].sort((x, y) => Number(y.split(' ')[0]) - Number(x.split(' ')[0]) || (x < y ? 1 : -1)));
  expect((await b.api('GET', '/v1/scores?sort=score&limit=1')).body.items[0].score).toBe(
    Number(all.at(-1)!.split(' ')[0]),
  );
  expect((await b.api('GET', '/v1/scores?band=strong')).body.items).toHaveLength(3);
  expect((await b.api('GET', '/v1/scores?vip=true')).body.items).toEqual([]);
  expect((await b.api('GET', '/v1/scores?cursor=eA')).status).toBe(400);
  // Read-only: there is no way to write a score.
  const id = all[0]!.split(' ')[1];
  for (const method of ['PUT', 'PATCH', 'POST'])
    expect((await b.api(method, `/v1/customers/${id}/score`, { score: 1 })).status).toBe(404);
});

test('score: a message counts by what people did with it: a machine’s click for nothing, a lost one not at all, a reply like a click', async () => {
  const b = await business();
  const id = await b.customer();
  const now = hub.clock.now();
  const requests = Array.from({ length: 7 }, () => newId());
  const [plain, opened, machine, both, lost, replied, waiting] = requests as [string, ...string[]] & string[];
  const message = (request: string) => ({ id: request, customerId: id, channel: 'email' });
  await hub.hub.db.tenant(b.tenantId, async (tx) => {
    await noteSent(
      tx,
      requests.map((request) => ({ ...message(request), tellsDelivery: request === waiting })),
      now,
    );
    const told: [string | undefined, string, boolean][] = [
      [opened, 'read', false],
      [opened, 'delivered', false],
      [machine, 'clicked', true],
      [both, 'opened', true],
      [both, 'clicked', false],
      [lost, 'undelivered', false],
      [plain, 'queued', false],
    ];
    for (const [request, state, byMachine] of told) await noteOutcome(tx, message(request!), state, byMachine, now);
    // The latest message on the channel is the one that is answered; an automatic reply answers none.
    await tx.query('update message_engagement set delivered_at = $3 where tenant_id = $1 and key = $2', [
      b.tenantId,
      `request:${replied}`,
      new Date(now.getTime() + 1000),
    ]);
    const change = (automatic: boolean, channel: string) =>
      ({
        ...{ kind: 'activity', op: 'created', origin: 'live', customer_id: id },
        ...{ occurred_at: new Date(now.getTime() + 5000), after: { direction: 'in', channel, automatic } },
      }) as never;
    await replyListener(tx, [change(true, 'email'), change(false, 'sms')], now);
    expect(
      (await tx.query('select 1 from message_engagement where tenant_id = $1 and replied_at is not null', [b.tenantId]))
        .rowCount,
    ).toBe(0);
    await replyListener(tx, [change(false, 'email')], now);
  });
  hub.clock.advance(60_000);
  await b.pass();
  expect(await b.score(id)).toMatchObject({ delivered: 5, hits: 2, opens: 1 });
});

test('score: marketing to an unhappy customer is held at the gate with the reason, and an invoice notice is not', async () => {
  const b = await business();
  const id = await b.customer({ email: 'ann@example.com' });
  await b.answer(id, 1, 1);
  await b.pass();
  const gate = async (kind: string): Promise<Row> => {
    const request = {
      ...{
        id: newId(),
        kind: 'send_email',
        channel: 'email',
        recipient: 'ann@example.com',
        class: kind,
        customer_id: id,
      },
      ...{
        run_id: null,
        connection_id: null,
        topic: null,
        plan: { type: 'direct', input: {} },
        step_id: null,
        visit: null,
      },
      ...{ stale_after: null, content: null },
    };
    const [decision] = await hub.hub.db.tenant(b.tenantId, (tx) =>
      decideBatch(hub.hub.deps, tx, [request as never], hub.clock.now(), new Map()),
    );
    return decision!.facts;
  };
  expect((await gate('marketing')).unhappy).toMatch(
    /^The customer is unhappy since \d{4}-\d\d-\d\d: the latest answer/,
  );
  expect((await gate('transactional')).unhappy).toBeUndefined();
});
