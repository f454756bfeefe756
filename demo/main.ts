import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { manualClock } from '../src/base/clock.ts';
import { loadConfig } from '../src/base/config.ts';
import { nextDue } from '../src/base/due.ts';
import { createLogger } from '../src/base/log.ts';
import { progress } from '../src/cli/context.ts';
import { type Hub, startHub } from '../src/hub.ts';
import { jobsCsv, sampleBusiness } from './business.ts';
import { type Call, connectVendors, importJobs, nameDeputies, settle, setUpBusiness, startChase } from './owner.ts';
import { People } from './people.ts';
import { nativeCounts, sentCounts, summarise, told } from './summary.ts';
import { fillVendors, startVendors, type Vendors } from './vendors.ts';

const { values: options } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    customers: { type: 'string', default: '2000' },
    weeks: { type: 'string', default: '6' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  process.stdout.write(
    'The whole of Rapport on this machine, with simulated vendors, in a few minutes.\n  npm run demo                  stays up at the end, so that you can look at the API\n  npm run demo -- --once        ends by itself\n  npm run demo -- --json        one JSON document as the last line (implies --once)\n  npm run demo -- --customers 500 --weeks 3\n',
  );
  process.exit(0);
}

const COUNT = Number(options.customers);
const WEEKS = Number(options.weeks);
const START = new Date('2026-03-02T11:00:00Z');
const MINUTE = 60_000;
/** What falls within the same hour happens together: nobody watches the minutes of six weeks. */
const GRAIN_MS = 60 * MINUTE;

// With --json, standard output belongs to the document.
const say = (line: string): void => void (options.json ? process.stderr : process.stdout).write(`${line}\n`);

/** Jobs, hooks and what follows from them, until nothing is left to do now. */
async function rest(hub: Hub): Promise<void> {
  for (let round = 0; round < 100; round++) {
    const woken = await hub.sweep();
    await hub.queue.idle();
    if (woken === 0) return;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The first reading of everything, with a bar for each stream. */
async function firstLoad(hub: Hub, call: Call): Promise<void> {
  const bars = progress({ json: options.json });
  const show = async (): Promise<number> => {
    const { items } = await call('GET', '/v1/streams');
    let left = 0;
    for (const { connector, stream, records, phase, run } of items) {
      if (run.total !== null || records > 0) bars.update(`${connector} ${stream}`, records, run.total ?? records);
      if (phase === 'initial') left += 1;
    }
    return left;
  };
  let done = false;
  const watching = (async () => {
    while (!done) {
      await show();
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  })();
  await rest(hub);
  done = true;
  await watching;
  await show();
  bars.stop();
}

/** Lets the weeks pass: from one moment at which something is due to the next. */
async function passWeeks(hub: Hub, people: People, clock: ReturnType<typeof manualClock>): Promise<void> {
  const end = START.getTime() + WEEKS * 7 * 86_400_000;
  const bars = progress({ json: options.json });
  for (;;) {
    const now = clock.now().getTime();
    const due = (await nextDue(hub.db))?.getTime() ?? Number.POSITIVE_INFINITY;
    const deed = people.next()?.getTime() ?? Number.POSITIVE_INFINITY;
    const next = Math.max(Math.min(due, deed), now + GRAIN_MS);
    if (next > end) break;
    clock.set(new Date(next));
    const days = Math.floor((next - START.getTime()) / 86_400_000);
    bars.update('days', days, WEEKS * 7);
    await people.act();
    await rest(hub);
    await people.look();
    await rest(hub);
  }
  bars.stop();
}

/** The vendors count for themselves: what they hold of ours must be what the hub says it sent, each exactly once. */
async function proveOnce(hub: Hub, tenantId: string, vendors: Vendors): Promise<string[]> {
  const sent = await sentCounts(hub, tenantId);
  const wrong: string[] = [];
  for (const [vendor, kinds] of Object.entries(nativeCounts(vendors)))
    for (const [kind, n] of Object.entries(kinds))
      if ((sent[vendor]?.[kind] ?? 0) !== n)
        wrong.push(`${vendor} has ${n} ${kind}, the hub sent ${sent[vendor]?.[kind] ?? 0}`);
  return wrong;
}

const started = performance.now();
const took = (): string => `${((performance.now() - started) / 1000).toFixed(1)} s`;
const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-demo-'));
// As root the database runs as another user, who must be able to enter.
chmodSync(folder, 0o711);
const clock = manualClock(START, true);
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
let hub: Hub | undefined;
let vendors: Vendors | undefined;
const stop = async (): Promise<void> => {
  await hub?.stop();
  await vendors?.stop();
  rmSync(folder, { recursive: true, force: true });
};
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void stop().finally(() => process.exit(signal === 'SIGINT' ? 130 : 143)));

try {
  say(`Rapport demo: ${COUNT.toLocaleString('en')} customers, ${WEEKS} weeks, every vendor simulated on this machine.`);
  vendors = await startVendors(clock, url);
  const customers = sampleBusiness(COUNT);
  fillVendors(vendors, customers, START);
  hub = await startHub({
    config: loadConfig({
      RAPPORT_DATA: folder,
      RAPPORT_KEYS: `demo:${randomBytes(32).toString('base64')}`,
      PORT: String(port),
      // The simulations listen on this machine, which a hub otherwise never calls.
      RAPPORT_ALLOW_PRIVATE: '127.0.0.1',
      ...vendors.env,
    }),
    clock,
    log: createLogger(process.env.LOG_LEVEL ?? 'fatal', process.stderr),
    // The data is thrown away at the end.
    databaseSettings: ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'],
    sweep: false,
    perMinute: 1_000_000,
    shedLoad: false,
  });
  say(`[${took()}] The hub runs at ${url}, with a database of its own.`);
  const { call, key, tenantId } = await setUpBusiness(url);
  await settle(call);
  const names: string[] = [];
  await connectVendors(call, vendors, (name) => void names.push(name));
  say(`[${took()}] Connected: ${names.join(', ')}.`);
  await firstLoad(hub, call);
  say(`[${took()}] Everything was read once.`);
  const jobs = await importJobs(call, jobsCsv(customers, START));
  await rest(hub);
  say(`[${took()}] ${jobs.rows.toLocaleString('en')} jobs imported from a CSV file, ${jobs.parked} rows parked.`);
  await nameDeputies(call);
  await startChase(call);
  say(`[${took()}] The playbook "Overdue invoices" is on. Time passes.`);
  const people = new People(vendors, clock, call, customers);
  await passWeeks(hub, people, clock);

  const summary = await summarise(hub, tenantId, vendors, started);
  const wrong = await proveOnce(hub, tenantId, vendors);
  say(`\n${told(summary, people.deeds, WEEKS)}`);
  say(
    wrong.length === 0
      ? `${'Exactly once'.padEnd(16)} what the vendors count is what the hub says it sent`
      : `NOT EXACTLY ONCE: ${wrong.join('; ')}`,
  );
  if (wrong.length > 0 || !summary.auditVerified) process.exitCode = 1;
  if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  if (options.once || options.json) await stop();
  else {
    say(`\nThe hub stays up: ${url}/docs (API reference), ${url}/v1/customers and so on with`);
    say(`  authorization: Bearer ${key}`);
    say('Stop it with Ctrl+C; nothing stays behind.');
  }
} catch (error) {
  await stop();
  throw error;
}
