import { Type } from 'typebox';
import { addDays, type LocalDate } from '../../base/time.ts';
import { activeDays } from '../../model/dates.ts';
import { midnight } from '../midnight.ts';
import { type Candidate, CLOCK_MAX_AGE_HOURS, type DetectEnv, defineTrigger } from '../schema.ts';
import { ofCustomer, ownSql, personLabel } from './shared.ts';

/** Less would be triggered by the gaps between regular visits. Source: the rule for win-backs in the product's semantics. */
const LEAST_DAYS = 30;

export const clientInactive = defineTrigger({
  name: 'client.inactive',
  title: 'Client inactive',
  arms: 'Fires once when so many days, counted where the customer is, have passed since the last purchase, completed job or answer. The next purchase, job or answer arms it again. Who never did any of these is no lost client.',
  key: 'customer + date of the last activity',
  maxAgeHours: CLOCK_MAX_AGE_HOURS,
  calendar: 'customer',
  settings: Type.Object({ days: Type.Integer({ minimum: 1, maximum: 3650 }) }, { additionalProperties: false }),
  defaults: { days: 90 },
  check: ({ days }) =>
    days < LEAST_DAYS
      ? [
          {
            path: 'days',
            message: `must be at least ${LEAST_DAYS}: with ${days} days customers who come regularly would count as lost between two visits`,
          },
        ]
      : [],
  due: async (tx, from, to, { days }, env) => {
    const { rows } = await tx.query<{ customer_id: string; name: string | null; last_on: LocalDate }>(
      `select d.customer_id, c.name, d.last_on from customer_date d cross join lateral (select * from customer where tenant_id = $1 and id = d.customer_id offset 0) c
       where d.tenant_id = $1 and d.what = 'active' and d.last_on between $2::date - $4::int and $3::date - $4::int and c.deleted_at is null${ownSql(env, 'd.customer_id', 5)}
       order by d.last_on, d.customer_id`,
      [tx.tenantId, from, to, days, ...ofCustomer(env)],
    );
    return rows.map((row) => inactive(row.customer_id, row.name, row.last_on, days, env));
  },
  between: async (tx, from, to, { days }, env) => {
    const active = await activeDays(tx, env.customerId === undefined ? undefined : [env.customerId], env.zone, env.now);
    const found: Candidate[] = [];
    active.forEach(({ customer_id: id, name, day }, at) => {
      const on = addDays(day, days);
      const next = active[at + 1];
      // What came on the day itself came after its midnight.
      if (on < from || on > to || (next?.customer_id === id && next.day < on)) return;
      found.push(inactive(id, name, day, days, env));
    });
    return found.sort((a, b) => (a.occurredOn < b.occurredOn ? -1 : 1));
  },
});

function inactive(id: string, name: string | null, last: LocalDate, days: number, env: DetectEnv): Candidate {
  const on = addDays(last, days);
  return {
    businessKey: `${id}:${last}`,
    subject: { kind: 'customer', id, label: personLabel(name, 'silence') },
    customerId: id,
    occurredOn: on,
    occurredAt: midnight(on, env.zone),
    data: { days, lastActivityOn: last },
  };
}
