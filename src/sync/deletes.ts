import type { Tx } from '../base/database.ts';
import type { Session } from '../connections/session.ts';
import type { Stream } from '../kit/index.ts';
import type { Origin } from '../model/types.ts';
import type { SyncDeps } from './deps.ts';
import { type Ingested, ingest } from './ingest.ts';
import { park } from './parked.ts';
import type { Source } from './source.ts';
import { loadSources } from './sources.ts';
import { noteDeletesRead, type StreamRow } from './store.ts';

const MAX_PAGES = 1000;

/**
 * Marks records deleted that the vendor named as deleted. What we never had is nothing to delete.
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

/** Reads the vendor's list of deleted records, when it has one and it is time. */
export async function readTombstones(
  deps: SyncDeps,
  tenantId: string,
  session: Session,
  source: Source,
  stream: Stream,
  row: StreamRow,
): Promise<number> {
  const { deletes } = stream;
  if (deletes.kind !== 'tombstones') return 0;
  const startedAt = deps.clock.now();
  if (row.last_deletes_at && startedAt.getTime() - row.last_deletes_at.getTime() < deletes.everySeconds * 1000)
    return 0;
  const since = row.last_deletes_at ? new Date(row.last_deletes_at.getTime() - 300_000).toISOString() : undefined;
  let deleted = 0;
  let token: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const reply = await session.call({
      safe: true,
      ...deletes.list(session.ctx, { limit: 100, ...(since ? { since } : {}), ...(token ? { token } : {}) }),
    });
    const tombstones = deletes.read(reply);
    deleted += await deps.db.tenant(tenantId, async (tx) => {
      const result = await markDeleted(
        deps,
        tx,
        source,
        stream.name,
        tombstones.deleted.map((item) => item.id),
        row.phase === 'initial' ? 'backfill' : 'live',
      );
      if (tombstones.truncated) {
        const reason = `More of ${stream.title} changed than the platform lists at once: deletions among the rest show when the records are asked for.`;
        await park(
          tx,
          [
            {
              kind: 'stream',
              reference: `${row.id}/tombstones`,
              reason,
              connectionId: row.connection_id,
              streamId: row.id,
            },
          ],
          startedAt,
        );
      }
      return result.changed;
    });
    token = tombstones.next;
    if (!token) break;
  }
  await deps.db.tenant(tenantId, (tx) => noteDeletesRead(tx, row.id, startedAt));
  return deleted;
}
