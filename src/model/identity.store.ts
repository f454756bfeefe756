import type { Tx } from '../base/database.ts';
import type { JoinedKind } from '../kit/index.ts';
import { projectionTable } from './columns.ts';
import { idsOf } from './homes.ts';

/** Who somebody is made of, and why. */
export interface IdentityFacts {
  records: {
    streamId: string;
    remoteId: string;
    connector: string | null;
    connection: string | null;
    stream: string | null;
    name: string | null;
    keys: string[];
    deletedAt: Date | null;
  }[];
  keys: string[];
  merges: {
    id: string;
    survivor: string;
    absorbed: string;
    evidence: Record<string, unknown>;
    by: string;
    at: Date;
    undoneAt: Date | null;
    undoneBy: string | null;
    undoReason: string | null;
  }[];
  aliases: string[];
  notSame: { id: string; keys: string[]; reason: string; by: string; at: Date }[];
}

/** Everything that says who an entity is: its records, keys, merges with their evidence, old ids, and who it is not. */
export async function identityFacts(tx: Tx, kind: JoinedKind, id: string): Promise<IdentityFacts> {
  const ids = await idsOf(tx, id);
  const { rows: records } = await tx.query<IdentityFacts['records'][number]>(
    `select p.stream_id as "streamId", p.remote_id as "remoteId", c.connector, c.name as connection, s.name as stream, p.name, p.keys, p.deleted_at as "deletedAt"
     from ${projectionTable(kind)} p
     left join stream s on s.tenant_id = p.tenant_id and s.id = p.stream_id left join connection c on c.tenant_id = p.tenant_id and c.id = s.connection_id
     where p.tenant_id = $1 and p.entity_id = $2 order by p.source_created_at nulls last, p.stream_id, p.remote_id`,
    [tx.tenantId, id],
  );
  const { rows: keys } = await tx.query<{ key: string }>(
    'select key from identity_key where tenant_id = $1 and kind = $2 and entity_id = $3 order by key',
    [tx.tenantId, kind, id],
  );
  const { rows: merges } = await tx.query<IdentityFacts['merges'][number]>(
    `select id, survivor_id as survivor, absorbed_id as absorbed, evidence, decided_by as by, at, undone_at as "undoneAt", undone_by as "undoneBy", undo_reason as "undoReason"
     from merge_event where tenant_id = $1 and kind = $2 and (survivor_id = any($3) or absorbed_id = any($3)) order by at, id`,
    [tx.tenantId, kind, ids],
  );
  const { rows: notSame } = await tx.query<IdentityFacts['notSame'][number]>(
    `select distinct coalesce(a.entity_id, n.other) as id, n.keys, n.reason, n.decided_by as by, n.at
     from (select case when a_id = any($3) then b_id else a_id end as other, keys, reason, decided_by, at from not_same
           where tenant_id = $1 and kind = $2 and (a_id = any($3) or b_id = any($3))) n
     left join entity_alias a on a.tenant_id = $1 and a.old_id = n.other order by n.at`,
    [tx.tenantId, kind, ids],
  );
  return { records, keys: keys.map((row) => row.key), merges, aliases: ids.slice(1), notSame };
}
