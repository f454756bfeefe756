import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { applicationName } from './embedded.ts';

export const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url));

/**
 * Applies every migration that is not yet applied, in order; several processes may start at once.
 * @returns the names applied now
 */
export async function migrate(ownerUrl: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: ownerUrl, application_name: applicationName() });
  await client.connect();
  try {
    const applied = await runner({
      dbClient: client,
      dir: MIGRATIONS,
      direction: 'up',
      migrationsTable: 'migration',
      advisoryLockMode: 'wait',
      logger: { debug: () => {}, info: () => {}, warn: console.warn, error: console.error },
    });
    return applied.map((migration) => migration.name);
  } finally {
    await client.end();
  }
}

/** Text of one migration file, for the tests of the schema's rules. */
export const readMigration = (name: string): string => readFileSync(path.join(MIGRATIONS, name), 'utf8');
