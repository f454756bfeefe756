/**
 * Tables that belong to no tenant, each with the reason: they are found before any tenant is known, by an unguessable
 * token or by what a vendor or the clock brings. On Citus they stay on the coordinator. Every other table must be a
 * tenant's, which its row-level security policy `tenant_rows` says: a table that is neither is refused.
 */
export const COORDINATOR_TABLES: Readonly<Record<string, string>> = {
  tenant: 'the list of tenants',
  user_account: 'one person may belong to several tenants',
  session: 'found by the hash of its token',
  api_key_route: 'found by the hash of the key',
  link_route: 'found by the hash of what stands in the link',
  tenant_due: 'walked to find out which tenants have something to do',
  account_route: 'webhooks name an account, not a tenant',
  oauth_state: 'found by the hash of the state a vendor sends back',
  rate_bucket: 'some limits of vendors span tenants',
  hook_inbox: 'webhooks as received, before it is known whose they are',
  hook_refusal: 'webhooks that were nobody’s, counted',
  sealing_key: 'master keys belong to the hub',
  login_failure: 'counted before it is known who logs in',
  migration: 'which migrations were applied',
};

/** The policy that makes a table a tenant's. */
export const TENANT_POLICY = 'tenant_rows';

export interface TableKinds {
  /** Distributed by tenant_id on Citus, all colocated. */
  tenant: string[];
  coordinator: string[];
  /** Neither or both; nothing may be. */
  unclear: string[];
}

/** The tables of schema public by kind, as the database itself has them. */
export async function tableKinds(sql: {
  query(text: string, values: unknown[]): Promise<{ rows: { name: string; bound: boolean }[] }>;
}): Promise<TableKinds> {
  const { rows } = await sql.query(
    `select c.relname as name, c.relrowsecurity and exists (
         select from pg_policy p where p.polrelid = c.oid and p.polname = $1) and exists (
         select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id') as bound
       from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
         and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e') order by 1`,
    [TENANT_POLICY],
  );
  const kinds: TableKinds = { tenant: [], coordinator: [], unclear: [] };
  for (const { name, bound } of rows) {
    const listed = Object.hasOwn(COORDINATOR_TABLES, name);
    if (listed === bound) kinds.unclear.push(name);
    else kinds[bound ? 'tenant' : 'coordinator'].push(name);
  }
  return kinds;
}
