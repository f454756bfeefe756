import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { testDatabase } from './support/hub.ts';
import { endAll, programEnv, query, rapport, run } from './support/processes.ts';

// Each program takes a second to start, and more on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-remap-'));
const file = (name: string, text: string): string => {
  const full = path.join(folder, name);
  writeFileSync(full, text);
  return full;
};

let database: Awaited<ReturnType<typeof testDatabase>>;
let env: Record<string, string>;
let connection: string;

const people = file(
  'people.csv',
  'id,name,email,phone\n1,Ann Miller,ann@example.com,+14155551000\n2,Bob Stone,bob@example.com,+14155551001\n',
);
const mapping = (jobTitle: string): string =>
  `streams:\n  contacts:\n    contact:\n      fields:\n        name: { path: name }\n        email: { email: { path: email } }\n        phone: { phone: { path: phone } }\n        job_title: ${jobTitle}\n`;
const better = file('better.yaml', mapping('{ template: "Friend {name}" }'));

const titles = async (): Promise<unknown[]> =>
  (await query(env, 'select job_title from customer order by name')).map((row) => row.job_title);

beforeAll(async () => {
  database = await testDatabase();
  env = await programEnv(database.url);
  await run(env, 'import', 'contacts', people);
  const status = (await run(env, 'status', '--json')).json<{ connections: { id: string }[] }>();
  connection = status.connections[0]!.id;
});

afterAll(async () => {
  endAll();
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

test('remap command: the preview shows people what would change and changes nothing', async () => {
  const { stdout: out } = await run(env, 'remap', connection, '--preview', '--mapping', better);
  expect(out).toContain('2 records of 2 would change');
  expect(out).toContain('contact.job_title: (empty) -> Friend Ann Miller');
  expect(await titles()).toEqual([null, null]);
});

test('remap command: applies and rolls back, each done when the command ends', async () => {
  const applied = (await run(env, 'remap', connection, '--apply', '--mapping', better, '--json')).json();
  expect(applied).toMatchObject({ version: 2, run: { state: 'done', seen: 2, changed: 2 } });
  expect(await titles()).toEqual(['Friend Ann Miller', 'Friend Bob Stone']);
  const { stdout: out } = await run(env, 'remap', connection, '--rollback');
  expect(out).toContain('The mapping is at version 3.');
  expect(out).toMatch(/rollback\s+3\s+done\s+2 of 2\s+2/);
  expect(await titles()).toEqual([null, null]);
});

test('remap command: says in words what is wrong', async () => {
  const wrong = file('wrong.yaml', mapping('{ pathh: title }'));
  const failed = await rapport(env, 'remap', connection, '--apply', '--mapping', wrong);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain('streams.contacts.contact.fields.job_title');
  const nobody = await rapport(env, 'remap', 'nobody', '--preview');
  expect(nobody.code).toBe(1);
  expect(nobody.stderr).toContain(connection);
});
