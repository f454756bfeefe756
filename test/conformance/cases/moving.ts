import { expect } from 'vitest';
import { callsSince } from '../access.ts';
import type { Case, World } from '../case.ts';
import {
  afterPage,
  DAY,
  difference,
  eachWay,
  expectMark,
  expectSame,
  HOUR,
  hookOf,
  ifStreams,
  isAsked,
  isPaged,
  live,
  MINUTE,
  pass,
  read,
  readAll,
  resolves,
  rewriting,
  send,
  streamRow,
  streamsOf,
  type Tried,
} from '../look.ts';

const NO_PAGES = 'every list is one answer';
const paged = ({ connector, trial }: World): Tried[] => eachWay(streamsOf(connector, trial, isPaged));
/** Two pages, so that something can happen between them. */
const fill = ({ vendor, firstPage }: Tried, at?: Date): string[] => vendor.create(firstPage + 20, at);

/** Everything an incremental reading could have missed by looking away is looked at again. */
async function nextReading(world: World): Promise<void> {
  pass(world, 10 * MINUTE);
  await readAll(world);
}

const changed: Case = {
  capability: 'reading',
  name: 'a record that changes while pages are read is never lost or left old',
  applies: ifStreams(isPaged, NO_PAGES),
  run: async (world) => {
    const changes = new Map<string, string[]>();
    const past = new Date(world.hub.clock.now().getTime() - 10 * MINUTE);
    for (const tried of paged(world)) {
      const ids = fill(tried, past);
      const [early, later] = [ids[1]!, ids.at(-2)!];
      changes.set(tried.stream.name, [early, later]);
      const heal = world.vendor.faults!.add(
        afterPage(tried, 1, () => {
          tried.vendor.change(early, 'Changed meanwhile');
          tried.vendor.change(later, 'Changed meanwhile');
          tried.vendor.create(1);
        }),
      );
      await readAll(world, [tried.stream.name]);
      heal();
    }
    await nextReading(world);
    for (const tried of paged(world)) {
      await expectSame(world, tried);
      for (const id of changes.get(tried.stream.name)!) await expectMark(world, tried, id, 'Changed meanwhile');
    }
  },
};

const removed: Case = {
  capability: 'reading',
  name: 'a record that is deleted while pages are read makes no other one be skipped',
  applies: ifStreams(
    (stream, vendor) => isPaged(stream) && vendor.remove,
    'its records cannot be deleted, or every list is one answer',
  ),
  run: async (world) => {
    const removable = paged(world).filter(({ vendor }) => vendor.remove);
    const gone = new Map<string, string[]>();
    for (const tried of removable) {
      const ids = fill(tried);
      // One that was read already, so that those behind it move up, and one that was not.
      gone.set(tried.stream.name, [ids[0]!, ids.at(-1)!]);
      const heal = world.vendor.faults!.add(
        afterPage(tried, 1, () => {
          for (const id of gone.get(tried.stream.name)!) tried.vendor.remove!(id);
        }),
      );
      await readAll(world, [tried.stream.name]);
      heal();
    }
    pass(world, DAY + HOUR);
    await readAll(world);
    for (const { stream, vendor } of removable) {
      for (const id of gone.get(stream.name)!)
        if (world.trial.hook && vendor.announced && stream.deletes.kind.startsWith('webhook'))
          await send(
            world,
            hookOf(world, { stream: stream.name, id, change: 'deleted', event: `gone-${stream.name}-${id}` }),
          );
      // Where only a pass over everything tells of deletions, that is tried by itself: here none may be skipped.
      const { missing } = difference(await live(world, stream.name), vendor.ids());
      expect(missing, stream.name).toEqual([]);
      if (!['none', 'sweep'].includes(stream.deletes.kind)) await expectSame(world, { stream, vendor });
    }
  },
};

const merged: Case = {
  capability: 'merges',
  name: 'a record merged away while pages are read is followed, and none is skipped for it',
  applies: ifStreams(
    (stream, vendor) => isPaged(stream) && vendor.merge && vendor.announced,
    'the vendor merges nothing',
  ),
  run: async (world) => {
    for (const tried of paged(world).filter(({ vendor }) => vendor.merge && vendor.announced)) {
      const { stream, vendor } = tried;
      const ids = fill(tried);
      // Read already into not read yet, and the other way round.
      const merges = [
        { from: ids[1]!, into: ids.at(-2)! },
        { from: ids.at(-1)!, into: ids[2]! },
      ];
      const heal = world.vendor.faults!.add(
        afterPage(tried, 1, () => {
          for (const { from, into } of merges) vendor.merge!(from, into);
        }),
      );
      await readAll(world, [stream.name]);
      heal();
      for (const { from, into } of merges)
        await send(
          world,
          hookOf(world, { stream: stream.name, id: from, into, change: 'merged', event: `merge-${from}` }),
        );
      await expectSame(world, tried);
      // The one that was read before has an id here, which goes on resolving.
      await resolves(world, tried, merges[0]!);
    }
  },
};

const endless: Case = {
  capability: 'reading',
  name: 'a vendor that answers with its first page for ever is stopped with a sentence',
  applies: ifStreams(isPaged, NO_PAGES),
  run: async (world) => {
    for (const tried of paged(world)) {
      const { stream } = tried;
      fill(tried);
      let first: unknown;
      const heal = world.vendor.faults!.add(
        rewriting(tried, (records, body) => {
          // A question how many there are shows one of them, and is no page.
          if (records.length > 1) first ??= body;
          return first ?? body;
        }),
      );
      const before = world.trial.calls().length;
      const { state, message } = (await read(world, [stream.name])).get(stream.name)!;
      heal();
      expect({ state, message }, stream.name).toEqual({
        state: 'stopped',
        message: expect.stringMatching(/same .*page|same next page|ignores the order/),
      });
      // What is asked about each record is the connector's own matter.
      const pages = callsSince(world, before).filter((call) => new RegExp(tried.vendor.listed).test(call));
      expect(pages.length, stream.name).toBeLessThan(40);
      expect((await streamRow(world, stream.name)).phase, stream.name).toBe('initial');
      // A vendor that is well again is read to the end.
      await readAll(world, [stream.name]);
      await expectSame(world, tried);
    }
  },
};

const unsorted: Case = {
  capability: 'reading',
  name: 'lists in another order than promised lose nothing, or reading stops with a sentence',
  applies: ifStreams((stream) => stream.incremental, 'every reading reads everything'),
  run: async (world) => {
    await readAll(world);
    const lists = streamsOf(world.connector, world.trial, (stream) => isAsked(stream) && stream.incremental);
    for (const tried of eachWay(lists)) {
      const { stream, vendor, page } = tried;
      pass(world, MINUTE);
      const start = world.hub.clock.now().getTime();
      for (let n = 0; n < 4; n++) vendor.create(Math.ceil((page + 20) / 4), new Date(start + n * 5_000));
      pass(world, MINUTE);
      const heal = world.vendor.faults!.add(rewriting(tried, (records) => void records.reverse()));
      const { state, message } = (await read(world, [stream.name])).get(stream.name)!;
      heal();
      if (stream.incremental!.sorted === 'no') expect(state, stream.name).toBe('complete');
      else if (state !== 'complete')
        expect({ state, message }, stream.name).toEqual({
          state: 'stopped',
          message: expect.stringMatching(/ignores the order/),
        });
      if (state !== 'complete') await readAll(world, [stream.name]);
      await expectSame(world, tried);
    }
  },
};

export const cases: readonly Case[] = [changed, removed, merged, endless, unsorted];
