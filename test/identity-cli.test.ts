import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { testDatabase } from './support/hub.ts';
import { endAll, programEnv, run } from './support/processes.ts';

// Each program takes a second to start, and more on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-identity-'));
let database: Awaited<ReturnType<typeof testDatabase>>;
let env: Record<string, string>;

beforeAll(async () => {
  database = await testDatabase();
  env = await programEnv(database.url);
  const people = path.join(folder, 'people.csv');
  writeFileSync(people, 'id,name,email\n1,Ann Miller,ann@example.com\n2,Bob Stone,bob@example.com\n');
  await run(env, 'import', 'contacts', people);
});

afterAll(async () => {
  await endAll();
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

test('identity: two customers are merged and taken apart on the command line, in words and as JSON', async () => {
  const merged = await run(env, 'merge', 'ann@example.com', 'bob@example.com', '--reason', 'one person', '--json');
  const { id, absorbed } = JSON.parse(merged.stdout);
  const shown = await run(env, 'unmerge', 'bob@example.com');
  for (const word of [id, 'Ann Miller', 'Bob Stone', 'one person']) expect(shown.stdout).toContain(word);
  const undone = await run(env, 'unmerge', id, '--reason', 'two after all');
  expect(undone.stdout).toContain(`They are two again: ${absorbed} lives with 1 record`);
  const suggestions = await run(env, 'suggestions');
  expect(suggestions.stdout).toContain('Nothing is left to decide.');
});
