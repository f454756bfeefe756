import { execSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runChaos, tidy } from './run.ts';
import { kept, passed, timeline, told } from './told.ts';

const HELP = `Kills the hub's processes and its database at random while it works, and compares the books afterwards.
  npm run chaos -- --kills 50            fifty kills with a new seed
  npm run chaos -- --kills 50 --seed 7   the same kills again
  npm run chaos -- --json                one JSON document as the last line
  npm run chaos -- --hold                keeps the folder with database and logs for looking
  npm run chaos -- --save                keeps the result in chaos/results
  --customers 60  --days 21  --faults 0.06  --hooks 0.1   size and trouble
Interrupted once, it stops killing and compares the books of what was done so far.
It ends with code 1 when anything was lost, done twice, in the wrong order or never ended.
`;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    seed: { type: 'string' },
    customers: { type: 'string', default: '60' },
    days: { type: 'string', default: '21' },
    faults: { type: 'string', default: '0.06' },
    hooks: { type: 'string', default: '0.1' },
    json: { type: 'boolean', default: false },
    hold: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const numbers = {
  kills: values.kills,
  customers: values.customers,
  days: values.days,
  faults: values.faults,
  hooks: values.hooks,
};
const wrong = Object.entries({ ...numbers, seed: values.seed ?? '1' }).find(([, text]) => !(Number(text) >= 0));
if (wrong) {
  process.stderr.write(`--${wrong[0]} must be a number, and "${wrong[1]}" is none.\n`);
  process.exit(1);
}

/** What the run took place on. */
function machine(): Record<string, string | number> {
  let commit = 'unknown';
  try {
    commit = execSync('git rev-parse --short HEAD', { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  } catch {
    // Not every copy is a checkout.
  }
  const cpu = os.cpus()[0]?.model.trim() ?? 'unknown';
  return { cpu, cores: os.cpus().length, os: `${os.type()} ${os.release()}`, node: process.versions.node, commit };
}

// With --json, standard output belongs to the document.
const say = (line: string): void => void (values.json ? process.stderr : process.stdout).write(`${line}\n`);
const at = new Date();
const seed = values.seed === undefined ? at.getTime() % 1_000_000 : Number(values.seed);
say(`Chaos: ${values.kills} kills, seed ${seed}, every vendor simulated on this machine.`);
// Interrupted once it kills no more and compares the books; interrupted again it ends at once.
let enough = false;
const interruptible = (end: () => Promise<void>): void => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    process.on(signal, () => {
      if (enough || signal === 'SIGTERM') void end().finally(() => process.exit(code));
      else say('No more kills. Interrupt again to end at once.');
      enough = true;
    });
};
const report = await runChaos({
  kills: Number(values.kills),
  seed,
  customers: Number(values.customers),
  days: Number(values.days),
  faults: Number(values.faults),
  hooks: Number(values.hooks),
  say,
  onStart: interruptible,
  enough: () => enough,
});
if (!passed(report)) say(`\nKills in order\n${timeline(report)}`);
say(`\n${told(report)}`);
const document = { at: at.toISOString(), machine: machine(), ...kept(report) };
if (values.save) {
  const folder = fileURLToPath(new URL('./results', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    `${folder}/${at.toISOString().slice(0, 10)}-${values.kills}-${seed}.json`,
    `${JSON.stringify(document, null, 2)}\n`,
  );
}
if (values.hold) say(`Database and logs are kept in ${report.folder}.`);
else tidy(report);
if (values.json) process.stdout.write(`${JSON.stringify(document)}\n`);
process.exitCode = passed(report) ? 0 : 1;
