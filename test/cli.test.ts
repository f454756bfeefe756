import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { start as startHubSpot } from '../connectors/hubspot/sandbox.ts';
import { start as startTwilio } from '../connectors/twilio/sandbox.ts';
import { systemClock } from '../src/base/clock.ts';
import { careCommands } from '../src/cli/care.ts';
import { connectCommands } from '../src/cli/connect.ts';
import { dataCommands } from '../src/cli/data.ts';
import { operateCommands } from '../src/cli/operate.ts';
import { decideOnPage } from '../src/kit/sandbox/index.ts';
import { testDatabase } from './support/hub.ts';
import { type Ended, endAll, fail, pageOf, programEnv, query, rapport, run, runRapport } from './support/processes.ts';

// Each program takes a second to start, and more on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/*
 * Every command as a person starts it: a program of its own, with an environment, against a real database. What it prints
 * is on standard output; what it says meanwhile is on standard error.
 */

const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-cli-'));
const databases: { drop: () => Promise<void> }[] = [];

const file = (name: string, text: string): string => {
  const full = path.join(folder, name);
  writeFileSync(full, text);
  return full;
};

/** A hub of its own: the environment to reach it. */
async function fresh(more: Record<string, string> = {}): Promise<Record<string, string>> {
  const database = await testDatabase();
  databases.push(database);
  return programEnv(database.url, more);
}

/** A business with two customers, of whom one owes an invoice since 28 February 2026 and one paid on 3 March. */
let env: Record<string, string>;
let imported: Ended;
const people = file(
  'people.csv',
  'id,name,email,phone\n1,Ann Miller,ann@example.com,+14155551000\n2,Bob Stone,bob@example.com,+14155551001\n,Nobody,,\n',
);
const invoices = file(
  'invoices.csv',
  'number,customer_id,issued_on,due_on,paid_on,status,total,balance,currency\nA-1,1,2026-02-01,2026-02-28,,open,100.00,100.00,USD\nA-2,2,2026-02-01,2026-03-15,2026-03-03,paid,50.00,0.00,USD\n',
);

beforeAll(async () => {
  env = await fresh({ RAPPORT_PASSWORD: 'correct horse battery' });
  await run(
    env,
    ...['setup', '--business', 'Bright Glass', '--name', 'Olga', '--email', 'olga@example.com'],
    ...['--zone', 'America/New_York', '--json'],
  );
  imported = await run(env, 'import', 'contacts', people);
  await run(env, 'import', 'invoices', invoices);
});

afterAll(async () => {
  endAll();
  for (const database of databases) await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

describe('help', () => {
  test('cli: help names every command, and the help of each has an example of it', async () => {
    const { stdout } = await run(env, '--help');
    // Built here from the same definitions, because a program for each would take a second for each.
    const program = new Command('rapport').configureHelp({ showGlobalOptions: true }).option('--json');
    for (const add of [connectCommands, operateCommands, dataCommands, careCommands]) add(program);
    const leaves = program.commands.flatMap((command) => (command.commands.length > 0 ? command.commands : [command]));
    expect(leaves.length).toBeGreaterThan(12);
    for (const command of leaves) {
      const name = command.parent === program ? command.name() : `${command.parent!.name()} ${command.name()}`;
      expect(stdout, name).toMatch(new RegExp(`^ {2}${name.split(' ')[0]} .*\\S`, 'm'));
      const said: string[] = [];
      command.configureOutput({ writeOut: (text) => void said.push(text) }).outputHelp();
      const help = said.join('');
      expect(help, name).toMatch(new RegExp(`Examples?:\\n +(\\S+=\\S+ )*rapport ${name}`));
      expect(help, name).toContain('--json');
    }
  });
});

describe('failures', () => {
  test('cli: a mistake ends with code 1 and a sentence that says what to do', async () => {
    const cases: [string[], RegExp][] = [
      [['stauts'], /unknown command 'stauts'\n\(Did you mean status\?\)/],
      [['connect', 'frob'], /no connector "frob"[\s\S]*The connectors are [a-z, -]*csv, [a-z, -]*hubspot/],
      [['connect', 'hubspot'], /no registration there[\s\S]*HUBSPOT_CLIENT_ID and HUBSPOT_CLIENT_SECRET/],
      [['import', 'contacts', path.join(folder, 'missing.csv')], /There is no file .*missing\.csv/],
      [['import', 'contacts', people, '--map', path.join(folder, 'missing.yaml')], /missing\.yaml cannot be read/],
      [['detect', '--as-of', '2026-02-30'], /--as-of must be a date such as 2026-03-31, not "2026-02-30"/],
      [['simulate', '--from', '2026-03-02', '--to', '2026-03-01'], /--from must not be after --to/],
      [['explain', 'stranger@example.com'], /Nobody is known as "stranger@example.com"/],
      [['audit', 'export', '--out', path.join(folder, 'no', 'such', 'folder')], /cannot be written/],
    ];
    for (let at = 0; at < cases.length; at += 3)
      await Promise.all(
        cases.slice(at, at + 3).map(async ([args, sentence]) => {
          const ended = await fail(env, ...args);
          expect(ended.stderr, args.join(' ')).toMatch(sentence);
          expect(ended.stdout, args.join(' ')).toBe('');
        }),
      );
  });

  test('cli: with --json a failure is a document too', async () => {
    const [work, line] = await Promise.all([fail(env, 'connect', 'frob', '--json'), fail(env, 'detect', '--json')]);
    expect(work.json()).toEqual({
      error: 'There is no connector "frob".',
      fix: expect.stringMatching(/^The connectors are [a-z, -]*csv, /),
    });
    expect(line.json()).toEqual({ error: "required option '--as-of <date>' not specified" });
  });

  test('cli: a wrong configuration is named before anything is done', async () => {
    const without = await rapport({ ...env, RAPPORT_KEYS: '' }, 'status');
    expect(without).toMatchObject({ code: 1, stdout: '' });
    expect(without.stderr).toMatch(/RAPPORT_KEYS is missing/);
    const other = `k1:${Buffer.alloc(32, 8).toString('base64')}`;
    const wrong = await rapport({ ...env, RAPPORT_KEYS: other }, 'serve');
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/RAPPORT_KEYS does not open the secrets in this database/);
    const half = await rapport({ ...env, HUBSPOT_CLIENT_ID: 'x' }, 'serve', '--json');
    expect(half.code).toBe(1);
    expect(half.json().error).toMatch(/HubSpot is half configured: HUBSPOT_CLIENT_SECRET is missing/);
  });
});

describe('setup', () => {
  test('cli: the password of the owner never comes from the command line', async () => {
    const empty = await fresh();
    const none = await fail(empty, 'setup', '--business', 'B', '--name', 'N', '--email', 'n@example.com');
    expect(none.stderr).toMatch(/RAPPORT_PASSWORD/);
    expect(await query(empty, 'select 1 from user_account')).toEqual([]);
  });
});

describe('import', () => {
  test('cli: an import says how many rows were read, skipped and parked, and how many records changed', async () => {
    expect(imported.stdout).toMatch(
      /^3 rows read, 0 skipped, 1 parked \("rapport status --parked" shows the reasons\)/,
    );
    expect(imported.stdout).toMatch(/object +found +changed +unchanged\n[- ]+\ncontacts +2 +2 +0\n/);
    const json = (await run(env, 'import', 'contacts', people, '--json')).json();
    expect(json).toMatchObject({ rows: 3, skipped: 0, parked: 1, records: { contacts: 2 }, changed: { contacts: 0 } });
  });

  test('cli: what was parked is listed with line and whole reason', async () => {
    const { stdout } = await run(env, 'status', '--parked');
    expect(stdout).toMatch(/row +\d+ +Line 4 of people\.csv: \S.*\w.*\n/);
    expect(stdout).not.toContain('...');
  });

  test('cli: a mapping file decides what the rows are', async () => {
    const own = await fresh();
    const sales = file('sales.csv', 'who,when,sum\n7,2026-01-05,10.00\n7,2026-01-06,20.00\n,2026-01-07,5.00\n');
    const map = file(
      'sales.yaml',
      `name: Shop
objects:
  contacts: { id: { path: who }, columns: [who], when: { path: who, exists: true } }
  jobs:
    id: { template: "{who}/{when}" }
    require: [{ test: { path: who, exists: true }, reason: nobody bought it }]
streams:
  contacts: { contact: { fields: { external_ids: { list: { template: "shop:{who}" } } } } }
  jobs:
    job:
      fields: { kind: purchase, status: completed, completed_on: { date: { path: when } } }
      references: { customer: { to: contacts, id: { path: who } } }
`,
    );
    const { stdout } = await run(own, 'import', 'jobs', sales, '--map', map);
    expect(stdout).toMatch(/^3 rows read, 0 skipped, 1 parked/);
    expect(stdout).toMatch(/contacts +1 +1 +0\njobs +2 +2 +0/);
    const parked = (await run(own, 'status', '--json')).json();
    expect(parked).toMatchObject({ parkedCount: 1, entities: { job: 2 } });
    expect(parked.parked[0].reason).toBe('Line 4 of sales.csv: nobody bought it');
    // A business made for the files belongs to whoever sets the hub up later.
    const { tenantId } = (
      await run(
        { ...own, RAPPORT_PASSWORD: 'correct horse battery' },
        ...['setup', '--business', 'Shop', '--name', 'N', '--email', 'n@example.com', '--json'],
      )
    ).json();
    expect((await query<{ id: string }>(own, 'select id from tenant')).map((row) => row.id)).toEqual([tenantId]);
  });
});

describe('looking', () => {
  test('cli: status says in words how everything stands', async () => {
    const { stdout } = await run(env, 'status');
    expect(stdout).toMatch(/Connections\nname +state +health/);
    expect(stdout).toMatch(/contacts +not polled +2 /);
    expect(stdout).not.toMatch(/survey_responses/);
    expect(stdout).toMatch(/In the model: 2 customers, 2 invoices/);
    expect(stdout).toMatch(/Parked: 1 item \("rapport status --parked"/);
    const json = (await run(env, 'status', '--json')).json();
    expect(json.entities).toMatchObject({ customer: 2, invoice: 2 });
  });

  test('cli: streams are listed with their figures', async () => {
    const { streams } = (await run(env, 'streams', '--json')).json();
    expect(streams.find((row: { stream: string }) => row.stream === 'contacts')).toMatchObject({
      connector: 'csv',
      records: 2,
      parked: 0,
    });
  });

  test('cli: detect shows what a day finds, and sends nothing', async () => {
    const rows = (await run(env, 'detect', '--as-of', '2026-03-01', '--json')).json<Record<string, string>[]>();
    expect(rows).toEqual([
      {
        trigger: 'invoice.overdue',
        subject: expect.stringContaining('A-1'),
        businessKey: expect.any(String),
        occurredOn: '2026-03-01',
      },
    ]);
    const before = await run(env, 'detect', '--as-of', '2026-02-28', '--trigger', 'invoice.overdue', 'invoice.paid');
    expect(before.stdout).toBe('(none)\n0 found as of 2026-02-28; nothing was sent.\n');
    expect(await query(env, 'select 1 from occurrence')).toEqual([]);
    expect(await query(env, 'select 1 from action_request')).toEqual([]);
  });

  test('cli: simulate plays a range of days, and writes nothing', async () => {
    const args = ['simulate', '--from', '2026-02-20', '--to', '2026-04-30'];
    const rows = (await run(env, ...args, '--json')).json<Record<string, string>[]>();
    for (const row of rows)
      expect(Object.keys(row).sort()).toEqual(['businessKey', 'occurredOn', 'subject', 'trigger']);
    expect(rows.map((row) => [row.occurredOn, row.trigger])).toEqual(
      expect.arrayContaining([
        ['2026-03-01', 'invoice.overdue'],
        ['2026-03-03', 'invoice.paid'],
      ]),
    );
    const { stdout } = await run(env, ...args);
    expect(stdout).toMatch(
      /5 invoice\.overdue, 1 invoice\.paid, 1 reminder\.unanswered from 2026-02-20 to 2026-04-30; nothing was sent\.\n$/,
    );
    expect(await query(env, 'select 1 from occurrence')).toEqual([]);
  });

  test('cli: explain tells a person’s story by address or phone', async () => {
    for (const who of ['ann@example.com', '+14155551000']) {
      const { stdout } = await run(env, 'explain', who);
      expect(stdout, who).toMatch(
        /^Ann Miller \(ann@example\.com, \+14155551000\)\nTheir clock: \d{4}-\d\d-\d\d \d\d:\d\d \(/,
      );
      expect(stdout, who).toMatch(/Owes \$100\.00 on 1 overdue invoice, the oldest \d+ days\./);
    }
    const json = (await run(env, 'explain', 'bob@example.com', '--json')).json();
    expect(json).toMatchObject({ customer: { name: 'Bob Stone' }, owes: null, enrolments: [] });
  });

  test('cli: quota, unknown actions and keys are looked after from the command line', async () => {
    expect(JSON.parse((await run(env, 'quota', '--json')).stdout)).toEqual({ connections: expect.any(Array) });
    expect((await run(env, 'unknown')).stdout).toMatch(/Nothing is unknown\./);
    const { key, unreadable } = JSON.parse((await run(env, 'keys', 'rotate', '--json')).stdout);
    expect({ key, unreadable }).toEqual({ key: 'k1', unreadable: [] });
  });

  test('cli: replay says what became of parked items', async () => {
    expect((await run(env, 'replay', '--kind', 'row')).stdout).toMatch(
      /1 item tried again, 0 resolved, 1 still parked/,
    );
  });
});

describe('audit', () => {
  test('cli: the audit trail is exported line by line, verified, and a changed event is found', async () => {
    const own = await fresh();
    await run(own, 'import', 'contacts', people);
    const good = await run(own, 'audit', 'verify');
    expect(good.stdout).toMatch(/^\d+ events, all in place\. Head: [0-9a-f]{64}\n$/);
    const target = path.join(folder, 'audit.jsonl');
    const exported = (await run(own, 'audit', 'export', '--out', target, '--json')).json();
    const lines = readFileSync(target, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(exported.events);
    const { stdout } = await run(own, 'audit', 'export', '--json');
    expect(stdout).toBe(readFileSync(target, 'utf8'));
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ hash: expect.stringMatching(/^[0-9a-f]{64}$/) });

    await query(own, `update audit_event set data = '{"forged": true}' where seq = 2`);
    const bad = await rapport(own, 'audit', 'verify');
    expect(bad.code).toBe(1);
    expect(bad.stdout).toMatch(/^Broken at event 2: event \S+ was changed after it was written\.\n$/);
    const json = await rapport(own, 'audit', 'verify', '--json');
    expect(json.code).toBe(1);
    expect(json.json()).toMatchObject({ ok: false, broken: { seq: 2 } });
  });

  test('cli: a reader that stops in the middle is no failure', async () => {
    const running = runRapport(env, 'audit', 'export');
    running.closeOutput();
    const { code, stderr } = await running.end();
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });
});

describe('a platform', () => {
  test('cli: connects by the platform’s own page, reads it, and reads only what changed', async () => {
    const vendor = await startHubSpot({ clock: systemClock, app: APP, limits: false });
    try {
      for (let n = 0; n < 3; n++)
        vendor.state.create('contacts', { firstname: 'Ann', lastname: `M${n}`, email: `a${n}@example.com` });
      const own = await fresh({ ...APP, HUBSPOT_HOST_API: vendor.hosts.api!, HUBSPOT_HOST_APP: vendor.hosts.app! });
      const no = runRapport(own, 'connect', 'hubspot');
      await decideOnPage(await pageOf(no.said), 'deny');
      const refused = await no.end();
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/You said no on the HubSpot page, so nothing was connected\./);
      expect(refused.stderr).not.toMatch(/\n\s+at /);

      const yes = runRapport(own, 'connect', 'hubspot', '--json');
      const page = await decideOnPage(await pageOf(yes.said), 'allow');
      expect(page.body).toMatch(/is connected\. You can close this window/);
      const connected = await yes.end();
      expect(connected.code, connected.stderr).toBe(0);
      const { id } = connected.json();

      const first = (await run(own, 'sync', '--json')).json().streams as Record<string, any>[];
      expect(first.find((row) => row.stream === 'contacts')).toMatchObject({ seen: 3, changed: 3 });
      const again = (await run(own, 'sync', '--full', '--json')).json().streams as Record<string, any>[];
      expect(again.find((row) => row.stream === 'contacts')).toMatchObject({ seen: 3, changed: 0 });
      vendor.state.create('contacts', { firstname: 'New', lastname: 'One', email: 'new@example.com' });
      const text = await run(own, 'sync', '--connection', id);
      expect(text.stdout).toMatch(/connection +stream +state +seen +changed/);
      expect(text.stdout).toMatch(/ contacts +\w+ +\d+ +1\b/);

      vendor.portalId = '99';
      const other = runRapport(own, 'connect', 'hubspot', '--again', id);
      await decideOnPage(await pageOf(other.said), 'allow');
      const wrong = await other.end();
      expect(wrong.code, wrong.stderr + wrong.stdout).toBe(1);
      expect(wrong.stderr).toMatch(/You authorised the account "HubSpot 99" .* Nothing was changed\./);
    } finally {
      await vendor.stop();
    }
  });

  test('cli: connects with keys, and shows none of them', async () => {
    const vendor = await startTwilio({ clock: systemClock, app: {} });
    try {
      const own = await fresh({
        TWILIO_HOST_API: vendor.hosts.api!,
        TWILIO_HOST_API_IE1: vendor.hosts.api_ie1!,
        TWILIO_HOST_MESSAGING: vendor.hosts.messaging!,
      });
      const { accountSid, authToken } = vendor.credentials;
      const set = ['--set', `accountSid=${accountSid}`, '--set', `authToken=${authToken}`];
      const wrong = await fail(own, 'connect', 'twilio', '--set', `accountSid=${accountSid}`, '--set', 'authToken=no');
      expect(wrong.stderr).toMatch(/Twilio does not accept these credentials/);
      const sender = `messagingServiceSid=${vendor.state.service.sid}`;
      const done = await run(own, 'connect', 'twilio', ...set, '--set', sender);
      expect(done.stdout).toBe('Twilio is connected as Main Street Services.\n');
      const { stdout } = await run(own, 'status', '--json');
      expect(`${stdout}${done.stdout}`).not.toContain(authToken);
    } finally {
      await vendor.stop();
    }
  });
});
