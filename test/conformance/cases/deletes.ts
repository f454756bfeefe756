import { expect } from 'vitest';
import { type Connector, type Stream, type StreamTrial, sweepOf, type Trial } from '../../../src/kit/index.ts';
import type { Case, World } from '../case.ts';
import {
  DAY,
  expectSame,
  fromNth,
  HOUR,
  hookOf,
  ifStreams,
  isAsked,
  isPaged,
  live,
  pass,
  read,
  readAll,
  resolves,
  restart,
  rewriting,
  send,
  streamsOf,
  type Tried,
} from '../look.ts';

type Kind = Stream['deletes']['kind'];

const deleting = (kind: Kind) => (stream: Stream, vendor: StreamTrial) => stream.deletes.kind === kind && vendor.remove;

const ifDeleted =
  (kind: Kind, otherwise: string) =>
  (connector: Connector, trial: Trial): true | string =>
    streamsOf(connector, trial, deleting(kind)).length > 0 ||
    (connector.streams.length === 0 ? 'nothing is read' : otherwise);

/** Records the hub knows, of which the first two are removed at the vendor. */
async function removeTwo(world: World, tried: readonly Tried[]): Promise<Map<string, string[]>> {
  const gone = new Map<string, string[]>();
  for (const { stream, vendor } of tried) gone.set(stream.name, vendor.create(4).slice(0, 2));
  if (tried.some(({ stream }) => isAsked(stream))) await readAll(world);
  const pushed = tried.filter(({ stream }) => !isAsked(stream));
  const news = pushed.flatMap(({ stream: { name }, vendor }) =>
    vendor.ids().map((id) => hookOf(world, { stream: name, id, change: 'changed', event: `new-${name}-${id}` })),
  );
  await send(world, ...news);
  for (const one of tried) await expectSame(world, one);
  for (const { stream, vendor } of tried) for (const id of gone.get(stream.name)!) vendor.remove!(id);
  return gone;
}

/** What the vendor posts about records that are gone. */
const obituaries = (world: World, gone: ReadonlyMap<string, readonly string[]>) =>
  [...gone].flatMap(([stream, ids]) =>
    ids.map((id) => hookOf(world, { stream, id, change: 'deleted', event: `gone-${stream}-${id}` })),
  );

const flagged: Case = {
  capability: 'deletes',
  name: 'what the vendor flags as deleted is deleted at the next reading',
  applies: ifDeleted('flag', 'no record carries a flag'),
  run: async (world) => {
    const tried = streamsOf(world.connector, world.trial, deleting('flag'));
    await removeTwo(world, tried);
    pass(world, HOUR);
    await readAll(world);
    for (const one of tried) await expectSame(world, one);
  },
};

const listed: Case = {
  capability: 'deletes',
  name: "what stands in the vendor's list of deletions is deleted when the list is read",
  applies: ifDeleted('tombstones', 'there is no list of deletions'),
  run: async (world) => {
    const tried = streamsOf(world.connector, world.trial, deleting('tombstones'));
    await removeTwo(world, tried);
    pass(world, DAY + HOUR);
    await readAll(world);
    for (const one of tried) await expectSame(world, one);
    // The list names them for long: they are deleted once.
    pass(world, DAY + HOUR);
    await readAll(world);
    for (const one of tried) await expectSame(world, one);
  },
};

const swept: Case = {
  capability: 'deletes',
  name: 'what passes over everything no longer meet is deleted, and nothing else',
  applies: (connector, trial) =>
    streamsOf(connector, trial, (stream, vendor) => isSwept(stream) && vendor.remove).length > 0 ||
    'deletions are learned of in other ways',
  run: async (world) => {
    const tried = streamsOf(world.connector, world.trial, (stream, vendor) => isSwept(stream) && vendor.remove);
    await removeTwo(world, tried);
    const seconds = Math.max(...tried.map(({ stream }) => sweepOf(stream)!.everySeconds));
    // What is missing is put aside first, and counts as deleted only when it is missing again.
    for (let passes = 0; passes < 3; passes++) await world.hub.advance(seconds * 1000 + HOUR);
    for (const one of tried) await expectSame(world, one);
  },
};

const isSwept = ({ deletes }: Stream): boolean => ['sweep', 'webhook+sweep'].includes(deletes.kind);

const posted: Case = {
  capability: 'deletes',
  name: 'what a webhook says was deleted is deleted, and nothing else',
  applies: (connector, trial) =>
    streamsOf(connector, trial, (_stream, vendor) => trial.hook && vendor.announced && vendor.remove).length > 0 ||
    'no webhook tells of deletions',
  run: async (world) => {
    const tried = streamsOf(world.connector, world.trial, (_stream, vendor) => vendor.announced && vendor.remove);
    const gone = await removeTwo(world, tried);
    expect(await send(world, ...obituaries(world, gone))).toBeLessThan(300);
    for (const one of tried) await expectSame(world, one);
  },
};

const believed: Case = {
  capability: 'deletes',
  name: 'a wrong word of a deletion is not believed where the record can be asked for',
  applies: (connector, trial) =>
    streamsOf(
      connector,
      trial,
      (stream, vendor) => trial.hook && vendor.announced && vendor.remove && stream.fetchByIds,
    ).length > 0 || 'no webhook tells of deletions of records that can be asked for',
  run: async (world) => {
    const tried = streamsOf(
      world.connector,
      world.trial,
      (stream, vendor) => vendor.announced && vendor.remove && stream.fetchByIds,
    );
    for (const { vendor } of tried) vendor.create(3);
    await readAll(world);
    const wrong = new Map(tried.map(({ stream, vendor }) => [stream.name, vendor.ids().slice(0, 1)]));
    await send(world, ...obituaries(world, wrong));
    for (const one of tried) await expectSame(world, one);
  },
};

const cutOff: Case = {
  capability: 'deletes',
  name: 'a pass that fails, is cut off or shows an empty list deletes nothing',
  applies: ifStreams(() => true, 'nothing can be asked for'),
  run: async (world) => {
    const tried = streamsOf(world.connector, world.trial, isAsked);
    for (const { vendor, firstPage } of tried) vendor.create(firstPage > 200 ? 10 : firstPage + 5);
    await readAll(world);
    const before = new Map<string, string[]>();
    for (const { stream } of tried) before.set(stream.name, await live(world, stream.name));
    const attacks = (one: Tried) => [
      { kind: 'cut' as const, match: fromNth(one.vendor.listed, 2) },
      { kind: 'status' as const, status: 500, match: fromNth(one.vendor.listed, isPaged(one.stream) ? 2 : 1) },
      // Everything is there but the records.
      rewriting(one, (records, body) => emptied(one, records, body)),
    ];
    for (const one of tried)
      for (const fault of attacks(one)) {
        await restart(world, one.stream.name);
        const heal = world.vendor.faults!.add(fault);
        await read(world, [one.stream.name]);
        heal();
        pass(world, HOUR);
        expect(await live(world, one.stream.name), `${one.stream.name} after ${fault.kind}`).toEqual(
          before.get(one.stream.name),
        );
      }
  },
};

/** Takes all records out of an answer, wherever they stand in it. */
function emptied({ vendor }: Tried, records: readonly unknown[], body: unknown): unknown {
  const taken = new Set(records);
  const without = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.filter((item) => !taken.has(item)).map(without);
    if (node === null || typeof node !== 'object') return node;
    return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, without(value)]));
  };
  const left = without(body);
  expect(vendor.records(left)).toEqual([]);
  return left;
}

const merged: Case = {
  capability: 'merges',
  name: "a merge at the vendor is followed, and the old record's id goes on resolving",
  applies: (connector, trial) =>
    streamsOf(connector, trial, (_stream, vendor) => trial.hook && vendor.merge && vendor.announced).length > 0 ||
    'the vendor merges nothing',
  run: async (world) => {
    const tried = streamsOf(world.connector, world.trial, (_stream, vendor) => vendor.merge && vendor.announced);
    for (const { vendor } of tried) vendor.create(4);
    await readAll(world);
    for (const one of tried) {
      const [from, into, second] = one.vendor.ids() as [string, string, string];
      one.vendor.merge!(from, into);
      const post = hookOf(world, { stream: one.stream.name, id: from, into, change: 'merged', event: `merge-${from}` });
      // Told twice, as vendors do.
      for (let times = 0; times < 2; times++) expect(await send(world, post)).toBeLessThan(300);
      await expectSame(world, one);
      await resolves(world, one, { from, into });
      // A merge of the survivor takes both along.
      one.vendor.merge!(into, second);
      await send(
        world,
        hookOf(world, { stream: one.stream.name, id: into, into: second, change: 'merged', event: `merge-${into}` }),
      );
      await expectSame(world, one);
      await resolves(world, one, { from, into: second });
    }
  },
};

const shown: Case = {
  capability: 'merges',
  name: 'a merge that shows in the record that is gone is followed at the next reading',
  applies: (connector, trial) =>
    streamsOf(connector, trial, (stream, vendor) => stream.mergedInto && vendor.merge).length > 0 ||
    'no record that was merged away tells its survivor',
  run: async (world) => {
    const tried = streamsOf(world.connector, world.trial, (stream, vendor) => stream.mergedInto && vendor.merge);
    for (const { vendor } of tried) vendor.create(4);
    await readAll(world);
    const merges = new Map<Tried, { from: string; into: string }>();
    for (const one of tried) {
      const [from, into, second] = one.vendor.ids() as [string, string, string];
      one.vendor.merge!(from, into);
      // The survivor is merged away before anybody read.
      one.vendor.merge!(into, second);
      merges.set(one, { from, into: second });
    }
    pass(world, HOUR);
    for (let times = 0; times < 2; times++) {
      await readAll(world);
      for (const [one, merge] of merges) {
        await expectSame(world, one);
        await resolves(world, one, merge);
      }
    }
  },
};

export const cases: readonly Case[] = [flagged, listed, swept, posted, believed, cutOff, merged, shown];
