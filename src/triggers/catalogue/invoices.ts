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

export const invoicePaid = defineTrigger({
  name: 'invoice.paid',
  title: 'Invoice paid',
  arms: 'Fires once when the balance of an invoice reaches zero.',
  key: 'invoice',
  maxAgeHours: 48,
  settings: Type.Object({}, { additionalProperties: false }),
  defaults: {},
  fromChanges: async (tx, changes, _settings, env) => {
    const settled = changes.filter(
      (change) => change.kind === 'invoice' && change.after?.paid_on && !change.before?.paid_on,
    );
    if (settled.length === 0) return [];
    const byId = new Map(settled.map((change) => [change.entity_id, change]));
    const { rows } = await tx.query<InvoiceRow>(
      `select i.entity_id, i.number, i.remote_id, i.customer_id, i.paid_on as on, 0 as days, i.total, i.balance, i.currency
       from invoice i where i.tenant_id = $1 and i.entity_id = any($2) and i.paid_on is not null and i.duplicate_of is null`,
      [tx.tenantId, [...byId.keys()]],
    );
    return rows.map((row) => ({
      ...paid(row, env.zone),
      occurredAt: byId.get(row.entity_id)!.occurred_at,
      depth: byId.get(row.entity_id)!.depth,
    }));
  },
  between: async (tx, from, to, _settings, env) => {
    const { rows } = await tx.query<InvoiceRow>(
      `select i.entity_id, i.number, i.remote_id, i.customer_id, i.paid_on as on, 0 as days, i.total, i.balance, i.currency
       from invoice i where i.tenant_id = $1 and i.paid_on between $2 and $3 and i.deleted_at is null and i.duplicate_of is null order by i.paid_on, i.entity_id`,
      [tx.tenantId, from, to],
    );
    return rows.map((row) => paid(row, env.zone));
  },
});

const paid = (row: InvoiceRow, zone: string): Candidate => ({
  businessKey: row.entity_id,
  subject: { kind: 'invoice', id: row.entity_id, label: label(row) },
  customerId: row.customer_id,
  occurredOn: row.on,
  occurredAt: instantOf(row.on, '00:00', zone),
  data: { number: row.number, total: row.total, currency: row.currency },
});
