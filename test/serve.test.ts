import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test, vi } from 'vitest';
import { start as startHubSpot } from '../connectors/hubspot/sandbox.ts';
import { systemClock } from '../src/base/clock.ts';
import { decideOnPage } from '../src/kit/sandbox/index.ts';
import { apiFor, testDatabase } from './support/hub.ts';
import { endAll, fail, pageOf, programEnv, query, run, runRapport, serve, until } from './support/processes.ts';
import { gateTo } from './support/wires.ts';

// Each program takes a second to start, and more on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-serve-'));
// As root the embedded database runs as somebody else, who must get in here.
chmodSync(folder, 0o711);
const databases: { drop: () => Promise<void> }[] = [];

async function fresh(more: Record<string, string> = {}): Promise<Record<string, string>> {
  const database = await testDatabase();
  databases.push(database);
  return programEnv(database.url, { RAPPORT_PASSWORD: 'correct horse battery', ...more });
}

const SETUP = ['setup', '--json', '--business', 'B', '--name', 'N', '--email', 'n@example.com'];

afterAll(async () => {
  endAll();
  for (const database of databases) await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const refused = (url: string): Promise<boolean> =>
  fetch(`${url}/ready`).then(
    (answer) => answer.status === 503,
    () => true,
  );

test('serve: on SIGTERM the work in hand is finished, and nothing is lost or doubled', async () => {
  const vendor = await startHubSpot({ clock: systemClock, app: APP, limits: false });
  const gate = await gateTo(vendor.hosts.api!);
  const own = await fresh({
    ...APP,
    HUBSPOT_HOST_API: gate.url,
    HUBSPOT_HOST_APP: vendor.hosts.app!,
  });
  const tasks = (): number => vendor.state.all('tasks').length;
  try {
    const contact = vendor.state.create('contacts', { firstname: 'Ann', lastname: 'M', email: 'ann@example.com' });
    const key = (await run(own, ...SETUP)).json().apiKey;
    let hub = await serve(own);
    let api = apiFor(hub.url, key);
    expect((await api('GET', '/ready')).body).toMatchObject({ ok: true, database: 'ok', queue: 'ok' });
    // Beside a running hub the command does not listen itself: the hub takes the way back.
    const connecting = runRapport(own, 'connect', 'hubspot');
    await decideOnPage(await pageOf(connecting.said), 'allow');
    expect((await connecting.end()).code).toBe(0);
    await until(
      'the customer is read',
      async () => (await api('GET', '/v1/customers')).body.items.length === 1,
      () => hub.said.stderr,
    );
    const task = (title: string) => ({
      kind: 'create_task',
      input: { title, dueAt: new Date().toISOString(), about: { contact: contact.id } },
    });

    gate.hold(/^POST .*\/tasks/);
    const { body: inHand } = await api('POST', '/v1/actions', task('In hand'));
    await until(
      'the task is made',
      () => gate.waiting() === 1,
      () => hub.said.stderr,
    );
    hub.signal('SIGTERM');
    await until('it takes no more requests', () => refused(hub.url));
    expect(hub.alive(), 'it waits for what is in hand').toBe(true);
    gate.release();
    expect(await hub.ended, hub.said.stderr).toBe(0);
    const state = async (id: string) =>
      (await query(own, `select state from action_request where id = '${id}'`))[0]?.state;
    expect(await state(inHand.id)).toBe('sent');
    expect(tasks()).toBe(1);
    expect(await query(own, "select name from queue.job where state = 'active'")).toEqual([]);

    // Asked of a process that only answers requests: another one does it later.
    hub = await serve({ ...own, ROLES: 'api' });
    api = apiFor(hub.url, key);
    const { body: asked } = await api('POST', '/v1/actions', task('Asked'));
    expect(await hub.stop()).toBe(0);
    expect(await state(asked.id)).not.toBe('sent');
    hub = await serve({ ...own, ROLES: 'engine,dispatch' });
    expect(hub.url).toBeNull();
    await until(
      'another process does it',
      async () => (await state(asked.id)) === 'sent',
      () => hub.said.stderr,
    );
    expect(await hub.stop()).toBe(0);
    expect(tasks()).toBe(2);
  } finally {
    await gate.stop();
    await vendor.stop();
  }
});

test('serve: without any setting it brings its own database, keeps it, and leaves nothing running', async () => {
  const { DATABASE_URL: _url, RAPPORT_KEYS: _keys, ...bare } = await programEnv('');
  const data = path.join(folder, 'data');
  const own = { ...bare, RAPPORT_DATA: data };
  const hub = await serve(own);
  expect(await (await fetch(`${hub.url}/v1/setup`)).json()).toEqual({ fresh: true });
  const people = path.join(folder, 'people.csv');
  writeFileSync(people, 'id,name,email\n1,Ann,ann@example.com\n2,Bob,bob@example.com\n');
  await run(own, 'import', 'contacts', people);
  const pidFile = path.join(data, 'postgres', 'postmaster.pid');
  expect(existsSync(pidFile), 'the command leaves the hub its database').toBe(true);
  expect(await hub.stop(), hub.said.stderr).toBe(0);
  expect(existsSync(pidFile)).toBe(false);
  expect((await run(own, 'status', '--json')).json().entities.customer).toBe(2);
  expect(existsSync(pidFile)).toBe(false);
});

test('serve: what it says first is where it is', async () => {
  const own = await fresh();
  const running = runRapport(own, 'serve');
  await until('it is ready', () => running.said.stdout.includes('/docs'));
  running.kill('SIGINT');
  const { code, stdout } = await running.end();
  expect(code).toBe(0);
  expect(stdout).toBe(
    `Rapport runs at http://127.0.0.1:${own.PORT} (api, sync, engine, dispatch).\nIt is fresh: open it in a browser to create the owner. The API reference is at http://127.0.0.1:${own.PORT}/docs.\n`,
  );
});

test('serve: under npm start the hub stops on a SIGTERM that npm got, although npm does not pass it on', async () => {
  const own = await fresh();
  // Of its own group, so that nothing of it outlives the test.
  const npm = spawn('npm', ['start'], { cwd: ROOT, env: { ...process.env, ...own }, detached: true });
  let said = '';
  for (const stream of [npm.stdout, npm.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  // Its end is when the last of its processes has closed what it writes to.
  const closed = new Promise((resolve) => npm.once('close', resolve));
  try {
    await until(
      'it runs',
      () => said.includes('Rapport runs at'),
      () => said,
    );
    process.kill(npm.pid!, 'SIGTERM');
    await closed;
    expect(said).toContain('"msg":"stopping"');
    expect(await refused(`http://127.0.0.1:${own.PORT}`)).toBe(true);
    expect(await query(own, "select name from queue.job where state = 'active'")).toEqual([]);
  } finally {
    try {
      process.kill(-npm.pid!, 'SIGKILL');
    } catch {
      // All have ended.
    }
  }
});

test('serve: a port that is taken is said in a sentence', async () => {
  const own = await fresh();
  const key = (await run(own, ...SETUP)).json().apiKey;
  const hub = await serve(own);
  try {
    const second = await fail(own, 'serve');
    expect(second.stderr).toMatch(new RegExp(`port ${own.PORT} .*Set HOST or PORT`));
    expect((await apiFor(hub.url, key)('GET', '/v1/me')).status).toBe(200);
  } finally {
    await hub.stop();
  }
});
