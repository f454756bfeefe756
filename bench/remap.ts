import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import hubspot from '../connectors/hubspot/connector.ts';
import { createTenant } from '../src/access/identity.ts';
import { systemClock } from '../src/base/clock.ts';
import { loadConfig } from '../src/base/config.ts';
import { newId } from '../src/base/ids.ts';
import { createLogger } from '../src/base/log.ts';
import { storeSecrets } from '../src/connections/credentials.ts';
import { insertConnection } from '../src/connections/store.ts';
import type { Registry } from '../src/connections/vendors.ts';
import { type Hub, startHub } from '../src/hub.ts';
import type { Connector, Stream } from '../src/kit/index.ts';
import type { MappingOverride } from '../src/mapping/schema.ts';
import { remapConnection } from '../src/sync/remap/run.ts';
import { applyMapping, rollBack } from '../src/sync/remap/start.ts';
import { readConnection } from '../src/sync/run.ts';
import { type Result, ratio } from './figures.ts';
import { tempFolder } from './hub.ts';
import { plainHubSpot } from './ingest.ts';

const TOTAL = 50_000;
const WARM_UP = 5_000;
const PAGE = 100;

/** Every record becomes different. */
const TITLES: MappingOverride = {
  streams: {
    contacts: { contact: { fields: { job_title: { template: '{properties.jobtitle} in {properties.city}' } } } },
  },
};

/** What the bench of ingest reads; the other streams are there for the mapping to refer to, and nobody asks for them. */
function contactsOfHubSpot(most: () => number): Connector {
  const plain = plainHubSpot(most);
  const others = hubspot.streams
    .filter(({ name }) => name !== 'contacts')
    .map(({ list: _list, discover: _discover, ...other }) => ({ ...other, after: [] }) as Stream);
  return { ...plain, streams: [...plain.streams, ...others] };
}

async function connect(hub: Hub): Promise<{ tenantId: string; connectionId: string }> {
  const tenantId = await createTenant(hub.access, { business: 'Bench', country: 'US', currency: 'USD' });
  const connectionId = newId();
  const now = new Date();
  await hub.db.tenant(tenantId, (tx) =>
    insertConnection(tx, {
      id: connectionId,
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
  await storeSecrets(hub.deps, tenantId, connectionId, { accessToken: 'bench' }, new Date(now.getTime() + 86_400_000));
  await hub.onConnected(tenantId, connectionId);
  return { tenantId, connectionId };
}

interface Taken {
  ingest: number;
  changed: number;
  unchanged: number;
  back: number;
}

/** Milliseconds of a first load, and of bringing its records through a mapping, the same again, and back. */
async function once(hub: Hub, expected: number): Promise<Taken> {
  const { tenantId, connectionId } = await connect(hub);
  const level = { connector: 'hubspot', connectionId, subject: { kind: 'connection', id: connectionId } };
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const began = performance.now();
    await work();
    return performance.now() - began;
  };
  const ingest = await timed(async () => {
    const { state, changed } = (await readConnection(hub.deps, tenantId, connectionId, { force: true })).get(
      'contacts',
    )!;
    if (state !== 'complete' || changed !== expected) throw new Error(`${changed} of ${expected} were read: ${state}`);
  });
  const remap = async (start: () => Promise<unknown>, different: number): Promise<number> => {
    await start();
    return timed(async () => {
      const run = await remapConnection(hub.deps, tenantId, connectionId);
      if (run?.state !== 'done' || run.seen !== expected || run.changed !== different)
        throw new Error(`The remap ended ${run?.state} after ${run?.seen}, ${run?.changed} of them different.`);
    });
  };
  const actor = 'bench';
  const { deps } = hub;
  return {
    ingest,
    changed: await remap(() => applyMapping(deps, tenantId, level, { override: TITLES, expected: 0, actor }), expected),
    unchanged: await remap(() => applyMapping(deps, tenantId, level, { expected: 1, actor }), 0),
    back: await remap(() => rollBack(deps, tenantId, level, { expected: 1, actor }), expected),
  };
}

/**
 * Stored contacts brought through a mapping that changes every one of them, through one that changes none, and back.
 * Floor of the same run: the first load of the same contacts over local HTTP.
 */
export async function remap(): Promise<Result> {
  const pages = fork(fileURLToPath(new URL('./ingest.pages.ts', import.meta.url)), [String(TOTAL)]);
  const port = await new Promise<number>((resolve) =>
    pages.once('message', (message: { port: number }) => resolve(message.port)),
  );
  const { folder, remove } = tempFolder();
  let most = WARM_UP / PAGE;
  const connector = contactsOfHubSpot(() => most);
  const registry: Registry = { all: () => [connector], find: (id) => (id === 'hubspot' ? connector : undefined) };
  const hub = await startHub({
    config: loadConfig({
      RAPPORT_DATA: folder,
      ROLES: 'engine',
      HUBSPOT_CLIENT_ID: 'bench',
      HUBSPOT_CLIENT_SECRET: 'bench-secret',
      HUBSPOT_HOST_API: `http://127.0.0.1:${port}`,
      RAPPORT_ALLOW_PRIVATE: '127.0.0.1',
    }),
    clock: systemClock,
    log: createLogger('silent'),
    registry,
    sweep: false,
  });
  let taken: Taken;
  try {
    await once(hub, WARM_UP);
    most = TOTAL / PAGE;
    taken = await once(hub, TOTAL);
  } finally {
    await hub.stop();
    pages.disconnect();
    remove();
  }
  const perSecond = (ms: number): number => Math.round(TOTAL / (ms / 1000));
  const by = (ms: number): number => ratio(taken.ingest, ms);
  return {
    name: 'remap',
    what: `${TOTAL.toLocaleString('en')} stored contacts brought through a changed mapping, against their first load.`,
    figures: {
      ingest_per_second: perSecond(taken.ingest),
      changed_per_second: perSecond(taken.changed),
      unchanged_per_second: perSecond(taken.unchanged),
      rollback_per_second: perSecond(taken.back),
    },
    ratios: { ratio: by(taken.changed), ratioUnchanged: by(taken.unchanged), ratioRollback: by(taken.back) },
    aim: 'at least as fast as ingest, though every record changes',
    met: by(taken.changed) >= 1,
    raw: {
      ingest_ms: [taken.ingest],
      changed_ms: [taken.changed],
      unchanged_ms: [taken.unchanged],
      rollback_ms: [taken.back],
    },
  };
}
