import { manualClock } from '../../src/base/clock.ts';
import { hostVariable } from '../../src/connections/vendors.ts';
import type { AppSecrets, Clock, Connector, Sandbox, Trial } from '../../src/kit/index.ts';
import type { Delivery, Exchange } from '../../src/kit/sandbox/index.ts';
import { loadRegistry } from '../../src/registry.ts';
import { startTestHub, type TestHub } from '../support/hub.ts';
import type { Connected, World } from './case.ts';

export type Vendor = Sandbox & { trial: Trial };

const AT = '2026-03-02T15:00:00Z';

/** What went over the wire in all worlds of a house. */
interface Wire {
  journal: Exchange[];
  deliveries: Delivery[];
}

/** A hub that outlives the cases; each of them happens in a world of its own. */
export interface House {
  connector: Connector;
  hub: TestHub;
  /** @param limits whether the vendor refuses what exceeds its limits */
  begin(limits?: boolean): Promise<World & { end(): Promise<void> }>;
  wire: Wire;
  stop(): Promise<void>;
}

/** Our registration at a vendor: it means something to its simulation only. */
export function inventedSecrets({ id, auth, appSecrets = [], optionalSecrets = [] }: Connector): AppSecrets {
  const names = [
    ...(auth.kind === 'oauth2' ? [auth.app.clientId, auth.app.clientSecret] : []),
    ...appSecrets,
    ...optionalSecrets,
  ];
  return Object.fromEntries(names.map((name) => [name, `${id}-${name.toLowerCase().replaceAll('_', '-')}`]));
}

/**
 * Starts the simulation of a connector's vendor.
 * @throws Error when it offers nothing to try the connector with
 */
export async function startVendor(connector: Connector, clock: Clock, limits = false): Promise<Vendor> {
  const { start } = await connector.sandbox();
  // Cases bring their refusals along; what exceeds the vendor's limits is a matter of the hub's pace.
  const vendor = await start({ clock, app: inventedSecrets(connector), limits });
  if (vendor.trial) return vendor as Vendor;
  await vendor.stop();
  throw new Error(`The simulation of ${connector.name} has no "trial": nothing can be tried with it.`);
}

/** @throws Error when there is no connector of that name */
export async function findConnector(name: string): Promise<Connector> {
  const connector = (await loadRegistry([name])).find(name);
  if (!connector) throw new Error(`There is no connector "${name}".`);
  return connector;
}

/** Starts the hub. Simulations are started by the worlds, so that one case never meets what another one left behind. */
export async function openHouse(connector: Connector): Promise<House> {
  const env = inventedSecrets(connector) as Record<string, string>;
  const hub = await startTestHub({
    at: AT,
    connectors: [...new Set([connector.id, 'csv', 'webhook'])],
    env,
    memoryQueue: true,
  });
  const wire: Wire = { journal: [], deliveries: [] };
  return {
    connector,
    hub,
    wire,
    begin: (limits) => beginWorld(connector, hub, wire, limits),
    stop: () => hub.stop(),
  };
}

async function beginWorld(
  connector: Connector,
  hub: TestHub,
  wire: Wire,
  limits = false,
): Promise<World & { end(): Promise<void> }> {
  const vendorTime = { behindMs: 0 };
  const now = (): Date => new Date(hub.clock.now().getTime() - vendorTime.behindMs);
  // It is another vendor: it knows nothing of the calls of the one before, and neither does the hub.
  await hub.hub.db.statement('delete from rate_bucket');
  const vendor = await startVendor(connector, { now, sleep: manualClock(AT).sleep }, limits);
  for (const [host, url] of Object.entries(vendor.hosts)) hub.hub.config.env[hostVariable(connector.id, host)] = url;
  if (connector.webhooks?.scope === 'app') vendor.hookUrl = `${hub.url}/hooks/${connector.id}`;
  const tenants: string[] = [];
  const connect = async (): Promise<Connected> => {
    const { tenantId, api } = await hub.otherTenant(`Business ${tenants.length + 1}`);
    tenants.push(tenantId);
    return { tenantId, api, connection: await connectVendor(hub, connector, vendor, api) };
  };
  const first = await connect();
  // An address that belongs to a connection is known only now.
  if (connector.webhooks?.scope === 'connection') vendor.hookUrl = first.connection.webhookUrl;
  return {
    ...first,
    connector,
    vendor,
    trial: vendor.trial,
    hub,
    vendorTime,
    connectAgain: connect,
    end: async () => {
      vendor.faults?.clear();
      for (const tenantId of tenants) await withdraw(hub, tenantId);
      // Simulations that speak HTTP note what they were asked and what they posted.
      const { server } = vendor as { server?: Wire };
      wire.journal.push(...(server?.journal ?? []));
      wire.deliveries.push(...(server?.deliveries ?? []));
      await vendor.stop();
    },
  };
}

/** Connects as users do: on the vendor's page, or with what they would enter. */
async function connectVendor(
  hub: TestHub,
  connector: Connector,
  vendor: Sandbox,
  api: TestHub['api'],
): Promise<Record<string, any>> {
  if (connector.auth.kind === 'oauth2') {
    // With everything it can do, also what is switched on by name only.
    const features = Object.keys(connector.auth.features);
    return hub.connect(connector.id, { api, features, settings: vendor.credentials });
  }
  const { status, body } = await api('POST', '/v1/connections', {
    connector: connector.id,
    settings: vendor.credentials ?? {},
  });
  if (status !== 200) throw new Error(`Connecting ${connector.name} failed: ${JSON.stringify(body)}`);
  return body.connection;
}

/** Takes a business out of the hub's hands: what becomes due of it later would meet the vendor of another case. */
async function withdraw({ hub }: TestHub, tenantId: string): Promise<void> {
  await hub.queue.idle();
  await hub.db.tenant(tenantId, (tx) =>
    tx.query("update connection set state = 'revoked' where tenant_id = $1", [tenantId]),
  );
  for (const table of ['account_route', 'tenant_due'])
    await hub.db.statement(`delete from ${table} where tenant_id = $1`, [tenantId]);
}
