import { one, type Row, type Sql } from '../base/database.ts';

// Coordinator tables: found by what a vendor or browser brings, before any tenant is known.

export async function addRoute(
  sql: Pick<Sql, 'query'>,
  connector: string,
  accountId: string,
  tenantId: string,
  connectionId: string,
): Promise<void> {
  await sql.query(
    'insert into account_route (connector, account_id, tenant_id, connection_id) values ($1, $2, $3, $4) on conflict do nothing',
    [connector, accountId, tenantId, connectionId],
  );
}

export async function removeRoutes(sql: Pick<Sql, 'query'>, connectionId: string): Promise<void> {
  await sql.query('delete from account_route where connection_id = $1', [connectionId]);
}

export interface Route {
  tenant_id: string;
  connection_id: string;
}

export async function routesOfAccount(sql: Pick<Sql, 'query'>, connector: string, accountId: string): Promise<Route[]> {
  const { rows } = await sql.query<Route>(
    'select tenant_id, connection_id from account_route where connector = $1 and account_id = $2',
    [connector, accountId],
  );
  return rows;
}

export async function routeOfConnection(
  sql: Pick<Sql, 'query'>,
  connector: string,
  connectionId: string,
): Promise<Route | undefined> {
  return one(
    await sql.query<Route>(
      'select tenant_id, connection_id from account_route where connector = $1 and connection_id = $2',
      [connector, connectionId],
    ),
  );
}

/** Accounts of a connector that are connected, over all tenants: what the vendor counts for the whole app, they share. */
export async function countRoutes(sql: Pick<Sql, 'query'>, connector: string): Promise<number> {
  const { rows } = await sql.query<{ n: number }>(
    'select count(distinct connection_id)::int as n from account_route where connector = $1',
    [connector],
  );
  return rows[0]?.n ?? 0;
}

/** Connections whose webhooks do not arrive, by connector, over all tenants. */
export async function countSilent(sql: Pick<Sql, 'query'>): Promise<{ connector: string; n: number }[]> {
  const { rows } = await sql.query<{ connector: string; n: number }>(
    'select connector, count(distinct connection_id)::int as n from account_route where silent_since is not null group by connector',
  );
  return rows;
}

/** Whether the webhooks of a connection are silent, for that count. */
export async function noteRouteSilence(
  sql: Pick<Sql, 'query'>,
  connectionId: string,
  since: Date | null,
): Promise<void> {
  await sql.query('update account_route set silent_since = $2 where connection_id = $1', [connectionId, since]);
}

export interface OAuthStateRow extends Row {
  tenant_id: string;
  connector: string;
  connection_id: string | null;
  features: string[];
  settings: Record<string, unknown>;
  verifier: Buffer;
  browser_hash: string | null;
  created_by: string;
  return_to: string | null;
  expires_at: Date;
}

export async function insertOAuthState(sql: Pick<Sql, 'query'>, hash: string, row: OAuthStateRow): Promise<void> {
  await sql.query(
    `insert into oauth_state (state_hash, tenant_id, connector, connection_id, features, settings, verifier, browser_hash, created_by, return_to, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [
      hash,
      row.tenant_id,
      row.connector,
      row.connection_id,
      row.features,
      row.settings,
      row.verifier,
      row.browser_hash,
      row.created_by,
      row.return_to,
      row.expires_at,
    ],
  );
}

/** Takes a state once; a second use finds nothing. */
export async function useOAuthState(
  sql: Pick<Sql, 'query'>,
  hash: string,
  now: Date,
): Promise<OAuthStateRow | undefined> {
  return one(
    await sql.query<OAuthStateRow>(
      `update oauth_state set used_at = $2 where state_hash = $1 and used_at is null and expires_at > $2
       returning tenant_id, connector, connection_id, features, settings, verifier, browser_hash, created_by, return_to, expires_at`,
      [hash, now],
    ),
  );
}

/** What became of an authorisation, for whoever started it and waits. */
export async function settleOAuthState(
  sql: Pick<Sql, 'query'>,
  hash: string,
  outcome: Record<string, unknown>,
): Promise<void> {
  await sql.query('update oauth_state set outcome = $2 where state_hash = $1', [hash, outcome]);
}

export async function oauthOutcome(
  sql: Pick<Sql, 'query'>,
  hash: string,
): Promise<Record<string, unknown> | undefined> {
  return (
    one(
      await sql.query<{ outcome: Record<string, unknown> | null }>(
        'select outcome from oauth_state where state_hash = $1',
        [hash],
      ),
    )?.outcome ?? undefined
  );
}
