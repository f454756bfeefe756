import type { Row, Tx } from '../base/database.ts';
import type { Change } from '../model/types.ts';
import { candidateOf, type Hit, type Moment } from './found.ts';
import type { Candidate } from './schema.ts';

const NO_CLAIM = ['draft', 'void', 'credited'];

/** An invoice that another source leads is not counted twice; drafts and voided ones are no claims. As SQL on `t`. */
export const CLAIM = `t.duplicate_of is null and t.status not in ('draft', 'void', 'credited') and coalesce(t.total, 0) > 0`;

/** The same of a row. */
export const isClaim = (row: Row): boolean =>
  row.duplicate_of === null && !NO_CLAIM.includes(String(row.status)) && Number(row.total ?? 0) > 0;

/** A new invoice that is no draft, or a draft that was sent. */
export const becameClaim = (change: Change): boolean =>
  change.op === 'created'
    ? !NO_CLAIM.includes(String(change.after?.status))
    : change.before?.status === 'draft' && !NO_CLAIM.includes(String(change.after?.status));

/** The occurrence of an issued invoice. */
export const issued = (hit: { row: Row; change?: Hit['change'] }, moment: Moment): Candidate =>
  candidateOf('invoice', hit, moment, {
    key: hit.row.entity as string,
    data: { number: hit.row.number, total: hit.row.total, currency: hit.row.currency, dueOn: hit.row.due_on },
    fact: { field: 'status', operator: 'not_equals', values: NO_CLAIM, lasting: true },
  });

/** Of these invoices, those before which their customer had none, over all sources. */
export async function firstOnes(tx: Tx, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const { rows } = await tx.query<{ id: string }>(
    `select i.entity_id as id from invoice i where i.tenant_id = $1 and i.entity_id = any($2) and i.customer_id is not null and not exists (
       select from invoice t where t.tenant_id = $1 and t.customer_id = i.customer_id and t.entity_id <> i.entity_id and t.deleted_at is null and ${CLAIM}
         and (coalesce(t.issued_on, i.issued_on, '-infinity'), t.entity_id) < (coalesce(i.issued_on, t.issued_on, '-infinity'), i.entity_id))`,
    [tx.tenantId, ids],
  );
  return new Set(rows.map((row) => row.id));
}
