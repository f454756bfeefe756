import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase, type Row, type Tx } from '../src/base/database.ts';
import { newId } from '../src/base/ids.ts';
import { applyRecords } from '../src/model/apply.ts';
import { sameValue } from '../src/model/changes.ts';
import { golden } from '../src/model/golden.ts';
import { listSuggestions, mergeByHand, refuseSuggestion } from '../src/model/merging.ts';
import { relink } from '../src/model/relink.ts';
import type { ApplyContext, Mapped } from '../src/model/types.ts';
import { splitRecords, undoMerge } from '../src/model/unmerge.ts';
import { testDatabase } from './support/hub.ts';

let database: Awaited<ReturnType<typeof testDatabase>>;
let db: Database;

beforeAll(async () => {
  database = await testDatabase();
  db = openDatabase({ ownerUrl: database.url, max: 4 });
});

afterAll(async () => {
  await db?.close();
  await database?.drop();
});

const BY = { by: 'test', reason: 'a test' };
const CATEGORIES = ['crm', 'billing', 'email'] as const;

/** A business of its own, with three systems that know people. */
function business(): World {
  const tenantId = newId();
  const streams = CATEGORIES.map(() => newId());
  const deals = newId();
  let at = Date.parse('2026-03-02T09:00:00Z');
  const ctx = (): ApplyContext => {
    at += 60_000;
    return {
      now: new Date(at),
      origin: 'live',
      zone: 'UTC',
      sourceOf: (id) => ({
        connector: `c${streams.indexOf(id)}`,
        category: CATEGORIES[streams.indexOf(id)] ?? 'other',
      }),
    };
  };
  return { tenantId, streams, deals, ctx, run: (work) => db.tenant(tenantId, work) };
}

interface World {
  tenantId: string;
  streams: string[];
  deals: string;
  ctx: () => ApplyContext;
  run: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
}

interface Person {
  stream: number;
  id: string;
  name?: string | undefined;
  email?: string | undefined;
  phone?: string | undefined;
}

const mapped = (world: World, { stream, id, name, email, phone }: Person, ctx: ApplyContext): Mapped => ({
  kind: 'contact',
  streamId: world.streams[stream]!,
  remoteId: id,
  values: {
    name: name ?? null,
    email: email ?? null,
    emails: email ? [email] : [],
    phone: phone ?? null,
    phones: phone ? [phone] : [],
  },
  references: {},
  updatedAt: ctx.now.toISOString(),
  mappingVersion: 'm1',
});

/** A record arrives or changes, with a deal that refers to it. */
const arrive = (world: World, ...people: Person[]): Promise<unknown> =>
  world.run((tx) => {
    const ctx = world.ctx();
    const deals = people.map(
      ({ stream, id }): Mapped => ({
        kind: 'deal',
        streamId: world.deals,
        remoteId: `${stream}-${id}`,
        values: { name: 'Deal', amount: '1' },
        references: { customer: `${world.streams[stream]}/${id}` },
        mappingVersion: 'm1',
      }),
    );
    return applyRecords(tx, [...people.map((person) => mapped(world, person, ctx)), ...deals], ctx, []);
  });

/** Everything about identity that must come back when a merge is undone. */
const stateOf = (world: World): Promise<Record<string, Row[]>> =>
  world.run(async (tx) => {
    const rows = async (sql: string): Promise<Row[]> => (await tx.query(sql, [tx.tenantId])).rows;
    return {
      records: await rows(
        'select stream_id, remote_id, entity_id, keys from contact_projection where tenant_id = $1 order by 1, 2',
      ),
      keys: await rows('select kind, key, entity_id from identity_key where tenant_id = $1 order by 1, 2'),
      aliases: await rows('select old_id, entity_id from entity_alias where tenant_id = $1 order by 1'),
      golden: (await rows('select * from customer where tenant_id = $1 order by id')).map(
        ({ version: _version, updated_at: _updated, ...row }) => row,
      ),
      deals: await rows('select remote_id, customer_id, customer_ref from deal where tenant_id = $1 order by 1'),
    };
  });

const entityOf = async (world: World, stream: number, id: string): Promise<string> =>
  (await stateOf(world)).records!.find((row) => row.stream_id === world.streams[stream] && row.remote_id === id)!
    .entity_id as string;

const living = async (world: World): Promise<string[]> => (await stateOf(world)).golden!.map((row) => row.id as string);

/** Merges that stand, oldest first. */
const merges = (world: World): Promise<{ id: string; survivor_id: string; absorbed_id: string }[]> =>
  world.run(
    async (tx) =>
      (
        await tx.query<{ id: string; survivor_id: string; absorbed_id: string }>(
          'select id, survivor_id, absorbed_id from merge_event where tenant_id = $1 and undone_at is null order by at, id',
          [tx.tenantId],
        )
      ).rows,
  );

const undo = (world: World, id: string): Promise<{ revived: string; from: string }> =>
  world.run((tx) => undoMerge(tx, id, BY, world.ctx()));
const merge = (world: World, a: string, b: string): Promise<{ id: string; survivor: string; absorbed: string }> =>
  world.run((tx) => mergeByHand(tx, 'contact', [a, b], BY, world.ctx()));

/** What must hold whatever happened. */
async function checkInvariants(world: World): Promise<void> {
  const state = await stateOf(world);
  const alive = new Set(state.golden!.map((row) => row.id));
  for (const record of state.records!) expect(alive, 'a record belongs to somebody alive').toContain(record.entity_id);
  for (const alias of state.aliases!) {
    expect(alive, 'an alias ends at somebody alive').toContain(alias.entity_id);
    expect(alive, 'nobody alive is an alias').not.toContain(alias.old_id);
  }
  for (const { key, entity_id } of state.keys!)
    expect(
      state.records!.some((row) => row.entity_id === entity_id && (row.keys as string[]).includes(key as string)),
      `the holder of ${key} has it`,
    ).toBe(true);
  const held = new Set(state.keys!.map((row) => row.key));
  for (const record of state.records!)
    for (const key of record.keys as string[]) expect(held, 'every key leads to somebody').toContain(key);
  for (const deal of state.deals!)
    expect(
      state.records!.find((row) => `${row.stream_id}/${row.remote_id}` === deal.customer_ref)?.entity_id,
      'a document belongs to whom its source names',
    ).toBe(deal.customer_id);
  await world.run(async (tx) => {
    const { rows } = await tx.query<Row>('select * from contact_projection where tenant_id = $1', [tx.tenantId]);
    for (const row of state.golden!) {
      const sources = rows
        .filter((record) => record.entity_id === row.id)
        .map((record) => ({ row: record, ...world.ctx().sourceOf(record.stream_id as string)! }));
      expect(sources.length, 'everybody alive has a record').toBeGreaterThan(0);
      const { values } = golden('contact', sources);
      for (const [field, value] of Object.entries(values))
        expect(sameValue(row[field], value), `${field} is what the sources say: ${row[field]} or ${value}`).toBe(true);
    }
    const astray = await tx.query(
      `select h.remote_id from record_home h join contact_projection p on p.tenant_id = $1 and p.stream_id = h.stream_id and p.remote_id = h.remote_id
       left join entity_alias a on a.tenant_id = $1 and a.old_id = h.entity_id
       where h.tenant_id = $1 and coalesce(a.entity_id, h.entity_id) <> p.entity_id`,
      [tx.tenantId],
    );
    expect(astray.rows, 'an old id leads to where its records are').toEqual([]);
    const together = await tx.query(
      `select 1 from not_same n left join entity_alias a on a.tenant_id = $1 and a.old_id = n.a_id
       left join entity_alias b on b.tenant_id = $1 and b.old_id = n.b_id
       where n.tenant_id = $1 and coalesce(a.entity_id, n.a_id) = coalesce(b.entity_id, n.b_id)`,
      [tx.tenantId],
    );
    expect(together.rowCount, 'who was kept apart is not one').toBe(0);
  });
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('arrive' as const),
      stream: fc.nat(2),
      id: fc.nat(3),
      name: fc.nat(2),
      email: fc.nat(5),
      phone: fc.nat(4),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('merge' as const), a: fc.nat(9), b: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('undo' as const), at: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('split' as const), at: fc.nat(9) }) },
);

test('identity: whatever arrives, is merged, undone and split, everybody has what is theirs, and an undone merge leaves no trace', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 16 }), async (steps) => {
      const world = business();
      for (const now of steps) {
        const alive = await living(world);
        if (now.do === 'arrive') {
          const value = (n: number, text: string): string | undefined => (n === 0 ? undefined : `${text}${n}`);
          const names = [undefined, 'Ann Miller', 'Bob Smith'];
          await arrive(world, {
            stream: now.stream,
            id: `r${now.id}`,
            name: names[now.name],
            email: now.email === 0 ? undefined : `p${now.email}@example.com`,
            phone: value(now.phone, '+1415555100'),
          });
        } else if (now.do === 'merge' && alive.length > 1) {
          const [a, b] = [alive[now.a % alive.length]!, alive[now.b % alive.length]!];
          if (a === b) continue;
          const before = await stateOf(world);
          const { id } = await merge(world, a, b);
          await checkInvariants(world);
          await undo(world, id);
          expect(await stateOf(world)).toEqual(before);
          await merge(world, b, a);
        } else if (now.do === 'undo') {
          const open = await merges(world);
          if (open.length > 0) await undo(world, open[now.at % open.length]!.id).catch(refused);
        } else if (now.do === 'split') {
          const { records } = await stateOf(world);
          const record = records![now.at % Math.max(1, records!.length)];
          if (!record) continue;
          const one = [{ streamId: record.stream_id as string, remoteId: record.remote_id as string }];
          await world
            .run((tx) => splitRecords(tx, 'contact', record.entity_id as string, one, BY, world.ctx()))
            .catch(refused);
        }
        await checkInvariants(world);
      }
    }),
    { numRuns: 12, endOnFailure: true },
  );
});

/** What was split off may leave a merge with nothing to give back: that is said, not done halfway. */
function refused(error: unknown): void {
  expect((error as Error).message).toMatch(
    /None of the records|These are all of its records|All the records that are left/,
  );
}

test('identity: a chain of merges is undone in any order', async () => {
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const world = business();
    await arrive(world, { stream: 0, id: 'a', email: 'a@example.com' });
    await arrive(world, { stream: 0, id: 'b', email: 'b@example.com' });
    await arrive(world, { stream: 0, id: 'c', email: 'c@example.com' });
    const start = await stateOf(world);
    const [a, b, c] = [await entityOf(world, 0, 'a'), await entityOf(world, 0, 'b'), await entityOf(world, 0, 'c')];
    const chain = [await merge(world, b, c), await merge(world, a, b)];
    expect(await living(world)).toEqual([a]);
    for (const [at, which] of order.entries()) {
      await undo(world, chain[which]!.id);
      await checkInvariants(world);
      if (at > 0) continue;
      // The first undone frees only its own: C alone, or B with C.
      expect(await entityOf(world, 0, 'c')).toBe(which === 0 ? c : b);
      expect(await entityOf(world, 0, 'b')).toBe(which === 0 ? a : b);
    }
    expect(await stateOf(world)).toEqual(start);
  }
});

test('identity: who joined while they were one goes to the side whose address they have', async () => {
  const world = business();
  await arrive(world, { stream: 0, id: 'a', name: 'Ann', email: 'a@example.com' });
  await arrive(world, { stream: 0, id: 'b', name: 'Bob', email: 'b@example.com' });
  const [a, b] = [await entityOf(world, 0, 'a'), await entityOf(world, 0, 'b')];
  const { id } = await merge(world, a, b);
  await arrive(world, { stream: 1, id: 'x', name: 'Bob', email: 'b@example.com' });
  await arrive(world, { stream: 2, id: 'y', name: 'Ann', email: 'a@example.com' });
  expect(await entityOf(world, 1, 'x')).toBe(a);
  await undo(world, id);
  expect(await entityOf(world, 1, 'x')).toBe(b);
  expect(await entityOf(world, 2, 'y')).toBe(a);
  await checkInvariants(world);
});

test('identity: what joined them by itself does not join them again, nor through a third record', async () => {
  const world = business();
  await arrive(world, { stream: 0, id: 'a', name: 'Ann Miller', email: 'a@example.com' });
  await arrive(world, { stream: 1, id: 'b', name: 'Ann Miller', email: 'b@example.com' });
  const [a, b] = [await entityOf(world, 0, 'a'), await entityOf(world, 1, 'b')];
  // Bob's record gets Ann's address by mistake, and so they are joined.
  await arrive(world, { stream: 1, id: 'b', name: 'Ann Miller', email: 'a@example.com' });
  expect(await entityOf(world, 1, 'b')).toBe(a);
  await undo(world, (await merges(world))[0]!.id);
  expect(await entityOf(world, 1, 'b')).toBe(b);
  await arrive(world, { stream: 1, id: 'b', name: 'Ann M Miller', email: 'a@example.com', phone: '+14155550001' });
  expect(await entityOf(world, 1, 'b'), 'the same record again').toBe(b);
  expect(await world.run((tx) => listSuggestions(tx, { limit: 10 })), 'nor is it asked').toEqual([]);
  await arrive(world, { stream: 2, id: 't', name: 'Ann Miller', email: 'a@example.com', phone: '+14155550001' });
  expect(await entityOf(world, 0, 'a'), 'a record of both').not.toBe(await entityOf(world, 1, 'b'));
  await arrive(world, { stream: 0, id: 'c', name: 'Ann Miller', email: 'c@example.com' });
  await arrive(world, { stream: 0, id: 'c', name: 'Ann Miller', email: 'a@example.com' });
  expect(await entityOf(world, 0, 'c'), 'others still join').toBe(a);
  await checkInvariants(world);
});

test('identity: new evidence between two that were taken apart is suggested once, and what was refused stays refused', async () => {
  const world = business();
  await arrive(world, { stream: 0, id: 'a', name: 'Ann Miller', email: 'a@example.com' });
  await arrive(world, { stream: 1, id: 'b', name: 'Ann Miller', email: 'b@example.com' });
  const [a, b] = [await entityOf(world, 0, 'a'), await entityOf(world, 1, 'b')];
  await undo(world, (await merge(world, a, b)).id);
  const open = (): Promise<{ id: string; key: string | null }[]> =>
    world.run((tx) => listSuggestions(tx, { limit: 10 }));
  expect(await open()).toEqual([]);
  await arrive(world, { stream: 1, id: 'b', name: 'Ann Miller', email: 'a@example.com' });
  const [suggested, ...more] = await open();
  expect(suggested).toMatchObject({ key: 'email:a@example.com' });
  expect(more).toEqual([]);
  expect(await entityOf(world, 1, 'b')).toBe(b);
  await world.run((tx) => refuseSuggestion(tx, suggested!.id, BY, world.ctx().now));
  for (const phone of ['+14155550001', '+14155550002'])
    await arrive(world, { stream: 1, id: 'b', name: 'Ann Miller', email: 'a@example.com', phone });
  expect(await open()).toEqual([]);
  expect(await entityOf(world, 1, 'b')).toBe(b);
  // Merged by hand it holds, and taken apart once more it holds too.
  const again = await merge(world, a, b);
  expect(await entityOf(world, 1, 'b')).toBe(a);
  await undo(world, again.id);
  await arrive(world, { stream: 1, id: 'b', name: 'A Miller', email: 'a@example.com' });
  expect(await entityOf(world, 1, 'b')).toBe(b);
  expect(await open()).toEqual([]);
});

test('identity: a weak likeness that was refused neither comes back nor joins when the doubt goes away', async () => {
  const world = business();
  await arrive(world, { stream: 0, id: 'a', name: 'Ann Miller', email: 'a@example.com', phone: '+14155550001' });
  await arrive(world, { stream: 1, id: 'b', name: 'Ann Miller', email: 'b@example.com', phone: '+14155550001' });
  const [suggestion] = await world.run((tx) => listSuggestions(tx, { limit: 10 }));
  expect(suggestion).toMatchObject({ key: 'phone:+14155550001', name: 'Ann Miller' });
  await world.run((tx) => refuseSuggestion(tx, suggestion!.id, BY, world.ctx().now));
  // Without the different address the rules would join them by the phone number.
  await arrive(world, { stream: 1, id: 'b', name: 'Ann Miller', phone: '+14155550001' });
  expect(await entityOf(world, 0, 'a')).not.toBe(await entityOf(world, 1, 'b'));
  expect(await world.run((tx) => listSuggestions(tx, { limit: 10 }))).toEqual([]);
});

test('identity: a key the one gives up finds the other who has it too', async () => {
  const world = business();
  await arrive(world, { stream: 0, id: 'a', name: 'Ann', email: 'both@example.com' });
  await arrive(world, { stream: 1, id: 'b', name: 'Ann', email: 'both@example.com' });
  const b = [{ streamId: world.streams[1]!, remoteId: 'b' }];
  const { revived } = await world.run(async (tx) =>
    splitRecords(
      tx,
      'contact',
      (await tx.query<Row>('select id from customer where tenant_id = $1', [tx.tenantId])).rows[0]!.id as string,
      b,
      BY,
      world.ctx(),
    ),
  );
  await arrive(world, { stream: 0, id: 'a', name: 'Ann', email: 'other@example.com' });
  const { keys } = await stateOf(world);
  expect(keys!.find((row) => row.key === 'email:both@example.com')?.entity_id).toBe(revived);
  await checkInvariants(world);
});

test('identity: a record that came at the very moment of a merge follows it, and is given back with it', async () => {
  const world = business();
  await arrive(world, { stream: 0, id: 'a', email: 'a@example.com' }, { stream: 0, id: 'b', email: 'b@example.com' });
  const [a, b] = [await entityOf(world, 0, 'a'), await entityOf(world, 0, 'b')];
  // The transaction that stores the record looks before the merge and writes after it.
  let merged: Promise<{ id: string }> | undefined;
  await world.run(async (tx) => {
    await applyRecords(
      tx,
      [mapped(world, { stream: 1, id: 'x', email: 'b@example.com' }, world.ctx())],
      world.ctx(),
      [],
    );
    merged = merge(world, a, b);
    // It has moved what it saw, and waits for the row this transaction wrote.
    while ((await tx.query('select 1 from pg_locks where not granted')).rowCount === 0)
      await new Promise((resolve) => setTimeout(resolve, 5));
  });
  const { id } = await merged!;
  expect(await entityOf(world, 1, 'x'), 'nobody could see it').toBe(b);
  await world.run((tx) => relink(tx, world.ctx(), []));
  expect(await entityOf(world, 1, 'x')).toBe(a);
  await checkInvariants(world);
  await undo(world, id);
  expect(await entityOf(world, 1, 'x')).toBe(b);
  await checkInvariants(world);
});

test('identity: the feed tells of a merge and of its end, and neither counts as news', async () => {
  const world = business();
  await arrive(world, { stream: 0, id: 'a', email: 'a@example.com' }, { stream: 0, id: 'b', email: 'b@example.com' });
  const [a, b] = [await entityOf(world, 0, 'a'), await entityOf(world, 0, 'b')];
  const told = await world.run((tx) => mergeByHand(tx, 'contact', [a, b], BY, world.ctx()));
  expect(told.changes[0]).toMatchObject({ op: 'merged', entity_id: a, after: { absorbed: b } });
  const parted = await world.run((tx) => undoMerge(tx, told.id, BY, world.ctx()));
  expect(parted.changes.filter((change) => change.op === 'unmerged').map((change) => change.entity_id)).toEqual([a, b]);
  expect(parted.changes).toContainEqual(
    expect.objectContaining({ kind: 'deal', before: { customer_id: a }, after: { customer_id: b } }),
  );
  for (const change of [...told.changes, ...parted.changes]) expect(change.origin).toBe('replay');
});
