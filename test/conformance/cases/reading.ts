import { expect } from 'vitest';
import type { StreamTrial } from '../../../src/kit/index.ts';
import { readConnection } from '../../../src/sync/run.ts';
import { survives } from '../../support/commits.ts';
import type { Case, World } from '../case.ts';
import {
  eachWay,
  expectMark,
  expectSame,
  fromNth,
  HOUR,
  ifStreams,
  isAsked,
  isPaged,
  MINUTE,
  pass,
  read,
  readAll,
  SECOND,
  streamRow,
  streamsOf,
  type Tried,
} from '../look.ts';

const asked = ({ connector, trial }: World): Tried[] => streamsOf(connector, trial, isAsked);
const paged = ({ connector, trial }: World): Tried[] => eachWay(streamsOf(connector, trial, isPaged));
const incremental = ({ connector, trial }: World): Tried[] =>
  streamsOf(connector, trial, (stream) => isAsked(stream) && stream.incremental);

/** Records a reading of everything brings. */
const listedBy = ({ ids, others }: StreamTrial): number => ids().length + (others?.() ?? 0);

const NO_PAGES = 'every list is one answer';
const NO_INCREMENT = 'every reading reads everything';

/** Pages enough that there is one between two others, where they are small; large ones cost time. */
const severalPages = (page: number): number => (page > 200 ? page + 1 : 2 * page + 1);

const firstLoad: Case = {
  capability: 'reading',
  name: 'the first load brings every record of every stream, over all pages',
  applies: ifStreams(() => true, NO_PAGES),
  run: async (world) => {
    const inPages = new Set(paged(world).map(({ stream }) => stream.name));
    for (const { stream, vendor, firstPage } of asked(world))
      vendor.create(inPages.has(stream.name) ? severalPages(firstPage) : 3);
    await readAll(world);
    for (const tried of asked(world)) {
      await expectSame(world, tried);
      const row = await streamRow(world, tried.stream.name);
      expect(row).toMatchObject({ phase: 'incremental', position: null, error: null });
      expect(row.run_changed, tried.stream.name).toBe(listedBy(tried.vendor));
    }
    // Read again, nothing is new.
    const again = await read(world);
    for (const { stream } of asked(world)) expect(again.get(stream.name), stream.name).toMatchObject({ changed: 0 });
  },
};

const killed: Case = {
  capability: 'reading',
  name: 'killed between any two pages it goes on, and no page is lost or counted twice',
  applies: ifStreams(isPaged, NO_PAGES),
  run: async (world) => {
    for (const { stream, vendor, firstPage } of paged(world)) {
      vendor.create(severalPages(firstPage));
      let deaths = 0;
      let row = await streamRow(world, stream.name);
      // The lease and the beginning come before the first page, the lease before every other.
      for (let commits = 3; row.phase === 'initial'; ) {
        const before = row.position?.pages ?? 0;
        const survived = await survives(world.hub.hub.deps, commits, (deps) =>
          readConnection(deps, world.tenantId, world.connection.id, { force: true, only: [stream.name], maxPages: 1 }),
        );
        row = await streamRow(world, stream.name);
        commits = survived || (row.position?.pages ?? 0) > before ? 2 : commits + 1;
        deaths += survived ? 0 : 1;
        // Whoever died holds its place for two minutes.
        pass(world, 3 * MINUTE);
        expect(deaths, `${stream.name} goes on for ever`).toBeLessThan(20);
      }
      expect(deaths, stream.name).toBeGreaterThan(1);
      expect(row, stream.name).toMatchObject({ position: null, run_changed: listedBy(vendor) });
      await expectSame(world, { stream, vendor });
    }
  },
};

const cut: Case = {
  capability: 'reading',
  name: 'a line that breaks at any page is taken up where it broke',
  applies: ifStreams(isPaged, NO_PAGES),
  run: async (world) => {
    for (const { stream, vendor, firstPage } of paged(world)) {
      vendor.create(severalPages(firstPage));
      let broken = 0;
      for (let nth = 1, left = true; left; nth++) {
        const heal = world.vendor.faults!.add({ kind: 'cut', match: fromNth(vendor.listed, nth) });
        const { state, message } = (await read(world, [stream.name])).get(stream.name)!;
        heal();
        left = state !== 'complete';
        if (!left) break;
        broken += 1;
        expect({ state, message }, stream.name).toEqual({
          state: 'waiting',
          message: expect.stringMatching(/\w+ .*\./),
        });
        pass(world, MINUTE);
        expect(broken, `${stream.name} is never read`).toBeLessThan(12);
      }
      expect(broken, stream.name).toBeGreaterThan(1);
      expect((await streamRow(world, stream.name)).run_changed, stream.name).toBe(listedBy(vendor));
      await expectSame(world, { stream, vendor });
    }
  },
};

const ties: Case = {
  capability: 'reading',
  name: 'more records of one and the same moment than the vendor shows at once are all read',
  applies: ifStreams((stream) => stream.incremental, NO_INCREMENT),
  run: async (world) => {
    await readAll(world);
    pass(world, MINUTE);
    const capped = incremental(world).find(({ vendor }) => vendor.cap !== undefined);
    for (const { stream, vendor, page } of eachWay(incremental(world))) {
      const many = stream === capped?.stream ? vendor.cap! + 2000 : severalPages(page);
      vendor.create(many, world.hub.clock.now());
    }
    pass(world, 5 * SECOND);
    await readAll(world);
    for (const tried of incremental(world)) await expectSame(world, tried);
  },
};

const late: Case = {
  capability: 'reading',
  name: 'an index that shows changes late loses none',
  applies: ifStreams((stream) => stream.incremental, NO_INCREMENT),
  run: async (world) => {
    const known = new Map(incremental(world).map(({ stream, vendor }) => [stream.name, vendor.create(3)]));
    await readAll(world);
    const lag = Math.min(...incremental(world).map(({ stream }) => stream.incremental!.lagSeconds)) * SECOND;
    pass(world, MINUTE);
    await readAll(world);
    world.vendor.lateIndexMs = Math.round(lag * 0.9);
    for (const { stream, vendor } of incremental(world)) {
      vendor.create(2);
      vendor.change(known.get(stream.name)![1]!, 'Shown late');
    }
    // It reads while the index knows nothing yet, and again and again.
    for (let passed = 0; passed < 1.5 * lag; passed += lag / 5) {
      pass(world, lag / 5);
      await readAll(world);
    }
    for (const tried of incremental(world)) {
      await expectSame(world, tried);
      await expectMark(world, tried, known.get(tried.stream.name)![1]!, 'Shown late');
    }
  },
};

const stepped: Case = {
  capability: 'reading',
  name: 'a clock that is an hour ahead and is then set back loses nothing and stops nothing',
  applies: ifStreams((stream) => stream.incremental, NO_INCREMENT),
  run: async (world) => {
    const { clock } = world.hub;
    const known = new Map(incremental(world).map(({ stream, vendor }) => [stream.name, vendor.create(3)]));
    const change = (at: number, mark: string): void => {
      for (const { stream, vendor } of incremental(world)) vendor.change(known.get(stream.name)![at]!, mark);
    };
    // It is wrong from now on; the vendor's is right.
    clock.advance(HOUR);
    world.vendorTime.behindMs = HOUR;
    await readAll(world);
    pass(world, 5 * MINUTE);
    change(0, 'While it was ahead');
    await readAll(world);
    for (const { stream } of incremental(world))
      await expectMark(world, { stream }, known.get(stream.name)![0]!, 'While it was ahead');
    pass(world, 5 * MINUTE);
    change(1, 'Before it was set back');
    world.vendorTime.behindMs = 0;
    clock.set(new Date(clock.now().getTime() - HOUR), true);
    const right = clock.now();
    pass(world, SECOND);
    change(2, 'After it was set back');
    // Nobody asks for it: it reads by itself, as often as ever.
    for (let times = 0; times < 3; times++) await world.hub.advance(5 * MINUTE);
    expect(clock.now().getTime() - right.getTime()).toBeLessThan(20 * MINUTE);
    for (const { stream } of asked(world)) {
      const { last_complete_at: readAt } = await streamRow(world, stream.name);
      expect(readAt >= right && readAt <= clock.now(), `${stream.name} was read at ${readAt.toISOString()}`).toBe(true);
    }
    for (const { stream } of incremental(world)) {
      const [, before, after] = known.get(stream.name)!;
      await expectMark(world, { stream }, before!, 'Before it was set back');
      await expectMark(world, { stream }, after!, 'After it was set back');
    }
  },
};

export const cases: readonly Case[] = [firstLoad, killed, cut, ties, late, stepped];
