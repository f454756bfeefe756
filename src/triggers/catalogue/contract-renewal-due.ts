import { Type } from 'typebox';
import { addDays } from '../../base/time.ts';
import { midnight } from '../midnight.ts';
import { CLOCK_MAX_AGE_HOURS, defineTrigger } from '../schema.ts';
import { AGREEMENT, type AgreementRow, agreementLabel, END_OF_LEADS } from './agreement.ts';
import { LeadDays, lowered, ofCustomer, ownSql, Words } from './shared.ts';

export const contractRenewalDue = defineTrigger({
  name: 'contract.renewal_due',
  title: 'Contract to be renewed',
  arms: 'Fires for a contract or subscription once at each number of days before it renews or ends, and once on the day after it ended without being renewed. A renewal gives it a new date, which counts anew; a cancelled one does not fire.',
  key: 'subscription + period + lead',
  maxAgeHours: CLOCK_MAX_AGE_HOURS,
  calendar: 'customer',
  settings: Type.Object(
    {
      leadDays: LeadDays(),
      expired: Type.Boolean({ description: 'Also on the day after the end' }),
      kinds: Words,
    },
    { additionalProperties: false },
  ),
  defaults: { leadDays: [60, 30, 14, 0], expired: true, kinds: ['contract', 'subscription'] },
  between: async (tx, from, to, settings, env) => {
    // Two index ranges: by renewal date, and by end date where nothing is said of a renewal (or for the day after).
    const { rows } = await tx.query<AgreementRow>(
      `select ${AGREEMENT}, s.renews_on as ends, (s.renews_on - d.days) as on, d.days, false as expired
         from unnest($4::int[]) as d(days)
         cross join lateral (select * from subscription where tenant_id = $1 and renews_on between $2::date + d.days and $3::date + d.days offset 0) s
        where s.deleted_at is null and coalesce(lower(btrim(s.kind)), 'subscription') = any($5::text[]) and ${END_OF_LEADS('s.renews_on', '$6')}${ownSql(env, 's.customer_id', 8)}
       union all
       select ${AGREEMENT}, s.ends_on, (s.ends_on - d.days), d.days, d.days = -1
         from unnest($4::int[] || $7::int[]) as d(days)
         cross join lateral (select * from subscription where tenant_id = $1 and ends_on between $2::date + d.days and $3::date + d.days offset 0) s
        where s.deleted_at is null and coalesce(lower(btrim(s.kind)), 'subscription') = any($5::text[]) and ${END_OF_LEADS('s.ends_on', '$6')}
          and (s.renews_on is null or (d.days = -1 and s.renews_on <= s.ends_on))${ownSql(env, 's.customer_id', 8)}
       order by "on", entity_id`,
      [
        tx.tenantId,
        from,
        to,
        settings.leadDays,
        lowered(settings.kinds),
        env.now,
        settings.expired ? [-1] : [],
        ...ofCustomer(env),
      ],
    );
    return rows.map((row) => ({
      businessKey: `${row.entity_id}:${row.ends}:${row.expired ? 'expired' : row.days}`,
      subject: { kind: 'subscription', id: row.entity_id, label: agreementLabel(row, 'contract') },
      customerId: row.customer_id,
      occurredOn: row.on,
      occurredAt: midnight(row.on, env.zone),
      ...(row.expired ? {} : { until: midnight(addDays(row.ends, 1), env.zone) }),
      data: {
        days: row.expired ? null : row.days,
        expired: row.expired,
        endsOn: row.ends,
        name: row.name,
        plan: row.plan,
      },
    }));
  },
});
