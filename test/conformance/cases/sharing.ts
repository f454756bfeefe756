import { expect } from 'vitest';
import type { Case, World } from '../case.ts';
import { expectSame, HOUR, hookOf, live, MINUTE, pass, post, send } from '../look.ts';
import { news, oneOf, posts } from './hooks.ts';

/** Ends a connection as a person does, over the API. */
const revoke = ({ api, connection }: Pick<World, 'api' | 'connection'>) =>
  api('DELETE', `/v1/connections/${connection.id}`);

const revoking: Case = {
  capability: 'hooks',
  name: 'a post for a connection that is being revoked brings nothing back, whichever comes first',
  applies: posts,
  run: async (world) => {
    const tried = oneOf(world);
    const { name } = tried.stream;
    const again = async (): Promise<World> => {
      const other = { ...world, ...(await world.connectAgain()) };
      if (world.connector.webhooks!.scope === 'connection') world.vendor.hookUrl = other.connection.webhookUrl;
      return other;
    };
    // The post first: it was taken, and the connection ends before anybody works on it.
    const first = news(world, tried, 'before');
    await world.hub.hub.queue.idle();
    const [taken, ended] = await Promise.all([post(first.post), revoke(world)]);
    expect([taken, ended.status]).toEqual([expect.any(Number), 204]);
    await world.hub.hub.queue.idle();
    await expectQuiet(world, name);
    // The end first: the vendor does not know yet.
    const other = await again();
    const second = news(other, tried, 'after');
    expect((await revoke(other)).status).toBe(204);
    const status = await send(other, second.post);
    expect(status, 'what comes too late is taken for nobody, or has no address any more').toBeLessThan(500);
    await expectQuiet(other, name);
    expect(await live(other, name)).not.toContain(second.id);
    // Somebody who is connected hears of it as ever.
    const third = await again();
    const last = news(third, tried, 'later');
    expect(await send(third, last.post)).toBeLessThan(300);
    expect(await live(third, name, third)).toContain(last.id);
  },
};

/** Nothing waits to be fetched for a connection that is no more, and its end stands. */
async function expectQuiet(world: World, stream: string): Promise<void> {
  const { body } = await world.api('GET', `/v1/connections/${world.connection.id}`);
  expect(body.state).toBe('revoked');
  const before = await live(world, stream);
  const calls = world.trial.calls().length;
  pass(world, HOUR);
  await world.hub.settle();
  expect(await live(world, stream)).toEqual(before);
  expect(world.trial.calls().slice(calls), 'calls for a connection that is no more').toEqual([]);
}

const shared: Case = {
  capability: 'hooks',
  name: 'two businesses that connected the same account are both told, and see nothing of each other',
  applies: posts,
  run: async (world) => {
    const tried = oneOf(world);
    const { stream, vendor } = tried;
    const other = await world.connectAgain();
    const addresses =
      world.connector.webhooks!.scope === 'app'
        ? [world.vendor.hookUrl]
        : [world.connection.webhookUrl, other.connection.webhookUrl];
    expect(new Set(addresses).size).toBe(addresses.length);
    const [id] = vendor.create(1) as [string];
    for (const [n, url] of addresses.entries()) {
      world.vendor.hookUrl = url;
      expect(
        await send(world, hookOf(world, { stream: stream.name, id, change: 'changed', event: `shared-${n}` })),
      ).toBeLessThan(300);
    }
    for (const who of [world, other]) await expectSame(world, tried, who);
    for (const who of [world, other]) {
      const { body } = await who.api('GET', '/v1/connections');
      expect(body.items.map((item: { id: string }) => item.id)).toEqual([who.connection.id]);
    }
    // The end of one is none of the other.
    expect((await revoke(world)).status).toBe(204);
    vendor.change(id, 'For the other');
    world.vendor.hookUrl = addresses.at(-1);
    pass(world, MINUTE);
    const [next] = vendor.create(1) as [string];
    expect(
      await send(world, hookOf(world, { stream: stream.name, id: next, change: 'changed', event: 'shared-last' })),
    ).toBeLessThan(300);
    expect(await live(world, stream.name, other)).toContain(next);
    expect(await live(world, stream.name, world)).not.toContain(next);
  },
};

export const cases: readonly Case[] = [revoking, shared];
