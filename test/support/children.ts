import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import type { ChildStart, Command } from './child.ts';
import type { Job } from './handlers.ts';
import type { TestHub } from './hub.ts';

const SCRIPT = fileURLToPath(new URL('./child.ts', import.meta.url));

/** A process was killed while it did something. */
export class Killed extends Error {}

/** A second hub, in a process of its own, on the database of the first. */
export interface Child {
  tell<Result = unknown>(command: Command): Promise<Result>;
  /** Runs the handler of a queue; answers whether the process lived to see its end. */
  survives(queue: string, data: Job): Promise<boolean>;
  /** Ends it as a power failure would. */
  kill(): Promise<void>;
}

const running = new Set<ChildProcess>();

// What is compiled is compiled once and not by each of them.
let cache: string | undefined;
afterAll(async () => {
  await killChildren();
  if (cache) rmSync(cache, { recursive: true, force: true });
});

/** Starts a process beside `hub`, at its moment. Those that still run are ended when the tests of a file are through. */
export async function startChild(hub: TestHub, connectors: string[], light = false): Promise<Child> {
  cache ??= mkdtempSync(path.join(os.tmpdir(), 'rapport-test-children-'));
  const child = fork(SCRIPT, {
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  running.add(child);
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  const ended = new Promise<void>((resolve) =>
    child.once('exit', () => {
      running.delete(child);
      for (const { reject } of waiting.values()) reject(new Killed('The process was killed.'));
      resolve();
    }),
  );
  child.on('message', ({ id, result, error }: { id: number; result?: never; error?: string }) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve(result as never);
    else asked?.reject(new Error(`In the other process: ${error}`));
  });
  let last = 0;
  const send = <Result>(body: ChildStart | Command): Promise<Result> =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, { resolve, reject });
      child.send({ id, body }, (error) => error && reject(new Killed(error.message)));
    });
  const { config, db } = hub.hub;
  await send({ config, databaseUrl: db.ownerUrl, at: hub.clock.now().toISOString(), connectors, light });
  return {
    tell: send,
    survives: (queue, data) =>
      send({ do: 'job', queue, data }).then(
        () => true,
        (error: Error) => {
          if (error instanceof Killed) return false;
          throw error;
        },
      ),
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Ends every process that was started here and still runs. */
export async function killChildren(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }),
  );
}

/** Waits until something is so; the time is the machine's, for what happens in other processes. */
export async function eventually<Value>(what: () => Promise<Value | undefined> | Value | undefined): Promise<Value> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const found = await what();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error('It never came to be.');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
