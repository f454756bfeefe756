import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { APP_ROLE } from '../src/base/database.ts';
import { testDatabase } from './support/hub.ts';
import { rowsAsText } from './support/tenants/attempt.ts';
import { type Catalog, ownerClient, type Row, readCatalog, tenantTables } from './support/tenants/catalog.ts';
import { newTenant, storeTenant, type Tenant } from './support/tenants/seed.ts';

/** Postgres: insufficient privilege; a row that row-level security does not accept is that too. */
const REFUSED = '42501';

let database: Awaited<ReturnType<typeof testDatabase>>;
let owner: pg.Client;
/** Logged in as a role that is nothing but a member of the application's: DATABASE_APP_URL in operation. */
let app: pg.Client;
let catalog: Catalog;
let victim: Tenant;
let attacker: Tenant;
let insertable: Set<string>;
const login = `attack_${randomBytes(6).toString('hex')}`;

beforeAll(async () => {
  database = await testDatabase();
  owner = await ownerClient(database.url);
  catalog = await readCatalog(owner);
  victim = newTenant(catalog, 'victim');
  attacker = newTenant(catalog, 'attacker');
  for (const tenant of [victim, attacker]) await storeTenant(owner, tenant);
  const { rows } = await owner.query(
    "select table_name || '.' || column_name as name from information_schema.column_privileges where grantee = $1 and privilege_type = 'INSERT'",
    [APP_ROLE],
  );
  insertable = new Set(rows.map((row) => row.name));
  const password = randomBytes(12).toString('hex');
  await owner.query(`create role ${login} login password '${password}' in role ${APP_ROLE}`);
  const url = new URL(database.url);
  url.username = login;
  url.password = password;
  app = new pg.Client({ connectionString: url.href });
  await app.connect();
});

afterAll(async () => {
  await app?.end();
  await owner?.query(`drop role if exists ${login}`);
  await owner?.end();
  await database?.drop();
});

/** Runs statements in one transaction that is rolled back; each is told by how many rows it met or why it was refused. */
async function inTransaction(tenant: string | undefined, work: (run: typeof attempt) => Promise<void>): Promise<void> {
  await app.query('begin');
  try {
    if (tenant !== undefined) await app.query(`set local app.tenant = '${tenant}'`);
    await work(attempt);
  } finally {
    await app.query('rollback');
  }
}

async function attempt(text: string, values: unknown[] = []): Promise<{ met: number } | { refused: string }> {
  await app.query('savepoint before');
  try {
    return { met: (await app.query(text, values)).rowCount ?? 0 };
  } catch (error) {
    await app.query('rollback to before');
    return { refused: (error as { code: string }).code };
  }
}

/** Met nothing, or was not even allowed to look. */
const inVain = [{ met: 0 }, { refused: REFUSED }];

/** An insert of a row, as far as the role may write its columns: the seal of an audit event is not among them. */
const insertOf = (table: string, row: Row): [string, unknown[]] => {
  const names = Object.keys(row).filter((name) => insertable.has(`${table}.${name}`));
  const json = new Set(
    catalog.columns
      .get(table)!
      .filter(({ type }) => type === 'jsonb')
      .map(({ name }) => name),
  );
  return [
    `insert into ${table} (${names.join(', ')}) values (${names.map((_name, at) => `$${at + 1}`).join(', ')})`,
    names.map((name) => (json.has(name) && row[name] !== null ? JSON.stringify(row[name]) : row[name])),
  ];
};

/** A column that the role may write, other than the tenant. */
const someColumn = (table: string): string =>
  table === 'audit_event' ? 'seq' : catalog.columns.get(table)!.find(({ name }) => name !== 'tenant_id')!.name;

test('tenants: in every table the role sees its own rows and none of another tenant, by any condition', async () => {
  expect(tenantTables(catalog).length).toBeGreaterThan(45);
  await inTransaction(attacker.tenantId, async (run) => {
    for (const table of tenantTables(catalog)) {
      expect(await run(`select from ${table} where tenant_id = $1`, [victim.tenantId]), table).toEqual({ met: 0 });
      expect(await run(`select from ${table}`), table).toEqual({ met: attacker.rows.get(table)!.length });
      const read = await app.query(`select string_agg(t::text, ' ') as text from ${table} t`);
      expect(read.rows[0].text, table).not.toContain(victim.mark);
    }
  });
});

test('tenants: in every table the role changes and deletes nothing of another tenant', async () => {
  const before = new Map<string, string>();
  for (const table of catalog.tables) before.set(table, await rowsAsText(owner as never, table, victim.tenantId));
  await app.query(`set app.tenant = '${attacker.tenantId}'`);
  try {
    for (const table of tenantTables(catalog)) {
      const column = someColumn(table);
      for (const text of [
        `update ${table} set ${column} = ${column} where tenant_id = '${victim.tenantId}'`,
        `update ${table} t set ${column} = t.${column} from ${table} o where o.tenant_id <> t.tenant_id`,
        `delete from ${table} where tenant_id = '${victim.tenantId}'`,
        `delete from ${table} where tenant_id <> '${attacker.tenantId}'`,
        `truncate ${table}`,
      ]) {
        // Committed, if it were possible: what follows looks at the rows themselves.
        const made = await app.query(text).then(
          ({ rowCount }) => ({ met: rowCount ?? 0 }),
          (error: { code: string }) => ({ refused: error.code }),
        );
        expect(inVain, text).toContainEqual(made);
      }
    }
  } finally {
    await app.query('reset app.tenant');
  }
  for (const table of catalog.tables)
    expect(await rowsAsText(owner as never, table, victim.tenantId), table).toBe(before.get(table));
});

test('tenants: in every table a row for another tenant is refused, new or moved', async () => {
  await inTransaction(attacker.tenantId, async (run) => {
    for (const table of tenantTables(catalog)) {
      // Its own row of the same form would be accepted up to its key, so the refusal is about the tenant.
      const own = await run(...insertOf(table, attacker.row(table)));
      expect(own, table).toEqual({ refused: '23505' });
      expect(await run(...insertOf(table, victim.row(table))), table).toEqual({ refused: REFUSED });
      const [insert, values] = insertOf(table, victim.row(table));
      const upsert = `${insert} on conflict do nothing`;
      expect(await run(upsert, values), table).toEqual({ refused: REFUSED });
      expect(await run(`update ${table} set tenant_id = $1`, [victim.tenantId]), table).toEqual({ refused: REFUSED });
    }
  });
});

test('tenants: without a tenant nothing is there and nothing can be put there', async () => {
  for (const tenant of [undefined, '']) {
    await inTransaction(tenant, async (run) => {
      for (const table of tenantTables(catalog)) {
        const column = someColumn(table);
        expect(await run(`select from ${table}`), table).toEqual({ met: 0 });
        expect(inVain, table).toContainEqual(await run(`update ${table} set ${column} = ${column}`));
        expect(inVain, table).toContainEqual(await run(`delete from ${table}`));
        expect(await run(...insertOf(table, victim.row(table))), table).toEqual({ refused: REFUSED });
      }
    });
  }
  // Something that is no tenant is an error, not everybody.
  await inTransaction('everybody', async (run) => {
    expect(await run('select from customer')).toEqual({ refused: '22P02' });
  });
});

test('tenants: the tenant of a transaction ends with it', async () => {
  await inTransaction(attacker.tenantId, async (run) => expect(await run('select from customer')).toEqual({ met: 1 }));
  expect((await app.query('select from customer')).rowCount).toBe(0);
});

test('tenants: the role can neither switch row-level security off nor build anything around it', async () => {
  await inTransaction(attacker.tenantId, async (run) => {
    const attempts = [
      ...tenantTables(catalog).flatMap((table) => [
        `alter table ${table} disable row level security`,
        `alter table ${table} no force row level security`,
        `alter table ${table} owner to ${login}`,
        `drop policy tenant_rows on ${table}`,
        `alter policy tenant_rows on ${table} using (true)`,
        `create policy everything on ${table} using (true)`,
        `drop table ${table}`,
      ]),
      'alter table customer add column note text',
      'create table note (text text)',
      'create view everything as select * from customer',
      "create function everything() returns setof customer language sql security definer as 'select * from customer'",
      'create schema elsewhere',
      'create trigger copy before insert on customer for each row execute function suppress_redundant_updates_trigger()',
      `alter role ${login} bypassrls`,
      `alter role ${login} superuser`,
      `alter role ${APP_ROLE} bypassrls`,
      'create role helper superuser login',
      `set local role ${new URL(database.url).username}`,
      `set local session authorization ${new URL(database.url).username}`,
      `grant ${new URL(database.url).username} to ${login}`,
      "select pg_read_file('PG_VERSION')",
      "copy (select 1) to program 'true'",
    ];
    for (const text of attempts) expect(await run(text), text).toEqual({ refused: REFUSED });
    // Switched off for the session, it refuses instead of showing everything.
    await app.query('set local row_security = off');
    for (const table of tenantTables(catalog))
      expect(await run(`select from ${table}`), table).toEqual({ refused: REFUSED });
  });
});

test('tenants: the role is nothing but itself: no owner, no member, no privilege of its own', async () => {
  const { rows } = await owner.query(
    'select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles where rolname = any($1)',
    [[APP_ROLE, login]],
  );
  expect(rows).toHaveLength(2);
  for (const { rolname, ...privileges } of rows)
    expect(Object.values(privileges), rolname).toEqual([false, false, false, false, false]);
  const member = await owner.query(
    'select g.rolname from pg_auth_members m join pg_roles r on r.oid = m.member join pg_roles g on g.oid = m.roleid where r.rolname = $1',
    [APP_ROLE],
  );
  expect(member.rows).toEqual([]);
  for (const [catalogTable, column] of [
    ['pg_class', 'relowner'],
    ['pg_proc', 'proowner'],
    ['pg_namespace', 'nspowner'],
    ['pg_type', 'typowner'],
    ['pg_database', 'datdba'],
  ]) {
    const owned = await owner.query(
      `select 1 from ${catalogTable} c join pg_roles r on r.oid = c.${column} where r.rolname = any($1)`,
      [[APP_ROLE, login]],
    );
    expect(owned.rowCount, catalogTable).toBe(0);
  }
  // Functions that run as their owner would be a way around. The one there is looks at the tenant itself, and can do
  // nothing but take the body out of a sealed event, which the chain has to tell.
  const definers = await owner.query(
    "select proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace where prosecdef and n.nspname not in ('pg_catalog', 'information_schema')",
  );
  expect(definers.rows).toEqual([{ proname: 'redact_audit' }]);
});
