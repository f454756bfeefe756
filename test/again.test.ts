import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { start, type WebhookSandbox } from '../connectors/webhook/sandbox.ts';
import { createTenant } from '../src/access/identity.ts';
import { countTry, forgetTries } from '../src/access/lock.ts';
import { manualClock } from '../src/base/clock.ts';
import { newId } from '../src/base/ids.ts';
import { park } from '../src/sync/parked.ts';
import { replay } from '../src/sync/replay.ts';
import { handlersOf } from './support/handlers.ts';
import { startTestHub, type TestHub } from './support/hub.ts';

const AT = '2026-03-02T15:00:00Z';
let hub: TestHub;
let other: WebhookSandbox;
let connection: Record<string, any>;

beforeAll(async () => {
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  other = await start({ clock, app: {} });
  // The test sends by hand, so that it stands between two tries.
  hub = await startTestHub({ at: AT, connectors: ['webhook', 'csv'], roles: 'api', env: { TRUST_PROXY: 'true' } });
  const settings = { secret: other.secret, target: `${Object.values(other.hosts)[0]}/in` };
  const { status, body } = await hub.api('POST', '/v1/connections', { connector: 'webhook', settings });
  if (status !== 200) throw new Error(JSON.stringify(body));
  connection = body.connection;
});
afterAll(async () => {
  await hub?.stop();
  await other?.stop();
});

describe('posts to other systems', () => {
  beforeEach(() => other.server.faults.clear());
  const dispatch = () => handlersOf(hub.hub).get('dispatch')!({ tenantId: hub.tenantId });
  const action = async (id: string) => (await hub.api('GET', `/v1/actions/${id}`)).body;
  const post = async (): Promise<string> => {
    const made = await hub.api('POST', '/v1/actions', {
      kind: 'post_webhook',
      connectionId: connection.id,
      input: { type: 'invoice.overdue', data: { n: newId() } },
    });
    if (made.status !== 202) throw new Error(JSON.stringify(made.body));
    return made.body.id;
  };
  const parked = async () => (await hub.api('GET', '/v1/parked?kind=action')).body.items;

  test('redelivery: a receiver that is down is tried again at growing distances over three days, then the post is parked and can be replayed', async () => {
    const id = await post();
    other.server.faults.add({ kind: 'status', status: 503, match: /^POST / });
    const waits: number[] = [];
    for (let tries = 1; tries <= 9; tries++) {
      await dispatch();
      const now = await action(id);
      expect(now).toMatchObject({ state: 'planned', reason: 'transient', attempts: tries });
      waits.push((Date.parse(now.notBefore) - hub.clock.now().getTime()) / 1000);
      // Not a moment earlier.
      hub.clock.set(new Date(Date.parse(now.notBefore) - 1));
      await dispatch();
      expect((await action(id)).attempts).toBe(tries);
      hub.clock.set(new Date(now.notBefore));
    }
    expect(waits).toEqual([5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    await dispatch();
    expect(await action(id)).toMatchObject({ state: 'failed', reason: 'transient', attempts: 10 });
    const [item] = await parked();
    expect(item).toMatchObject({
      kind: 'action',
      reason: expect.stringMatching(/^It was tried 10 times over days and never taken:/),
    });

    // Still down: it is parked again, not lost.
    expect((await hub.api('POST', '/v1/parked/replay', { id: item.id })).body).toMatchObject({ tried: 1, resolved: 1 });
    await dispatch();
    expect(await action(id)).toMatchObject({ state: 'failed', attempts: 11 });
    const [second] = await parked();
    expect(second.id).not.toBe(item.id);

    other.server.faults.clear();
    await hub.api('POST', '/v1/parked/replay', { kind: 'action' });
    await dispatch();
    expect(await action(id)).toMatchObject({ state: 'sent', attempts: 12 });
    expect(await parked()).toEqual([]);
    // The receiver has it once, under the id it always had.
    expect([...other.received.keys()].filter((key) => key.includes(id.replaceAll('-', '')))).toHaveLength(1);
  });

  test('redelivery: a receiver that comes back is told at the next try, and nothing is parked', async () => {
    const id = await post();
    other.server.faults.add({ kind: 'status', status: 500, match: /^POST /, times: 2 });
    await dispatch();
    hub.clock.advance(5_000);
    await dispatch();
    hub.clock.advance(300_000);
    await dispatch();
    expect(await action(id)).toMatchObject({ state: 'sent', attempts: 3 });
    expect(await parked()).toEqual([]);
  });

  test('redelivery: what the receiver refuses for good is neither tried again nor replayed into a second post', async () => {
    const id = await post();
    await dispatch();
    expect(await action(id)).toMatchObject({ state: 'sent' });
    expect(
      await hub.hub.db.tenant(hub.tenantId, async (tx) =>
        hub.hub.deps.listeners.replay!(tx, { kind: 'action', reference: id }, hub.clock.now()),
      ),
    ).toBe(false);
    expect(await action(id)).toMatchObject({ state: 'sent' });
  });
});

describe('parked items', () => {
  test('replay: it takes a batch, says how many are left, and goes on where it ended until none is left', async () => {
    const tenantId = await createTenant(hub.hub.access, { business: 'Many parked' });
    const now = hub.clock.now();
    const items = Array.from({ length: 25 }, (_none, n) => ({
      kind: 'row' as const,
      reference: `row-${n}`,
      reason: 'bad',
    }));
    await hub.hub.db.tenant(tenantId, (tx) =>
      park(tx, [...items, { kind: 'field', reference: 'field-1', reason: 'bad' }], now),
    );
    const seen: number[] = [];
    let before: string | undefined;
    do {
      const batch = await replay(
        hub.hub.deps,
        tenantId,
        { kind: 'row', limit: 10, ...(before ? { before } : {}) },
        'test',
      );
      seen.push(batch.tried);
      expect(batch.left).toBe(25 - seen.reduce((sum, one) => sum + one, 0));
      before = batch.next ?? undefined;
    } while (before);
    expect(seen).toEqual([10, 10, 5]);
    // What is parked meanwhile is newer and does not keep it going for ever.
    expect(await replay(hub.hub.deps, tenantId, { limit: 1000 }, 'test')).toMatchObject({
      tried: 26,
      left: 0,
      next: null,
    });
  });

  test('replay: the batch can be asked for over the API', async () => {
    await hub.hub.db.tenant(hub.tenantId, (tx) =>
      park(
        tx,
        ['a', 'b', 'c'].map((name) => ({ kind: 'row' as const, reference: name, reason: 'bad' })),
        hub.clock.now(),
      ),
    );
    const first = (await hub.api('POST', '/v1/parked/replay', { kind: 'row', limit: 2 })).body;
    expect(first).toMatchObject({ tried: 2, stillParked: 2, left: 1, next: expect.any(String) });
    expect((await hub.api('POST', '/v1/parked/replay', { kind: 'row', before: first.next })).body).toMatchObject({
      tried: 1,
      left: 0,
      next: null,
    });
    expect((await hub.api('POST', '/v1/parked/replay', { limit: 1001 })).status).toBe(400);
  });
});

describe('connecting with keys', () => {
  const connect = (settings: Record<string, unknown>) =>
    hub.api('POST', '/v1/connections', { connector: 'webhook', settings });

  test('connect: without details it is said which are needed, by name and in words, not in the terms of a schema', async () => {
    const { status, body } = await connect({});
    expect(status).toBe(422);
    expect(body.detail).toMatch(/needs secret \(Secret: .*\), or bearerToken \(Token: /);
    expect(JSON.stringify(body)).not.toMatch(/anyOf|must match a schema|required propert/);
  });

  test('connect: an unknown or wrong detail is named with what may stand there', async () => {
    const { body } = await connect({ secret: 'x', foo: 1 });
    expect(body.errors ?? body.fields).toEqual(
      expect.arrayContaining([
        { path: 'settings.foo', message: expect.stringMatching(/is not known; the fields are name, secret/) },
        { path: 'settings.secret', message: expect.stringContaining('secret (Secret: whsec_') },
      ]),
    );
  });
});

describe('log-ins that fail', () => {
  let address = 0;
  const enter = async (email: string, password = 'wrong password') => {
    const answer = await fetch(`${hub.url}/v1/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': `10.1.${++address >> 8}.${address & 255}` },
      body: JSON.stringify({ email, password }),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, any> };
  };
  const PASSWORD = 'correct horse battery';

  test('lock: guesses from many addresses at one account wait longer and longer, the same whether there is such an account', async () => {
    const answers: Record<string, unknown[]> = {};
    const user = { email: 'olga@example.com', name: 'Olga', password: PASSWORD, role: 'viewer' };
    expect((await hub.api('POST', '/v1/users', user)).status).toBe(201);
    for (const email of ['olga@example.com', 'nobody@example.com']) {
      const told: unknown[] = [];
      for (let n = 0; n < 20; n++) told.push((await enter(email)).status);
      // The next one is counted and starts the delay.
      for (const seconds of [5, 10, 20, 40]) {
        told.push((await enter(email)).status);
        const { status, body } = await enter(email, PASSWORD);
        told.push(status, body.fix);
        expect(body.fix).toBe(`Try again in ${seconds} seconds.`);
        hub.clock.advance(seconds * 1000);
      }
      answers[email] = told;
    }
    expect(answers['olga@example.com']).toEqual(answers['nobody@example.com']);
    expect((await enter('OLGA@example.com', PASSWORD)).status).toBe(201);
    // Forgotten with the right password: the next mistake is the first again.
    expect((await enter('olga@example.com')).status).toBe(401);
    expect((await enter('olga@example.com', PASSWORD)).status).toBe(201);
  });

  test('lock: many tries at once count as many, the delay ends at a quarter of an hour, and a day without one forgets them', async () => {
    const sql = { query: hub.hub.db.statement };
    const now = new Date('2026-06-01T12:00:00Z');
    const tried = await Promise.allSettled(Array.from({ length: 40 }, () => countTry(sql, 'many@example.com', now)));
    expect(tried.filter(({ status }) => status === 'fulfilled')).toHaveLength(21);
    let at = now;
    for (let n = 0; n < 30; n++) {
      at = new Date(at.getTime() + 900_000);
      await countTry(sql, 'many@example.com', at);
    }
    await expect(countTry(sql, 'many@example.com', new Date(at.getTime() + 899_000))).rejects.toThrow(
      /failed one after the other/,
    );
    const later = new Date(at.getTime() + 90_000_000);
    for (let n = 0; n < 20; n++) await countTry(sql, 'many@example.com', later);
    await forgetTries(sql, ' Many@Example.com');
    await countTry(sql, 'many@example.com', later);
  });
});
