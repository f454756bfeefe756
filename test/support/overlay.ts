import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The project in a folder of its own, with the connectors the suite itself needs: what is made there is thrown away. */
export interface Overlay {
  root: string;
  /** Runs a program of the project there, with Node. @returns its exit code and everything it said */
  run(program: string, ...args: string[]): Promise<{ code: number; said: string }>;
  read(file: string): string;
  write(file: string, text: string): void;
  remove(): void;
}

/** Connectors that are there from the beginning. */
export const HELPERS = ['csv', 'webhook'];

/** What a connector needs around it. Code is copied, because a program finds its neighbours from where it really is. */
const COPIED = [
  'src',
  'sandbox',
  'scaffold',
  // Customers come from a file, and another platform is posted to, while a connector is tried.
  ...HELPERS.map((name) => `connectors/${name}`),
  'mappings/webhook.yaml',
  // The suite every connector passes, and what it stands on; the tests of these are no part of it.
  'test/conformance',
  'test/specs',
  ...['hub', 'database.setup', 'cluster', 'handlers', 'commits'].map((name) => `test/support/${name}.ts`),
  'test/architecture.test.ts',
  'package.json',
  'tsconfig.json',
  'biome.json',
];
/** Tests that are run there too, beside those of its connectors. */
const OWN_TESTS = ['test/architecture.test.ts', 'test/conformance/quirks.test.ts'];
const LINKED = ['node_modules', 'migrations', 'playbooks'];

/** The database server of this run is there already, template included. */
const SETUP = `import type { TestProject } from 'vitest/node';
export default (project: TestProject): void => project.provide('server', process.env.SERVER_OF_TESTS ?? '');
`;
const CONFIG = `import { defineConfig } from 'vitest/config';
export default defineConfig({
  test: {
    globalSetup: ['server.setup.ts'],
    include: ['test/**/*.test.ts'],
    // One process that loads the hub once: two of them would take twice as long to begin.
    isolate: false,
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
`;

/** Makes an empty project beside the real one. */
export function makeOverlay(): Overlay {
  const root = mkdtempSync(path.join(os.tmpdir(), 'rapport-test-project-'));
  const filter = (file: string): boolean => {
    const name = path.relative(ROOT, file);
    return !/^test\/.*\.test\.ts$/.test(name) || OWN_TESTS.includes(name);
  };
  for (const file of COPIED) cpSync(path.join(ROOT, file), path.join(root, file), { recursive: true, filter });
  for (const folder of LINKED) symlinkSync(path.join(ROOT, folder), path.join(root, folder));
  for (const folder of ['connectors', 'mappings', 'test/connectors'])
    mkdirSync(path.join(root, folder), { recursive: true });
  const overlay: Overlay = {
    root,
    run: (program, ...args) =>
      new Promise((resolve) => {
        // Of this run's settings the other one must inherit none: it would take itself for one of our workers.
        const inherited = Object.entries(process.env).filter(
          ([name]) => !name.startsWith('VITEST') && name !== 'NODE_ENV',
        );
        const env = { ...Object.fromEntries(inherited), SERVER_OF_TESTS: inject('server') };
        execFile(process.execPath, [program, ...args], { cwd: root, env, maxBuffer: 1e8 }, (error, out, err) =>
          resolve({ code: error ? Number(error.code ?? 1) : 0, said: `${out}${err}` }),
        );
      }),
    read: (file) => readFileSync(path.join(root, file), 'utf8'),
    write: (file, text) => {
      mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      writeFileSync(path.join(root, file), text);
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
  overlay.write('server.setup.ts', SETUP);
  overlay.write('vitest.config.ts', CONFIG);
  return overlay;
}
