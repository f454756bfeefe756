import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Result } from './figures.ts';

// As the script `start` of package.json does.
const START = ['--max-semi-space-size=4', '--v8-pool-size=1'];
const PROGRAM = fileURLToPath(new URL('../bin/rapport.mjs', import.meta.url));

/**
 * Runs a bench in a process that is started like the program, so that its memory is the program's.
 * @param file a bench's file whose export of the name is run, with `inputs`
 * @throws Error when the process ends without a result
 */
export async function apart(file: URL, name: string, inputs: readonly string[] = []): Promise<Result> {
  const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), [file.href, name, ...inputs], {
    execArgv: ['--expose-gc', '--max-semi-space-size=4', '--v8-pool-size=1'],
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`The bench ended with ${code} and without a result.`);
  });
  const [result] = (await Promise.race([once(child, 'message'), ended])) as [Result];
  child.disconnect();
  return result;
}

/** The real program in a process of its own, with an embedded database in a folder that is thrown away. */
export interface BenchHub {
  url: string;
  child: ChildProcess;
  /** Milliseconds from starting the process to the first good answer of /ready. */
  readyMs: number;
  /** Resident memory of the process, in MB. */
  rssMb(): Promise<number>;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export const tempFolder = (): { folder: string; remove: () => void } => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-bench-'));
  // As root the database runs as another user, who must be able to enter.
  chmodSync(folder, 0o711);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
};

/**
 * Starts `npm start` without npm and waits until it is ready.
 * @param program another copy of the program
 * @throws Error with what the program said when it ends before that
 */
export async function startProgram(
  folder: string,
  port: number,
  env: Record<string, string> = {},
  program = PROGRAM,
): Promise<BenchHub> {
  const started = performance.now();
  const said: Buffer[] = [];
  const child = spawn(process.execPath, [...START, program, 'serve'], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      RAPPORT_DATA: folder,
      PORT: String(port),
      LOG_LEVEL: 'warn',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => void said.push(chunk));
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`The program ended: ${Buffer.concat(said).toString()}`);
    const ready = await fetch(`${url}/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const readyMs = performance.now() - started;
  return {
    url,
    child,
    readyMs,
    rssMb: async () => {
      const text = await fetch(`${url}/metrics`).then((answer) => answer.text());
      return Number(/^rapport_process_resident_memory_bytes (\S+)/m.exec(text)?.[1]) / 1024 / 1024;
    },
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    },
  };
}
