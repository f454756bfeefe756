import pg from 'pg';
import { distribute, variantOf } from './base/citus.ts';
import { type Clock, systemClock } from './base/clock.ts';
import { type Config, ConfigError } from './base/config.ts';
import { APP_ROLE, type Database, openDatabase } from './base/database.ts';
import { startEmbedded } from './base/embedded.ts';
import { messageOf } from './base/errors.ts';
import type { Keyring } from './base/keyring.ts';
import type { Logger } from './base/log.ts';
import { migrate } from './base/migrate.ts';
import { admitKeys } from './keys.ts';

export interface StoreOptions {
  config: Config;
  /** Owner's connection string of a database that is there already; absent: as configured. */
  databaseUrl?: string;
  /** Settings of the embedded server, for throw-away data. */
  databaseSettings?: string[];
  clock?: Clock;
}

/**
 * Opens the database (starting the embedded one when none is configured), applies migrations and checks that the keys
 * open what is stored.
 * @throws ConfigError when the keys are not the ones this database was sealed with
 */
export async function openStore(
  options: StoreOptions,
  log: Logger,
): Promise<{ ownerUrl: string; db: Database; keyring: Keyring; release: () => Promise<void> }> {
  const { config } = options;
  const configured = options.databaseUrl ?? config.databaseUrl;
  const server = configured
    ? undefined
    : await startEmbedded(config.dataDir, { settings: options.databaseSettings ?? [], log: (text) => log.info(text) });
  const ownerUrl = configured ?? server!.url();
  if (configured) await reach(ownerUrl);
  const applied = await migrate(ownerUrl);
  if (applied.length > 0) log.info({ applied }, 'migrations applied');
  const appUrl = configured === config.databaseUrl ? config.databaseAppUrl : undefined;
  const citus = configured !== undefined && (await variantOf(ownerUrl, config.databaseVariant)) === 'citus';
  if (citus) await onCitus(ownerUrl, appUrl, log);
  const db = openDatabase({
    ownerUrl,
    appUrl,
    citus,
    prepared: config.preparedStatements,
  });
  let forget = async (): Promise<void> => {};
  const release = async (): Promise<void> => {
    // Whoever cannot reach the database any more has nothing to say to it.
    await forget().catch(() => {});
    await db.close();
    await server?.release();
  };
  let keyring: Keyring;
  try {
    await checkRole(db, config);
    ({ keyring, forget } = await admitKeys(db, config, (options.clock ?? systemClock).now()));
  } catch (error) {
    await release();
    throw error;
  }
  return { ownerUrl, db, keyring, release };
}

/** Distributes what is not distributed yet. */
async function onCitus(ownerUrl: string, appUrl: string | undefined, log: Logger): Promise<void> {
  if (!appUrl)
    throw new ConfigError([
      `DATABASE_APP_URL is missing. The database is Citus, which reaches its workers as whoever works, so a switched role is not enough: make a log-in on the coordinator (create role rapport_login login password '...' in role ${APP_ROLE}) and give its address.`,
    ]);
  const distributed = await distribute(ownerUrl);
  if (distributed.length > 0) log.info({ distributed }, 'tables distributed by tenant_id');
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
