import { type Config, ConfigError } from './base/config.ts';
import { type Database, openDatabase } from './base/database.ts';
import { startEmbedded } from './base/embedded.ts';
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
    await checkKeys(db, config);
  } catch (error) {
    await release();
    throw error;
  }
  return { ownerUrl, db, release };
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
