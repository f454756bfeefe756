import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { Stream, StreamTrial } from '../../../src/kit/index.ts';
import { discoverFields } from '../../../src/sync/run.ts';
import type { Case, World } from '../case.ts';
import {
  expectMark,
  expectSame,
  HOUR,
  ifStreams,
  isAsked,
  live,
  pass,
  read,
  readAll,
  restart,
  rewriting,
  rows,
  streamRow,
  streamsOf,
  type Tried,
} from '../look.ts';

type Row = Record<string, any>;

const asked = ({ connector, trial }: World): Tried[] => streamsOf(connector, trial, isAsked);

/** Where a path of a record leads: the object that holds its last step. */
function placeOf(record: unknown, path: string): { holder: Row; name: string } {
  const steps = path.split('.');
  const name = steps.pop()!;
  return { holder: steps.reduce((node, step) => node[step] as Row, record as Row), name };
}

/** Reads a stream anew while one of its records has another form. The others must land as ever. */
async function readWith(
  world: World,
  one: Tried,
  id: string,
  change: (holder: Row, name: string) => void,
): Promise<void> {
  const { stream, vendor } = one;
  await restart(world, stream.name);
  const heal = world.vendor.faults!.add(
    rewriting(one, (records) => {
      const found = records.find((record) => stream.id(record) === id);
      if (!found) return;
      const { holder, name } = placeOf(found, vendor.field);
      change(holder, name);
    }),
  );
  const { state, message } = (await read(world, [stream.name])).get(stream.name)!;
  heal();
  if (state !== 'complete') throw new Error(`${stream.name} is ${state}: ${message}`);
}

/** What was parked about a stream, in words. */
const parked = async (world: World, { stream }: Tried): Promise<string[]> => {
  const { id } = await streamRow(world, stream.name);
  const found = await rows(
    world,
    'select reason from parked_item where tenant_id = $1 and stream_id = $2 and resolved_at is null',
    [id],
  );
  return found.map((row) => row.reason as string);
};

/** Each stream with three records the hub knows, the second of which is about to be odd. */
async function known(world: World): Promise<{ one: Tried; odd: string; others: string[] }[]> {
  const made = asked(world).map((one) => ({ one, ids: one.vendor.create(3) }));
  await readAll(world);
  return made.map(({ one, ids }) => ({ one, odd: ids[1]!, others: [ids[0]!, ids[2]!] }));
}

/** The others have what the vendor wrote meanwhile. */
async function expectOthers(world: World, one: Tried, others: readonly string[], mark: string): Promise<void> {
  for (const id of others) await expectMark(world, one, id, mark);
}

const retyped: Case = {
  capability: 'fields',
  name: 'a field of another type spares its record, or parks it with a sentence; the others land',
  applies: ifStreams(() => true, ''),
  run: async (world) => {
    for (const { one, odd, others } of await known(world)) {
      for (const [n, value] of [{ odd: true }, [1, [2]], 42, false].entries()) {
        for (const id of others) one.vendor.change(id, `Beside ${n}`);
        await readWith(world, one, odd, (holder, name) => {
          holder[name] = value;
        });
        await expectOthers(world, one, others, `Beside ${n}`);
        expect(await live(world, one.stream.name), one.stream.name).toContain(odd);
        for (const reason of await parked(world, one)) expect(reason, one.stream.name).toMatch(/^\S.*\S$/);
      }
      // Of its old type again, nothing is parked any more.
      await restart(world, one.stream.name);
      pass(world, HOUR);
      await readAll(world, [one.stream.name]);
      await expectSame(world, one);
      expect(await parked(world, one), one.stream.name).toEqual([]);
    }
  },
};

const removed: Case = {
  capability: 'fields',
  name: 'a field that is gone, or null, spares its record and the others',
  applies: ifStreams(() => true, ''),
  run: async (world) => {
    for (const { one, odd, others } of await known(world)) {
      for (const id of others) one.vendor.change(id, 'Still there');
      await readWith(world, one, odd, (holder, name) => {
        delete holder[name];
      });
      await readWith(world, one, odd, (holder, name) => {
        holder[name] = null;
      });
      await expectOthers(world, one, others, 'Still there');
      expect(await live(world, one.stream.name), one.stream.name).toContain(odd);
    }
  },
};

const FIVE_MB = 5 * 1024 * 1024;

/** Nobody mapped it, and somebody did. */
const large5MB: readonly ((holder: Row, name: string) => void)[] = [
  (holder) => {
    holder.custom_large = 'large '.repeat(FIVE_MB / 6);
  },
  (holder, name) => {
    holder[name] = 'large '.repeat(FIVE_MB / 6);
  },
];

const large: Case = {
  capability: 'fields',
  name: 'a field of 5 MB, and text a database cannot hold, cost their own record at most',
  applies: ifStreams(() => true, ''),
  run: async (world) => {
    for (const [n, { one, odd, others }] of (await known(world)).entries()) {
      for (const id of others) one.vendor.change(id, 'Beside it');
      const attacks: ((holder: Row, name: string) => void)[] = [
        // Zero bytes and half a character, which JSON can write and a database cannot keep.
        (holder, name) => {
          holder[name] = 'zero \u0000 and half \ud800 a character';
          holder['custom_\u0000odd'] = 'x';
        },
        // Longer than an index takes, and of a kind that does not shrink.
        (holder, name) => {
          holder[name] = randomBytes(5000).toString('base64');
        },
        ...(n === 0 ? large5MB : []),
      ];
      for (const attack of attacks) {
        await readWith(world, one, odd, attack);
        await expectOthers(world, one, others, 'Beside it');
        if (!(await live(world, one.stream.name)).includes(odd))
          expect(await parked(world, one), one.stream.name).toEqual([expect.stringMatching(/\w+ .*\.?$/)]);
      }
    }
  },
};

const discovers = (stream: Stream, _vendor: StreamTrial): unknown => stream.discover;

const added: Case = {
  capability: 'fields',
  name: 'a field somebody adds at the vendor is discovered, with a name and a type',
  applies: ifStreams(
    (stream, vendor) => discovers(stream, vendor) && vendor.addField,
    'the vendor does not tell its fields',
  ),
  run: async (world) => {
    for (const { stream, vendor } of asked(world).filter(
      ({ stream, vendor }) => discovers(stream, vendor) && vendor.addField,
    )) {
      const name = vendor.addField!('custom_shoe_size') ?? 'custom_shoe_size';
      vendor.create(1);
      await discoverFields(world.hub.hub.deps, world.tenantId, world.connection.id);
      const { id } = await streamRow(world, stream.name);
      const [field] = await rows(
        world,
        'select * from field_definition where tenant_id = $1 and stream_id = $2 and name = $3',
        [id, name],
      );
      expect(field, stream.name).toMatchObject({ custom: true, type: expect.any(String) });
    }
  },
};

export const cases: readonly Case[] = [added, retyped, removed, large];
