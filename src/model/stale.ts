import type { Tx } from '../base/database.ts';
import type { Change, ChangeKind, ChangeOperation } from './types.ts';

/** Who keeps something derived of customers, and of which changes it must hear. */
export const READERS = {
  score: (kind: ChangeKind): boolean => kind !== 'score' && kind !== 'segment',
  segments: (kind: ChangeKind): boolean => kind !== 'segment',
  /** First and last dates of what happened to customers (`dates.ts`). */
  dates: (kind: ChangeKind, op: ChangeOperation): boolean =>
    DATED.has(kind) || (kind === 'contact' && (op === 'merged' || op === 'unmerged')),
  /** What answers, bookings and payments are credited to. */
  credit: (kind: ChangeKind, op: ChangeOperation): boolean =>
    CREDITED.has(kind) || (kind === 'contact' && (op === 'merged' || op === 'unmerged')),
} as const;
export type Reader = keyof typeof READERS;
const CREDITED: ReadonlySet<ChangeKind> = new Set(['job', 'payment', 'activity', 'survey_response']);
const DATED: ReadonlySet<ChangeKind> = new Set(['job', 'invoice', 'payment', 'activity', 'survey_response']);

const ALL_READERS = Object.keys(READERS) as Reader[];

/** Stands for all customers: a first load tells its readers once, at its end. */
const EVERYBODY = '00000000-0000-0000-0000-000000000000';
/** Stands for all customers too: their scores were computed anew, nothing else changed. */
const SCORES = '00000000-0000-0000-0000-000000000001';

/** A customer to look at again. */
export interface Stale {
  customerId: string;
  /** How many of our own writes lie between the change and something a person did. */
  depth: number;
}

/** The customers of changes, former ones included: a document that moved changes both. */
function customersOf(changes: readonly Change[], reader: Reader): Stale[] {
  const depths = new Map<string, number>();
  for (const change of changes) {
    if (!READERS[reader](change.kind, change.op)) continue;
    for (const id of [change.customer_id, change.before?.customer_id])
      if (typeof id === 'string') depths.set(id, Math.max(depths.get(id) ?? 0, change.depth));
  }
  return [...depths].map(([customerId, depth]) => ({ customerId, depth }));
}

/**
 * Notes that something derived of these customers has to be looked at again. In the order of the ids, so that two
 * transactions never wait for each other.
 */
export async function markStale(tx: Tx, reader: Reader, customers: readonly Stale[]): Promise<void> {
  if (customers.length === 0) return;
  await tx.query(
    `insert into customer_stale as s (tenant_id, reader, customer_id, depth)
     select $1, $2, id, max(depth) from unnest($3::uuid[], $4::smallint[]) as i(id, depth) group by id order by id
     on conflict (tenant_id, reader, customer_id) do update set depth = excluded.depth where s.depth < excluded.depth`,
    [tx.tenantId, reader, customers.map((one) => one.customerId), customers.map((one) => one.depth)],
  );
}

/** Tells every reader which customers changed. A first load tells nobody: a whole pass follows it. */
export async function markChanged(tx: Tx, changes: readonly Change[]): Promise<void> {
  const telling = changes.filter(({ origin }) => origin !== 'backfill');
  if (telling.length === 0) return;
  for (const reader of ALL_READERS) await markStale(tx, reader, customersOf(telling, reader));
}

/** Asks every reader for a whole pass: so much changed at once that going by customers would cost more. */
export async function markEverybody(tx: Tx, only?: Reader): Promise<void> {
  for (const reader of only ? [only] : ALL_READERS) await markStale(tx, reader, [{ customerId: EVERYBODY, depth: 0 }]);
}

/** Takes the wish for a whole pass, if there is one: it is gone with the transaction that does the pass. */
export async function takeEverybody(tx: Tx, reader: Reader): Promise<boolean> {
  const { rowCount } = await tx.query(
    'delete from customer_stale where tenant_id = $1 and reader = $2 and customer_id = $3',
    [tx.tenantId, reader, EVERYBODY],
  );
  return rowCount > 0;
}

/** Tells those who read scores that everybody's were computed anew. */
export async function markScored(tx: Tx): Promise<void> {
  await markStale(tx, 'segments', [{ customerId: SCORES, depth: 0 }]);
}

/** Takes the word that everybody's scores were computed anew, if there is one. */
export async function takeScored(tx: Tx): Promise<boolean> {
  const { rowCount } = await tx.query(
    "delete from customer_stale where tenant_id = $1 and reader = 'segments' and customer_id = $2",
    [tx.tenantId, SCORES],
  );
  return rowCount > 0;
}

/** Takes customers a reader has to look at again, in the order of their ids; another worker's are passed over. */
export async function takeStale(tx: Tx, reader: Reader, limit: number): Promise<Stale[]> {
  const { rows } = await tx.query<{ customer_id: string; depth: number }>(
    `select customer_id, depth from customer_stale where tenant_id = $1 and reader = $2 and customer_id > $4
     order by customer_id limit $3 for update skip locked`,
    [tx.tenantId, reader, limit, SCORES],
  );
  // Two statements: of one, Postgres may look through all rows for each it takes.
  if (rows.length > 0)
    await tx.query('delete from customer_stale where tenant_id = $1 and reader = $2 and customer_id = any($3)', [
      tx.tenantId,
      reader,
      rows.map((row) => row.customer_id),
    ]);
  return rows.map((row) => ({ customerId: row.customer_id, depth: row.depth }));
}
