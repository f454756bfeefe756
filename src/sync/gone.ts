import type { Tx } from '../base/database.ts';
import { type Stream, VendorError } from '../kit/index.ts';
import { recordKey } from '../model/documents.ts';
import type { Origin } from '../model/types.ts';
import { markDeleted } from './deletes.ts';
import { deleteSafely } from './deletions.ts';
import type { SyncDeps } from './deps.ts';
import type { Ingested } from './ingest.ts';
import type { Source } from './source.ts';

/** Records of one stream that the vendor announced as deleted, or no longer gives. */
export interface Gone {
  stream: string;
  ids: readonly string[];
  /** Records that are part of another one now. */
  merges: readonly { stream: string; from: string }[];
  /** Deleted by a person's right to privacy, by stream and id. */
  privacy: ReadonlySet<string>;
  /** When the vendor dates the deletion, by stream and id. */
  goneAt: ReadonlyMap<string, Date>;
}

/** Deletes what is gone. Merged records live on in another one, so they are never too many. */
export async function deleteGone(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  gone: Gone,
  origin: Origin,
): Promise<Ingested & { held: number }> {
  const { stream, ids } = gone;
  const at = (id: string): Date | undefined => gone.goneAt.get(recordKey(stream, id));
  const merged = new Set(gone.merges.filter((merge) => merge.stream === stream).map((merge) => merge.from));
  const isPrivate = (id: string): boolean => !merged.has(id) && gone.privacy.has(recordKey(stream, id));
  const result = { seen: 0, changed: 0, parked: 0, changes: [] as Ingested['changes'], held: 0 };
  const add = (done: Ingested & { held?: number }): void => {
    result.changed += done.changed;
    result.changes.push(...done.changes);
    result.held += done.held ?? 0;
  };
  const dated = (some: readonly string[]) => some.map((id) => ({ id, at: at(id) }));
  const joined = ids.filter((id) => merged.has(id));
  const secret = ids.filter(isPrivate);
  const others = ids.filter((id) => !merged.has(id) && !isPrivate(id));
  const now = deps.clock.now().toISOString();
  if (joined.length > 0) add(await markDeleted(deps, tx, source, stream, joined, origin, at));
  if (secret.length > 0) {
    const why = { cause: 'privacy' as const, evidence: { announcedAt: now } };
    add(await deleteSafely(deps, tx, source, stream, dated(secret), origin, why));
  }
  if (others.length > 0) {
    const why = canAsk(source, stream)
      ? { cause: 'refetch' as const, evidence: { askedAt: now } }
      : { cause: 'webhook' as const, evidence: { announcedAt: now } };
    add(await deleteSafely(deps, tx, source, stream, dated(others), origin, why));
  }
  return result;
}

const canAsk = (source: Source, name: string): boolean =>
  source.connector.streams.find((stream: Stream) => stream.name === name)?.fetchByIds !== undefined;

/** @throws VendorError when the vendor no longer shows records whose deletion waits for a person: nobody may act on them */
export function refuseHeld(source: Source, held: number): void {
  if (held > 0)
    throw new VendorError(
      'unknown',
      `${source.connector.name} no longer shows ${held} of these records, and their deletion waits to be confirmed by a person.`,
    );
}
