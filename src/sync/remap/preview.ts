import type { Tx } from '../../base/database.ts';
import { checkOverride, type Level } from '../../connections/mappings.ts';
import { listConnections } from '../../connections/store.ts';
import { effectiveMapping } from '../../mapping/load.ts';
import type { MappingOverride } from '../../mapping/schema.ts';
import { listOverrides, loadOverrides, WHOLE_TENANT } from '../../mapping/store.ts';
import type { SyncDeps } from '../deps.ts';
import { readSource, type Source } from '../source.ts';
import { kindsEver } from './compare.ts';
import { type Examined, emptyExamined, examine, type SampledRecord } from './examine.ts';
import { countJoins, undoneRuns } from './plan.ts';
import { nextSources } from './sources.ts';
import { overrideOf, versionBefore, type Wanted } from './start.ts';
import { mappedStreams } from './store.ts';

/** Records of one look. */
const BATCH = 500;

export interface PreviewRequest extends Wanted {
  /** What the version before would do: as `rollBack` takes it. */
  rollback?: boolean;
  /** Records to show by stream name, whatever comes of them. */
  ids?: Record<string, string[]>;
  /** Affected records to show of each stream. */
  sample: number;
  /** Records to look at in all. */
  limit: number;
  signal?: AbortSignal;
}

export interface PreviewStream extends Examined {
  connectionId: string;
  connection: string;
  stream: string;
  records: number;
}

export interface Preview {
  version: number;
  /** The version that would be in force again, for a rollback. */
  restores: number | null;
  records: number;
  examined: number;
  /** Part of the records that was looked at, 0 to 1. */
  share: number;
  affected: number;
  streams: PreviewStream[];
  sample: (SampledRecord & { connectionId: string; stream: string })[];
  notes: string[];
}

interface Target {
  now: Source;
  then: Source;
  stream: { id: string; name: string };
  records: number;
}

/**
 * What a mapping would change in the stored records: counted over as many as the limit allows, shown on a few. Asks no
 * vendor and writes nothing; the database refuses any write in these transactions.
 * @throws Problem naming every mistake of the mapping
 */
export async function previewMapping(
  deps: SyncDeps,
  tenantId: string,
  level: Level,
  request: PreviewRequest,
): Promise<Preview> {
  const read = <T>(work: (tx: Tx) => Promise<T>): Promise<T> =>
    deps.db.tenant(tenantId, async (tx) => {
      await tx.query('set transaction read only');
      return work(tx);
    });
  const plan = await read((tx) => whatToLookAt(deps, tx, level, request));
  const records = plan.targets.reduce((sum, target) => sum + target.records, 0);
  const streams: PreviewStream[] = [];
  const sample: Preview['sample'] = [];
  for (const target of plan.targets) {
    const { connection } = target.now;
    const found = emptyExamined();
    const add = (shown: SampledRecord): void => {
      const known = sample.some(({ stream, id }) => stream === target.stream.name && id === shown.id);
      if (!known) sample.push({ connectionId: connection.id, stream: target.stream.name, ...shown });
    };
    const kinds = (await read((tx) => kindsEver(tx, target.now))).get(target.stream.name) ?? [];
    const look = (batch: Parameters<typeof examine>[2], into: Examined, most: number): Promise<SampledRecord[]> =>
      read((tx) => examine(tx, { ...target, kinds, clock: deps.clock }, batch, into, most));
    const asked = request.ids?.[target.stream.name] ?? [];
    if (asked.length > 0) for (const shown of await look({ ids: asked }, emptyExamined(), asked.length)) add(shown);
    // Each stream gets its part of what may be looked at.
    const most = Math.min(
      target.records,
      Math.max(BATCH, Math.ceil((request.limit * target.records) / (records || 1))),
    );
    let after: string | null = null;
    let shown = 0;
    while (found.examined < most && !request.signal?.aborted) {
      const size = Math.min(BATCH, most - found.examined);
      const batch = await read((tx) => nextSources(tx, target.stream.id, after, size, false));
      if (batch.length === 0) break;
      for (const record of await look({ batch }, found, request.sample - shown)) {
        add(record);
        shown += 1;
      }
      after = batch.at(-1)!.id;
    }
    streams.push({
      connectionId: connection.id,
      connection: connection.name,
      stream: target.stream.name,
      records: target.records,
      ...found,
    });
  }
  const examined = streams.reduce((sum, stream) => sum + stream.examined, 0);
  return {
    version: plan.version,
    restores: plan.restores,
    records,
    examined,
    share: records === 0 ? 1 : Math.round((examined / records) * 10_000) / 10_000,
    affected: streams.reduce((sum, stream) => sum + stream.affected, 0),
    streams,
    sample,
    notes: notesOf(streams, examined, records, plan.joins),
  };
}

async function whatToLookAt(
  deps: SyncDeps,
  tx: Tx,
  level: Level,
  request: PreviewRequest,
): Promise<{ version: number; restores: number | null; targets: Target[]; joins: number }> {
  const versions = await listOverrides(tx, level.connector, level.connectionId);
  const restores = request.rollback ? (request.version ?? versionBefore(versions)) : null;
  const override = overrideOf(restores === null ? request : { version: restores }, versions) ?? versions[0]?.mapping;
  await checkOverride(deps, tx, level, override ?? {});
  const targets: Target[] = [];
  let joins = 0;
  for (const { id, connector } of await listConnections(tx)) {
    const ofLevel = level.connectionId === WHOLE_TENANT || level.connectionId === id;
    if (connector !== level.connector || !ofLevel) continue;
    const now = await readSource(deps, tx, id);
    const then = { ...now, mapping: effectiveMapping(connector, await layers(tx, level, id, override ?? {})) };
    for (const stream of await mappedStreams(tx, id)) {
      if (!stream.filled) continue;
      const version = then.mapping.streams.get(stream.name)?.version ?? 'none';
      const same = version === now.mapping.streams.get(stream.name)?.version && version === stream.mapping_version;
      if (same && !request.ids?.[stream.name]) continue;
      const { rows } = await tx.query<{ n: number }>(
        'select count(*)::int as n from source_record where tenant_id = $1 and stream_id = $2',
        [tx.tenantId, stream.id],
      );
      targets.push({ now, then, stream: { id: stream.id, name: stream.name }, records: rows[0]!.n });
    }
    if (restores !== null) joins += await countJoins(tx, await undoneRuns(tx, id, level.connectionId, restores));
  }
  return { version: versions[0]?.version ?? 0, restores, targets, joins };
}

/** The overrides of a connection with another one in the place of the level's own. */
async function layers(
  tx: Tx,
  level: Level,
  connectionId: string,
  override: MappingOverride,
): Promise<MappingOverride[]> {
  const stored = await loadOverrides(tx, level.connector, connectionId);
  const others = stored.filter((row) => row.connection_id !== level.connectionId).map((row) => row.mapping);
  return level.connectionId === WHOLE_TENANT ? [override, ...others] : [...others, override];
}

function notesOf(streams: readonly PreviewStream[], examined: number, records: number, joins: number): string[] {
  const notes: string[] = [];
  if (examined < records)
    notes.push(
      `${examined} of ${records} records were looked at, in the order of their ids; the figures are of those. Raise the limit to see all.`,
    );
  for (const { stream, neverSeen } of streams)
    if (neverSeen.length > 0)
      notes.push(
        `None of the ${stream} that were looked at has ${neverSeen.join(', ')}. If the platform has it, it was not asked for it yet: after applying, read the connection again in full.`,
      );
  const sum = (of: (stream: PreviewStream) => number): number => streams.reduce((total, item) => total + of(item), 0);
  const [parked, matches, optOuts] = [
    sum((item) => item.newlyParked),
    sum((item) => item.joins),
    sum((item) => item.optOuts),
  ];
  if (parked > 0) notes.push(`${parked} records would no longer fit and be parked; they keep the values they have.`);
  if (matches > 0)
    notes.push(
      `${matches} records would get an e-mail address, phone number or id that another customer or company has: the two may become one. A rollback takes such joins apart again; what happened to the joined one meanwhile stays with the older.`,
    );
  if (optOuts > 0)
    notes.push(
      `${optOuts} records change an opt-out: a new objection counts at once and is not taken back by a rollback.`,
    );
  if (joins > 0)
    notes.push(
      `${joins} joins that came of the mapping would be taken apart. Where records still have an address in common afterwards, they are joined again; what cannot be told apart any more is left and written to the log.`,
    );
  notes.push('No trigger fires because of it; what becomes due by its date later, does so then.');
  return notes;
}
