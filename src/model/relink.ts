import type { Tx } from '../base/database.ts';
import { ENTITY_KINDS, isJoined, JOINED_KINDS, type Reference } from '../kit/index.ts';
import { afterLinking } from './apply.ts';
import { appendChanges } from './changes.ts';
import { kindsReferring, projectionTable } from './columns.ts';
import { linkLateReferences, TARGET } from './references.ts';
import { adoptStrays } from './strays.ts';
import type { ApplyContext, ChangeListener } from './types.ts';

/** Targets connected in one transaction. */
const BATCH = 2000;

/**
 * Connects rows with what they refer to where the two were written by transactions that could not see each other, and
 * follows merges that a row missed in the same way. Running it again finds nothing.
 * @returns how many rows were connected; when it is not 0 there may be more
 */
export async function relink(tx: Tx, ctx: ApplyContext, listeners: readonly ChangeListener[]): Promise<number> {
  let connected = 0;
  for (const reference of ['owner', 'company', 'customer'] as const) {
    const links = await linkLateReferences(tx, reference, await arrivedUnseen(tx, reference));
    const changes = await afterLinking(tx, links, ctx);
    await appendChanges(tx, changes);
    if (changes.length > 0) for (const listener of listeners) await listener(tx, changes, ctx.now);
    connected += links.length + (await followMerges(tx, reference));
  }
  for (const kind of JOINED_KINDS) connected += await adoptStrays(tx, kind, ctx);
  return connected;
}

/** References without a target whose target is there. */
async function arrivedUnseen(tx: Tx, reference: Reference): Promise<Map<string, string>> {
  const target = TARGET[reference];
  const found = new Map<string, string>();
  for (const kind of kindsReferring(reference, ENTITY_KINDS)) {
    const open = `select distinct ${reference}_ref as ref from ${projectionTable(kind)} where tenant_id = $1 and ${reference}_id is null and ${reference}_ref is not null`;
    const { rows } = await tx.query<{ ref: string; entity_id: string }>(
      `select o.ref, t.entity_id from (${open} and ${reference}_ref not like '~%') o
         join ${projectionTable(target)} t on t.tenant_id = $1 and t.stream_id = left(o.ref, 36)::uuid and t.remote_id = substr(o.ref, 38)
       union all
       select o.ref, k.entity_id from (${open} and ${reference}_ref like '~%') o
         join identity_key k on k.tenant_id = $1 and k.kind = $2 and k.key = substr(o.ref, 2)
       limit $3`,
      [tx.tenantId, target, BATCH],
    );
    for (const row of rows) found.set(row.ref, row.entity_id);
  }
  return found;
}

/** Rows that still point at an entity another one absorbed. */
async function followMerges(tx: Tx, reference: Reference): Promise<number> {
  if (!isJoined(TARGET[reference])) return 0;
  let moved = 0;
  for (const kind of kindsReferring(reference, ENTITY_KINDS)) {
    const { rowCount } = await tx.query(
      `update ${projectionTable(kind)} t set ${reference}_id = a.entity_id from entity_alias a
       where t.tenant_id = $1 and a.tenant_id = $1 and t.${reference}_id = a.old_id`,
      [tx.tenantId],
    );
    moved += rowCount;
  }
  return moved;
}
