import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Result, rowsOf, told } from './results.ts';

const USAGE = `Tries every connector with the suite and prints what came of it, per connector and capability.

npm run matrix                 in words; ends with 1 when anything failed
npm run matrix -- hubspot      one connector
npm run matrix -- --json       one JSON document: [{connector, capabilities: {name: {passed, failed, skipped}}, specChecked}]
npm run matrix -- --write      writes the table of the README anew, from what the suite would try; runs nothing`;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const args = process.argv.slice(2);
const names = args.filter((arg) => !arg.startsWith('-'));

/** Runs tests; what they print goes to standard error, so that standard output is the matrix alone. */
function runTests(files: readonly string[], reporters: readonly string[], env: Record<string, string>): boolean {
  const program = path.join(ROOT, 'node_modules', '.bin', 'vitest');
  const specs = path.resolve(ROOT, process.env.PLATFORM_SPECS ?? '../shared/platforms');
  const { status } = spawnSync(program, ['run', ...files, ...reporters.map((name) => `--reporter=${name}`)], {
    cwd: ROOT,
    env: { ...process.env, PLATFORM_SPECS: specs, ...env },
    stdio: ['ignore', 2, 2],
  });
  return status === 0;
}

function tryConnectors(): boolean {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-matrix-'));
  const file = path.join(folder, 'results.json');
  try {
    const files = names.length > 0 ? names.map((name) => `test/connectors/${name}`) : ['test/connectors/'];
    const passed = runTests(files, ['./test/matrix/reporter.ts', 'dot'], { MATRIX_RESULTS: file });
    if (!existsSync(file)) return false;
    const results = JSON.parse(readFileSync(file, 'utf8')) as Result[];
    process.stdout.write(`${args.includes('--json') ? JSON.stringify(rowsOf(results)) : told(results)}\n`);
    return passed;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const unknown = args.find((arg) => arg.startsWith('-') && !['--json', '--write', '--help'].includes(arg));
if (args.includes('--help') || unknown) {
  process.stdout.write(`${unknown ? `There is no option ${unknown}.\n\n` : ''}${USAGE}\n`);
  process.exit(unknown ? 1 : 0);
}
const done = args.includes('--write')
  ? runTests(['test/matrix/table.test.ts'], ['dot'], { MATRIX_WRITE: '1' })
  : tryConnectors();
process.exit(done ? 0 : 1);
