import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { VendorError } from '../src/kit/index.ts';
import { Acme, acmeConnector } from './support/acme.ts';
import { AcmeWorld } from './support/acme.world.ts';
import { DAY, HOUR, MINUTE, startTestHub, type TestHub } from './support/hub.ts';

const acme = new Acme();
let hub: TestHub;
let world: AcmeWorld;

beforeAll(async () => {
  hub = await startTestHub({ connectors: ['webhook'], madeUp: [acmeConnector(acme)] });
});
afterEach(() => world?.close());
afterAll(() => hub?.stop());

const open = async (fill: (acme: Acme) => void): Promise<void> => {
  world = await AcmeWorld.open(hub, acme, fill);
};

const OLD = '2026-02-01T12:00:30.000Z';

test('verify: one record of 5,000 that never came is found and repaired by reading a hundredth of the pages', async () => {
  await open(() => void acme.fill('counted', 5000));
  hub.clock.advance(HOUR);
  // Dated long before our cursor: no poll will ever show it.
  acme.add('counted', 'late', { updated: OLD });
  await world.poll('counted');
  expect(await world.living('counted')).not.toContain('late');
  acme.taken();
  const proof = await world.verify('counted');
  expect(proof).toMatchObject({
    state: 'proven',
    method: 'counts',
    result: { vendor: 5001, here: 5001, drifted: 1, repaired: 1, lost: 1, differing: 0, missing: 0 },
  });
  expect(proof.result.buckets).toBeGreaterThanOrEqual(4);
  const calls = acme.taken();
  // 501 pages hold everything. The first of these is the poll that comes before.
  expect(calls.filter((call) => call === 'counted/since').length).toBeLessThanOrEqual(5);
  expect(calls.length).toBeLessThan(50);
  expect(await world.living('counted')).toContain('late');
  const live = await world.select("select op from change where tenant_id = $1 and origin = 'live'");
  expect(live).toEqual([]);
  const shown = (await world.stream('counted')).completeness;
  expect(shown).toMatchObject({ state: 'proven', figures: { repaired: 1 }, endedAt: expect.any(String) });
  const { body } = await world.api('GET', '/v1/audit?action=stream.verified');
  expect(body.items[0].data).toMatchObject({ stream: 'counted', lost: 1 });
});

test('verify: what is here and not at the platform is asked for by id, then gone', async () => {
  await open(() => void acme.fill('counted', 60));
  hub.clock.advance(HOUR);
  acme.remove('counted', 'c-0007', 'c-0042');
  const proof = await world.verify('counted');
  expect(proof).toMatchObject({ state: 'proven', result: { vendor: 58, here: 58, missing: 2 } });
  expect(await world.living('counted')).toHaveLength(58);
  expect((await world.deletions('applied'))[0]).toMatchObject({ cause: 'refetch', records: 2 });
});

test('verify: too many that are here and not at the platform are held, and the proof says so', async () => {
  await open(() => void acme.fill('counted', 130));
  hub.clock.advance(HOUR);
  acme.hides = (_stream, { id }) => Number(id.slice(2)) % 2 === 0;
  const proof = await world.verify('counted');
  expect(proof.state).toBe('unproven');
  expect(proof.reasons).toEqual(['65 deletions wait for a decision.']);
  expect(proof.result).toMatchObject({ vendor: 65, here: 130, missing: 65, held: 65 });
  expect(await world.living('counted')).toHaveLength(130);
  expect(await world.deletions('held')).toEqual([expect.objectContaining({ cause: 'refetch', records: 65 })]);
});

test('verify: what changes while it counts is no difference', async () => {
  await open(() => void acme.fill('counted', 60));
  hub.clock.advance(HOUR);
  let counted = 0;
  acme.before = (what) => {
    if (what === 'counted/count' && ++counted === 1)
      acme.add('counted', 'c-0003', { name: 'Changed', updated: hub.clock.now().toISOString() });
    return undefined;
  };
  const proof = await world.verify('counted');
  expect(proof).toMatchObject({ state: 'proven', result: { drifted: 0, lost: 0, missing: 0 } });
  const rows = await world.select("select name from customer where tenant_id = $1 and name = 'Changed'");
  expect(rows).toHaveLength(1);
});

test('verify: where nobody counts, everything is read and contents are compared', async () => {
  await open(() => void acme.fill('people', 35));
  hub.clock.advance(2 * DAY);
  // Tampered with and lost, as by a restored backup.
  await world.select(
    "update source_record set payload = '{}', hash = '\\x00' where tenant_id = $1 and remote_id = 'p-0002'",
  );
  await world.select("delete from source_record where tenant_id = $1 and remote_id = 'p-0020'");
  acme.remove('people', 'p-0005');
  const proof = await world.verify('people');
  expect(proof).toMatchObject({
    state: 'proven',
    method: 'list',
    pages: 4,
    result: { vendor: 34, drifted: 1, repaired: 1, lost: 1, differing: 1, missing: 1, gone: 1 },
  });
  const again = await world.verify('people');
  expect(again).toMatchObject({ state: 'proven', result: { drifted: 0, lost: 0, differing: 0, missing: 0 } });
});

test('verify: what cannot be proven is said: quarantine, a refusal, a stream that cannot be asked for', async () => {
  await open(() => void acme.fill('silent', 15));
  acme.remove('silent', 's-0003');
  hub.clock.advance(MINUTE);
  const quarantined = await world.verify('silent');
  expect(quarantined).toMatchObject({ state: 'unproven', reasons: [expect.stringContaining('1 records are here')] });
  acme.before = (what) => (what === 'silent/list' ? { status: 403, headers: {}, body: {} } : undefined);
  expect(await world.verify('silent')).toMatchObject({ state: 'failed' });
  expect((await world.stream('silent')).completeness).toMatchObject({ state: 'failed', error: expect.any(String) });
  const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
  const { body } = await world.api('POST', '/v1/connections', { connector: 'webhook', settings: { secret } });
  const id = body.connection.id as string;
  await world.api('POST', `/v1/connections/${id}/verify`, { streams: ['contacts'] });
  await hub.settle();
  const { body: streams } = await world.api('GET', `/v1/streams?connectionId=${id}`);
  const contacts = streams.items.find((item: { stream: string }) => item.stream === 'contacts');
  expect(contacts.completeness).toMatchObject({
    state: 'unproven',
    method: 'none',
    reasons: [expect.stringContaining('cannot be asked for')],
  });
});

test('verify: a platform that wants a pause gets it, and the comparison goes on where it was', async () => {
  await open(() => void acme.fill('counted', 2500));
  hub.clock.advance(HOUR);
  await world.poll('counted');
  let counted = 0;
  const until = new Date(hub.clock.now().getTime() + HOUR);
  acme.before = (what, query) => {
    if (what === 'counted/count' && query.from && ++counted === 2)
      throw new VendorError('rate_limited', 'Slower, please.', { until });
    return undefined;
  };
  await world.api('POST', `/v1/connections/${world.connection.id}/verify`, { streams: ['counted'] });
  await hub.settle();
  expect((await world.stream('counted')).completeness).toMatchObject({ state: 'running', error: 'Slower, please.' });
  acme.taken();
  await hub.advance(HOUR + MINUTE);
  expect((await world.stream('counted')).completeness).toMatchObject({ state: 'proven', figures: { vendor: 2500 } });
  // The first span was not counted again.
  const spans = (await world.stream('counted')).completeness.figures.buckets;
  expect(acme.taken().filter((call) => call === 'counted/count?span')).toHaveLength(spans - 1);
});

test('verify: it runs weekly by itself, with the calls of a sweep, and not at all when switched off', async () => {
  await open(() => void acme.fill('listed', 15));
  await hub.advance(7 * DAY + MINUTE);
  const first = (await world.stream('listed')).completeness;
  expect(first).toMatchObject({ state: 'proven', method: 'list' });
  const calls = await world.select(
    "select sum(calls)::int as n from call_count where tenant_id = $1 and purpose = 'sweep'",
  );
  expect(calls[0]!.n).toBeGreaterThan(0);
  const path = '/v1/settings/completeness';
  const { headers, body } = await world.api('GET', path);
  await world.api('PUT', path, { ...body.value, verifyDays: 0 }, { 'if-match': headers.get('etag')! });
  await hub.advance(7 * DAY + MINUTE);
  const second = (await world.stream('listed')).completeness;
  await hub.advance(15 * DAY);
  expect((await world.stream('listed')).completeness).toEqual(second);
  expect((await world.stream('listed')).nextVerifyAt).toBeNull();
});

test('verify: an unknown stream is refused, and one that was not read to its end is left for later', async () => {
  await open(() => void acme.fill('people', 5));
  const path = `/v1/connections/${world.connection.id}/verify`;
  const refused = await world.api('POST', path, { streams: ['nonsense'] });
  expect(refused).toMatchObject({ status: 422, body: { detail: expect.stringContaining('nonsense') } });
  await world.select("update stream set phase = 'initial' where tenant_id = $1 and name = 'people'");
  expect(await world.verify('people')).toMatchObject({ state: 'waiting' });
  expect(await world.living('people')).toHaveLength(5);
});
