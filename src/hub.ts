import type { AddressInfo } from 'node:net';
import type { AccessDeps } from './access/identity.ts';
import { surveyInTexts } from './actions/asked.ts';
import { mindingStaff } from './actions/control.ts';
import type { ActionDeps } from './actions/deps.ts';
import { actionQueues } from './actions/jobs.ts';
import { sequencePorts } from './actions/plan.ts';
import { surveyDeps } from './actions/surveys.ts';
import { tellScores } from './actions/writeback.ts';
import { apiRoutes } from './api.ts';
import { type Clock, systemClock } from './base/clock.ts';
import { type Config, ConfigError } from './base/config.ts';
import type { Database } from './base/database.ts';
import { bumpDue, type DueKind, sweepDue } from './base/due.ts';
import { newId } from './base/ids.ts';
import { createLogger, type Logger } from './base/log.ts';
import { createMetrics } from './base/metrics.ts';
import { memoryQueue } from './base/queue.memory.ts';
import { openQueue, type Queue } from './base/queue.ts';
import { creditQueues } from './campaigns/credit.ts';
import { campaignQueues } from './campaigns/jobs.ts';
import { campaignEars } from './campaigns/sends.ts';
import { createBudgets } from './connections/budgets.ts';
import { countSilent } from './connections/coordinator.ts';
import { fullestQuotas } from './connections/quota.store.ts';
import { checkVendorConfig, type Registry } from './connections/vendors.ts';
import { addressHasher } from './consent/optout.ts';
import type { App } from './http/app.ts';
import { closeServer, createServer, listen } from './http/server.ts';
import { sayKeyInUse } from './keys.ts';
import { createHttpClient } from './kit/http.ts';
import { listeners, sequenceListener } from './listeners.ts';
import { maintenanceQueues } from './maintenance.ts';
import { openStore, type StoreOptions } from './open.ts';
import { privacyQueues } from './privacy/jobs.ts';
import { loadRegistry } from './registry.ts';
import { schemas } from './schemas.ts';
import { scoreQueues } from './scoring/jobs.ts';
import { segmentQueues } from './segments/jobs.ts';
import { startRuns } from './sequences/engine.ts';
import { bumpNextWake, sequenceQueues } from './sequences/jobs.ts';
import { surveyQueues } from './surveys/jobs.ts';
import { syncQueues } from './sync/jobs.ts';
import { prepareStreams } from './sync/run.ts';
import type { StartRuns } from './triggers/detect.ts';
import { triggerQueues } from './triggers/jobs.ts';

/** Everything that becomes due with time, and the queue that works on it. */
const DUE: readonly DueKind[] = [
  { kind: 'sync', queue: 'sync', fallbackSeconds: 300 },
  { kind: 'link', queue: 'link', fallbackSeconds: 600 },
  { kind: 'score', queue: 'score', fallbackSeconds: 3600 },
  { kind: 'detect', queue: 'detect', fallbackSeconds: 3600 },
  { kind: 'segments', queue: 'segments', fallbackSeconds: 3600 },
  { kind: 'runs', queue: 'runs', fallbackSeconds: 600 },
  { kind: 'campaigns', queue: 'campaigns', fallbackSeconds: 600 },
  { kind: 'surveys', queue: 'surveys', fallbackSeconds: 3600 },
  { kind: 'credit', queue: 'credit', fallbackSeconds: 3600 },
  { kind: 'dispatch', queue: 'dispatch', fallbackSeconds: 300 },
  { kind: 'reconcile', queue: 'reconcile', fallbackSeconds: 120 },
  { kind: 'seal', queue: 'seal', fallbackSeconds: 60 },
  { kind: 'erase', queue: 'erase', fallbackSeconds: 600 },
  { kind: 'purge', queue: 'purge', fallbackSeconds: 86_400 },
];

const SWEEP_MS = 1_000;

export interface HubOptions extends StoreOptions {
  clock?: Clock;
  log?: Logger;
  registry?: Registry;
  /** Sweep due work every second by the hub's own clock; a test or demo sweeps by hand. */
  sweep?: boolean;
  /** Jobs run in this process when they are asked to, and are kept nowhere: for rehearsals on a clock moved by hand. */
  memoryQueue?: boolean;
  /** Listen on this port instead of the configured one. */
  port?: number;
  /** Requests a caller may make in a minute. */
  perMinute?: number;
  /** Turn requests away while the process cannot keep up; default: yes. */
  shedLoad?: boolean;
  /** Compile the schemas of all routes at once instead of each when it is first used. */
  compileAtStart?: boolean;
}

/** Everything the rooms need, put together once. */
export interface Hub {
  config: Config;
  clock: Clock;
  log: Logger;
  db: Database;
  queue: Queue;
  deps: ActionDeps;
  access: AccessDeps;
  start: StartRuns;
  onConnected: (tenantId: string, connectionId: string) => Promise<void>;
  /** Address of the API when it listens. */
  url: string | undefined;
  app: App | undefined;
  /** Puts jobs for whatever is due now. */
  sweep(): Promise<number>;
  stop(): Promise<void>;
}

/** Puts the rooms together and starts what the configured roles say. */
export async function startHub(options: HubOptions): Promise<Hub> {
  const { config } = options;
  const clock = options.clock ?? systemClock;
  const log = options.log ?? createLogger(config.logLevel);
  const registry = options.registry ?? (await loadRegistry());
  const wrong = checkVendorConfig(config, registry);
  if (wrong.length > 0) throw new ConfigError(wrong);
  const { ownerUrl, db, keyring, release } = await openStore(options, log);
  const http = createHttpClient(config.allowPrivateHosts);
  const metrics = createMetrics({
    pool: () => db.load(),
    queues: () => queue.depth(),
    quotas: () => fullestQuotas({ query: db.statement }, clock.now()),
    silent: () => countSilent({ query: db.statement }),
  });
  const access: AccessDeps = { db, clock, dueKinds: DUE.map(({ kind }) => kind) };

  // The rooms need each other's functions at run time; the references are read when they are used.
  const late = (): ActionDeps => deps;
  const ports = sequencePorts(late);
  const minding = mindingStaff((tx, trigger, occurrences, now) => startRuns(ports, tx, trigger, occurrences, now));
  const start: StartRuns = async (tx, trigger, occurrences, now) => {
    tx.afterCommit(() => bumpNextWake({ db }, tx.tenantId));
    return minding(tx, trigger, occurrences, now);
  };
  // Who came into a segment may be whom a campaign waits for.
  const wakeAfterSegments = async (name: string, tenantId: string): Promise<void> => {
    await queue.wake(name, { tenantId });
    await bumpDue({ query: db.statement }, tenantId, 'campaigns', clock.now());
  };
  const open: typeof openQueue = options.memoryQueue
    ? async (_url, definitions) => memoryQueue(definitions, log)
    : openQueue;
  const queue: Queue = await open(
    ownerUrl,
    [
      ...syncQueues(late),
      ...scoreQueues(() => ({ ...late(), tell: tellScores(late), turned: sequenceListener(ports) })),
      ...triggerQueues(() => ({ db, clock, start, wake: (name, tenantId) => queue.wake(name, { tenantId }) })),
      ...segmentQueues(() => ({ db, clock, wake: wakeAfterSegments })),
      ...sequenceQueues(() => ({ db, clock, ports })),
      ...surveyQueues(() => surveyDeps(late())),
      ...actionQueues(late),
      ...campaignQueues(() => ({ ...late(), start })),
      ...creditQueues(() => ({ db })),
      ...privacyQueues(late),
      ...maintenanceQueues(() => ({ db, clock })),
    ],
    log,
  );
  const links = { publicUrl: config.publicUrl, linkKey: keyring.derive('links') };
  const deps: ActionDeps = {
    db,
    clock,
    config,
    keyring,
    log,
    registry,
    queue,
    ports,
    budgets: createBudgets(db, clock),
    http: http.send,
    processId: `${process.pid}-${newId().slice(0, 8)}`,
    hash: addressHasher(keyring),
    content: { ...links, moreFor: surveyInTexts(links) },
    onCall: ({ connector, purpose, outcome, milliseconds }) =>
      metrics.calls.observe({ connector, purpose, outcome }, milliseconds / 1000),
    ears: campaignEars,
    listeners: listeners(late, ports, start),
  };
  const onConnected = (tenantId: string, connectionId: string): Promise<void> =>
    prepareStreams(deps, tenantId, connectionId);

  let stopping = false;
  let app: App | undefined;
  let url: string | undefined;
  if (config.roles.includes('api')) {
    app = await createServer({
      config,
      log,
      db,
      access,
      metrics,
      schemas: schemas() as never,
      ...(options.perMinute ? { perMinute: options.perMinute } : {}),
      ...(options.shedLoad === undefined ? {} : { shedLoad: options.shedLoad }),
      ...(options.compileAtStart ? { compileAtStart: true } : {}),
    });
    await apiRoutes(app, { deps, access, metrics, start, onConnected, stopping: () => stopping });
    await listen(app, config.host, options.port ?? config.port).catch(async (error: unknown) => {
      // A program that cannot be reached must end, and open connections would keep it alive.
      await queue.stop();
      await http.close();
      await release();
      throw error;
    });
    const { port } = app.server.address() as AddressInfo;
    url = `http://${config.host === '0.0.0.0' ? '127.0.0.1' : config.host}:${port}`;
  }

  const heartbeat = sayKeyInUse(db, config, clock, log);
  await queue.work(config.roles);
  const sweep = (): Promise<number> => sweepDue(db, queue, DUE, clock.now());
  let sweeping: Promise<unknown> = Promise.resolve();
  const timer =
    (options.sweep ?? true) && config.roles.some((role) => role !== 'api')
      ? setInterval(() => {
          sweeping = sweeping
            .then(sweep)
            .catch((error: unknown) => log.error({ err: error }, 'looking for due work failed'));
        }, SWEEP_MS)
      : undefined;

  return {
    config,
    clock,
    log,
    db,
    queue,
    deps,
    access,
    start,
    onConnected,
    url,
    app,
    sweep,
    /** Stops taking requests, lets jobs finish, gives everything back. What is not finished is in the database. */
    stop: async () => {
      if (stopping) return;
      stopping = true;
      clearInterval(timer);
      heartbeat.stop();
      await sweeping;
      if (app) await closeServer(app);
      await queue.stop();
      await http.close();
      await release();
    },
  };
}
