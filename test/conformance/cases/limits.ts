import { expect } from 'vitest';
import { start as startReceiver } from '../../../connectors/webhook/sandbox.ts';
import type { Connector, Trial } from '../../../src/kit/index.ts';
import { HOUR, MINUTE } from '../../support/hub.ts';
import { callsSince, connectionOf, expectRead, readStream } from '../access.ts';
import { actionOf, expectOnce, kindsOf, plan, planInto, settled, trialOf, wishes, work } from '../acting.ts';
import type { Case, World } from '../case.ts';

const limited = (connector: Connector, trial: Trial): true | string => {
  if (connector.actions.length === 0) return 'it does nothing natively';
  return trial.refusals.rateLimited !== undefined || 'it refuses nobody for speed';
};

const limitedWithDate = (connector: Connector, trial: Trial): true | string => {
  const any = limited(connector, trial);
  if (any !== true) return any;
  return trial.refusals.rateLimited!(new Date()) !== undefined || 'its refusals name no date';
};

const inMinutes = ({ hub }: World, minutes: number): Date => new Date(hub.clock.now().getTime() + minutes * MINUTE);

/** When the calls were that an action makes. */
const timesOf = (world: World, request: RegExp): number[] =>
  world.trial
    .calls()
    .filter(({ call }) => request.test(call))
    .map(({ at }) => at.getTime());

export const cases: readonly Case[] = [
  {
    capability: 'limits',
    name: 'a refusal with a date is kept to the minute: nothing is done before, and everything once after',
    applies: limitedWithDate,
    run: async (world) => {
      await world.hub.settle();
      const until = inMinutes(world, 10);
      const planned = await planInto(
        world,
        () => world.trial.refusals.rateLimited!(until)!,
        kindsOf(world.trial),
        'some',
      );
      for (const { id, kind } of planned)
        expect(await actionOf(world, id), kind).toMatchObject({ state: 'planned', reason: 'rate_limited' });
      const before = world.trial.calls().length;
      for (let minutes = 0; minutes < 9; minutes += 3) {
        world.hub.clock.advance(3 * MINUTE);
        await work(world);
      }
      expect(callsSince(world, before)).toEqual([]);
      const rows = await settled(world, planned);
      await expectOnce(world, planned, rows);
      const first = world.trial.calls()[before]!;
      expect(first.at.getTime()).toBeGreaterThanOrEqual(until.getTime());
    },
  },
  {
    capability: 'limits',
    name: 'reading waits for the date the vendor names, and then reads everything',
    applies: (connector, trial) => {
      if (readStream({ connector, trial }) === undefined) return 'nothing is read';
      if (trial.refusals.rateLimited === undefined) return 'it refuses nobody for speed';
      return trial.refusals.rateLimited(new Date()) !== undefined || 'its refusals name no date';
    },
    run: async (world) => {
      const { trial, hub, vendor } = world;
      const stream = readStream(world)!;
      const { listed, create } = trial.streams[stream]!;
      const sync = async (): Promise<void> => {
        await world.api('POST', `/v1/connections/${world.connection.id}/sync`, {});
        await hub.settle();
      };
      await hub.settle();
      const made = create(7);
      const until = inMinutes(world, 40);
      vendor.faults!.add({ ...trial.refusals.rateLimited!(until)!, match: listed, times: 1 });
      await sync();
      expect(vendor.faults!.inForce()).toEqual([]);
      const asked = timesOf(world, listed).length;
      // Whoever presses the button meanwhile does not make the hub ask, and neither does the time of the next reading.
      for (let minutes = 0; minutes < 36; minutes += 9) {
        hub.clock.advance(9 * MINUTE);
        await sync();
      }
      expect(timesOf(world, listed)).toHaveLength(asked);
      await hub.advance(5 * MINUTE);
      await expectRead(world, stream, made);
      expect(timesOf(world, listed)[asked]).toBeGreaterThanOrEqual(until.getTime());
    },
  },
  {
    capability: 'limits',
    name: 'a refusal without a date is not answered with haste',
    applies: limited,
    run: async (world) => {
      // One kind for each address: of two that share one, nobody could tell whose call comes again.
      const kinds = [
        ...new Map(kindsOf(world.trial).map((kind) => [trialOf(world, kind).request, kind] as const)).values(),
      ];
      const matching = kinds.map((kind) => new RegExp(trialOf(world, kind).request));
      const planned = await planInto(world, () => world.trial.refusals.rateLimited!(undefined)!, kinds, 'some');
      await expectOnce(world, planned, await settled(world, planned));
      const calls = world.trial.calls();
      const waits = calls.flatMap(({ call, at, status }, index) => {
        const again = calls.slice(index + 1).find((later) => later.call === call);
        // Where a call has no status, the first one is the refused one: the fault strikes once.
        const first = calls.findIndex((earlier) => earlier.call === call) === index;
        const refused = status === undefined ? first : status >= 400;
        return refused && again && matching.some((pattern) => pattern.test(call))
          ? [again.at.getTime() - at.getTime()]
          : [];
      });
      expect(waits.length).toBeGreaterThan(0);
      for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(1000);
    },
  },
  {
    capability: 'limits',
    name: 'a storm of refusals loses nothing and doubles nothing',
    applies: limited,
    run: async (world) => {
      const { trial, hub, vendor } = world;
      await hub.settle();
      const stream = readStream(world);
      vendor.faults!.add({ ...trial.refusals.rateLimited!(undefined)!, times: 15, ...stormOf(trial) });
      const planned = await plan(world, [...wishes(world), ...wishes(world)]);
      const made = stream ? trial.streams[stream]!.create(5) : [];
      // Time must not run while something is on its way: that would be another case.
      await work(world);
      for (let steps = 0; steps < 40 && vendor.faults!.inForce().length > 0; steps++) await hub.advance(5 * MINUTE);
      expect(vendor.faults!.inForce()).toEqual([]);
      await hub.advance(HOUR);
      const rows = await settled(world, planned, 240);
      expect(rows.map(({ state }) => state)).toEqual(planned.map(() => 'sent'));
      for (const kind of kindsOf(trial)) {
        const since = Math.min(...planned.filter((one) => one.kind === kind).map(({ before }) => before));
        const ids = rows.filter((row) => row.kind === kind).map(({ receipt }) => receipt.nativeId);
        expect([...trialOf(world, kind).done().slice(since)].sort(), kind).toEqual(ids.sort());
      }
      if (stream) await expectRead(world, stream, made);
      expect((await connectionOf(world)).state).toBe('active');
    },
  },
  {
    capability: 'limits',
    name: 'when the allowance of the day is gone work waits for its date, and other platforms work on',
    applies: (connector, trial) => {
      if (connector.actions.length === 0) return 'it does nothing natively';
      return trial.refusals.quotaExhausted !== undefined || 'it has no allowance for a day or month';
    },
    run: async (world) => {
      const { trial, hub, vendor } = world;
      await hub.settle();
      const pause = trial.refusals.quotaPauseMinutes ?? 300;
      const until = inMinutes(world, pause);
      const remove = vendor.faults!.add(trial.refusals.quotaExhausted!(until));
      const planned = await plan(world);
      await work(world);
      await hub.advance(10 * MINUTE);
      remove();
      for (const { id, kind } of planned)
        expect(await actionOf(world, id), kind).toMatchObject({ state: 'planned', reason: 'rate_limited' });
      const before = trial.calls().length;
      const others = await postElsewhere(world);
      expect(others).toBe('sent');
      // Almost until then, in two steps; ten minutes have passed.
      await hub.advance(0.2 * pause * MINUTE);
      await hub.advance(0.6 * pause * MINUTE);
      expect(callsSince(world, before)).toEqual([]);
      await hub.advance(0.2 * pause * MINUTE);
      await expectOnce(world, planned, await settled(world, planned));
    },
  },
  {
    capability: 'limits',
    name: "the vendor's own limits are never exceeded, by a first load and many actions at once",
    applies: (connector) => connector.limits.length > 0 || 'it has no limits',
    limits: true,
    run: async (world) => {
      const { trial, hub } = world;
      const stream = readStream(world);
      const made = stream ? trial.streams[stream]!.create(250) : [];
      const planned = await plan(world, Array.from({ length: 12 }, () => wishes(world)).flat());
      await hub.settle();
      const rows = await settled(world, planned);
      expect(rows.filter(({ state }) => state !== 'sent')).toEqual([]);
      const refused = trial.calls().filter(({ status }) => status === 429);
      expect(refused.map(({ call }) => call)).toEqual([]);
      if (stream) await expectRead(world, stream, made);
    },
  },
];

/** Where a storm strikes: everywhere, or at what is done where other steps have other refusals. */
function stormOf(trial: Trial): { match?: RegExp } {
  const [kind, ...more] = kindsOf(trial);
  return more.length === 0 && Object.keys(trial.streams).length === 0 ? { match: trial.actions[kind!]!.request } : {};
}

/** The same business posts to another platform. @returns what became of it */
async function postElsewhere(world: World): Promise<string> {
  const receiver = await startReceiver({ clock: world.hub.clock, app: {} });
  try {
    const made = await world.api('POST', '/v1/connections', { connector: 'webhook', settings: receiver.credentials });
    const planned = await world.api('POST', '/v1/actions', {
      kind: 'post_webhook',
      connectionId: made.body.connection.id,
      input: { type: 'invoice.overdue', data: {} },
    });
    await work(world);
    return (await actionOf(world, planned.body.id)).state;
  } finally {
    await receiver.stop();
  }
}
