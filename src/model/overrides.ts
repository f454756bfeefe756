import type { Tx } from '../base/database.ts';

/** A value set by hand. It takes part in the golden row as a source of its own, before every platform. */
export interface Override {
  /** The id it was set for; the customer may have become part of another since. */
  customer_id: string;
  field: string;
  value: string;
  /** Who knows it: the customer, or staff. */
  source: 'customer' | 'staff';
  set_by: string;
  note: string | null;
  set_at: Date;
}

/**
 * Values set by hand for customers, also under ids that lead to them by now.
 * @returns by living customer, the newest first
 */
export async function loadOverrides(tx: Tx, customerIds: readonly string[]): Promise<Map<string, Override[]>> {
  const { rows } = await tx.query<Override & { living: string }>(
    `select coalesce(a.entity_id, o.customer_id) as living, o.customer_id, o.field, o.value, o.source, o.set_by, o.note, o.set_at
     from field_override o left join entity_alias a on a.tenant_id = $1 and a.old_id = o.customer_id
     where o.tenant_id = $1 and o.customer_id in (
       select id from unnest($2::uuid[]) as i(id) union all select old_id from entity_alias where tenant_id = $1 and entity_id = any($2))
     order by o.set_at desc, o.customer_id`,
    [tx.tenantId, customerIds],
  );
  const found = new Map<string, Override[]>();
  for (const { living, ...row } of rows) found.set(living, [...(found.get(living) ?? []), row]);
  return found;
}

/** Keeps a value set by hand in place of the one set before. */
export async function putOverride(tx: Tx, override: Override): Promise<void> {
  await tx.query(
    `insert into field_override as o (tenant_id, customer_id, field, value, source, set_by, note, set_at) values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (tenant_id, customer_id, field) do update set value = excluded.value, source = excluded.source,
       set_by = excluded.set_by, note = excluded.note, set_at = excluded.set_at`,
    [
      tx.tenantId,
      override.customer_id,
      override.field,
      override.value,
      override.source,
      override.set_by,
      override.note,
      override.set_at,
    ],
  );
}

/** Gives a field back to the platforms, under every id that leads to the customer. @returns whether it was set by hand */
export async function dropOverride(tx: Tx, customerId: string, field: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `delete from field_override where tenant_id = $1 and field = $3 and (customer_id = $2
       or customer_id in (select old_id from entity_alias where tenant_id = $1 and entity_id = $2))`,
    [tx.tenantId, customerId, field],
  );
  return rowCount > 0;
}
