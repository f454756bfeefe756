// The whole check, as `npm test` runs it: types, style, then the tests, whose runner has the last word with its counts.
// `npm run test:citus` runs the tests on the Citus cluster of CITUS_URL; everything else leaves that variable alone.
// `npm test -- test/api.test.ts` checks types and style too, but runs only the named test files.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const onCitus = process.argv[2] === '--citus';
const given = process.argv.slice(onCitus ? 3 : 2);
const env = { ...process.env };

if (onCitus && !env.CITUS_URL) {
  console.log(
    'CITUS_URL is not set: give the address of a database on the coordinator of a Citus cluster, as a superuser, in which the extension is and the workers are known (docs/operations.md, "Beyond one machine").\nskipped',
  );
  process.exit(0);
}
if (!onCitus) delete env.CITUS_URL;

// Material that lies beside the project, not in it. What needs it is skipped where it is absent, and named.
const BESIDE = { PLATFORM_SPECS: '../shared/platforms', REAL_DATA: '../shared/data' };
for (const [name, usual] of Object.entries(BESIDE)) {
  env[name] = path.resolve(root, env[name] ?? usual);
  if (!existsSync(env[name])) console.log(`${name} (${env[name]}) is absent: the tests that need it are skipped.`);
}

/** Runs a program of the project's own packages; answers whether it was content. */
function run(name, args) {
  console.log(`\n> ${[name, ...args].join(' ')}`);
  const program = path.join(root, 'node_modules', '.bin', name);
  const { status, error } = spawnSync(program, args, { cwd: root, env, stdio: 'inherit' });
  if (error) console.error(`${name} could not be started: ${error.message}`);
  return status === 0;
}

const failed = onCitus
  ? []
  : [run('tsc', ['-p', '.']) ? [] : ['types (tsc)'], run('biome', ['check', '.']) ? [] : ['style (biome)']].flat();
// Failures above are far up when the tests are through, so they are told again just before their counts.
if (failed.length > 0) env.FAILED_BEFORE = failed.join(' and ');
const reporters = ['--reporter=./test/support/ending.reporter.ts', '--reporter=default'];
// A cluster is several servers on what may be one machine.
const patience = onCitus ? ['--testTimeout=300000', '--hookTimeout=300000'] : [];
const passed = run('vitest', ['run', ...reporters, ...patience, ...given]);
process.exit(passed && failed.length === 0 ? 0 : 1);
