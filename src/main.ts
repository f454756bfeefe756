import { enableCompileCache } from 'node:module';
import { ConfigError, loadConfig } from './base/config.ts';
import { startTracing } from './base/tracing.ts';

/** Tells whoever started the program that it is ready, and where. */
type Tell = (ready: { url: string | null; roles: string[] }, text: string) => void;

/**
 * The hub for real use: configuration from the environment, all roles unless ROLES says otherwise, until a signal ends
 * it. Problems with the configuration are told before anything listens.
 */
export async function serve(tell: Tell = (_ready, text) => void process.stdout.write(`${text}\n`)): Promise<void> {
  enableCompileCache();
  const config = loadConfig();
  const stopTracing = config.tracesUrl ? await startTracing(config.tracesUrl) : undefined;
  const { startHub } = await import('./hub.ts');
  const { hubIsFresh } = await import('./access/store.ts');
  const hub = await startHub({ config }).catch((error: unknown) => {
    // What was opened before it failed would keep the process, and whoever watches over it would wait for its end.
    setTimeout(() => process.exit(1), 1_000).unref();
    throw error;
  });
  hub.log.info(
    { roles: config.roles, url: hub.url, data: config.databaseUrl ? 'DATABASE_URL' : config.dataDir },
    'the hub runs',
  );
  const end = (signal: string): void => {
    hub.log.info({ signal }, 'stopping');
    hub.stop().then(
      async () => {
        await stopTracing?.();
        process.exit(0);
      },
      (error: unknown) => {
        hub.log.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end(signal));
  if (process.env.npm_lifecycle_event) whenLeftBehind(() => end('SIGTERM'));
  const roles = config.roles.join(', ');
  // Only for what is said: a database that goes away just now is no failure to start.
  const first = (await hubIsFresh({ query: hub.db.statement }).catch(() => false))
    ? 'It is fresh: open it in a browser to create the owner.'
    : 'The address shows whether it is ready at /ready.';
  tell(
    { url: hub.url ?? null, roles: config.roles },
    hub.url
      ? `Rapport runs at ${hub.url} (${roles}).\n${first} The API reference is at ${hub.url}/docs.`
      : `Rapport runs without an address of its own (${roles}).`,
  );
}

/** `npm start` passes SIGTERM on to its shell only: that ends, and the program under it hears nothing. */
function whenLeftBehind(end: () => void): void {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    end();
  }, 500);
  watch.unref();
}

if (import.meta.main) {
  serve().catch((error: unknown) => {
    process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).stack}\n`);
    process.exit(1);
  });
}
