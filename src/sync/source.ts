import type { Clock } from '../base/clock.ts';
import type { Tx } from '../base/database.ts';
import { localDate } from '../base/time.ts';
import { type ConnectionRow, findConnection } from '../connections/store.ts';
import { connectorOf } from '../connections/vendors.ts';
import type { Connector } from '../kit/index.ts';
import type { CompiledMapping } from '../mapping/compile.ts';
import type { Env } from '../mapping/compiler.ts';
import { effectiveMapping } from '../mapping/load.ts';
import type { MappingOverride } from '../mapping/schema.ts';
import { loadOverrides } from '../mapping/store.ts';
import type { ApplyContext } from '../model/types.ts';
import { setting } from '../settings/store.ts';
import type { SyncDeps } from './deps.ts';
import { loadSources } from './sources.ts';
import { streamConnectors } from './store.ts';

/** Everything that is needed to bring records of one connection into the model, loaded once per piece of work. */
export interface Source {
  connector: Connector;
  connection: ConnectionRow;
  mapping: CompiledMapping;
  /** Stream ids of this connection by name. */
  streamIds: Map<string, string>;
  sourceOf: ApplyContext['sourceOf'];
  zone: string;
  /** Of the business: for phone numbers without a prefix and amounts without a currency. */
  country: string;
  currency: string;
  /** How often the business wants platforms to be asked. */
  pollSeconds: number;
  overrides: MappingOverride[];
  clock: Clock;
  /** Which state of the mapping this is. */
  mappingSeq: number;
}

export const loadSource = (deps: SyncDeps, tenantId: string, connectionId: string): Promise<Source> =>
  deps.db.tenant(tenantId, (tx) => readSource(deps, tx, connectionId));

/** As `loadSource`, in a transaction under way: with what it wrote. */
export async function readSource(
  deps: Pick<SyncDeps, 'registry' | 'clock'>,
  tx: Tx,
  connectionId: string,
): Promise<Source> {
  const connection = await findConnection(tx, connectionId);
  if (!connection) throw new Error(`The connection ${connectionId} does not exist any more.`);
  const connector = connectorOf(deps.registry, connection.connector);
  // Before the overrides: one that is saved in between must count as not yet known.
  const streams = await streamConnectors(tx);
  const overrides = await loadOverrides(tx, connector.id, connectionId);
  const { zone, country, currency } = await setting(tx, 'business');
  const { pollSeconds } = await setting(tx, 'sync');
  const mappings = overrides.map((row) => row.mapping);
  return {
    connector,
    connection,
    clock: deps.clock,
    mapping: effectiveMapping(connector.id, mappings),
    overrides: mappings,
    mappingSeq: Math.max(
      0,
      ...streams.filter((stream) => stream.connection_id === connectionId).map((stream) => stream.mapping_seq),
    ),
    streamIds: new Map(
      streams.filter((stream) => stream.connection_id === connectionId).map((stream) => [stream.name, stream.id]),
    ),
    sourceOf: sourcesAmong(deps, streams),
    zone,
    country,
    currency,
    pollSeconds,
  };
}

/**
 * Sees to it that the mapping of `source` is the newest one and stays it until the transaction ends: whoever saves
 * another waits for the rows held here.
 */
export async function holdMapping(tx: Tx, source: Source, streams: readonly string[]): Promise<void> {
  const { rows } = await tx.query<{ mapping_seq: number }>(
    'select mapping_seq from stream where tenant_id = $1 and id = any($2) for key share',
    [tx.tenantId, streams.map((name) => source.streamIds.get(name)).filter((id) => id !== undefined)],
  );
  const seq = Math.max(source.mappingSeq, ...rows.map((row) => row.mapping_seq));
  if (seq === source.mappingSeq) return;
  const overrides = await loadOverrides(tx, source.connector.id, source.connection.id);
  source.overrides = overrides.map((row) => row.mapping);
  source.mapping = effectiveMapping(source.connector.id, source.overrides);
  source.mappingSeq = seq;
}

function sourcesAmong(
  deps: Pick<SyncDeps, 'registry'>,
  streams: Awaited<ReturnType<typeof streamConnectors>>,
): Source['sourceOf'] {
  const byId = new Map(streams.map((stream) => [stream.id, stream.connector]));
  return (streamId) => {
    const known = deps.registry.find(byId.get(streamId) ?? '');
    return known && { connector: known.id, category: known.category };
  };
}

/** Which platform a stream belongs to, for all streams of the tenant. */
export const sourcesOf = async (deps: Pick<SyncDeps, 'registry'>, tx: Tx): Promise<Source['sourceOf']> =>
  sourcesAmong(deps, await streamConnectors(tx));
export async function environment(tx: Tx, source: Source, lookups: readonly string[]): Promise<Env> {
  const tables = new Map<string, Map<string, unknown>>();
  for (const name of lookups) {
    const id = source.streamIds.get(name);
    const rows = id ? await loadSources(tx, id) : [];
    tables.set(name, new Map(rows.map((row) => [row.remote_id, row.payload])));
  }
  const settings = source.connection.settings;
  const zone = source.connection.account.timeZone ?? source.zone;
  return {
    zone,
    today: localDate(source.clock.now(), zone),
    country: (settings.country as string | undefined) ?? source.mapping.defaults.country ?? source.country,
    currency:
      (settings.currency as string | undefined) ??
      source.connection.account.currency ??
      source.mapping.defaults.currency ??
      source.currency,
    account: source.connection.account_id ?? '',
    connector: source.connector.id,
    lookup: (stream, id) => tables.get(stream)?.get(id),
  };
}
