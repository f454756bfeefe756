import { execFileSync, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { startEmbedded } from '../src/base/embedded.ts';

/** A Postgres server that can be killed and comes back with the same data, at the same address. */
export interface KillablePostgres {
  url: string;
  /** SIGKILL to the postmaster and every process of its own: as if the machine lost its power. */
  kill(): Promise<void>;
  /** SIGKILL to one process that serves a hub. Answers whether there was one. */
  killBackend(pick: (pids: readonly number[]) => number): Promise<boolean>;
  /** Starts it again as it was started, and waits until it has recovered. */
  start(): Promise<void>;
  /** One statement on a connection that is kept; made anew when the server was gone. */
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  stop(): Promise<void>;
}

// As in production: what is told as committed is on the disk.
const DURABLE = ['fsync=on', 'synchronous_commit=on', 'full_page_writes=on', 'shared_buffers=64MB'];

const running = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const childrenOf = (pid: number): number[] =>
  execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child!);

const dead = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
};

/** Starts a server of its own in `folder`, with the durability of production. */
export async function startPostgres(folder: string): Promise<KillablePostgres> {
  const server = await startEmbedded(folder, { settings: DURABLE });
  const data = path.join(folder, 'postgres');
  const url = server.url();
  const command = readFileSync(path.join(data, 'postmaster.opts'), 'utf8');
  const pidFile = path.join(data, 'postmaster.pid');
  const postmaster = (): number =>
    existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8').split('\n')[0]) : Number.NaN;
  let kept: pg.Client | undefined;
  const drop = (client: pg.Client): void => {
    if (kept === client) kept = undefined;
    client.end().catch(() => {});
  };
  const ask = async <Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]> => {
    const client = kept ?? (await connect(url));
    kept = client;
    try {
      return (await client.query<Row>(sql, values)).rows;
    } catch (error) {
      drop(client);
      throw error;
    }
  };
  // The line of whoever watches may be cut as well: it is asked again once, on a new one.
  const query: KillablePostgres['query'] = <Row extends pg.QueryResultRow>(sql: string, values?: unknown[]) =>
    ask<Row>(sql, values).catch((error: { code?: string }) => {
      if (error.code !== 'ECONNRESET' && error.code !== '57P01') throw error;
      return ask<Row>(sql, values);
    });
  const gone = async (pids: readonly number[]): Promise<void> => {
    while (pids.some(running)) await delay(5);
  };

  const start = async (): Promise<void> => {
    // The file holds the program and its arguments, those in quotes: exactly what it was started with.
    const [program = '', ...rest] = command.trim().split(' "');
    const { uid, gid } = statSync(data);
    const log = openSync(path.join(folder, 'postgres.log'), 'a');
    const own = process.getuid?.() === 0 ? { uid, gid } : {};
    const child = spawn(
      program,
      rest.map((argument) => argument.replace(/"$/, '')),
      { ...own, cwd: '/', stdio: ['ignore', log, log], detached: true },
    );
    child.unref();
    await ready(url, () => child.exitCode === null);
  };

  return {
    url,
    start,
    query,
    async kill() {
      const first = postmaster();
      // Held still first: a process it began after the count would outlive it, and keep its successor from starting.
      process.kill(first, 'SIGSTOP');
      const all = [first, ...childrenOf(first)];
      for (const pid of all) dead(pid);
      await gone(all);
    },
    async killBackend(pick) {
      try {
        const rows = await query<{ pid: number }>(
          "select pid from pg_stat_activity where backend_type = 'client backend' and application_name like 'rapport-%' order by (state = 'idle'), pid",
        );
        if (rows.length === 0) return false;
        dead(pick(rows.map((row) => row.pid)));
        return true;
      } catch {
        // It is just recovering from the kill before.
        return false;
      }
    },
    async stop() {
      if (kept) drop(kept);
      const pid = postmaster();
      if (!running(pid)) return;
      process.kill(pid, 'SIGINT');
      await gone([pid]);
    },
  };
}

/** Waits until the server lets somebody in. */
async function ready(url: string, alive: () => boolean): Promise<void> {
  for (;;) {
    try {
      await ask(url, 'select 1');
      return;
    } catch (error) {
      if (!alive()) throw new Error('Postgres did not come back.', { cause: error });
      await delay(20);
    }
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'chaos', connectionTimeoutMillis: 5_000 });
  // A server that dies tells idle clients, too.
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** One statement on a connection of its own. */
export async function ask<Row extends pg.QueryResultRow>(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<pg.QueryResult<Row>> {
  const client = await connect(url);
  try {
    return await client.query<Row>(sql, values);
  } finally {
    await client.end().catch(() => {});
  }
}
