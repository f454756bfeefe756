import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { newId } from '../src/base/ids.ts';
import { instantOf, localDate } from '../src/base/time.ts';
import { DAY, HOUR, startTestHub, type TestHub } from './support/hub.ts';

type Row = Record<string, any>;
const ZONE = 'America/New_York';

let hub: TestHub;
beforeAll(async () => {
  hub = await startTestHub({ connectors: ['csv'], zone: ZONE });
});
afterAll(() => hub?.stop());

const must = async (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Row> => {
  const answer = await hub.api(method, path, body, headers);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
};
const rows = async (sql: string, ...values: unknown[]): Promise<Row[]> =>
  (await hub.hub.db.tenant(hub.tenantId, (tx) => tx.query<Row>(sql, [hub.tenantId, ...values]))).rows;

let count = 0;
/** A customer nobody has told anything about but an address. */
async function customer(more: Row = {}): Promise<string> {
  const id = newId();
  count += 1;
  const at = hub.clock.now();
  await rows(
    `insert into customer (tenant_id, id, name, email, created_at, updated_at, birthday, provenance, sources) values ($1, $2, $3, $4, $5, $5, $6, '{}', 1)`,
    id,
    `Customer ${count}`,
    `c${count}@example.com`,
    at,
    more.birthday ?? null,
  );
  return id;
}

/** Makes a sequence of these steps and switches it on. */
async function sequence(steps: string, more: Row = {}): Promise<string> {
  count += 1;
  const key = `s${count}`;
  const definition = {
    ...{ key, title: key, class: 'transactional', topic: 'news', per: 'customer', exits: [] },
    ...{ triggers: [{ name: 'manual' }], again: { policy: 'always' } },
    ...more,
    steps: parse(steps),
  };
  await must('POST', '/v1/sequences', definition);
  await must('POST', `/v1/sequences/${key}/switch`, { on: true }, { 'if-match': '"1"' });
  return key;
}

/** Starts it for customers; answers the enrolments in their order. */
async function enrol(key: string, ...customers: string[]): Promise<Row[]> {
  const { items } = await must('POST', '/v1/enrolments', { sequence: key, customers, reason: 'a test' });
  return items;
}
const enrolment = async (id: string): Promise<Row> => (await must('GET', `/v1/enrolments/${id}`)).enrolment;
/** The way of an enrolment: step and outcome. */
const way = async (id: string): Promise<string[]> =>
  (await must('GET', `/v1/enrolments/${id}`)).steps.map((step: Row) => `${step.step_id} ${step.outcome ?? '...'}`);
const one = async (key: string, who?: string): Promise<{ id: string; who: string }> => {
  const whom = who ?? (await customer());
  const [item] = await enrol(key, whom);
  if (!item?.enrolmentId) throw new Error(JSON.stringify(item));
  return { id: item.enrolmentId, who: whom };
};

test('engine: a branch takes the first case that holds, and else when none does', async () => {
  const key = await sequence(
    `
    - id: which
      branch:
        cases:
          - { when: { condition: { field: customer.email, starts_with: nobody } }, then: a }
          - { when: { condition: 'email is set' , trigger: { name: manual } }, then: b }
        else: c
    - { id: a, end: { reason: went a } }
    - { id: b, end: { reason: went b } }
    - { id: c, end: { reason: went c } }
  `.replace("'email is set'", '{ field: customer.email, empty: false }'),
  );
  const { id } = await one(key);
  expect(await way(id)).toEqual(['which b', 'b ended']);
  expect(await enrolment(id)).toMatchObject({ state: 'done', endReason: 'went b' });
});

test('engine: what a branch asks of an earlier step and of the trigger is what was', async () => {
  const key = await sequence(`
    - { id: share, split: [{ name: left, weight: 1, then: ask }, { name: right, weight: 1, then: ask }] }
    - id: ask
      branch: { cases: [{ when: { outcome: { step: share, is: [left] } }, then: was-left }], else: was-right }
    - { id: was-left, end: { reason: left } }
    - { id: was-right, end: { reason: right } }
  `);
  const customers = await Promise.all(Array.from({ length: 30 }, () => customer()));
  const items = await enrol(key, ...customers);
  const reasons: string[] = [];
  for (const { enrolmentId } of items) {
    const [first] = await way(enrolmentId);
    const { endReason } = await enrolment(enrolmentId);
    expect(first).toBe(`share ${endReason}`);
    reasons.push(endReason);
  }
  // Both ways were gone, and the same customer goes the same way again.
  expect(new Set(reasons).size).toBe(2);
  const again = await enrol(key, ...customers);
  for (const [at, { enrolmentId }] of again.entries())
    expect((await enrolment(enrolmentId)).endReason).toBe(reasons[at]);
});

test('engine: who is held out ends there and is counted, the others go on', async () => {
  const key = await sequence(`
    - { id: compare, holdout: { percent: 50 } }
    - { id: stay, wait: { days: 1 } }
  `);
  const items = await enrol(key, ...(await Promise.all(Array.from({ length: 20 }, () => customer()))));
  const arms = await rows(
    'select state, end_reason, arm from run where tenant_id = $1 and id = any($2)',
    items.map(({ enrolmentId }) => enrolmentId),
  );
  const out = arms.filter(({ arm }) => arm === 'held_out');
  expect(out.length).toBeGreaterThan(2);
  expect(out.length).toBeLessThan(18);
  for (const row of out) expect(row).toMatchObject({ state: 'done', end_reason: 'held out' });
  for (const row of arms.filter(({ arm }) => arm === null)) expect(row.state).toBe('waiting');
});

test('engine: a step whose condition does not hold is left out with the reason', async () => {
  const key = await sequence(`
    - { id: maybe, only_if: { condition: { field: customer.email, empty: true } }, wait: { days: 5 } }
    - { id: end-here, end: {} }
  `);
  const { id } = await one(key);
  const { steps } = await must('GET', `/v1/enrolments/${id}`);
  expect(steps[0]).toMatchObject({ step_id: 'maybe', outcome: 'skipped', detail: expect.stringContaining('not hold') });
  expect(await enrolment(id)).toMatchObject({ state: 'done' });
});

test('engine: waits until the customer’s clock is within hours, and until a date of theirs', async () => {
  // A Monday, ten in New York.
  const key = await sequence(`
    - { id: hours, wait: { until: { open: '14:00', close: '16:00' } } }
    - { id: birthday, at: '09:00', wait: { until_date: { field: customer.birthday, days_before: 2 } } }
    - { id: told, wait: { until_date: { field: trigger.nothing } } }
    - { id: over, wait: { until_date: { field: customer.created_at } } }
  `);
  const today = localDate(hub.clock.now(), ZONE);
  const { id } = await one(key, await customer({ birthday: '1980-03-20' }));
  expect(await enrolment(id)).toMatchObject({ wakeAt: instantOf(today, '14:00', ZONE).toISOString() });
  await hub.advance(5 * HOUR);
  expect(await enrolment(id)).toMatchObject({
    step: 'birthday',
    wakeAt: instantOf('2026-03-18', '09:00', ZONE).toISOString(),
  });
  await hub.advance(17 * DAY);
  expect(await way(id)).toEqual(['hours waited', 'birthday waited', 'told no_date', 'over past']);
});

test('engine: an event that comes in time and a timeout lead different ways', async () => {
  const key = await sequence(`
    - id: paid
      wait_for: { event: { what: tag_added, tag: paid }, timeout: { days: 3 }, on_timeout: late }
    - { id: thanks, end: { reason: thanks } }
    - { id: late, end: { reason: too late } }
  `);
  const slow = await one(key);
  await hub.advance(3 * DAY - HOUR);
  expect(await enrolment(slow.id)).toMatchObject({ state: 'waiting', waitingFor: 'event' });
  await hub.advance(HOUR);
  expect(await enrolment(slow.id)).toMatchObject({ state: 'done', endReason: 'too late' });
  expect(await way(slow.id)).toEqual(['paid timeout', 'late ended']);
});

test('engine: the next round begins on the day the last one ended, as an enrolment of its own', async () => {
  const key = await sequence(`
    - { id: later, day: 3, wait: { hours: 1 } }
    - { id: anew, restart: {} }
  `);
  const { id, who } = await one(key);
  await hub.advance(4 * DAY);
  const today = localDate(hub.clock.now(), ZONE);
  const rounds = await rows(
    'select ordinal, state, end_reason, start_on from run where tenant_id = $1 and customer_id = $2 order by ordinal',
    who,
  );
  expect(rounds).toEqual([expect.objectContaining({ ordinal: 1, state: 'waiting' })]);
  await hub.advance(2 * HOUR);
  expect(await enrolment(id)).toMatchObject({ state: 'done', endReason: 'restarted' });
  expect(
    (
      await rows(
        'select ordinal, state, start_on from run where tenant_id = $1 and customer_id = $2 order by ordinal',
        who,
      )
    ).at(-1),
  ).toMatchObject({ ordinal: 2, state: 'waiting', start_on: today });
});

test('engine: handing over begins the other sequence under its own rule, and says what came of it', async () => {
  const next = await sequence('- { id: rest, wait: { days: 1 } }', { again: { policy: 'once' } });
  const key = await sequence(`- { id: over, hand_over: { to: ${next} } }`);
  const who = await customer();
  const first = await one(key, who);
  expect(await enrolment(first.id)).toMatchObject({ state: 'done', endReason: `handed over to ${next}` });
  const [begun] = (await must('GET', `/v1/enrolments?customerId=${who}&state=waiting`)).items;
  expect(begun).toMatchObject({ sequence: next });
  await hub.advance(2 * DAY);
  await one(key, who);
  const told = (await must('GET', `/v1/audit?customerId=${who}&action=enrolment.handed_over`)).items;
  expect(told.map(({ data }: Row) => data.outcome)).toEqual(['refused: once only', 'started']);
});

test('engine: a circle visits its steps anew each time', async () => {
  const key = await sequence(`
    - { id: pause, wait: { days: 1 } }
    - { id: ask, branch: { cases: [{ when: { condition: { field: customer.name, is: done } }, then: out }], else: pause } }
    - { id: out, end: {} }
  `);
  const { id, who } = await one(key);
  await hub.advance(DAY);
  await hub.advance(DAY);
  await rows("update customer set name = 'done' where tenant_id = $1 and id = $2", who);
  await hub.advance(DAY);
  const { steps } = await must('GET', `/v1/enrolments/${id}`);
  expect(steps.map(({ step_id, visit, outcome }: Row) => `${step_id} ${visit} ${outcome}`)).toEqual([
    'pause 1 waited',
    'ask 1 else',
    'pause 2 waited',
    'ask 2 else',
    'pause 3 waited',
    'ask 3 out',
    'out 1 ended',
  ]);
});
