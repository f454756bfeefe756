import { Type } from 'typebox';
import { addDays } from '../../base/time.ts';
import { midnight } from '../midnight.ts';
import { CLOCK_MAX_AGE_HOURS, defineTrigger } from '../schema.ts';
import { AGREEMENT, type AgreementRow, agreementLabel, END_OF_LEADS } from './agreement.ts';
import { LeadDays, lowered, ofCustomer, ownSql, Words } from './shared.ts';

export const warrantyExpiring = defineTrigger({
  name: 'warranty.expiring',
  title: 'Warranty expiring',
  arms: 'Fires for a warranty once at each number of days before its end. A warranty that is extended has a new end, which counts anew; one that was cancelled does not fire.',
  key: 'warranty + end date + lead',
  maxAgeHours: CLOCK_MAX_AGE_HOURS,
  calendar: 'customer',
  settings: Type.Object({ leadDays: LeadDays(), kinds: Words }, { additionalProperties: false }),
  defaults: { leadDays: [60, 30, 7], kinds: ['warranty'] },
  between: async (tx, from, to, settings, env) => {
    const { rows } = await tx.query<AgreementRow>(
      `select ${AGREEMENT}, s.ends_on as ends, (s.ends_on - d.days) as on, d.days
       from unnest($4::int[]) as d(days)
       cross join lateral (select * from subscription where tenant_id = $1 and ends_on between $2::date + d.days and $3::date + d.days offset 0) s
       where s.deleted_at is null and lower(btrim(s.kind)) = any($5::text[]) and ${END_OF_LEADS('s.ends_on', '$6')}${ownSql(env, 's.customer_id', 7)}
       order by s.ends_on - d.days, s.entity_id`,
      [tx.tenantId, from, to, settings.leadDays, lowered(settings.kinds), env.now, ...ofCustomer(env)],
    );
    return rows.map((row) => ({
      businessKey: `${row.entity_id}:${row.ends}:${row.days}`,
      subject: { kind: 'subscription', id: row.entity_id, label: agreementLabel(row, 'warranty') },
      customerId: row.customer_id,
      occurredOn: row.on,
      occurredAt: midnight(row.on, env.zone),
      until: midnight(addDays(row.ends, 1), env.zone),
      data: { days: row.days, endsOn: row.ends, name: row.name, plan: row.plan },
    }));
  },
});
