import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { testDatabase } from './support/hub.ts';
import { endAll, fail, programEnv, run } from './support/processes.ts';

// Each program takes a second to start, and more on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-config-'));
let env: Record<string, string>;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await testDatabase();
  drop = database.drop;
  env = await programEnv(database.url);
});
afterAll(async () => {
  await endAll();
  await drop?.();
  rmSync(folder, { recursive: true, force: true });
});

test('configuration: files are applied, exported to a folder and applied again from the command line, and mistakes are all told', async () => {
  const file = path.join(folder, 'mine.yaml');
  const good =
    'rapport: 1\ntemplates:\n  hello:\n    - { channel: sms, body: "Hello {{ customer.name }}" }\nsegments:\n  - { name: Gold, condition: score at least 70 }\n';
  writeFileSync(file, good);
  const planned = await run(env, 'apply', file, '--dry-run');
  expect(planned.stdout).toContain('+ create segment Gold\n+ create template hello/sms/en');
  expect(planned.stdout).toContain('2 changes would be applied');
  expect((await run(env, 'apply', file)).stdout).toContain('2 changes applied');
  const out = path.join(folder, 'out');
  await run(env, 'export', out);
  expect(readdirSync(out)).toEqual(expect.arrayContaining(['segments.yaml', 'templates.yaml']));
  expect(readFileSync(path.join(out, 'templates.yaml'), 'utf8')).toContain('Hello {{ customer.name }}');
  const again = JSON.parse((await run(env, 'apply', out, '--json')).stdout);
  expect(again.items.map(({ action }: { action: string }) => action)).not.toContain('update');
  writeFileSync(file, good.replace('customer.name', 'customer.nam').replace('score at', 'scor at'));
  const refused = await fail(env, 'apply', file);
  expect(refused.stderr).toContain(
    `${file}:4 templates.hello[0].body: there is no variable "customer.nam"; did you mean "customer.name"?`,
  );
  expect(refused.stderr).toContain(`${file}:6 segments[0].condition`);
  expect(refused.stderr).toContain('Nothing was applied.');
});
