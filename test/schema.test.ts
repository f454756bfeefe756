import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MIGRATIONS } from '../src/base/migrate.ts';
import { COORDINATOR_TABLES, tableKinds } from '../src/base/tables.ts';
import { ENTITY_KINDS, isJoined } from '../src/kit/index.ts';
import { fieldColumns, goldenTable, projectionColumns, projectionTable } from '../src/model/columns.ts';
import { testDatabase } from './support/hub.ts';
import { patternsIn } from './support/sql/sources.ts';

const SOURCE = fileURLToPath(new URL('../src', import.meta.url));

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

const tenantTables = async (): Promise<string[]> => (await tableKinds(client)).tenant;

test('schema: every table is a tenant’s or has a reason why it is not', async () => {
  const { tenant, coordinator, unclear } = await tableKinds(client);
  expect(unclear).toEqual([]);
  expect(tenant.length).toBeGreaterThan(45);
  // No reason without a table.
  expect(Object.keys(COORDINATOR_TABLES).filter((name) => !coordinator.includes(name))).toEqual([]);
});

test('schema: every tenant table has row-level security bound to the tenant of the transaction', async () => {
  for (const table of await tenantTables()) {
    const { rows } = await client.query(
      'select c.relrowsecurity, p.permissive, coalesce(p.qual, p.with_check) as qual, p.with_check from pg_class c left join pg_policies p on p.tablename = c.relname where c.oid = $1::regclass',
      [table],
    );
    for (const row of rows) {
      // Restrictive ones would be permissive on the workers of Citus, and one that lets everything in would then do so.
      expect(row, table).toMatchObject({ relrowsecurity: true, permissive: 'PERMISSIVE' });
      for (const condition of [row.qual, row.with_check ?? row.qual])
        expect(condition, table).toContain("tenant_id = (NULLIF(current_setting('app.tenant'");
    }
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
    "select conrelid::regclass::text as table, confrelid::regclass::text as target from pg_constraint where contype = 'f'",
  );
  const names = new Set(await tenantTables());
  expect(keys.filter((row) => names.has(row.table) || names.has(row.target))).toEqual([]);
  const { rows: triggers } = await client.query(
    "select tgrelid::regclass::text as table from pg_trigger where not tgisinternal and tgrelid::regclass::text not like 'queue.%'",
  );
  expect(triggers.filter((row) => names.has(row.table))).toEqual([]);
});

test('schema: a tenant table begins with its tenant, counts nothing by itself and makes no value up', async () => {
  const names = new Set(await tenantTables());
  const { rows } = await client.query(
    `select c.relname as table, a.attname as column, a.attnum as at, a.attidentity <> '' as counts, a.attgenerated <> '' as generated,
       format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as filled, pg_get_expr(d.adbin, d.adrelid) as made
     from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
       left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum where c.relnamespace = 'public'::regnamespace`,
  );
  const columns = rows.filter((row) => names.has(row.table));
  for (const row of columns.filter(({ at }) => at === 1))
    expect(row, row.table).toMatchObject({ column: 'tenant_id', type: 'uuid', filled: true });
  // Ids and moments come from the program: a default that calls something would differ from node to node.
  const made = columns.filter((row) => row.counts || row.generated || /\w\(/.test(row.made ?? ''));
  expect(made).toEqual([]);
});

/** What Postgres 15 does not know, or what later versions do otherwise. */
const NEWER: Record<string, RegExp> = {
  'uuidv7(), uuidv4() (18)': /\buuidv[47]\s*\(/i,
  'MERGE (its RETURNING and sources came later)': /\bmerge\s+into\b/i,
  'RETURNING old, new (18)': /\breturning\s+(with\s*\(|(old|new)\b)/i,
  'generated columns that are not stored (18)': /\bgenerated\s+always\s+as\s*\((?:(?!\bstored\b)[^;])*;/i,
  'WITHOUT OVERLAPS, PERIOD (18)': /\bwithout\s+overlaps\b|\bperiod\s+\w+\s*\)/i,
  'NOT ENFORCED (18)': /\bnot\s+enforced\b/i,
  'SQL/JSON (16, 17)':
    /\bjson_(table|exists|query|value|scalar|serialize|array|arrayagg|object|objectagg)\s*\(|\bis\s+(not\s+)?json\b/i,
  'ANY_VALUE (16)': /\bany_value\s*\(/i,
  'functions of 16 to 18':
    /\b(array_(sample|shuffle|sort|reverse)|pg_input_is_valid|random_normal|date_(add|subtract)|to_(bin|oct)|uuid_extract_\w+|casefold|crc32c?|reverse_bytea|erf|gamma|json_strip_nulls_in_arrays)\s*\(/i,
  'random(from, to) (17)': /\brandom\s*\(\s*\S/i,
  'COPY ... ON_ERROR (17)': /\bon_error\b/i,
  'gen_random_uuid (ids are made by the program)': /\bgen_random_uuid\b/i,
  'underscores in numbers (16)': /(?<![\w$.])\d+_\d/,
  'subqueries without a name (16)': /\bfrom\s*\(\s*select\b[^()]*\)\s*(where|order|limit|$)/i,
};

const newerIn = (sql: string): string[] =>
  Object.entries(NEWER).flatMap(([name, pattern]) => (pattern.test(sql) ? [name] : []));

test('schema: migrations and statements stay within what Postgres 15 to 18 share', () => {
  for (const [sql, found] of [
    ['select uuidv7()', 'uuidv7(), uuidv4() (18)'],
    ['update run set state = $1 returning old.state', 'RETURNING old, new (18)'],
    [
      'create table a (b int, c int generated always as (b + 1) virtual);',
      'generated columns that are not stored (18)',
    ],
    ["select json_value(a, '$.b') from c", 'SQL/JSON (16, 17)'],
    ['select * from (select 1) where true', 'subqueries without a name (16)'],
    ['select random(1, 6)', 'random(from, to) (17)'],
  ] as const)
    expect(newerIn(sql), sql).toEqual([found]);
  expect(newerIn('create table a (b int, c int generated always as (b + 1) stored);')).toEqual([]);
  const comment = /--[^\n]*/g;
  for (const file of readdirSync(MIGRATIONS).filter((name) => name.endsWith('.sql')))
    expect(newerIn(readFileSync(path.join(MIGRATIONS, file), 'utf8').replaceAll(comment, '')), file).toEqual([]);
  for (const file of readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')))
    for (const { where, fixed } of patternsIn(file, readFileSync(path.join(SOURCE, file), 'utf8')))
      expect(newerIn(fixed), where).toEqual([]);
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
    for (const { name, type } of fieldColumns(kind))
      expect(golden.get(name), `golden ${kind}.${name}`).toBe(full[type] ?? type);
  }
});
