import { one, type Row, type Sql, type Tx } from '../base/database.ts';
import type { Account } from '../kit/index.ts';
import type { ConnectionState } from './schema.ts';

export interface ConnectionRow {
  id: string;
  connector: string;
  name: string;
  account_id: string | null;
  account: Partial<Account>;
  settings: Record<string, unknown>;
  features: string[];
  granted_scopes: string[];
  state: ConnectionState;
  reason: string | null;
  state_since: Date;
  last_ok_at: Date | null;
  created_at: Date;
  updated_at: Date;
  version: number;
}

const ALL =
  'id, connector, name, account_id, account, settings, features, granted_scopes, state, reason, state_since, last_ok_at, created_at, updated_at, version';

export async function findConnection(tx: Tx, id: string): Promise<ConnectionRow | undefined> {
  return one(
    await tx.query<ConnectionRow>(`select ${ALL} from connection where tenant_id = $1 and id = $2`, [tx.tenantId, id]),
  );
}

export async function findConnectionByAccount(
  tx: Tx,
  connector: string,
  accountId: string,
): Promise<ConnectionRow | undefined> {
  return one(
    await tx.query<ConnectionRow>(
      `select ${ALL} from connection where tenant_id = $1 and connector = $2 and account_id = $3 and state <> 'revoked'`,
      [tx.tenantId, connector, accountId],
    ),
  );
}

/** All connections, oldest first; revoked ones only when asked for. */
export async function listConnections(tx: Tx, revokedToo = false): Promise<ConnectionRow[]> {
  const { rows } = await tx.query<ConnectionRow>(
    `select ${ALL} from connection where tenant_id = $1 and ($2 or state <> 'revoked') order by id`,
    [tx.tenantId, revokedToo],
  );
  return rows;
}

export async function insertConnection(
  tx: Tx,
  row: Omit<ConnectionRow, 'version' | 'updated_at' | 'state_since' | 'last_ok_at' | 'reason'>,
): Promise<void> {
  await tx.query(
    `insert into connection (tenant_id, id, connector, name, account_id, account, settings, features, granted_scopes, state, state_since, last_ok_at, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $11, $11)`,
    [
      tx.tenantId,
      row.id,
      row.connector,
      row.name,
      row.account_id,
      row.account,
      row.settings,
      row.features,
      row.granted_scopes,
      row.state,
      row.created_at,
    ],
  );
}

/** A fresh authorisation of a known connection. */
export async function renewConnection(
  tx: Tx,
  id: string,
  change: { account: Account; settings: Record<string, unknown>; features: string[]; scopes: string[]; now: Date },
): Promise<void> {
  await tx.query(
    `update connection set account_id = $3, account = $4, settings = $5, features = $6, granted_scopes = $7, state = 'active', reason = null,
       state_since = $8, last_ok_at = $8, updated_at = $8, version = version + 1 where tenant_id = $1 and id = $2`,
    [tx.tenantId, id, change.account.id, change.account, change.settings, change.features, change.scopes, change.now],
  );
}

/** Name and settings, when the version is still the one the editor saw. */
export async function updateConnection(
  tx: Tx,
  id: string,
  change: { name: string; settings: Record<string, unknown>; expected: number; now: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    'update connection set name = $3, settings = $4, updated_at = $5, version = version + 1 where tenant_id = $1 and id = $2 and version = $6',
    [tx.tenantId, id, change.name, change.settings, change.now, change.expected],
  );
  return rowCount === 1;
}

/** Moves a connection to another state. @returns false when it already is there or is gone */
export async function setConnectionState(
  tx: Tx,
  id: string,
  state: ConnectionState,
  reason: string | null,
  now: Date,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update connection set state = $3, reason = $4, state_since = $5, updated_at = $5, version = version + 1
     where tenant_id = $1 and id = $2 and state <> 'revoked' and (state, coalesce(reason, '')) is distinct from ($3, coalesce($4, ''))`,
    [tx.tenantId, id, state, reason, now],
  );
  return rowCount === 1;
}

/** A call worked: whatever was wrong is over. Writes at most once a minute. */
export async function noteSuccess(tx: Tx, id: string, now: Date): Promise<void> {
  await tx.query(
    "update connection set last_ok_at = $3 where tenant_id = $1 and id = $2 and (last_ok_at is null or last_ok_at < $3::timestamptz - interval '1 minute')",
    [tx.tenantId, id, now],
  );
}

export interface CredentialRow {
  sealed: Buffer;
  expires_at: Date | null;
  version: number;
  lease_owner: string | null;
  lease_until: Date | null;
  failures: number;
}

export async function loadCredential(tx: Tx, connectionId: string): Promise<CredentialRow | undefined> {
  return one(
    await tx.query<CredentialRow>(
      'select sealed, expires_at, version, lease_owner, lease_until, failures from credential where tenant_id = $1 and connection_id = $2',
      [tx.tenantId, connectionId],
    ),
  );
}

/** Stores secrets of a fresh authorisation, over whatever was there. */
export async function putCredential(
  tx: Tx,
  connectionId: string,
  sealed: Buffer,
  expiresAt: Date | null,
  now: Date,
): Promise<void> {
  await tx.query(
    `insert into credential as c (tenant_id, connection_id, sealed, expires_at, refreshed_at) values ($1, $2, $3, $4, $5)
     on conflict (tenant_id, connection_id) do update set sealed = excluded.sealed, expires_at = excluded.expires_at, refreshed_at = excluded.refreshed_at,
       version = c.version + 1, failures = 0, lease_owner = null, lease_until = null`,
    [tx.tenantId, connectionId, sealed, expiresAt, now],
  );
}

/** Takes the refresh lease when nobody holds it and the secret is still the one the caller saw. */
export async function takeLease(
  tx: Tx,
  connectionId: string,
  lease: { owner: string; until: Date; version: number; now: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update credential set lease_owner = $3, lease_until = $4 where tenant_id = $1 and connection_id = $2 and version = $5
       and (lease_owner is null or lease_until <= $6)`,
    [tx.tenantId, connectionId, lease.owner, lease.until, lease.version, lease.now],
  );
  return rowCount === 1;
}

/** Stores refreshed secrets: only the lease holder, only over the version it refreshed. */
export async function settleLease(
  tx: Tx,
  connectionId: string,
  refreshed: { owner: string; version: number; sealed: Buffer; expiresAt: Date | null; now: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update credential set sealed = $5, expires_at = $6, refreshed_at = $7, version = version + 1, failures = 0, lease_owner = null, lease_until = null
     where tenant_id = $1 and connection_id = $2 and lease_owner = $3 and version = $4`,
    [
      tx.tenantId,
      connectionId,
      refreshed.owner,
      refreshed.version,
      refreshed.sealed,
      refreshed.expiresAt,
      refreshed.now,
    ],
  );
  return rowCount === 1;
}

export async function dropLease(tx: Tx, connectionId: string, owner: string): Promise<void> {
  await tx.query(
    'update credential set lease_owner = null, lease_until = null, failures = failures + 1 where tenant_id = $1 and connection_id = $2 and lease_owner = $3',
    [tx.tenantId, connectionId, owner],
  );
}

export async function deleteCredential(tx: Tx, connectionId: string): Promise<void> {
  await tx.query('delete from credential where tenant_id = $1 and connection_id = $2', [tx.tenantId, connectionId]);
}

export async function addCalls(
  tx: Tx,
  connectionId: string,
  day: string,
  purpose: string,
  calls: number,
): Promise<void> {
  await tx.query(
    `insert into call_count as c (tenant_id, connection_id, day, purpose, calls) values ($1, $2, $3, $4, $5)
     on conflict (tenant_id, connection_id, day, purpose) do update set calls = c.calls + excluded.calls`,
    [tx.tenantId, connectionId, day, purpose, calls],
  );
}

export async function callsOfDay(
  tx: Tx,
  connectionId: string,
  day: string,
): Promise<{ purpose: string; calls: number }[]> {
  const { rows } = await tx.query<{ purpose: string; calls: number }>(
    'select purpose, calls from call_count where tenant_id = $1 and connection_id = $2 and day = $3',
    [tx.tenantId, connectionId, day],
  );
  return rows;
}

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
