import type { Tx } from '../base/database.ts';
import type { Origin } from '../model/types.ts';
import type { SyncDeps } from './deps.ts';
import { type Ingested, ingest } from './ingest.ts';
import type { Source } from './source.ts';
import { loadSources } from './sources.ts';

/**
 * Marks records deleted that the vendor named as deleted, without asking anybody: what may be too many goes through
 * `deleteSafely`. What we never had is nothing to delete.
 * @param deletedAt when the vendor dates it: a record that changed since then came back and stays
 */
export async function markDeleted(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  stream: string,
  ids: readonly string[],
  origin: Origin,
  deletedAt?: (id: string) => Date | undefined,
): Promise<Ingested> {
  const stored = await loadSources(tx, source.streamIds.get(stream)!, ids);
  const records = stored
    .filter((row) => row.deleted_at === null)
    .filter((row) => !row.vendor_at || (deletedAt?.(row.remote_id) ?? row.vendor_at) >= row.vendor_at)
    .map((row) => ({ id: row.remote_id, raw: row.payload, vendorAt: row.vendor_at?.toISOString(), deleted: true }));
  return ingest(deps, tx, source, [{ stream, records }], origin);
}
