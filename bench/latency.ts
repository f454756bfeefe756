import { setTimeout as delay } from 'node:timers/promises';
import type { HubSpotSandbox } from '../connectors/hubspot/sandbox.ts';
import type { QuickBooksSandbox } from '../connectors/quickbooks/sandbox.ts';
import { systemClock } from '../src/base/clock.ts';
import { decideOnPage } from '../src/kit/sandbox/index.ts';
import { type Result, ratio, spread } from './figures.ts';
import { freePort, startProgram, tempFolder } from './hub.ts';

const TIMES = 100;
const WARM_UP = 10;
/** Between two events, so that no limit of a vendor is what is measured. */
const PAUSE_MS = 1_500;

const APP = {
  HUBSPOT_CLIENT_ID: 'bench',
  HUBSPOT_CLIENT_SECRET: 'bench-secret',
  QUICKBOOKS_CLIENT_ID: 'bench',
  QUICKBOOKS_CLIENT_SECRET: 'bench-secret',
  QUICKBOOKS_WEBHOOK_VERIFIER: 'bench-verifier',
};

/** Thanks for a payment with a task: the shortest way from a webhook to something native. */
const THANKS = {
  key: 'thanks',
  title: 'Thanks for a payment',
  class: 'transactional',
  topic: 'invoices',
  triggers: [{ name: 'invoice.paid' }],
  per: 'subject',
  again: { policy: 'once_per_key' },
  exits: [],
  steps: [{ id: 'task', do: { kind: 'create_task', input: { title: 'Say thank you' } } }],
};

// biome-ignore lint/suspicious/noExplicitAny: answers are read like a script would
type Call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<any>;

const caller =
  (url: string, token?: string): Call =>
  async (method, path, body, headers = {}) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    // Just started on a busy machine: it says when to come again.
    if (answer.status === 503) {
      await delay(Number(answer.headers.get('retry-after') ?? 5) * 1000);
      return caller(url, token)(method, path, body, headers);
    }
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  };

/** Sets up a business with both platforms and the sequence, read once and switched on. */
async function prepare(url: string): Promise<void> {
  const setup = await caller(url)('POST', '/v1/setup', {
    business: 'Bench',
    name: 'Bench',
    email: 'bench@example.com',
    password: 'a-password-for-a-bench',
    country: 'US',
    currency: 'USD',
  });
  const call = caller(url, setup.token);
  for (const connector of ['hubspot', 'quickbooks']) {
    const { authorizeUrl } = await call('POST', '/v1/connections', { connector });
    await decideOnPage(authorizeUrl, 'allow');
  }
  for (;;) {
    const { items } = await call('GET', '/v1/streams');
    // Streams without a list of their own are only ever announced.
    const listed = items.filter((stream: { state: string }) => stream.state !== 'off');
    if (listed.length > 0 && listed.every((stream: { phase: string }) => stream.phase !== 'initial')) break;
    await delay(200);
  }
  const sequence = await call('POST', '/v1/sequences', THANKS);
  await call('POST', `/v1/sequences/${sequence.id}/switch`, { on: true }, { 'if-match': `"${sequence.version}"` });
}

/** Milliseconds until `done`, looked at every millisecond. */
async function until(done: () => boolean, since: number): Promise<number> {
  while (!done()) {
    if (performance.now() - since > 60_000) throw new Error('Nothing happened for a minute.');
    await delay(1);
  }
  return performance.now() - since;
}

/**
 * From the post of a payment's webhook to the task the simulated CRM has taken: post verified and stored, payment and
 * invoice fetched, change found, enrolment, decision, task. One at a time, nothing else to do. Floor of the same run: the
 * vendor calls of that way alone (payment, invoice, task), made one after the other.
 */
export async function latency(): Promise<Result> {
  const { folder, remove } = tempFolder();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const options = (name: string) => ({
    clock: systemClock,
    app: APP,
    hookUrl: `${url}/hooks/${name}`,
    limits: false,
    journal: 0,
  });
  const hubspot: HubSpotSandbox = await import('../connectors/hubspot/sandbox.ts').then((m) =>
    m.start(options('hubspot')),
  );
  const quickbooks: QuickBooksSandbox = await import('../connectors/quickbooks/sandbox.ts').then((m) =>
    m.start(options('quickbooks')),
  );
  const env: Record<string, string> = { ...APP, RAPPORT_ALLOW_PRIVATE: '127.0.0.1' };
  for (const [name, hosts] of Object.entries({ hubspot: hubspot.hosts, quickbooks: quickbooks.hosts }))
    for (const [host, address] of Object.entries(hosts)) env[`${name}_HOST_${host}`.toUpperCase()] = address;
  const hub = await startProgram(folder, port, env);
  const raw: Record<string, number[]> = { way_ms: [], floor_ms: [] };
  try {
    const contact = hubspot.state.create('contacts', {
      email: 'ann@example.com',
      firstname: 'Ann',
      lastname: 'Example',
    });
    const customer = quickbooks.state.addCustomer({
      DisplayName: 'Ann Example',
      GivenName: 'Ann',
      FamilyName: 'Example',
      PrimaryEmailAddr: { Address: 'ann@example.com' },
    });
    const invoices = Array.from({ length: TIMES + WARM_UP }, () =>
      quickbooks.state.addInvoice({ customer: customer.Id, amount: 10, due: '2099-01-01' }),
    );
    await prepare(url);
    for (const [n, invoice] of invoices.entries()) {
      await delay(PAUSE_MS);
      const before = hubspot.state.all('tasks').length;
      const since = performance.now();
      await quickbooks.pay(invoice.Id, 10);
      const took = await until(() => hubspot.state.all('tasks').length > before, since);
      if (n >= WARM_UP) raw.way_ms!.push(took);
      const floor = performance.now();
      for (const path of ['payment', 'invoice', 'task'])
        await fetch(`${path === 'task' ? hubspot.hosts.api : quickbooks.hosts.api}/_sandbox?${path}`).then((answer) =>
          answer.text(),
        );
      if (n >= WARM_UP) raw.floor_ms!.push(performance.now() - floor);
    }
    if (!contact) throw new Error('The simulation lost the contact.');
  } finally {
    await hub.stop();
    await Promise.all([hubspot.stop(), quickbooks.stop()]);
    remove();
  }
  const way = spread(raw.way_ms!);
  const floor = spread(raw.floor_ms!);
  return {
    name: 'latency',
    what: 'From the post of a webhook to the native task in the simulated CRM, one at a time, queue idle.',
    figures: { webhook_to_task_ms: way, floor_three_vendor_calls_ms: floor },
    ratios: { p50_by_floor: ratio(way.p50, floor.p50), p95_by_floor: ratio(way.p95, floor.p95) },
    aim: 'p95 250 ms',
    met: way.p95 <= 250,
    raw,
  };
}
