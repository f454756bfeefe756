import { type Tx, VARIES } from '../base/database.ts';
import { setting } from '../settings/store.ts';
import { compileCondition, compileParts } from './compile.ts';
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

/** Some of those who match, with their names. */
export async function sampleOf(
  tx: Tx,
  condition: Condition,
  { now, limit }: { now: Date; limit: number },
): Promise<{ id: string; name: string | null }[]> {
  const ids = await matching(tx, condition, { now, limit });
  const { rows } = await tx.query<{ id: string; name: string | null }>(
    'select id, coalesce(name, email, phone) as name from customer where tenant_id = $1 and id = any($2) order by id',
    [tx.tenantId, ids],
  );
  return rows;
}

/** One part of a condition, and whether it holds. */
export interface JudgedPart {
  /** Its place, such as `all[1].not`; `condition` for the whole. */
  path: string;
  condition: Condition;
  matches: boolean;
}

/** The parts of a condition from the outside in, with their places; what stands in `where` belongs to its part. */
function partsOf(condition: Condition, path: string): { path: string; condition: Condition }[] {
  const own = { path: path.replace(/^\./, '') || 'condition', condition };
  if ('not' in condition) return [own, ...partsOf(condition.not, `${path}.not`)];
  const [name, parts] =
    'all' in condition ? ['all', condition.all] : 'any' in condition ? ['any', condition.any] : ['', []];
  return [own, ...parts.flatMap((part, at) => partsOf(part, `${path}.${name}[${at}]`))];
}

/** Whether one customer matches, and which parts hold; undefined when there is no such customer. */
export async function judge(
  tx: Tx,
  condition: Condition,
  { now, customerId }: { now: Date; customerId: string },
): Promise<JudgedPart[] | undefined> {
  const parts = partsOf(condition, '');
  const env = await conditionEnv(tx, now);
  const { sql, values } = compileParts(
    parts.map((part) => part.condition),
    { ...env, firstParameter: 3 },
  );
  const { rows } = await tx.query<{ held: boolean[] }>(
    `${VARIES}select array[${sql.join(', ')}] as held from customer c where c.tenant_id = $1 and c.id = $2 and c.deleted_at is null`,
    [tx.tenantId, customerId, ...values],
  );
  return rows[0] && parts.map((part, at) => ({ ...part, matches: rows[0]!.held[at]! }));
}
