import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { refetchNow } from '../src/sync/refetch.ts';
import { Acme, acmeConnector } from './support/acme.ts';
import { AcmeWorld } from './support/acme.world.ts';
import { DAY, HOUR, startTestHub, type TestHub } from './support/hub.ts';

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

/** Deletes records at the vendor so that the hub learns of it in one go, each stream in its way. */
const WAYS: Record<string, { stream: string; tell: (ids: string[]) => Promise<void> }> = {
  flag: {
    stream: 'flagged',
    tell: async (ids) => {
      for (const id of ids) acme.add('flagged', id, { archived: true });
      await world.poll('flagged');
    },
  },
  tombstones: {
    stream: 'listed',
    tell: async (ids) => {
      acme.remove('listed', ...ids);
      await hub.advance(HOUR);
    },
  },
  refetch: {
    stream: 'people',
    tell: async (ids) => {
      acme.remove('people', ...ids);
      await world.announce('people', 'deleted', ids);
    },
  },
  webhook: {
    stream: 'silent',
    tell: async (ids) => {
      acme.remove('silent', ...ids);
      await world.announce('silent', 'deleted', ids);
    },
  },
  sweep: {
    stream: 'people',
    tell: async (ids) => {
      acme.remove('people', ...ids);
      await world.sweep('people');
    },
  },
};

test.each(Object.keys(WAYS))(
  'deletions: more than the limit learned by %s are held, up to it they happen',
  async (cause) => {
    const { stream, tell } = WAYS[cause]!;
    let ids: string[] = [];
    await open(() => {
      ids = acme.fill(stream, 80);
    });
    await tell(ids.slice(0, 51));
    expect(await world.living(stream)).toEqual(ids);
    const [held] = await world.deletions('held');
    expect(held).toMatchObject({ cause, stream, records: 51, living: 80, allowed: 50, counts: { held: 51 } });
    await world.decide(held!.id, 'refuse');
    await tell(ids.slice(51, 61));
    expect(await world.living(stream)).toEqual([...ids.slice(0, 51), ...ids.slice(61)]);
    expect((await world.deletions('applied'))[0]).toMatchObject({ cause, records: 10 });
  },
);

test('deletions: what is held is told to the owner, with names, and everything else goes on', async () => {
  await open(() => {
    acme.fill('listed', 100);
    acme.fill('people', 5);
  });
  acme.remove('listed', ...(await world.living('listed')).slice(0, 60));
  acme.remove('people', 'p-0001');
  acme.add('listed', 'l-new');
  await hub.advance(HOUR);
  await world.announce('people', 'deleted', ['p-0001']);
  const [held] = await world.deletions('held');
  expect(held!.sentence).toContain('60 of listed would be deleted');
  expect(held!.sample[0]).toEqual({ id: 'l-0000', name: 'Name l-0000' });
  expect((await world.api('GET', `/v1/deletions/${held!.id}`)).body.sample).toHaveLength(60);
  const connection = (await world.api('GET', `/v1/connections/${world.connection.id}`)).body;
  expect(connection.health).toMatchObject({ ok: false, sentence: expect.stringContaining('60 of listed') });
  expect(connection.state).toBe('active');
  const { body: audit } = await world.api('GET', '/v1/audit?action=deletions.held');
  expect(audit.items).toEqual([expect.objectContaining({ data: expect.objectContaining({ records: 60 }) })]);
  expect(await world.living('people')).not.toContain('p-0001');
  expect(await world.living('listed')).toContain('l-new');
  await world.decide(held!.id, 'refuse');
  const after = (await world.api('GET', `/v1/connections/${world.connection.id}`)).body;
  expect(after.health.ok).toBe(true);
});

test('deletions: what is confirmed is deleted once, except what the platform shows again meanwhile', async () => {
  await open(() => void acme.fill('people', 70));
  const ids = await world.living('people');
  acme.remove('people', ...ids.slice(0, 60));
  await world.announce('people', 'deleted', ids.slice(0, 60));
  const [held] = await world.deletions('held');
  // One is seen by the next poll, another only by being asked for once more.
  acme.add('people', ids[0]!);
  await world.poll('people');
  acme.add('people', ids[1]!);
  const twice = await Promise.all([world.decide(held!.id, 'confirm'), world.decide(held!.id, 'confirm')]);
  expect(twice.map(({ status }) => status).sort()).toEqual([202, 409]);
  expect(await world.living('people')).toEqual([ids[0], ids[1], ...ids.slice(60)]);
  const again = await world.decide(held!.id, 'confirm');
  expect(again).toMatchObject({ status: 409, body: { detail: expect.stringContaining('carried out already') } });
  expect((await world.deletions())[0]).toMatchObject({ state: 'applied', counts: { deleted: 58, seen: 2 } });
  const { body } = await world.api('GET', '/v1/audit?action=deletions.confirmed');
  expect(body.items).toHaveLength(1);
});

test('deletions: held ones lapse when the platform shows all of them again', async () => {
  await open(() => void acme.fill('people', 60));
  const ids = await world.living('people');
  acme.remove('people', ...ids);
  await world.announce('people', 'deleted', ids);
  const [held] = await world.deletions('held');
  for (const id of ids) acme.add('people', id);
  await world.poll('people');
  expect((await world.deletions())[0]).toMatchObject({ id: held!.id, state: 'lapsed' });
  expect((await world.decide(held!.id, 'confirm')).status).toBe(409);
  expect(await world.living('people')).toEqual(ids);
});

test('deletions: what was refused stays although the platform repeats it, until it shows the record again', async () => {
  await open(() => void acme.fill('listed', 60));
  const ids = await world.living('listed');
  acme.remove('listed', ...ids);
  await hub.advance(HOUR);
  await world.decide((await world.deletions('held'))[0]!.id, 'refuse');
  await hub.advance(2 * HOUR);
  expect(await world.living('listed')).toEqual(ids);
  expect(await world.deletions()).toHaveLength(1);
  // It is made anew there, seen, and deleted again: that is another deletion.
  acme.stones.get('listed')!.delete(ids[0]!);
  acme.add('listed', ids[0]!);
  await world.poll('listed');
  acme.remove('listed', ids[0]!);
  await hub.advance(2 * HOUR);
  expect(await world.living('listed')).toEqual(ids.slice(1));
});

test('deletions: a mass deletion that comes in small batches counts as one', async () => {
  await open(() => void acme.fill('people', 90));
  const ids = await world.living('people');
  acme.remove('people', ...ids.slice(0, 60));
  await world.announce('people', 'deleted', ids.slice(0, 30));
  await world.announce('people', 'deleted', ids.slice(30, 60));
  expect(await world.living('people')).toEqual(ids.slice(30));
  expect(await world.deletions('held')).toEqual([expect.objectContaining({ records: 30 })]);
});

test('deletions: undoing brings records, people and references back as they were, and triggers nothing', async () => {
  await open(() => {
    acme.fill('listed', 3);
    acme.add('deals', 'd-1', { person: 'l-0001', name: 'Roof' });
  });
  const customers = () =>
    world.select(
      'select id, name, sources, deleted_at is not null as gone from customer where tenant_id = $1 order by name',
    );
  const deal = () => world.select('select name, customer_id, deleted_at from deal where tenant_id = $1');
  const [before, dealBefore] = [await customers(), await deal()];
  acme.remove('listed', 'l-0001');
  acme.remove('deals', 'd-1');
  await hub.advance(HOUR);
  expect((await customers()).filter((row) => row.gone)).toHaveLength(1);
  const batches = await world.deletions('applied');
  expect(batches).toHaveLength(2);
  for (const batch of batches) expect((await world.decide(batch.id, 'undo')).status).toBe(202);
  expect(await customers()).toEqual(before);
  expect(await deal()).toEqual(dealBefore);
  const live = await world.select("select op from change where tenant_id = $1 and op = 'restored' and not processed");
  expect(live).toEqual([]);
  // The list of deleted records still names them: a person wanted them back.
  await hub.advance(2 * HOUR);
  expect(await customers()).toEqual(before);
  const twice = await world.decide(batches[0]!.id, 'undo');
  expect(twice).toMatchObject({ status: 409, body: { detail: expect.stringContaining('undone already') } });
  const { body } = await world.api('GET', '/v1/audit?action=deletions.undone');
  expect(body.items).toHaveLength(2);
});

test('deletions: a record the platform shows again is back by itself', async () => {
  await open(() => void acme.fill('listed', 3));
  acme.remove('listed', 'l-0001');
  await hub.advance(HOUR);
  expect(await world.living('listed')).toEqual(['l-0000', 'l-0002']);
  acme.stones.clear();
  acme.add('listed', 'l-0001');
  await world.poll('listed');
  expect(await world.living('listed')).toEqual(['l-0000', 'l-0001', 'l-0002']);
  const [batch] = await world.deletions('applied');
  await world.decide(batch!.id, 'undo');
  expect((await world.deletions())[0]).toMatchObject({ state: 'undone', counts: { seen: 1 } });
});

test('deletions: after the days for it nothing is undone', async () => {
  await open(() => void acme.fill('listed', 3));
  acme.remove('listed', 'l-0001');
  await hub.advance(HOUR);
  hub.clock.advance(31 * DAY);
  const [batch] = await world.deletions('applied');
  const late = await world.decide(batch!.id, 'undo');
  expect(late).toMatchObject({ status: 409, body: { detail: expect.stringContaining('30 days') } });
  expect(await world.living('listed')).toEqual(['l-0000', 'l-0002']);
});

test('deletions: the right to privacy is neither held nor undone', async () => {
  await open(() => void acme.fill('people', 70));
  const ids = await world.living('people');
  acme.remove('people', ...ids.slice(0, 60));
  await world.announce('people', 'privacy_deleted', ids.slice(0, 60));
  expect(await world.living('people')).toEqual(ids.slice(60));
  const [batch] = await world.deletions('applied');
  expect(batch).toMatchObject({ cause: 'privacy', records: 60, undoUntil: null });
  const undone = await world.decide(batch!.id, 'undo');
  expect(undone).toMatchObject({ status: 409, body: { detail: expect.stringContaining('privacy') } });
});

test('deletions: another business sees and decides nothing of it', async () => {
  await open(() => void acme.fill('listed', 60));
  acme.remove('listed', ...(await world.living('listed')));
  await hub.advance(HOUR);
  const [held] = await world.deletions('held');
  const { api } = await hub.otherTenant();
  expect((await api('GET', '/v1/deletions')).body.items).toEqual([]);
  expect((await api('GET', `/v1/deletions/${held!.id}`)).status).toBe(404);
  for (const decision of ['confirm', 'refuse', 'undo'])
    expect((await api('POST', `/v1/deletions/${held!.id}/${decision}`)).status).toBe(404);
  expect((await api('POST', `/v1/connections/${world.connection.id}/verify`, {})).status).toBe(404);
  expect(await world.deletions('held')).toHaveLength(1);
});

test('deletions: nobody acts on a record whose deletion is held', async () => {
  await open(() => void acme.fill('people', 60));
  const ids = await world.living('people');
  acme.remove('people', ...ids);
  const asked = refetchNow(hub.hub.deps, world.tenantId, world.connection.id, new Map([['people', ids]]));
  await expect(asked).rejects.toThrow(/no longer shows 60 of these records/);
  expect(await world.living('people')).toEqual(ids);
});

test('deletions: how many may go at once is the business’s to say', async () => {
  await open(() => void acme.fill('people', 40));
  const path = '/v1/settings/completeness';
  const { headers, body } = await world.api('GET', path);
  const value = { ...body.value, haltRecords: 2, haltPercent: 10 };
  expect((await world.api('PUT', path, value, { 'if-match': headers.get('etag')! })).status).toBe(200);
  const ids = await world.living('people');
  acme.remove('people', ...ids);
  await world.announce('people', 'deleted', ids.slice(0, 5));
  expect(await world.deletions('held')).toHaveLength(1);
  await world.announce('people', 'deleted', ids.slice(5, 9));
  expect(await world.living('people')).toHaveLength(36);
});
