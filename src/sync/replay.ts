import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import type { SyncDeps } from './deps.ts';
import { ingest } from './ingest.ts';
import { countParkedBefore, findParked, listParked, type ParkedRow, resolveParked } from './parked.ts';
import type { RawRecord } from './records.ts';
import { loadSource } from './source.ts';
import { loadSources } from './sources.ts';

export interface Replayed {
  tried: number;
  resolved: number;
  stillParked: number;
  /** Items that were not tried yet, and where to go on with them; nothing when none is left. */
  left: number;
  next: string | null;
}

/** Items of one batch, unless somebody wants fewer: a request must not take for ever. */
const BATCH = 1000;

/**
 * Tries parked items again: records and fields are mapped anew from what is stored, announced records are fetched again,
 * rows of files need their file. Replaying never triggers anything: what happened is not happening now.
 * @param which one item, or a batch of a kind or of all, newest first; `before`: where an earlier batch ended
 */
export async function replay(
  deps: SyncDeps,
  tenantId: string,
  which: { id?: string; kind?: string; limit?: number; before?: string },
  actor: string,
): Promise<Replayed> {
  const items = await deps.db.tenant(tenantId, async (tx) => {
    if (which.id) {
      const item = await findParked(tx, which.id);
      return item && item.resolved_at === null ? [item] : [];
    }
    const { kind, before } = which;
    return listParked(tx, { ...(kind ? { kind } : {}), ...(before ? { before } : {}), limit: which.limit ?? BATCH });
  });
  const last = which.id ? undefined : items.at(-1)?.id;
  const left = last ? await deps.db.tenant(tenantId, (tx) => countParkedBefore(tx, last, which.kind)) : 0;
  const next = left > 0 ? (last ?? null) : null;
  const result: Replayed = { tried: items.length, resolved: 0, stillParked: 0, left, next };
  for (const item of items) {
    if (await replayOne(deps, tenantId, item)) result.resolved += 1;
    else result.stillParked += 1;
  }
  if (items.length > 0) {
    await deps.db.tenant(tenantId, (tx) =>
      appendEvents(tx, [
        {
          actor,
          action: 'parked.replayed',
          subject: { kind: 'parked', id: which.id ?? which.kind ?? 'all' },
          data: { ...result },
          at: deps.clock.now(),
        },
      ]),
    );
  }
  return result;
}

async function replayOne(deps: SyncDeps, tenantId: string, item: ParkedRow): Promise<boolean> {
  if (item.kind === 'action')
    return deps.db.tenant(tenantId, async (tx) => {
      const now = deps.clock.now();
      const taken = (await deps.listeners.replay?.(tx, item, now)) ?? false;
      if (taken) await resolve(tx, item, now);
      return taken;
    });
  if (
    !item.connection_id ||
    !item.stream_id ||
    (item.kind !== 'record' && item.kind !== 'field' && item.kind !== 'hook')
  )
    return false;
  const source = await loadSource(deps, tenantId, item.connection_id);
  const stream = [...source.streamIds].find(([, id]) => id === item.stream_id)?.[0];
  if (!stream) return false;
  if (item.kind === 'hook') {
    await deps.db.tenant(tenantId, async (tx) => {
      await tx.query(
        'update hint set done_at = null where tenant_id = $1 and connection_id = $2 and stream = $3 and remote_id = $4',
        [tenantId, item.connection_id, stream, item.remote_id],
      );
      await resolve(tx, item, deps.clock.now());
      await deps.queue.send(tx, 'refetch', { tenantId, connectionId: item.connection_id! });
    });
    return true;
  }
  const ids = item.kind === 'record' ? [item.remote_id!] : ((item.detail.records as string[] | undefined) ?? []);
  return deps.db.tenant(tenantId, async (tx) => {
    const stored = await loadSources(tx, item.stream_id!, ids);
    const records: RawRecord[] = stored.map((row) => ({
      id: row.remote_id,
      raw: row.payload,
      vendorAt: row.vendor_at?.toISOString(),
      deleted: row.deleted_at !== null,
    }));
    // A field that still does not fit parks again under the same reference, so it is closed before the try.
    if (item.kind === 'field') await resolve(tx, item, deps.clock.now());
    const outcome = await ingest(deps, tx, source, [{ stream, records }], 'replay', { evenIfSame: true });
    const open = await tx.query(
      'select 1 from parked_item where tenant_id = $1 and kind = $2 and reference = $3 and resolved_at is null',
      [tenantId, item.kind, item.reference],
    );
    return outcome.parked === 0 && open.rowCount === 0;
  });
}

const resolve = (tx: Tx, item: ParkedRow, now: Date): Promise<number> =>
  resolveParked(tx, item.kind, [item.reference], 'replayed', now);
