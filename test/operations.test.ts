import { readFileSync } from 'node:fs';
import http from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeApiKey } from '../src/access/identity.ts';
import { newId } from '../src/base/ids.ts';
import { apiFor, startTestHub, type TestHub, testDatabase } from './support/hub.ts';
import { until } from './support/processes.ts';
import { type Wire, wireTo } from './support/wires.ts';

let hub: TestHub;

beforeAll(async () => {
  hub = await startTestHub({ connectors: ['csv', 'webhook'], env: { METRICS_TOKEN: 'metrics-token-1' } });
});

afterAll(async () => {
  await hub?.stop();
});

describe('readiness', () => {
  let database: Awaited<ReturnType<typeof testDatabase>>;
  let wire: Wire;
  let far: TestHub;

  beforeAll(async () => {
    database = await testDatabase();
    const url = new URL(database.url);
    wire = await wireTo(url.hostname, Number(url.port));
    url.port = String(wire.port);
    far = await startTestHub({ connectors: [], databaseUrl: url.href });
  });

  afterAll(async () => {
    await wire?.mend();
    await far?.stop();
    await wire?.stop();
    await database?.drop();
  });

  const ready = () => far.api('GET', '/ready');

  test('operations: ready while the database answers, and only then; alive all the time', async () => {
    expect(await ready()).toMatchObject({ status: 200, body: { ok: true, database: 'ok', queue: 'ok' } });
    wire.cut();
    expect(await ready()).toMatchObject({ status: 503, body: { ok: false, database: 'does not answer' } });
    // Whoever asks is not told where the database is; the log is.
    expect(JSON.stringify((await ready()).body)).not.toMatch(/127\.0\.0\.1|ECONN/);
    expect(far.lines.join('')).toMatch(/"msg":"not ready"/);
    expect(await far.api('GET', '/health')).toMatchObject({ status: 200, body: { ok: true } });
    const asked = await far.api('GET', '/v1/connections');
    expect(asked.status).toBeGreaterThanOrEqual(500);
    expect(asked.headers.get('content-type')).toContain('application/problem+json');

    await wire.mend();
    await until('it is ready again', async () => (await ready()).status === 200);
    expect((await far.api('GET', '/v1/connections')).status).toBe(200);
  });

  test('operations: a database that is silent counts as away, and nobody waits for it', async () => {
    wire.silence();
    const before = performance.now();
    expect((await ready()).status).toBe(503);
    expect(performance.now() - before).toBeLessThan(10_000);
    expect((await far.api('GET', '/health')).status).toBe(200);
    await wire.mend();
    await until('it is ready again', async () => (await ready()).status === 200);
  });
});

describe('stopping', () => {
  test('operations: a request that is under way is answered, no new one is taken, and nobody holds the hub up', async () => {
    const ending = await startTestHub({ connectors: ['csv'] });
    const { key } = await makeApiKey(ending.hub.access, ending.tenantId, { name: 'k', role: 'admin', by: 'test' });
    const { port } = new URL(ending.url);
    // A client that keeps its connection, as load balancers do, in the middle of sending a file.
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const form = '--x\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\n';
    const request = http.request({
      ...{ agent, port, host: '127.0.0.1', method: 'POST', path: '/v1/imports/contacts' },
      headers: { authorization: `Bearer ${key}`, 'content-type': 'multipart/form-data; boundary=x' },
    });
    const answered = new Promise<number>((resolve, reject) => {
      request.once('response', (reply) => {
        reply.resume().once('end', () => resolve(reply.statusCode!));
      });
      request.once('error', reject);
    });
    request.write(`${form}id,name,email\n1,Ann,ann@example.com\n`);
    await until('the request has begun', () => inFlight(ending));
    const stopped = ending.stop();
    await until('no new request is taken', () =>
      fetch(`${ending.url}/health`, { headers: { connection: 'close' } }).then(
        () => false,
        () => true,
      ),
    );
    request.end('2,Bob,bob@example.com\n\r\n--x--\r\n');
    expect(await answered).toBe(200);
    const before = performance.now();
    await stopped;
    expect(performance.now() - before).toBeLessThan(8_000);
    agent.destroy();
  });
});

/** Whether a request is being worked on: nothing else keeps a connection of this hub busy. */
const inFlight = (of: TestHub): Promise<boolean> =>
  new Promise((resolve, reject) =>
    of.hub.app!.server.getConnections((error, count) => (error ? reject(error) : resolve(count > 0))),
  );

describe('metrics', () => {
  const scrape = async (headers: Record<string, string> = { authorization: 'Bearer metrics-token-1' }) => {
    const answer = await fetch(`${hub.url}/metrics`, { headers });
    return { status: answer.status, type: answer.headers.get('content-type') ?? '', text: await answer.text() };
  };

  test('operations: metrics are for whoever has the token', async () => {
    for (const authorization of ['', 'Bearer wrong', 'Bearer metrics-token-', 'Basic metrics-token-1'])
      expect((await scrape(authorization ? { authorization } : {})).status, authorization).toBe(401);
    expect((await scrape()).status).toBe(200);
  });

  test('operations: without a token this machine alone may read them', async () => {
    const open = await startTestHub({ connectors: [], env: { TRUST_PROXY: 'true' } });
    try {
      expect((await fetch(`${open.url}/metrics`)).status).toBe(200);
      const elsewhere = await fetch(`${open.url}/metrics`, { headers: { 'x-forwarded-for': '203.0.113.9' } });
      expect(elsewhere.status).toBe(401);
    } finally {
      await open.stop();
    }
  });

  test('operations: the metrics are those that docs/operations.md lists, with bounded labels', async () => {
    await hub.api('GET', '/v1/connections');
    const nobody = `${hub.url}/hooks/webhook/${newId()}`;
    expect((await fetch(nobody, { method: 'POST', body: '{}' })).status).toBeLessThan(500);
    const { text, type } = await scrape();
    expect(type).toContain('text/plain');
    const given = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]!));
    const page = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
    const listed = [...page.matchAll(/^\| `(rapport_[a-z_]+)`/gm)].map((match) => match[1]!);
    expect(listed.length).toBeGreaterThan(4);
    for (const name of listed) expect(given, name).toContain(name);
    const own = [...given].filter((name) => !/^rapport_(process|nodejs)_/.test(name));
    expect([...new Set(listed)]).toEqual(expect.arrayContaining(own));
    // The first answer is complete already.
    expect(text).toMatch(/^rapport_db_connections\{state="total"\} [1-9]/m);
    expect(text).toMatch(/^rapport_queue_jobs\{queue="dispatch",state="ready"\} \d/m);
    expect(text).toMatch(
      /^rapport_http_request_seconds_count\{method="GET",route="\/v1\/connections",status="200"\} 1/m,
    );
    expect(text).not.toContain(hub.tenantId);
  });
});

describe('limits', () => {
  test('operations: a post of a vendor beyond a megabyte is refused before it is kept', async () => {
    const answer = await fetch(`${hub.url}/hooks/webhook/x`, { method: 'POST', body: 'x'.repeat(1_100_000) });
    expect(answer.status).toBe(413);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  test('operations: a hook address that cannot be one is refused without asking the database', async () => {
    const { total } = hub.hub.db.load();
    for (const id of ['x', '%00', "' or 1=1 --", '../../etc/passwd', 'é'.repeat(100)]) {
      const url = `${hub.url}/hooks/webhook/${encodeURIComponent(id)}`;
      expect((await fetch(url, { method: 'POST', body: '{}' })).status, id).toBe(404);
    }
    // A statement that Postgres refuses costs its connection, which a stranger must not be able to do.
    expect(hub.hub.db.load().total).toBe(total);
  });

  test('operations: a file beyond 50 MB is refused with the other way to bring it in', async () => {
    const form = new FormData();
    form.set('file', new Blob([Buffer.alloc(51 * 1024 * 1024, 'a,b\n')]), 'big.csv');
    const { key } = await makeApiKey(hub.hub.access, hub.tenantId, { name: 'k', role: 'admin', by: 'test' });
    const answer = await fetch(`${hub.url}/v1/imports/contacts`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: form,
    });
    expect(answer.status).toBe(413);
    expect(((await answer.json()) as { fix: string }).fix).toContain('rapport import');
  });

  test('operations: guessing passwords is slowed down', async () => {
    const strict = await startTestHub({ connectors: [] });
    try {
      const guess = () => apiFor(strict.url, '')('POST', '/v1/sessions', { email: 'a@example.com', password: 'x' });
      for (let n = 0; n < 10; n++) expect((await guess()).status).toBe(401);
      const refused = await guess();
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(refused.body.fix).toMatch(/Retry-After/);
      expect((await strict.api('GET', '/v1/connections')).status).toBe(200);
    } finally {
      await strict.stop();
    }
  });
});

describe('reference', () => {
  test('operations: everything the reference page needs comes from the hub itself', async () => {
    const page = await (await fetch(`${hub.url}/docs/`)).text();
    const parts = [...page.matchAll(/(?:src|href)="([^"#]+)"/g)].map((match) => match[1]!);
    expect(parts.length).toBeGreaterThan(3);
    for (const part of parts) {
      const url = new URL(part, `${hub.url}/docs/`);
      expect(url.origin, part).toBe(hub.url);
      const answer = await fetch(url);
      expect(answer.status, part).toBe(200);
      await answer.arrayBuffer();
    }
    const { body } = await hub.api('GET', '/docs/json');
    expect(body).toMatchObject({ openapi: '3.1.0', servers: [{ url: hub.url }] });
  });
});
