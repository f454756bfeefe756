import type { Tx } from '../base/database.ts';
import { type LocalDate, localDate } from '../base/time.ts';
import { setting } from '../settings/store.ts';
import { businessLanguage } from '../texts/language.ts';
import { loadCircumstances, NO_CIRCUMSTANCES } from './circumstances.ts';
import type { OverdueInvoice, Person } from './people.ts';
import { contextOf } from './told.ts';

export type { OverdueInvoice, Person } from './people.ts';

/** What texts can say, loaded once for a batch of customers. */
export interface Contexts {
  people: Map<string, Person>;
  overdue: Map<string, OverdueInvoice[]>;
  today: LocalDate;
  /** The language of the business, for whoever's is not known. */
  language: string;
  /** The values a text of this customer may use. Missing ones are left out, so that a text that needs them is held. */
  of(
    customerId: string | null,
    about?: { runId?: string | null; escalationId?: string | null; locale?: string },
  ): Record<string, unknown>;
}

export async function loadPeople(tx: Tx, ids: readonly string[]): Promise<Map<string, Person>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<Person>(
    `select c.id, c.name, c.first_name, c.last_name, c.email, c.phone, c.locale, c.time_zone, c.country, c.region, c.company_id, c.deleted_at, c.email_opt_out,
            coalesce(co.name, c.company_name) as company_name, co.time_zone as company_time_zone, co.country as company_country, co.region as company_region,
            o.name as owner_name, o.email as owner_email, c.job_title, c.address_line, c.city, c.postal_code, c.birthday, c.custom,
            coalesce(c.source_created_at, c.created_at) as since, co.email as company_email, co.phone as company_phone, co.domain as company_domain,
            co.industry as company_industry, co.city as company_city, co.custom as company_custom
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

/** For which enrolments and escalations texts are written, and which texts (see `loadCircumstances`). */
export interface TextsFor {
  runIds?: readonly string[];
  escalationIds?: readonly string[];
  texts?: string | undefined;
}

/** Loads what decisions and, with `texts`, texts about these customers need. */
export async function loadContexts(
  tx: Tx,
  customerIds: readonly string[],
  now: Date,
  texts?: TextsFor,
): Promise<Contexts> {
  const ids = [...new Set(customerIds)];
  const business = await setting(tx, 'business');
  const links = await setting(tx, 'links');
  const today = localDate(now, business.zone);
  const people = await loadPeople(tx, ids);
  const overdue = await loadOverdue(tx, ids, today);
  const credits = await loadCredits(tx, ids);
  const circumstances = texts
    ? await loadCircumstances(tx, {
        ...{ customerIds: ids, runIds: texts.runIds ?? [], escalationIds: texts.escalationIds ?? [] },
        ...{ texts: texts.texts, now, today },
      })
    : NO_CIRCUMSTANCES;
  return {
    people,
    overdue,
    today,
    language: businessLanguage(business),
    of: (customerId, about = {}) => {
      const person = customerId ? people.get(customerId) : undefined;
      const runId = about.runId ?? circumstances.escalated.get(about.escalationId ?? '');
      return contextOf({
        ...{ business, links, today, now, person, circumstances },
        overdue: overdue.get(customerId ?? '') ?? [],
        credits: credits.get(customerId ?? '') ?? new Map(),
        run: runId ? circumstances.runs.get(runId) : undefined,
        locale: about.locale ?? person?.locale ?? businessLanguage(business),
      });
    },
  };
}
