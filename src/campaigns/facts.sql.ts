import { WORDS } from '../consent/words.ts';
import { answeredSql } from '../model/dates.ts';

/** Words that are a choice about messages and no answer to one. */
export const WISHES: readonly string[] = WORDS.flatMap((words) => [...words.stop, ...words.start, ...words.help]);

/** When a document was first told live. */
const told = (id: string): string =>
  `(select min(h.occurred_at) from change h where h.tenant_id = $1 and h.entity_id = ${id} and h.op = 'created' and h.origin = 'live')`;

/**
 * What counts as a message having brought something about, as rows of customer_id, fact, fact_id, at, amount, currency:
 * answers, bookings and payments as they stand now, so that what was corrected does not count. A payment that carries no
 * more than a date counts at the moment it was told on that day, otherwise at the end of the day.
 * @param of a condition on a column that holds the customer
 * @param zone and @param wishes parameters of the statement: the business's zone, and `WISHES`
 */
export const factsSql = (of: (column: string) => string, zone: string, wishes: string): string => `
  select a.customer_id, 'answer' as fact, a.entity_id as fact_id, a.occurred_at as at, null::numeric as amount, null::text as currency
    from activity a where a.tenant_id = $1 and ${of('a.customer_id')} and a.deleted_at is null and ${answeredSql('a')}
      and not lower(btrim(coalesce(a.body, ''))) = any(${wishes}::text[])
  union all
  select v.customer_id, 'answer', v.entity_id, v.answered_at, null, null
    from survey_response v where v.tenant_id = $1 and ${of('v.customer_id')} and v.deleted_at is null
  union all
  select j.customer_id, 'booking', j.entity_id, coalesce(j.source_created_at, ${told('j.entity_id')}), null, null
    from job j where j.tenant_id = $1 and ${of('j.customer_id')} and j.deleted_at is null and j.status not in ('cancelled', 'no_show')
  union all
  select p.customer_id, 'payment', p.entity_id,
      coalesce(
        (select min(x.at) from (values (p.source_created_at), (${told('p.entity_id')})) as x(at) where (x.at at time zone ${zone})::date = p.paid_on),
        (p.paid_on + 1)::timestamp at time zone ${zone}),
      p.amount, p.currency
    from payment p where p.tenant_id = $1 and ${of('p.customer_id')} and p.deleted_at is null and p.status = 'succeeded'
      and coalesce(p.kind, 'payment') = 'payment' and p.paid_on is not null`;
