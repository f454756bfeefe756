import { listTenants } from './access/store.ts';
import type { Database, Sql } from './base/database.ts';
import { credentialContext } from './connections/credentials.ts';
import { oauthContext } from './connections/oauth.ts';
import { answerContext } from './http/idempotency.ts';

/** Rows looked at in one transaction. */
const BATCH = 200;

/** Stands in the database sealed: whether the keys open it is known before anything is opened that matters. */
export const CHECK = 'key-check';
/** What hashes and links are derived from, so that they outlive the key they once came from. */
export const ROOT = 'key-root';

/** A sealed value where it stands. */
export interface SealedRow {
  id: string;
  sealed: Buffer;
  context: string;
  at: Date | null;
}

/** A table with sealed values: how they are found and replaced. Replacing fails when the value is another by then. */
export interface SealedTable {
  name: string;
  page(sql: Sql, after: string | undefined): Promise<SealedRow[]>;
  replace(sql: Sql, row: SealedRow, sealed: Buffer): Promise<boolean>;
}

/**
 * Sealed values of one tenant. The version of a credential stays: a refresh that is under way settles over the version
 * it began with, and would lose the new token if it were another.
 */
const tenantTables = (tenantId: string): SealedTable[] => [
  {
    name: 'credential',
    page: async (sql, after) =>
      (
        await sql.query<{ id: string; sealed: Buffer; at: Date | null }>(
          'select connection_id as id, sealed, refreshed_at as at from credential where tenant_id = $1 and ($2::uuid is null or connection_id > $2) order by connection_id limit $3',
          [tenantId, after ?? null, BATCH],
        )
      ).rows.map((row) => ({ ...row, context: credentialContext(tenantId, row.id) })),
    replace: async (sql, row, sealed) =>
      (
        await sql.query(
          'update credential set sealed = $4 where tenant_id = $1 and connection_id = $2 and sealed = $3',
          [tenantId, row.id, row.sealed, sealed],
        )
      ).rowCount === 1,
  },
  {
    name: 'idempotency',
    page: async (sql, after) =>
      (
        await sql.query<{ id: string; body: unknown; at: Date }>(
          'select key as id, body, created_at as at from idempotency where tenant_id = $1 and body is not null and key > $2 order by key limit $3',
          [tenantId, after ?? '', BATCH],
        )
      ).rows.map((row) => ({
        id: row.id,
        sealed: Buffer.from(String(row.body), 'base64'),
        at: row.at,
        context: answerContext(tenantId, row.id),
      })),
    replace: async (sql, row, sealed) =>
      (
        await sql.query('update idempotency set body = $4 where tenant_id = $1 and key = $2 and body = $3::jsonb', [
          tenantId,
          row.id,
          JSON.stringify(row.sealed.toString('base64')),
          JSON.stringify(sealed.toString('base64')),
        ])
      ).rowCount === 1,
  },
];

/** Sealed values that belong to no tenant yet, or to the hub itself. */
const SYSTEM_TABLES: readonly SealedTable[] = [
  {
    name: 'oauth_state',
    page: async (sql, after) =>
      (
        await sql.query<{ id: string; sealed: Buffer; at: Date }>(
          'select state_hash as id, verifier as sealed, expires_at as at from oauth_state where state_hash > $1 order by state_hash limit $2',
          [after ?? '', BATCH],
        )
      ).rows.map((row) => ({ ...row, context: oauthContext(row.id) })),
    replace: async (sql, row, sealed) =>
      (
        await sql.query('update oauth_state set verifier = $3 where state_hash = $1 and verifier = $2', [
          row.id,
          row.sealed,
          sealed,
        ])
      ).rowCount === 1,
  },
  {
    name: 'link_route',
    page: async (sql, after) =>
      (
        await sql.query<{ id: string; sealed: string; at: Date }>(
          "select token_hash as id, subject ->> 'sealed' as sealed, created_at as at from link_route where token_hash = any($1) and token_hash > $2 order by token_hash",
          [[CHECK, ROOT], after ?? ''],
        )
      ).rows.map((row) => ({ ...row, sealed: Buffer.from(row.sealed, 'base64'), context: row.id })),
    replace: async (sql, row, sealed) =>
      (
        await sql.query("update link_route set subject = $3 where token_hash = $1 and subject ->> 'sealed' = $2", [
          row.id,
          row.sealed.toString('base64'),
          { sealed: sealed.toString('base64') },
        ])
      ).rowCount === 1,
  },
];

/** Work on every table of the hub, tenant after tenant; `within` runs a transaction that sees the table. */
export async function eachTable(
  db: Database,
  work: (
    table: SealedTable,
    within: <T>(job: (sql: Sql) => Promise<T>) => Promise<T>,
    tenantId: string | undefined,
  ) => Promise<void>,
): Promise<void> {
  for (const table of SYSTEM_TABLES) await work(table, (job) => db.system(job), undefined);
  for (const { id } of await listTenants({ query: db.statement }))
    for (const table of tenantTables(id)) await work(table, (job) => db.tenant(id, job), id);
}

/** Every page of a table, each in a transaction of its own. */
export async function eachPage(
  table: SealedTable,
  within: <T>(job: (sql: Sql) => Promise<T>) => Promise<T>,
  work: (rows: SealedRow[], sql: Sql) => Promise<void>,
): Promise<void> {
  let after: string | undefined;
  for (;;) {
    const rows: SealedRow[] = await within(async (sql) => {
      const page = await table.page(sql, after);
      await work(page, sql);
      return page;
    });
    if (rows.length < BATCH) return;
    after = rows.at(-1)!.id;
  }
}
