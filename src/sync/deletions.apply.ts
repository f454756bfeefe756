import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { conflict, notFound, Problem } from '../base/errors.ts';
import { withSession } from '../connections/session.ts';
import { setting } from '../settings/store.ts';
import { markDeleted } from './deletes.ts';
import { type BatchRow, batchRecords, findBatch, moveBatch, moveRecords } from './deletions.store.ts';
import { tellWaiting } from './deletions.ts';
import type { SyncDeps } from './deps.ts';
import { ingest } from './ingest.ts';
import { clearDeleted, seenAgain } from './quarantine.ts';
import { fetchIds, nothingFetched } from './refetch.ts';
import { loadSource, type Source } from './source.ts';
import { loadSources } from './sources.ts';

/** Records of one step: what is done is done when the process dies. */
const STEP = 200;

export type Decision = 'confirm' | 'refuse' | 'undo';

const MOVES = {
  confirm: { from: 'held', to: 'confirmed' },
  refuse: { from: 'held', to: 'refused' },
  undo: { from: 'applied', to: 'undoing' },
} as const;

const SAID: Record<BatchRow['state'], string> = {
  held: 'still waits for a decision',
  confirmed: 'was confirmed already',
  refused: 'was refused already',
  applied: 'was carried out already',
  undoing: 'is being undone already',
  undone: 'was undone already',
  lapsed: 'is over: the platform shows all of these records again',
};

/**
 * Writes a person's decision down; what follows from it is done by `finishBatch`.
 * @throws Problem when the batch is not (or no longer) one that can be decided this way
 */
export async function decide(deps: SyncDeps, tx: Tx, id: string, decision: Decision, actor: string): Promise<BatchRow> {
  const now = deps.clock.now();
  const batch = await findBatch(tx, id);
  if (!batch) throw notFound('deletion', id);
  if (decision === 'undo') await refuseUndo(tx, batch, now);
  if (!(await moveBatch(tx, id, { ...MOVES[decision], by: actor, now }))) {
    // Somebody else may have decided since it was read.
    const { state } = (await findBatch(tx, id))!;
    throw conflict(`This deletion ${SAID[state]}.`, 'Nothing was changed. "rapport deletions" shows how it stands.');
  }
  if (decision === 'refuse') await moveRecords(tx, id, { from: 'held', to: 'refused' });
  await tellWaiting(tx, batch.connection_id);
  const action = { confirm: 'deletions.confirmed', refuse: 'deletions.refused', undo: 'deletions.undone' }[decision];
  const data = { cause: batch.cause, records: batch.records, connection: batch.connection_id };
  await appendEvents(tx, [{ actor, action, subject: { kind: 'deletions', id }, data, at: now }]);
  return (await findBatch(tx, id))!;
}

async function refuseUndo(tx: Tx, batch: BatchRow, now: Date): Promise<void> {
  if (batch.cause === 'privacy')
    throw new Problem(409, 'not_undoable', 'A person asked for this deletion by their right to privacy: it stays.');
  const { undoDays } = await setting(tx, 'completeness');
  if (batch.done_at && now.getTime() - batch.done_at.getTime() > undoDays * 86_400_000)
    throw new Problem(409, 'too_late', `Deletions can be undone for ${undoDays} days; this one is older.`, {
      fix: 'Restore the records at the platform: they come back by themselves.',
    });
}

/** Does what was decided about a batch, step by step. Running it again goes on where it stopped, or changes nothing. */
export async function finishBatch(deps: SyncDeps, tenantId: string, id: string): Promise<void> {
  const batch = await deps.db.tenant(tenantId, (tx) => findBatch(tx, id));
  if (batch?.state !== 'confirmed' && batch?.state !== 'undoing') return;
  const source = await loadSource(deps, tenantId, batch.connection_id);
  const stream = [...source.streamIds].find(([, streamId]) => streamId === batch.stream_id)?.[0];
  if (!stream) return;
  const step = batch.state === 'confirmed' ? deleteStep : restoreStep;
  while (await step(deps, tenantId, source, stream, batch));
  await deps.db.tenant(tenantId, async (tx) => {
    const [from, to] =
      batch.state === 'confirmed' ? (['confirmed', 'applied'] as const) : (['undoing', 'undone'] as const);
    await moveBatch(tx, id, { from, to, now: deps.clock.now() });
  });
}

/** Asks for the next held records once more, where they can be asked for: what came back meanwhile stays. */
async function deleteStep(
  deps: SyncDeps,
  tenantId: string,
  source: Source,
  name: string,
  batch: BatchRow,
): Promise<boolean> {
  const ids = await deps.db.tenant(tenantId, (tx) => batchRecords(tx, batch.id, 'held', STEP));
  if (ids.length === 0) return false;
  const fetched = nothingFetched();
  const stream = source.connector.streams.find((candidate) => candidate.name === name);
  if (stream?.fetchByIds)
    await withSession(deps, tenantId, source.connection.id, 'sweep', (session) =>
      fetchIds(session, source, name, ids, fetched),
    );
  const records = fetched.records.get(name) ?? [];
  const back = records.filter((record) => !record.deleted && ids.includes(record.id)).map(({ id }) => id);
  const gone = ids.filter((id) => !back.includes(id));
  await deps.db.tenant(tenantId, async (tx) => {
    await ingest(deps, tx, source, [{ stream: name, records }], 'live');
    await markDeleted(deps, tx, source, name, gone, 'live');
    await moveRecords(tx, batch.id, { from: 'held', to: 'seen', ids: back });
    await moveRecords(tx, batch.id, { from: 'held', to: 'deleted', ids: gone });
    await seenAgain(tx, batch.stream_id, back, deps.clock.now());
    await clearDeleted(tx, batch.stream_id);
  });
  return true;
}

/** Brings the next deleted records back as they were stored last. Nothing is triggered by it. */
async function restoreStep(
  deps: SyncDeps,
  tenantId: string,
  source: Source,
  stream: string,
  batch: BatchRow,
): Promise<boolean> {
  return deps.db.tenant(tenantId, async (tx) => {
    const ids = await batchRecords(tx, batch.id, 'deleted', STEP);
    if (ids.length === 0) return false;
    const stored = await loadSources(tx, batch.stream_id, ids);
    const records = stored
      .filter((row) => row.deleted_at !== null)
      .map((row) => ({ id: row.remote_id, raw: row.payload, vendorAt: row.vendor_at?.toISOString(), deleted: false }));
    await ingest(deps, tx, source, [{ stream, records }], 'replay');
    const restored = records.map(({ id }) => id);
    await moveRecords(tx, batch.id, { from: 'deleted', to: 'restored', ids: restored });
    // The platform showed the others again by itself.
    const others = ids.filter((id) => !restored.includes(id));
    await moveRecords(tx, batch.id, { from: 'deleted', to: 'seen', ids: others });
    return true;
  });
}
