import { one, type Tx } from '../../base/database.ts';
import { messageOf, Problem } from '../../base/errors.ts';
import type { JoinedKind } from '../../kit/index.ts';
import { appendChanges } from '../../model/changes.ts';
import { idsOf } from '../../model/homes.ts';
import { forgetApart } from '../../model/not-same.ts';
import { undoMerge } from '../../model/unmerge.ts';
import type { SyncDeps } from '../deps.ts';
import type { Source } from '../source.ts';

/**
 * Takes apart the latest join that runs of a mapping made and that is older than `before`.
 * @returns the join, and whether anything of it was left to take apart; undefined: there is none
 */
export async function separateNext(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  runs: readonly string[],
  before: string | undefined,
): Promise<{ id: string; done: boolean } | undefined> {
  const event = one(
    await tx.query<{ id: string; kind: JoinedKind }>(
      `select id, kind from merge_event where tenant_id = $1 and decided_by = any($2) and undone_at is null
         and ($3::uuid is null or id < $3) order by id desc limit 1`,
      [tx.tenantId, runs.map((id) => `remap:${id}`), before ?? null],
    ),
  );
  if (!event) return undefined;
  const now = deps.clock.now();
  const context = {
    now,
    origin: 'replay' as const,
    zone: source.zone,
    sourceOf: source.sourceOf,
    onMerge: deps.listeners.onMerge,
    onUnmerge: deps.listeners.onUnmerge,
  };
  const decision = { by: 'mapping', reason: 'The mapping that joined them was taken back.' };
  try {
    const parted = await undoMerge(tx, event.id, decision, context);
    // It was the mapping that was wrong, nobody said that they are two: what proves it in future counts.
    await forgetApart(tx, event.kind, await idsOf(tx, parted.from), await idsOf(tx, parted.revived));
    await appendChanges(tx, parted.changes);
    for (const listener of deps.listeners.changes) await listener(tx, parted.changes, now);
    return { id: event.id, done: true };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    deps.log.info({ merge: event.id, reason: messageOf(error) }, 'a join of a mapping is not there any more');
    return { id: event.id, done: false };
  }
}
