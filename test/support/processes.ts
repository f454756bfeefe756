import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { expect } from 'vitest';
import { databaseEnv, freePort } from './hub.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const KEYS = `k1:${Buffer.alloc(32, 7).toString('base64')}`;

/** Environment of a program under test: a database, keys, an address of its own, and nothing of this machine's. */
export const programEnv = async (
  databaseUrl: string,
  more: Record<string, string> = {},
): Promise<Record<string, string>> => ({
  PATH: process.env.PATH ?? '',
  HOME: process.env.HOME ?? '',
  ...databaseEnv(databaseUrl),
  RAPPORT_KEYS: KEYS,
  RAPPORT_DATA: '/nonexistent',
  PORT: String(await freePort()),
  ...more,
});

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Standard output as one JSON document. */
  json<T = Record<string, any>>(): T;
}

/** Everything a program says, as it says it. */
function listen(child: ChildProcess): { stdout: string; stderr: string } {
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  return said;
}

const children = new Set<ChildProcess>();

/** Ends whatever a failed test left running. */
export function endAll(): void {
  for (const child of children) child.kill('SIGKILL');
}

function start(args: readonly string[], env: Record<string, string>, node: readonly string[] = []): ChildProcess {
  const command = [...node, 'bin/rapport.mjs', ...args];
  const child = spawn(process.execPath, command, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  child.once('close', () => children.delete(child));
  return child;
}

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => child.once('close', (code) => resolve(code)));

/** Runs a `rapport` command to its end. */
export async function rapport(env: Record<string, string>, ...args: string[]): Promise<Ended> {
  const running = runRapport(env, ...args);
  return running.end();
}

/** Starts a `rapport` command that is met while it runs. */
export function runRapport(env: Record<string, string>, ...args: string[]) {
  const child = start(args, env);
  const said = listen(child);
  const end = ended(child);
  return {
    said,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    /** Nobody reads what it prints any more. */
    closeOutput: () => child.stdout!.destroy(),
    end: async (): Promise<Ended> => ({
      code: await end,
      ...said,
      json: () => {
        try {
          return JSON.parse(said.stdout);
        } catch {
          throw new Error(`This is not one JSON document: ${said.stdout}\n${said.stderr}`);
        }
      },
    }),
  };
}

/** A hub as a program of its own, met over HTTP. */
export interface Served {
  url: string;
  pid: number;
  said: { stdout: string; stderr: string };
  /** Sends a signal; does not wait. */
  signal(name: NodeJS.Signals): void;
  /** The exit code, when it has ended. */
  ended: Promise<number | null>;
  /** Whether it still runs. */
  alive(): boolean;
  /** Ends it gently and answers its exit code. */
  stop(): Promise<number | null>;
}

/** Starts `rapport serve` and waits until it says that it is ready. */
export async function serve(env: Record<string, string>, node: readonly string[] = []): Promise<Served> {
  const child = start(['serve', '--json'], env, node);
  const said = listen(child);
  const end = ended(child);
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', () => {
      const [line, rest] = said.stdout.split('\n');
      if (rest !== undefined) resolve((JSON.parse(line!) as { url: string }).url);
    });
    void end.then((code) => reject(new Error(`The hub ended with ${code} before it was ready.\n${said.stderr}`)));
  });
  return {
    url,
    pid: child.pid!,
    said,
    signal: (name) => void child.kill(name),
    ended: end,
    alive: () => child.exitCode === null && child.signalCode === null,
    stop: () => {
      child.kill('SIGTERM');
      return end;
    },
  };
}

/** Longer than anything here takes on a busy machine, and shorter than a test may last. */
const PATIENCE_MS = 25_000;

/**
 * Asks again and again until the answer is good.
 * @param what what is waited for, told when it does not come
 * @param said more to tell then
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  said: () => string = () => '',
): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`In vain: ${what}.\n${said()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** The address a command asks to be opened. */
export const pageOf = (said: { stderr: string }): Promise<string> =>
  until(
    'the address to open',
    () => /^ {2}(http\S+)$/m.exec(said.stderr)?.[1],
    () => said.stderr,
  );

/** Asks a database past the hub. */
export const query = async <Row extends Record<string, any>>(
  env: Record<string, string>,
  sql: string,
): Promise<Row[]> => {
  const client = new pg.Client({ connectionString: env.DATABASE_URL });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
};

/** A command that must work. */
export const run = async (env: Record<string, string>, ...args: string[]): Promise<Ended> => {
  const ended = await rapport(env, ...args);
  expect(ended.stderr, `rapport ${args.join(' ')}`).toBe('');
  expect(ended.code, `rapport ${args.join(' ')}: ${ended.stdout}`).toBe(0);
  return ended;
};

/** A command that must fail with words. */
export const fail = async (env: Record<string, string>, ...args: string[]): Promise<Ended> => {
  const ended = await rapport(env, ...args);
  expect(ended.code, `rapport ${args.join(' ')}: ${ended.stdout}`).toBe(1);
  expect(ended.stderr, 'a sentence, not a stack').not.toMatch(/\n\s+at /);
  return ended;
};
