import type { Tx } from '../base/database.ts';
import type { Change, ChangeKind } from './types.ts';

/** Who keeps something derived of customers, and of which changes it must hear. */
export const READERS = {
  score: (kind: ChangeKind): boolean => kind !== 'score' && kind !== 'segment',
  segments: (kind: ChangeKind): boolean => kind !== 'segment',
} as const;
export type Reader = keyof typeof READERS;

/** The customers of changes, former ones included: a document that moved changes both. */
function customersOf(changes: readonly Change[], reader: Reader): string[] {
  const ids = new Set<string>();
  for (const change of changes) {
    if (!READERS[reader](change.kind)) continue;
    if (change.customer_id) ids.add(change.customer_id);
    const former = change.before?.customer_id;
    if (typeof former === 'string') ids.add(former);
  }
  return [...ids];
}

/**
 * Notes that something derived of these customers has to be looked at again. In the order of the ids, so that two
 * transactions never wait for each other.
 */
export async function markStale(tx: Tx, reader: Reader, customerIds: readonly string[]): Promise<void> {
  if (customerIds.length === 0) return;
  await tx.query(
    `insert into customer_stale (tenant_id, reader, customer_id) select $1, $2, id from unnest($3::uuid[]) as i(id) order by id
     on conflict do nothing`,
    [tx.tenantId, reader, [...new Set(customerIds)]],
  );
}

/** Tells every reader which customers changed. A first load tells nobody: a whole pass follows it. */
export async function markChanged(tx: Tx, changes: readonly Change[]): Promise<void> {
  const telling = changes.filter(({ origin }) => origin !== 'backfill');
  for (const reader of Object.keys(READERS) as Reader[]) await markStale(tx, reader, customersOf(telling, reader));
}

/** Takes customers a reader has to look at again; another worker's are passed over. @returns their ids */
export async function takeStale(tx: Tx, reader: Reader, limit: number): Promise<string[]> {
  const { rows } = await tx.query<{ customer_id: string }>(
    `delete from customer_stale where tenant_id = $1 and reader = $2 and customer_id in (
       select customer_id from customer_stale where tenant_id = $1 and reader = $2 order by customer_id limit $3 for update skip locked)
     returning customer_id`,
    [tx.tenantId, reader, limit],
  );
  return rows.map((row) => row.customer_id).sort();
}
