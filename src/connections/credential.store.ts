import { one, type Tx } from '../base/database.ts';

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

/** Stores other secrets over the version they were made from, while nobody refreshes it. */
export async function replaceSecrets(
  tx: Tx,
  connectionId: string,
  { sealed, version, now }: { sealed: Buffer; version: number; now: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update credential set sealed = $3, version = version + 1
     where tenant_id = $1 and connection_id = $2 and version = $4 and (lease_owner is null or lease_until <= $5)`,
    [tx.tenantId, connectionId, sealed, version, now],
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
