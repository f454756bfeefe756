import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../src/base/config.ts';
import { APP_ROLE } from '../src/base/database.ts';
import { createLogger } from '../src/base/log.ts';
import { checkVendorConfig } from '../src/connections/vendors.ts';
import { openStore } from '../src/open.ts';
import { loadRegistry } from '../src/registry.ts';
import { freePort, testDatabase } from './support/hub.ts';
import { type Ended, endAll, programEnv, runRapport, serve } from './support/processes.ts';

const keyOf = (name: string, fill: number): string => `${name}:${Buffer.alloc(32, fill).toString('base64')}`;
const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-config-'));

let database: Awaited<ReturnType<typeof testDatabase>>;

beforeAll(async () => {
  database = await testDatabase();
});

afterAll(async () => {
  endAll();
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** What the program says about a configuration; empty when it takes it. */
function problemsOf(env: Record<string, string>): string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).toContain('The configuration does not work');
    return error.problems;
  }
}

const GOOD = { DATABASE_URL: 'postgres://rapport:hidden-word@db.example/rapport', RAPPORT_KEYS: keyOf('k1', 7) };

describe('reading', () => {
  test('config: a complete configuration is taken as it is', () => {
    expect(problemsOf(GOOD)).toEqual([]);
    const config = loadConfig({
      ...GOOD,
      PUBLIC_URL: 'https://hub.example/',
      ROLES: 'sync, engine',
      LOG_LEVEL: 'WARN',
    });
    expect(config).toMatchObject({ publicUrl: 'https://hub.example', roles: ['sync', 'engine'], logLevel: 'warn' });
    expect(config.keys).toEqual([{ id: 'k1', key: Buffer.alloc(32, 7) }]);
  });

  const secret = 'hidden-word';
  const wrong: [what: string, env: Record<string, string>, problem: RegExp][] = [
    ['keys missing beside an own database', { RAPPORT_KEYS: '' }, /^RAPPORT_KEYS is missing/],
    ['keys that are blank', { RAPPORT_KEYS: '   ' }, /^RAPPORT_KEYS is missing/],
    ['keys that are nothing but commas', { RAPPORT_KEYS: ' , ,' }, /^RAPPORT_KEYS holds no key/],
    ['a key without a name', { RAPPORT_KEYS: keyOf('', 7) }, /^RAPPORT_KEYS must be a list of name:key pairs/],
    ['a key that is no pair', { RAPPORT_KEYS: secret }, /^RAPPORT_KEYS must be a list of name:key pairs/],
    ['a key that is too short', { RAPPORT_KEYS: `k1:${secret}` }, /^RAPPORT_KEYS must be .* 32 bytes/],
    ['one bad key among good ones', { RAPPORT_KEYS: `${keyOf('k2', 1)},k1:${secret}` }, /^RAPPORT_KEYS must be/],
    [
      'two keys of one name',
      { RAPPORT_KEYS: `${keyOf('k1', 1)},${keyOf('k1', 2)}` },
      /^RAPPORT_KEYS names .*"k1" twice/,
    ],
    ['an address that is no Postgres', { DATABASE_URL: `mysql://root:${secret}@db/x` }, /^DATABASE_URL must be a URL/],
    ['an address that is no URL', { DATABASE_URL: `postgres://[${secret}` }, /^DATABASE_URL must be a URL/],
    ['a role’s address that is no URL', { DATABASE_APP_URL: secret }, /^DATABASE_APP_URL must be a URL/],
    [
      'a role’s address without a database',
      { DATABASE_URL: '', DATABASE_APP_URL: `postgres://a:${secret}@db/x`, RAPPORT_DATA: folder },
      /^DATABASE_APP_URL is set without DATABASE_URL/,
    ],
    ['a port that is no number', { PORT: 'http' }, /PORT must be integer/],
    ['a port there is not', { PORT: '70000' }, /PORT must be <= 65535/],
    ['a role there is not', { ROLES: 'api,everything' }, /^ROLES names "everything"; the roles are api, sync/],
    ['no role at all', { ROLES: ',' }, /^ROLES is empty/],
    ['a public address that is none', { PUBLIC_URL: 'hub.example' }, /^PUBLIC_URL "hub.example" is not a URL/],
    ['a public address of another kind', { PUBLIC_URL: 'ftp://hub.example' }, /^PUBLIC_URL .* http\(s\) address/],
    ['a log level there is not', { LOG_LEVEL: 'loud' }, /^LOG_LEVEL is "loud"; the levels are fatal, error/],
    ['a switch that is neither on nor off', { TRUST_PROXY: 'maybe' }, /TRUST_PROXY must be boolean/],
    ['another such switch', { PREPARED_STATEMENTS: 'perhaps' }, /PREPARED_STATEMENTS must be boolean/],
    ['a collector that is no address', { OTEL_EXPORTER_OTLP_ENDPOINT: 'here' }, /^OTEL_EXPORTER_OTLP_ENDPOINT must be/],
    [
      'a folder that is a file',
      { DATABASE_URL: '', RAPPORT_KEYS: '', RAPPORT_DATA: '/dev/null/x' },
      /^RAPPORT_DATA "\/dev\/null\/x" is no folder/,
    ],
  ];

  test.each(wrong)('config: %s is named', (_what, env, problem) => {
    const problems = problemsOf({ ...GOOD, ...env });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
    expect(problems[0]).not.toContain(secret);
  });

  test('config: everything that is wrong is named at once', () => {
    const problems = problemsOf({ ...GOOD, RAPPORT_KEYS: 'x', ROLES: 'cook', PUBLIC_URL: '-', LOG_LEVEL: 'loud' });
    expect(problems.map((problem) => problem.split(' ')[0]).sort()).toEqual([
      'LOG_LEVEL',
      'PUBLIC_URL',
      'RAPPORT_KEYS',
      'ROLES',
    ]);
  });

  test('config: a registration at a vendor that is half there is named, and what is there is not shown', async () => {
    const registry = await loadRegistry(['hubspot']);
    const check = (env: Record<string, string>): string[] =>
      checkVendorConfig(loadConfig({ ...GOOD, ...env }), registry);
    expect(check({})).toEqual([]);
    expect(check({ HUBSPOT_CLIENT_ID: 'id', HUBSPOT_CLIENT_SECRET: secret })).toEqual([]);
    const [half, ...more] = check({ HUBSPOT_CLIENT_SECRET: secret, HUBSPOT_CLIENT_ID: ' ' });
    expect(half).toBe('HubSpot is half configured: HUBSPOT_CLIENT_ID is missing beside HUBSPOT_CLIENT_SECRET.');
    expect(more).toEqual([]);
  });

  test('config: without a database of one’s own the key is made once, for the owner’s eyes only', () => {
    const data = path.join(folder, 'data');
    const [first, second] = [loadConfig({ RAPPORT_DATA: data }), loadConfig({ RAPPORT_DATA: data })];
    expect(first.keys).toHaveLength(1);
    expect(second.keys).toEqual(first.keys);
    expect(statSync(path.join(data, 'keys')).mode & 0o777).toBe(0o600);
    expect(readFileSync(path.join(data, 'keys'), 'utf8')).not.toContain(Buffer.alloc(32, 0).toString('base64'));
  });

  test('config: a key file that was damaged is named by its place, and not repeated', () => {
    const data = path.join(folder, 'damaged');
    mkdirSync(data);
    for (const text of ['', `k1:${secret}`]) {
      writeFileSync(path.join(data, 'keys'), text);
      const problems = problemsOf({ RAPPORT_DATA: data });
      expect(problems).toHaveLength(1);
      expect(problems[0]).toContain(path.join(data, 'keys'));
      expect(problems[0]).not.toContain(secret);
    }
  });
});

describe('the database', () => {
  const log = createLogger('silent');
  /** Opens the database with these settings; the refusal in words, or undefined. */
  async function refusal(env: Record<string, string>): Promise<string | undefined> {
    try {
      const config = loadConfig({ DATABASE_URL: database.url, RAPPORT_KEYS: keyOf('k1', 7), ...env });
      await (await openStore({ config }, log)).release();
      return undefined;
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      return (error as Error).message;
    }
  }

  /** The database's address as somebody else. */
  const as = (user: string, password: string, name?: string): string => {
    const url = new URL(database.url);
    Object.assign(url, { username: user, password });
    if (name) url.pathname = `/${name}`;
    return url.href;
  };

  test('config: keys that do not open what the database holds are refused, and rotated ones are not', async () => {
    expect(await refusal({})).toBeUndefined();
    const other = keyOf('k1', 8);
    const told = await refusal({ RAPPORT_KEYS: other });
    expect(told).toMatch(/RAPPORT_KEYS does not open the secrets in this database.*"k1"/);
    expect(told).not.toContain(other.slice(3));
    expect(await refusal({ RAPPORT_KEYS: keyOf('k2', 7) })).toMatch(
      /sealed with key "k1", which is not in RAPPORT_KEYS/,
    );
    expect(await refusal({ RAPPORT_KEYS: `${keyOf('k2', 9)},${keyOf('k1', 7)}` })).toBeUndefined();
  });

  test('config: a database that does not answer or does not let us in is named without its password', async () => {
    const port = await freePort();
    const nowhere = new URL(as('rapport', 'hidden-word'));
    nowhere.port = String(port);
    for (const [url, reason] of [
      [nowhere.href, /ECONNREFUSED/],
      [as('rapport', 'hidden-word'), /password authentication failed/],
      [as('nobody', 'hidden-word'), /password authentication failed/],
      [
        as(new URL(database.url).username, new URL(database.url).password, 'nothing_here'),
        /"nothing_here" does not exist/,
      ],
      ['postgres://rapport:hidden-word@nowhere.invalid/x', /nowhere\.invalid/],
    ] as const) {
      const told = await refusal({ DATABASE_URL: url });
      expect(told, url).toMatch(/DATABASE_URL does not lead to a database that can be used/);
      expect(told, url).toMatch(reason);
      expect(told, url).not.toContain('hidden-word');
      expect(told, url).not.toContain(new URL(database.url).password);
    }
    const told = await refusal({ DATABASE_APP_URL: as('nobody', 'hidden-word') });
    expect(told).toMatch(/DATABASE_APP_URL does not lead to a database/);
    expect(told).not.toContain('hidden-word');
  });

  test('config: a role that row-level security does not bind, or that may nothing, is refused', async () => {
    const owner = new pg.Client({ connectionString: database.url });
    await owner.connect();
    const suffix = randomBytes(4).toString('hex');
    const [member, bypass, outsider] = ['member', 'bypass', 'outsider'].map((name) => `${name}_${suffix}`);
    try {
      await owner.query(`create role ${member} login password 'pw' in role ${APP_ROLE}`);
      await owner.query(`create role ${bypass} login password 'pw' bypassrls in role ${APP_ROLE}`);
      await owner.query(`create role ${outsider} login password 'pw'`);
      expect(await refusal({ DATABASE_APP_URL: as(member!, 'pw') })).toBeUndefined();
      expect(await refusal({ DATABASE_APP_URL: as(bypass!, 'pw') })).toMatch(/DATABASE_APP_URL .* does not bind/);
      expect(await refusal({ DATABASE_APP_URL: database.url })).toMatch(/DATABASE_APP_URL .* does not bind/);
      expect(await refusal({ DATABASE_APP_URL: as(outsider!, 'pw') })).toMatch(/DATABASE_APP_URL .* no member of/);
    } finally {
      for (const role of [member, bypass, outsider]) await owner.query(`drop role if exists ${role}`);
      await owner.end();
    }
  });
});

describe('the program', () => {
  /** Runs `rapport serve` to its end and knocks at its port all the while. */
  async function start(more: Record<string, string>): Promise<Ended & { opened: boolean }> {
    const env = await programEnv(database.url, more);
    const running = runRapport(env, 'serve');
    let opened = false;
    let over = false;
    const knocking = (async () => {
      while (!over) {
        await new Promise<void>((resolve) => {
          const socket = connect(Number(env.PORT) || 1, '127.0.0.1');
          socket.once('connect', () => {
            opened = true;
            socket.destroy();
            resolve();
          });
          socket.once('error', () => resolve());
        });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    const ended = await running.end();
    over = true;
    await knocking;
    return { ...ended, opened };
  }

  const SECRET = 'hidden-word';
  const cases: [what: string, env: () => Record<string, string>, problems: RegExp[]][] = [
    [
      'several settings',
      () => ({ RAPPORT_KEYS: `k1:${SECRET}`, LOG_LEVEL: 'loud', OTEL_EXPORTER_OTLP_ENDPOINT: 'here' }),
      [/RAPPORT_KEYS must be/, /LOG_LEVEL is "loud"/, /OTEL_EXPORTER_OTLP_ENDPOINT must be/],
    ],
    [
      'a database that is not there',
      () => ({ DATABASE_URL: `postgres://rapport:${SECRET}@127.0.0.1:1/x` }),
      [/DATABASE_URL does not lead to a database/],
    ],
    ['half a registration', () => ({ HUBSPOT_CLIENT_SECRET: SECRET }), [/HUBSPOT_CLIENT_ID is missing/]],
  ];

  test.each(cases)(
    'config: started with %s, it says which, opens no port and ends with code 1',
    async (_what, env, problems) => {
      const ended = await start(env());
      expect(ended).toMatchObject({ code: 1, opened: false, stdout: '' });
      expect(ended.stderr).toContain('The configuration does not work');
      for (const problem of problems) expect(ended.stderr).toMatch(problem);
      expect(ended.stderr).not.toContain(SECRET);
      // Words, not a stack.
      expect(ended.stderr).not.toMatch(/\n\s+at /);
    },
  );

  test('config: started with a whole configuration it says none of its secrets, not even in its finest log', async () => {
    const secrets = { HUBSPOT_CLIENT_SECRET: 'secret-of-hubspot', METRICS_TOKEN: 'secret-of-metrics' };
    const env = await programEnv(database.url, { ...secrets, HUBSPOT_CLIENT_ID: 'id', LOG_LEVEL: 'trace' });
    const hub = await serve(env);
    const metrics = await fetch(`${hub.url}/metrics`);
    expect(metrics.status).toBe(401);
    expect(await hub.stop()).toBe(0);
    const said = hub.said.stdout + hub.said.stderr;
    expect(said).toContain('the hub runs');
    const password = decodeURIComponent(new URL(database.url).password);
    for (const secret of [...Object.values(secrets), password, env.RAPPORT_KEYS!.slice(3)])
      expect(said).not.toContain(secret);
  });
});
