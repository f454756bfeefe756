import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { apiFor, testDatabase } from './support/hub.ts';
import { endAll, programEnv, run, serve, until } from './support/processes.ts';

// Each program takes a second to start, and more on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

afterAll(endAll);

/** Says at the end how many files of the tracing packages were loaded; their interface comes with the metrics. */
const PROBE = `process.on('exit', () => {
    const loaded = Object.keys(require.cache).filter((name) => /opentelemetry/.test(name) && !/opentelemetry.api/.test(name));
    require('node:fs').writeFileSync(process.env.PROBE_OUT, String(loaded.length));
  });`;

test('traces: spans go to the collector when one is named, and nothing of it is loaded when not', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rapport-traces-'));
  const database = await testDatabase();
  const spans: {
    name: string;
    scope: string;
    attributes: Record<string, unknown>;
    service: unknown;
    kind: number;
  }[] = [];
  const collector = http.createServer(async (request, reply) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.url === '/v1/traces') read(JSON.parse(Buffer.concat(chunks).toString()));
    reply.setHeader('content-type', 'application/json').end('{}');
  });
  const plain = (attributes: { key: string; value: Record<string, unknown> }[]) =>
    Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
  const read = (body: Record<string, any>): void => {
    for (const { resource, scopeSpans } of body.resourceSpans)
      for (const scoped of scopeSpans)
        for (const span of scoped.spans)
          spans.push({
            name: span.name,
            kind: span.kind,
            scope: scoped.scope.name,
            attributes: plain(span.attributes),
            service: plain(resource.attributes)['service.name'],
          });
  };
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  try {
    const probe = path.join(folder, 'probe.cjs');
    writeFileSync(probe, PROBE);
    const out = path.join(folder, 'loaded');
    const env = await programEnv(database.url, {
      PROBE_OUT: out,
      RAPPORT_ALLOW_PRIVATE: '127.0.0.1',
      RAPPORT_PASSWORD: 'correct horse battery',
    });
    const made = await run(env, 'setup', '--json', '--business', 'B', '--name', 'N', '--email', 'n@example.com');
    const key = made.json().apiKey as string;

    const without = await serve(env, ['--require', probe]);
    await apiFor(without.url, key)('GET', '/v1/me');
    expect(await without.stop()).toBe(0);
    expect(readFileSync(out, 'utf8')).toBe('0');
    expect(spans).toEqual([]);

    const traced = await serve({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: url }, ['--require', probe]);
    const api = apiFor(traced.url, key);
    await api('GET', '/v1/customers?search=ann%40example.com');
    await fetch(`${traced.url}/u/secret-token-of-a-recipient`);
    const secret = `whsec_${Buffer.alloc(24, 3).toString('base64')}`;
    const target = `${url}/receiver?token=abc`;
    const { body } = await api('POST', '/v1/connections', { connector: 'webhook', settings: { secret, target } });
    const asked = await api('POST', '/v1/actions', {
      kind: 'post_webhook',
      connectionId: body.connection.id,
      input: { type: 'invoice.overdue', data: {} },
    });
    await until('it is sent', async () => (await api('GET', `/v1/actions/${asked.body.id}`)).body.state === 'sent');
    // The last spans go out with the end of the program.
    expect(await traced.stop(), traced.said.stderr).toBe(0);
    expect(Number(readFileSync(out, 'utf8'))).toBeGreaterThan(50);

    expect(new Set(spans.map((span) => span.service))).toEqual(new Set(['rapport']));
    const names = spans.map((span) => span.name);
    expect(names).toEqual(expect.arrayContaining(['GET /v1/customers', 'GET /u/:token', 'job dispatch']));
    const called = spans.find((span) => span.attributes['url.full'] === `${url}/receiver`);
    expect(called?.attributes).toMatchObject({ 'http.request.method': 'POST' });
    expect(spans.some((span) => /^pg\.query/.test(span.name))).toBe(true);
    const told = JSON.stringify(spans);
    for (const hidden of ['ann@example', 'ann%40', 'secret-token', 'token=abc', key, secret])
      expect(told, hidden).not.toContain(hidden);
  } finally {
    collector.closeAllConnections();
    await new Promise((resolve) => collector.close(resolve));
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  }
});
