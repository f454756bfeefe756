import type { Tx } from '../base/database.ts';
import type { EntityKind } from '../kit/index.ts';
import { projectionColumns, projectionTable } from '../model/columns.ts';
import { setting } from '../settings/store.ts';
import { type BatchRow, batchRecords, countRecords } from './deletions.store.ts';
import type { SyncDeps } from './deps.ts';
import type { Deletions } from './schema.ts';
import { streamConnectors } from './store.ts';

/** Names of records shown where a batch is one of many. */
const SAMPLE = 10;

const DAY_MS = 86_400_000;

/** What a person calls a record, whatever it is. */
const NAMES = ['name', 'number', 'subject', 'title', 'label', 'survey'];

const CAUSES: Record<BatchRow['cause'], string> = {
  flag: 'the platform marks them as deleted',
  tombstones: "they are in the platform's list of deleted records",
  webhook: 'the platform announced it',
  refetch: 'the platform does not know them any more',
  sweep: 'they were missing when everything was read',
  privacy: 'a person asked for it by their right to privacy',
};

/** Batches as people see them: with a sentence, and names of some of the records. */
export async function describeBatches(
  deps: Pick<SyncDeps, 'registry'>,
  tx: Tx,
  rows: readonly BatchRow[],
  sample = SAMPLE,
): Promise<Deletions[]> {
  const streams = new Map((await streamConnectors(tx)).map((row) => [row.id, row]));
  const counts = await countRecords(
    tx,
    rows.map((row) => row.id),
  );
  const { undoDays } = await setting(tx, 'completeness');
  const views: Deletions[] = [];
  for (const row of rows) {
    const own = counts.filter((count) => count.batch_id === row.id).sort((a, b) => b.n - a.n);
    const ids = own[0] ? await batchRecords(tx, row.id, own[0].state, sample) : [];
    const stream = streams.get(row.stream_id);
    const known = deps.registry.find(stream?.connector ?? '')?.streams.find((item) => item.name === stream?.name);
    const names = await namesOf(tx, known?.entities ?? [], row.stream_id, ids);
    views.push({
      id: row.id,
      connectionId: row.connection_id,
      streamId: row.stream_id,
      stream: stream?.name ?? '',
      cause: row.cause,
      state: row.state,
      sentence: sentenceOf(row, stream?.name ?? 'records'),
      records: row.records,
      counts: Object.fromEntries(own.map(({ state, n }) => [state, n])),
      sample: ids.map((id) => ({ id, name: names.get(id) ?? null })),
      living: row.living,
      allowed: row.allowed,
      evidence: row.evidence,
      createdAt: row.created_at.toISOString(),
      decidedAt: row.decided_at?.toISOString() ?? null,
      decidedBy: row.decided_by,
      doneAt: row.done_at?.toISOString() ?? null,
      undoneAt: row.undone_at?.toISOString() ?? null,
      undoneBy: row.undone_by,
      undoUntil:
        row.state === 'applied' && row.cause !== 'privacy' && row.done_at
          ? new Date(row.done_at.getTime() + undoDays * DAY_MS).toISOString()
          : null,
    });
  }
  return views;
}

function sentenceOf(row: BatchRow, stream: string): string {
  const what = `${row.records} of ${stream.replaceAll('_', ' ')}`;
  switch (row.state) {
    case 'held':
      return `${what} would be deleted, because ${CAUSES[row.cause]}. That is more than ${row.allowed ?? 0} at once (there are ${row.living ?? 0}), so nothing was deleted: confirm or refuse it.`;
    case 'confirmed':
      return `${what} are being deleted: ${row.decided_by ?? 'somebody'} confirmed it.`;
    case 'refused':
      return `${what} were kept: ${row.decided_by ?? 'somebody'} refused to delete them.`;
    case 'applied':
      return `${what} were deleted, because ${CAUSES[row.cause]}.`;
    case 'undoing':
      return `${what} are being brought back.`;
    case 'undone':
      return `${what} were brought back by ${row.undone_by ?? 'somebody'}.`;
    case 'lapsed':
      return `${what} were to be deleted; the platform shows all of them again.`;
  }
}

/** What the records are called, by id, as far as the model knows. */
async function namesOf(
  tx: Tx,
  kinds: readonly EntityKind[],
  streamId: string,
  ids: readonly string[],
): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for (const kind of kinds) {
    const columns = projectionColumns(kind).map(({ name }) => name);
    const column = NAMES.find((name) => columns.includes(name));
    if (!column || ids.length === 0) continue;
    const { rows } = await tx.query<{ remote_id: string; name: string | null }>(
      `select remote_id, ${column} as name from ${projectionTable(kind)} where tenant_id = $1 and stream_id = $2 and remote_id = any($3)`,
      [tx.tenantId, streamId, ids],
    );
    for (const row of rows) if (row.name) names.set(row.remote_id, row.name);
  }
  return names;
}
