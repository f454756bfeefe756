import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeApiKey } from '../src/access/identity.ts';
import { newId } from '../src/base/ids.ts';
import { type Api, apiFor, startTestHub, type TestHub } from './support/hub.ts';

let hub: TestHub;
let other: { tenantId: string; api: Api };

interface Operation {
  method: string;
  path: string;
  security?: unknown[];
  summary?: string;
  tags?: string[];
  body?: boolean;
  parameters?: { name: string; in: string; required?: boolean }[];
}

let operations: Operation[];

/** What may be asked without a log-in; everything else under /v1 may not. */
const PUBLIC = ['POST /v1/setup', 'POST /v1/sessions', 'GET /v1/setup'];

/** Asked with POST because it takes long or says much, but it only reads. */
const READS = [
  'POST /v1/audit/verify',
  'POST /v1/triggers/try',
  'POST /v1/conditions/check',
  'POST /v1/conditions/try',
  'POST /v1/campaigns/{id}/preview',
  'POST /v1/forecast',
  'POST /v1/sequences/{id}/try',
  'POST /v1/templates/preview',
];

const nameOf = (operation: Operation): string => `${operation.method} ${operation.path}`;
const fill = (path: string, id: string): string => path.replaceAll(/\{[^}]+\}/g, encodeURIComponent(id));

beforeAll(async () => {
  hub = await startTestHub({ connectors: ['hubspot'] });
  other = await hub.otherTenant();
  const { body } = await hub.api('GET', '/docs/json');
  operations = Object.entries(body.paths as Record<string, Record<string, any>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path,
      body: operation.requestBody !== undefined,
    })),
  );
});

afterAll(() => hub?.stop());

const keyFor = async (role: 'operator' | 'integrator' | 'viewer' | 'admin', scopes?: string[]): Promise<Api> => {
  const made = await makeApiKey(hub.hub.access, hub.tenantId, {
    name: role,
    role,
    by: 'test',
    ...(scopes ? { scopes: scopes as never } : {}),
  });
  return apiFor(hub.url, made.key);
};

test('api: the description is valid OpenAPI 3.1 and says what every address is for', async () => {
  const { body } = await hub.api('GET', '/docs/json');
  const result = await new Validator().validate(body as never);
  expect(result.errors ?? []).toEqual([]);
  expect(body.openapi).toBe('3.1.0');
  expect(operations.length).toBeGreaterThan(60);
  for (const operation of operations) {
    expect(operation.summary, nameOf(operation)).toBeTruthy();
    expect(operation.tags?.length, nameOf(operation)).toBeGreaterThan(0);
  }
});

test('api: the reference page works under its own content security policy', async () => {
  const page = await fetch(`${hub.url}/docs/`);
  expect(page.status).toBe(200);
  expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
  expect(await page.text()).not.toMatch(/<script>(?!\s*<\/script>)/);
});

test('api: nothing is told without a log-in', async () => {
  for (const operation of operations.filter(({ path }) => path.startsWith('/v1'))) {
    const answer = await fetch(`${hub.url}${fill(operation.path, newId())}`, {
      method: operation.method,
      ...(operation.body ? { body: '{}', headers: { 'content-type': 'application/json' } } : {}),
    });
    if (PUBLIC.includes(nameOf(operation))) expect(answer.status, nameOf(operation)).not.toBe(401);
    else expect(answer.status, nameOf(operation)).toBe(401);
  }
});

test('api: a viewer changes nothing', async () => {
  const viewer = await keyFor('viewer');
  for (const operation of operations.filter(({ path, method }) => path.startsWith('/v1') && method !== 'GET')) {
    if ([...PUBLIC, ...READS].includes(nameOf(operation)) || operation.path.startsWith('/v1/sessions')) continue;
    const answer = await viewer(operation.method, fill(operation.path, newId()), operation.body ? {} : undefined);
    expect(answer.status, nameOf(operation)).toBe(403);
    expect(answer.body.detail).toMatch(/viewer/);
  }
});

test('api: a key can do no more than its scopes', async () => {
  const reading = await keyFor('admin', ['read']);
  expect((await reading('GET', '/v1/connections')).status).toBe(200);
  expect((await reading('GET', '/v1/api-keys')).status).toBe(403);
  expect((await reading('POST', '/v1/playbooks/overdue-chase/install')).status).toBe(403);
});

test('api: a revoked key ends at once', async () => {
  const made = await hub.api('POST', '/v1/api-keys', { name: 'short', role: 'viewer' });
  const short = apiFor(hub.url, made.body.key as string);
  expect((await short('GET', '/v1/connections')).status).toBe(200);
  expect((await hub.api('DELETE', `/v1/api-keys/${made.body.id}`)).status).toBe(204);
  expect((await short('GET', '/v1/connections')).status).toBe(401);
  const listed = await hub.api('GET', '/v1/api-keys');
  expect(JSON.stringify(listed.body)).not.toContain(made.body.key);
});

test('api: ids that are nobody’s, ill-formed or another business’s are refused, never a failure of ours', async () => {
  const theirs = await other.api('POST', '/v1/staff', { email: 'x@example.com', name: 'X' });
  const ids = [
    newId(),
    theirs.body.id as string,
    'nonsense',
    '%00',
    "' or 1=1 --",
    '../../etc/passwd',
    'é'.repeat(400),
  ];
  for (const operation of operations.filter(({ path }) => path.startsWith('/v1') && path.includes('{'))) {
    for (const id of ids) {
      const answer = await hub.api(operation.method, fill(operation.path, id), operation.body ? {} : undefined, {
        'if-match': '"1"',
      });
      expect(answer.status, `${nameOf(operation)} with ${id}: ${JSON.stringify(answer.body)}`).toBeLessThan(500);
      if (operation.method !== 'GET') expect(answer.status, `${nameOf(operation)} with ${id}`).toBeGreaterThan(399);
    }
  }
  const still = await other.api('GET', '/v1/staff');
  expect(still.body.items).toHaveLength(1);
});

/** Values that programs tend to fall over. */
const RUBBISH: unknown[] = [
  null,
  [],
  'text',
  7,
  {},
  { __proto: 1 },
  { constructor: { prototype: { x: 1 } } },
  { name: '\u0000', key: '\u0000', sequence: '\u0000' },
  { name: 'x'.repeat(10_000), connector: '../x', settings: [], input: null },
  { key: {}, title: [], steps: [[]], triggers: [{}], customers: [{}], kind: 'send_email', customerId: 'x' },
  { email: 'a@b', password: {}, role: 'owner', days: -1, on: 'yes' },
  { kind: 'create_task', input: { title: { deep: [1] }, dueAt: '9999-99-99', about: 'x' } },
  { kind: 'send_sms', customerId: newId(), class: 'marketing', input: { to: '+1', text: '' } },
  { promisedOn: '2026-02-31', amount: '-1', owner: 5 },
];

test('api: rubbish in bodies is refused with a problem document that names the place', async () => {
  for (const operation of operations.filter(({ path, body }) => path.startsWith('/v1') && body)) {
    for (const body of RUBBISH) {
      const answer = await hub.api(operation.method, fill(operation.path, newId()), JSON.stringify(body), {
        'content-type': 'application/json',
        'if-match': '"1"',
      });
      const told = `${nameOf(operation)} ${JSON.stringify(body)?.slice(0, 100)}: ${JSON.stringify(answer.body)}`;
      expect(answer.status, told).toBeLessThan(500);
      if (answer.status >= 400) {
        expect(answer.headers.get('content-type'), told).toContain('application/problem+json');
        expect(answer.body, told).toMatchObject({
          status: answer.status,
          title: expect.any(String),
          detail: expect.any(String),
        });
        expect(answer.body.requestId, told).toMatch(/^[0-9a-f-]{36}$/);
      }
    }
  }
});

test('api: an unknown field is a mistake, and it is named', async () => {
  const answer = await hub.api('POST', '/v1/staff', { email: 'ann@example.com', name: 'Ann', rol: [] });
  expect(answer.status).toBe(400);
  expect(answer.body.fields).toEqual([{ path: 'body.rol', message: 'is not known here' }]);
});

test('api: what an action needs is checked when it is asked for', async () => {
  const task = await hub.api('POST', '/v1/actions', { kind: 'create_task', input: { title: { deep: 1 } } });
  expect(task.status).toBe(422);
  expect(task.body.fields).toEqual([{ path: 'input.title', message: expect.any(String) }]);
  const nobody = await hub.api('POST', '/v1/actions', { kind: 'send_sms', input: { to: '+14155552671', text: 'Hi' } });
  expect(nobody.status).toBe(422);
  expect(nobody.body.fields[0].path).toBe('customerId');
});

test('api: limits of size, form and kind', async () => {
  const long = await hub.api('POST', '/v1/staff', { email: 'ann@example.com', name: 'x'.repeat(2 * 1024 * 1024) });
  expect(long.status).toBe(413);
  expect(long.body.fix).toBeTruthy();
  const broken = await hub.api('POST', '/v1/staff', '{"email": ', { 'content-type': 'application/json' });
  expect(broken.status).toBe(400);
  const other = await hub.api('POST', '/v1/staff', '<a/>', { 'content-type': 'text/xml' });
  expect(other.status).toBe(415);
  const nowhere = await hub.api('GET', '/v1/nothing-here');
  expect(nowhere.status).toBe(404);
  for (const answer of [long, broken, other, nowhere])
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
});

test('api: a repeated request with its key is done once', async () => {
  const body = { email: 'once@example.com', name: 'Once' };
  const headers = { 'idempotency-key': 'once-1' };
  const [first, second] = await Promise.all([
    hub.api('POST', '/v1/api-keys', { name: 'once', role: 'viewer' }, headers),
    hub.api('POST', '/v1/api-keys', { name: 'once', role: 'viewer' }, headers),
  ]);
  const third = await hub.api('POST', '/v1/api-keys', { name: 'once', role: 'viewer' }, headers);
  // Of two at the same moment one works and the other is told to ask again.
  const statuses = [first.status, second.status].sort();
  expect([
    [201, 201],
    [201, 409],
  ]).toContainEqual(statuses);
  const done = first.status === 201 ? first : second;
  expect(third.status).toBe(201);
  expect(third.headers.get('idempotent-replay')).toBe('true');
  expect(third.body).toEqual(done.body);
  const keys = await hub.api('GET', '/v1/api-keys');
  expect(keys.body.items.filter((key: { name: string }) => key.name === 'once')).toHaveLength(1);

  const reused = await hub.api('POST', '/v1/staff', body, headers);
  expect(reused.status).toBe(422);
  expect(reused.body.detail).toMatch(/another request/);
  // The same key of another business is another key.
  const theirs = await other.api('POST', '/v1/api-keys', { name: 'once', role: 'viewer' }, headers);
  expect(theirs.status).toBe(201);
  expect(theirs.body.id).not.toBe(done.body.id);
});

test('api: nobody overwrites what someone else just changed', async () => {
  const made = await hub.api('POST', '/v1/staff', { email: 'etag@example.com', name: 'Tag' });
  const url = `/v1/staff/${made.body.id}`;
  expect((await hub.api('PATCH', url, { name: 'A' })).status).toBe(428);
  const tag = made.headers.get('etag')!;
  const [one, two] = await Promise.all([
    hub.api('PATCH', url, { name: 'A' }, { 'if-match': tag }),
    hub.api('PATCH', url, { name: 'B' }, { 'if-match': tag }),
  ]);
  expect([one.status, two.status].sort()).toEqual([200, 412]);
  const won = one.status === 200 ? one : two;
  expect((await hub.api('PATCH', url, { name: 'C' }, { 'if-match': won.headers.get('etag')! })).status).toBe(200);
});

test('api: pages follow each other without gap or repetition', async () => {
  for (let n = 0; n < 7; n++)
    await hub.api('POST', '/v1/actions', {
      kind: 'create_task',
      input: { title: `Task ${n}`, dueAt: '2026-03-03T15:00:00Z', about: {} },
    });
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const page: { body: Record<string, any> } = await hub.api(
      'GET',
      `/v1/actions?limit=3${cursor ? `&cursor=${cursor}` : ''}`,
    );
    expect(page.body.items.length).toBeLessThanOrEqual(3);
    seen.push(...page.body.items.map((item: { id: string }) => item.id));
    cursor = page.body.next;
  } while (cursor);
  expect(seen.length).toBeGreaterThanOrEqual(7);
  expect(new Set(seen).size).toBe(seen.length);
  expect((await hub.api('GET', '/v1/actions?cursor=bm9uc2Vuc2U')).status).toBe(400);
  expect((await hub.api('GET', '/v1/actions?limit=0')).status).toBe(400);
  expect((await hub.api('GET', '/v1/actions?limit=100000')).status).toBe(400);
});

test('api: one business sees nothing of another', async () => {
  const lists = operations.filter(
    ({ path, method }) => method === 'GET' && path.startsWith('/v1') && !path.includes('{'),
  );
  await hub.api('POST', '/v1/playbooks/overdue-chase/install');
  await hub.api('PUT', '/v1/kill-switches/channel:sms', { reason: 'UNIQUE-MARK' });
  for (const operation of lists) {
    const mine = JSON.stringify((await hub.api('GET', operation.path)).body);
    const theirs = JSON.stringify((await other.api('GET', operation.path)).body);
    expect(theirs, nameOf(operation)).not.toContain('UNIQUE-MARK');
    const ids = new Set(mine.match(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g));
    for (const id of ids) expect(theirs, nameOf(operation)).not.toContain(id);
  }
});

test('api: too many requests are told when to come back', async () => {
  // A schema of any route that cannot be compiled shows here; other hubs compile what is used.
  const small = await startTestHub({ connectors: [], perMinute: 3, compileAtStart: true });
  try {
    for (let n = 0; n < 3; n++) expect((await small.api('GET', '/v1/connections')).status).toBe(200);
    const refused = await small.api('GET', '/v1/connections');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
    // Health and vendors' posts are never counted.
    expect((await fetch(`${small.url}/health`)).status).toBe(200);
  } finally {
    await small.stop();
  }
});

test('api: health, readiness, metrics', async () => {
  expect(await (await fetch(`${hub.url}/health`)).json()).toEqual({ ok: true });
  const ready = await fetch(`${hub.url}/ready`);
  expect(ready.status).toBe(200);
  expect(await ready.json()).toMatchObject({ ok: true, database: 'ok', queue: 'ok' });
  const metrics = await (await fetch(`${hub.url}/metrics`)).text();
  expect(metrics).toContain('rapport_http_request_seconds_count');
  expect(metrics).toContain('rapport_queue_jobs{queue="dispatch"');
  expect(metrics).not.toContain(hub.tenantId);
});

test('api: no secret reaches the log', async () => {
  const made = await hub.api('POST', '/v1/api-keys', { name: 'log', role: 'viewer' });
  await hub.api('POST', '/v1/sessions', { email: 'nobody@example.com', password: 'my secret password' });
  await fetch(`${hub.url}/oauth/callback?state=SECRETSTATE&code=SECRETCODE`);
  const log = hub.lines.join('\n');
  for (const secret of [made.body.key, 'my secret password', 'SECRETSTATE', 'SECRETCODE'])
    expect(log).not.toContain(secret as string);
});
