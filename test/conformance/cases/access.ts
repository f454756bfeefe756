import { expect } from 'vitest';
import type { Connector, Trial } from '../../../src/kit/index.ts';
import { handlersOf } from '../../support/handlers.ts';
import { HOUR, MINUTE } from '../../support/hub.ts';
import { authoriseAgain, callsSince, connectionOf, enterKeys, expectRead, readStream } from '../access.ts';
import { actionOf, doneSince, expectOnce, kindsOf, plan, planInto, settled, trialOf, wishes, work } from '../acting.ts';
import type { Case, World } from '../case.ts';
import { afterPage, expectSame, ifStreams, isPaged, readAll, streamsOf } from '../look.ts';

const tokensEnd = (connector: Connector, trial: Trial): true | string => {
  if (connector.auth.kind !== 'oauth2') return 'it is connected with keys, which do not end by themselves';
  return trial.grants?.expire !== undefined || 'its access tokens do not end';
};

/** Takes our access away, by whatever way the vendor has. @returns gives it back where that is not ours to do */
function takeAway({ trial, vendor }: World): () => void {
  if (trial.grants) {
    trial.grants.revoke();
    return () => {};
  }
  return vendor.faults!.add(trial.refusals.revoked!());
}

const canBeTakenAway = (_connector: Connector, trial: Trial): true | string =>
  trial.grants !== undefined || trial.refusals.revoked !== undefined || 'nobody asks who we are there';

export const cases: readonly Case[] = [
  {
    capability: 'access',
    name: 'a token that ends while several work is refreshed once',
    applies: tokensEnd,
    run: async (world) => {
      await world.hub.settle();
      const { grants } = world.trial;
      const before = { ...grants!.counts };
      grants!.expire!();
      const handlers = handlersOf(world.hub.hub);
      const { tenantId, connection } = world;
      const reading = world.api('POST', `/v1/connections/${connection.id}/sync`, {});
      const planned = await plan(world);
      await Promise.all([
        reading,
        handlers.get('dispatch')!({ tenantId }),
        handlers.get('dispatch')!({ tenantId }),
        handlers.get('read')!({ tenantId, connectionId: connection.id }),
      ]);
      await expectOnce(world, planned, await settled(world, planned));
      expect(grants!.counts).toMatchObject({ refreshes: before.refreshes + 1, reused: 0 });
    },
  },
  {
    capability: 'access',
    name: 'a token that ends between two pages costs one refresh and no record',
    applies: (connector, trial) => {
      const end = tokensEnd(connector, trial);
      return end !== true ? end : ifStreams(isPaged, 'every list is one answer')(connector, trial);
    },
    run: async (world) => {
      const { trial, vendor, connector } = world;
      const [tried] = streamsOf(connector, trial, isPaged).sort((one, other) => one.page - other.page);
      const { stream, vendor: theirs, page } = tried!;
      await world.hub.settle();
      const { counts } = trial.grants!;
      const before = counts.refreshes;
      theirs.create(page > 500 ? page + 1 : 2 * page + 1);
      let ended = 0;
      vendor.faults!.add(
        afterPage(tried!, 1, () => {
          ended += 1;
          trial.grants!.expire!();
        }),
      );
      await readAll(world, [stream.name]);
      expect(ended).toBe(1);
      expect(counts).toMatchObject({ refreshes: before + 1, reused: 0 });
      await expectSame(world, tried!);
    },
  },
  {
    capability: 'access',
    name: 'a refused token is refreshed and the same thing asked again, once',
    applies: (connector, trial) => {
      const end = tokensEnd(connector, trial);
      return end !== true ? end : trial.refusals.expired !== undefined || 'its refusals do not say so';
    },
    run: async (world) => {
      await world.hub.settle();
      const [kind] = kindsOf(world.trial);
      const { counts } = world.trial.grants!;
      const before = counts.refreshes;
      const planned = await planInto(world, world.trial.refusals.expired!, [kind!]);
      await expectOnce(world, planned, await settled(world, planned));
      expect(counts).toMatchObject({ refreshes: before + 1, reused: 0 });
    },
  },
  {
    capability: 'access',
    name: 'a vendor that refuses every token, fresh ones too, is not asked for ever',
    applies: (connector, trial) => {
      const end = tokensEnd(connector, trial);
      return end !== true ? end : trial.refusals.expired !== undefined || 'its refusals do not say so';
    },
    run: async (world) => {
      await world.hub.settle();
      const [kind] = kindsOf(world.trial);
      const remove = world.vendor.faults!.add({
        ...world.trial.refusals.expired!(),
        match: trialOf(world, kind!).request,
      });
      const before = world.trial.grants!.counts.refreshes;
      const planned = await plan(world, wishes(world, [kind!]));
      await work(world);
      expect(await actionOf(world, planned[0]!.id)).toMatchObject({ state: 'planned' });
      expect((await connectionOf(world)).state).toBe('needs_reauthorisation');
      expect(world.trial.grants!.counts.refreshes).toBe(before + 1);
      remove();
      await authoriseAgain(world);
      await expectOnce(world, planned, await settled(world, planned));
    },
  },
  {
    capability: 'access',
    name: 'a token endpoint that is away for a moment loses nothing and puts nothing in doubt',
    applies: tokensEnd,
    run: async (world) => {
      const { trial, vendor, connector } = world;
      await world.hub.settle();
      const token = connector.auth.kind === 'oauth2' ? connector.auth.token.path : '';
      const match = new RegExp(`^POST .*${token.replaceAll('.', '\\.')}$`);
      for (const fault of [
        { kind: 'cut' },
        { kind: 'status', status: 503 },
        { kind: 'status', status: 429, headers: { 'retry-after': '30' } },
      ] as const) {
        trial.grants!.expire!();
        vendor.faults!.add({ ...fault, match, times: 1 });
        const planned = await plan(world, wishes(world, kindsOf(trial).slice(0, 2)));
        await work(world);
        for (const { id, kind } of planned) expect((await actionOf(world, id)).state, kind).not.toBe('unknown');
        await expectOnce(world, planned, await settled(world, planned));
        expect(vendor.faults!.inForce(), fault.kind).toEqual([]);
        expect((await connectionOf(world)).state).toBe('active');
      }
      expect(trial.grants!.counts.reused).toBe(0);
    },
  },
  {
    capability: 'access',
    name: 'access that was taken away is asked for in words; work waits meanwhile and goes on afterwards',
    applies: canBeTakenAway,
    run: async (world) => {
      const { trial, hub, connector } = world;
      await hub.settle();
      const stream = readStream(world);
      const giveBack = takeAway(world);
      const made = stream ? trial.streams[stream]!.create(3) : [];
      const planned = await plan(world);
      await work(world);
      await hub.advance(20 * MINUTE);
      const asked = await connectionOf(world);
      expect(asked).toMatchObject({ state: 'needs_reauthorisation', health: { ok: false } });
      expect(asked.health.sentence).toContain(connector.name);
      expect(asked.health.sentence).toContain('Nothing is lost');
      for (const { id, kind } of planned)
        expect(await actionOf(world, id), kind).toMatchObject({ state: 'planned', reason: 'connection_unusable' });
      // Nobody knocks at a closed door.
      const before = trial.calls().length;
      await hub.advance(HOUR);
      await hub.advance(6 * HOUR);
      expect(callsSince(world, before)).toEqual([]);

      giveBack();
      await authoriseAgain(world);
      await hub.settle();
      expect(await connectionOf(world)).toMatchObject({ state: 'active', id: world.connection.id });
      await expectOnce(world, planned, await settled(world, planned));
      if (stream) await expectRead(world, stream, made);
    },
  },
  {
    capability: 'access',
    name: 'keys that are refused are told in words before anything is stored',
    applies: (connector, trial) => {
      if (connector.auth.kind === 'oauth2') return "it is connected on the vendor's page";
      return trial.refusals.revoked !== undefined || 'nobody asks who we are there';
    },
    run: async (world) => {
      const other = await world.hub.otherTenant();
      const remove = world.vendor.faults!.add(world.trial.refusals.revoked!());
      const answer = await enterKeys(world, other);
      remove();
      expect(answer.status).toBe(422);
      expect(answer.body.detail).toContain(`${world.connector.name} does not accept these credentials`);
      expect((await other.api('GET', '/v1/connections')).body.items).toEqual([]);
      expect((await enterKeys(world, other)).status).toBe(200);
    },
  },
  {
    capability: 'access',
    name: 'what our access does not cover fails alone and says what is missing',
    applies: (connector, trial) => {
      if (connector.actions.length === 0) return 'it does nothing natively';
      return trial.refusals.forbidden !== undefined || 'it has no permissions';
    },
    run: async (world) => {
      const { fault, permission } = world.trial.refusals.forbidden!;
      const planned = await planInto(world, fault);
      for (const [at, row] of (await settled(world, planned)).entries()) {
        expect(row, JSON.stringify(row)).toMatchObject({ state: 'failed', reason: 'forbidden' });
        expect(row.detail).toMatch(
          permission === undefined ? /permission/i : new RegExp(permission.replaceAll('.', '\\.')),
        );
        expect(doneSince(world, planned[at]!)).toEqual([]);
      }
      // The rest of the connection works on.
      expect((await connectionOf(world)).state).toBe('active');
      const others = await plan(world);
      await expectOnce(world, others, await settled(world, others));
    },
  },
];
