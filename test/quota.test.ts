import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import hubspot from '../connectors/hubspot/connector.ts';
import { type HubSpotSandbox, start } from '../connectors/hubspot/sandbox.ts';
import { type ManualClock, manualClock } from '../src/base/clock.ts';
import { type Database, openDatabase } from '../src/base/database.ts';
import { type Budgets, createBudgets } from '../src/connections/budgets.ts';
import { budgetsOf, windowOf } from '../src/connections/quota.ts';
import type { Budget, Purpose, RequestSpec } from '../src/kit/index.ts';
import { finishOf } from '../src/sync/forecast.ts';
import { freePort, HOUR, MINUTE, startTestHub, type TestHub, testDatabase } from './support/hub.ts';

const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const AT = '2026-03-02T15:00:00Z';
const ZONE = 'America/New_York';
/** The day in New York that AT falls into. */
const MIDNIGHT = '2026-03-03T05:00:00Z';
const GET: RequestSpec = { method: 'GET', path: '/x' };

let hub: TestHub;
let vendor: HubSpotSandbox;
let connection: Record<string, any>;
let database: Awaited<ReturnType<typeof testDatabase>>;

beforeAll(async () => {
  database = await testDatabase();
  const port = await freePort();
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  vendor = await start({ clock, app: APP, limits: false });
  const env = { ...APP, METRICS_TOKEN: 'm', HUBSPOT_HOST_API: vendor.hosts.api!, HUBSPOT_HOST_APP: vendor.hosts.app! };
  hub = await startTestHub({ at: AT, port, connectors: ['hubspot'], env, databaseUrl: database.url });
  vendor.state.addOwner('Rita', 'Manager', 'rita@example.com');
  for (let n = 0; n < 3; n++) vendor.state.create('contacts', { firstname: 'Ann', email: `ann${n}@example.com` });
  connection = await hub.connect('hubspot');
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await vendor?.stop();
  await database?.drop();
});

describe('the count', () => {
  let db: Database;
  let clock: ManualClock;
  let budgets: Budgets;
  let account = 0;

  beforeAll(() => {
    db = openDatabase({ ownerUrl: database.url, max: 6 });
  });
  afterAll(() => db?.close());
  beforeEach(() => {
    account += 1;
    clock = manualClock('2026-03-02T05:00:00Z');
    budgets = createBudgets(db, clock);
  });

  const daily = (calls: number): Budget => ({
    ...{ name: 'daily', scope: 'account', calls, seconds: 86_400 },
    quota: { every: 'day', zone: ZONE },
  });
  /** Makes up to `most` calls; answers how many were allowed, and until when the next must wait. */
  async function calls(purpose: Purpose, most: number, limit: Budget, from = budgets) {
    for (let made = 0; made < most; made++) {
      try {
        await from.acquire('test', String(account), [limit], GET, purpose);
      } catch (error) {
        return { made, until: (error as { until?: Date }).until!, message: (error as Error).message };
      }
    }
    return { made: most };
  }

  test('quota: a first load of a million records never takes the calls that messages and changes need', async () => {
    // A hundredth of 250,000 calls a day, and four times as many wanted.
    const limit = daily(2_500);
    let loaded = 0;
    for (let hour = 0; hour < 24; hour++) {
      const { made, until } = await calls('backfill', 10_000, limit);
      loaded += made;
      // It goes on within the day while the reserve for polls falls, and is not woken for nothing.
      expect(until!.getTime()).toBeGreaterThan(clock.now().getTime());
      expect(until!.getTime()).toBeLessThanOrEqual(Date.parse('2026-03-03T05:00:00Z'));
      clock.advance(hour === 23 ? HOUR - 30_000 : HOUR);
    }
    loaded += (await calls('backfill', 10_000, limit)).made;
    // What it may have it gets, and no more: even half a minute before midnight nobody else is starved.
    expect(loaded).toBeGreaterThan(2_500 * 0.75);
    expect(await calls('action', 200, limit)).toEqual({ made: 200 });
    expect(await calls('hook', 50, limit)).toEqual({ made: 50 });
  });

  test('quota: polls leave the reserve of messages alone, messages may use the last call, and then it says until when', async () => {
    const limit = daily(100);
    expect(await calls('incremental', 200, limit)).toMatchObject({ made: 80, until: new Date('2026-03-03T05:00:00Z') });
    expect(await calls('hook', 200, limit)).toMatchObject({ made: 10 });
    const last = await calls('action', 200, limit);
    expect(last).toMatchObject({ made: 10, until: new Date('2026-03-03T05:00:00Z') });
    expect(last.message).toBe('The platform\'s limit "daily" is used up until 2026-03-03 05:00 UTC.');
  });

  test('quota: two processes that count at the same time never pass the limit together', async () => {
    for (const [size, wanted] of [
      [300, 250],
      // Large enough that calls are taken ahead in batches.
      [6_000, 3_100],
    ] as const) {
      account += 1;
      const limit = daily(size);
      const others = [budgets, createBudgets(db, clock), createBudgets(db, clock)];
      const made = await Promise.all(others.map((one) => calls('action', wanted, limit, one)));
      expect(made.reduce((sum, one) => sum + one.made, 0)).toBeLessThanOrEqual(size);
      expect(made.reduce((sum, one) => sum + one.made, 0)).toBeGreaterThan(size * 0.99);
    }
  });

  test('quota: it begins anew at midnight in the zone of the vendor, and a process whose clock is behind does not bring the old day back', async () => {
    const limit = daily(50);
    clock.set('2026-03-03T04:50:00Z');
    expect(await calls('action', 60, limit)).toMatchObject({ made: 50, until: new Date('2026-03-03T05:00:00Z') });
    const late = manualClock('2026-03-03T04:59:58Z');
    const behind = createBudgets(db, late);
    clock.set('2026-03-03T05:00:01Z');
    expect(await calls('action', 30, limit)).toEqual({ made: 30 });
    // Its calls count in the day that has begun.
    expect(await calls('action', 60, limit, behind)).toMatchObject({ made: 20 });
    late.set('2026-03-03T05:00:10Z');
    expect(await calls('action', 1, limit, behind)).toMatchObject({ made: 0, until: new Date('2026-03-04T05:00:00Z') });
  });

  test('quota: days of 23 and 25 hours and months end when the vendor says, not after a number of seconds', () => {
    const day = windowOf({ every: 'day', zone: ZONE }, new Date('2026-03-08T12:00:00Z'));
    expect([day.start.toISOString(), day.end.toISOString()]).toEqual([
      '2026-03-08T05:00:00.000Z',
      '2026-03-09T04:00:00.000Z',
    ]);
    const long = windowOf({ every: 'day', zone: ZONE }, new Date('2026-11-01T12:00:00Z'));
    expect(long.end.getTime() - long.start.getTime()).toBe(25 * HOUR);
    const month = windowOf({ every: 'month', zone: 'America/Los_Angeles' }, new Date('2026-03-01T07:59:00Z'));
    expect(month.end.toISOString()).toBe('2026-03-01T08:00:00.000Z');
  });

  /** An answer of HubSpot with these headers. */
  const answer = (headers: Record<string, string>) => ({ status: 200, headers, body: {} });
  const told = (max: number, left: number) =>
    answer({ 'x-hubspot-ratelimit-daily': String(max), 'x-hubspot-ratelimit-daily-remaining': String(left) });

  test('quota: a daily limit that only the answers tell is kept, and what other apps use of it counts', async () => {
    const limits = budgetsOf({ env: {} }, hubspot, { settings: {}, account: { timeZone: ZONE } });
    const ask = (purpose: Purpose) => budgets.acquire('hubspot', `told-${account}`, limits, GET, purpose);
    await ask('backfill');
    // Our one call, and 480 of somebody else.
    await budgets.note('hubspot', `told-${account}`, limits, GET, told(500, 19));
    for (const purpose of ['backfill', 'sweep', 'incremental', 'hook'] as const)
      await expect(
        createBudgets(db, clock).acquire('hubspot', `told-${account}`, limits, GET, purpose),
      ).rejects.toThrow(/kept for more urgent work/);
    const fresh = createBudgets(db, clock);
    for (let n = 0; n < 19; n++) await fresh.acquire('hubspot', `told-${account}`, [limits[0]!], GET, 'action');
    await expect(fresh.acquire('hubspot', `told-${account}`, [limits[0]!], GET, 'action')).rejects.toThrow(/used up/);
    // The next day is another one.
    clock.set('2026-03-03T05:00:01Z');
    await fresh.acquire('hubspot', `told-${account}`, limits, GET, 'incremental');
  });

  test('quota: a short limit that somebody else uses up is waited for, although our own count has calls left', async () => {
    const limit: Budget = {
      name: 'burst',
      scope: 'account',
      calls: 10,
      seconds: 10,
      left: (reply) => Number(reply.headers.left),
    };
    await budgets.acquire('test', String(account), [limit], GET, 'action');
    await budgets.note('test', String(account), [limit], GET, answer({ left: '0' }));
    const before = clock.now().getTime();
    await budgets.acquire('test', String(account), [limit], GET, 'action');
    expect(clock.now().getTime() - before).toBeGreaterThanOrEqual(1_000);
  });
});

describe('the forecast', () => {
  const day = windowOf({ every: 'day', zone: 'UTC' }, new Date('2026-03-02T12:00:00Z'));
  const fresh = { limit: 250_000, used: 0, others: 0, left: 250_000, window: day };
  const pace = { now: day.start, polls: 0.1, speed: 10 };

  test('quota: a first load that the day suffices for ends when its calls are made', () => {
    const { finishedAt, share, runsOutAt } = finishOf(pace, 36_000, [fresh]);
    expect(finishedAt).toEqual(new Date(day.start.getTime() + HOUR));
    expect(share).toBeCloseTo((36_000 + 8_640) / 250_000, 3);
    expect(runsOutAt).toBeUndefined();
  });

  test('quota: a larger one takes the days that its share of the allowance gives, and it says when it would be used up', () => {
    const { finishedAt, share, runsOutAt } = finishOf(pace, 1_000_000, [fresh]);
    // 80 % of 250,000 less 8,640 for polls: 191,360 a day, so five days and a part of the sixth.
    const days = (finishedAt!.getTime() - day.start.getTime()) / (24 * HOUR);
    expect(days).toBeGreaterThan(5);
    expect(days).toBeLessThan(6);
    expect(share).toBeCloseTo(0.8, 2);
    expect(runsOutAt!.getTime()).toBeLessThan(day.start.getTime() + 7 * HOUR);
  });

  test('quota: where polls alone eat everything a first load never ends, and nobody is told a date', () => {
    const { finishedAt } = finishOf({ ...pace, polls: 3 }, 1_000_000, [fresh]);
    expect(finishedAt).toBeUndefined();
  });
});

describe('at work', () => {
  const quota = async () => (await hub.api('GET', `/v1/connections/${connection.id}/quota`)).body;
  const allow = async (body: Record<string, unknown> | undefined) => {
    const path = `/v1/connections/${connection.id}`;
    const etag = (await hub.api('GET', path)).headers.get('etag')!;
    return hub.api(body ? 'PUT' : 'DELETE', `${path}/quota`, body, { 'if-match': etag });
  };
  const streams = async (): Promise<Record<string, any>[]> => (await hub.api('GET', '/v1/streams')).body.items;

  test('quota: without a stated allowance the calls are counted and nothing is forecast', async () => {
    const plan = await quota();
    expect(plan.calls.backfill).toBeGreaterThan(3);
    expect(plan.calls.incremental).toBe(0);
    expect(plan.limits.map((limit: { name: string }) => limit.name)).toEqual(['daily', 'account', 'search']);
    expect(plan.limits[0]).toMatchObject({ kind: 'quota', calls: null, left: null });
    expect(plan.limits[1]).toMatchObject({ kind: 'rate', calls: 90, left: expect.any(Number) });
    expect(plan).toMatchObject({ backfill: null, polling: { stretch: 1 } });
  });

  test('quota: a stated allowance needs the version that was seen, a real zone, and a person who may', async () => {
    const path = `/v1/connections/${connection.id}/quota`;
    expect((await hub.api('PUT', path, { calls: 100 })).status).toBe(428);
    expect((await hub.api('PUT', path, { calls: 100 }, { 'if-match': '"0"' })).status).toBe(412);
    expect(await allow({ calls: 100, zone: 'Nowhere/Land' })).toMatchObject({ status: 422 });
    expect((await allow({ calls: 0 })).status).toBe(400);
    const other = await hub.otherTenant();
    expect((await other.api('GET', path)).status).toBe(404);
    expect((await other.api('PUT', path, { calls: 1 }, { 'if-match': '"1"' })).status).toBe(404);
  });

  test('quota: polls become rarer when they alone would eat the allowance, and as often as wanted again afterwards', async () => {
    // The polls at their wanted pace first: they tell what one takes.
    await hub.advance(5 * MINUTE);
    await hub.advance(5 * MINUTE);
    const wanted = (await quota()).polling;
    expect(wanted).toMatchObject({ stretch: 1 });
    expect(wanted.callsPerDay).toBeGreaterThan(1_000);
    expect((await allow({ calls: 1_000, zone: ZONE })).body.limits[0]).toMatchObject({ name: 'daily', calls: 1_000 });
    await hub.advance(5 * MINUTE);
    const plan = await quota();
    expect(plan.polling.stretch).toBeGreaterThan(2);
    // At most half of the allowance, whatever the business wants.
    expect(plan.polling.callsPerDay).toBeLessThanOrEqual(500);
    const next = (await streams()).filter((row) => row.state !== 'off').map((row) => Date.parse(row.nextRunAt));
    expect(Math.min(...next) - hub.clock.now().getTime()).toBeGreaterThan(9 * MINUTE);
    expect(plan.sentence).toMatch(/Polls wait [\d.]+ times longer than wanted/);
    expect(plan.limits[0].quota).toMatchObject({
      zone: ZONE,
      resetsAt: new Date(MIDNIGHT).toISOString(),
      keptForActions: 100,
    });
    await allow(undefined);
    await hub.api('POST', `/v1/connections/${connection.id}/sync`, {});
    await hub.settle();
    const again = (await streams()).filter((row) => row.stream === 'contacts').map((row) => Date.parse(row.nextRunAt));
    expect(again[0]! - hub.clock.now().getTime()).toBeLessThanOrEqual(5 * MINUTE);
  });

  test('quota: a first load stops where the reserve begins, says so with a date, lets messages through and goes on by itself', async () => {
    for (let n = 0; n < 400; n++) vendor.state.create('contacts', { firstname: 'Bea', email: `bea${n}@example.com` });
    // Of a day that has just begun.
    hub.clock.set(MIDNIGHT);
    await allow({ calls: 20, zone: ZONE });
    await hub.api('POST', `/v1/connections/${connection.id}/sync`, { full: true });
    await hub.settle();
    const waiting = (await streams()).find((row) => row.error?.includes('kept for more urgent work'))!;
    expect(waiting).toMatchObject({ state: 'waiting', phase: 'initial' });
    expect(Date.parse(waiting.nextRunAt)).toBeLessThanOrEqual(Date.parse(MIDNIGHT) + 24 * HOUR);
    const plan = await quota();
    expect(plan.limits[0].left).toBeGreaterThanOrEqual(4);
    expect(plan.limits[0].quota.byPurpose.backfill).toBeGreaterThan(0);
    expect(plan.backfill).not.toBeNull();
    expect(plan.sentence).toContain('are kept for messages');
    const metrics = await (await fetch(`${hub.url}/metrics`, { headers: { authorization: 'Bearer m' } })).text();
    expect(metrics).toMatch(/rapport_quota_calls_left\{connector="hubspot",limit="daily"\} \d+/);
    expect(metrics).toMatch(/rapport_quota_used_ratio\{connector="hubspot",limit="daily"\} 0\.\d+/);
    // Whoever is asked now is asked by a person: that goes through.
    expect((await hub.api('POST', `/v1/connections/${connection.id}/test`)).body.health.ok).toBe(true);
    // The next day, with a larger plan at the platform, nobody has to ask for it.
    await allow({ calls: 100, zone: ZONE });
    hub.clock.set(new Date(Date.parse(MIDNIGHT) + 24 * HOUR + 1000));
    await hub.settle();
    expect((await streams()).filter((row) => row.phase === 'initial' && row.state !== 'off')).toEqual([]);
    expect((await streams()).find((row) => row.stream === 'contacts')!.records).toBe(403);
    await allow(undefined);
  });

  test('quota: the first load says how long it takes, by the records that are left and the calls they cost', async () => {
    for (const [name, total, seen] of [['contacts', 1_000_000, 50_000]] as const)
      await hub.hub.db.tenant(hub.tenantId, (tx) =>
        tx.query(
          "update stream set phase = 'initial', total = $2, run_seen = $3, run_started_at = $4 where tenant_id = $1 and name = $5",
          [hub.tenantId, total, seen, hub.clock.now(), name],
        ),
      );
    await allow({ calls: 2_000, zone: ZONE });
    const { backfill, limits, sentence } = await quota();
    expect(backfill.recordsLeft).toBe(950_000);
    // 100 or 200 a page.
    expect(backfill.callsLeft).toBeGreaterThan(4_000);
    expect(backfill.etaSeconds).toBeGreaterThan(2 * 86_400);
    expect(limits[0].quota.forecastShare).toBeGreaterThan(0.7);
    expect(limits[0].quota.forecastShare).toBeLessThanOrEqual(0.82);
    expect(sentence).toMatch(/The first load has 950,000 records to go, about \d+ days/);
  });
});
