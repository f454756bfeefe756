import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Tx } from '../src/base/database.ts';
import { newId } from '../src/base/ids.ts';
import { appendChanges } from '../src/model/changes.ts';
import type { Change } from '../src/model/types.ts';
import { moveBatch } from '../src/sequences/batches.ts';
import { endRuns } from '../src/sequences/endings.ts';
import { actionsEnded, moveAll } from '../src/sequences/engine.ts';
import { waitListener } from '../src/sequences/listening.ts';
import { Work } from '../src/sequences/moments.ts';
import type { SequencePorts } from '../src/sequences/ports.ts';
import { claimDueRuns, lockRuns, nextWake, type RunRow } from '../src/sequences/runs.ts';
import type { Definition } from '../src/sequences/schema.ts';
import { enterAll } from '../src/sequences/starting.ts';
import { findSequence, insertSequence, loadDefinition, setSequenceState } from '../src/sequences/store.ts';
import { definitionErrors } from '../src/sequences/validate.ts';
import { DAY, HOUR, startTestHub, type TestHub } from './support/hub.ts';

/** Random sequences, each lived through in a random order of what can happen. More with RUNS=500. */
const RUNS = Number(process.env.RUNS ?? 40);
const START = new Date('2026-03-06T15:00:00Z');

let hub: TestHub;
beforeAll(async () => {
  hub = await startTestHub({ connectors: ['csv'], at: START.toISOString(), zone: 'America/New_York' });
});
afterAll(() => hub?.stop());
const tenant = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => hub.hub.db.tenant(hub.tenantId, work);

const IDS = ['s0', 's1', 's2', 's3', 's4', 's5', 's6'];
const id = fc.constantFrom(...IDS, 'end');
const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(one, { nil: undefined });
const when = fc.record({
  outcome: fc.record({
    step: fc.constantFrom(...IDS),
    is: fc.subarray(['sent', 'failed', 'skipped', 'waited', 'happened', 'timeout', 'a', 'else'], { minLength: 1 }),
  }),
});
const duration = fc.oneof(
  fc.record({ days: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ hours: fc.integer({ min: 1, max: 30 }) }),
);
const event = fc.constantFrom({ what: 'tag_added', tag: 'x' }, { what: 'booking' });
const kinds: fc.Arbitrary<object>[] = [
  fc.constant({ message: { channels: ['email'], template: 't' } }),
  fc.constant({ do: { kind: 'create_task', input: { title: 'x' } } }),
  duration.map((wait) => ({ wait })),
  fc.constant({ await_answer: { days: 2 } }),
  fc
    .record({ timeout: fc.record({ hours: fc.integer({ min: 1, max: 60 }) }), on_timeout: maybe(id), event })
    .map((wait_for) => ({ wait_for: defined(wait_for) })),
  fc
    .record({ cases: fc.array(fc.record({ when, then: id }), { minLength: 1, maxLength: 2 }), else: maybe(id) })
    .map((branch) => ({ branch: defined(branch) })),
  fc.tuple(id, id).map(([a, b]) => ({
    split: [
      { name: 'a', weight: 1, then: a },
      { name: 'b', weight: 2, then: b },
    ],
  })),
  event.map((what) => ({ goal: { event: what } })),
  fc.constant({ holdout: { percent: 20 } }),
  fc.constant({ restart: {} }),
  fc.constant({ end: {} }),
];
function defined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined));
}
const step = fc
  .record({
    kind: fc.oneof({ weight: 3, arbitrary: kinds[0]! }, ...kinds.slice(1)),
    day: maybe(fc.integer({ min: 0, max: 5 })),
    next: fc.option(id, { nil: undefined, freq: 8 }),
    only_if: fc.option(when, { nil: undefined, freq: 8 }),
  })
  .map(({ kind, ...more }) => defined({ ...kind, ...more }));
const definition = fc
  .array(step, { minLength: 1, maxLength: IDS.length })
  .map(
    (steps) =>
      ({
        ...{ key: 'random', title: 'Random', class: 'transactional', topic: 'x', triggers: [{ name: 'manual' }] },
        ...{ per: 'customer', again: { policy: 'always' }, exits: ['answered'] },
        steps: steps.map((one, at) => ({ id: IDS[at], ...one })),
      }) as Definition,
  )
  .filter((made) => definitionErrors(made).length === 0);

/** What can happen next: time passes and two workers look, an action ends (told twice), a fact comes in, the run is ended. */
const happening = fc.oneof(
  { weight: 5, arbitrary: fc.constant('time' as const) },
  { weight: 4, arbitrary: fc.constantFrom('sent' as const, 'failed' as const, 'skipped' as const) },
  { weight: 2, arbitrary: fc.constantFrom('tag' as const, 'booking' as const) },
  { weight: 1, arbitrary: fc.constantFrom('pause' as const, 'resume' as const) },
);

interface Life {
  plan: (wish: RunRow) => void;
  open: { runId: string; stepId: string; visit: number }[];
  ended: Set<string>;
  planned: Map<string, number>;
  late: string[];
}

/** The side of the platforms: it notes what it was asked for. What a cancelled transaction asked for is asked for again. */
function playing(life: Life): SequencePorts {
  return {
    plan: async (tx: Tx, wishes: readonly { run: RunRow }[]) => {
      const asked = wishes.map(({ run }) => ({ ...run }));
      tx.afterCommit(async () => asked.forEach(life.plan));
      return wishes.map(() => ({ planned: true as const }));
    },
    cancel: async (tx: Tx, runIds: readonly string[]) => {
      tx.afterCommit(async () => {
        life.open = life.open.filter(({ runId }) => !runIds.includes(runId));
      });
      return 0;
    },
    reachable: async (_tx: Tx, asked: readonly unknown[]) => asked.map(() => true),
    tasksDone: async (_tx: Tx, asked: readonly unknown[]) => asked.map(() => false),
  } as unknown as SequencePorts;
}

const newLife = (): Life => {
  const life: Life = {
    open: [],
    ended: new Set(),
    planned: new Map(),
    late: [],
    plan: (run) => {
      const key = `${run.id} ${run.step_id} ${run.visit}`;
      life.planned.set(key, (life.planned.get(key) ?? 0) + 1);
      if (life.ended.has(run.id)) life.late.push(key);
      life.open.push({ runId: run.id, stepId: run.step_id, visit: run.visit });
    },
  };
  return life;
};

async function begin(ports: SequencePorts, made: Definition, now: Date): Promise<string> {
  const customerId = newId();
  const key = `r${customerId.slice(-12)}`;
  const own = { ...made, key };
  await tenant(async (tx) => {
    await tx.query(
      `insert into customer (tenant_id, id, name, email, provenance, sources, created_at, updated_at) values ($1, $2, 'x', $3, '{}', 1, $4, $4)`,
      [tx.tenantId, customerId, `${key}@example.com`, now],
    );
    const row = (await insertSequence(tx, { key, title: key, playbook: null, definition: own, by: 'x', now }))!;
    await setSequenceState(tx, row, { state: 'active', activeVersion: 1, expected: 1, now });
    const sequence = (await findSequence(tx, key))!;
    const work = new Work(ports, tx, now);
    const entered = await enterAll(work, sequence, await loadDefinition(tx, row, 1), [
      { customerId, key: 'customer', cause: {}, depth: 0 },
    ]);
    await moveAll(
      work,
      entered.flatMap(({ begun }) => begun ?? []),
    );
  });
  return customerId;
}

/** Two workers look at once. */
const look = (ports: SequencePorts, now: Date): Promise<unknown> =>
  Promise.all([0, 1].map(() => tenant(async (tx) => moveBatch(ports, tx, await claimDueRuns(tx, now, 100), now))));

const change = (customerId: string, what: 'tag' | 'booking', now: Date): Change => ({
  ...{ id: newId(), customer_id: customerId, origin: 'live', depth: 0, occurred_at: now, received_at: now },
  ...(what === 'tag'
    ? {
        kind: 'contact',
        entity_id: customerId,
        op: 'updated',
        fields: ['tags'],
        before: { tags: [] },
        after: { tags: ['x'] },
      }
    : {
        kind: 'job',
        entity_id: newId(),
        op: 'created',
        fields: ['status'],
        before: null,
        after: { status: 'scheduled' },
      }),
});

const runsOf = (customerId: string): Promise<RunRow[]> =>
  tenant(async (tx) => {
    const { rows } = await tx.query<{ id: string }>('select id from run where tenant_id = $1 and customer_id = $2', [
      tx.tenantId,
      customerId,
    ]);
    return lockRuns(
      tx,
      rows.map((row) => row.id),
    );
  });

async function live(made: Definition, story: readonly string[]): Promise<void> {
  const life = newLife();
  const ports = playing(life);
  let now = new Date(START);
  const customerId = await begin(ports, made, now);
  const due = async (): Promise<Date> => (await tenant(nextWake)) ?? new Date(now.getTime() + DAY);
  for (const what of story) {
    if (what === 'time') {
      now = new Date(Math.max(now.getTime() + HOUR, Math.min((await due()).getTime(), now.getTime() + 5 * DAY)));
      await look(ports, now);
    } else if (what === 'tag' || what === 'booking') {
      await tenant(async (tx) => {
        const told = change(customerId, what, now);
        await appendChanges(tx, [told]);
        await waitListener(ports)(tx, [told], now);
      });
    } else if (what === 'pause' || what === 'resume') {
      await tenant((tx) =>
        tx.query(
          what === 'pause'
            ? "update run set state = 'paused' where tenant_id = $1 and customer_id = $2 and state in ('active', 'waiting')"
            : "update run set state = 'waiting', resumed_at = $3 where tenant_id = $1 and customer_id = $2 and state = 'paused' and $3::timestamptz is not null",
          what === 'pause' ? [tx.tenantId, customerId] : [tx.tenantId, customerId, now],
        ),
      );
    } else {
      const action = life.open.shift();
      if (!action) continue;
      // Told twice, at once and in one breath: an answer and a receipt about the same thing.
      const told = { ...action, outcome: what, detail: null };
      await Promise.all([0, 1].map(() => tenant((tx) => actionsEnded(ports, tx, [told, told], now))));
    }
    for (const run of await runsOf(customerId)) {
      if (run.ended_at) life.ended.add(run.id);
      // It goes on by itself, or says what it waits for.
      else
        expect([run.state, run.problem, run.waiting_for === null && run.wake_at === null]).toEqual([
          expect.stringMatching(/^(waiting|paused)$/),
          null,
          false,
        ]);
    }
  }
  // Somebody answers: everything ends, and whatever comes afterwards changes nothing.
  await tenant(async (tx) => {
    const { rows } = await tx.query<{ id: string }>(
      "select id from run where tenant_id = $1 and customer_id = $2 and state in ('active', 'waiting', 'paused')",
      [tx.tenantId, customerId],
    );
    await endRuns(
      ports,
      tx,
      await lockRuns(
        tx,
        rows.map((row) => row.id),
      ),
      'answered',
      now,
    );
  });
  for (const run of await runsOf(customerId)) life.ended.add(run.id);
  const before = life.planned.size;
  for (const action of [...life.open])
    await tenant((tx) => actionsEnded(ports, tx, [{ ...action, outcome: 'sent', detail: null }], now));
  await look(ports, new Date(now.getTime() + 400 * DAY));
  expect(life.planned.size).toBe(before);
  expect(life.late).toEqual([]);
  expect([...life.planned].filter(([, times]) => times > 1)).toEqual([]);
}

test('engine: whatever the sequence and whatever the order of things, nothing is planned twice or after the end, and nobody stands still without a reason', async () => {
  await fc.assert(fc.asyncProperty(definition, fc.array(happening, { minLength: 4, maxLength: 16 }), live), {
    numRuns: RUNS,
    seed: 20260306,
  });
}, 300_000);

test('engine: a step that may be left out goes on behind itself, whatever it would have done', () => {
  const made = {
    ...{ key: 'x', title: 'X', topic: 'x', triggers: [{ name: 'manual' }], per: 'customer' },
    ...{ again: { policy: 'always' }, exits: [] },
    steps: [
      { id: 'a', message: { channels: ['email'], template: 't' }, next: 'c' },
      { id: 'b', restart: {}, only_if: { outcome: { step: 'a', is: ['sent'] } } },
      { id: 'c', message: { channels: ['email'], template: 't' }, day: 1, next: 'b' },
    ],
  };
  expect(definitionErrors(made)).toMatchObject([{ path: 'steps[2].day', message: expect.stringContaining('circle') }]);
});
