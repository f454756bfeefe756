import type pg from 'pg';
import { ConfigError, type DatabaseVariant } from './config.ts';
import { APP_ROLE } from './database.ts';
import { withClient } from './embedded.ts';
import { tableKinds } from './tables.ts';

// One process distributes, the others wait for it.
const LOCK = 7002;

/**
 * Which kind of database this is: what was said, or Citus where its extension is in the database.
 * @throws ConfigError when it was said to be Citus and is not
 */
export async function variantOf(ownerUrl: string, said: DatabaseVariant | undefined): Promise<DatabaseVariant> {
  if (said === 'postgres') return said;
  const found = await withClient(ownerUrl, hasCitus);
  if (said === 'citus' && !found)
    throw new ConfigError([
      'DATABASE_VARIANT is "citus", but the database of DATABASE_URL does not have the extension. Run "create extension citus" in it, on the coordinator and on every worker, and add the workers.',
    ]);
  return found ? 'citus' : 'postgres';
}

const hasCitus = async (client: pg.Client): Promise<boolean> =>
  (await client.query("select 1 from pg_extension where extname = 'citus'")).rowCount === 1;

/**
 * Distributes every tenant table that is not distributed yet, by tenant_id and all colocated, so that the rows of a
 * tenant stand on one node. What is there already moves along. Coordinator tables stay as they are.
 * @returns the tables distributed now
 */
export async function distribute(ownerUrl: string): Promise<string[]> {
  return withClient(ownerUrl, async (client) => {
    await client.query(`select pg_advisory_lock(${LOCK})`);
    const { tenant, unclear } = await tableKinds(client);
    if (unclear.length > 0)
      throw new Error(
        `It is not clear whether these tables belong to a tenant: ${unclear.join(', ')}. Each needs the policy tenant_rows or a reason in src/base/tables.ts.`,
      );
    const { rows } = await client.query<{ name: string }>(
      "select c.relname as name from pg_dist_partition p join pg_class c on c.oid = p.logicalrelid where c.relnamespace = 'public'::regnamespace and p.partmethod = 'h' order by 1",
    );
    const done = new Set(rows.map((row) => row.name));
    const missing = tenant.filter((table) => !done.has(table));
    if (missing.length > 0) await roleOnWorkers(client);
    // The first one makes the group of shards that all others join.
    let anchor = tenant.find((table) => done.has(table));
    for (const table of missing) {
      await client.query(
        `select create_distributed_table('public.${table}', 'tenant_id', colocate_with => '${anchor ? `public.${anchor}` : 'none'}')`,
      );
      // What stood in the table was copied into its shards; the copy that is left on the coordinator is never seen again.
      await client.query(`select truncate_local_data_after_distributing_table('public.${table}')`);
      anchor ??= table;
    }
    return missing;
  });
}

/** Tables are granted to the application's role on every node, so it must be there. Citus passes on only roles made after it. */
async function roleOnWorkers(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ node: string; success: boolean; result: string }>(
    `select nodename || ':' || nodeport as node, success, result from run_command_on_workers(
       'select count(*) from pg_roles where rolname = ''${APP_ROLE}''')`,
  );
  const missing = rows.filter((row) => !row.success || row.result !== '1');
  if (missing.length > 0)
    throw new ConfigError(
      missing.map(({ node, success, result }) =>
        success
          ? `The worker ${node} does not have the role ${APP_ROLE}. Run there: set citus.enable_ddl_propagation to off; create role ${APP_ROLE} nologin.`
          : `The worker ${node} cannot be used: ${result}.`,
      ),
    );
}
