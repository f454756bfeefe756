import { insertRows, type Tx } from '../base/database.ts';
import type { JoinedKind } from '../kit/index.ts';

/** Pairs that must not be joined without a person, by the ids that are alive now. */
export interface Apart {
  /** The keys that are known to prove nothing between the two; undefined: nothing keeps them apart. */
  between(a: string, b: string, live?: (id: string) => string): ReadonlySet<string> | undefined;
}

const NOTHING: Apart = { between: () => undefined };

/** What keeps any of these entities apart from others. Follows merges: whoever absorbed one of a pair takes its place. */
export async function loadApart(tx: Tx, kind: JoinedKind, ids: Iterable<string>): Promise<Apart> {
  const { rows } = await tx.query<{ a: string; b: string; keys: string[] }>(
    `select * from (
       select coalesce(a.entity_id, n.a_id) as a, coalesce(b.entity_id, n.b_id) as b, n.keys from not_same n
       left join entity_alias a on a.tenant_id = $1 and a.old_id = n.a_id
       left join entity_alias b on b.tenant_id = $1 and b.old_id = n.b_id
       where n.tenant_id = $1 and n.kind = $2) pairs
     where a = any($3) or b = any($3)`,
    [tx.tenantId, kind, [...ids]],
  );
  if (rows.length === 0) return NOTHING;
  return {
    between: (x, y, live = (id) => id) => {
      const keys = rows
        .map((row) => ({ a: live(row.a), b: live(row.b), keys: row.keys }))
        .filter(({ a, b }) => (a === x && b === y) || (a === y && b === x));
      return keys.length === 0 ? undefined : new Set(keys.flatMap((pair) => pair.keys));
    },
  };
}

/** Everyone of one side is kept apart from everyone of the other; what they have in common proves nothing from now on. */
export async function keepApart(
  tx: Tx,
  kind: JoinedKind,
  sides: { these: Iterable<string>; those: Iterable<string>; keys: readonly string[] },
  decision: { reason: string; by: string; at: Date },
): Promise<void> {
  const those = [...sides.those];
  const rows = [...sides.these].flatMap((one) =>
    those
      .filter((other) => other !== one)
      .map((other) => ({
        kind,
        a_id: one < other ? one : other,
        b_id: one < other ? other : one,
        keys: [...new Set(sides.keys)].sort(),
        reason: decision.reason,
        decided_by: decision.by,
        at: decision.at,
      })),
  );
  const columns = [
    { name: 'kind', type: 'text' },
    { name: 'a_id', type: 'uuid' },
    { name: 'b_id', type: 'uuid' },
    { name: 'keys', type: 'text[]' },
    { name: 'reason', type: 'text' },
    { name: 'decided_by', type: 'text' },
    { name: 'at', type: 'timestamptz' },
  ];
  await insertRows(
    tx,
    'not_same as n',
    columns,
    rows,
    `on conflict (tenant_id, kind, a_id, b_id) do update set keys = n.keys || excluded.keys, reason = excluded.reason,
       decided_by = excluded.decided_by, at = excluded.at`,
  );
}

/** A person says that they are the same after all. */
export async function forgetApart(
  tx: Tx,
  kind: JoinedKind,
  these: readonly string[],
  those: readonly string[],
): Promise<void> {
  await tx.query(
    'delete from not_same where tenant_id = $1 and kind = $2 and (a_id = any($3) and b_id = any($4) or a_id = any($4) and b_id = any($3))',
    [tx.tenantId, kind, these, those],
  );
}

/**
 * A key that its holder gives up goes to someone alike who has it too, else nobody could be found by it. Who is alike is
 * known: they were kept apart, or it was asked whether they are the same.
 */
export async function bequeathKeys(
  tx: Tx,
  kind: JoinedKind,
  dropped: readonly { entityId: string; key: string }[],
): Promise<void> {
  const { rows: own } = await tx.query<{ id: string; live: string }>(
    `select id, id as live from unnest($2::uuid[]) as i(id)
     union all select old_id, entity_id from entity_alias where tenant_id = $1 and entity_id = any($2)`,
    [tx.tenantId, [...new Set(dropped.map((item) => item.entityId))]],
  );
  const { rows: pairs } = await tx.query<{ mine: string; other: string }>(
    `select i.live as mine, coalesce(a.entity_id, p.other) as other from unnest($3::uuid[], $4::uuid[]) as i(id, live)
     join (select a_id as id, b_id as other from not_same where tenant_id = $1 and kind = $2 and a_id = any($3)
           union select b_id, a_id from not_same where tenant_id = $1 and kind = $2 and b_id = any($3)
           union select entity_id, other_id from merge_suggestion where tenant_id = $1 and kind = $2 and entity_id = any($3)
           union select other_id, entity_id from merge_suggestion where tenant_id = $1 and kind = $2 and other_id = any($3)) p on p.id = i.id
     left join entity_alias a on a.tenant_id = $1 and a.old_id = p.other`,
    [tx.tenantId, kind, own.map((row) => row.id), own.map((row) => row.live)],
  );
  if (pairs.length === 0) return;
  await tx.query(
    `update identity_key k set entity_id = p.entity_id
     from unnest($3::uuid[], $4::text[]) as i(entity_id, key), unnest($5::uuid[], $6::uuid[]) as n(mine, other), ${kind}_projection p
     where k.tenant_id = $1 and k.kind = $2 and k.key = i.key and k.entity_id = i.entity_id and n.mine = i.entity_id
       and p.tenant_id = $1 and p.entity_id = n.other and i.key = any(p.keys)
       and not exists (select from ${kind}_projection o where o.tenant_id = $1 and o.entity_id = i.entity_id and i.key = any(o.keys))`,
    [
      tx.tenantId,
      kind,
      dropped.map((item) => item.entityId),
      dropped.map((item) => item.key),
      pairs.map((pair) => pair.mine),
      pairs.map((pair) => pair.other),
    ],
  );
}
