import type { Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { ENTITY_KINDS, type EntityKind, isJoined, type Reference } from '../kit/index.ts';
import { appendChanges } from './changes.ts';
import { applyDocuments, recordKey } from './documents.ts';
import { applyParties, refreshGolden } from './parties.ts';
import { type LateLink, linkLateReferences } from './references.ts';
import type { ApplyContext, Change, ChangeListener, Mapped } from './types.ts';

// Parents before children, so that most references resolve at once.
const ORDER: EntityKind[] = [
  'owner',
  'company',
  'contact',
  ...ENTITY_KINDS.filter((kind) => !['owner', 'company', 'contact'].includes(kind)),
];

/**
 * Brings mapped records into the model: projections, identity, golden rows, references, the change feed, and whatever
 * must react in the same transaction.
 * @returns the changes as appended
 */
export async function applyRecords(
  tx: Tx,
  records: readonly Mapped[],
  ctx: ApplyContext,
  listeners: readonly ChangeListener[],
): Promise<Change[]> {
  const changes: Change[] = [];
  const arrived: Record<Reference, Map<string, string>> = { customer: new Map(), company: new Map(), owner: new Map() };
  for (const kind of ORDER) {
    const batch = lastOfEach(records.filter((record) => record.kind === kind));
    if (batch.length === 0) continue;
    if (isJoined(kind)) {
      const result = await applyParties(tx, kind, batch, ctx);
      changes.push(...result.changes);
      for (const [ref, id] of result.arrived) arrived[kind === 'contact' ? 'customer' : 'company'].set(ref, id);
    } else {
      const made = await applyDocuments(tx, kind, batch, ctx);
      changes.push(...made);
      if (kind === 'owner') await noteOwners(tx, batch, made, arrived.owner);
    }
  }
  for (const reference of ['owner', 'company', 'customer'] as const) {
    const links = await linkLateReferences(tx, reference, arrived[reference]);
    changes.push(...(await afterLinking(tx, links, ctx)));
  }
  await appendChanges(tx, changes);
  if (changes.length > 0) for (const listener of listeners) await listener(tx, changes, ctx.now);
  return changes;
}

/** One page can hold a record twice (it changed while it was read): the later one counts. */
function lastOfEach(records: readonly Mapped[]): Mapped[] {
  const byKey = new Map(records.map((record) => [recordKey(record.streamId, record.remoteId), record]));
  return byKey.size === records.length ? [...records] : [...byKey.values()];
}

async function noteOwners(
  tx: Tx,
  batch: readonly Mapped[],
  changes: readonly Change[],
  arrived: Map<string, string>,
): Promise<void> {
  if (!changes.some((change) => change.op === 'created')) return;
  const { rows } = await tx.query<{ stream_id: string; remote_id: string; entity_id: string }>(
    `select o.stream_id, o.remote_id, o.entity_id from unnest($2::uuid[], $3::text[]) as i(stream_id, remote_id)
     join owner o on o.tenant_id = $1 and o.stream_id = i.stream_id and o.remote_id = i.remote_id`,
    [tx.tenantId, batch.map((record) => record.streamId), batch.map((record) => record.remoteId)],
  );
  for (const row of rows) arrived.set(recordKey(row.stream_id, row.remote_id), row.entity_id);
}

/** A late link is a change too: an invoice whose customer arrives after it must be seen again. */
export async function afterLinking(tx: Tx, links: readonly LateLink[], ctx: ApplyContext): Promise<Change[]> {
  const changes: Change[] = [];
  for (const kind of ['contact', 'company'] as const) {
    const ids = [...new Set(links.filter((link) => link.kind === kind).map((link) => link.entityId))];
    if (ids.length > 0) changes.push(...(await refreshGolden(tx, kind, ids, ctx)));
  }
  for (const link of links) {
    if (isJoined(link.kind)) continue;
    const field = `${link.reference}_id`;
    changes.push({
      id: newId(),
      kind: link.kind,
      entity_id: link.entityId,
      customer_id: link.reference === 'customer' ? link.targetId : link.customerId,
      op: 'updated',
      fields: [field],
      before: { [field]: null },
      after: { [field]: link.targetId },
      origin: ctx.origin,
      depth: 0,
      occurred_at: ctx.now,
      received_at: ctx.now,
    });
  }
  return changes;
}
