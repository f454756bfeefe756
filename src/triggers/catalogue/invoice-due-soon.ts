import { Type } from 'typebox';
import type { Tx } from '../../base/database.ts';
import { addDays, type LocalDate } from '../../base/time.ts';
import { midnight } from '../midnight.ts';
import { type Candidate, CLOCK_MAX_AGE_HOURS, type DetectEnv, defineTrigger } from '../schema.ts';
import { CLAIM, INVOICE, type InvoiceRow, invoiceLabel, OPEN_INDEX, OPEN_NOW } from './invoice.ts';
import { LeadDays, ofCustomer, ownSql } from './shared.ts';

export const invoiceDueSoon = defineTrigger({
  name: 'invoice.due_soon',
  title: 'Invoice due soon',
  arms: 'Fires for an invoice once at each number of days before its due date, while money is open. What is issued later than that does not fire any more, and nothing fires after the due date.',
  key: 'invoice + lead',
  maxAgeHours: CLOCK_MAX_AGE_HOURS,
  settings: Type.Object({ leadDays: LeadDays() }, { additionalProperties: false }),
  defaults: { leadDays: [3] },
  due: (tx, from, to, { leadDays }, env) => dueSoon(tx, from, to, leadDays, true, env),
  between: (tx, from, to, { leadDays }, env) => dueSoon(tx, from, to, leadDays, false, env),
});

/** Claims that come so near to their due date within a range: open ones of this moment (`live`), or those that were open then. */
async function dueSoon(
  tx: Tx,
  from: LocalDate,
  to: LocalDate,
  leadDays: readonly number[],
  live: boolean,
  env: DetectEnv,
): Promise<Candidate[]> {
  const { rows } = await tx.query<InvoiceRow>(
    `select ${INVOICE}, (i.due_on - d.days) as on, d.days
     from unnest($4::int[]) as d(days)
     cross join lateral (select * from invoice where tenant_id = $1 and due_on between $2::date + d.days and $3::date + d.days${live ? OPEN_INDEX : ''} offset 0) i
     where ${CLAIM} and ${live ? OPEN_NOW : '(i.paid_on is null or i.paid_on > i.due_on - d.days)'} and (i.issued_on is null or i.issued_on <= i.due_on - d.days)${ownSql(env, 'i.customer_id', 5)}
     order by i.due_on - d.days, i.entity_id`,
    [tx.tenantId, from, to, leadDays, ...ofCustomer(env)],
  );
  return rows.map((row) => ({
    businessKey: `${row.entity_id}:${row.days}`,
    subject: { kind: 'invoice', id: row.entity_id, label: invoiceLabel(row) },
    customerId: row.customer_id,
    occurredOn: row.on,
    occurredAt: midnight(row.on, env.zone),
    until: midnight(addDays(row.due_on, 1), env.zone),
    data: { days: row.days, dueOn: row.due_on, number: row.number, balance: row.balance, currency: row.currency },
  }));
}
