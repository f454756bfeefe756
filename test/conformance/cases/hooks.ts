import { expect } from 'vitest';
import type { Connector, SignedPost, Stream, StreamTrial, Trial } from '../../../src/kit/index.ts';
import type { Case, World } from '../case.ts';
import {
  expectMark,
  expectSame,
  HOUR,
  hookOf,
  isAsked,
  live,
  MINUTE,
  pass,
  post,
  readAll,
  rows,
  send,
  streamsOf,
  type Tried,
} from '../look.ts';

const isTold = (_stream: Stream, { announced }: StreamTrial): unknown => announced;
const told = ({ connector, trial }: World): Tried[] => streamsOf(connector, trial, isTold);

/** Why a vendor's posts cannot be tried, or true. */
export const posts = (connector: Connector, trial: Trial): true | string => {
  if (!connector.webhooks) return 'it posts nothing';
  return (trial.hook && streamsOf(connector, trial, isTold).length > 0) || 'no post is about a record';
};

/** The first stream there is a post about: refusals do not depend on what a post tells. */
export const oneOf = (world: World): Tried => told(world)[0]!;

/** A new record and the post that tells of it. */
export function news(world: World, { stream, vendor }: Tried, event: string): { id: string; post: SignedPost } {
  const [id] = vendor.create(1) as [string];
  return { id, post: hookOf(world, { stream: stream.name, id, change: 'changed', event }) };
}

const fetched: Case = {
  capability: 'hooks',
  name: 'what a webhook tells of is here at once, as the vendor has it now',
  applies: posts,
  run: async (world) => {
    if (told(world).some(({ stream }) => isAsked(stream))) await readAll(world);
    for (const tried of told(world)) {
      const { stream, vendor } = tried;
      const { id, post: made } = news(world, tried, `made-${stream.name}`);
      // It changes once more while the post is on its way; where it brings the record itself, that is told by another.
      if (stream.fetchByIds) vendor.change(id, 'Changed on the way');
      expect(await send(world, made), stream.name).toBeLessThan(300);
      await expectSame(world, tried);
      if (stream.fetchByIds) await expectMark(world, tried, id, 'Changed on the way');
    }
  },
};

const repeated: Case = {
  capability: 'hooks',
  name: 'the same event twice, in any order and a day later, changes nothing',
  applies: posts,
  run: async (world) => {
    for (const tried of told(world)) {
      const { stream, vendor } = tried;
      const first = news(world, tried, `first-${stream.name}`);
      pass(world, MINUTE);
      vendor.change(first.id, 'Second state');
      const second = hookOf(world, {
        stream: stream.name,
        id: first.id,
        change: 'changed',
        event: `second-${stream.name}`,
      });
      // The later one arrives first, the earlier one twice at the same time.
      await send(world, second);
      const statuses = await Promise.all([post(first.post), post(first.post), post(second)]);
      expect(
        statuses.filter((status) => status >= 300),
        stream.name,
      ).toEqual([]);
      await world.hub.hub.queue.idle();
      await expectSame(world, tried);
      await expectMark(world, tried, first.id, 'Second state');
      const [{ hints }] = (await rows<{ hints: number }>(
        world,
        'select count(*)::int as hints from hint where tenant_id = $1 and stream = $2 and remote_id = $3',
        [stream.name, first.id],
      )) as [{ hints: number }];
      expect(hints, stream.name).toBeLessThan(3);
      // Told again as new: the same events, signed anew and written anew.
      pass(world, HOUR);
      const again = hookOf(world, {
        stream: stream.name,
        id: first.id,
        change: 'changed',
        event: `second-${stream.name}`,
      });
      await send(world, again);
      await expectMark(world, tried, first.id, 'Second state');
      await expectSame(world, tried);
    }
  },
};

/** Sends a post that must be refused; nothing of it may be kept. */
async function expectRefused(world: World, bad: SignedPost, what: string): Promise<void> {
  const kept = 'select count(*)::int as n from hook_inbox';
  const before = (await world.hub.hub.db.statement<{ n: number }>(kept)).rows[0]!.n;
  const status = await send(world, bad);
  expect(status, what).toBeGreaterThanOrEqual(400);
  expect(status, what).toBeLessThan(500);
  expect((await world.hub.hub.db.statement<{ n: number }>(kept)).rows[0]!.n, `${what} was kept`).toBe(before);
}

/** Headers of a post that say who it is from: those that differ once something else is signed. */
function signatureHeaders(world: World): string[] {
  const { stream, vendor } = oneOf(world);
  const [one, other] = vendor
    .create(2)
    .map((id) => hookOf(world, { stream: stream.name, id, change: 'changed', event: `signed-${id}` }));
  return Object.keys(one!.headers).filter(
    (name) => /signature|hmac/i.test(name) && one!.headers[name] !== other!.headers[name],
  );
}

/** What is wrong with a post that says who it is from in a signature. */
async function expectSigned(world: World, good: SignedPost, id: string): Promise<void> {
  const names = signatureHeaders(world);
  expect(names.length).toBeGreaterThan(0);
  const without = Object.fromEntries(Object.entries(good.headers).filter(([name]) => !names.includes(name)));
  await expectRefused(world, { ...good, headers: without }, 'unsigned');
  for (const name of names) {
    const signature = good.headers[name]!;
    const forged = `${signature.slice(0, -6)}${signature.at(-6) === 'A' ? 'B' : 'A'}${signature.slice(-5)}`;
    await expectRefused(world, { ...good, headers: { ...good.headers, [name]: forged } }, `forged ${name}`);
    await expectRefused(world, { ...good, headers: { ...good.headers, [name]: '' } }, `empty ${name}`);
    await expectRefused(
      world,
      {
        ...good,
        headers: {
          ...good.headers,
          [name]: 'ä'
            .repeat(20)
            .normalize('NFD')
            .replace(/[^ -~]/g, ''),
        },
      },
      `odd ${name}`,
    );
  }
  // One letter of the body is another one; an id, so that a wrong record would be fetched.
  const at = good.body.lastIndexOf(id) + id.length - 1;
  const body = `${good.body.slice(0, at)}${good.body[at] === '7' ? '8' : '7'}${good.body.slice(at + 1)}`;
  await expectRefused(world, { ...good, body }, 'a changed body');
  await expectRefused(world, { ...good, body: `${good.body} ` }, 'a longer body');
  await expectRefused(world, { ...good, body: '' }, 'an empty body');
}

const unsigned: Case = {
  capability: 'hooks',
  name: 'a post without the right signature is refused, and nothing of it is kept',
  applies: posts,
  run: async (world) => {
    const { id, post: good } = news(world, oneOf(world), 'good');
    const forged = world.trial.forged?.(good);
    for (const [n, bad] of (forged ?? []).entries()) await expectRefused(world, bad, `forgery ${n}`);
    if (!forged) await expectSigned(world, good, id);
    // And the good one is taken.
    expect(await send(world, good)).toBeLessThan(300);
    expect(await live(world, oneOf(world).stream.name)).toContain(id);
  },
};

const rewritten: Case = {
  capability: 'hooks',
  name: 'a post that was taken apart and written anew on its way is refused',
  applies: posts,
  run: async (world) => {
    const { post: good } = news(world, oneOf(world), 'rewritten');
    await expectRefused(
      world,
      { ...good, body: JSON.stringify(JSON.parse(good.body), null, 1) },
      'the same JSON in other bytes',
    );
  },
};

const stale: Case = {
  capability: 'hooks',
  name: 'a post signed an hour ago, or for an hour from now, is refused',
  applies: posts,
  run: async (world) => {
    const { stream, vendor } = oneOf(world);
    const [id] = vendor.create(1) as [string];
    const event = { stream: stream.name, id, change: 'changed' as const, event: 'stale' };
    const now = world.hub.clock.now().getTime();
    for (const away of [-HOUR, HOUR])
      await expectRefused(world, world.trial.hook!(event, new Date(now + away)), `${away} ms away`);
    expect(await send(world, hookOf(world, { ...event, event: 'fresh' }))).toBeLessThan(300);
    expect(await live(world, stream.name)).toContain(id);
  },
};

const isJson = (world: Pick<World, 'trial'>, one: Tried): boolean => {
  const { headers } = world.trial.hook!(
    { stream: one.stream.name, id: one.vendor.create(1)[0]!, change: 'changed', event: 'asked' },
    new Date(),
  );
  return /json/.test(headers['content-type'] ?? '');
};

/** Whether another moment makes another post: otherwise no time is signed. */
const signsTime = (world: Pick<World, 'trial'>, one: Tried): boolean => {
  const event = { stream: one.stream.name, id: one.vendor.create(1)[0]!, change: 'changed' as const, event: 'asked' };
  const [now, later] = [0, HOUR].map((ms) => JSON.stringify(world.trial.hook!(event, new Date(ms))));
  return now !== later;
};

const only =
  (holds: (world: Pick<World, 'trial'>, one: Tried) => boolean, otherwise: string): Case['applies'] =>
  (connector, trial) => {
    const any = posts(connector, trial);
    if (any !== true) return any;
    if (trial.forged) return 'posts are not signed: they carry a secret of the connection';
    return holds({ trial }, streamsOf(connector, trial, isTold)[0]!) || otherwise;
  };

const renewed: Case = {
  capability: 'hooks',
  name: 'what we subscribed to is renewed before it ends, again and again, and made anew when it is gone',
  applies: (_connector, trial) => trial.subscriptions !== undefined || 'what we subscribed to does not end',
  run: async (world) => {
    const { trial, hub } = world;
    await hub.settle();
    const first = trial.subscriptions!();
    expect(first.length).toBeGreaterThan(0);
    const ends = Math.max(...first.map(({ endsAt }) => endsAt.getTime()));
    while (hub.clock.now().getTime() < ends + HOUR) {
      await hub.advance(6 * HOUR);
      const now = hub.clock.now();
      const ended = trial.subscriptions!().filter(({ endsAt }) => endsAt <= now);
      expect(ended, now.toISOString()).toEqual([]);
      expect(trial.subscriptions!().length, now.toISOString()).toBe(first.length);
    }
    const { id, post: made } = news(world, oneOf(world), 'after-renewal');
    expect(await send(world, made)).toBeLessThan(300);
    expect(await live(world, oneOf(world).stream.name)).toContain(id);
  },
};

export const cases: readonly Case[] = [
  renewed,
  fetched,
  repeated,
  unsigned,
  {
    ...rewritten,
    applies: only(isJson, 'the signature is over the parameters of a form, in whatever bytes they come'),
  },
  { ...stale, applies: only(signsTime, 'no time is signed: a replay is known by its event') },
];
