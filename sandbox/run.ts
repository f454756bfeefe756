import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../src/base/clock.ts';
import { hostVariable } from '../src/connections/vendors.ts';
import type { AppSecrets, Connector, Sandbox } from '../src/kit/index.ts';
import { createPage, tellFault } from '../src/kit/sandbox/index.ts';
import { loadRegistry } from '../src/registry.ts';
import type { Options } from './options.ts';

/** Where a hub listens that was told nothing else. */
const HUB = 'http://127.0.0.1:8080';

export interface Started {
  sandbox: Sandbox;
  /** The page a person can open. */
  page: string;
  /** What a hub must be started with to use it. */
  env: Record<string, string>;
  /** Everything a person needs to know, line by line. */
  told: string[];
  stop(): Promise<void>;
}

/**
 * Starts the simulation of any connector.
 * @param environment a registration that is set here is used, any other is made up
 * @throws Error when the connector cannot do what is asked for
 */
export async function startByHand(
  options: Options,
  environment: Record<string, string | undefined> = {},
): Promise<Started> {
  const connector = (await loadRegistry([options.connector])).find(options.connector)!;
  const app = registration(connector, environment);
  const hook = options.hook ?? (connector.webhooks?.scope === 'app' ? `${HUB}/hooks/${connector.id}` : undefined);
  const { start } = await connector.sandbox();
  const sandbox = await start({
    clock: systemClock,
    app,
    ...(hook ? { hookUrl: hook } : {}),
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
  });
  try {
    setUp(connector, sandbox, options);
    const { page, close } = await pageOf(connector, sandbox);
    const env = environmentOf(connector, sandbox, app);
    const stop = async (): Promise<void> => {
      await close();
      await sandbox.stop();
    };
    return { sandbox, page, env, told: tell(connector, sandbox, page, env), stop };
  } catch (error) {
    await sandbox.stop();
    throw error;
  }
}

/** Our registration at the vendor: what the environment holds, else something made up. */
function registration(
  { auth, appSecrets = [], optionalSecrets = [] }: Connector,
  environment: Record<string, string | undefined>,
) {
  const names = [
    ...(auth.kind === 'oauth2' ? Object.values(auth.app) : []),
    ...appSecrets,
    ...optionalSecrets,
  ] as string[];
  const value = (name: string): string =>
    environment[name]?.trim() || `simulated-${name.toLowerCase().replaceAll('_', '-')}`;
  return Object.fromEntries(names.map((name) => [name, value(name)])) satisfies AppSecrets;
}

function setUp(connector: Connector, sandbox: Sandbox, options: Options): void {
  if (!options.empty) sandbox.fill?.();
  if (options.faults.length > 0 && !sandbox.faults)
    throw new Error(`Nothing answers at ${connector.name}, so nothing can fail there: leave --fault out.`);
  for (const fault of options.faults) sandbox.faults?.add(fault);
  if (options.lateIndexMs === undefined) return;
  if (sandbox.lateIndexMs === undefined)
    throw new Error(`${connector.name} has no index that could be late: leave --late-index out.`);
  sandbox.lateIndexMs = options.lateIndexMs;
}

/** The page beside the simulated API; a vendor that does not speak HTTP gets a server for it. */
async function pageOf(connector: Connector, sandbox: Sandbox): Promise<{ page: string; close: () => Promise<void> }> {
  const [address] = Object.values(sandbox.hosts);
  if (address) return { page: `${new URL(address).origin}/_sandbox`, close: async () => {} };
  const page = await createPage(() => ({
    name: connector.name,
    sandbox,
    journal: [],
    deliveries: [],
    journalLimit: 0,
  }));
  const server = createServer(page.handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    page: `http://127.0.0.1:${(server.address() as AddressInfo).port}/_sandbox`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await page.close();
    },
  };
}

function environmentOf(connector: Connector, sandbox: Sandbox, app: Record<string, string>): Record<string, string> {
  // A host left empty belongs to the connection, and is told to the hub when connecting.
  const own = Object.values(connector.hosts).includes('');
  const hosts = Object.entries(sandbox.hosts).filter(([host]) => connector.hosts[host] !== '');
  return {
    ...Object.fromEntries(hosts.map(([host, address]) => [hostVariable(connector.id, host), address])),
    ...app,
    // The hub calls no address on its own machine that somebody typed in, unless it is allowed.
    ...(own ? { RAPPORT_ALLOW_PRIVATE: '127.0.0.1' } : {}),
  };
}

function tell(connector: Connector, sandbox: Sandbox, page: string, env: Record<string, string>): string[] {
  const { faults, credentials } = sandbox;
  const oauth = connector.auth.kind === 'oauth2';
  const given = Object.entries(credentials ?? {}).map(([name, value]) => `--set ${quoted(`${name}=${value}`)}`);
  const inForce = faults?.inForce() ?? [];
  return [
    `${connector.name}, simulated. What it holds, what was said and things to do: ${page}`,
    ...(Object.keys(env).length > 0
      ? ['', 'Start the hub with:', ...Object.entries(env).map(([name, value]) => `  ${name}=${quoted(value)}`)]
      : []),
    ...(oauth || credentials
      ? ['', 'Connect it with:', `  ${['npm run rapport -- connect', connector.id, ...given].join(' ')}`]
      : []),
    '',
    ...('hookUrl' in sandbox ? [`Webhooks go ${sandbox.hookUrl ? `to ${sandbox.hookUrl}` : 'nowhere yet'}.`] : []),
    ...(sandbox.lateIndexMs ? [`Lists and searches show changes ${sandbox.lateIndexMs} ms late.`] : []),
    ...inForce.map(({ fault }) => `${tellFault(fault)}.`),
    'Stop it with Ctrl+C; nothing stays behind.',
  ];
}

const quoted = (text: string): string => (/^[\w./:@=-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
