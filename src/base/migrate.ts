import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { applicationName } from './embedded.ts';
import { statementsOf } from './statements.ts';

export const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url));

/**
 * Applies every migration that is not yet applied, in order; several processes may start at once.
 * @returns the names applied now
 */
export async function migrate(ownerUrl: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: ownerUrl, application_name: applicationName() });
  await client.connect();
  try {
    if (await isCurrent(client)) return [];
    // Loaded only when there is something to do, which is seldom.
    const { runner } = await import('node-pg-migrate');
    oneByOne(client);
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

/** A file is sent statement by statement: where its tables are distributed, Citus passes on only single ones. */
function oneByOne(client: pg.Client): void {
  const send = client.query.bind(client) as (text: unknown, values?: unknown) => Promise<pg.QueryResult>;
  client.query = (async (text: unknown, values?: unknown) => {
    const statements = typeof text === 'string' && values === undefined ? statementsOf(text) : [];
    if (statements.length < 2) return send(text, values);
    for (const statement of statements.slice(0, -1)) await send(statement);
    return send(statements.at(-1));
  }) as never;
}

/** Whether the last migration there is was applied; they are applied in order. */
async function isCurrent(client: pg.Client): Promise<boolean> {
  const last = readdirSync(MIGRATIONS)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .at(-1)!;
  const { rows } = await client.query<{ known: boolean }>("select to_regclass('migration') is not null as known");
  if (!rows[0]?.known) return false;
  const { rowCount } = await client.query('select from migration where name = $1', [path.basename(last, '.sql')]);
  return rowCount === 1;
}
