import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Reply } from '../src/kit/index.ts';
import { runProofs } from '../src/sync/proofs.ts';
import { Acme, acmeConnector } from './support/acme.ts';
import { AcmeWorld } from './support/acme.world.ts';
import { DAY, HOUR, MINUTE, startTestHub, type TestHub } from './support/hub.ts';

const acme = new Acme();
let hub: TestHub;
let world: AcmeWorld;

beforeAll(async () => {
  hub = await startTestHub({ connectors: [], madeUp: [acmeConnector(acme)] });
});
afterEach(() => world?.close());
afterAll(() => hub?.stop());

const open = async (fill: (acme: Acme) => void): Promise<void> => {
  world = await AcmeWorld.open(hub, acme, fill);
};

const ok = (body: unknown): Reply => ({ status: 200, headers: {}, body });
const missing = async (stream: string): Promise<number> => (await world.stream(stream)).missing;

test('sweep: what a pass misses is asked for by id: what is there stays, what is not is deleted', async () => {
  await open(() => void acme.fill('people', 35));
  acme.remove('people', 'p-0003');
  // The list leaves one out that is there: counted, and answered when asked for.
  acme.before = (what) => {
    if (what !== 'people/list') return undefined;
    acme.hides = (_stream, { id }) => id === 'p-0004';
    return undefined;
  };
  const show = acme.before;
  acme.before = (what, query) => {
    acme.hides = () => false;
    return show(what, query);
  };
  // Its own count agrees with the list, so that the pass itself is proven.
  const counted = (what: string) => (what === 'people/count' ? ok({ count: 33 }) : undefined);
  const both = acme.before;
  acme.before = (what, query) => counted(what) ?? both(what, query);
  const pass = await world.sweep('people');
  expect(pass).toMatchObject({ state: 'proven', result: { missing: 2, found: 1, gone: 1 } });
  expect(await world.living('people')).toHaveLength(34);
  expect(await world.living('people')).toContain('p-0004');
  expect(await missing('people')).toBe(0);
  const [batch] = await world.deletions('applied');
  expect(batch).toMatchObject({ cause: 'sweep', records: 1, evidence: { confirmed: 1, askedById: 2 } });
});

test('sweep: what nobody can be asked for is put aside first and goes after two proven passes', async () => {
  await open(() => void acme.fill('silent', 25));
  acme.remove('silent', 's-0003', 's-0004');
  await world.sweep('silent');
  expect(await world.living('silent')).toHaveLength(25);
  expect(await missing('silent')).toBe(2);
  // A pass that proves nothing does not count.
  acme.before = (what) => (what === 'silent/list' ? ok({ items: [] }) : undefined);
  expect(await world.sweep('silent')).toMatchObject({ state: 'unproven' });
  expect(await world.living('silent')).toHaveLength(25);
  acme.before = undefined;
  // One comes back: it leaves quarantine and has all its passes before it again.
  acme.add('silent', 's-0004');
  await world.sweep('silent');
  expect(await missing('silent')).toBe(0);
  expect(await world.living('silent')).not.toContain('s-0003');
  acme.remove('silent', 's-0004');
  await world.sweep('silent');
  expect(await world.living('silent')).toContain('s-0004');
});

test('sweep: a poll that shows the record ends its quarantine', async () => {
  await open(() => void acme.fill('silent', 12));
  acme.hides = (_stream, { id }) => id === 's-0003';
  await world.sweep('silent');
  expect(await missing('silent')).toBe(1);
  acme.hides = () => false;
  await world.poll('silent');
  expect(await missing('silent')).toBe(0);
});

test('sweep: it runs by itself as often as the connector says, and comes again after one that failed', async () => {
  await open(() => void acme.fill('silent', 12));
  await world.select('update stream set verify_due_at = null where tenant_id = $1');
  acme.remove('silent', 's-0001');
  await hub.advance(6 * DAY);
  expect(await missing('silent')).toBe(0);
  acme.before = (what, query) =>
    what === 'silent/list' && query.after ? { status: 403, headers: {}, body: {} } : undefined;
  await hub.advance(DAY + MINUTE);
  expect(await missing('silent')).toBe(0);
  acme.before = undefined;
  await hub.advance(DAY + HOUR);
  expect(await missing('silent')).toBe(1);
  expect(await world.living('silent')).toHaveLength(12);
  await hub.advance(7 * DAY + HOUR);
  expect(await world.living('silent')).toHaveLength(11);
});

/** Passes that must not be believed, each with what is wrong. */
const UNPROVEN: Record<string, { break: () => void; says: RegExp }> = {
  'a page that failed': {
    break: () => {
      acme.before = (what, { after }) =>
        what === 'people/list' && after ? { status: 403, headers: {}, body: {} } : undefined;
    },
    says: /403|status/,
  },
  'an empty list with status 200': {
    break: () => {
      acme.before = (what) => (what === 'people/list' ? ok({ items: [] }) : undefined);
    },
    says: /listed 0|listed nothing/,
  },
  'a list that ends too early': {
    break: () => {
      acme.before = (what, { after }) => (what === 'people/list' && after ? ok({ items: [] }) : undefined);
    },
    says: /counts 35 .* listed 10/,
  },
  'a page that comes again and again': {
    break: () => {
      acme.before = (what) =>
        what === 'people/list'
          ? ok({ items: [acme.table('people').get('p-0001')], next: `x${Math.random()}` })
          : undefined;
    },
    says: /same page again/,
  },
  'records without an id': {
    break: () => {
      acme.before = (what, { after }) =>
        what === 'people/list' && after ? ok({ items: [...acme.table('people').values(), { name: 'x' }] }) : undefined;
    },
    says: /without an id/,
  },
  'another account': {
    break: () => {
      acme.account = 'acme-2';
    },
    says: /account acme-2/,
  },
  'a vendor that does not count any more': {
    break: () => {
      let asked = 0;
      acme.before = (what) => (what === 'people/count' && ++asked > 1 ? ok({ count: 1000 }) : undefined);
    },
    says: /counts 1000/,
  },
  'a clock that was set back': {
    break: () => {
      let read = 0;
      acme.before = (what) => {
        if (what === 'people/list' && ++read === 2) hub.clock.advance(-HOUR);
        return undefined;
      };
    },
    says: /clock was set back/,
  },
};

test.each(Object.keys(UNPROVEN))('sweep: %s proves nothing and deletes nothing', async (name) => {
  await open(() => void acme.fill('people', 35));
  // Enough to be asked for and found gone, if the pass were believed.
  acme.hides = (_stream, { id }) => id === 'p-0030' && acme.calls.at(-1) === 'people/ids';
  const { break: misbehave, says } = UNPROVEN[name]!;
  misbehave();
  const pass = await world.sweep('people');
  expect(['unproven', 'failed']).toContain(pass.state);
  expect(`${pass.reasons.join(' ')} ${pass.message ?? ''}`).toMatch(says);
  expect(await world.living('people')).toHaveLength(35);
  expect(await missing('people')).toBe(0);
  expect(await world.deletions()).toEqual([]);
});

test('sweep: when half of the records are hidden, the vendor’s own count included, they are held and not deleted', async () => {
  await open(() => void acme.fill('people', 130));
  acme.hides = (_stream, { id }) => Number(id.slice(2)) % 2 === 0;
  const pass = await world.sweep('people');
  expect(pass.result).toMatchObject({ missing: 65, held: 65, gone: 0 });
  expect(await world.living('people')).toHaveLength(130);
  acme.hides = () => false;
  await world.poll('people');
  expect((await world.deletions())[0]).toMatchObject({ state: 'lapsed' });
  expect(await missing('people')).toBe(0);
});

test('sweep: a small stream that vanishes altogether is a question, too', async () => {
  await open(() => void acme.fill('people', 20));
  acme.hides = () => true;
  await world.sweep('people');
  expect(await world.living('people')).toHaveLength(20);
  expect(await world.deletions('held')).toEqual([expect.objectContaining({ records: 20 })]);
});

test('sweep: permissions and settings that changed since the last reading prove nothing', async () => {
  await open(() => void acme.fill('people', 15));
  acme.remove('people', 'p-0001');
  await world.select('update connection set settings = $2 where tenant_id = $1', { view: 'mine' });
  const pass = await world.sweep('people');
  expect(pass.reasons.join()).toMatch(/Settings of the connection were changed/);
  expect(await world.living('people')).toHaveLength(15);
  // Read anew on purpose, it is measured by that.
  await world.api('POST', `/v1/connections/${world.connection.id}/sync`, { full: true });
  await hub.settle();
  expect(await world.sweep('people')).toMatchObject({ state: 'proven', result: { gone: 1 } });
  await world.select("update connection set features = '{}' where tenant_id = $1");
  expect((await world.sweep('people')).reasons.join()).toMatch(/switched off \(read\)/);
});

test('sweep: what is created or changed while it reads is not missing', async () => {
  await open(() => void acme.fill('people', 35));
  let read = 0;
  acme.before = async (what) => {
    if (what !== 'people/list' || ++read !== 3) return undefined;
    hub.clock.advance(MINUTE);
    // Behind the place where it reads, and known to us by webhook.
    acme.add('people', 'p-00015');
    await world.announce('people', 'changed', ['p-00015']);
    return undefined;
  };
  const pass = await world.sweep('people');
  expect(pass).toMatchObject({ state: 'proven', result: { missing: 0 } });
  expect(await world.living('people')).toContain('p-00015');
});

test('sweep: killed between two pages it goes on from the same page, and never doubles', async () => {
  await open(() => void acme.fill('silent', 45));
  acme.remove('silent', 's-0003');
  expect(await world.sweep('silent', 2)).toMatchObject({ state: 'waiting', pages: 2 });
  const pass = async () => {
    const { proofs } = await runProofs(hub.hub.deps, world.tenantId, world.connection.id, { most: 100 });
    return proofs[0];
  };
  // Whoever was killed still has it in hand.
  await world.select(
    "update stream_pass set lease_owner = 'killed', lease_until = $2 where tenant_id = $1 and ended_at is null",
    new Date(hub.clock.now().getTime() + MINUTE),
  );
  expect(await pass()).toMatchObject({ state: 'busy' });
  hub.clock.advance(2 * MINUTE);
  acme.taken();
  expect(await pass()).toMatchObject({ state: 'proven', pages: 5 });
  expect(acme.taken().filter((call) => call === 'silent/list')).toHaveLength(3);
  expect(await missing('silent')).toBe(1);
});

test('sweep: killed after the last page, a pass counts once', async () => {
  await open(() => void acme.fill('people', 15));
  acme.remove('people', 'p-0003');
  acme.before = (what) => {
    if (what === 'people/ids') throw new Error('killed');
    return undefined;
  };
  expect(await world.sweep('people')).toMatchObject({ state: 'waiting' });
  const passes = () =>
    world.select('select missing_passes from source_record where tenant_id = $1 and missing_since is not null');
  expect(await passes()).toEqual([{ missing_passes: 1 }]);
  acme.before = undefined;
  expect(await world.sweep('people')).toMatchObject({ state: 'proven', result: { gone: 1 } });
  expect(await world.living('people')).toHaveLength(14);
});

test('sweep: marks lost in a crash of the database prove nothing', async () => {
  await open(() => void acme.fill('silent', 45));
  await world.sweep('silent', 2);
  await world.select('delete from pass_seen where tenant_id = $1');
  const pass = await world.sweep('silent');
  expect(pass).toMatchObject({ state: 'unproven', reasons: [expect.stringContaining('crash')] });
  expect(await missing('silent')).toBe(0);
});

test('sweep: two at once are one', async () => {
  await open(() => void acme.fill('silent', 45));
  acme.remove('silent', 's-0003');
  const passes = await Promise.all([world.sweep('silent'), world.sweep('silent')]);
  const states = passes.map((pass) => pass?.state).sort();
  expect(states[0] === 'busy' || states.includes('proven')).toBe(true);
  expect(await world.living('silent')).toContain('s-0003');
  const [row] = await world.select(
    'select missing_passes from source_record where tenant_id = $1 and missing_since is not null',
  );
  expect(row!.missing_passes).toBe(1);
});

test('sweep: what it meets and nobody has is fetched', async () => {
  await open(() => void acme.fill('people', 15));
  // Lost here, as if it had never come.
  await world.select("delete from source_record where tenant_id = $1 and remote_id = 'p-0007'");
  expect(await world.sweep('people')).toMatchObject({ state: 'proven', result: { lost: 1 } });
  expect(await world.living('people')).toContain('p-0007');
});
