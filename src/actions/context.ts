import type { Tx } from '../base/database.ts';
import { daysBetween, type LocalDate, localDate } from '../base/time.ts';
import type { PersonPlace } from '../model/zones.ts';
import { setting } from '../settings/store.ts';
import { formatMoney } from '../texts/filters.ts';

/** A customer with what decisions and texts need to know. */
export interface Person extends PersonPlace {
  id: string;
  name: string | null;
  first_name: string | null;
  last_name: string | null;
  email: string | null;
  locale: string | null;
  company_id: string | null;
  company_name: string | null;
  owner_name: string | null;
  owner_email: string | null;
  deleted_at: Date | null;
  email_opt_out: boolean | null;
}

export interface OverdueInvoice {
  entity_id: string;
  customer_id: string;
  stream_id: string;
  remote_id: string;
  number: string | null;
  issued_on: LocalDate | null;
  due_on: LocalDate;
  total: string | null;
  balance: string;
  currency: string | null;
  url: string | null;
  updated_at: Date;
}

/** What texts can say, loaded once for a batch of customers. */
export interface Contexts {
  people: Map<string, Person>;
  overdue: Map<string, OverdueInvoice[]>;
  today: LocalDate;
  /** The values a text of this customer may use. Missing ones are left out, so that a text that needs them is held. */
  of(customerId: string | null): Record<string, unknown>;
}

export async function loadPeople(tx: Tx, ids: readonly string[]): Promise<Map<string, Person>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<Person>(
    `select c.id, c.name, c.first_name, c.last_name, c.email, c.phone, c.locale, c.time_zone, c.country, c.region, c.company_id, c.deleted_at, c.email_opt_out,
            coalesce(co.name, c.company_name) as company_name, co.time_zone as company_time_zone, co.country as company_country, co.region as company_region,
            o.name as owner_name, o.email as owner_email
     from customer c left join company co on co.tenant_id = c.tenant_id and co.id = c.company_id left join owner o on o.tenant_id = c.tenant_id and o.entity_id = c.owner_id
     where c.tenant_id = $1 and c.id = any($2)`,
    [tx.tenantId, ids],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

export async function loadOverdue(
  tx: Tx,
  ids: readonly string[],
  today: LocalDate,
): Promise<Map<string, OverdueInvoice[]>> {
  const result = new Map<string, OverdueInvoice[]>();
  if (ids.length === 0) return result;
  const { rows } = await tx.query<OverdueInvoice>(
    `select entity_id, customer_id, stream_id, remote_id, number, issued_on, due_on, total, balance, currency, url, updated_at from invoice
     where tenant_id = $1 and customer_id = any($2) and balance > 0 and due_on < $3 and deleted_at is null and duplicate_of is null and status not in ('draft', 'void', 'credited')
     order by due_on, entity_id`,
    [tx.tenantId, ids, today],
  );
  for (const row of rows) result.set(row.customer_id, [...(result.get(row.customer_id) ?? []), row]);
  return result;
}

async function loadCredits(tx: Tx, ids: readonly string[]): Promise<Map<string, Map<string, number>>> {
  const result = new Map<string, Map<string, number>>();
  if (ids.length === 0) return result;
  const { rows } = await tx.query<{ customer_id: string; currency: string | null; credit: string }>(
    `select customer_id, currency, sum(unapplied) as credit from payment
     where tenant_id = $1 and customer_id = any($2) and unapplied > 0 and status = 'succeeded' and deleted_at is null group by 1, 2`,
    [tx.tenantId, ids],
  );
  for (const row of rows)
    result.set(row.customer_id, (result.get(row.customer_id) ?? new Map()).set(row.currency ?? '', Number(row.credit)));
  return result;
}

/** The tone of a reminder: how long the oldest invoice has been waiting. */
const stageOf = (days: number): 'friendly' | 'firm' | 'final' =>
  days >= 14 ? 'final' : days >= 7 ? 'firm' : 'friendly';

/** Loads what decisions and texts about these customers need. */
export async function loadContexts(tx: Tx, customerIds: readonly string[], now: Date): Promise<Contexts> {
  const ids = [...new Set(customerIds)];
  const business = await setting(tx, 'business');
  const today = localDate(now, business.zone);
  const people = await loadPeople(tx, ids);
  const overdue = await loadOverdue(tx, ids, today);
  const credits = await loadCredits(tx, ids);
  return {
    people,
    overdue,
    today,
    of: (customerId) => {
      const person = customerId ? people.get(customerId) : undefined;
      const base = { business: present({ ...business }), today };
      if (!person) return base;
      return {
        ...base,
        customer: present({
          id: person.id,
          name: person.name,
          first_name: person.first_name,
          last_name: person.last_name,
          email: person.email,
          phone: person.phone,
        }),
        company: present({ name: person.company_name }),
        owner: present({ name: person.owner_name, email: person.owner_email }),
        ...receivables(
          overdue.get(person.id) ?? [],
          credits.get(person.id) ?? new Map(),
          today,
          business.currency,
          person.locale ?? 'en',
        ),
      };
    },
  };
}

const present = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ''),
  );

function receivables(
  invoices: readonly OverdueInvoice[],
  credits: ReadonlyMap<string, number>,
  today: LocalDate,
  currency: string,
  locale: string,
): Record<string, unknown> {
  if (invoices.length === 0) return {};
  const listed = invoices.map((invoice) => {
    const days = daysBetween(invoice.due_on, today);
    const money = invoice.currency ?? currency;
    return present({
      number: invoice.number,
      issued_on: invoice.issued_on,
      due_on: invoice.due_on,
      total: invoice.total,
      balance: invoice.balance,
      currency: money,
      amount: formatMoney(invoice.balance, money, locale),
      days_overdue: days,
      url: invoice.url,
    });
  });
  const totals = new Map<string, number>();
  for (const invoice of invoices) {
    const money = invoice.currency ?? currency;
    totals.set(money, (totals.get(money) ?? 0) + Number(invoice.balance));
  }
  const credited = [...totals.keys()].filter((money) => (credits.get(money) ?? 0) > 0);
  for (const money of credited) totals.set(money, Math.max(0, totals.get(money)! - credits.get(money)!));
  const oldest = listed[0]!.days_overdue as number;
  return {
    invoices: listed,
    overdue: {
      count: listed.length,
      total: [...totals].map(([money, amount]) => formatMoney(amount, money, locale)).join(' and '),
      oldest_days: oldest,
      stage: stageOf(oldest),
      ...(credited.length > 0
        ? { credit: credited.map((money) => formatMoney(credits.get(money), money, locale)).join(' and ') }
        : {}),
    },
  };
}
