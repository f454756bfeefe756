import { one, type Tx } from '../base/database.ts';
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
  /** What did not work although the connection does. */
  notice: string | null;
  /** What waits for a person's decision, in words. */
  waiting: string | null;
  /** Webhooks that should have come and did not, in words. */
  silent: string | null;
  state_since: Date;
  last_ok_at: Date | null;
  created_at: Date;
  updated_at: Date;
  version: number;
}

const ALL =
  'id, connector, name, account_id, account, settings, features, granted_scopes, state, reason, notice, waiting, silent, state_since, last_ok_at, created_at, updated_at, version';

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
  row: Omit<
    ConnectionRow,
    'version' | 'updated_at' | 'state_since' | 'last_ok_at' | 'reason' | 'notice' | 'waiting' | 'silent'
  >,
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

/**
 * Name and settings, when the version is still the one the editor saw. What ends at the platform is set up again by the
 * settings there are now.
 */
export async function updateConnection(
  tx: Tx,
  id: string,
  change: { name: string; settings: Record<string, unknown>; expected: number; now: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update connection set name = $3, settings = $4, updated_at = $5, version = version + 1,
       prepare_at = case when prepare_at is not null and settings is distinct from $4::jsonb then $5 else prepare_at end
     where tenant_id = $1 and id = $2 and version = $6`,
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

/** What the platform says about the account now: its name, time zone and currency. The account itself never changes. */
export async function noteAccount(tx: Tx, id: string, account: Account): Promise<void> {
  await tx.query(
    'update connection set account = $4 where tenant_id = $1 and id = $2 and account_id = $3 and account is distinct from $4::jsonb',
    [tx.tenantId, id, account.id, account],
  );
}

/** Notes what did not work although the connection does; null: nothing any more. */
export async function noteNotice(tx: Tx, id: string, notice: string | null): Promise<void> {
  await tx.query('update connection set notice = $3 where tenant_id = $1 and id = $2 and notice is distinct from $3', [
    tx.tenantId,
    id,
    notice,
  ]);
}

/** Notes what waits for a person's decision; null: nothing any more. */
export async function noteWaiting(tx: Tx, id: string, waiting: string | null): Promise<void> {
  await tx.query(
    'update connection set waiting = $3 where tenant_id = $1 and id = $2 and waiting is distinct from $3',
    [tx.tenantId, id, waiting],
  );
}

/** Notes that webhooks are missing; null: they come again. */
export async function noteSilent(tx: Tx, id: string, silent: string | null): Promise<void> {
  await tx.query('update connection set silent = $3 where tenant_id = $1 and id = $2 and silent is distinct from $3', [
    tx.tenantId,
    id,
    silent,
  ]);
}

/** A call worked: whatever was wrong is over. Writes at most once a minute. */
export async function noteSuccess(tx: Tx, id: string, now: Date): Promise<void> {
  await tx.query(
    "update connection set last_ok_at = $3 where tenant_id = $1 and id = $2 and (last_ok_at is null or last_ok_at < $3::timestamptz - interval '1 minute')",
    [tx.tenantId, id, now],
  );
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

/** When what was set up at the platform has to be set up again; null: it does not end. */
export async function notePrepareAt(tx: Tx, id: string, at: Date | null): Promise<void> {
  await tx.query('update connection set prepare_at = $3 where tenant_id = $1 and id = $2', [tx.tenantId, id, at]);
}

/** Usable connections whose set-up at the platform is due, and when the next one is. */
export async function preparesDue(tx: Tx, now: Date): Promise<{ due: string[]; next: Date | undefined }> {
  const { rows } = await tx.query<{ id: string; prepare_at: Date }>(
    "select id, prepare_at from connection where tenant_id = $1 and state = 'active' and prepare_at is not null order by prepare_at",
    [tx.tenantId],
  );
  const isDue = (row: { prepare_at: Date }): boolean => row.prepare_at <= now;
  return { due: rows.filter(isDue).map(({ id }) => id), next: rows.find((row) => !isDue(row))?.prepare_at };
}
