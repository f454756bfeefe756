import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ENTITY_KINDS, entityDefinition, isJoined } from '../src/kit/index.ts';
import { goldenTable, projectionColumns, projectionTable } from '../src/model/columns.ts';
import { testDatabase } from './support/hub.ts';

let database: Awaited<ReturnType<typeof testDatabase>>;
let client: pg.Client;

beforeAll(async () => {
  database = await testDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

// Shared by all tenants, reached by exact look-ups only; they hold no customer's data.
const COORDINATOR = [
  'tenant',
  'user_account',
  'session',
  'api_key_route',
  'link_route',
  'tenant_due',
  'account_route',
  'oauth_state',
  'rate_bucket',
  'hook_inbox',
  'hook_refusal',
  'migration',
];

const tables = async (): Promise<string[]> =>
  (
    await client.query(
      "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'",
    )
  ).rows.map((row) => row.table_name);
const tenantTables = async (): Promise<string[]> => (await tables()).filter((name) => !COORDINATOR.includes(name));

test('schema: every tenant table has row-level security bound to the tenant of the transaction', async () => {
  for (const table of await tenantTables()) {
    const { rows } = await client.query(
      'select c.relrowsecurity, p.qual from pg_class c left join pg_policies p on p.tablename = c.relname where c.oid = $1::regclass',
      [table],
    );
    expect(rows[0]?.relrowsecurity, table).toBe(true);
    expect(rows[0]?.qual, table).toContain("current_setting('app.tenant'");
  }
});

test('schema: every primary and unique key of a tenant table leads with the tenant', async () => {
  const { rows } = await client.query(`
    select t.relname as table, i.relname as index, a.attname as first from pg_index x
    join pg_class t on t.oid = x.indrelid join pg_class i on i.oid = x.indexrelid join pg_namespace n on n.oid = t.relnamespace and n.nspname = 'public'
    join pg_attribute a on a.attrelid = t.oid and a.attnum = x.indkey[0] where x.indisunique`);
  const names = new Set(await tenantTables());
  for (const row of rows.filter((candidate) => names.has(candidate.table)))
    expect(row.first, `${row.table}.${row.index}`).toBe('tenant_id');
});

test('schema: no tenant table refers to another table by a foreign key, and none has triggers', async () => {
  const { rows: keys } = await client.query(
    "select conrelid::regclass::text as table from pg_constraint where contype = 'f'",
  );
  const names = new Set(await tenantTables());
  expect(keys.filter((row) => names.has(row.table))).toEqual([]);
  const { rows: triggers } = await client.query(
    "select tgrelid::regclass::text as table from pg_trigger where not tgisinternal and tgrelid::regclass::text not like 'queue.%'",
  );
  expect(triggers.filter((row) => names.has(row.table))).toEqual([]);
});

test('schema: the application role owns nothing and may not bypass row-level security', async () => {
  const { rows } = await client.query(
    "select rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = 'rapport_app'",
  );
  expect(rows[0]).toEqual({ rolsuper: false, rolbypassrls: false, rolcreaterole: false });
  const owned = await client.query(
    "select 1 from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname = 'rapport_app'",
  );
  expect(owned.rowCount).toBe(0);
});

test('schema: the application role can neither change nor delete an audit event', async () => {
  await client.query('set role rapport_app');
  try {
    await expect(client.query("update audit_event set action = 'x'")).rejects.toThrow(/permission denied/);
    await expect(client.query("update audit_event set data = '{}'")).rejects.toThrow(/permission denied/);
    await expect(client.query('delete from audit_event')).rejects.toThrow(/permission denied/);
    await expect(client.query('truncate audit_event')).rejects.toThrow(/permission denied/);
  } finally {
    await client.query('reset role');
  }
});

test('schema: the tables of the canonical kinds are what the model says', async () => {
  const columns = async (table: string): Promise<Map<string, string>> => {
    const { rows } = await client.query(
      'select a.attname as name, format_type(a.atttypid, a.atttypmod) as type from pg_attribute a where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped',
      [table],
    );
    return new Map(rows.map((row) => [row.name, row.type]));
  };
  const full: Record<string, string> = { timestamptz: 'timestamp with time zone' };
  for (const kind of ENTITY_KINDS) {
    const found = await columns(projectionTable(kind));
    for (const { name, type } of projectionColumns(kind))
      expect(found.get(name), `${kind}.${name}`).toBe(full[type] ?? type);
    if (!isJoined(kind)) continue;
    const golden = await columns(goldenTable(kind));
    for (const [name, { type }] of Object.entries(entityDefinition(kind).fields))
      expect(golden.get(name), `golden ${kind}.${name}`).toBe(full[type] ?? type);
  }
});
