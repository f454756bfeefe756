import type { Tx } from '../base/database.ts';
import { JOINED_KINDS } from '../kit/index.ts';
import { loadProjections, recordKey } from '../model/documents.ts';
import { joinEntities } from '../model/merge.ts';
import { loadApart } from '../model/not-same.ts';
import { refreshGolden } from '../model/parties.ts';
import type { SyncDeps } from './deps.ts';
import { tellChanges } from './identity.ts';
import type { Source } from './source.ts';

/** Two records of a stream the vendor made one of. */
export interface VendorMerge {
  stream: string;
  from: string;
  into: string;
}

/** The vendor made two records one: so do we, and the old id goes on resolving. */
export async function followVendorMerge(deps: SyncDeps, tx: Tx, source: Source, merge: VendorMerge): Promise<void> {
  const streamId = source.streamIds.get(merge.stream)!;
  const stream = source.connector.streams.find((candidate) => candidate.name === merge.stream);
  await tx.query(
    'update source_record set merged_into = $4 where tenant_id = $1 and stream_id = $2 and remote_id = $3',
    [tx.tenantId, streamId, merge.from, merge.into],
  );
  for (const kind of JOINED_KINDS.filter((candidate) => stream?.entities.includes(candidate))) {
    const found = await loadProjections(tx, kind, [
      { streamId, remoteId: merge.from },
      { streamId, remoteId: merge.into },
    ]);
    const absorbed = found.get(recordKey(streamId, merge.from))?.entity_id as string | undefined;
    const survivor = found.get(recordKey(streamId, merge.into))?.entity_id as string | undefined;
    if (!absorbed || !survivor || absorbed === survivor) continue;
    // A person took this merge apart: the platform telling of it once more changes nothing.
    if ((await loadApart(tx, kind, [absorbed])).between(absorbed, survivor)) continue;
    const ctx = {
      now: deps.clock.now(),
      origin: 'live' as const,
      zone: source.zone,
      sourceOf: source.sourceOf,
      onMerge: deps.listeners.onMerge,
    };
    const told = await joinEntities(
      tx,
      kind,
      {
        survivor,
        absorbed,
        evidence: { key: `merged at ${source.connector.name}`, record: `${streamId}/${merge.from}` },
      },
      `vendor:${source.connector.id}`,
      ctx,
    );
    await tellChanges(deps, tx, [told, ...(await refreshGolden(tx, kind, [survivor], ctx))], ctx.now);
  }
}
