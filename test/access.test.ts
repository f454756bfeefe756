import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openUserSession } from '../src/access/identity.ts';
import { newToken } from '../src/base/ids.ts';
import { apiFor, DAY, startTestHub, type TestHub, testDatabase } from './support/hub.ts';
import { elsewhere, OWNER, PASSWORD, type PeopledHub, type Plain, send, startPeopledHub } from './support/people.ts';
import { until } from './support/processes.ts';

let people: PeopledHub;
let hub: TestHub;

beforeAll(async () => {
  people = await startPeopledHub();
  hub = people.hub;
});

afterAll(() => people?.stop());

const enter = (email: string, password: string, headers = elsewhere()): Promise<Plain> =>
  send(hub.url, 'POST', '/v1/sessions', { body: { email, password }, headers });

/** What a browser sends for the form on the first page. */
const submit = (url: string, origin: string | undefined, more: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}/setup`, {
    method: 'POST',
    headers: {
      ...elsewhere(),
      ...(origin ? { origin } : {}),
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ ...OWNER, zone: 'UTC', ...more }),
  });

describe('the first visitor', () => {
  /** A hub on an empty database, on which nobody was yet. */
  async function onFreshHub(work: (fresh: TestHub, databaseUrl: string) => Promise<void>): Promise<void> {
    const database = await testDatabase();
    const fresh = await startTestHub({ databaseUrl: database.url, connectors: [], roles: 'api' });
    try {
      await work(fresh, database.url);
    } finally {
      await fresh.stop();
      await database.drop();
    }
  }
  const isFresh = async (url: string): Promise<boolean> => (await send(url, 'GET', '/v1/setup')).body.fresh;

  /** Sends requests that make an account and lets them go on only when all of them stand in the database. */
  async function atOnce<T>(databaseUrl: string, requests: (() => Promise<T>)[]): Promise<T[]> {
    const gate = new pg.Client({ connectionString: databaseUrl });
    await gate.connect();
    try {
      await gate.query('begin');
      await gate.query('lock table user_account in share mode');
      const answers = Promise.all(requests.map((request) => request()));
      await until('all requests wait', async () => {
        await gate.query('select pg_stat_clear_snapshot()');
        const waiting =
          "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
        return (await gate.query(waiting)).rowCount === requests.length;
      });
      await gate.query('commit');
      return await answers;
    } finally {
      await gate.end();
    }
  }

  test('access: of several first visitors exactly one becomes the owner, and nobody after them', () =>
    onFreshHub(async ({ url, hub: { db } }, databaseUrl) => {
      expect(await isFresh(url)).toBe(true);
      const bodies = ['a', 'b', 'c', 'd'].map((name) => ({ ...OWNER, email: `${name}@example.com` }));
      const answers = await atOnce(
        databaseUrl,
        bodies.map((body) => () => send(url, 'POST', '/v1/setup', { body })),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
      const won = answers.findIndex(({ status }) => status === 201);
      const { token, tenantId } = answers[won]!.body;
      expect((await apiFor(url, token)('GET', '/v1/me')).body.role).toBe('owner');
      expect(await isFresh(url)).toBe(false);
      const late = await send(url, 'POST', '/v1/setup', { body: OWNER });
      expect(late.status).toBe(409);
      expect(late.body.detail).toMatch(/has an owner already/);
      expect(late.headers.get('set-cookie')).toBeNull();
      const members = await db.tenant(tenantId, (tx) => tx.query('select role from membership'));
      expect(members.rows).toEqual([{ role: 'owner' }]);
      expect((await db.statement('select email from user_account')).rows).toEqual([{ email: bodies[won]!.email }]);
    }));

  test('access: another site cannot make itself the owner through the visitor’s browser', () =>
    onFreshHub(async ({ url }) => {
      for (const origin of ['https://evil.example', 'null', url.replace('127.0.0.1', 'localhost')]) {
        const answer = await submit(url, origin);
        expect(answer.status, origin).toBe(403);
        expect(answer.headers.get('set-cookie'), origin).toBeNull();
      }
      expect(await isFresh(url)).toBe(true);
      // The page itself can.
      expect((await submit(url, url)).headers.get('set-cookie')).toMatch(/^rapport_session=rps_/);
      expect(await isFresh(url)).toBe(false);
    }));

  test('access: the page of the set-up is no way around an owner who is there', async () => {
    const answer = await submit(hub.url, hub.url, { email: 'form@example.com' });
    expect(answer.status).toBe(409);
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(await (await fetch(hub.url)).text()).not.toContain('<form');
  });

  test('access: the API behind the set-up takes no form of another site', () =>
    onFreshHub(async ({ url }) => {
      for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x']) {
        const body = JSON.stringify(OWNER);
        const answer = await fetch(`${url}/v1/setup`, { method: 'POST', headers: { 'content-type': type }, body });
        expect(answer.status, type).toBeGreaterThanOrEqual(400);
        expect(answer.status, type).toBeLessThan(500);
      }
      expect(await isFresh(url)).toBe(true);
    }));
});

describe('logging in', () => {
  test('access: the right password opens a session, in any writing of the address', async () => {
    for (const email of ['olga@example.com', 'OLGA@EXAMPLE.COM']) {
      const answer = await enter(email, PASSWORD);
      expect(answer.status).toBe(201);
      const me = await apiFor(hub.url, answer.body.token)('GET', '/v1/me');
      expect(me.body).toMatchObject({ role: 'owner', actor: `user:${people.users.owner.id}`, tenantId: hub.tenantId });
    }
  });

  test('access: a wrong password and an unknown address are told in the same words', async () => {
    const wrong = await enter('olga@example.com', 'wrong horse battery');
    const unknown = await enter('nobody@example.com', PASSWORD);
    for (const answer of [wrong, unknown]) {
      expect(answer.status).toBe(401);
      expect(answer.headers.get('set-cookie')).toBeNull();
    }
    const { requestId: _a, ...one } = wrong.body;
    const { requestId: _b, ...two } = unknown.body;
    expect(one).toEqual(two);
  });

  test('access: guessing is stopped after ten tries a minute, the right password included, and told until when', async () => {
    const headers = elsewhere();
    for (let n = 0; n < 10; n++) expect((await enter('olga@example.com', `guess ${n}`, headers)).status).toBe(401);
    const stopped = await enter('olga@example.com', PASSWORD, headers);
    expect(stopped.status).toBe(429);
    expect(Number(stopped.headers.get('retry-after'))).toBeGreaterThan(0);
    // Somebody else is not held up by it.
    expect((await enter('olga@example.com', PASSWORD)).status).toBe(201);
  });

  test('access: the limit cannot be got around by a new made-up key in every try', async () => {
    const headers = elsewhere();
    const statuses: number[] = [];
    for (let n = 0; n < 12; n++) {
      const made = { ...headers, authorization: `Bearer ${newToken()}` };
      statuses.push((await enter('olga@example.com', `guess ${n}`, made)).status);
    }
    expect(statuses.filter((status) => status === 429)).toHaveLength(2);
  });

  test('access: a made-up, shortened or foreign token opens nothing', async () => {
    const real = people.users.owner.token;
    for (const token of ['', 'x', newToken('rps_'), newToken('rpk_'), real.slice(0, -1), `${real}x`, "' or true --"]) {
      const answer = await send(hub.url, 'GET', '/v1/me', { headers: { authorization: `Bearer ${token}` } });
      expect(answer.status, token).toBe(401);
    }
  });

  test('access: logging out ends this session at once and no other', async () => {
    const [one, two] = [(await enter('olga@example.com', PASSWORD)).body.token, people.users.owner.token];
    const out = await apiFor(hub.url, one)('DELETE', '/v1/sessions/current');
    expect(out.status).toBe(204);
    expect((await apiFor(hub.url, one)('GET', '/v1/me')).status).toBe(401);
    expect((await apiFor(hub.url, two)('GET', '/v1/me')).status).toBe(200);
  });

  test('access: a session ends after its fourteen days', async () => {
    const { token } = await openUserSession(hub.hub.access, hub.tenantId, people.users.viewer.id);
    const api = apiFor(hub.url, token);
    const back = hub.clock.now();
    try {
      hub.clock.advance(14 * DAY - 1000);
      expect((await api('GET', '/v1/me')).status).toBe(200);
      hub.clock.advance(1001);
      expect((await api('GET', '/v1/me')).status).toBe(401);
    } finally {
      hub.clock.set(back, true);
    }
  });

  test('access: a user who was taken out is out at once, with every session', async () => {
    const email = 'leaver@example.com';
    const by = people.users.owner.api;
    const made = await by('POST', '/v1/users', { email, name: 'Leaver', password: PASSWORD, role: 'admin' });
    const token = (await enter(email, PASSWORD)).body.token;
    expect((await by('DELETE', `/v1/users/${made.body.id}`)).status).toBe(204);
    expect((await apiFor(hub.url, token)('GET', '/v1/me')).status).toBe(401);
    expect((await enter(email, PASSWORD)).status).toBe(403);
  });
});

describe('the cookie', () => {
  const cookieOf = (answer: { headers: Headers }): string => answer.headers.get('set-cookie') ?? '';

  test('access: the session cookie is for this site’s requests only, not for scripts, and ends with the session', async () => {
    const answer = await enter('olga@example.com', PASSWORD);
    const cookie = cookieOf(answer);
    expect(cookie).toMatch(/^rapport_session=rps_/);
    for (const flag of ['HttpOnly', 'SameSite=Strict', 'Path=/']) expect(cookie).toContain(flag);
    expect(new Date(/Expires=([^;]+)/.exec(cookie)![1]!).toISOString().slice(0, 19)).toBe(
      answer.body.expiresAt.slice(0, 19),
    );
    // Plain http is for one's own machine; a hub behind https says so by its address.
    expect(cookie).not.toContain('Secure');
    const secure = await startTestHub({
      databaseUrl: people.databaseUrl,
      connectors: [],
      roles: 'api',
      env: { PUBLIC_URL: 'https://hub.example' },
    });
    try {
      const body = JSON.stringify({ email: 'olga@example.com', password: PASSWORD });
      const headers = { 'content-type': 'application/json' };
      const again = await fetch(`${secure.url}/v1/sessions`, { method: 'POST', headers, body });
      expect(cookieOf(again)).toContain('Secure');
    } finally {
      await secure.stop();
    }
  });

  test('access: with the cookie only the hub’s own pages change anything', async () => {
    const { body } = await enter('viewer@example.com', PASSWORD);
    const change = (headers: Record<string, string>) =>
      send(hub.url, 'POST', '/v1/audit/verify', { headers: { cookie: `rapport_session=${body.token}`, ...headers } });
    const foreign: Record<string, string>[] = [
      {},
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: hub.url.replace('http:', 'https:') },
      { origin: `${hub.url}0` },
      { origin: hub.url.replace('127.0.0.1', 'localhost') },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
    ];
    for (const headers of foreign) {
      const answer = await change(headers);
      expect(answer.status, JSON.stringify(headers)).toBe(403);
      expect(answer.body.detail).toMatch(/another site/);
    }
    for (const headers of [{ origin: hub.url }, { 'sec-fetch-site': 'same-origin' }] as Record<string, string>[])
      expect((await change(headers)).status, JSON.stringify(headers)).toBe(200);
    // Reading needs no such proof: another site cannot read the answer.
    const read = await send(hub.url, 'GET', '/v1/me', { headers: { cookie: `rapport_session=${body.token}` } });
    expect(read.status).toBe(200);
  });

  test('access: logging out takes the cookie away', async () => {
    const { body } = await enter('viewer@example.com', PASSWORD);
    const answer = await send(hub.url, 'DELETE', '/v1/sessions/current', {
      headers: { cookie: `rapport_session=${body.token}`, origin: hub.url },
    });
    expect(answer.status).toBe(204);
    expect(cookieOf(answer)).toMatch(/^rapport_session=;.*Expires=Thu, 01 Jan 1970/);
    expect((await apiFor(hub.url, body.token)('GET', '/v1/me')).status).toBe(401);
  });
});
