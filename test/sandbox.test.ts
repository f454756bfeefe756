import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadRegistry } from '../src/registry.ts';
import { ask, byHand, listen, NAMES, pageOf, press } from './support/simulations.ts';

describe('by hand', () => {
  test.each(NAMES)('sandbox: %s starts by hand, holds a sample and says in words what it holds', async (name) => {
    const started = await byHand([name]);
    const html = await pageOf(started);
    expect(html).toContain('This is a simulation');
    for (const [what, count] of Object.entries(started.sandbox.report())) {
      expect(html).toContain(`<td>${what.replaceAll('_', ' ')}</td><td>${count.toLocaleString('en')}</td>`);
    }
    if (started.sandbox.fill) expect(Object.values(started.sandbox.report()).some((count) => count > 0)).toBe(true);
    expect(started.told.join('\n')).toContain(started.page);
    expect(started.sandbox.deeds?.length).toBeGreaterThan(0);
  });

  test.each(NAMES)(
    'sandbox: whatever people can do at %s works as it is offered, and says what happened',
    async (name) => {
      const taken: string[] = [];
      const sink = await listen((body) => taken.push(body));
      const started = await byHand([name, '--hook', sink.url]);
      const { deeds = [], faults } = started.sandbox;
      for (const deed of deeds) {
        const { status, html } = await press(started, `deeds/${deed.name}`);
        // What needs something the hub did first says so; it must never break.
        expect([200, 400], `${deed.name}: ${html.slice(0, 300)}`).toContain(status);
        expect(html).toMatch(/class="(said|failed)" role="status">[^<]{10,}/);
      }
      const connector = (await loadRegistry([name])).find(name)!;
      // Where the hub subscribes by itself, nobody has before one is connected: such a vendor posts to nobody.
      const subscribed = connector.webhooks?.scope === 'connection' && connector.prepare !== undefined;
      if (connector.webhooks && !subscribed) expect(taken.length, 'posts to the hub').toBeGreaterThan(0);
      expect(faults?.inForce() ?? []).toEqual([]);
      await sink.close();
    },
  );

  test('sandbox: it names what a hub must be started with, hosts and registration', async () => {
    const crm = await byHand(['hubspot']);
    const address = crm.sandbox.hosts.api!;
    expect(crm.env).toEqual({
      HUBSPOT_HOST_API: address,
      HUBSPOT_HOST_APP: address,
      HUBSPOT_CLIENT_ID: 'simulated-hubspot-client-id',
      HUBSPOT_CLIENT_SECRET: 'simulated-hubspot-client-secret',
    });
    expect(crm.told).toContain(`  HUBSPOT_HOST_API=${address}`);
    expect(crm.told).toContain('Webhooks go to http://127.0.0.1:8080/hooks/hubspot.');
    // A host of one's own is told when connecting; the hub must be allowed to call it.
    const mail = await byHand(['smtp']);
    expect(mail.env).toEqual({ RAPPORT_ALLOW_PRIVATE: '127.0.0.1' });
    expect(mail.told.join('\n')).toMatch(/connect smtp --set host=127\.0\.0\.1 --set port=\d+ .*--set 'fromName=Main/);
  });

  test('sandbox: a registration of the environment is used, so that a running hub can stay as it is', async () => {
    const own = { HUBSPOT_CLIENT_ID: 'mine', HUBSPOT_CLIENT_SECRET: ' ' };
    const started = await byHand(['hubspot'], own);
    expect(started.env).toMatchObject({
      HUBSPOT_CLIENT_ID: 'mine',
      HUBSPOT_CLIENT_SECRET: 'simulated-hubspot-client-secret',
    });
  });

  test.each([
    [[], 'Say which connector'],
    [['nonsense'], 'There is no connector "nonsense"'],
    [['hubspot', 'slack'], 'One simulation at a time'],
    [['hubspot', '--late-index', 'soon'], '--late-index "soon" is no time'],
    [['hubspot', '--port', '70000'], '--port "70000" is no whole number'],
    [['hubspot', '--seed', '1.5'], '--seed "1.5" is no whole number'],
    [['hubspot', '--hook', 'nowhere'], '--hook "nowhere" is not an address'],
    [['hubspot', '--fault', 'boom'], '"boom" is no fault'],
    [['hubspot', '--unheard-of'], "Unknown option '--unheard-of'"],
    [['smtp', '--late-index', '5s'], 'has no index that could be late'],
    [['csv', '--fault', '429'], 'Nothing answers at CSV files'],
  ])('sandbox: %j is refused in words, and nothing runs', async (args, words) => {
    await expect(byHand(args as string[])).rejects.toThrow(words as string);
  });
});

describe('the page', () => {
  test('sandbox: faults and lateness are set, told and taken back on the page', async () => {
    const started = await byHand(['hubspot']);
    await press(started, 'faults', { fault: '503:0.5 @GET /crm' });
    expect(await pageOf(started)).toContain(
      'It answers with status 503 to 50 % of the requests when asked for GET /crm',
    );
    await press(started, 'late', { late: '5s' });
    expect(started.sandbox.lateIndexMs).toBe(5000);
    expect(await pageOf(started)).toContain('Lists and searches show changes 5,000 ms late.');
    await press(started, 'faults/0');
    expect(started.sandbox.faults!.inForce()).toEqual([]);
    for (const fault of ['cut', 'silent']) await press(started, 'faults', { fault });
    // Whatever the vendor does, its page answers.
    expect(await pageOf(started)).toContain('It never answers');
    await press(started, 'faults/clear');
    expect(await pageOf(started)).toContain('None: it behaves.');
    await press(started, 'hook', { address: '' });
    expect(started.sandbox.hookUrl).toBeUndefined();
  });

  test('sandbox: mistakes on the page are answered in words and change nothing', async () => {
    const started = await byHand(['hubspot']);
    for (const [form, fields, words] of [
      ['faults', { fault: 'boom' }, 'is no fault'],
      ['late', { late: 'soon' }, 'Say how late'],
      ['hook', { address: 'nowhere' }, 'is not an address'],
      ['deeds/nothing', {}, 'Nobody here can do'],
      ['deeds/delete-contact', { id: '1' }, 'There is no 1 among the contacts'],
      ['unheard-of', {}, 'cannot do that'],
    ] as const) {
      const { status, html } = await press(started, form, fields);
      expect(status, form).toBe(400);
      expect(html, form).toContain(words);
    }
    expect(started.sandbox.faults!.inForce()).toEqual([]);
    expect(started.sandbox.lateIndexMs).toBe(0);
  });

  test('sandbox: the page shows what was said, as text and never as markup', async () => {
    const started = await byHand(['hubspot']);
    const evil = '<script>alert(1)</script>';
    await fetch(`${started.sandbox.hosts.api}/crm/objects/${encodeURIComponent(evil)}?q=${encodeURIComponent(evil)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: evil }),
    });
    await press(started, 'deeds/add-contact', { email: '"><script>alert(1)</script>' });
    const html = await (await fetch(`${started.page}?said=${encodeURIComponent(evil)}`)).text();
    expect(html).toContain('POST /crm/objects/');
    expect(html).toContain('&lt;script&gt;');
    expect(html).not.toContain('<script>');
  });

  test('sandbox: a post nobody takes is told, and does no harm', async () => {
    const nobody = await listen(() => {});
    await nobody.close();
    for (const name of ['hubspot', 'quickbooks', 'slack', 'twilio', 'webhook']) {
      const started = await byHand([name, '--hook', nobody.url]);
      await press(started, `deeds/${started.sandbox.deeds![0]!.name}`);
      expect(await pageOf(started), name).toContain('<td>not taken</td>');
    }
  });
});

describe('the program', () => {
  let child: ChildProcess | undefined;
  const said: string[] = [];
  beforeAll(async () => {
    child = spawn(process.execPath, ['sandbox/main.ts', 'hubspot', '--fault', '429:0.2', '--late-index', '5s'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout!.on('data', (chunk: Buffer) => said.push(String(chunk)));
    while (!said.join('').includes('Ctrl+C')) await once(child.stdout!, 'data');
  });
  afterAll(() => child?.kill('SIGKILL'));

  test('sandbox: the program says how it stands, and ends on Ctrl+C at once, also while somebody waits for an answer', async () => {
    const text = said.join('');
    expect(text).toContain('Lists and searches show changes 5000 ms late.');
    expect(text).toContain('It answers with status 429 to 20 % of the requests');
    const [address] = /http:\/\/127\.0\.0\.1:\d+\/_sandbox/.exec(text)!;
    await fetch(`${address}/faults`, { method: 'POST', body: new URLSearchParams({ fault: 'silent @GET /wait' }) });
    const waiting = ask(address.replace('_sandbox', 'wait'));
    const ended = once(child!, 'exit');
    child!.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    expect(await waiting).toHaveProperty('error');
    expect(await ask(address)).toHaveProperty('error');
  });
});
