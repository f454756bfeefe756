import type { Origin } from '../model/types.ts';
import { setting } from '../settings/store.ts';
import { deleteSafely, exceeded } from './deletions.ts';
import { erasedIds } from './erased.ts';
import { type PassResult, savePass } from './pass.store.ts';
import { type Pass, PassLost, step, times } from './pass.ts';
import { clearDeleted, missingOf, quarantine, unknownOf } from './quarantine.ts';
import type { RawRecord } from './records.ts';
import { fetchIds, nothingFetched, store } from './refetch.ts';

/** Records asked for by id after one pass; the rest waits for the next one. */
const ASKED = 1000;

/** Puts aside what a proven reading did not meet. Commits with the state, so that a pass counts once. */
export async function putAside(pass: Pass): Promise<void> {
  const { deps, tenantId, row, owner } = pass;
  await deps.db.tenant(tenantId, async (tx) => {
    if (pass.stream.deletes.kind !== 'none')
      await quarantine(tx, { id: row.id, streamId: row.stream_id, startedAt: row.started_at }, deps.clock.now());
    const made = { state: 'asking' as const, position: row.position, ...times(deps) };
    if (!(await savePass(tx, row.id, owner, made))) throw new PassLost();
  });
  row.state = 'asking';
}

/**
 * Settles what a proven reading did not meet: the vendor is asked by id; what it does not know is gone, and so is what it
 * cannot be asked for after enough passes. May be run again: what is settled is not asked for twice.
 */
export async function settleMissing(pass: Pass): Promise<PassResult> {
  const { deps, tenantId, row, stream, source, session } = pass;
  if (stream.deletes.kind === 'none') return {};
  const now = deps.clock.now();
  const { missing, passes, tooMany } = await deps.db.tenant(tenantId, async (tx) => {
    const missing = await missingOf(tx, row.stream_id);
    return {
      missing,
      passes: (await setting(tx, 'completeness')).missingPasses,
      tooMany: missing.length > 0 && (await exceeded(tx, row.stream_id, missing.length, 'sweep', now)) !== undefined,
    };
  });
  const result: PassResult = { missing: missing.length, found: 0, gone: 0, held: 0 };
  if (missing.length === 0) return result;
  const asked = stream.fetchByIds && !tooMany ? missing.slice(0, ASKED).map((item) => item.remote_id) : [];
  const fetched = nothingFetched();
  await fetchIds(session, source, stream.name, asked, fetched);
  const gone = new Set(fetched.gone.get(stream.name));
  const found = fetched.records.get(stream.name) ?? [];
  const open = new Set(missing.map((item) => item.remote_id));
  for (const { id } of found) open.delete(id);
  const tired = missing.filter((item) => item.missing_passes >= passes && open.has(item.remote_id));
  // So many at once are a question for a person, whatever the platform says about each.
  const doomed = tooMany ? [...open] : [...new Set([...gone, ...tired.map((item) => item.remote_id)])];
  await deps.db.tenant(tenantId, async (tx) => {
    const origin = originOf(pass, found);
    for (const [records, as] of origin)
      await store(deps, tx, source, { ...nothingFetched(), records: new Map([[stream.name, records]]) }, as);
    const evidence = { pass: row.id, pages: row.pages, met: row.marked, askedById: asked.length, confirmed: gone.size };
    const items = doomed.map((id) => ({ id }));
    const done = await deleteSafely(deps, tx, source, stream.name, items, 'live', { cause: 'sweep', evidence });
    await clearDeleted(tx, row.stream_id);
    result.found = found.length;
    result.held = done.held;
    result.gone = doomed.length - done.held;
  });
  return result;
}

/** A record that is older than our cursor was lost before: bringing it back triggers nothing. */
function originOf(pass: Pass, records: readonly RawRecord[]): [RawRecord[], Origin][] {
  const { since } = pass.plan.cursor;
  const isOld = ({ vendorAt }: RawRecord): boolean => since !== undefined && vendorAt !== undefined && vendorAt < since;
  return [
    [records.filter(isOld), 'replay'],
    [records.filter((record) => !isOld(record)), 'live'],
  ];
}

/** Fetches what a reading of ids met and nothing is stored of: it was lost on the way. */
export async function fetchUnknown(pass: Pass): Promise<PassResult> {
  const { deps, tenantId, row, stream, source, session } = pass;
  const ids = await deps.db.tenant(tenantId, async (tx) => {
    const unknown = await unknownOf(tx, row.stream_id, row.id, ASKED);
    // Nothing is stored of the erased, and nothing is to be.
    const erased = await erasedIds(deps, tx, row.stream_id, unknown);
    return unknown.filter((id) => !erased.has(id));
  });
  if (ids.length === 0) return {};
  if (!stream.fetchByIds) {
    await step(pass, { position: row.position, reasons: [`${ids.length} records are there that are not here.`] });
    return { lost: ids.length };
  }
  const fetched = nothingFetched();
  await fetchIds(session, source, stream.name, ids, fetched);
  const records = fetched.records.get(stream.name) ?? [];
  await deps.db.tenant(tenantId, async (tx) => {
    for (const [some, origin] of originOf(pass, records))
      await store(deps, tx, source, { ...nothingFetched(), records: new Map([[stream.name, some]]) }, origin);
  });
  return { lost: records.length };
}

/** What stays unproven although everything was read: records here that the platform no longer lists. */
export function missingReasons(result: PassResult): string[] {
  const left = (result.missing ?? 0) - (result.found ?? 0) - (result.gone ?? 0) - (result.held ?? 0);
  return [
    ...(result.held ? [`${result.held} deletions wait for a decision.`] : []),
    ...(left > 0
      ? [`${left} records are here and were not listed; they stay until another reading misses them too.`]
      : []),
  ];
}
