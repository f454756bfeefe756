import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addUser, logIn, makeApiKey, openUserSession } from '../src/access/identity.ts';
import { PERMISSIONS, type Permission, ROLE_PERMISSIONS, USER_ROLES } from '../src/access/schema.ts';
import { newId } from '../src/base/ids.ts';
import { type Answer, type Api, apiFor, type TestHub } from './support/hub.ts';
import {
  elsewhere,
  PASSWORD,
  type PeopledHub,
  type Plain,
  type Route,
  send,
  startPeopledHub,
  tablesWith,
} from './support/people.ts';

let people: PeopledHub;
let hub: TestHub;

beforeAll(async () => {
  people = await startPeopledHub();
  hub = people.hub;
});

afterAll(() => people?.stop());

const stored = (text: string): Promise<string[]> => tablesWith(people.client, text);
const enter = (email: string, password: string): Promise<Plain> =>
  send(hub.url, 'POST', '/v1/sessions', { body: { email, password }, headers: elsewhere() });

/** Routes of the API; answers to HEAD are those to GET without their body. */
const api = (): Route[] =>
  people.routes.filter(({ url, method }) => url.startsWith('/v1') && !['HEAD', 'OPTIONS'].includes(method));
/** Those that need a permission, without the one that ends the session it is asked with. */
const guarded = (): Route[] => api().filter(({ name, permission }) => name !== ENDING && permission !== 'public');

const ENDING = 'DELETE /v1/sessions/current';

async function ask(call: Api, route: Route): Promise<Answer> {
  const path = route.url.replaceAll(/:\w+/g, newId());
  const takesBody = ['POST', 'PUT', 'PATCH'].includes(route.method);
  return call(route.method, path, takesBody ? {} : undefined);
}

describe('roles', () => {
  test('access: every address asks for a permission, and whatever changes something for more than reading', () => {
    const all = api();
    expect(all.length).toBeGreaterThan(60);
    for (const { name, permission } of all) expect([...PERMISSIONS, 'public'], name).toContain(permission);
    const reading = all.filter(({ method, permission }) => method !== 'GET' && permission === 'read');
    expect(reading.map(({ name }) => name).sort()).toEqual([
      ENDING,
      'POST /v1/audit/verify',
      // They look and keep nothing.
      'POST /v1/campaigns/:id/preview',
      'POST /v1/conditions/check',
      'POST /v1/conditions/try',
      'POST /v1/forecast',
      'POST /v1/sequences/:id/try',
      'POST /v1/templates/preview',
      'POST /v1/triggers/try',
    ]);
    const open = all.filter(({ permission }) => permission === 'public');
    expect(open.map(({ name }) => name).sort()).toEqual(['GET /v1/setup', 'POST /v1/sessions', 'POST /v1/setup']);
    // What stands outside /v1 asks for none: pages, health, vendors' posts (signed) and recipients' links (unguessable).
    const outside = people.routes.filter(({ url, permission }) => !url.startsWith('/v1') && permission === undefined);
    const known = /^\/($|docs|health$|ready$|metrics$|hub\.css$|setup$|oauth\/callback$|hooks\/:connector|u\/:token$)/;
    expect(outside.filter(({ url }) => !known.test(url))).toEqual([]);
  });

  test('access: each role may do what its permissions say and nothing more, as a user and as a key', async () => {
    const all = guarded();
    for (const role of USER_ROLES) {
      const allowed = ROLE_PERMISSIONS[role];
      const callers = [people.users[role].api];
      if (role !== 'owner') {
        const made = await makeApiKey(hub.hub.access, hub.tenantId, { name: role, role, by: 'test' });
        callers.push(apiFor(hub.url, made.key));
      }
      for (const call of callers)
        for (const route of all) {
          const { status, body } = await ask(call, route);
          const told = `${role} ${route.name}: ${status} ${JSON.stringify(body).slice(0, 200)}`;
          expect(status, told).not.toBe(401);
          expect(status, told).toBeLessThan(500);
          if (allowed.includes(route.permission as Permission)) expect(status, told).not.toBe(403);
          else {
            expect(status, told).toBe(403);
            expect(body.detail, told).toContain(role);
          }
        }
    }
  });

  test('access: the roles differ in the way they are described', () => {
    expect(ROLE_PERMISSIONS.viewer).toEqual(['read']);
    expect(ROLE_PERMISSIONS.operator).not.toContain('integrate');
    expect(ROLE_PERMISSIONS.integrator).not.toContain('operate');
    for (const role of ['viewer', 'operator', 'integrator'] as const)
      expect(ROLE_PERMISSIONS[role]).not.toContain('admin');
    for (const role of ['owner', 'admin'] as const)
      expect([...ROLE_PERMISSIONS[role]].sort()).toEqual([...PERMISSIONS].sort());
  });

  test('access: an admin can neither make nor unmake an owner', async () => {
    const admin = people.users.admin.api;
    const owner = people.users.owner.api;
    const newcomer = { email: 'second@example.com', name: 'Second', password: PASSWORD, role: 'owner' };
    expect((await admin('POST', '/v1/users', newcomer)).status).toBe(403);
    const second = await owner('POST', '/v1/users', newcomer);
    expect(second.status).toBe(201);
    const tag = { 'if-match': '"1"' };
    for (const id of [people.users.owner.id, second.body.id]) {
      expect((await admin('PATCH', `/v1/users/${id}`, { role: 'viewer' }, tag)).status).toBe(403);
      expect((await admin('DELETE', `/v1/users/${id}`)).status).toBe(403);
    }
    const self = await admin('PATCH', `/v1/users/${people.users.admin.id}`, { role: 'owner' }, tag);
    expect(self.status).toBe(403);
    expect((await owner('DELETE', `/v1/users/${second.body.id}`)).status).toBe(204);
  });

  test('access: the last owner stays', async () => {
    const owner = people.users.owner.api;
    const id = people.users.owner.id;
    expect((await owner('DELETE', `/v1/users/${id}`)).status).toBe(409);
    const answer = await owner('PATCH', `/v1/users/${id}`, { role: 'admin' }, { 'if-match': '"1"' });
    expect(answer.status).toBe(409);
    expect((await owner('GET', '/v1/me')).body.role).toBe('owner');
  });

  test('access: a changed role counts at once, also in sessions that are open', async () => {
    const owner = people.users.owner.api;
    const user = {
      email: 'changing@example.com',
      name: 'C',
      password: PASSWORD,
      role: 'operator' as const,
      by: 'test',
    };
    const id = await addUser(hub.hub.access, hub.tenantId, user);
    const api = apiFor(hub.url, (await openUserSession(hub.hub.access, hub.tenantId, id)).token);
    expect((await api('POST', '/v1/parked/replay', {})).status).toBe(200);
    await owner('PATCH', `/v1/users/${id}`, { role: 'viewer' }, { 'if-match': '"1"' });
    expect((await api('POST', '/v1/parked/replay', {})).status).toBe(403);
  });

  test('access: a user of one business is nobody in another, and adding them there leaves their password alone', async () => {
    const other = await hub.otherTenant();
    const mine = people.users.owner.api;
    expect((await mine('GET', '/v1/me')).body.tenantId).toBe(hub.tenantId);
    const taken = { email: 'olga@example.com', name: 'Other', password: 'another password here', role: 'viewer' };
    const added = await other.api('POST', '/v1/users', taken);
    expect(added.status).toBe(201);
    expect((await enter('olga@example.com', taken.password)).status).toBe(401);
    expect((await enter('olga@example.com', PASSWORD)).body).toMatchObject({ tenantId: hub.tenantId, role: 'owner' });
    expect((await mine('GET', '/v1/me')).body.role).toBe('owner');
    expect((await other.api('DELETE', `/v1/users/${people.users.owner.id}`)).status).toBe(204);
    expect((await mine('GET', '/v1/me')).status).toBe(200);
  });
});

describe('API keys', () => {
  const admin = (): Api => people.users.admin.api;

  test('access: a key is stored as a hash only, and shown once', async () => {
    const made = await admin()('POST', '/v1/api-keys', { name: 'secret', role: 'admin' });
    const { key, prefix, id } = made.body;
    expect(key).toMatch(/^rpk_[\w-]{43}$/);
    expect(key.startsWith(prefix)).toBe(true);
    expect(prefix.length).toBeLessThanOrEqual(10);
    expect((await apiFor(hub.url, key)('GET', '/v1/me')).body.actor).toBe(`api_key:${id}`);
    expect(await stored(key)).toEqual([]);
    expect(await stored(key.slice(4))).toEqual([]);
    // The search can find something: what is meant to be stored is found.
    expect(await stored(prefix)).toContain('public.api_key');
    expect(JSON.stringify((await admin()('GET', '/v1/api-keys')).body)).not.toContain(key);
    expect(JSON.stringify((await admin()('GET', '/v1/audit')).body)).not.toContain(key);
    expect(hub.lines.join('\n')).not.toContain(key);
  });

  test('access: a key made with an Idempotency-Key is given again, and still not stored in clear', async () => {
    const headers = { 'idempotency-key': 'make-a-key' };
    const body = { name: 'again', role: 'viewer' };
    const first = await admin()('POST', '/v1/api-keys', body, headers);
    const again = await admin()('POST', '/v1/api-keys', body, headers);
    expect(again.headers.get('idempotent-replay')).toBe('true');
    expect(again.body).toEqual(first.body);
    expect(await stored(first.body.key)).toEqual([]);
  });

  test('access: a key with scopes can do what they say and nothing more, whatever its role may', async () => {
    const all = guarded();
    for (const scope of PERMISSIONS) {
      const made = await admin()('POST', '/v1/api-keys', { name: scope, role: 'admin', scopes: [scope] });
      const call = apiFor(hub.url, made.body.key);
      for (const route of all) {
        const { status } = await ask(call, route);
        if (route.permission === scope) expect(status, `${scope} ${route.name}`).not.toBe(403);
        else expect(status, `${scope} ${route.name}`).toBe(403);
      }
    }
    const none = await admin()('POST', '/v1/api-keys', { name: 'none', role: 'admin', scopes: [] });
    expect((await apiFor(hub.url, none.body.key)('GET', '/v1/me')).status).toBe(403);
  });

  test('access: a key cannot be given more than its role has, nor be an owner', async () => {
    const beyond = await admin()('POST', '/v1/api-keys', { name: 'x', role: 'viewer', scopes: ['read', 'operate'] });
    expect(beyond.status).toBe(422);
    expect(beyond.body.fields[0].path).toBe('scopes');
    expect((await admin()('POST', '/v1/api-keys', { name: 'x', role: 'owner' })).status).toBe(400);
  });

  test('access: a revoked key ends at once, stays in the list with the time, and cannot be revoked again', async () => {
    const { key, id } = (await admin()('POST', '/v1/api-keys', { name: 'short', role: 'viewer' })).body;
    const api = apiFor(hub.url, key);
    expect((await api('GET', '/v1/me')).status).toBe(200);
    expect((await admin()('DELETE', `/v1/api-keys/${id}`)).status).toBe(204);
    expect((await api('GET', '/v1/me')).status).toBe(401);
    const { items } = (await admin()('GET', '/v1/api-keys')).body;
    expect(items.find((item: { id: string }) => item.id === id).revokedAt).toBe(hub.clock.now().toISOString());
    expect((await admin()('DELETE', `/v1/api-keys/${id}`)).status).toBe(404);
  });
});

describe('passwords', () => {
  test('access: passwords are stored with argon2id, each with a salt of its own, and nowhere in clear', async () => {
    const { rows } = await people.client.query('select password_hash from user_account');
    expect(rows.length).toBeGreaterThanOrEqual(USER_ROLES.length);
    for (const { password_hash: hash } of rows) {
      const [, memory, passes] = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$/.exec(hash)!.map(Number);
      expect(memory).toBeGreaterThanOrEqual(19_456);
      expect(passes).toBeGreaterThanOrEqual(2);
    }
    // The same password, many times.
    expect(new Set(rows.map((row) => row.password_hash)).size).toBe(rows.length);
    expect(await stored(PASSWORD)).toEqual([]);
    expect(hub.lines.join('\n')).not.toContain(PASSWORD);
  });

  test('access: session tokens are stored as hashes only', async () => {
    for (const { token } of Object.values(people.users)) expect(await stored(token.slice(4))).toEqual([]);
  });

  test('access: a short password is refused', async () => {
    const owner = people.users.owner.api;
    const user = { email: 'short@example.com', name: 'S', password: 'ninechars', role: 'viewer' };
    const answer = await owner('POST', '/v1/users', user);
    expect(answer.status).toBe(400);
    expect(answer.body.fields[0].path).toBe('body.password');
    await expect(logIn(hub.hub.access, user.email, user.password)).rejects.toThrow(/wrong/);
  });
});
