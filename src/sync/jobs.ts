import { bumpDue } from '../base/due.ts';
import type { QueueDefinition } from '../base/queue.ts';
import { VendorError } from '../kit/index.ts';
import { finishBatch } from './deletions.apply.ts';
import type { SyncDeps } from './deps.ts';
import { putOffDiscovery } from './drift/store.ts';
import { routeHook } from './hints.ts';
import { linkMissed } from './link.ts';
import { runProofs } from './proofs.ts';
import { refetchHints } from './refetch.ts';
import { remapConnection } from './remap/run.ts';
import { bumpNextRead, discoverFields, readConnection, renewPrepared, startDueReads } from './run.ts';

/** Pages one job reads before it gives way, so that a first load of a million records does not hold a worker for hours. */
const PAGES_PER_JOB = 200;

/** Between two tries to fetch what a platform announced and then did not give. */
const ASK_AGAIN_MS = 30_000;

/** The queues of sync: reading on schedule, taking posts apart, fetching what they point at. */
export function syncQueues(deps: () => SyncDeps): QueueDefinition[] {
  /** A connection that cannot be used waits for a person; failing its jobs over and over would help nobody. */
  const unlessUnusable = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof VendorError) || !['auth_revoked', 'paused', 'operator'].includes(error.kind)) throw error;
      deps().log.info({ reason: error.message }, 'work for a connection waits until it can be used again');
    }
  };
  /** When a platform may be asked again: at the moment it named, but not at once. */
  const later = ({ until }: VendorError): Date => {
    const soon = new Date(deps().clock.now().getTime() + ASK_AGAIN_MS);
    return until && until > soon ? until : soon;
  };
  /** A platform that does not answer well is asked again later: the hints stay open and the due table wakes them. */
  const laterIfAsked = async (tenantId: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof VendorError)) throw error;
      const { db, log } = deps();
      log.info({ reason: error.message }, 'what a webhook announced is fetched later');
      await bumpDue({ query: db.statement }, tenantId, 'sync', later(error));
    }
  };
  /** A platform without calls left is asked for its fields once it has some again; a job's tries would be over by then. */
  const whenItMay = async (tenantId: string, connectionId: string): Promise<void> => {
    try {
      await discoverFields(deps(), tenantId, connectionId);
    } catch (error) {
      if (!(error instanceof VendorError) || !['rate_limited', 'quota_exhausted'].includes(error.kind)) throw error;
      const { db, log } = deps();
      const at = later(error);
      log.info({ reason: error.message, at }, 'a platform is asked for its fields later');
      await db.tenant(tenantId, (tx) => putOffDiscovery(tx, connectionId, at));
      await bumpDue({ query: db.statement }, tenantId, 'sync', at);
    }
  };
  return [
    { name: 'sync', role: 'sync', perTenant: 1, handle: ({ tenantId }) => startDueReads(deps(), tenantId!) },
    {
      name: 'read',
      role: 'sync',
      perTenant: 3,
      batch: 4,
      parallel: 2,
      expireSeconds: 6 * 3600,
      handle: ({ tenantId, connectionId }) =>
        unlessUnusable(() => readConnection(deps(), tenantId!, connectionId!, { maxPages: PAGES_PER_JOB })),
    },
    {
      name: 'discover',
      role: 'sync',
      perTenant: 2,
      batch: 4,
      handle: ({ tenantId, connectionId }) => unlessUnusable(() => whenItMay(tenantId!, connectionId!)),
    },
    {
      name: 'proof',
      role: 'sync',
      perTenant: 1,
      batch: 4,
      expireSeconds: 6 * 3600,
      handle: ({ tenantId, connectionId }) =>
        unlessUnusable(async () => {
          const { more } = await runProofs(deps(), tenantId!, connectionId!, { most: PAGES_PER_JOB });
          await bumpNextRead(deps(), tenantId!);
          if (more) await deps().queue.wake('proof', { tenantId: tenantId!, connectionId: connectionId! });
        }),
    },
    {
      name: 'renew',
      role: 'sync',
      perTenant: 1,
      batch: 4,
      handle: ({ tenantId, connectionId }) => unlessUnusable(() => renewPrepared(deps(), tenantId!, connectionId!)),
    },
    {
      name: 'deletions',
      role: 'sync',
      perTenant: 1,
      batch: 4,
      handle: ({ tenantId, batchId }) => unlessUnusable(() => finishBatch(deps(), tenantId!, batchId!)),
    },
    {
      name: 'remap',
      role: 'sync',
      perTenant: 1,
      batch: 2,
      parallel: 1,
      expireSeconds: 6 * 3600,
      handle: async ({ tenantId, connectionId }) => void (await remapConnection(deps(), tenantId!, connectionId!)),
    },
    { name: 'link', role: 'sync', perTenant: 1, handle: ({ tenantId }) => linkMissed(deps(), tenantId!) },
    { name: 'inbox', role: 'sync', batch: 100, handle: ({ hookId }) => routeHook(deps(), hookId!) },
    {
      name: 'refetch',
      role: 'sync',
      perTenant: 4,
      batch: 50,
      handle: ({ tenantId, connectionId }) =>
        unlessUnusable(() => laterIfAsked(tenantId!, () => refetchHints(deps(), tenantId!, connectionId!))),
    },
  ];
}
