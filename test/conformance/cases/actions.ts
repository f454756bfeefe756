import { expect } from 'vitest';
import { ACTION_INPUTS, type ActionKind, type Connector, type Trial } from '../../../src/kit/index.ts';
import type { Fault } from '../../../src/kit/sandbox/index.ts';
import { handlersOf } from '../../support/handlers.ts';
import { HOUR } from '../../support/hub.ts';
import {
  actionOf,
  bodiesOf,
  doneSince,
  expectOnce,
  kindsOf,
  plan,
  planInto,
  settled,
  trialOf,
  wishes,
  work,
} from '../acting.ts';
import type { Case, World } from '../case.ts';

const definitionOf = (connector: Connector, kind: ActionKind) =>
  connector.actions.find((action) => action.kind === kind)!;

/** Kinds whose earlier try can be recognised somehow. */
const recognised = ({ connector, trial }: Pick<World, 'connector' | 'trial'>): ActionKind[] =>
  kindsOf(trial).filter((kind) => definitionOf(connector, kind).idempotency.kind !== 'none');

const unrecognised = (world: Pick<World, 'connector' | 'trial'>): ActionKind[] =>
  kindsOf(world.trial).filter((kind) => !recognised(world).includes(kind));

const acts = (connector: Connector): true | string => connector.actions.length > 0 || 'it does nothing natively';

const actsRecognised = (connector: Connector, trial: Trial): true | string => {
  if (connector.actions.length === 0) return 'it does nothing natively';
  return recognised({ connector, trial }).length > 0 || 'no earlier try can be recognised: it is never repeated';
};

/** Each meets a fault at its request and is done once in the end. */
async function onceDespite(world: World, fault: () => Fault, kinds: readonly ActionKind[]): Promise<void> {
  const planned = await planInto(world, fault, kinds);
  await expectOnce(world, planned, await settled(world, planned));
}

export const cases: readonly Case[] = [
  {
    capability: 'actions',
    name: 'every action is done once and answered with what the vendor made, and a link where there is one',
    applies: acts,
    run: async (world) => {
      expect(kindsOf(world.trial).sort()).toEqual(world.connector.actions.map(({ kind }) => kind).sort());
      const planned = await plan(world);
      const rows = await settled(world, planned);
      await expectOnce(world, planned, rows);
      for (const [at, { kind }] of planned.entries()) {
        const { url } = rows[at]!.receipt;
        if (trialOf(world, kind).link) expect(new URL(url).protocol, kind).toBe('https:');
        else expect(url, `${kind} has a link the trial does not know of`).toBeNull();
        expect(rows[at]!.attempts, kind).toBe(1);
      }
    },
  },
  {
    capability: 'actions',
    name: 'an input of the wrong form is refused with the name of the field, and nothing is planned',
    applies: acts,
    run: async (world) => {
      for (const body of await bodiesOf(world, wishes(world))) {
        for (const member of Object.keys(ACTION_INPUTS[body.kind as ActionKind].properties)) {
          const takesAll = Object.keys(ACTION_INPUTS[body.kind as ActionKind].properties[member as never]).length === 0;
          if (takesAll) continue;
          const input = { ...body.input, [member]: [{ wrong: true }] };
          const answer = await world.api('POST', '/v1/actions', { ...body, input });
          expect(answer.status, `${body.kind}.${member}`).toBe(422);
          expect(JSON.stringify(answer.body.errors ?? answer.body), `${body.kind}.${member}`).toContain(member);
        }
      }
      expect((await world.api('GET', '/v1/actions')).body.items).toEqual([]);
      // What only this platform knows is checked where it is about to go there, and waits for a person.
      for (const wish of wishes(world)) {
        for (const member of Object.keys(definitionOf(world.connector, wish.kind).extra?.properties ?? {})) {
          const [planned] = await plan(world, [{ ...wish, input: { ...wish.input, [member]: [{ wrong: true }] } }]);
          await work(world);
          const held = await actionOf(world, planned!.id);
          expect(held, `${wish.kind}.${member}`).toMatchObject({ held: true, reason: 'content_incomplete' });
          expect(held.detail).toContain(member);
          expect(doneSince(world, planned!)).toEqual([]);
        }
      }
    },
  },
  {
    capability: 'actions',
    name: 'a lost answer is looked into: what the vendor did is done once',
    applies: actsRecognised,
    run: (world) => onceDespite(world, () => ({ kind: 'cut_after' }), recognised(world)),
  },
  {
    capability: 'actions',
    name: 'what broke off before the vendor did it is done once afterwards',
    applies: actsRecognised,
    run: (world) => onceDespite(world, () => ({ kind: 'cut' }), recognised(world)),
  },
  {
    capability: 'actions',
    name: 'an answer that cannot be read, after the vendor did it, makes no second one',
    applies: actsRecognised,
    run: async (world) => {
      await onceDespite(world, () => ({ kind: 'malformed' }), recognised(world));
      await onceDespite(world, () => ({ kind: 'truncated' }), recognised(world));
    },
  },
  {
    capability: 'actions',
    name: 'a vendor that is away for a moment is tried again, once it is back',
    applies: acts,
    run: (world) => onceDespite(world, world.trial.refusals.unavailable, kindsOf(world.trial)),
  },
  {
    capability: 'actions',
    name: 'a slow answer is waited for',
    applies: acts,
    run: (world) => onceDespite(world, () => ({ kind: 'slow', milliseconds: 150 }), kindsOf(world.trial)),
  },
  {
    capability: 'actions',
    name: 'a lost answer that nothing can be asked about stays unknown for a person and is never repeated',
    applies: (connector, trial) => {
      if (connector.actions.length === 0) return 'it does nothing natively';
      return unrecognised({ connector, trial }).length > 0 || 'every earlier try can be recognised';
    },
    run: async (world) => {
      for (const [kind, times] of [
        ['cut_after', 1],
        ['malformed', 1],
        ['cut', 0],
      ] as const) {
        const planned = await planInto(world, () => ({ kind }), unrecognised(world));
        for (let half = 0; half < 4; half++) {
          world.hub.clock.advance(12 * HOUR);
          await work(world);
        }
        for (const one of planned) {
          const row = await actionOf(world, one.id);
          expect(row, one.kind).toMatchObject({ state: 'unknown', attempts: 1 });
          expect(row.detail, one.kind).toContain('A person decides');
          expect(doneSince(world, one), one.kind).toHaveLength(times);
        }
      }
    },
  },
  {
    capability: 'actions',
    name: 'an index that shows what we made late makes no second one',
    applies: (connector, trial) => {
      if (connector.actions.length === 0) return 'it does nothing natively';
      return marked({ connector, trial }).length > 0 || 'no earlier try is looked for in an index';
    },
    run: async (world) => {
      const longest = Math.min(...marked(world).map((kind) => settleOf(world, kind)));
      world.vendor.lateIndexMs = longest * 1000;
      try {
        await onceDespite(world, () => ({ kind: 'cut_after' }), marked(world));
      } finally {
        world.vendor.lateIndexMs = 0;
      }
    },
  },
  {
    capability: 'actions',
    name: "the vendor's refusal of a second one of ours is the receipt of the first",
    applies: (_connector, trial) =>
      kindsOf(trial).some((kind) => trial.actions[kind]!.refusesTwins) || 'the vendor refuses no second one itself',
    run: async (world) => {
      const kinds = kindsOf(world.trial).filter((kind) => trialOf(world, kind).refusesTwins);
      // The look-up never finds anything, so the hub tries again.
      world.vendor.lateIndexMs = 24 * HOUR;
      try {
        await onceDespite(world, () => ({ kind: 'cut_after' }), kinds);
      } finally {
        world.vendor.lateIndexMs = 0;
      }
    },
  },
  {
    capability: 'actions',
    name: 'what the vendor refuses is told in its words and not tried again',
    applies: (connector, trial) => {
      if (connector.actions.length === 0) return 'it does nothing natively';
      return trial.refusals.invalid !== undefined || 'its refusals give no reason';
    },
    run: async (world) => {
      const reason = 'The moon is in the wrong quarter';
      const planned = await planInto(world, () => world.trial.refusals.invalid!(reason));
      for (const [at, row] of (await settled(world, planned)).entries()) {
        expect(row, JSON.stringify(row)).toMatchObject({ state: 'failed', reason: 'invalid', attempts: 1 });
        expect(row.detail).toContain(reason);
        expect(doneSince(world, planned[at]!)).toEqual([]);
      }
    },
  },
  {
    capability: 'actions',
    name: 'an input that cannot be done fails once, with its kind and a reason for people',
    applies: (connector, trial) => {
      if (connector.actions.length === 0) return 'it does nothing natively';
      return (
        kindsOf(trial).some((kind) => trial.actions[kind]!.refused) ||
        'the simulation takes every input of the right form'
      );
    },
    run: async (world) => {
      const cases = kindsOf(world.trial).flatMap((kind) =>
        (trialOf(world, kind).refused ?? []).map((refused) => ({ ...refused, action: kind })),
      );
      const planned = await plan(
        world,
        cases.map(({ action, input }) => ({ kind: action, input })),
      );
      const rows = await settled(world, planned);
      for (const [at, { action, kind, input }] of cases.entries()) {
        const told = `${action} ${JSON.stringify(input)}: ${JSON.stringify(rows[at])}`;
        expect(rows[at], told).toMatchObject({ state: 'failed', reason: kind });
        // A sentence, and not what a program says to another.
        expect(rows[at]!.detail, told).toMatch(/^[^{}[\]]{15,}$/);
        expect(doneSince(world, planned[at]!), told).toEqual([]);
      }
      expect((await world.api('GET', `/v1/connections/${world.connection.id}`)).body.state).toBe('active');
    },
  },
  {
    capability: 'actions',
    name: 'asked for twice with one key and worked on by several at once, it is done once',
    applies: acts,
    run: async (world) => {
      const kinds = kindsOf(world.trial);
      const bodies = await bodiesOf(world, wishes(world));
      const before = new Map(kinds.map((kind) => [kind, trialOf(world, kind).done().length]));
      const keys = kinds.map((kind) => `once-${kind}-${world.tenantId}`);
      const ask = async (at: number): Promise<string> => {
        // Somebody who is told that it is being worked on asks again.
        for (;;) {
          const { status, body } = await world.api('POST', '/v1/actions', bodies[at], { 'idempotency-key': keys[at]! });
          if (status === 202) return body.id;
          expect(status, JSON.stringify(body)).toBe(409);
        }
      };
      // Slow enough for all of them to be at it at the same time.
      for (const kind of kinds)
        world.vendor.faults!.add({ kind: 'slow', milliseconds: 100, times: 1, match: trialOf(world, kind).request });
      const dispatch = handlersOf(world.hub.hub).get('dispatch')!;
      const workers = Promise.all(Array.from({ length: 3 }, () => dispatch({ tenantId: world.tenantId })));
      const ids = await Promise.all(kinds.map((_kind, at) => Promise.all([ask(at), ask(at), ask(at)])));
      await workers;
      for (const answers of ids) expect(new Set(answers).size).toBe(1);
      const planned = kinds.map((kind, at) => ({ kind, id: ids[at]![0]!, before: before.get(kind)! }));
      await expectOnce(world, planned, await settled(world, planned));
      // And it stays so when everything is worked on again.
      await Promise.all(Array.from({ length: 3 }, () => work(world)));
      await expectOnce(world, planned, await settled(world, planned));
    },
  },
  {
    capability: 'actions',
    name: 'a preview shows the exact request and does nothing',
    applies: acts,
    run: async (world) => {
      const kinds = kindsOf(world.trial);
      const before = kinds.map((kind) => trialOf(world, kind).done().length);
      for (const body of await bodiesOf(world, wishes(world))) {
        const answer = await world.api('POST', '/v1/actions', { ...body, preview: true });
        expect(answer.body, body.kind).toMatchObject({ verdict: 'allow', request: { method: expect.any(String) } });
        expect(JSON.stringify(answer.body.request), body.kind).not.toMatch(/bearer|authorization/i);
      }
      expect(kinds.map((kind) => trialOf(world, kind).done().length)).toEqual(before);
      expect((await world.api('GET', '/v1/actions')).body.items).toEqual([]);
    },
  },
];

/** Kinds whose earlier try is searched for by our mark. */
function marked({ connector, trial }: Pick<World, 'connector' | 'trial'>): ActionKind[] {
  return kindsOf(trial).filter((kind) => definitionOf(connector, kind).idempotency.kind === 'marker');
}

function settleOf({ connector }: World, kind: ActionKind): number {
  const { idempotency } = definitionOf(connector, kind);
  return idempotency.kind === 'marker' ? idempotency.settleSeconds : 0;
}
