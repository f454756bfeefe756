import type { Tx } from '../base/database.ts';
import { VARIES } from '../base/database.ts';
import { setting } from '../settings/store.ts';
import { compileCondition } from './compile.ts';
import type { CompileEnv } from './statement.ts';
import type { Condition } from './types.ts';

/** The zones (canonical names) that customers live in, the business's own left out. Reads an entry of an index for each. */
export async function zonesInUse(tx: Tx): Promise<string[]> {
  const { rows } = await tx.query<{ zone: string }>(
    `with recursive found(zone) as (
       select (select min(local_zone) from customer where tenant_id = $1 and local_zone is not null)
       union all select (select min(c.local_zone) from customer c where c.tenant_id = $1 and c.local_zone is not null and c.local_zone > f.zone) from found f where f.zone is not null)
     select zone from found where zone is not null`,
    [tx.tenantId],
  );
  return rows.map((row) => row.zone);
}

/** What conditions of this business are compiled for at a moment; good for as many as one transaction asks. */
export async function conditionEnv(tx: Tx, now: Date): Promise<CompileEnv> {
  const { zone, currency } = await setting(tx, 'business');
  return { now, zone, currency, zones: await zonesInUse(tx) };
}

/** Which customers match a checked condition. */
export interface Sought {
  now: Date;
  /** Only these are looked at: the cost follows their number. */
  customerIds?: readonly string[];
  /** Only ids after this one, for pages. */
  after?: string;
  limit: number;
}

/** The customers that match at a moment, in the order of their ids; deleted ones never do. */
export async function matching(tx: Tx, condition: Condition, sought: Sought): Promise<string[]> {
  const env = await conditionEnv(tx, sought.now);
  const { sql, values } = compileCondition(condition, { ...env, firstParameter: 5 });
  const among = sought.customerIds ? 'and c.id = any($4::uuid[])' : 'and $4::uuid[] is null';
  const { rows } = await tx.query<{ id: string }>(
    `${VARIES}select c.id from customer c where c.tenant_id = $1 and c.deleted_at is null and ($2::uuid is null or c.id > $2) ${among}
       and ${sql} order by c.id limit $3`,
    [tx.tenantId, sought.after ?? null, sought.limit, sought.customerIds ?? null, ...values],
  );
  return rows.map((row) => row.id);
}

/** How many customers match at a moment. */
export async function countMatching(tx: Tx, condition: Condition, { now }: { now: Date }): Promise<number> {
  const { sql, values } = compileCondition(condition, await conditionEnv(tx, now));
  const { rows } = await tx.query<{ n: number }>(
    `${VARIES}select count(*)::int as n from customer c where c.tenant_id = $1 and c.deleted_at is null and ${sql}`,
    [tx.tenantId, ...values],
  );
  return rows[0]!.n;
}
