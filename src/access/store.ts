import { one, type Sql, type SystemTx, type Tx } from '../base/database.ts';
import type { Permission, UserRole } from './schema.ts';

export interface UserRow {
  id: string;
  email: string;
  name: string;
  role: UserRole;
  created_at: Date;
  version: number;
}

/** Whether the hub still waits for its owner: nobody has an account yet. */
export async function hubIsFresh(sql: Pick<Sql, 'query'>): Promise<boolean> {
  return (await sql.query('select 1 from user_account limit 1')).rowCount === 0;
}

/**
 * The tenant of the first owner: the one the command line made before anybody came, or a new one.
 * @returns undefined when another visitor was faster
 */
export async function claimFirstTenant(
  tx: SystemTx,
  tenant: { id: string; name: string },
  now: Date,
): Promise<{ id: string; made: boolean } | undefined> {
  await tx.query('select pg_advisory_xact_lock(7001)');
  if (!(await hubIsFresh(tx))) return undefined;
  const [present] = await listTenants(tx);
  if (present) {
    await tx.query('update tenant set name = $2 where id = $1', [present.id, tenant.name]);
    return { id: present.id, made: false };
  }
  await insertTenant(tx, tenant, now);
  return { id: tenant.id, made: true };
}

export async function insertTenant(
  sql: Pick<Sql, 'query'>,
  tenant: { id: string; name: string },
  now: Date,
): Promise<void> {
  await sql.query('insert into tenant (id, name, created_at) values ($1, $2, $3)', [tenant.id, tenant.name, now]);
}

export async function listTenants(sql: Pick<Sql, 'query'>): Promise<{ id: string; name: string }[]> {
  return (await sql.query<{ id: string; name: string }>('select id, name from tenant order by created_at')).rows;
}

export interface AccountRow {
  id: string;
  email: string;
  name: string;
  password_hash: string;
}

export async function findAccount(sql: Pick<Sql, 'query'>, email: string): Promise<AccountRow | undefined> {
  return one(
    await sql.query<AccountRow>('select id, email, name, password_hash from user_account where email = lower($1)', [
      email,
    ]),
  );
}

/** @returns false when the address is taken */
export async function insertAccount(sql: Pick<Sql, 'query'>, account: AccountRow, now: Date): Promise<boolean> {
  const { rowCount } = await sql.query(
    'insert into user_account (id, email, name, password_hash, created_at) values ($1, lower($2), $3, $4, $5) on conflict (email) do nothing',
    [account.id, account.email, account.name, account.password_hash, now],
  );
  return rowCount === 1;
}

export async function insertSession(
  sql: Pick<Sql, 'query'>,
  session: { tokenHash: string; userId: string; tenantId: string; expiresAt: Date },
  now: Date,
): Promise<void> {
  await sql.query(
    'insert into session (token_hash, user_id, tenant_id, created_at, expires_at) values ($1, $2, $3, $4, $5)',
    [session.tokenHash, session.userId, session.tenantId, now, session.expiresAt],
  );
}

export async function findSession(
  sql: Pick<Sql, 'query'>,
  tokenHash: string,
  now: Date,
): Promise<{ user_id: string; tenant_id: string } | undefined> {
  return one(
    await sql.query<{ user_id: string; tenant_id: string }>(
      'select user_id, tenant_id from session where token_hash = $1 and expires_at > $2',
      [tokenHash, now],
    ),
  );
}

export async function deleteSession(sql: Pick<Sql, 'query'>, tokenHash: string): Promise<void> {
  await sql.query('delete from session where token_hash = $1', [tokenHash]);
}

/** Ends every session of a user in a tenant, when the access is taken away. */
export async function deleteSessionsOf(sql: Pick<Sql, 'query'>, tenantId: string, userId: string): Promise<void> {
  await sql.query('delete from session where tenant_id = $1 and user_id = $2', [tenantId, userId]);
}

/** Tenants a user belongs to, found one by one: membership rows are visible to their tenant only. */
export async function roleOf(tx: Tx, userId: string): Promise<UserRole | undefined> {
  return one(
    await tx.query<{ role: UserRole }>('select role from membership where tenant_id = $1 and user_id = $2', [
      tx.tenantId,
      userId,
    ]),
  )?.role;
}

export async function insertMembership(tx: Tx, userId: string, role: UserRole, now: Date): Promise<boolean> {
  const { rowCount } = await tx.query(
    'insert into membership (tenant_id, user_id, role, created_at) values ($1, $2, $3, $4) on conflict do nothing',
    [tx.tenantId, userId, role, now],
  );
  return rowCount === 1;
}

export async function updateMembership(tx: Tx, userId: string, role: UserRole, expected: number): Promise<boolean> {
  const { rowCount } = await tx.query(
    'update membership set role = $3, version = version + 1 where tenant_id = $1 and user_id = $2 and version = $4',
    [tx.tenantId, userId, role, expected],
  );
  return rowCount === 1;
}

export async function deleteMembership(tx: Tx, userId: string): Promise<boolean> {
  return (
    (await tx.query('delete from membership where tenant_id = $1 and user_id = $2', [tx.tenantId, userId])).rowCount ===
    1
  );
}

export async function countOwners(tx: Tx): Promise<number> {
  return one(
    await tx.query<{ n: number }>("select count(*)::int as n from membership where tenant_id = $1 and role = 'owner'", [
      tx.tenantId,
    ]),
  )!.n;
}

export async function listUsers(tx: Tx): Promise<UserRow[]> {
  const { rows: members } = await tx.query<Pick<UserRow, 'id' | 'role' | 'created_at' | 'version'>>(
    'select user_id as id, role, created_at, version from membership where tenant_id = $1 order by created_at',
    [tx.tenantId],
  );
  // Accounts belong to no tenant and stand elsewhere when tenants are distributed: two statements, not a join.
  const { rows: accounts } = await tx.query<Pick<UserRow, 'id' | 'email' | 'name'>>(
    'select id, email, name from user_account where id = any($1)',
    [members.map(({ id }) => id)],
  );
  const known = new Map(accounts.map((account) => [account.id, account]));
  return members.flatMap((member) => {
    const account = known.get(member.id);
    return account ? [{ ...account, ...member }] : [];
  });
}

export interface ApiKeyRow {
  id: string;
  name: string;
  prefix: string;
  role: UserRole;
  scopes: Permission[];
  created_by: string;
  created_at: Date;
  last_used_on: string | null;
  revoked_at: Date | null;
  version: number;
}

const KEY = 'id, name, prefix, role, scopes, created_by, created_at, last_used_on, revoked_at, version';

export async function insertApiKey(
  tx: Tx,
  key: Pick<ApiKeyRow, 'id' | 'name' | 'prefix' | 'role' | 'scopes' | 'created_by'> & { tokenHash: string },
  now: Date,
): Promise<void> {
  await tx.query(
    'insert into api_key (tenant_id, id, name, prefix, role, scopes, created_by, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8)',
    [tx.tenantId, key.id, key.name, key.prefix, key.role, key.scopes, key.created_by, now],
  );
  await tx.query('insert into api_key_route (token_hash, tenant_id, api_key_id) values ($1, $2, $3)', [
    key.tokenHash,
    tx.tenantId,
    key.id,
  ]);
}

export async function routeOfApiKey(
  sql: Pick<Sql, 'query'>,
  tokenHash: string,
): Promise<{ tenant_id: string; api_key_id: string } | undefined> {
  return one(
    await sql.query<{ tenant_id: string; api_key_id: string }>(
      'select tenant_id, api_key_id from api_key_route where token_hash = $1',
      [tokenHash],
    ),
  );
}

export async function findApiKey(tx: Tx, id: string): Promise<ApiKeyRow | undefined> {
  return one(
    await tx.query<ApiKeyRow>(`select ${KEY} from api_key where tenant_id = $1 and id = $2`, [tx.tenantId, id]),
  );
}

export async function noteApiKeyUse(tx: Tx, id: string, day: string): Promise<void> {
  await tx.query(
    'update api_key set last_used_on = $3 where tenant_id = $1 and id = $2 and last_used_on is distinct from $3',
    [tx.tenantId, id, day],
  );
}

export async function listApiKeys(tx: Tx): Promise<ApiKeyRow[]> {
  return (await tx.query<ApiKeyRow>(`select ${KEY} from api_key where tenant_id = $1 order by id`, [tx.tenantId])).rows;
}

export async function revokeApiKey(tx: Tx, id: string, now: Date): Promise<boolean> {
  const { rowCount } = await tx.query(
    'update api_key set revoked_at = $3, version = version + 1 where tenant_id = $1 and id = $2 and revoked_at is null',
    [tx.tenantId, id, now],
  );
  await tx.query('delete from api_key_route where api_key_id = $1 and tenant_id = $2', [id, tx.tenantId]);
  return rowCount === 1;
}
