import { one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { ENTITY_KINDS, type JoinedKind } from '../kit/index.ts';
import { goldenTable, kindsReferring, projectionTable } from './columns.ts';
import { membersOf } from './homes.ts';
import type { Join } from './identity.ts';
import { followCompanies } from './local-zones.ts';
import type { ApplyContext, Change } from './types.ts';

/**
 * Makes two entities one. What belonged to the absorbed one is written down, so that it can be taken apart again;
 * its id goes on resolving.
 * @returns the line of the change feed that tells of it, not yet appended
 */
export async function joinEntities(
  tx: Tx,
  kind: JoinedKind,
  join: Join,
  decidedBy: string,
  ctx: ApplyContext,
): Promise<Change> {
  const { survivor, absorbed } = join;
  // From now on it counts where each record came from, so that it can go back there.
  for (const id of [survivor, absorbed]) await membersOf(tx, kind, id);
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
  if (kind === 'company') {
    await tx.query('update customer set company_id = $3 where tenant_id = $1 and company_id = $2', [
      tx.tenantId,
      absorbed,
      survivor,
    ]);
    await followCompanies(tx, [survivor], ctx.zone);
  }
  const golden = one(
    await tx.query<{ created_at: Date; version: number }>(
      `delete from ${goldenTable(kind)} where tenant_id = $1 and id = $2 returning created_at, version`,
      [tx.tenantId, absorbed],
    ),
  );
  const evidence = {
    ...join.evidence,
    records: moved.map((row) => `${row.stream_id}/${row.remote_id}`),
    keys: keys.map((row) => row.key),
  };
  const told = await ctx.onMerge?.(tx, { kind, survivor, absorbed });
  const id = newId();
  await tx.query(
    'insert into merge_event (tenant_id, id, kind, survivor_id, absorbed_id, evidence, decided_by, at, kept) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)',
    [tx.tenantId, id, kind, survivor, absorbed, evidence, decidedBy, ctx.now, { golden, told }],
  );
  return {
    id: newId(),
    kind,
    entity_id: survivor,
    customer_id: kind === 'contact' ? survivor : null,
    op: 'merged',
    fields: [],
    before: null,
    after: { merge: id, absorbed },
    origin: ctx.origin,
    depth: 0,
    occurred_at: ctx.now,
    received_at: ctx.now,
  };
}
