import type { Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { ENTITY_KINDS, type JoinedKind } from '../kit/index.ts';
import { goldenTable, kindsReferring, projectionTable } from './columns.ts';
import type { Join } from './identity.ts';
import type { ApplyContext } from './types.ts';

/**
 * Makes two entities one. What belonged to the absorbed one is written down, so that it can be taken apart again;
 * its id goes on resolving.
 */
export async function joinEntities(
  tx: Tx,
  kind: JoinedKind,
  join: Join,
  decidedBy: string,
  ctx: ApplyContext,
): Promise<void> {
  const { survivor, absorbed } = join;
  const { rows: moved } = await tx.query<{ stream_id: string; remote_id: string }>(
    `update ${projectionTable(kind)} set entity_id = $3 where tenant_id = $1 and entity_id = $2 returning stream_id, remote_id`,
    [tx.tenantId, absorbed, survivor],
  );
  const { rows: keys } = await tx.query<{ key: string }>(
    'update identity_key set entity_id = $3 where tenant_id = $1 and entity_id = $2 returning key',
    [tx.tenantId, absorbed, survivor],
  );
  await tx.query('update entity_alias set entity_id = $3 where tenant_id = $1 and entity_id = $2', [
    tx.tenantId,
    absorbed,
    survivor,
  ]);
  await tx.query(
    'insert into entity_alias (tenant_id, old_id, entity_id) values ($1, $2, $3) on conflict (tenant_id, old_id) do update set entity_id = excluded.entity_id',
    [tx.tenantId, absorbed, survivor],
  );
  const reference = kind === 'contact' ? 'customer' : 'company';
  for (const referring of kindsReferring(reference, ENTITY_KINDS)) {
    await tx.query(
      `update ${projectionTable(referring)} set ${reference}_id = $3 where tenant_id = $1 and ${reference}_id = $2`,
      [tx.tenantId, absorbed, survivor],
    );
  }
  if (kind === 'company')
    await tx.query('update customer set company_id = $3 where tenant_id = $1 and company_id = $2', [
      tx.tenantId,
      absorbed,
      survivor,
    ]);
  await tx.query(`delete from ${goldenTable(kind)} where tenant_id = $1 and id = $2`, [tx.tenantId, absorbed]);
  const evidence = {
    ...join.evidence,
    records: moved.map((row) => `${row.stream_id}/${row.remote_id}`),
    keys: keys.map((row) => row.key),
  };
  await tx.query(
    'insert into merge_event (tenant_id, id, kind, survivor_id, absorbed_id, evidence, decided_by, at) values ($1, $2, $3, $4, $5, $6, $7, $8)',
    [tx.tenantId, newId(), kind, survivor, absorbed, evidence, decidedBy, ctx.now],
  );
  await ctx.onMerge?.(tx, { kind, survivor, absorbed });
}
