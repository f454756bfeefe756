import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { newId } from '../src/base/ids.ts';
import { addDays, instantOf, localDate } from '../src/base/time.ts';
import { appendChanges } from '../src/model/changes.ts';
import type { Change } from '../src/model/types.ts';
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
  const key = more.key ?? `s${count}`;
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

/** Something changes at a platform; it reaches the hub as any fact does. */
async function change(customerId: string, more: Row): Promise<void> {
  const at = hub.clock.now();
  const fact = {
    ...{ id: newId(), kind: 'contact', entity_id: customerId, customer_id: customerId, op: 'updated', fields: [] },
    ...{ before: {}, after: {}, origin: 'live', depth: 0, occurred_at: at, received_at: at },
    ...more,
  } as Change;
  await hub.hub.db.tenant(hub.tenantId, async (tx) => {
    await appendChanges(tx, [fact]);
    for (const listener of hub.hub.deps.listeners.changes) await listener(tx, [fact], at);
  });
  await hub.settle();
}
const tagged = (tag: string): Row => ({ fields: ['tags'], before: { tags: [] }, after: { tags: [tag] } });
const scored = (id: string): Row => ({
  ...{ kind: 'score', entity_id: id, customer_id: id, fields: ['unhappy'] },
  ...{ before: { unhappy: false }, after: { unhappy: true } },
});
const WAITS = `
    - id: paid
      wait_for: { event: { what: tag_added, tag: Paid }, look_back_hours: 24, timeout: { days: 3 }, on_timeout: late }
    - { id: thanks, end: { reason: thanks } }
    - { id: late, end: { reason: too late } }`;

test('engine: what is waited for ends the wait in the transaction that stores it, and an early fact still counts', async () => {
  const key = await sequence(WAITS);
  const prompt = await one(key);
  await change(prompt.who, tagged('other'));
  expect(await enrolment(prompt.id)).toMatchObject({ state: 'waiting' });
  await change(prompt.who, tagged('PAID'));
  expect(await enrolment(prompt.id)).toMatchObject({ state: 'done', endReason: 'thanks' });
  const early = await customer();
  await change(early, tagged('paid'));
  await hub.advance(23 * HOUR);
  expect(await enrolment((await one(key, early)).id)).toMatchObject({ state: 'done', endReason: 'thanks' });
  const tooEarly = await customer();
  await change(tooEarly, tagged('paid'));
  await hub.advance(25 * HOUR);
  expect(await enrolment((await one(key, tooEarly)).id)).toMatchObject({ state: 'waiting' });
});

test('engine: what happens while an enrolment is paused is found when it goes on, and nothing is done before', async () => {
  const { id, who } = await one(await sequence(WAITS));
  const version = async () => ({ 'if-match': `"${(await enrolment(id)).version}"` });
  await must('POST', `/v1/enrolments/${id}/pause`, undefined, await version());
  await change(who, tagged('paid'));
  expect(await enrolment(id)).toMatchObject({ state: 'paused', step: 'thanks' });
  await must('POST', `/v1/enrolments/${id}/resume`, undefined, await version());
  await hub.settle();
  expect(await enrolment(id)).toMatchObject({ state: 'done', endReason: 'thanks' });
});

test('engine: who reaches the goal comes there at once, and what lies between is left out', async () => {
  const key = await sequence(`
    - { id: rest, wait: { days: 10 } }
    - { id: more, wait: { days: 10 } }
    - { id: bought, goal: { event: { what: tag_added, tag: buyer } } }
    - { id: thanks, end: { reason: thanks } }`);
  const reached = await one(key);
  const other = await one(key);
  await change(reached.who, tagged('buyer'));
  expect(await way(reached.id)).toEqual(['rest goal', 'more goal', 'bought reached', 'thanks ended']);
  expect(await way(other.id)).toEqual(['rest ...']);
  for (let times = 0; times < 2; times++) await hub.advance(10 * DAY);
  expect(await way(other.id)).toEqual(['rest waited', 'more waited', 'bought not_reached', 'thanks ended']);
});

test('engine: a condition is waited for, and asked again when something of the customer changes', async () => {
  const { id, who } = await one(
    await sequence(`
    - { id: named, wait_for: { event: { what: condition, condition: { field: customer.name, is: Zoe } }, timeout: { days: 9 } } }`),
  );
  await change(who, { fields: ['name'], after: { name: 'Ann' } });
  expect(await enrolment(id)).toMatchObject({ state: 'waiting' });
  await rows("update customer set name = 'Zoe' where tenant_id = $1 and id = $2", who);
  await change(who, { fields: ['name'], after: { name: 'Zoe' } });
  expect(await way(id)).toEqual(['named happened']);
});

test('engine: a booking and unhappiness end what says so, in the transaction of the fact, and nothing else', async () => {
  const rest = '- { id: rest, wait: { days: 10 } }';
  const both = await sequence(rest, { exits: ['booked', 'unhappy'] });
  const none = await sequence(rest);
  const [booker, critic] = [await customer(), await customer()];
  const runs = { a: await one(both, booker), b: await one(both, critic), c: await one(none, booker) };
  const job = { kind: 'job', entity_id: newId(), customer_id: booker, op: 'created', after: { status: 'scheduled' } };
  await change(booker, { ...job, after: { status: 'completed' } });
  expect(await enrolment(runs.a.id)).toMatchObject({ state: 'waiting' });
  await change(booker, job);
  expect(await enrolment(runs.a.id)).toMatchObject({ state: 'exited', endReason: 'the customer has a booking' });
  expect(await enrolment(runs.c.id)).toMatchObject({ state: 'waiting' });
  await change(critic, scored(critic));
  expect(await enrolment(runs.b.id)).toMatchObject({ state: 'exited', endReason: 'the customer is unhappy' });
});

test('engine: a new firing ends what runs and begins anew, where the sequence says so', async () => {
  const key = await sequence('- { id: rest, wait: { days: 10 } }', { again: { policy: 'restart' } });
  const first = await one(key);
  const second = await one(key, first.who);
  expect(second.id).not.toBe(first.id);
  expect(await enrolment(first.id)).toMatchObject({ state: 'exited', endReason: 'started anew' });
  expect(await enrolment(second.id)).toMatchObject({ state: 'waiting' });
});

test('engine: who is not in the audience is refused with the reason', async () => {
  const key = await sequence('- { id: rest, wait: { days: 1 } }', { audience: { field: 'customer.name', is: 'Vera' } });
  const [refused] = await enrol(key, await customer());
  expect(refused).toMatchObject({ outcome: 'refused: the customer is not in its audience', enrolmentId: null });
  const vera = await customer();
  await rows("update customer set name = 'Vera' where tenant_id = $1 and id = $2", vera);
  expect((await enrol(key, vera))[0]).toMatchObject({ outcome: 'started' });
});

test('engine: a paused sequence consumes nothing, and goes on where it was', async () => {
  const key = await sequence('[{ id: a, wait: { days: 1 } }, { id: b, wait: { days: 1 } }]');
  const { id } = await one(key);
  const toggle = async (on: boolean): Promise<void> => {
    const { headers } = await hub.api('GET', `/v1/sequences/${key}`);
    await must('POST', `/v1/sequences/${key}/switch`, { on }, { 'if-match': headers.get('etag')! });
    await hub.settle();
  };
  await toggle(false);
  await hub.advance(5 * DAY);
  expect(await way(id)).toEqual(['a ...']);
  await toggle(true);
  expect(await way(id)).toEqual(['a waited', 'b ...']);
});

test('engine: one that fails holds up nobody, says why it stands there, and goes on when the cause is gone', async () => {
  const key = await sequence(`
    - { id: rest, wait: { days: 1 } }
    - { id: over, branch: { cases: [{ when: { condition: { segment: 0197a000-0000-7000-8000-000000000001 } }, then: out }], else: out } }
    - { id: out, end: {} }`);
  const good = await one(await sequence('[{ id: rest, wait: { days: 1 } }]'));
  const bad = await one(key);
  // Somebody wrote into the database what no form lets through.
  const broken = "update run set step_id = 'gone' where tenant_id = $1 and id = $2";
  await rows(broken, bad.id);
  await hub.advance(DAY);
  expect(await enrolment(good.id)).toMatchObject({ state: 'done' });
  expect(await enrolment(bad.id)).toMatchObject({
    state: 'waiting',
    problem: expect.stringContaining('no step "gone"'),
  });
  await rows(broken.replace('gone', 'rest'), bad.id);
  await hub.advance(HOUR);
  expect(await enrolment(bad.id)).toMatchObject({ state: 'done', problem: null });
});

test('engine: sequences that hand over to each other stop for the day when the steps of the day are used up', async () => {
  const [ping, pong] = [`ping${count}`, `pong${count}`];
  for (const [key, to] of [
    [ping, pong],
    [pong, ping],
  ])
    await sequence(`[{ id: over, hand_over: { to: ${to} } }]`, { key, title: key });
  const who = await customer();
  await enrol(ping, who);
  const ended = async (): Promise<number> =>
    (
      await rows("select count(*)::int as n from run where tenant_id = $1 and customer_id = $2 and state = 'done'", who)
    )[0]!.n;
  expect(await ended()).toBe(50);
  const [waiting] = (await must('GET', `/v1/enrolments?customerId=${who}&state=waiting`)).items;
  const tomorrow = addDays(localDate(hub.clock.now(), ZONE), 1);
  expect(waiting).toMatchObject({ waitingFor: 'budget', wakeAt: instantOf(tomorrow, '00:00', ZONE).toISOString() });
  await hub.advance(DAY);
  expect(await ended()).toBe(100);
});

test('engine: of a step that is wrong the mistakes of its own kind are told, with their place', async () => {
  const definition = (steps: unknown) => ({
    ...{ key: 'wrong', title: 'x', topic: 'news', triggers: [{ name: 'manual' }], per: 'customer' },
    ...{ again: { policy: 'always' }, exits: [], steps },
  });
  const refused = async (steps: unknown): Promise<Row[]> => {
    const answer = await hub.api('POST', '/v1/sequences', definition(steps));
    expect(answer.status, JSON.stringify(answer.body)).toBe(422);
    return answer.body.fields;
  };
  expect(await refused([{ id: 'a', wait_for: { event: { what: 'payment' }, timeout: { days: 'three' } } }])).toEqual([
    expect.objectContaining({ path: 'steps[0].wait_for.timeout.days' }),
  ]);
  expect(await refused([{ id: 'a', mesage: {} }])).toEqual([
    expect.objectContaining({ path: 'steps[0]', message: expect.stringContaining('it has id, mesage') }),
  ]);
  expect(await refused([{ id: 'a', end: {}, wait: { days: 1 } }])).toEqual([
    expect.objectContaining({ path: 'steps[0]', message: expect.stringContaining('several things (wait, end)') }),
  ]);
});
