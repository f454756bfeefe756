import type { LocalDate } from '../../base/time.ts';

/** An invoice as triggers tell of it. */
export interface InvoiceRow {
  entity_id: string;
  number: string | null;
  remote_id: string;
  customer_id: string | null;
  on: LocalDate;
  days: number;
  due_on: LocalDate;
  total: string | null;
  balance: string | null;
  currency: string | null;
}

export const INVOICE = 'i.entity_id, i.number, i.remote_id, i.customer_id, i.due_on, i.total, i.balance, i.currency';

export const invoiceLabel = (row: Pick<InvoiceRow, 'number' | 'remote_id'>): string =>
  `invoice ${row.number ?? row.remote_id}`;

/** An invoice that another source leads is not counted twice; drafts and voided ones are no claims. */
export const CLAIM = `i.deleted_at is null and i.duplicate_of is null and i.status not in ('draft', 'void', 'credited') and coalesce(i.total, 0) > 0`;

/** Open at this moment. Few are, and they have an index of their own. */
export const OPEN_NOW = 'i.paid_on is null and coalesce(i.balance, 1) > 0';
/** What leads to that index. */
export const OPEN_INDEX = ' and paid_on is null';
