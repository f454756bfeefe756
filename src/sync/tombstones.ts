import type { Session } from '../connections/session.ts';
import type { Stream } from '../kit/index.ts';
import { deleteSafely, livingAmong } from './deletions.ts';
import type { SyncDeps } from './deps.ts';
import { park } from './parked.ts';
import { hurrySweep } from './proof.store.ts';
import type { Source } from './source.ts';
import { noteDeletesRead, type StreamRow } from './store.ts';

const MAX_PAGES = 1000;

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
  const found = new Map<string, { id: string }>();
  let token: string | undefined;
  let pages = 0;
  for (let page = 0; page < MAX_PAGES; page++) {
    const reply = await session.call({
      safe: true,
      ...(await deletes.list(session.ctx, { limit: 100, ...(since ? { since } : {}), ...(token ? { token } : {}) })),
    });
    const tombstones = deletes.read(reply);
    pages += 1;
    await deps.db.tenant(tenantId, async (tx) => {
      // Most of a long list is known: what is left is judged as a whole, because a whole list may be wrong.
      const living = await livingAmong(
        tx,
        row.id,
        tombstones.deleted.map(({ id }) => ({ id })),
      );
      for (const id of living) found.set(id, { id });
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
        await hurrySweep(tx, row.id, startedAt);
      }
    });
    token = tombstones.next;
    if (!token) break;
  }
  return deps.db.tenant(tenantId, async (tx) => {
    const origin = row.phase === 'initial' ? 'backfill' : 'live';
    const evidence = { readAt: startedAt.toISOString(), pages };
    const done = await deleteSafely(deps, tx, source, stream.name, [...found.values()], origin, {
      cause: 'tombstones',
      evidence,
    });
    await noteDeletesRead(tx, row.id, startedAt);
    return done.changed;
  });
}
