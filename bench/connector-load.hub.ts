import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../src/base/clock.ts';
import { loadConfig } from '../src/base/config.ts';
import { createLogger } from '../src/base/log.ts';
import { openSession } from '../src/connections/session.ts';
import { hostVariable, type Registry } from '../src/connections/vendors.ts';
import { type Hub, startHub } from '../src/hub.ts';
import { type Budget, type Connector, RESERVED_FOR_OTHERS, type RequestSpec, type Stream } from '../src/kit/index.ts';
import { decideOnPage } from '../src/kit/sandbox/index.ts';
import { loadRegistry } from '../src/registry.ts';
import { nextPosition, readPage, wayOf } from '../src/sync/paging.ts';
import { readConnection } from '../src/sync/run.ts';
import type { RunPosition } from '../src/sync/store.ts';
import type { Result } from './figures.ts';
import { freePort, tempFolder } from './hub.ts';

/** Records of a reading without limits. */
const RECORDS = 5_000;
/** How long limits are met, in seconds; what was saved up for a beginning must not be all there is. */
const LIMITED_SECONDS = 12;
/** A reading that takes longer than this will not end. */
const MOST_MS = 300_000;
/** Readings with limits at most, and the share of what is possible after which there is no other. */
const TRIES = 3;
const ENOUGH = 0.95;

/** Our registration at a vendor: it means something to its simulation only. */
function invented({ id, auth, appSecrets = [] }: Connector): Record<string, string> {
  const names = [...(auth.kind === 'oauth2' ? [auth.app.clientId, auth.app.clientSecret] : []), ...appSecrets];
  return Object.fromEntries(names.map((name) => [name, `${id}-${name.toLowerCase().replaceAll('_', '-')}`]));
}

/** The stream that is read: people where the platform has them, else the first one that can be asked for. */
async function streamOf(connector: Connector): Promise<Stream | undefined> {
  const { start } = await connector.sandbox();
  const vendor = await start({ clock: systemClock, app: invented(connector), limits: false });
  const known = vendor.trial?.streams ?? {};
  await vendor.stop();
  const listed = connector.streams.filter(({ name, list }) => list && known[name]);
  return listed.find(({ entities }) => entities.includes('contact')) ?? listed[0];
}

/** Connectors that can be asked for records. */
export async function readableOf(): Promise<string[]> {
  const found: string[] = [];
  for (const connector of (await loadRegistry()).all()) if (await streamOf(connector)) found.push(connector.id);
  return found;
}

interface Vendor {
  child: ChildProcess;
  hosts: Record<string, string>;
  credentials: Record<string, unknown>;
  held: number;
}

async function startVendor(connector: Connector, stream: string, count: number, limits: boolean): Promise<Vendor> {
  const asked = JSON.stringify({ id: connector.id, stream, count, limits, app: invented(connector) });
  const child = fork(fileURLToPath(new URL('./connector-load.vendor.ts', import.meta.url)), [asked], { execArgv: [] });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`The simulation of ${connector.name} ended with ${code}.`);
  });
  const [told] = await Promise.race([once(child, 'message'), ended]);
  return { child, ...(told as Omit<Vendor, 'child'>) };
}

type Call = (path: string, body: unknown) => Promise<Record<string, never> & { [name: string]: string }>;

/** Connects as users do, for a business of its own. @returns tenant and connection */
async function connect(hub: Hub, connector: Connector, vendor: Vendor): Promise<{ tenantId: string; id: string }> {
  for (const [host, url] of Object.entries(vendor.hosts)) hub.config.env[hostVariable(connector.id, host)] = url;
  const { createTenant, makeApiKey } = await import('../src/access/identity.ts');
  const tenantId = await createTenant(hub.access, { business: 'Bench', country: 'US', currency: 'USD' });
  const { key } = await makeApiKey(hub.access, tenantId, { name: 'bench', role: 'admin', by: 'bench' });
  const call: Call = async (path, body) => {
    const answer = await fetch(`${hub.url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  };
  const started = await call('/v1/connections', { connector: connector.id, settings: vendor.credentials });
  if (started.authorizeUrl) {
    const { status, body } = await decideOnPage(started.authorizeUrl, 'allow');
    if (status >= 400) throw new Error(`${connector.name} was not connected: ${body.slice(0, 300)}`);
  }
  const { items } = (await call('/v1/connections', undefined)) as unknown as { items: { id: string }[] };
  return { tenantId, id: items[0]!.id };
}

/** Every page of a first load fetched through the connector, and thrown away. @returns records a second */
async function fetchOnly(hub: Hub, stream: Stream, where: { tenantId: string; id: string }): Promise<number> {
  const session = await openSession(hub.deps, where.tenantId, where.id, 'backfill');
  const way = wayOf(stream, true);
  const started = performance.now();
  let seen = 0;
  for (let at: RunPosition | undefined = { pages: 0 }; at; ) {
    const page = await readPage(session, stream, way, at);
    seen += page.records.length;
    at = nextPosition(way.paging, stream, at, page, session.ctx);
  }
  const took = performance.now() - started;
  await session.close();
  return seen / (took / 1000);
}

/** The first load of a stream, to its end. @returns seconds */
async function load(hub: Hub, name: string, held: number, where: { tenantId: string; id: string }): Promise<number> {
  const started = performance.now();
  for (;;) {
    const result = (await readConnection(hub.deps, where.tenantId, where.id, { force: true, only: [name] })).get(name)!;
    if (result.state === 'complete') break;
    const failed = result.state === 'stopped' || performance.now() - started > MOST_MS;
    if (failed) throw new Error(`Reading ${name} ended ${result.state}: ${result.message}`);
    // More pages than one job takes go on at once; a limit is waited for.
    if (result.message !== undefined) await delay(200);
  }
  const seconds = (performance.now() - started) / 1000;
  const { rows } = await hub.db.tenant(where.tenantId, (tx) =>
    tx.query<{ n: number }>('select count(*)::int as n from source_record where tenant_id = $1', [tx.tenantId]),
  );
  if (rows[0]!.n < held) throw new Error(`${rows[0]!.n} of ${held} records of ${name} were read.`);
  return seconds;
}

/**
 * Calls of a first load a limit allows in a time, by what the connector states of it: what flows, and what was saved up
 * as far as it is not kept for more urgent calls.
 */
const allowed = ({ calls, seconds, burst = calls }: Budget, time: number): number =>
  burst * (1 - RESERVED_FOR_OTHERS.backfill) + (calls / seconds) * time;

/** Budgets of a moment: those of a day or month are no matter of pace. */
const paced = ({ limits }: Connector): readonly Budget[] => limits.filter(({ quota }) => quota === undefined);

/** The share of its limits that calls used in a time: of the one that is used most. */
const shareOf = (connector: Connector, calls: readonly RequestSpec[], seconds: number): number =>
  Math.max(
    0,
    ...paced(connector).map(
      (budget) => calls.filter((call) => budget.match?.(call) ?? true).length / allowed(budget, seconds),
    ),
  );

/** Records with which the limits are met for a while, and no more than without them. */
function limitedCount(connector: Connector, calls: readonly RequestSpec[], records: number): number {
  const share = shareOf(connector, calls, LIMITED_SECONDS);
  return share === 0 ? RECORDS : Math.max(200, Math.min(RECORDS, Math.floor(records / share)));
}

/** Reads one connector's records without limits and with them, on a database of its own. */
export async function readConnector(name: string): Promise<Result> {
  const connector = (await loadRegistry([name])).find(name)!;
  const stream = (await streamOf(connector))!;
  let sent: RequestSpec[] = [];
  /** The connector as it is, with its calls noted; `limits` are its own, or none. */
  const noted = (limits: Connector['limits']): Connector => ({
    ...connector,
    limits,
    transport: async () => {
      const send = (await connector.transport?.()) ?? hub.deps.http;
      return (request) => {
        sent.push(request);
        return send(request);
      };
    },
  });
  const [free, limited] = [noted([]), noted(connector.limits)];
  let inForce = free;
  const registry: Registry = { all: () => [inForce], find: (id) => (id === name ? inForce : undefined) };
  const { folder, remove } = tempFolder();
  const port = await freePort();
  const hub = await startHub({
    config: loadConfig({
      RAPPORT_DATA: folder,
      ROLES: 'api',
      PORT: String(port),
      RAPPORT_ALLOW_PRIVATE: '127.0.0.1',
      ...invented(connector),
    }),
    clock: systemClock,
    log: createLogger('silent'),
    registry,
    sweep: false,
    shedLoad: false,
  });
  /** A first load by a business of its own. */
  const loaded = async (vendor: Vendor): Promise<{ perSecond: number; calls: RequestSpec[]; seconds: number }> => {
    const where = await connect(hub, connector, vendor);
    sent = [];
    const seconds = await load(hub, stream.name, vendor.held, where);
    return { perSecond: vendor.held / seconds, calls: sent, seconds };
  };
  try {
    const open = await startVendor(connector, stream.name, RECORDS, false);
    const warm = await connect(hub, connector, open);
    await load(hub, stream.name, open.held, warm);
    const floor = await fetchOnly(hub, stream, warm);
    const path = await loaded(open);
    open.child.disconnect();

    const strict = await startVendor(connector, stream.name, limitedCount(connector, path.calls, open.held), true);
    inForce = limited;
    const raw: Record<string, number[]> = {
      ...{ records_per_s: [path.perSecond], floor_per_s: [floor] },
      ...{ limited_records_per_s: [], allowance_used: [], calls: [], refused: [] },
    };
    for (let n = 0; n < TRIES; n++) {
      const { perSecond, calls, seconds } = await loaded(strict);
      raw.limited_records_per_s!.push(perSecond);
      raw.allowance_used!.push(shareOf(connector, calls, seconds));
      raw.calls!.push(calls.length);
      // Where limits hold it back, another try would say the same.
      if (Math.max(raw.allowance_used!.at(-1)!, perSecond / path.perSecond) >= ENOUGH) break;
    }
    strict.child.send('refused');
    const [{ refused }] = (await once(strict.child, 'message')) as [{ refused: number }];
    strict.child.disconnect();
    raw.refused!.push(refused);
    return { name, what: stream.name, figures: {}, ratios: {}, aim: '', met: true, raw };
  } finally {
    await hub.stop();
    remove();
  }
}
