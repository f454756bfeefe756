import { one, type Tx } from '../base/database.ts';
import type { Erasure, Ground } from './schema.ts';
import type { Scope } from './scope.ts';

export interface ErasureRow {
  id: string;
  customer_id: string;
  ground: Ground;
  requested_by: string;
  requested_at: Date;
  state: 'running' | 'done';
  step: number;
  scope: Scope | null;
  rows: Record<string, number>;
  hashes: string[];
  out_of_reach: string[];
  done_at: Date | null;
  lifted_at: Date | null;
  lifted_by: string | null;
}

const ALL =
  'id, customer_id, ground, requested_by, requested_at, state, step, scope, rows, hashes, out_of_reach, done_at, lifted_at, lifted_by';

export async function findErasure(tx: Tx, id: string, lock = false): Promise<ErasureRow | undefined> {
  return one(
    await tx.query<ErasureRow>(
      `select ${ALL} from erasure where tenant_id = $1 and id = $2 ${lock ? 'for update' : ''}`,
      [tx.tenantId, id],
    ),
  );
}

/** The erasure of whoever had an id. */
export async function erasureOf(tx: Tx, customerId: string): Promise<ErasureRow | undefined> {
  return one(
    await tx.query<ErasureRow>(
      `select ${ALL} from erasure where tenant_id = $1 and customer_id = $2 order by requested_at desc limit 1`,
      [tx.tenantId, customerId],
    ),
  );
}

/** Receipts, newest first. */
export async function listErasures(tx: Tx, before: string | undefined, limit: number): Promise<ErasureRow[]> {
  const { rows } = await tx.query<ErasureRow>(
    `select ${ALL} from erasure where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3`,
    [tx.tenantId, before ?? null, limit],
  );
  return rows;
}

/** Erasures that are not at their end, oldest first. */
export async function openErasures(tx: Tx): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    "select id from erasure where tenant_id = $1 and state = 'running' order by requested_at",
    [tx.tenantId],
  );
  return rows.map((row) => row.id);
}

export async function insertErasure(
  tx: Tx,
  row: Pick<ErasureRow, 'id' | 'customer_id' | 'ground' | 'requested_by' | 'requested_at' | 'hashes'> & {
    scope: Scope;
  },
): Promise<void> {
  await tx.query(
    `insert into erasure (tenant_id, id, customer_id, ground, requested_by, requested_at, state, scope, hashes)
     values ($1, $2, $3, $4, $5, $6, 'running', $7, $8)`,
    [
      tx.tenantId,
      row.id,
      row.customer_id,
      row.ground,
      row.requested_by,
      row.requested_at,
      { ...row.scope },
      row.hashes,
    ],
  );
}

/** Notes that a step was done, in its transaction. */
export async function noteStep(tx: Tx, id: string, step: number, rows: Record<string, number>): Promise<void> {
  await tx.query('update erasure set step = $3, rows = $4 where tenant_id = $1 and id = $2', [
    tx.tenantId,
    id,
    step,
    rows,
  ]);
}

/** The end: what the person was found by goes, the receipt stays. */
export async function endErasure(tx: Tx, id: string, outOfReach: readonly string[], now: Date): Promise<void> {
  await tx.query(
    "update erasure set state = 'done', scope = null, out_of_reach = $3, done_at = $4 where tenant_id = $1 and id = $2",
    [tx.tenantId, id, JSON.stringify(outOfReach), now],
  );
}

export async function insertBlocks(
  tx: Tx,
  erasureId: string,
  kind: 'record' | 'address',
  hashes: readonly Buffer[],
  now: Date,
): Promise<void> {
  await tx.query(
    `insert into erasure_block (tenant_id, hash, erasure_id, kind, created_at)
     select $1, decode(h, 'hex'), $2, $3, $4 from unnest($5::text[]) as i(h) on conflict (tenant_id, hash) do nothing`,
    [tx.tenantId, erasureId, kind, now, [...new Set(hashes.map((hash) => hash.toString('hex')))]],
  );
}

/** From now on the person may come back. @returns whether there was something to lift */
export async function liftBlocks(tx: Tx, erasureId: string, by: string, now: Date): Promise<boolean> {
  const { rowCount } = await tx.query(
    'update erasure set lifted_at = $3, lifted_by = $4 where tenant_id = $1 and id = $2 and lifted_at is null',
    [tx.tenantId, erasureId, now, by],
  );
  if (rowCount === 1)
    await tx.query('delete from erasure_block where tenant_id = $1 and erasure_id = $2', [tx.tenantId, erasureId]);
  return rowCount === 1;
}

/** How often what was erased came back, by erasure. */
export async function hitsOf(
  tx: Tx,
  ids: readonly string[],
): Promise<Map<string, { hits: number; lastAt: Date | null }>> {
  const { rows } = await tx.query<{ erasure_id: string; hits: number; last_at: Date | null }>(
    `select erasure_id, sum(hits)::int as hits, max(last_at) as last_at from erasure_block
     where tenant_id = $1 and erasure_id = any($2) group by erasure_id`,
    [tx.tenantId, ids],
  );
  return new Map(rows.map((row) => [row.erasure_id, { hits: row.hits, lastAt: row.last_at }]));
}

/** Erasures as the API shows them. */
export async function toErasures(tx: Tx, rows: readonly ErasureRow[]): Promise<Erasure[]> {
  const hits = await hitsOf(
    tx,
    rows.map((row) => row.id),
  );
  return rows.map((row) => ({
    id: row.id,
    customerId: row.customer_id,
    ground: row.ground,
    requestedBy: row.requested_by,
    requestedAt: row.requested_at.toISOString(),
    state: row.state,
    doneAt: row.done_at?.toISOString() ?? null,
    rows: row.rows,
    hashes: row.hashes,
    outOfReach: row.out_of_reach,
    blocked: {
      hits: hits.get(row.id)?.hits ?? 0,
      lastAt: hits.get(row.id)?.lastAt?.toISOString() ?? null,
      liftedAt: row.lifted_at?.toISOString() ?? null,
    },
  }));
}
