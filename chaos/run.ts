import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Call } from '../demo/owner.ts';
import { createKeyring } from '../src/base/keyring.ts';
import { addressHasher } from '../src/consent/optout.ts';
import { seededRandom } from '../src/kit/sandbox/index.ts';
import { careForConnections, openBusiness, patient, setUp } from './business.ts';
import { makeClock, type SharedClock } from './clock.ts';
import { type Facts, readFacts } from './facts.ts';
import { createKiller, type Kill, tellKill } from './killer.ts';
import type { Ledger } from './ledger.ts';
import { Load, type Promised } from './load.ts';
import { type KillablePostgres, startPostgres } from './postgres.ts';
import { type Crash, type Supervised, startProcesses } from './processes.ts';
import { createTime, type Time } from './time.ts';
import { forkVendors, type Opened, type VendorsProcess } from './vendors.process.ts';
import { judge, type Verdict } from './verdict.ts';

export interface ChaosOptions {
  kills: number;
  seed: number;
  /** Customers of the simulated business. */
  customers: number;
  /** Days that pass on the hub's clock while things are killed. */
  days: number;
  /** Share of calls at the vendors that meet a fault. */
  faults: number;
  /** Share of webhooks that get lost; half as many again come twice, and all come out of turn. */
  hooks: number;
  say: (line: string) => void;
  /** Is given a way to end everything at once, for whoever is interrupted. */
  onStart?: (end: () => Promise<void>) => void;
  /** Answers true when no more is to be killed, and the books are to be compared now. */
  enough?: () => boolean;
}

export interface ChaosReport {
  seed: number;
  options: Pick<ChaosOptions, 'kills' | 'customers' | 'days' | 'faults' | 'hooks'>;
  verdict: Verdict;
  kills: Kill[];
  /** Ends nobody caused. */
  crashes: Crash[];
  ledger: Ledger;
  facts: Facts;
  promises: Promised[];
  /** By the hub's clock. */
  daysPassed: number;
  /** What kept the clock from moving, and how often. */
  waited: Record<string, number>;
  seconds: number;
  restarts: number;
  reconnected: number;
  folder: string;
}

const START = new Date('2026-03-02T14:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const KEY = `chaos:${Buffer.alloc(32, 9).toString('base64')}`;

/** A process that was started is ready in this time, however busy the machine is. */
const START_MS = 60_000;

/** Deeds and requests around one kill, and how many kills follow each other before time passes. */
const DEEDS = 4;
const REQUESTS = 3;
const VOLLEY = 4;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Everything that runs, so that it ends whatever happens. */
interface Stage {
  folder: string;
  clock: SharedClock;
  postgres: KillablePostgres;
  vendors: VendorsProcess;
  opened: Opened;
  processes: Supervised;
  url: string;
  time: Time;
}

/** Runs the whole play: opens the business, kills, lets everything come to rest, and compares the books. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const started = performance.now();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-chaos-'));
  // As root the database runs as another user, who must be able to enter.
  chmodSync(folder, 0o711);
  const ends: (() => unknown)[] = [];
  const end = async (): Promise<void> => {
    // Whatever one of them says, the others end too.
    for (const one of ends.splice(0).reverse()) await Promise.resolve(one()).catch(() => {});
  };
  options.onStart?.(end);
  const took = (): string => `[${((performance.now() - started) / 1000).toFixed(1)} s]`;
  const say = (line: string): void => options.say(`${took()} ${line}`);
  try {
    const stage = await setTheStage(folder, options, ends);
    say(`The hub runs in ${stage.processes.all.length} processes, Postgres and the vendors beside it.`);
    const { key, tenantId } = await setUp(stage.url);
    const call = patient(stage.url, key);
    const targets = await openBusiness(stage.postgres, stage.opened, call, tenantId);
    const load = new Load(stage.url, key, targets, seededRandom(options.seed + 2));
    ends.push(() => load.end());
    say('The vendors are connected and read, the chase is on.');
    const { kills, reconnected, revived } = await killAndLoad(stage, load, patient(stage.url, key), options, say);
    say(`${kills.length} kills are done. Faults stop, everything comes to rest.`);
    await stage.vendors.trouble(0, 0);
    await revived();
    const later = await comeToRest(stage, load, patient(stage.url, key), say);
    const ledger = await stage.vendors.ledger();
    const phones = ledger.stops.map((stop) => stop.phone);
    const hash = addressHasher(createKeyring([{ id: 'chaos', key: Buffer.alloc(32, 9) }]));
    const facts = await readFacts(stage.postgres.url, tenantId, stage.clock.now(), phones, hash);
    say('The books are read.');
    return {
      seed: options.seed,
      options: sizeOf(options),
      verdict: judge(ledger, facts, load.promises),
      kills,
      crashes: stage.processes.crashes,
      ...{ ledger, facts, folder, promises: load.promises },
      reconnected: reconnected + later,
      waited: stage.time.waited(),
      daysPassed: Math.round((stage.time.passed() / DAY) * 10) / 10,
      seconds: Math.round((performance.now() - started) / 100) / 10,
      restarts: stage.processes.all.reduce((sum, one) => sum + one.starts() - 1, 0),
    };
  } finally {
    await end();
  }
}

const sizeOf = ({ kills, customers, days, faults, hooks }: ChaosOptions): ChaosReport['options'] => ({
  ...{ kills, customers, days, faults, hooks },
});

/** Removes what a run left for looking. */
export const tidy = (report: Pick<ChaosReport, 'folder'>): void =>
  rmSync(report.folder, { recursive: true, force: true });

async function setTheStage(folder: string, options: ChaosOptions, ends: (() => unknown)[]): Promise<Stage> {
  const clockFile = path.join(folder, 'clock');
  const clock = makeClock(clockFile, START);
  const postgres = await startPostgres(folder);
  ends.push(() => postgres.stop());
  const port = await freePort();
  const vendors = forkVendors();
  ends.push(() => vendors.end());
  const opened = await vendors.start({
    clock: clockFile,
    hubPort: port,
    seed: options.seed,
    customers: options.customers,
    start: START.toISOString(),
  });
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? '',
    NODE_COMPILE_CACHE: path.join(os.tmpdir(), 'rapport-chaos-cache'),
    CHAOS_CLOCK: clockFile,
    DATABASE_URL: postgres.url,
    RAPPORT_DATA: '/nonexistent',
    RAPPORT_KEYS: KEY,
    RAPPORT_ALLOW_PRIVATE: '127.0.0.1',
    PORT: String(port),
    PUBLIC_URL: opened.hub,
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn',
    ...opened.env,
  };
  const processes = startProcesses(env, folder);
  ends.push(() => processes.end());
  const missing = await processes.allReady(START_MS);
  if (missing.length > 0) throw new Error(`Not started within a minute: ${missing.join(', ')}; see ${folder}.`);
  const time = createTime({ clock, postgres, processes, vendors });
  return { folder, clock, postgres, vendors, opened, processes, url: `http://127.0.0.1:${port}`, time };
}

/** Rounds of time passing, work arriving and processes dying. */
async function killAndLoad(
  stage: Stage,
  load: Load,
  call: Call,
  options: ChaosOptions,
  say: (line: string) => void,
): Promise<{ kills: Kill[]; reconnected: number; revived: () => Promise<void> }> {
  const random = seededRandom(options.seed + 3);
  let reviving: Promise<void> = Promise.resolve();
  const revive = (): Promise<void> => {
    reviving = delay(random() * 150)
      .then(() => stage.postgres.start())
      .then(() => stage.time.orphaned());
    return reviving;
  };
  const killer = createKiller({
    ...stage,
    ...{ random, revive },
    now: () => stage.clock.now(),
    orphaned: (role) => stage.time.orphaned(role),
  });
  const step = (options.days * DAY * VOLLEY) / options.kills;
  let owed = 0;
  let reconnected = 0;
  await stage.vendors.trouble(options.faults, options.hooks);
  const done = (): boolean => killer.kills.length >= options.kills || options.enough?.() === true;
  while (!done()) {
    // Some steps are short and some long; what could not pass now passes with the next.
    owed += step * (random() < 0.5 ? 0.3 : 1.7);
    const leap = owed > 0 ? intoTheDay(stage.clock.now(), owed, random) : 0;
    if (leap > 0 && (await stage.time.pass(leap, 8_000))) owed -= leap;
    if (random() < 0.25) await stage.vendors.expireTokens();
    for (let n = 0; n < VOLLEY && !done(); n++) {
      await reviving;
      await stage.time.catchUp();
      const kill = await killer.strike(async () => {
        load.ask(REQUESTS);
        await stage.vendors.act(DEEDS);
      });
      say(tellKill(kill));
    }
    await reviving;
    reconnected += await careForConnections(stage.postgres, call);
  }
  return { kills: killer.kills, reconnected, revived: () => reviving };
}

/** How long until then, mostly so that it is day where the customers are: at night they get nothing. */
function intoTheDay(now: Date, milliseconds: number, random: () => number): number {
  const target = new Date(now.getTime() + milliseconds);
  const hour = target.getUTCHours();
  if ((hour >= 15 && hour < 23) || random() < 0.25) return milliseconds;
  const day = new Date(target).setUTCHours(15 + Math.floor(random() * 8), Math.floor(random() * 60));
  return (day > target.getTime() ? day : day + DAY) - now.getTime();
}

/** Leases run out, waits end, hours and days pass until everything that can end has ended. */
async function comeToRest(stage: Stage, load: Load, call: Call, say: (line: string) => void): Promise<number> {
  let reconnected = 0;
  await stage.processes.allReady(2 * START_MS);
  const steps = [3 * MINUTE, 15 * MINUTE, 2 * HOUR, 26 * HOUR, 20 * MINUTE];
  for (const step of steps) {
    if (!(await stage.time.rest(25_000))) say('It does not come to rest within 25 s.');
    reconnected += await careForConnections(stage.postgres, call);
    if (!(await stage.time.pass(step, 15_000))) say('No moment came at which time could pass.');
  }
  await stage.time.rest(25_000);
  const end = performance.now() + 10_000;
  while (load.pending() > 0 && performance.now() < end) await delay(50);
  load.end();
  await stage.time.rest(25_000);
  return reconnected;
}
