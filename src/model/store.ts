import { one, type Row, type Tx } from '../base/database.ts';
import type { EntityKind } from '../kit/index.ts';

export type CustomerRow = Row & {
  id: string;
  name: string | null;
  email: string | null;
  phone: string | null;
  company_id: string | null;
  owner_id: string | null;
  provenance: Record<string, { stream: string | null; record: string; rule: string }>;
  sources: number;
  custom: Row | null;
  created_at: Date;
  updated_at: Date;
  deleted_at: Date | null;
  version: number;
};

// The company's own name counts more than what somebody wrote on the contact.
const CUSTOMER =
  'select c.*, coalesce(o.name, c.company_name) as company_name from customer c left join company o on o.tenant_id = c.tenant_id and o.id = c.company_id';

/** A golden customer; an id that was merged away finds its survivor. */
export async function findCustomer(tx: Tx, id: string): Promise<CustomerRow | undefined> {
  return one(
    await tx.query<CustomerRow>(
      `${CUSTOMER} where c.tenant_id = $1 and c.id = coalesce((select entity_id from entity_alias where tenant_id = $1 and old_id = $2), $2)`,
      [tx.tenantId, id],
    ),
  );
}

/** Finds a customer by id, e-mail address, phone number, an external id, or a name that only one has. */
export async function lookUpCustomer(tx: Tx, text: string): Promise<CustomerRow[]> {
  if (/^[0-9a-f-]{36}$/.test(text)) {
    const row = await findCustomer(tx, text);
    return row ? [row] : [];
  }
  const { rows } = await tx.query<CustomerRow>(
    `${CUSTOMER} where c.tenant_id = $1 and (
       c.id in (select entity_id from identity_key where tenant_id = $1 and kind = 'contact' and key in ('email:' || lower($2), 'phone:' || $2, 'id:' || $2))
       or c.id in (select entity_id from contact_projection where tenant_id = $1 and remote_id = $2) or lower(c.name) = lower($2)) limit 5`,
    [tx.tenantId, text],
  );
  return rows;
}

/** Customers by name, e-mail or company, in id order. */
export async function listCustomers(
  tx: Tx,
  filter: { search?: string; after?: string; limit: number },
): Promise<CustomerRow[]> {
  const { rows } = await tx.query<CustomerRow>(
    `${CUSTOMER} where c.tenant_id = $1 and c.deleted_at is null and ($2::uuid is null or c.id > $2)
       and ($3::text is null or c.name ilike $3 or c.email ilike $3 or c.company_name ilike $3 or o.name ilike $3 or c.phone ilike $3) order by c.id limit $4`,
    [
      tx.tenantId,
      filter.after ?? null,
      filter.search ? `%${filter.search.replace(/[\\%_]/g, '\\$&')}%` : null,
      filter.limit,
    ],
  );
  return rows;
}

/** A record of a connected platform behind a customer. */
type SourceRow = {
  connector: string;
  connection_id: string;
  connection: string;
  stream: string;
  stream_id: string;
  remote_id: string;
  source_updated_at: Date | null;
  deleted_at: Date | null;
};

/** The records of connected platforms behind a customer. */
export async function sourcesOf(tx: Tx, customerId: string): Promise<SourceRow[]> {
  const { rows } = await tx.query<SourceRow>(
    `select c.connector, c.id as connection_id, c.name as connection, s.name as stream, s.id as stream_id, p.remote_id, p.source_updated_at, p.deleted_at
     from contact_projection p join stream s on s.tenant_id = p.tenant_id and s.id = p.stream_id join connection c on c.tenant_id = p.tenant_id and c.id = s.connection_id
     where p.tenant_id = $1 and p.entity_id = $2 order by c.connector, p.remote_id`,
    [tx.tenantId, customerId],
  );
  return rows;
}

const LISTED: readonly EntityKind[] = ['deal', 'ticket', 'invoice', 'payment', 'job', 'subscription', 'activity'];

/** Documents of a customer, newest first, by kind. */
export async function documentsOf(tx: Tx, customerId: string, limit: number): Promise<Record<string, Row[]>> {
  const result: Record<string, Row[]> = {};
  for (const kind of LISTED) {
    const { rows } = await tx.query<Row>(
      `select * from ${kind} where tenant_id = $1 and customer_id = $2 and deleted_at is null order by entity_id desc limit $3`,
      [tx.tenantId, customerId, limit],
    );
    if (rows.length > 0) result[kind] = rows;
  }
  return result;
}

/** How many of each kind there are; joined kinds are counted once. */
export async function countEntities(tx: Tx): Promise<Record<string, number>> {
  const tables = ['customer', 'company', 'owner', ...LISTED];
  const { rows } = await tx.query<Record<string, number>>(
    `select ${tables.map((table) => `(select count(*)::int from ${table} where tenant_id = $1 and deleted_at is null) as ${table}`).join(', ')}`,
    [tx.tenantId],
  );
  return rows[0]!;
}

type MergeRow = {
  id: string;
  survivor_id: string;
  absorbed_id: string;
  evidence: Row;
  decided_by: string;
  at: Date;
  undone_at: Date | null;
};

export async function mergesOf(tx: Tx, customerId: string): Promise<MergeRow[]> {
  const { rows } = await tx.query<MergeRow>(
    'select id, survivor_id, absorbed_id, evidence, decided_by, at, undone_at from merge_event where tenant_id = $1 and survivor_id = $2 order by at',
    [tx.tenantId, customerId],
  );
  return rows;
}

/** Fields of the feed for one customer, newest first. */
export async function changesOf(
  tx: Tx,
  customerId: string,
  before: string | undefined,
  limit: number,
): Promise<(Row & { id: string })[]> {
  const { rows } = await tx.query<Row & { id: string }>(
    'select id, kind, entity_id, op, fields, before, after, origin, occurred_at, received_at from change where tenant_id = $1 and customer_id = $2 and ($3::uuid is null or id < $3) order by id desc limit $4',
    [tx.tenantId, customerId, before ?? null, limit],
  );
  return rows;
}

/** Invoices that are open and overdue on a day, oldest first. */
export async function overdueInvoices(
  tx: Tx,
  today: string,
  after: string | undefined,
  limit: number,
): Promise<(Row & { id: string })[]> {
  const { rows } = await tx.query<Row & { id: string }>(
    `select i.entity_id as id, i.number, i.customer_id, c.name as customer, i.due_on, i.total, i.balance, i.currency, i.status, i.native_status, i.url
     from invoice i left join customer c on c.tenant_id = i.tenant_id and c.id = i.customer_id
     where i.tenant_id = $1 and i.balance > 0 and i.due_on < $2 and i.deleted_at is null and i.duplicate_of is null and i.status not in ('draft', 'void', 'credited') and ($3::uuid is null or i.entity_id > $3)
     order by i.entity_id limit $4`,
    [tx.tenantId, today, after ?? null, limit],
  );
  return rows;
}
