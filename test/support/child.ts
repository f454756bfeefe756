import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../../src/base/config.ts';
import type { ConnectionDeps } from '../../src/connections/deps.ts';
import { tellingCommits } from './commits.ts';
import type { Job } from './handlers.ts';

// A hub in a process of its own: it does what a test tells it over IPC and can be killed at any moment. It works on no
// queue by itself. Started by `startChild`.

/** How a child is started. */
export interface ChildStart {
  config: Config;
  databaseUrl: string;
  at: string;
  connectors: string[];
  /** Connections and their credentials only: enough to call vendors, and started in half the time. */
  light: boolean;
}

/** What a child can be told. */
export type Command =
  /** Runs the handler of a queue. */
  | { do: 'job'; queue: string; data: Job }
  /** Calls the vendor through a session. Answers which credential is stored afterwards. */
  | { do: 'call'; tenantId: string; connectionId: string; path: string }
  /** Asks for a good credential. Answers which one it got. */
  | { do: 'credential'; tenantId: string; connectionId: string }
  /** From now on the process ends itself, without a word, right after so many commits that wrote. */
  | { do: 'dieAfterCommits'; commits: number }
  /** From now on the process ends itself when a vendor has answered a call for an action. */
  | { do: 'dieOnAnswer' }
  | { do: 'advance'; milliseconds: number }
  /** Answers how often it waited. */
  | { do: 'waits' };

const die = (): void => void process.kill(process.pid, 'SIGKILL');

// Time flows for real here, from the moment the test stands at: several processes share no clock that could stand still.
const time = { base: 0, started: performance.now(), waits: 0 };
const clock = {
  now: () => new Date(Math.floor(time.base + performance.now() - time.started)),
  sleep: async (milliseconds: number, signal?: AbortSignal) => {
    time.waits += 1;
    await delay(milliseconds, undefined, signal ? { signal } : {});
  },
};

let commitsLeft = Number.POSITIVE_INFINITY;
const committed = (): void => {
  commitsLeft -= 1;
  if (commitsLeft === 0) die();
};

interface Program {
  deps: ConnectionDeps;
  handlers: Map<string, (data: Job) => Promise<void>>;
}

async function start(options: ChildStart): Promise<Program> {
  time.base = new Date(options.at).getTime();
  const { createLogger } = await import('../../src/base/log.ts');
  const { loadRegistry } = await import('../../src/registry.ts');
  const { config, databaseUrl } = options;
  const log = createLogger('silent');
  const registry = await loadRegistry(options.connectors);
  if (options.light) {
    const { openDatabase } = await import('../../src/base/database.ts');
    const { createKeyring } = await import('../../src/base/keyring.ts');
    const { createBudgets } = await import('../../src/connections/budgets.ts');
    const { createHttpClient } = await import('../../src/kit/http.ts');
    const { databaseAppUrl: appUrl } = config;
    const db = openDatabase({ ownerUrl: databaseUrl, appUrl, citus: appUrl !== undefined, max: 3 });
    const http = createHttpClient(config.allowPrivateHosts).send;
    const shared = { db, clock, config, log, registry, http };
    const budgets = createBudgets(db, clock);
    const deps = { ...shared, budgets, keyring: createKeyring(config.keys), processId: String(process.pid) };
    return { deps, handlers: new Map() };
  }
  const { startHub } = await import('../../src/hub.ts');
  const { handlersOf } = await import('./handlers.ts');
  const hub = await startHub({ config: { ...config, roles: [] }, clock, log, registry, databaseUrl, sweep: false });
  const deps = { ...hub.deps, db: tellingCommits(hub.db, committed) };
  return { deps, handlers: handlersOf(hub, deps) };
}

const fingerprint = (token: string | undefined): string =>
  createHash('sha256')
    .update(token ?? '')
    .digest('hex');

async function obey({ deps, handlers }: Program, command: Command): Promise<unknown> {
  switch (command.do) {
    case 'job':
      return handlers.get(command.queue)!(command.data);
    case 'call': {
      const { withSession } = await import('../../src/connections/session.ts');
      const { tenantId, connectionId, path } = command;
      await withSession(deps, tenantId, connectionId, 'hook', ({ ctx }) => ctx.call({ method: 'GET', path }));
      return undefined;
    }
    case 'credential': {
      const { freshCredential } = await import('../../src/connections/credentials.ts');
      const { tenantId, connectionId } = command;
      const connector = deps.registry.all()[0]!;
      const { secrets, version } = await freshCredential(deps, connector, tenantId, connectionId);
      return { token: fingerprint(secrets.accessToken), version };
    }
    case 'dieAfterCommits':
      commitsLeft = command.commits;
      return undefined;
    case 'dieOnAnswer':
      deps.onCall = ({ purpose }) => {
        if (purpose === 'action') die();
      };
      return undefined;
    case 'advance':
      time.base += command.milliseconds;
      return undefined;
    case 'waits':
      return time.waits;
  }
}

let program: Promise<Program> | undefined;
process.on('message', ({ id, body }: { id: number; body: ChildStart | Command }) => {
  if (!('do' in body)) program = start(body);
  const done = program!.then((ready) => ('do' in body ? obey(ready, body) : undefined));
  done.then(
    (result) => process.send!({ id, result }),
    (error: Error) => process.send!({ id, error: error.stack ?? String(error) }),
  );
});
// The test ended without saying so.
process.on('disconnect', () => process.exit(0));
