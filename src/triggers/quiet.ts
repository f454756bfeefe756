import type { Tx } from '../base/database.ts';
import { daysBetween, localDate } from '../base/time.ts';
import type { Candidate, DetectEnv } from './schema.ts';

/**
 * Of candidates about customers, those that do not come within so many local days after one that counted: the trigger
 * fires, and is quiet for that customer until the days are over. Where it fired before stands in its occurrences, which
 * stay with the customer when two are joined; in looking back there are none, and the first of the range counts.
 * @param days 0 lets everything through
 */
export async function afterQuiet(
  tx: Tx,
  candidates: readonly Candidate[],
  days: number,
  env: DetectEnv,
): Promise<Candidate[]> {
  const customers = [...new Set(candidates.map(({ customerId }) => customerId).filter((id) => id !== null))];
  if (days === 0 || customers.length === 0) return [...candidates];
  const last = new Map<string, string[]>();
  const note = (customer: string, on: string): void => void last.set(customer, [...(last.get(customer) ?? []), on]);
  if (env.triggerId) {
    const { rows } = await tx.query<{ customer_id: string; occurred_at: Date }>(
      `select customer_id, occurred_at from occurrence where tenant_id = $1 and customer_id = any($2) and trigger_id = $3 and outcome not like 'skipped%'`,
      [tx.tenantId, customers, env.triggerId],
    );
    for (const row of rows) note(row.customer_id, localDate(row.occurred_at, env.zone));
  }
  const inOrder = [...candidates].sort((a, b) => a.occurredAt.getTime() - b.occurredAt.getTime());
  return inOrder.filter(({ customerId, occurredOn }) => {
    if (customerId === null) return true;
    // What is heard of late can lie before what fired: the distance counts both ways.
    const quiet = (last.get(customerId) ?? []).some((on) => Math.abs(daysBetween(on, occurredOn)) < days);
    if (!quiet) note(customerId, occurredOn);
    return !quiet;
  });
}
