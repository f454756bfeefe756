import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { notFound } from '../base/errors.ts';
import { JOINED_KINDS, type JoinedKind } from '../kit/index.ts';
import { appendChanges } from '../model/changes.ts';
import { acceptSuggestion, type Merged, mergeByHand, refuseSuggestion } from '../model/merging.ts';
import { findCustomer } from '../model/store.ts';
import type { ApplyContext, Change } from '../model/types.ts';
import { type Decision, splitRecords, type Unmerged, undoMerge } from '../model/unmerge.ts';
import { tenantZone } from '../settings/store.ts';
import type { SyncDeps } from './deps.ts';
import { type Source, sourcesOf } from './source.ts';

/** Makes two customers or companies one, because a person says so. */
export const mergePair = (
  deps: SyncDeps,
  tenantId: string,
  kind: JoinedKind,
  pair: readonly [string, string],
  decision: Decision,
): Promise<Merged> =>
  changing(deps, tenantId, async (tx, ctx) => {
    const merged = await mergeByHand(tx, kind, pair, decision, ctx);
    await noteMerged(tx, kind, merged, decision, ctx.now);
    return merged;
  });

/** Takes a merge back. */
export const undoMergeOf = (
  deps: SyncDeps,
  tenantId: string,
  mergeId: string,
  decision: Decision,
): Promise<Unmerged & { kind: JoinedKind }> =>
  changing(deps, tenantId, async (tx, ctx) => {
    const parted = await undoMerge(tx, mergeId, decision, ctx);
    await noteUnmerged(tx, parted.kind, parted, decision, { merge: mergeId }, ctx.now);
    return parted;
  });

/** Makes somebody of their own of some records. */
export const splitOff = (
  deps: SyncDeps,
  tenantId: string,
  kind: JoinedKind,
  id: string,
  records: readonly { streamId: string; remoteId: string }[],
  decision: Decision,
): Promise<Unmerged> =>
  changing(deps, tenantId, async (tx, ctx) => {
    if (kind === 'contact' && !(await findCustomer(tx, id))) throw notFound('customer', id);
    const parted = await splitRecords(tx, kind, id, records, decision, ctx);
    await noteUnmerged(tx, kind, parted, decision, {}, ctx.now);
    return parted;
  });

/** Follows a suggestion. */
export const acceptSuggested = (
  deps: SyncDeps,
  tenantId: string,
  id: string,
  by: string,
): Promise<Merged & { kind: JoinedKind }> =>
  changing(deps, tenantId, async (tx, ctx) => {
    const merged = await acceptSuggestion(tx, id, by, ctx);
    await noteMerged(tx, merged.kind, merged, { by, reason: 'A suggestion was accepted.' }, ctx.now);
    return merged;
  });

/** Refuses a suggestion for good. */
export async function refuseSuggested(
  deps: SyncDeps,
  tenantId: string,
  id: string,
  decision: Decision,
): Promise<{ entityId: string; otherId: string }> {
  return deps.db.tenant(tenantId, async (tx) => {
    const now = deps.clock.now();
    const { entityId, otherId, kind } = await refuseSuggestion(tx, id, decision, now);
    await appendEvents(tx, [
      {
        actor: decision.by,
        action: 'identity.kept_apart',
        subject: { kind, id: entityId },
        customerId: kind === 'contact' ? entityId : null,
        data: { other: otherId, reason: decision.reason },
        at: now,
      },
    ]);
    return { entityId, otherId };
  });
}

/**
 * One transaction: what changes, the feed, and whoever must react.
 * @param origin `live` for a fact that is news; taking apart and joining is history
 */
export async function changing<T extends { changes: Change[] }>(
  deps: SyncDeps,
  tenantId: string,
  work: (tx: Tx, ctx: ApplyContext) => Promise<T>,
  origin: 'live' | 'replay' = 'replay',
): Promise<T> {
  return deps.db.tenant(tenantId, (tx) => changingIn(deps, tx, work, origin));
}

/** The same inside a transaction that is open already. */
export async function changingIn<T extends { changes: Change[] }>(
  deps: SyncDeps,
  tx: Tx,
  work: (tx: Tx, ctx: ApplyContext) => Promise<T>,
  origin: 'live' | 'replay' = 'replay',
): Promise<T> {
  const zone = await tenantZone(tx);
  const ctx = { ...contextOf(deps, { zone, sourceOf: await sourcesOf(deps, tx) }), origin };
  const result = await work(tx, ctx);
  await tellChanges(deps, tx, result.changes, ctx.now);
  return result;
}

const contextOf = (deps: SyncDeps, source: Pick<Source, 'zone' | 'sourceOf'>): ApplyContext => ({
  now: deps.clock.now(),
  origin: 'replay',
  zone: source.zone,
  sourceOf: source.sourceOf,
  onMerge: deps.listeners.onMerge,
  onUnmerge: deps.listeners.onUnmerge,
});

/** Appends changes to the feed and tells whoever reacts in the same transaction. */
export async function tellChanges(deps: SyncDeps, tx: Tx, changes: readonly Change[], now: Date): Promise<void> {
  await appendChanges(tx, changes);
  for (const listener of deps.listeners.changes) await listener(tx, changes, now);
}

async function noteMerged(tx: Tx, kind: JoinedKind, merged: Merged, decision: Decision, now: Date): Promise<void> {
  await appendEvents(tx, [
    {
      actor: decision.by,
      action: 'identity.merged',
      subject: { kind, id: merged.survivor },
      customerId: kind === 'contact' ? merged.survivor : null,
      data: { merge: merged.id, absorbed: merged.absorbed, reason: decision.reason },
      at: now,
    },
  ]);
}

/** Told under both ids: whoever looks at either must find why it has what it has. */
async function noteUnmerged(
  tx: Tx,
  kind: JoinedKind,
  parted: Unmerged,
  decision: Decision,
  more: { merge?: string },
  now: Date,
): Promise<void> {
  const { from, revived, records, documents } = parted;
  await appendEvents(
    tx,
    [from, revived].map((id) => ({
      actor: decision.by,
      action: 'identity.unmerged',
      subject: { kind, id },
      customerId: kind === 'contact' ? id : null,
      data: { ...more, from, revived, records, documents, reason: decision.reason },
      at: now,
    })),
  );
}

/**
 * Records the platform had merged away and shows as records of their own again: what followed that merge is undone.
 * @param ids of records that were deleted and are there again
 */
export async function followVendorUnmerge(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  stream: string,
  ids: readonly string[],
): Promise<void> {
  const streamId = source.streamIds.get(stream)!;
  const { rows } = await tx.query<{ remote_id: string }>(
    `update source_record set merged_into = null where tenant_id = $1 and stream_id = $2 and remote_id = any($3)
       and merged_into is not null and deleted_at is null returning remote_id`,
    [tx.tenantId, streamId, ids],
  );
  for (const { remote_id } of rows) {
    const { rows: merges } = await tx.query<{ id: string; kind: JoinedKind }>(
      `select id, kind from merge_event where tenant_id = $1 and kind = any($2) and undone_at is null
         and decided_by = $3 and evidence ->> 'record' = $4 order by at desc`,
      [tx.tenantId, JOINED_KINDS, `vendor:${source.connector.id}`, `${streamId}/${remote_id}`],
    );
    for (const { id, kind } of merges) {
      const decision = {
        by: `vendor:${source.connector.id}`,
        reason: `${source.connector.name} shows both records again.`,
      };
      const ctx = contextOf(deps, source);
      const parted = await undoMerge(tx, id, decision, ctx);
      await noteUnmerged(tx, kind, parted, decision, { merge: id }, ctx.now);
      await tellChanges(deps, tx, parted.changes, ctx.now);
    }
  }
}
