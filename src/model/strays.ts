import type { Tx } from '../base/database.ts';
import type { JoinedKind } from '../kit/index.ts';
import { appendChanges } from './changes.ts';
import { goldenTable, projectionTable } from './columns.ts';
import { keepHomes } from './homes.ts';
import { refreshGolden } from './parties.ts';
import type { ApplyContext } from './types.ts';

/**
 * Records and keys that came to an entity at the very moment at which another transaction merged it away: they follow
 * it, and what was made anew of the one who is no more goes away again. Running it again finds nothing.
 * @returns how many records followed
 */
export async function adoptStrays(tx: Tx, kind: JoinedKind, ctx: ApplyContext): Promise<number> {
  const { rows } = await tx.query<{ stream_id: string; remote_id: string; old_id: string; entity_id: string }>(
    `select p.stream_id, p.remote_id, a.old_id, a.entity_id from entity_alias a
     join ${projectionTable(kind)} p on p.tenant_id = $1 and p.entity_id = a.old_id where a.tenant_id = $1
     order by p.stream_id, p.remote_id for update of p`,
    [tx.tenantId],
  );
  if (rows.length === 0) return 0;
  await keepHomes(
    tx,
    kind,
    rows.map((row) => ({ streamId: row.stream_id, remoteId: row.remote_id, entityId: row.old_id })),
  );
  const gone = [...new Set(rows.map((row) => row.old_id))];
  for (const table of [projectionTable(kind), 'identity_key'])
    await tx.query(
      `update ${table} t set entity_id = a.entity_id from entity_alias a
       where t.tenant_id = $1 and a.tenant_id = $1 and a.old_id = any($2) and t.entity_id = a.old_id`,
      [tx.tenantId, gone],
    );
  await tx.query(`delete from ${goldenTable(kind)} where tenant_id = $1 and id = any($2)`, [tx.tenantId, gone]);
  const survivors = [...new Set(rows.map((row) => row.entity_id))];
  await appendChanges(tx, await refreshGolden(tx, kind, survivors, ctx));
  return rows.length;
}
