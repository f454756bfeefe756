import type { LocalDate } from '../../base/time.ts';

/** A subscription, contract or warranty as triggers tell of it. */
export interface AgreementRow {
  entity_id: string;
  remote_id: string;
  name: string | null;
  plan: string | null;
  customer_id: string | null;
  ends: LocalDate;
  on: LocalDate;
  days: number;
  expired: boolean;
}

export const AGREEMENT = 's.entity_id, s.remote_id, s.name, s.plan, s.customer_id';

export const agreementLabel = (row: Pick<AgreementRow, 'name' | 'remote_id'>, what: string): string =>
  `${what} ${row.name ?? row.remote_id}`;

/**
 * One that was cancelled ends otherwise, and one that is over before its day was ended early; what is over by now was
 * alive before.
 * @param ends the end as an expression
 * @param now the parameter that holds the present moment
 */
export const END_OF_LEADS = (ends: string, now: string): string =>
  `s.status <> 'cancelled' and (s.status <> 'ended' or ${ends} <= (${now}::timestamptz)::date)`;
