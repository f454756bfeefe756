import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { request } from 'undici';
import hubspot from '../connectors/hubspot/connector.ts';
import { createTenant } from '../src/access/identity.ts';
import { systemClock } from '../src/base/clock.ts';
import { loadConfig } from '../src/base/config.ts';
import { newId, sha256 } from '../src/base/ids.ts';
import { createLogger } from '../src/base/log.ts';
import { storeSecrets } from '../src/connections/credentials.ts';
import { insertConnection } from '../src/connections/store.ts';
import type { Registry } from '../src/connections/vendors.ts';
import { type Hub, startHub } from '../src/hub.ts';
import { type Connector, defineConnector, defineStream, textAt } from '../src/kit/index.ts';
import { readConnection } from '../src/sync/run.ts';
import { listStreams, requestRun } from '../src/sync/store.ts';
import { type Result, ratio } from './figures.ts';
import { tempFolder } from './hub.ts';

const TOTAL = 100_000;
const SMALL = 10_000;
const PAGE = 100;
/** Rows of one statement of the floor. */
const FLOOR_ROWS = 1000;

/** HubSpot's contacts with their own mapping, without the calls for associations: the floor does not make them either. */
export function plainHubSpot(most: () => number): Connector {
  const contacts = hubspot.streams.find((stream) => stream.name === 'contacts')!;
  const { complete: _complete, count: _count, initial: _initial, incremental: _incremental, ...rest } = contacts;
  const stream = defineStream({
    ...rest,
    after: [],
    deletes: { kind: 'none', reason: 'A bench deletes nothing.' },
    list: (_ctx, at) => ({
      method: 'GET',
      path: '/contacts',
      query: { limit: at.limit, after: at.token, most: most() },
    }),
    paging: { kind: 'token', size: PAGE, next: (reply) => textAt(reply.body, 'paging.next.after') },
  });
  const { transport: _transport, ...connector } = hubspot as Connector;
  return defineConnector({ ...connector, limits: [], streams: [stream] });
}

interface Contact {
  id: string;
  updatedAt: string;
}

/** The pages fetched, parsed and written by one hash-guarded upsert a thousand rows, into one table. */
async function floor(ownerUrl: string, origin: string): Promise<number> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  await client.query(
    'create table if not exists bench_raw (stream_id uuid, remote_id text, payload jsonb, hash bytea, vendor_at timestamptz, changed_at timestamptz, primary key (stream_id, remote_id))',
  );
  const streamId = '00000000-0000-7000-8000-000000000001';
  const upsert = `insert into bench_raw select $1::uuid, * from unnest($2::text[], $3::text[]::jsonb[], $4::bytea[], $5::timestamptz[], $6::timestamptz[])
    on conflict (stream_id, remote_id) do update set payload = excluded.payload, hash = excluded.hash, vendor_at = excluded.vendor_at, changed_at = excluded.changed_at
    where bench_raw.hash is distinct from excluded.hash`;
  const started = performance.now();
  let after: string | undefined;
  let rows: Contact[] = [];
  const write = async (): Promise<void> => {
    const texts = rows.map((row) => JSON.stringify(row));
    await client.query(upsert, [
      streamId,
      rows.map((row) => row.id),
      texts,
      texts.map((text) => sha256(text).subarray(0, 16)),
      rows.map((row) => row.updatedAt),
      rows.map(() => new Date()),
    ]);
    rows = [];
  };
  do {
    const answer = await request(`${origin}/contacts?limit=${PAGE}${after ? `&after=${after}` : ''}`);
    const page = (await answer.body.json()) as { results: Contact[]; paging?: { next: { after: string } } };
    rows.push(...page.results);
    after = page.paging?.next.after;
    if (rows.length >= FLOOR_ROWS) await write();
  } while (after);
  if (rows.length > 0) await write();
  const took = performance.now() - started;
  await client.end();
  return took;
}

async function read(
  hub: Hub,
  tenantId: string,
  connectionId: string,
): Promise<{ took: number; seen: number; changed: number }> {
  await hub.db.tenant(tenantId, async (tx) => {
    const rows = await listStreams(tx, connectionId);
    await requestRun(
      tx,
      rows.map((row) => row.id),
      new Date(),
      true,
    );
  });
  const started = performance.now();
  const results = await readConnection(hub.deps, tenantId, connectionId, { force: true });
  const result = results.get('contacts')!;
  if (result.state !== 'complete') throw new Error(`Reading ended ${result.state}: ${result.message}`);
  return { took: performance.now() - started, seen: result.seen, changed: result.changed };
}

async function connect(hub: Hub, tenantId: string): Promise<string> {
  const id = newId();
  const now = new Date();
  await hub.db.tenant(tenantId, (tx) =>
    insertConnection(tx, {
      id,
      connector: 'hubspot',
      name: 'Bench',
      account_id: '1',
      account: { id: '1', name: 'Bench' },
      settings: {},
      features: ['read'],
      granted_scopes: [],
      state: 'active',
      created_at: now,
    }),
  );
  await storeSecrets(hub.deps, tenantId, id, { accessToken: 'bench' }, new Date(now.getTime() + 86_400_000));
  await hub.onConnected(tenantId, id);
  return id;
}

/**
 * 100,000 contacts over local HTTP through the whole path (raw, mapping, projection, identity, entity, changes), new and
 * unchanged. Floor of the same run: the same pages fetched, parsed and written raw by one upsert a thousand rows.
 */
export async function ingest(): Promise<Result> {
  const pages = fork(fileURLToPath(new URL('./ingest.pages.ts', import.meta.url)), [String(TOTAL)]);
  const port = await new Promise<number>((resolve) =>
    pages.once('message', (message: { port: number }) => resolve(message.port)),
  );
  const origin = `http://127.0.0.1:${port}`;
  const { folder, remove } = tempFolder();
  let most = TOTAL / PAGE;
  const connector = plainHubSpot(() => most);
  const registry: Registry = { all: () => [connector], find: (id) => (id === 'hubspot' ? connector : undefined) };
  const hub = await startHub({
    config: loadConfig({
      RAPPORT_DATA: folder,
      ROLES: 'engine',
      HUBSPOT_CLIENT_ID: 'bench',
      HUBSPOT_CLIENT_SECRET: 'bench-secret',
      HUBSPOT_HOST_API: origin,
      RAPPORT_ALLOW_PRIVATE: '127.0.0.1',
    }),
    clock: systemClock,
    log: createLogger('silent'),
    registry,
    sweep: false,
  });
  const raw: Record<string, number[]> = {
    floor_new_ms: [],
    floor_same_ms: [],
    new_ms: [],
    same_ms: [],
    rss_mb: [],
    live_mb: [],
  };
  // Resident pages include room for garbage that was cleared; what is kept shows in what is alive.
  const noteMemory = (): void => {
    globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    raw.rss_mb!.push(rss / 1024 / 1024);
    raw.live_mb!.push((heapUsed + external) / 1024 / 1024);
  };
  try {
    const tenantOf = async (): Promise<[string, string]> => {
      const tenantId = await createTenant(hub.access, { business: 'Bench', country: 'US', currency: 'USD' });
      return [tenantId, await connect(hub, tenantId)];
    };
    // A small one first: compiled code and warm pools, and the memory to compare with.
    most = SMALL / PAGE;
    const [smallTenant, smallConnection] = await tenantOf();
    await read(hub, smallTenant, smallConnection);
    noteMemory();
    most = TOTAL / PAGE;

    raw.floor_new_ms!.push(await floor(hub.db.ownerUrl, origin));
    const [tenantId, connectionId] = await tenantOf();
    const fresh = await read(hub, tenantId, connectionId);
    if (fresh.changed !== TOTAL) throw new Error(`${fresh.changed} of ${TOTAL} records were new.`);
    raw.new_ms!.push(fresh.took);
    noteMemory();
    raw.floor_same_ms!.push(await floor(hub.db.ownerUrl, origin));
    const same = await read(hub, tenantId, connectionId);
    if (same.changed !== 0) throw new Error(`${same.changed} unchanged records counted as changed.`);
    raw.same_ms!.push(same.took);
  } finally {
    await hub.stop();
    pages.disconnect();
    remove();
  }
  const ratioNew = ratio(raw.floor_new_ms![0]!, raw.new_ms![0]!);
  const ratioUnchanged = ratio(raw.floor_same_ms![0]!, raw.same_ms![0]!);
  const growth = Math.round(raw.rss_mb![1]! - raw.rss_mb![0]!);
  const perSecond = (ms: number): number => Math.round(TOTAL / (ms / 1000));
  return {
    name: 'ingest',
    what: '100,000 contacts over local HTTP through the whole path, against the same pages written raw.',
    figures: {
      new_per_second: perSecond(raw.new_ms![0]!),
      floor_new_per_second: perSecond(raw.floor_new_ms![0]!),
      unchanged_per_second: perSecond(raw.same_ms![0]!),
      floor_unchanged_per_second: perSecond(raw.floor_same_ms![0]!),
      rss_growth_10k_to_100k_mb: growth,
      live_growth_10k_to_100k_mb: Math.round(raw.live_mb![1]! - raw.live_mb![0]!),
    },
    ratios: { ratioNew, ratioUnchanged },
    aim: 'ratioNew 0.35, ratioUnchanged 0.8, growth under 50 MB',
    met: ratioNew >= 0.35 && ratioUnchanged >= 0.8 && growth < 50,
    raw,
  };
}
