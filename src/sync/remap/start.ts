import type { Tx } from '../../base/database.ts';
import { conflict, messageOf, notFound, Problem } from '../../base/errors.ts';
import { type Level, saveMapping } from '../../connections/mappings.ts';
import { listConnections } from '../../connections/store.ts';
import { effectiveMapping } from '../../mapping/load.ts';
import type { MappingOverride } from '../../mapping/schema.ts';
import { listOverrides, type OverrideRow, WHOLE_TENANT } from '../../mapping/store.ts';
import type { SyncDeps } from '../deps.ts';
import { readSource } from '../source.ts';
import { countJoins, staleStreams, undoneRuns } from './plan.ts';
import { insertRun, listRuns, type MappedStream, mappedStreams, noteMapped, type RemapReason } from './store.ts';

export interface Started {
  /** Newest version of the override. */
  version: number;
  /** One for each connection that has records to bring through. */
  runs: { id: string; connectionId: string }[];
}

/** An override as sent, or one that is stored. */
export interface Wanted {
  override?: MappingOverride | undefined;
  version?: number | undefined;
}

/** @throws Problem 404 when the level never had that version */
export function overrideOf(wanted: Wanted, versions: readonly OverrideRow[]): MappingOverride | undefined {
  if (wanted.version === undefined) return wanted.override;
  if (wanted.version === 0) return {};
  const found = versions.find((row) => row.version === wanted.version);
  if (!found) throw notFound('mapping version', String(wanted.version));
  return found.mapping;
}

/**
 * The version before the present one; what a rollback returned to counts, not the rollback.
 * @throws Problem when there is none
 */
export function versionBefore(versions: readonly OverrideRow[]): number {
  let at = versions[0];
  while (at?.restores) at = versions.find((row) => row.version === at!.restores);
  if (!at || versions[0]?.restores === 0)
    throw conflict(
      "There is no mapping to go back to: the platform's own one is in force.",
      'Nothing is left to do. GET the versions to see what there was.',
    );
  return at.version - 1;
}

/**
 * Saves an override and brings every stored record it concerns through it, in the background. Without an override,
 * all stored records are brought through the mapping in force.
 * @throws Problem naming every mistake, or when somebody else changed the mapping
 */
export async function applyMapping(
  deps: SyncDeps,
  tenantId: string,
  level: Level,
  change: Wanted & { expected: number; actor: string },
): Promise<Started> {
  return deps.db.tenant(tenantId, async (tx) => {
    const versions = await listOverrides(tx, level.connector, level.connectionId);
    const override = overrideOf(change, versions);
    const { expected, actor } = change;
    const version = override
      ? (await saveMapping(deps, tx, level, { override, expected, actor })).version
      : (versions[0]?.version ?? 0);
    const reason = override ? 'apply' : 'request';
    return { version, runs: await startRuns(deps, tx, level, { reason, version, by: actor }) };
  });
}

/**
 * Returns to an earlier version of an override, as a new version equal to it, and takes back what came of those after
 * it. `to` is the version before when it is missing.
 * @throws Problem when there is no such version, or somebody else changed the mapping
 */
export async function rollBack(
  deps: SyncDeps,
  tenantId: string,
  level: Level,
  change: { to?: number | undefined; expected: number; actor: string },
): Promise<Started & { restored: number }> {
  return deps.db.tenant(tenantId, async (tx) => {
    const versions = await listOverrides(tx, level.connector, level.connectionId);
    const to = change.to ?? versionBefore(versions);
    if (to >= (versions[0]?.version ?? 0)) throw conflict(`Version ${to} is the present one.`, 'Name an earlier one.');
    const override = overrideOf({ version: to }, versions)!;
    const { expected, actor } = change;
    const { version } = await saveMapping(deps, tx, level, { override, expected, actor, restores: to });
    return {
      version,
      restored: to,
      runs: await startRuns(deps, tx, level, { reason: 'rollback', version, by: actor, backTo: to }),
    };
  });
}

/** Makes a run for each connection of the level that has something to do. */
async function startRuns(
  deps: SyncDeps,
  tx: Tx,
  level: Level,
  run: { reason: RemapReason; version: number; by: string; backTo?: number },
): Promise<Started['runs']> {
  const whole = level.connectionId === WHOLE_TENANT;
  const runs: Started['runs'] = [];
  for (const { id, connector } of await listConnections(tx)) {
    if (connector !== level.connector || !(whole || id === level.connectionId)) continue;
    const streams = await mappedStreams(tx, id);
    const started = await startRun(deps, tx, id, streams, { ...run, levelId: level.connectionId });
    if (started) runs.push({ id: started, connectionId: id });
  }
  return runs;
}

async function startRun(
  deps: SyncDeps,
  tx: Tx,
  connectionId: string,
  streams: readonly MappedStream[],
  run: { reason: RemapReason; version?: number; by: string; backTo?: number; levelId?: string },
): Promise<string | undefined> {
  const source = await readSource(deps, tx, connectionId);
  await noteMapped(
    tx,
    streams
      .filter((stream) => !stream.filled)
      .map(({ id, name }) => ({ id, version: source.mapping.streams.get(name)?.version ?? 'none' })),
  );
  const stale = staleStreams(source, streams, run.reason === 'request');
  const joins =
    run.backTo === undefined ? 0 : await countJoins(tx, await undoneRuns(tx, connectionId, run.levelId!, run.backTo));
  const [open] = await listRuns(tx, { connectionId, open: true, limit: 1 });
  if (open && open.back_to !== null && run.levelId !== undefined && open.level_id !== run.levelId)
    throw conflict(
      `An earlier mapping of ${source.connection.name} is being brought back (${open.seen} of ${open.total} records).`,
      'Wait until that is done; GET the runs to see how far it is.',
    );
  if (stale.length === 0 && joins === 0 && !open) return undefined;
  const { connector } = source;
  const at = deps.clock.now();
  const id = await insertRun(tx, {
    ...run,
    connector: connector.id,
    connectionId,
    streams: stale,
    seq: source.mappingSeq,
    at,
  });
  await deps.queue.send(tx, 'remap', { tenantId: tx.tenantId, connectionId });
  return id;
}

/**
 * Looks whether a release brought other mappings, and starts bringing stored records through them; wakes runs that
 * nobody works on. Cheap when nothing is to be done, which is nearly always.
 */
export async function tendMappings(deps: SyncDeps, tenantId: string): Promise<void> {
  await deps.db.tenant(tenantId, async (tx) => {
    const streams = await mappedStreams(tx);
    for (const { id, connector } of await listConnections(tx)) {
      if (!deps.registry.find(connector)) continue;
      const own = streams.filter((stream) => stream.connection_id === id);
      const shipped = effectiveMapping(connector, []).streams;
      const versionOf = (name: string): string => shipped.get(name)?.version ?? 'none';
      const news = own.filter((stream) => stream.default_version !== versionOf(stream.name));
      if (news.length === 0) continue;
      await noteMapped(
        tx,
        news.map((stream) => ({ id: stream.id, defaultVersion: versionOf(stream.name) })),
      );
      try {
        const released = news.filter((stream) => stream.default_version !== null);
        const first = news.filter((stream) => stream.default_version === null && !stream.filled);
        await startRun(deps, tx, id, [...released, ...first], { reason: 'release', by: 'system' });
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        deps.log.warn({ connection: id, reason: messageOf(error) }, 'a released mapping does not go with an override');
      }
    }
    const now = deps.clock.now();
    const { rows: open } = await tx.query<{ connection_id: string }>(
      "select connection_id from remap_run where tenant_id = $1 and state in ('waiting', 'running') and (lease_until is null or lease_until <= $2)",
      [tenantId, now],
    );
    for (const { connection_id } of open) await deps.queue.send(tx, 'remap', { tenantId, connectionId: connection_id });
  });
}
