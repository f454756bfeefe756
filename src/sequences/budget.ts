import { addDays, instantOf, localDate } from '../base/time.ts';
import { setting } from '../settings/store.ts';
import type { Work } from './moments.ts';
import type { RunRow } from './runs.ts';

/**
 * Whether runs may enter their steps today: sequences that hand over to each other, or restart, must not go round all day
 * with one customer. What is entered here is counted.
 * @returns for each the beginning of the customer's next day, when the steps of this one are used up
 */
export async function stepsWithin(work: Work, runs: readonly RunRow[]): Promise<(Date | undefined)[]> {
  const unknown = runs.filter((run) => !work.spent.has(run.customer_id));
  if (unknown.length > 0) await load(work, unknown);
  const { stepsPerDay } = await setting(work.tx, 'sequences');
  return runs.map(({ customer_id, zone }) => {
    const spent = work.spent.get(customer_id) ?? 0;
    if (spent >= stepsPerDay) return dayOf(work.now, zone, 1);
    work.spent.set(customer_id, spent + 1);
    return undefined;
  });
}

/** When a day of the customer begins, counted from today. */
const dayOf = (now: Date, zone: string, days: number): Date =>
  instantOf(addDays(localDate(now, zone), days), '00:00', zone);

async function load(work: Work, runs: readonly RunRow[]): Promise<void> {
  const begins = new Map<string, Date>();
  for (const { zone } of runs) if (!begins.has(zone)) begins.set(zone, dayOf(work.now, zone, 0));
  const customers = new Map(runs.map((run) => [run.customer_id, begins.get(run.zone)!]));
  // Only runs that moved today have steps of today.
  const { rows } = await work.tx.query<{ customer_id: string; n: number }>(
    `select r.customer_id, count(*)::int as n from unnest($2::uuid[], $3::timestamptz[]) as i(customer_id, since)
       join run r on r.tenant_id = $1 and r.customer_id = i.customer_id and r.updated_at >= i.since
       join run_step s on s.tenant_id = $1 and s.run_id = r.id and s.entered_at >= i.since
     group by r.customer_id`,
    [work.tx.tenantId, [...customers.keys()], [...customers.values()]],
  );
  for (const id of customers.keys()) work.spent.set(id, 0);
  for (const { customer_id, n } of rows) work.spent.set(customer_id, n);
}
