import { Type } from 'typebox';
import { instantOf } from '../../base/time.ts';
import { type Candidate, defineTrigger } from '../schema.ts';

interface InvoiceRow {
  entity_id: string;
  number: string | null;
  remote_id: string;
  customer_id: string | null;
  on: string;
  days: number;
  total: string | null;
  balance: string | null;
  currency: string | null;
}

const label = (row: { number: string | null; remote_id: string }): string => `invoice ${row.number ?? row.remote_id}`;

// An invoice that another source leads is not counted twice; drafts and voided ones are no claims.
const CLAIM = `i.deleted_at is null and i.duplicate_of is null and i.status not in ('draft', 'void', 'credited') and coalesce(i.total, 0) > 0`;

export const invoiceOverdue = defineTrigger({
  name: 'invoice.overdue',
  title: 'Invoice overdue',
  arms: 'Fires for an invoice once at each number of days past its due date, while money is open. A payment ends it; a new due date arms the thresholds that lie ahead of it again only if they have not fired.',
  key: 'invoice + threshold',
  maxAgeHours: 24 * 4,
  settings: Type.Object(
    { days: Type.Array(Type.Integer({ minimum: 0, maximum: 365 }), { minItems: 1, maxItems: 20, uniqueItems: true }) },
    { additionalProperties: false },
  ),
  defaults: { days: [1, 7, 14, 30, 60] },
  between: async (tx, from, to, settings, env) => {
    const { rows } = await tx.query<InvoiceRow>(
      `select i.entity_id, i.number, i.remote_id, i.customer_id, (i.due_on + d.days) as on, d.days, i.total, i.balance, i.currency
       from unnest($4::int[]) as d(days)
       join invoice i on i.tenant_id = $1 and i.due_on between $2::date - d.days and $3::date - d.days
       where ${CLAIM} and (i.paid_on is null or i.paid_on > i.due_on + d.days)
       order by i.due_on + d.days, i.entity_id`,
      [tx.tenantId, from, to, settings.days],
    );
    return rows.map(
      (row): Candidate => ({
        businessKey: `${row.entity_id}:${row.days}`,
        subject: { kind: 'invoice', id: row.entity_id, label: label(row) },
        customerId: row.customer_id,
        occurredOn: row.on,
        occurredAt: instantOf(row.on, '00:00', env.zone),
        data: { days: row.days, number: row.number, balance: row.balance, currency: row.currency },
      }),
    );
  },
});
