import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Tx } from '../src/base/database.ts';
import { newId } from '../src/base/ids.ts';
import { addDays, instantOf, localDate } from '../src/base/time.ts';
import { moveBatch } from '../src/sequences/batches.ts';
import { goOn, moveAll } from '../src/sequences/engine.ts';
import { Work } from '../src/sequences/moments.ts';
import type { SequencePorts, Wish } from '../src/sequences/ports.ts';
import { claimDueRuns, lockRuns, nextWake } from '../src/sequences/runs.ts';
import type { Definition } from '../src/sequences/schema.ts';
import { enterAll } from '../src/sequences/starting.ts';
import { findSequence, insertSequence, loadDefinition, setSequenceState } from '../src/sequences/store.ts';
import { startTestHub, type TestHub } from './support/hub.ts';

// The days of the track in PLAYBOOKS.md, section 2; day 630 is also day 0 of the next round.
const DAYS = [0, 45, 90, 180, 270, 360, 450, 540, 630];
const ZONES = ['America/New_York', 'Europe/Berlin', 'Australia/Sydney', 'Asia/Kathmandu', 'Pacific/Apia'];
const CUSTOMERS = 1000;
const LAST_DAY = 1300;
const START = '2026-01-31';

const YAML = new URL('../playbooks/existing-customer.yaml', import.meta.url);
const asMessage = (day: number) => ({ id: `day-${day}`, day, message: { channels: ['email'], template: 'x' } });
const definition = (
  existsSync(YAML)
    ? parse(readFileSync(YAML, 'utf8'), { maxAliasCount: -1 }).sequence
    : {
        ...{ key: 'existing-customer', title: 'x', topic: 'feedback', triggers: [{ name: 'manual' }] },
        ...{ per: 'customer', again: { policy: 'once' }, exits: [] },
        steps: [...DAYS.map(asMessage), { id: 'again', restart: {} }],
      }
) as Definition;

let hub: TestHub;
beforeAll(async () => {
  hub = await startTestHub({ connectors: ['csv'] });
});
afterAll(() => hub?.stop());

/** What was planned, and what of it no platform has answered yet. */
const done: { customer: string; day: string }[] = [];
let open: Wish[] = [];
const ports = {
  plan: async (_tx: Tx, wishes: readonly Wish[]) => {
    open.push(...wishes.map((wish) => ({ ...wish, run: { ...wish.run } })));
    return wishes.map(() => ({ planned: true as const }));
  },
  cancel: async () => 0,
} as unknown as SequencePorts;

const tenant = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => hub.hub.db.tenant(hub.tenantId, work);

/** Every platform answers at once. */
async function settle(now: Date): Promise<void> {
  while (open.length > 0) {
    const answered = open;
    open = [];
    for (const { run } of answered) done.push({ customer: run.customer_id, day: localDate(now, run.zone) });
    await tenant(async (tx) => {
      const told = [];
      for (const run of await lockRuns(
        tx,
        answered.map(({ run }) => run.id),
      ))
        told.push({ run, definition: await loadDefinition(tx, run.sequence_id, run.version), outcome: 'sent' });
      await goOn(ports, tx, told, now);
    });
  }
}

test('track: a thousand customers go through it on exactly its days for 1,300 days, over a leap day, changes of clocks and into the third round', async () => {
  const customers = Array.from({ length: CUSTOMERS }, (_, at) => ({ id: newId(), zone: ZONES[at % ZONES.length]! }));
  // Ten in the morning where each of them is, all on the same date.
  const starts = customers.map(({ zone }) => instantOf(START, '10:00', zone));
  await tenant(async (tx) => {
    await tx.query(
      `insert into customer (tenant_id, id, name, email, time_zone, provenance, sources, created_at, updated_at)
       select $1, i.id, 'x', i.id || '@example.com', i.zone, '{}', 1, $4, $4 from unnest($2::uuid[], $3::text[]) as i(id, zone)`,
      [hub.tenantId, customers.map(({ id }) => id), customers.map(({ zone }) => zone), starts[0]],
    );
    const made = { key: definition.key, title: 'x', playbook: null, definition, by: 'x', now: starts[0]! };
    const id = (await insertSequence(tx, made))!;
    await setSequenceState(tx, id, { state: 'active', activeVersion: 1, expected: 1, now: starts[0]! });
  });
  let now = starts[0]!;
  for (const zone of ZONES) {
    now = instantOf(START, '10:00', zone);
    await tenant(async (tx) => {
      const sequence = (await findSequence(tx, definition.key))!;
      const work = new Work(ports, tx, now);
      const those = customers.filter((customer) => customer.zone === zone);
      const entries = those.map(({ id }) => ({ customerId: id, key: 'customer', cause: {}, depth: 0 }));
      const entered = await enterAll(work, sequence, await loadDefinition(tx, sequence.id, 1), entries);
      await moveAll(
        work,
        entered.flatMap(({ begun }) => begun ?? []),
      );
    });
    await settle(now);
  }
  const end = instantOf(addDays(START, LAST_DAY), '23:00', 'America/New_York');
  for (;;) {
    const next = await tenant(nextWake);
    if (!next || next > end) break;
    now = next;
    for (let moved = 1; moved > 0; ) {
      moved = await tenant(async (tx) => {
        const runs = await claimDueRuns(tx, now, 500);
        await moveBatch(ports, tx, runs, now);
        return runs.length;
      });
      await settle(now);
    }
  }
  const dates = [0, 630, 1260].flatMap((round) => DAYS.map((day) => round + day)).filter((day) => day <= LAST_DAY);
  const expected = dates.map((day) => addDays(START, day));
  // The oracle of the semantics.
  expect(expected.slice(0, 3)).toEqual(['2026-01-31', '2026-03-17', '2026-05-01']);
  expect(expected[8]).toBe('2027-10-23');
  expect(expected.at(-1)! > '2028-02-29').toBe(true);
  const found = new Map<string, string[]>(customers.map(({ id }) => [id, []]));
  for (const { customer, day } of done) found.get(customer)!.push(day);
  const wrong = [...found].filter(([, days]) => JSON.stringify(days) !== JSON.stringify(expected));
  expect(wrong.slice(0, 3)).toEqual([]);
}, 120_000);
