import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { distribute, variantOf } from '../src/base/citus.ts';
import { loadConfig } from '../src/base/config.ts';
import { openDatabase } from '../src/base/database.ts';
import { newId } from '../src/base/ids.ts';
import { createLogger } from '../src/base/log.ts';
import { COORDINATOR_TABLES, tableKinds } from '../src/base/tables.ts';
import { openStore } from '../src/open.ts';
import { type FakeCitus, installFakeCitus } from './support/fake-citus.ts';
import { testConfig, testDatabase } from './support/hub.ts';
import { ownerClient } from './support/tenants/catalog.ts';

// On a real cluster the tables are distributed already, and there is nothing to pretend.
describe.skipIf(inject('cluster'))('with a fake of Citus that writes down what it is asked', () => {
  let database: Awaited<ReturnType<typeof testDatabase>>;
  let plain: Awaited<ReturnType<typeof testDatabase>>;
  let owner: pg.Client;
  let citus: FakeCitus;

  beforeAll(async () => {
    database = await testDatabase();
    plain = await testDatabase();
    owner = await ownerClient(database.url);
    citus = await installFakeCitus(owner);
  });

  afterAll(async () => {
    await owner?.end();
    await database?.drop();
    await plain?.drop();
  });

  const open = async (url: string, env: Record<string, string>): Promise<string> => {
    const config = testConfig(0, { DATABASE_URL: url, ...env });
    return openStore({ config }, createLogger('silent')).then(
      async ({ release }) => {
        await release();
        return 'opened';
      },
      (error: Error) => error.message,
    );
  };

  test('citus: a table that is nobody’s, or whose tenant is not bound, stops the distribution before it begins', async () => {
    await owner.query('create table note (tenant_id uuid not null, id uuid not null, primary key (tenant_id, id))');
    await expect(distribute(database.url)).rejects.toThrow(/belong to a tenant: note\./);
    expect(await citus.calls()).toEqual([]);
    await owner.query('drop table note');
  });

  test('citus: a worker without the application’s role is named, with what to run there', async () => {
    await citus.worker('two', { success: true, result: '0' });
    await expect(distribute(database.url)).rejects.toThrow(
      /worker two:5432 does not have the role rapport_app.*create role/,
    );
    await citus.worker('two', { success: false, result: 'connection refused' });
    await expect(distribute(database.url)).rejects.toThrow(/worker two:5432 cannot be used: connection refused/);
    expect(await citus.calls()).toEqual([]);
    await citus.worker('two', { success: true, result: '1' });
  });

  test('citus: without a log-in of the application the hub says why it does not start', async () => {
    expect(await open(database.url, {})).toMatch(/DATABASE_APP_URL is missing.*Citus/s);
    expect(await citus.calls()).toEqual([]);
  });

  test('citus: every tenant table is distributed by tenant_id, all colocated, and no other', async () => {
    const { tenant } = await tableKinds(owner);
    expect(await distribute(database.url)).toEqual(tenant);
    const [first] = tenant;
    expect(await citus.calls()).toEqual(
      tenant.flatMap((table) => [
        `${table} by tenant_id with ${table === first ? 'none' : `public.${first}`}`,
        `${table} emptied here`,
      ]),
    );
    expect(tenant.filter((table) => table in COORDINATOR_TABLES)).toEqual([]);
  });

  test('citus: what is distributed stays as it is; a table that came later joins the others', async () => {
    expect(await distribute(database.url)).toEqual([]);
    expect(await citus.calls()).toEqual([]);
    for (const statement of [
      'create table note (tenant_id uuid not null, id uuid not null, primary key (tenant_id, id))',
      'alter table note enable row level security',
      "create policy tenant_rows on note using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)",
    ])
      await owner.query(statement);
    expect(await Promise.all([distribute(database.url), distribute(database.url)])).toContainEqual(['note']);
    const { tenant } = await tableKinds(owner);
    expect(await citus.calls()).toEqual([`note by tenant_id with public.${tenant[0]}`, 'note emptied here']);
  });

  test('citus: which kind of database it is, is found out or said; what is said wrong is told', async () => {
    expect(await variantOf(database.url, undefined)).toBe('citus');
    expect(await variantOf(database.url, 'postgres')).toBe('postgres');
    expect(await variantOf(plain.url, undefined)).toBe('postgres');
    await expect(variantOf(plain.url, 'citus')).rejects.toThrow(/does not have the extension.*create extension citus/);
    expect(await open(database.url, { DATABASE_VARIANT: 'postgres' })).toBe('opened');
    expect(() => testConfig(0, { DATABASE_VARIANT: 'citrus' })).toThrow(
      /DATABASE_VARIANT is "citrus"; it is postgres or citus/,
    );
    expect(loadConfig({ RAPPORT_KEYS: `k:${Buffer.alloc(32).toString('base64')}` }).databaseVariant).toBeUndefined();
  });
});

describe.skipIf(inject('cluster'))('a pool on Citus', () => {
  test('citus: the tenant is set in a text of its own, and rows that are selected to be inserted are asked back', async () => {
    const database = await testDatabase();
    const sent: string[] = [];
    const prototype = pg.Client.prototype as unknown as {
      query: (config: string | { text: string }, ...rest: unknown[]) => unknown;
    };
    const original = prototype.query;
    prototype.query = function query(config, ...rest) {
      sent.push(typeof config === 'string' ? config : config.text);
      return original.call(this, config, ...rest);
    };
    const said = async (citus: boolean): Promise<string[]> => {
      const db = openDatabase({ ownerUrl: database.url, citus, max: 1 });
      sent.length = 0;
      try {
        await db.tenant(newId(), async (tx) => {
          await tx.query(
            'insert into kill_switch (tenant_id, scope, reason, set_by, set_at) select $1, s, s, s, now() from unnest($2::text[]) as i(s)',
            [tx.tenantId, ['a', 'b']],
          );
          await tx.query(
            "insert into kill_switch (tenant_id, scope, reason, set_by, set_at) select $1, 'a', '', '', now() on conflict do nothing",
            [tx.tenantId],
          );
          const { rows } = await tx.query('select current_setting($1, true) as said', ['citus.propagate_set_commands']);
          sent.push(String((rows[0] as { said: string | null }).said));
        });
      } finally {
        await db.close();
      }
      return sent.map((text) => text.replace(/'[0-9a-f-]{36}'/, 'T'));
    };
    try {
      expect(await said(true)).toEqual([
        'begin',
        'set local app.tenant = T',
        expect.stringMatching(/unnest.* returning 1$/),
        expect.stringMatching(/on conflict do nothing$/),
        expect.stringContaining('current_setting'),
        'local',
        'commit',
      ]);
      expect(await said(false)).toEqual([
        'begin; set local app.tenant = T',
        expect.stringMatching(/i\(s\)$/),
        expect.stringMatching(/on conflict do nothing$/),
        expect.stringContaining('current_setting'),
        'null',
        'commit',
      ]);
    } finally {
      prototype.query = original;
      await database.drop();
    }
  });
});

test('citus: without CITUS_URL the suite for it says that it was skipped and what to do', () => {
  const { CITUS_URL: _url, ...env } = process.env;
  const { status, stdout } = spawnSync(process.execPath, ['test/run.mjs', '--citus'], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env,
    encoding: 'utf8',
  });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^CITUS_URL is not set: .*\nskipped\n$/);
});
