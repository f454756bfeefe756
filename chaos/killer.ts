import { setTimeout as delay } from 'node:timers/promises';
import type { KillablePostgres } from './postgres.ts';
import type { HubProcess, Supervised } from './processes.ts';
import type { VendorsProcess } from './vendors.process.ts';
import type { Moment } from './vendors.ts';

export type Target = 'worker' | 'senders' | 'api' | 'backend' | 'postgres' | 'worker and postgres';

/** One kill, as it is told and kept. */
export interface Kill {
  number: number;
  /** Milliseconds since the first, by the clock on the wall. */
  after: number;
  /** The hub's clock. */
  at: string;
  target: Target;
  /** Names of the processes. */
  who: string[];
  moment: Moment | 'any';
  delayMs: number;
  /** The moment came; else it was done after waiting in vain. */
  met: boolean;
}

const TARGETS: readonly [Target, number][] = [
  ['worker', 44],
  ['senders', 16],
  ['api', 14],
  ['backend', 9],
  ['postgres', 9],
  ['worker and postgres', 8],
];

/** What is worth hitting, by role: a share is at any time. */
const MOMENTS: Record<string, readonly (Moment | 'any')[]> = {
  api: ['hook', 'hook', 'any'],
  sync: ['page', 'page', 'token', 'hook', 'any'],
  engine: ['any', 'hook', 'write'],
  dispatch: ['write', 'write', 'write', 'token', 'any'],
};

/** Before the answer leaves, while it travels, and while what follows is stored. */
const DELAYS = [0, 0, 1, 3, 8, 20, 45];

const PATIENCE_MS = 600;
/** A busy machine starts processes slowly: then they are hit while they start. */
const READY_MS = 2_000;

async function ready(victims: readonly HubProcess[]): Promise<void> {
  const end = performance.now() + READY_MS;
  while (!victims.every((victim) => victim.ready()) && performance.now() < end) await delay(10);
}

export interface KillerOptions {
  random: () => number;
  processes: Supervised;
  postgres: KillablePostgres;
  vendors: VendorsProcess;
  now: () => Date;
  /** Somebody of a role is dead. */
  orphaned: (role: string) => Promise<void>;
  /** Postgres is to come back; the supervisor of it. */
  revive: () => Promise<void>;
}

/** Kills at moments drawn from a seed. The same seed draws the same kills; what they meet depends on the machine. */
export function createKiller(options: KillerOptions): {
  strike(work: () => Promise<void>): Promise<Kill>;
  kills: Kill[];
} {
  const { random, processes, postgres, vendors, now, revive, orphaned } = options;
  const kills: Kill[] = [];
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!;
  const started = performance.now();

  function draw(): Target {
    let left = random() * 100;
    for (const [target, weight] of TARGETS) {
      left -= weight;
      if (left < 0) return target;
    }
    return 'worker';
  }

  async function atMoment(moment: Moment | 'any', pids: number[], delayMs: number, patience: number): Promise<boolean> {
    if (moment === 'any') {
      await delay(delayMs * 4);
      return true;
    }
    return vendors.aim(moment, pids, delayMs, patience);
  }

  async function strike(work: () => Promise<void>): Promise<Kill> {
    const target = draw();
    const roles: Record<Target, string[]> = {
      worker: ['sync', 'engine', 'dispatch', 'dispatch'],
      'worker and postgres': ['sync', 'engine', 'dispatch', 'dispatch'],
      senders: ['dispatch'],
      api: ['api'],
      backend: [],
      postgres: [],
    };
    const able = processes.all.filter(({ role }) => roles[target].includes(role));
    const victims = target === 'senders' ? able : able.length > 0 ? [pick(able)] : [];
    const role = victims[0]?.role ?? pick(['dispatch', 'sync']);
    const moment = pick(MOMENTS[role]!);
    const delayMs = pick(DELAYS);
    // Some are hit while they start; most have begun to work.
    if (random() < 0.85) await ready(victims);
    const pids = victims.map((victim) => victim.pid()).filter((pid) => pid !== undefined);
    for (const pid of pids) processes.expected(pid);
    const kill: Kill = {
      number: kills.length + 1,
      after: 0,
      at: '',
      target,
      who: victims.map(({ name }) => name),
      moment,
      delayMs,
      met: false,
    };
    const [met] = await Promise.all([atMoment(moment, pids, delayMs, PATIENCE_MS), work()]);
    kill.met = met;
    kill.after = Math.round(performance.now() - started);
    kill.at = now().toISOString();
    for (const victim of victims) if (pids.includes(victim.pid() ?? -1)) victim.kill();
    if (victims.length > 0 && role !== 'api') await orphaned(role);
    if (target === 'postgres' || target === 'worker and postgres') {
      await postgres.kill();
      void revive();
    }
    if (target === 'backend') await postgres.killBackend(pick);
    kills.push(kill);
    return kill;
  }
  return { strike, kills };
}

/** One line about a kill. */
export const tellKill = ({ number, after, at, target, who, moment, delayMs, met }: Kill): string =>
  `${String(number).padStart(4)}  ${(after / 1000).toFixed(1).padStart(7)} s  ${at}  ${target}${who.length > 0 ? ` (${who.join(', ')})` : ''} ${moment === 'any' ? 'at any moment' : `${met ? 'at' : 'waiting in vain for'} a ${moment}`}${delayMs > 0 ? `, ${delayMs} ms later` : ''}`;
