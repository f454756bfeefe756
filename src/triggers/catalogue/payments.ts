import { Type } from 'typebox';
import { instantOf, localDate } from '../../base/time.ts';
import { type Candidate, defineTrigger } from '../schema.ts';

interface PaymentRow {
  entity_id: string;
  remote_id: string;
  customer_id: string | null;
  paid_on: string | null;
  amount: string | null;
  currency: string | null;
  failure_reason: string | null;
}

const toCandidate = (row: PaymentRow, occurredOn: string, occurredAt: Date): Candidate => ({
  businessKey: row.entity_id,
  subject: { kind: 'payment', id: row.entity_id, label: `payment ${row.remote_id}` },
  customerId: row.customer_id,
  occurredOn,
  occurredAt,
  data: { amount: row.amount, currency: row.currency, reason: row.failure_reason },
});

const COLUMNS = 'entity_id, remote_id, customer_id, paid_on, amount, currency, failure_reason';

export const paymentFailed = defineTrigger({
  name: 'payment.failed',
  title: 'Payment failed',
  arms: 'Fires once for each payment that billing reports as failed.',
  key: 'payment',
  maxAgeHours: 48,
  settings: Type.Object({}, { additionalProperties: false }),
  defaults: {},
  fromChanges: async (tx, changes, _settings, env) => {
    const failed = changes.filter((change) => change.kind === 'payment' && change.after?.status === 'failed');
    if (failed.length === 0) return [];
    const byId = new Map(failed.map((change) => [change.entity_id, change]));
    const { rows } = await tx.query<PaymentRow>(
      `select ${COLUMNS} from payment where tenant_id = $1 and entity_id = any($2) and status = 'failed'`,
      [tx.tenantId, [...byId.keys()]],
    );
    return rows.map((row) => {
      const { occurred_at: at, depth } = byId.get(row.entity_id)!;
      return { ...toCandidate(row, row.paid_on ?? localDate(at, env.zone), at), depth };
    });
  },
  between: async (tx, from, to, _settings, env) => {
    const { rows } = await tx.query<PaymentRow & { paid_on: string }>(
      `select ${COLUMNS} from payment where tenant_id = $1 and status = 'failed' and paid_on between $2 and $3 and deleted_at is null order by paid_on, entity_id`,
      [tx.tenantId, from, to],
    );
    return rows.map((row) => toCandidate(row, row.paid_on, instantOf(row.paid_on, '00:00', env.zone)));
  },
});
