import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { testDatabase } from './support/hub.ts';
import { endAll, programEnv, rapport, run } from './support/processes.ts';

// Each program takes a second to start, and more on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-campaigns-'));
let database: Awaited<ReturnType<typeof testDatabase>>;
let env: Record<string, string>;

beforeAll(async () => {
  database = await testDatabase();
  env = await programEnv(database.url);
  const people = path.join(folder, 'people.csv');
  writeFileSync(people, 'id,name,email\n1,Ann Miller,ann@example.com\n2,Bob Stone,bob@example.com\n');
  await run(env, 'import', 'contacts', people);
  await run(env, 'playbook', 'overdue-chase', '--on');
});

afterAll(async () => {
  await endAll();
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

test('campaigns: one is made, previewed, started by its number, and taken back on the command line', async () => {
  const campaign = (...words: string[]) => run(env, 'campaign', ...words);
  const aim = ['--sequence', 'overdue-chase', '--customers', 'ann@example.com,bob@example.com'];
  const made = await campaign('make', 'spring', ...aim, '--percent-per-day', '100', '--starts', '2100-01-04T12:00:00Z');
  expect(made.stdout).toContain('rapport campaign preview spring');
  const seen = await campaign('preview', 'spring');
  for (const words of ['2 people of 2 would enter', '2100-01-0', 'Ann Miller enters at', '--confirm 2'])
    expect(seen.stdout).toContain(words);
  const refused = await rapport(env, 'campaign', 'start', 'spring');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('This writes to 2 people.');
  const started = await campaign('start', 'spring', '--confirm', '2', '--json');
  expect(JSON.parse(started.stdout)).toMatchObject({ key: 'spring', state: 'running', members: { waiting: 2 } });
  const undone = await campaign('undo', 'spring', '--reason', 'wrong year');
  expect(undone.stdout).toContain('2 people will not enter, 0 enrolments ended');
  const results = await campaign('results', 'spring');
  expect(results.stdout).toContain('too few to tell');
});
