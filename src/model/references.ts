import type { Tx } from '../base/database.ts';
import { ENTITY_KINDS, type EntityKind, type Reference } from '../kit/index.ts';
import { kindsReferring, projectionTable } from './columns.ts';

/** What a reference points at. */
export const TARGET: Record<Reference, EntityKind> = { customer: 'contact', company: 'company', owner: 'owner' };

/**
 * Resolves source references to entity ids.
 * @returns entity id by reference; those whose target has not arrived yet are missing
 */
export async function resolveReferences(
  tx: Tx,
  reference: Reference,
  refs: readonly string[],
): Promise<Map<string, string>> {
  const resolved = new Map<string, string>();
  const distinct = [...new Set(refs)];
  const records = distinct.filter((ref) => !ref.startsWith('~'));
  if (records.length > 0) {
    const table = projectionTable(TARGET[reference]);
    const { rows } = await tx.query<{ ref: string; entity_id: string }>(
      `select i.ref, t.entity_id from unnest($2::text[], $3::uuid[], $4::text[]) as i(ref, stream_id, remote_id)
       join ${table} t on t.tenant_id = $1 and t.stream_id = i.stream_id and t.remote_id = i.remote_id`,
      [tx.tenantId, records, records.map((ref) => ref.slice(0, 36)), records.map((ref) => ref.slice(37))],
    );
    for (const row of rows) resolved.set(row.ref, row.entity_id);
  }
  const keys = distinct.filter((ref) => ref.startsWith('~'));
  if (keys.length > 0) {
    const { rows } = await tx.query<{ key: string; entity_id: string }>(
      'select key, entity_id from identity_key where tenant_id = $1 and kind = $2 and key = any($3)',
      [tx.tenantId, TARGET[reference], keys.map((ref) => ref.slice(1))],
    );
    for (const row of rows) resolved.set(`~${row.key}`, row.entity_id);
  }
  return resolved;
}

/** A row whose reference found its target only now. */
export interface LateLink {
  kind: EntityKind;
  entityId: string;
  customerId: string | null;
  reference: Reference;
  targetId: string;
}

/**
 * Connects rows that arrived before what they point at.
 * @param arrived entity id by reference, for the records and keys that are new in this transaction
 */
export async function linkLateReferences(
  tx: Tx,
  reference: Reference,
  arrived: ReadonlyMap<string, string>,
): Promise<LateLink[]> {
  if (arrived.size === 0) return [];
  const kinds = kindsReferring(reference, ENTITY_KINDS);
  // One probe of the (usually empty) partial indexes decides whether anything is to be done at all.
  const probes = kinds.map(
    (kind) =>
      `exists (select from ${projectionTable(kind)} where tenant_id = $1 and ${reference}_id is null and ${reference}_ref is not null) as ${kind}`,
  );
  const { rows } = await tx.query<Record<string, boolean>>(`select ${probes.join(', ')}`, [tx.tenantId]);
  const links: LateLink[] = [];
  for (const kind of kinds.filter((candidate) => rows[0]?.[candidate])) {
    const customer = kind === 'contact' ? 't.entity_id' : kind === 'company' ? 'null::uuid' : 't.customer_id';
    const { rows: linked } = await tx.query<{ entity_id: string; customer_id: string | null; target: string }>(
      `update ${projectionTable(kind)} t set ${reference}_id = i.id from unnest($2::text[], $3::uuid[]) as i(ref, id)
       where t.tenant_id = $1 and t.${reference}_ref = i.ref and t.${reference}_id is null
       returning t.entity_id, ${customer} as customer_id, i.id as target`,
      [tx.tenantId, [...arrived.keys()], [...arrived.values()]],
    );
    for (const row of linked)
      links.push({ kind, entityId: row.entity_id, customerId: row.customer_id, reference, targetId: row.target });
  }
  return links;
}
