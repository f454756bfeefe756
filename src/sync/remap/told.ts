import type { Tx } from '../../base/database.ts';
import { Problem } from '../../base/errors.ts';
import { listConnections } from '../../connections/store.ts';
import { effectiveMapping } from '../../mapping/load.ts';
import { loadOverrides } from '../../mapping/store.ts';
import { listRuns, mappedStreams } from './store.ts';

/** In words, by stream: whose stored records are not all by the mapping in force. Others are missing. */
export async function mappingNotices(tx: Tx, connectionId?: string): Promise<Map<string, string>> {
  const told = new Map<string, string>();
  const streams = await mappedStreams(tx, connectionId);
  const open = await listRuns(tx, { ...(connectionId ? { connectionId } : {}), open: true, limit: 1000 });
  for (const run of open)
    for (const { id } of run.streams)
      told.set(
        id,
        run.error
          ? `Stored records could not be brought through the changed mapping: ${run.error} It is tried again.`
          : `Stored records are being brought through the changed mapping: ${run.seen} of ${run.total}.`,
      );
  for (const { id, connector } of await listConnections(tx)) {
    const behind = streams.filter((stream) => stream.connection_id === id && stream.filled && stream.mapping_version);
    if (behind.length === 0) continue;
    const overrides = await loadOverrides(tx, connector, id);
    for (const stream of behind) {
      if (told.has(stream.id)) continue;
      const version = versionOf(connector, overrides, stream.name);
      if (version !== undefined && version !== stream.mapping_version)
        told.set(
          stream.id,
          `Records stored before the mapping changed still follow the former one. To change them too: rapport remap ${id} --apply`,
        );
    }
  }
  return told;
}

function versionOf(
  connector: string,
  overrides: Awaited<ReturnType<typeof loadOverrides>>,
  stream: string,
): string | undefined {
  try {
    const mapping = effectiveMapping(
      connector,
      overrides.map((row) => row.mapping),
    );
    return mapping.streams.get(stream)?.version ?? 'none';
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
