import type { Session } from '../connections/session.ts';
import { type Paging, type Stream, VendorError } from '../kit/index.ts';
import type { SyncDeps } from './deps.ts';
import { listPosition, type Page } from './paging.ts';
import { hurrySweep } from './proof.store.ts';
import { interruptRun, type RunPosition, type StreamRow } from './store.ts';

/*
 * Streams of vendors that keep count themselves: each reading ends with a token for everything told so far, and the next
 * one asks with it.
 */

/** The vendor's token to begin with, unless everything is to be read. */
export function deltaOf(
  stream: Stream,
  cursor: StreamRow['cursor'],
  initial: boolean,
  now: Date,
): Pick<RunPosition, 'delta'> {
  if (!stream.delta || initial || cursor.delta === undefined) return {};
  const { renewSeconds } = stream.delta;
  const old = renewSeconds !== undefined && now.getTime() - Date.parse(cursor.deltaSince ?? '') > renewSeconds * 1000;
  return old ? {} : { delta: cursor.delta };
}

/** The token a run without one ends with, where the vendor's lists hand out none. */
export async function begunAt(
  session: Session,
  stream: Stream,
  { delta }: Pick<RunPosition, 'delta'>,
): Promise<Pick<RunPosition, 'ended'>> {
  const begun = delta === undefined ? await stream.delta?.begin?.(session.ctx) : undefined;
  return begun === undefined ? {} : { ended: begun };
}

/** Where a run stands after its last page, with the token that page handed out. */
export function endAt(
  session: Session,
  stream: Stream,
  paging: Paging,
  last: { from: RunPosition; item: Page },
): RunPosition {
  const { from, item } = last;
  const ended = stream.delta?.next(item.reply, listPosition(paging, from), session.ctx);
  return { ...from, done: true, ...(ended ? { ended } : {}) };
}

/** Whether the vendor forgot where we stand; without a token of its own nothing can be forgotten. */
export const isLost = (run: { row: StreamRow; pages: number }, stream: Stream | undefined, error: unknown): boolean =>
  stream?.delta !== undefined &&
  (run.row.cursor.delta !== undefined || run.row.position?.token !== undefined || run.pages > 0) &&
  error instanceof VendorError &&
  stream.delta.lost(error);

/** The next run reads everything; what was deleted meanwhile is in no list any more, so a sweep follows. */
export async function beginAnew(deps: SyncDeps, tenantId: string, streamId: string, owner: string): Promise<void> {
  const now = deps.clock.now();
  deps.log.info({ streamId }, 'the platform forgot where reading stood: everything is read anew');
  await deps.db.tenant(tenantId, async (tx) => {
    const how = { owner, error: null, nextDueAt: now, failed: false, anew: true, forget: true };
    await interruptRun(tx, streamId, { ...how, state: 'waiting' });
    await hurrySweep(tx, streamId, now);
  });
}
