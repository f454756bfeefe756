import { Type } from 'typebox';
import { addDays, type LocalDate } from '../../base/time.ts';
import { midnight } from '../midnight.ts';
import { CLOCK_MAX_AGE_HOURS, defineTrigger } from '../schema.ts';
import { celebrated, LeadDays, LeapDay, ofCustomer, ownSql, personLabel } from './shared.ts';

export const birthday = defineTrigger({
  name: 'birthday',
  title: 'Birthday',
  arms: 'Fires once a year when the birthday begins where the customer is, or the given number of days before. The year of birth need not be known.',
  key: 'customer + rule + year',
  maxAgeHours: CLOCK_MAX_AGE_HOURS,
  calendar: 'customer',
  settings: Type.Object({ leadDays: LeadDays(60), leapDay: LeapDay }, { additionalProperties: false }),
  defaults: { leadDays: [0], leapDay: '02-28' },
  between: async (tx, from, to, settings, env) => {
    const found = [];
    for (const lead of settings.leadDays) {
      const { days, dates } = celebrated(addDays(from, lead), addDays(to, lead), settings.leapDay);
      const { rows } = await tx.query<{ id: string; name: string | null; birthday: string; on: LocalDate }>(
        `select c.id, c.name, c.birthday, d.on
         from unnest($2::text[], $3::date[]) as d(day, "on")
         cross join lateral (select * from customer where tenant_id = $1 and birthday is not null and right(birthday, 5) = d.day offset 0) c
         where c.deleted_at is null${ownSql(env, 'c.id', 4)}
         order by d.on, c.id`,
        [tx.tenantId, days, dates, ...ofCustomer(env)],
      );
      for (const row of rows) {
        const year = row.on.slice(0, 4);
        const born = /^\d{4}/.exec(row.birthday)?.[0];
        // A child is not congratulated before it is born.
        if (born !== undefined && born > year) continue;
        const on = addDays(row.on, -lead);
        found.push({
          businessKey: `${row.id}:${year}${lead === 0 ? '' : `:${lead}`}`,
          subject: { kind: 'customer', id: row.id, label: personLabel(row.name, 'birthday') },
          customerId: row.id,
          occurredOn: on,
          occurredAt: midnight(on, env.zone),
          data: { days: lead, birthday: row.on, ...(born === undefined ? {} : { age: Number(year) - Number(born) }) },
        });
      }
    }
    return found;
  },
});
