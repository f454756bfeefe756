import { one, type Row, type Tx } from '../base/database.ts';
import { conflict, invalid, notFound } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { JoinedKind } from '../kit/index.ts';
import { goldenTable, projectionTable } from './columns.ts';
import { holdRecords, idsOf, idsUnder, livingId, type Member, membersOf } from './homes.ts';
import { keepApart } from './not-same.ts';
import { refreshGolden } from './parties.ts';
import { returnReferences } from './returning.ts';
import type { ApplyContext, Change } from './types.ts';

/** Who takes apart, and why. */
export interface Decision {
  by: string;
  reason: string;
}

/** What came of taking apart. */
export interface Unmerged {
  /** Who stays, and who lives (again). */
  from: string;
  revived: string;
  records: number;
  documents: number;
  changes: Change[];
}

interface MergeRow {
  id: string;
  kind: JoinedKind;
  survivor_id: string;
  absorbed_id: string;
  evidence: { key?: string; keys?: string[] };
  kept: { golden?: { created_at: string; version: number } | null; told?: unknown } | null;
  undone_at: Date | null;
}

/**
 * Takes a merge back: the absorbed one lives again under its own id, with its records, keys and documents, whatever was
 * merged before or since. What made them one is noted as proving nothing.
 * @returns the changes are not appended yet
 * @throws Problem when there is no such merge, it was undone already, or nothing of it is left
 */
export async function undoMerge(
  tx: Tx,
  mergeId: string,
  decision: Decision,
  ctx: ApplyContext,
): Promise<Unmerged & { kind: JoinedKind }> {
  const merge = one(
    await tx.query<MergeRow>(
      'select id, kind, survivor_id, absorbed_id, evidence, kept, undone_at from merge_event where tenant_id = $1 and id = $2 for update',
      [tx.tenantId, mergeId],
    ),
  );
  if (!merge) throw notFound('merge', mergeId);
  if (merge.undone_at)
    throw conflict(
      `This merge was undone on ${merge.undone_at.toISOString()} already.`,
      'Nothing is left to do. To join the two again, merge them by hand.',
    );
  const { kind, absorbed_id: revived } = merge;
  const root = await livingId(tx, merge.survivor_id);
  await holdRecords(tx, kind, [root]);
  const all = await idsOf(tx, root);
  const goes = await idsUnder(tx, revived, all);
  const members = await membersOf(tx, kind, root);
  const moving = members.filter((member) => goes.has(member.entityId));
  if (moving.length === 0)
    throw conflict(
      'None of the records that were merged is here any more.',
      'Split off the records themselves instead.',
    );
  if (moving.length === members.length)
    throw conflict(
      'All the records that are left came with this merge: nobody would stay.',
      'Leave it as it is: the old id leads here.',
    );
  await tx.query(
    'update merge_event set undone_at = $3, undone_by = $4, undo_reason = $5 where tenant_id = $1 and id = $2',
    [tx.tenantId, mergeId, ctx.now, decision.by, decision.reason],
  );
  const { key, keys } = merge.evidence;
  const parted = await part(
    tx,
    {
      kind,
      root,
      revived,
      goes: [...goes],
      stays: all.filter((id) => !goes.has(id)),
      moving,
      staying: members.filter((member) => !goes.has(member.entityId)),
      hadKeys: new Set(keys),
      proof: key ? [key] : [],
      kept: merge.kept?.told,
    },
    decision,
    ctx,
  );
  if (merge.kept?.golden)
    await tx.query(`update ${goldenTable(kind)} set created_at = $3, version = $4 where tenant_id = $1 and id = $2`, [
      tx.tenantId,
      revived,
      merge.kept.golden.created_at,
      merge.kept.golden.version + 1,
    ]);
  return { ...parted, kind };
}

/**
 * Makes somebody of their own of some records of an entity: what was joined wrongly without ever being a merge.
 * @throws Problem when records are not of this entity, or nothing would be left of it
 */
export async function splitRecords(
  tx: Tx,
  kind: JoinedKind,
  entityId: string,
  records: readonly { streamId: string; remoteId: string }[],
  decision: Decision,
  ctx: ApplyContext,
): Promise<Unmerged> {
  const root = await livingId(tx, entityId);
  await holdRecords(tx, kind, [root]);
  const members = await membersOf(tx, kind, root);
  const wanted = new Set(records.map((record) => `${record.streamId}/${record.remoteId}`));
  const isWanted = (member: Member): boolean => wanted.has(`${member.streamId}/${member.remoteId}`);
  const moving = members.filter(isWanted);
  if (moving.length < wanted.size || moving.length === 0)
    throw invalid('Some of these records are not of this customer or company.', [
      { path: 'records', message: 'must be records listed under its identity' },
    ]);
  if (moving.length === members.length)
    throw conflict('These are all of its records: nothing would be left.', 'Leave at least one record where it is.');
  const revived = newId();
  await tx.query(
    `update record_home h set entity_id = $3 from unnest($4::uuid[], $5::text[]) as i(stream_id, remote_id)
     where h.tenant_id = $1 and h.kind = $2 and h.stream_id = i.stream_id and h.remote_id = i.remote_id`,
    [tx.tenantId, kind, revived, moving.map((member) => member.streamId), moving.map((member) => member.remoteId)],
  );
  const staying = members.filter((member) => !isWanted(member));
  const parting = { kind, root, revived, goes: [revived], stays: await idsOf(tx, root), moving, staying };
  return part(tx, { ...parting, hadKeys: new Set(), proof: [], kept: undefined }, decision, ctx);
}

interface Parting {
  kind: JoinedKind;
  root: string;
  revived: string;
  /** Ids that stand for each side. */
  goes: string[];
  stays: string[];
  moving: Member[];
  staying: Member[];
  /** Keys the absorbed one had when it was merged. */
  hadKeys: ReadonlySet<string>;
  /** What was taken as proof. */
  proof: string[];
  kept: unknown;
}

async function part(tx: Tx, parting: Parting, decision: Decision, ctx: ApplyContext): Promise<Unmerged> {
  const { kind, root, revived, goes, moving } = parting;
  await tx.query(
    `update ${projectionTable(kind)} p set entity_id = $2 from unnest($3::uuid[], $4::text[]) as i(stream_id, remote_id)
     where p.tenant_id = $1 and p.stream_id = i.stream_id and p.remote_id = i.remote_id`,
    [tx.tenantId, revived, moving.map((member) => member.streamId), moving.map((member) => member.remoteId)],
  );
  await tx.query('delete from entity_alias where tenant_id = $1 and old_id = $2', [tx.tenantId, revived]);
  await tx.query('update entity_alias set entity_id = $3 where tenant_id = $1 and old_id = any($2)', [
    tx.tenantId,
    goes,
    revived,
  ]);
  const both = await returnKeys(tx, parting);
  await keepApart(
    tx,
    kind,
    { these: goes, those: parting.stays, keys: [...parting.proof, ...both] },
    { ...decision, at: ctx.now },
  );
  const { documents, contacts } = await returnReferences(tx, kind, root, revived, ctx);
  // History, not news: nothing starts because a mistake was corrected, but whoever listens hears of it now.
  const history = { ...ctx, origin: 'replay' as const };
  const changes = [
    ...unmergedChanges(parting, history),
    ...(await refreshGolden(tx, kind, [root, revived], history)),
    ...(contacts.length > 0 ? await refreshGolden(tx, 'contact', contacts, history) : []),
    ...documents,
  ];
  await ctx.onUnmerge?.(tx, {
    kind,
    from: root,
    revived,
    ids: goes,
    kept: parting.kept,
    documents: documents.map((change) => change.entity_id),
    keys: { stays: parting.staying.flatMap(({ keys }) => keys), goes: moving.flatMap(({ keys }) => keys) },
  });
  return { from: root, revived, records: moving.length, documents: documents.length, changes };
}

/**
 * Gives keys back. One that both sides have stays with who had it when they were merged: only one can be found by it.
 * @returns the keys both have
 */
async function returnKeys(tx: Tx, { kind, root, revived, moving, staying, hadKeys }: Parting): Promise<string[]> {
  const stays = new Set(staying.flatMap(({ keys }) => keys));
  const goes = [...new Set(moving.flatMap(({ keys }) => keys))];
  await tx.query(
    'update identity_key set entity_id = $4 where tenant_id = $1 and kind = $2 and key = any($3) and entity_id = $5',
    [tx.tenantId, kind, goes.filter((key) => !stays.has(key) || hadKeys.has(key)), revived, root],
  );
  return goes.filter((key) => stays.has(key));
}

function unmergedChanges({ kind, root, revived }: Parting, ctx: ApplyContext): Change[] {
  const line = (id: string, after: Row): Change => ({
    id: newId(),
    kind,
    entity_id: id,
    customer_id: kind === 'contact' ? id : null,
    op: 'unmerged',
    fields: [],
    before: null,
    after,
    origin: ctx.origin,
    depth: 0,
    occurred_at: ctx.now,
    received_at: ctx.now,
  });
  return [line(root, { revived }), line(revived, { from: root })];
}
