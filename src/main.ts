import { enableCompileCache } from 'node:module';
import { ConfigError, loadConfig } from './base/config.ts';
import { startTracing } from './base/tracing.ts';

/**
 * The hub for real use: configuration from the environment, all roles unless ROLES says otherwise, until a signal ends
 * it. Problems with the configuration are told before anything listens.
 */
export async function serve(): Promise<void> {
  enableCompileCache();
  const config = loadConfig();
  const stopTracing = config.tracesUrl ? await startTracing(config.tracesUrl) : undefined;
  const { startHub } = await import('./hub.ts');
  const hub = await startHub({ config });
  hub.log.info(
    { roles: config.roles, url: hub.url, data: config.databaseUrl ? 'DATABASE_URL' : config.dataDir },
    'the hub runs',
  );
  if (hub.url)
    process.stdout.write(
      `Rapport runs at ${hub.url}\nOpen it in a browser to create the owner; the API reference is at ${hub.url}/docs\n`,
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
}

if (import.meta.main) {
  serve().catch((error: unknown) => {
    process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).stack}\n`);
    process.exit(1);
  });
}
