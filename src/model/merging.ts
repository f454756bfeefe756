import { one, type Tx } from '../base/database.ts';
import { conflict, notFound } from '../base/errors.ts';
import type { JoinedKind } from '../kit/index.ts';
import { goldenTable, projectionTable } from './columns.ts';
import { holdRecords, idsOf, livingId } from './homes.ts';
import { joinEntities } from './merge.ts';
import { forgetApart, keepApart } from './not-same.ts';
import { refreshGolden } from './parties.ts';
import type { ApplyContext, Change } from './types.ts';
import type { Decision } from './unmerge.ts';

/** A merge a person decided on. */
export interface Merged {
  id: string;
  survivor: string;
  absorbed: string;
  /** Not appended yet. */
  changes: Change[];
}

/**
 * Makes two one because a person says so, also against what was said before. The older id survives: others have seen it
 * longer.
 * @throws Problem when one does not exist or they are one already
 */
export async function mergeByHand(
  tx: Tx,
  kind: JoinedKind,
  pair: readonly [string, string],
  decision: Decision & { key?: string | null },
  ctx: ApplyContext,
): Promise<Merged> {
  const [one, other] = [await livingId(tx, pair[0]), await livingId(tx, pair[1])];
  for (const [at, id] of [one, other].entries())
    if (!(await exists(tx, kind, id))) throw notFound(kind === 'contact' ? 'customer' : 'company', pair[at]!);
  if (one === other)
    throw conflict('They are the same already.', 'Nothing is left to do; their identity shows by which merge.');
  const [survivor, absorbed] = one < other ? [one, other] : [other, one];
  await holdRecords(tx, kind, [survivor, absorbed]);
  await forgetApart(tx, kind, await idsOf(tx, survivor), await idsOf(tx, absorbed));
  const history = { ...ctx, origin: 'replay' as const };
  const evidence = { key: decision.key ?? '', record: '', reason: decision.reason };
  const told = await joinEntities(tx, kind, { survivor, absorbed, evidence }, decision.by, history);
  const changes = [told, ...(await refreshGolden(tx, kind, [survivor], history))];
  await tx.query(
    `update merge_suggestion set decided_at = $4, decision = 'accepted', decided_by = $5
     where tenant_id = $1 and kind = $2 and decided_at is null and entity_id = any($3) and other_id = any($3)`,
    [tx.tenantId, kind, await idsOf(tx, survivor), ctx.now, decision.by],
  );
  return { id: told.after!.merge as string, survivor, absorbed, changes };
}

async function exists(tx: Tx, kind: JoinedKind, id: string): Promise<boolean> {
  const { rowCount } = await tx.query(`select 1 from ${goldenTable(kind)} where tenant_id = $1 and id = $2`, [
    tx.tenantId,
    id,
  ]);
  return rowCount > 0;
}

export interface SuggestionRow {
  id: string;
  kind: JoinedKind;
  entity_id: string;
  other_id: string;
  name: string | null;
  other_name: string | null;
  key: string | null;
  reason: string;
  at: Date;
  decided_at: Date | null;
  decided_by: string | null;
  decision: string | null;
}

/** Pairs that may be the same, by the ids that are alive now, oldest first; open ones unless `decided`. */
export async function listSuggestions(
  tx: Tx,
  filter: { id?: string; entityId?: string; decided?: boolean; after?: string | undefined; limit: number },
): Promise<SuggestionRow[]> {
  const { rows } = await tx.query<SuggestionRow>(
    `select s.id, s.kind, s.entity_id, s.other_id, coalesce(c.name, c.email, f.name) as name, coalesce(d.name, d.email, g.name) as other_name,
            s.key, s.reason, s.at, s.decided_at, s.decided_by, s.decision
     from (select m.id, m.kind, coalesce(a.entity_id, m.entity_id) as entity_id, coalesce(b.entity_id, m.other_id) as other_id,
             m.key, m.reason, m.at, m.decided_at, m.decided_by, m.decision
           from merge_suggestion m
           left join entity_alias a on a.tenant_id = $1 and a.old_id = m.entity_id
           left join entity_alias b on b.tenant_id = $1 and b.old_id = m.other_id
           where m.tenant_id = $1 and ($2::uuid is null or m.id = $2)) s
     left join customer c on c.tenant_id = $1 and c.id = s.entity_id left join customer d on d.tenant_id = $1 and d.id = s.other_id
     left join company f on f.tenant_id = $1 and f.id = s.entity_id left join company g on g.tenant_id = $1 and g.id = s.other_id
     where ($3::uuid is null or $3 in (s.entity_id, s.other_id)) and ($2::uuid is not null or (s.decided_at is not null) = $4)
       and (s.decided_at is not null or s.entity_id <> s.other_id) and ($5::uuid is null or s.id > $5)
     order by s.id limit $6`,
    [
      tx.tenantId,
      filter.id ?? null,
      filter.entityId ?? null,
      filter.decided ?? false,
      filter.after ?? null,
      filter.limit,
    ],
  );
  return rows;
}

/** @throws Problem when it does not exist or was decided on */
async function openSuggestion(tx: Tx, id: string): Promise<SuggestionRow> {
  await tx.query('select 1 from merge_suggestion where tenant_id = $1 and id = $2 for update', [tx.tenantId, id]);
  const found = one(await listSuggestionRows(tx, id));
  if (!found) throw notFound('suggestion', id);
  if (found.decided_at)
    throw conflict(
      `This was decided on ${found.decided_at.toISOString()}: ${found.decision}.`,
      'Merge the two by hand, or undo the merge, when that was wrong.',
    );
  return found;
}

const listSuggestionRows = async (tx: Tx, id: string): Promise<{ rows: SuggestionRow[] }> => ({
  rows: await listSuggestions(tx, { id, limit: 1 }),
});

/** A person says that the two are the same. */
export async function acceptSuggestion(
  tx: Tx,
  id: string,
  by: string,
  ctx: ApplyContext,
): Promise<Merged & { kind: JoinedKind }> {
  const { kind, entity_id, other_id, key, reason } = await openSuggestion(tx, id);
  const merged = await mergeByHand(tx, kind, [entity_id, other_id], { by, reason, key }, ctx);
  await decide(tx, id, 'accepted', by, ctx.now);
  return { ...merged, kind };
}

/** A person says that they are not: it is not asked again, and nothing joins them by itself. */
export async function refuseSuggestion(
  tx: Tx,
  id: string,
  decision: Decision,
  now: Date,
): Promise<{ entityId: string; otherId: string; kind: JoinedKind }> {
  const { kind, entity_id, other_id, key } = await openSuggestion(tx, id);
  const sides = {
    these: await idsOf(tx, entity_id),
    those: await idsOf(tx, other_id),
    keys: [...(key === null ? [] : [key]), ...(await sharedKeys(tx, kind, entity_id, other_id))],
  };
  await keepApart(tx, kind, sides, { ...decision, at: now });
  await decide(tx, id, 'refused', decision.by, now);
  return { entityId: entity_id, otherId: other_id, kind };
}

/** Everything the two have in common now: none of it is asked about one by one. */
async function sharedKeys(tx: Tx, kind: JoinedKind, a: string, b: string): Promise<string[]> {
  const keys = `select unnest(keys) as key from ${projectionTable(kind)} where tenant_id = $1 and entity_id`;
  const { rows } = await tx.query<{ key: string }>(`${keys} = $2 intersect ${keys} = $3`, [tx.tenantId, a, b]);
  return rows.map((row) => row.key);
}

async function decide(tx: Tx, id: string, decision: string, by: string, now: Date): Promise<void> {
  await tx.query(
    'update merge_suggestion set decided_at = $3, decision = $4, decided_by = $5 where tenant_id = $1 and id = $2',
    [tx.tenantId, id, now, decision, by],
  );
}
