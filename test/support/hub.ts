import { randomBytes, randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { afterEach, inject } from 'vitest';
import { createTenant, makeApiKey } from '../../src/access/identity.ts';
import { type ManualClock, manualClock } from '../../src/base/clock.ts';
import { type Config, loadConfig } from '../../src/base/config.ts';
import type { DatabaseOptions } from '../../src/base/database.ts';
import { createLogger, type Logger } from '../../src/base/log.ts';
import { type Hub, startHub } from '../../src/hub.ts';
import type { Connector } from '../../src/kit/index.ts';
import { decideOnPage } from '../../src/kit/sandbox/index.ts';
import { loadRegistry } from '../../src/registry.ts';
import { type Cluster, cloneTemplate, databaseAt, dropDatabase } from './cluster.ts';

/** A database of its own for a test file, cloned from the migrated template. */
export async function testDatabase(): Promise<{ url: string; drop: () => Promise<void> }> {
  const server = inject('server');
  const cluster: Cluster = inject('cluster') ?? { nodes: [server], template: 'template_rapport', login: undefined };
  const name = `t_${randomBytes(6).toString('hex')}`;
  await cloneTemplate(cluster, name);
  return { url: databaseAt(server, name), drop: () => dropDatabase(cluster, name) };
}

/** How a hub or program is told where its database is. */
export function databaseEnv(url: string): Record<string, string> {
  const app = accessTo(url).appUrl;
  return { DATABASE_URL: url, ...(app ? { DATABASE_APP_URL: app } : {}) };
}

/** How a pool of the application is opened on a database of the tests. */
export function accessTo(url: string): DatabaseOptions {
  const login = inject('cluster')?.login;
  if (!login || url === '') return { ownerUrl: url };
  const its = new URL(url);
  its.username = login.name;
  its.password = login.password;
  return { ownerUrl: url, appUrl: its.href, citus: true };
}

/**
 * A port nobody listens on, to be listened on in a while: below those that systems give to outgoing calls (from 32768 on),
 * one of which might otherwise have it by then.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** Lines the hub logged, for the tests that no secret is among them. */
export function captureLog(level = 'debug'): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  return { lines, log: createLogger(level, { write: (line) => void lines.push(line) }) };
}

export interface Answer<Body = Record<string, any>> {
  status: number;
  headers: Headers;
  body: Body;
}

/** Calls the API as one key. */
export type Api = <Body = Record<string, any>>(
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answer<Body>>;

export interface TestHub {
  hub: Hub;
  clock: ManualClock;
  tenantId: string;
  /** Calls the API with an admin key of the tenant. */
  api: Api;
  url: string;
  lines: string[];
  /** A second tenant with a key of its own. */
  otherTenant(name?: string): Promise<{ tenantId: string; api: Api }>;
  /** Connects a platform through its simulated page; answers the connection. */
  connect(
    connector: string,
    options?: { features?: string[]; api?: Api; settings?: Record<string, unknown> | undefined },
  ): Promise<Record<string, any>>;
  /** Puts jobs for what is due and waits until nothing is left to do. */
  settle(): Promise<void>;
  /** Moves the clock and settles. */
  advance(milliseconds: number): Promise<void>;
  stop(): Promise<void>;
}

export interface TestHubOptions {
  at?: string;
  /** Environment of the hub: registrations at vendors, hosts of simulations. */
  env?: Record<string, string>;
  connectors?: string[];
  /** Connectors made up for the test. */
  madeUp?: Connector[];
  zone?: string;
  port?: number;
  roles?: string;
  databaseUrl?: string;
  perMinute?: number;
  compileAtStart?: boolean;
  /** Jobs run in this process, one after the other, when the test asks for it: faster where time is hopped over. */
  memoryQueue?: boolean;
}

export const apiFor =
  (url: string, key: string): Api =>
  async (method, path, body, headers = {}) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    // The real program turns requests away while the machine is busy with other tests: it says when to come again.
    if (answer.status === 503 && text.includes('/problems/overloaded')) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return apiFor(url, key)(method, path, body, headers);
    }
    let parsed: unknown = text;
    try {
      parsed = JSON.parse(text);
    } catch {
      // Not every answer is JSON.
    }
    return { status: answer.status, headers: answer.headers, body: parsed as never };
  };

const KEYS = `k1:${Buffer.alloc(32, 7).toString('base64')}`;

/** Configuration of a hub under test. */
export const testConfig = (port: number, env: Record<string, string> = {}): Config =>
  loadConfig({
    RAPPORT_DATA: '/nonexistent',
    DATABASE_URL: 'postgres://unused',
    RAPPORT_KEYS: KEYS,
    PORT: String(port),
    RAPPORT_ALLOW_PRIVATE: '127.0.0.1,localhost',
    LOG_LEVEL: 'debug',
    ...env,
  });

// What the hub itself said about a failure is half of finding it.
const running = new Set<{ lines: string[] }>();
const troubles = (lines: readonly string[]): string[] =>
  lines.filter((line) => /"level":"(warn|error|fatal)"/.test(line)).slice(-20);
afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const { lines } of running) for (const line of troubles(lines)) console.error(line);
});

/** A hub on a database of its own, with a clock that is moved by hand and no sweeping by itself. */
export async function startTestHub(options: TestHubOptions = {}): Promise<TestHub> {
  const database = options.databaseUrl ? { url: options.databaseUrl, drop: async () => {} } : await testDatabase();
  const clock = manualClock(options.at ?? '2026-03-02T15:00:00Z');
  const { log, lines } = captureLog();
  const entry = { lines };
  running.add(entry);
  const port = options.port ?? (await freePort());
  const config = testConfig(port, {
    ...databaseEnv(database.url),
    ...(options.roles ? { ROLES: options.roles } : {}),
    ...options.env,
  });
  const loaded = await loadRegistry(options.connectors);
  const madeUp = options.madeUp ?? [];
  const registry = {
    all: () => [...loaded.all(), ...madeUp],
    find: (id: string) => madeUp.find((connector) => connector.id === id) ?? loaded.find(id),
  };
  const hub = await startHub({
    config,
    clock,
    log,
    registry,
    databaseUrl: database.url,
    sweep: false,
    perMinute: options.perMinute ?? 100_000,
    compileAtStart: options.compileAtStart === true,
    memoryQueue: options.memoryQueue === true,
    // A machine busy with other tests is no matter of the hub's.
    shedLoad: false,
  });
  const url = `http://127.0.0.1:${port}`;
  const makeTenant = async (name: string): Promise<{ tenantId: string; api: Api }> => {
    const tenantId = await createTenant(hub.access, {
      business: name,
      zone: options.zone ?? 'America/New_York',
      country: 'US',
      currency: 'USD',
    });
    const { key } = await makeApiKey(hub.access, tenantId, { name: 'test', role: 'admin', by: 'system' });
    return { tenantId, api: apiFor(url, key) };
  };
  const { tenantId, api } = await makeTenant('Test business');
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 50; round++) {
      const woken = await hub.sweep();
      await hub.queue.idle();
      if (woken === 0) return;
    }
    throw new Error('The hub does not come to rest.');
  };
  return {
    hub,
    clock,
    tenantId,
    api,
    url,
    lines,
    otherTenant: (name = 'Other business') => makeTenant(name),
    connect: async (connector, more = {}) => {
      const call = more.api ?? api;
      const started = await call('POST', '/v1/connections', {
        connector,
        ...(more.features ? { features: more.features } : {}),
        ...(more.settings ? { settings: more.settings } : {}),
      });
      if (started.status !== 200)
        throw new Error(
          `Connecting ${connector} failed: ${JSON.stringify(started.body)}\n${troubles(lines).join('\n')}`,
        );
      const page = await decideOnPage(started.body.authorizeUrl as string, 'allow');
      if (page.status !== 200) throw new Error(`The way back from ${connector} failed: ${page.body}`);
      const { body } = await call('GET', '/v1/connections');
      return body.items.filter((item: { connector: string }) => item.connector === connector).at(-1);
    },
    settle,
    advance: async (milliseconds) => {
      clock.advance(milliseconds);
      await settle();
    },
    stop: async () => {
      running.delete(entry);
      await hub.stop();
      await database.drop();
    },
  };
}

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
