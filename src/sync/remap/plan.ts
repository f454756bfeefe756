import { one, type Tx } from '../../base/database.ts';
import { effectiveMapping } from '../../mapping/load.ts';
import { listOverrides, loadOverrides, WHOLE_TENANT } from '../../mapping/store.ts';
import type { Source } from '../source.ts';
import type { RemapPlan } from './batch.ts';
import { kindsEver } from './compare.ts';
import type { MappedStream, RemapRow, RemapStream } from './store.ts';

/**
 * Streams whose stored records are by another mapping than the one in force, parents first.
 * @param all also those that are up to date
 */
export function staleStreams(source: Source, streams: readonly MappedStream[], all = false): RemapStream[] {
  const order = source.connector.streams.map((stream) => stream.name);
  return streams
    .filter((stream) => stream.filled)
    .filter(
      ({ name, mapping_version }) => all || mapping_version !== (source.mapping.streams.get(name)?.version ?? 'none'),
    )
    .sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
    .map(({ id, name }) => ({ id, name }));
}

/** What a run needs to know beforehand. */
export async function planOf(tx: Tx, source: Source, run: RemapRow): Promise<RemapPlan> {
  const kinds = await kindsEver(tx, source);
  if (run.back_to === null || run.level_id === null) return { runId: run.id, kinds };
  const runs = await undoneRuns(tx, run.connection_id, run.level_id, run.back_to);
  return {
    runId: run.id,
    kinds,
    undone: { runs, versions: await undoneVersions(tx, source, run.level_id, run.back_to) },
  };
}

/** Runs of a connection that worked by later versions of an override than `backTo`, in order. */
export async function undoneRuns(tx: Tx, connectionId: string, levelId: string, backTo: number): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    'select id from remap_run where tenant_id = $1 and connection_id = $2 and level_id = $3 and version > $4 order by id',
    [tx.tenantId, connectionId, levelId, backTo],
  );
  return rows.map((row) => row.id);
}

/** By stream, the fingerprints of the mappings that were in force after `backTo`, without those in force again. */
async function undoneVersions(
  tx: Tx,
  source: Source,
  levelId: string,
  backTo: number,
): Promise<Map<string, ReadonlySet<string>>> {
  const others = (await loadOverrides(tx, source.connector.id, source.connection.id)).filter(
    (row) => row.connection_id !== levelId,
  );
  const found = new Map<string, Set<string>>();
  for (const row of await listOverrides(tx, source.connector.id, levelId)) {
    if (row.version <= backTo) continue;
    const layers = levelId === WHOLE_TENANT ? [row, ...others] : [...others, row];
    let mapping: ReturnType<typeof effectiveMapping>;
    try {
      mapping = effectiveMapping(
        source.connector.id,
        layers.map((layer) => layer.mapping),
      );
    } catch {
      // Together with what was changed since, it is no mapping any more: no row is told by it.
      continue;
    }
    for (const [stream, { version }] of mapping.streams) {
      if (version !== source.mapping.streams.get(stream)?.version)
        found.set(stream, (found.get(stream) ?? new Set()).add(version));
    }
  }
  return found;
}

/** How many joins a rollback would take apart. */
export async function countJoins(tx: Tx, runs: readonly string[]): Promise<number> {
  const row = one(
    await tx.query<{ n: number }>(
      'select count(*)::int as n from merge_event where tenant_id = $1 and decided_by = any($2) and undone_at is null',
      [tx.tenantId, runs.map((id) => `remap:${id}`)],
    ),
  );
  return row?.n ?? 0;
}
