import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PRELOAD = fileURLToPath(new URL('./clock.preload.ts', import.meta.url));

/** A process of the hub that is started again whenever it ends, as a supervisor does. */
export interface HubProcess {
  name: string;
  role: string;
  pid(): number | undefined;
  /** It has told that it is ready, and has not ended since. */
  ready(): boolean;
  kill(): void;
  signal(name: NodeJS.Signals): void;
  /** How often it was started. */
  starts(): number;
  /** Ends it for good. */
  end(): Promise<void>;
}

/** A process ended that nobody had killed. */
export interface Crash {
  name: string;
  code: number | null;
  said: string;
}

export interface Supervised {
  all: HubProcess[];
  crashes: Crash[];
  /** Names it as killed, so that its end is no crash. */
  expected(pid: number): void;
  /** Waits until all are ready. Answers the names of those that are not in time. */
  allReady(patienceMs: number): Promise<string[]>;
  end(): Promise<void>;
}

/** A process that is not ready by then hangs, however busy the machine is. */
const HUNG_MS = 90_000;

export const ROLES = ['api', 'sync', 'engine', 'dispatch', 'dispatch'] as const;

/** Starts `rapport serve` once for each role, two of them for sending. */
export function startProcesses(env: Record<string, string>, folder: string): Supervised {
  const crashes: Crash[] = [];
  const killed = new Set<number>();
  const all = ROLES.map((role, at) => {
    const name = ROLES.indexOf(role) === at ? role : `${role}-2`;
    return supervise(name, role, { ...env, ROLES: role }, folder, { crashes, killed });
  });
  return {
    all,
    crashes,
    expected: (pid) => void killed.add(pid),
    allReady: async (patienceMs) => {
      const last = performance.now() + patienceMs;
      while (!all.every((one) => one.ready()) && performance.now() < last) await delay(25);
      return all.filter((one) => !one.ready()).map((one) => one.name);
    },
    end: async () => {
      await Promise.all(all.map((one) => one.end()));
    },
  };
}

function supervise(
  name: string,
  role: string,
  env: Record<string, string>,
  folder: string,
  notes: { crashes: Crash[]; killed: Set<number> },
): HubProcess {
  const log = createWriteStream(path.join(folder, `${name}.log`), { flags: 'a' });
  let child: ChildProcess | undefined;
  let isReady = false;
  let starts = 0;
  let stopping = false;
  let tail = '';
  let failures = 0;
  const start = (): void => {
    if (stopping) return;
    starts += 1;
    isReady = false;
    tail = '';
    const args = ['--max-semi-space-size=4', '--import', PRELOAD, 'bin/rapport.mjs', 'serve', '--json'];
    const made = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    child = made;
    made.stdout!.setEncoding('utf8').on('data', (text: string) => {
      tail = `${tail}${text}`.slice(-4_000);
      // The one line it says when it is ready; otherwise it is why it is not.
      if (!text.includes('"roles"')) return;
      isReady = true;
      failures = 0;
    });
    made.stderr!.setEncoding('utf8').on('data', (text: string) => {
      log.write(text);
      tail = `${tail}${text}`.slice(-4_000);
    });
    // Alive and never ready: a supervisor that asks would start it again, one that waits for its end would wait for ever.
    const hung = setTimeout(() => {
      if (isReady || child !== made) return;
      notes.crashes.push({ name, code: null, said: `It never became ready. ${tail}` });
      kill();
    }, HUNG_MS);
    made.once('close', (code) => {
      clearTimeout(hung);
      const wasReady = isReady;
      isReady = false;
      if (!notes.killed.delete(made.pid!) && !stopping) {
        // Without its database a program cannot start and says so; that is for the supervisor to repeat.
        if (wasReady) notes.crashes.push({ name, code, said: tail });
        failures += 1;
      }
      // One that ends by itself again and again is given more and more time.
      setTimeout(start, failures === 0 ? 10 : Math.min(1_000, 100 * 2 ** failures));
    });
  };
  start();
  const kill = (): void => {
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
    notes.killed.add(child.pid);
    child.kill('SIGKILL');
  };
  return {
    name,
    role,
    pid: () => (child && child.exitCode === null && child.signalCode === null ? child.pid : undefined),
    ready: () => isReady,
    kill,
    signal: (signal) => void child?.kill(signal),
    starts: () => starts,
    end: async () => {
      stopping = true;
      const last = child;
      if (last && last.exitCode === null && last.signalCode === null) {
        const ended = new Promise((resolve) => last.once('close', resolve));
        last.kill('SIGTERM');
        const stubborn = setTimeout(() => last.kill('SIGKILL'), 5_000);
        await ended;
        clearTimeout(stubborn);
      }
      log.end();
    },
  };
}
