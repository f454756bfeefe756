import { Type } from 'typebox';
import type { Tx } from '../../base/database.ts';
import type { LocalDate } from '../../base/time.ts';
import { midnight } from '../midnight.ts';
import { type Candidate, CLOCK_MAX_AGE_HOURS, type DetectEnv, defineTrigger } from '../schema.ts';
import { CLAIM, INVOICE, type InvoiceRow, invoiceLabel, OPEN_INDEX, OPEN_NOW } from './invoice.ts';
import { LeadDays, ofCustomer, ownSql } from './shared.ts';

export const invoiceOverdue = defineTrigger({
  name: 'invoice.overdue',
  title: 'Invoice overdue',
  arms: 'Fires for an invoice once at each number of days past its due date, while money is open. A payment ends it; a new due date arms the thresholds that lie ahead of it again only if they have not fired.',
  key: 'invoice + threshold',
  maxAgeHours: CLOCK_MAX_AGE_HOURS,
  settings: Type.Object({ days: LeadDays() }, { additionalProperties: false }),
  defaults: { days: [1, 7, 14, 30, 60] },
  due: (tx, from, to, { days }, env) => overdue(tx, from, to, days, true, env),
  between: (tx, from, to, { days }, env) => overdue(tx, from, to, days, false, env),
});

/** Claims that pass a number of days within a range: open ones of this moment (`live`), or those that were open then. */
async function overdue(
  tx: Tx,
  from: LocalDate,
  to: LocalDate,
  days: readonly number[],
  live: boolean,
  env: DetectEnv,
): Promise<Candidate[]> {
  const { rows } = await tx.query<InvoiceRow>(
    `select ${INVOICE}, (i.due_on + d.days) as on, d.days
     from unnest($4::int[]) as d(days)
     cross join lateral (select * from invoice where tenant_id = $1 and due_on between $2::date - d.days and $3::date - d.days${live ? OPEN_INDEX : ''} offset 0) i
     where ${CLAIM} and ${live ? OPEN_NOW : '(i.paid_on is null or i.paid_on > i.due_on + d.days)'}${ownSql(env, 'i.customer_id', 5)}
     order by i.due_on + d.days, i.entity_id`,
    [tx.tenantId, from, to, days, ...ofCustomer(env)],
  );
  return rows.map((row) => ({
    businessKey: `${row.entity_id}:${row.days}`,
    subject: { kind: 'invoice', id: row.entity_id, label: invoiceLabel(row) },
    customerId: row.customer_id,
    occurredOn: row.on,
    occurredAt: midnight(row.on, env.zone),
    data: { days: row.days, number: row.number, balance: row.balance, currency: row.currency },
  }));
}
