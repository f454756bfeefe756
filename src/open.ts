import pg from 'pg';
import { type Config, ConfigError } from './base/config.ts';
import { APP_ROLE, type Database, openDatabase } from './base/database.ts';
import { startEmbedded } from './base/embedded.ts';
import { messageOf } from './base/errors.ts';
import { createKeyring } from './base/keyring.ts';
import type { Logger } from './base/log.ts';
import { migrate } from './base/migrate.ts';

export interface StoreOptions {
  config: Config;
  /** Owner's connection string of a database that is there already; absent: as configured. */
  databaseUrl?: string;
  /** Settings of the embedded server, for throw-away data. */
  databaseSettings?: string[];
}

/**
 * Opens the database (starting the embedded one when none is configured), applies migrations and checks that the keys
 * open what is stored.
 * @throws ConfigError when the keys are not the ones this database was sealed with
 */
export async function openStore(
  options: StoreOptions,
  log: Logger,
): Promise<{ ownerUrl: string; db: Database; release: () => Promise<void> }> {
  const { config } = options;
  const configured = options.databaseUrl ?? config.databaseUrl;
  const server = configured
    ? undefined
    : await startEmbedded(config.dataDir, { settings: options.databaseSettings ?? [], log: (text) => log.info(text) });
  const ownerUrl = configured ?? server!.url();
  if (configured) await reach(ownerUrl);
  const applied = await migrate(ownerUrl);
  if (applied.length > 0) log.info({ applied }, 'migrations applied');
  const db = openDatabase({
    ownerUrl,
    appUrl: configured === config.databaseUrl ? config.databaseAppUrl : undefined,
    prepared: config.preparedStatements,
  });
  const release = async (): Promise<void> => {
    await db.close();
    await server?.release();
  };
  try {
    await checkRole(db, config);
    await checkKeys(db, config);
  } catch (error) {
    await release();
    throw error;
  }
  return { ownerUrl, db, release };
}

/** @throws ConfigError when the configured database does not answer or lets us not in */
async function reach(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 15_000 });
  try {
    await client.connect();
  } catch (error) {
    throw new ConfigError([`DATABASE_URL does not lead to a database that can be used: ${messageOf(error)}.`]);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Row-level security binds neither a superuser nor the owner of the tables: as one of them the hub must not work. */
async function checkRole(db: Database, config: Config): Promise<void> {
  const name = config.databaseUrl && config.databaseAppUrl ? 'DATABASE_APP_URL' : 'DATABASE_URL';
  let role: { name: string; unbound: boolean; allowed: boolean } | undefined;
  try {
    const { rows } = await db.statement<NonNullable<typeof role>>(
      `select r.rolname as name, r.rolsuper or r.rolbypassrls or pg_has_role(r.oid, c.relowner, 'member') as unbound,
         has_table_privilege(r.oid, c.oid, 'select') as allowed
       from pg_roles r, pg_class c where r.rolname = current_user and c.oid = 'public.customer'::regclass`,
    );
    role = rows[0];
  } catch (error) {
    throw new ConfigError([`${name} does not lead to a database that can be used: ${messageOf(error)}.`]);
  }
  if (!role || role.unbound)
    throw new ConfigError([
      `${name} makes the hub work as "${role?.name}", whom row-level security does not bind: businesses would see each other. Use a role that is only a member of ${APP_ROLE}.`,
    ]);
  if (!role.allowed)
    throw new ConfigError([`${name} logs in as "${role.name}", who is no member of ${APP_ROLE} and may read nothing.`]);
}

/** A sealed word stands in the database: keys that do not open it would fail later, at the worst moment. */
async function checkKeys(db: Database, config: Config): Promise<void> {
  const keyring = createKeyring(config.keys);
  const purpose = 'key-check';
  const { rows } = await db.statement<{ subject: { sealed: string } }>(
    'select subject from link_route where token_hash = $1',
    [purpose],
  );
  const sealed = rows[0]?.subject.sealed;
  if (sealed === undefined) {
    await db.statement(
      "insert into link_route (token_hash, tenant_id, purpose, subject, created_at) values ($1, '00000000-0000-0000-0000-000000000000', $1, $2, now()) on conflict do nothing",
      [purpose, { sealed: keyring.seal('rapport', purpose).toString('base64') }],
    );
    return;
  }
  try {
    keyring.open(Buffer.from(sealed, 'base64'), purpose);
  } catch (error) {
    throw new ConfigError([`RAPPORT_KEYS does not open the secrets in this database. ${(error as Error).message}`]);
  }
}
