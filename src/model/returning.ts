import type { Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { ENTITY_KINDS, type EntityKind, isJoined, type JoinedKind } from '../kit/index.ts';
import { kindsReferring, projectionTable } from './columns.ts';
import type { ApplyContext, Change } from './types.ts';

/**
 * What refers to one of the records or keys that went goes with them: each document to the side its own source names.
 * @returns a change for each document, and the contacts whose company it was
 */
export async function returnReferences(
  tx: Tx,
  kind: JoinedKind,
  root: string,
  revived: string,
  ctx: ApplyContext,
): Promise<{ documents: Change[]; contacts: string[] }> {
  const reference = kind === 'contact' ? 'customer' : 'company';
  const field = `${reference}_id`;
  const documents: Change[] = [];
  const contacts = new Set<string>();
  for (const referring of kindsReferring(reference, ENTITY_KINDS)) {
    for (const row of await returnRows(tx, referring, kind, reference, root, revived)) {
      if (isJoined(referring)) contacts.add(row.entity_id);
      else documents.push(changeOf(referring, row, field, root, revived, ctx));
    }
  }
  return { documents, contacts: [...contacts] };
}

interface ReturnedRow {
  entity_id: string;
  customer_id: string | null;
}

async function returnRows(
  tx: Tx,
  referring: EntityKind,
  kind: JoinedKind,
  reference: 'customer' | 'company',
  root: string,
  revived: string,
): Promise<ReturnedRow[]> {
  const customer = isJoined(referring) ? 'null::uuid' : 't.customer_id';
  const { rows } = await tx.query<ReturnedRow>(
    `update ${projectionTable(referring)} t set ${reference}_id = $3
     where t.tenant_id = $1 and t.${reference}_id = $2 and (
       exists (select from ${projectionTable(kind)} p where p.tenant_id = $1 and p.entity_id = $3 and t.${reference}_ref = p.stream_id::text || '/' || p.remote_id)
       or exists (select from identity_key k where k.tenant_id = $1 and k.kind = $4 and k.entity_id = $3 and t.${reference}_ref = '~' || k.key))
     returning t.entity_id, ${customer} as customer_id`,
    [tx.tenantId, root, revived, kind],
  );
  return rows;
}

const changeOf = (
  kind: EntityKind,
  row: ReturnedRow,
  field: string,
  before: string,
  after: string,
  ctx: ApplyContext,
): Change => ({
  id: newId(),
  kind,
  entity_id: row.entity_id,
  customer_id: row.customer_id,
  op: 'updated',
  fields: [field],
  before: { [field]: before },
  after: { [field]: after },
  origin: 'replay',
  depth: 0,
  occurred_at: ctx.now,
  received_at: ctx.now,
});
