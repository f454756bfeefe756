import type { Tx } from '../base/database.ts';
import { localDate } from '../base/time.ts';
import type { Change } from '../model/types.ts';
import { labelOf, rowsOf } from './found.ts';
import { turned } from './match.ts';
import type { Candidate, DetectEnv } from './schema.ts';

/**
 * What changes of scores tell about customers: a field that turned in the way asked for.
 * @returns candidates with the customer, keyed by customer and change
 */
export async function scoreTurns(
  tx: Tx,
  changes: readonly Change[],
  env: DetectEnv,
  field: 'band' | 'vip' | 'unhappy',
  counts: (before: unknown, after: unknown, change: Change) => boolean,
): Promise<Candidate[]> {
  const told = changes.flatMap((change) => {
    const turn = change.kind === 'score' ? turned(change, field) : undefined;
    return turn && change.customer_id && counts(turn.before, turn.after, change) ? [{ change, ...turn }] : [];
  });
  const rows = await rowsOf(
    tx,
    'contact',
    told.map(({ change }) => change.customer_id!),
  );
  return told.flatMap(({ change, before, after }) => {
    const row = rows.get(change.customer_id!);
    if (!row) return [];
    return {
      businessKey: `${change.customer_id}:${change.id}`,
      subject: { kind: 'contact', id: change.customer_id!, label: labelOf('contact', row) },
      customerId: change.customer_id,
      occurredOn: localDate(change.occurred_at, env.zone),
      occurredAt: change.occurred_at,
      data: { [field]: after, before, score: change.after?.score ?? null },
      depth: change.depth,
    };
  });
}
