import { Type } from 'typebox';
import { addDays, type LocalDate } from '../../base/time.ts';
import { isInstallation } from '../../model/yearly.ts';
import { midnight } from '../midnight.ts';
import { CLOCK_MAX_AGE_HOURS, defineTrigger } from '../schema.ts';
import { celebrated, LeadDays, LeapDay, lowered, ofCustomer, ownSql, personLabel, Words } from './shared.ts';

/** Which days set by hand stand for these kinds of jobs: the first of all, or the first installation. */
function setFor(kinds: readonly string[]): string[] {
  if (kinds.length === 0) return [''];
  return kinds.some(isInstallation) ? ['installation'] : [];
}

export const serviceAnniversary = defineTrigger({
  name: 'service.anniversary',
  title: 'Anniversary of the first service',
  arms: 'Fires once a year on the date of the first service or installation that was completed for the customer (or the day that was set by hand), where the customer is, or the given number of days before.',
  key: 'customer + rule + year',
  maxAgeHours: CLOCK_MAX_AGE_HOURS,
  calendar: 'customer',
  settings: Type.Object(
    {
      leadDays: LeadDays(60),
      leapDay: LeapDay,
      jobKinds: Type.Intersect([Words, Type.Unknown({ description: 'Kinds of jobs that count; none: every kind' })]),
    },
    { additionalProperties: false },
  ),
  defaults: { leadDays: [0], leapDay: '02-28', jobKinds: [] },
  between: async (tx, from, to, settings, env) => {
    const kinds = lowered(settings.jobKinds);
    const found = [];
    for (const lead of settings.leadDays) {
      const { days, dates } = celebrated(addDays(from, lead), addDays(to, lead), settings.leapDay);
      const { rows } = await tx.query<{ id: string; name: string | null; first_on: LocalDate; on: LocalDate }>(
        `select distinct c.id, c.name, f.first_on, d.on
         from unnest($2::text[], $3::date[]) as d(day, "on")
         cross join lateral (select * from customer_date where tenant_id = $1 and what = any('{served,set}') and first_day = d.day offset 0) f
         cross join lateral (select * from customer where tenant_id = $1 and id = f.customer_id offset 0) c
         where c.deleted_at is null and f.first_on < d.on and case f.what when 'set' then f.kind = any($5::text[]) else
           (cardinality($4::text[]) = 0 or f.kind = any($4))
           and f.first_on = (select min(e.first_on) from customer_date e where e.tenant_id = $1 and e.customer_id = f.customer_id and e.what = 'served'
             and (cardinality($4::text[]) = 0 or e.kind = any($4)))
           and not exists (select from customer_date e where e.tenant_id = $1 and e.customer_id = f.customer_id and e.what = 'set' and e.kind = any($5)) end
           ${ownSql(env, 'f.customer_id', 6)}
         order by d.on, c.id`,
        [tx.tenantId, days, dates, kinds, setFor(kinds), ...ofCustomer(env)],
      );
      for (const row of rows) {
        const year = row.on.slice(0, 4);
        const on = addDays(row.on, -lead);
        found.push({
          businessKey: `${row.id}:${year}${lead === 0 ? '' : `:${lead}`}`,
          subject: { kind: 'customer', id: row.id, label: personLabel(row.name, 'service anniversary') },
          customerId: row.id,
          occurredOn: on,
          occurredAt: midnight(on, env.zone),
          data: {
            days: lead,
            anniversary: row.on,
            since: row.first_on,
            years: Number(year) - Number(row.first_on.slice(0, 4)),
          },
        });
      }
    }
    return found;
  },
});
