import { Type } from 'typebox';
import { addDays, instantOf, localDate } from '../../base/time.ts';
import { CLOCK_MAX_AGE_HOURS, defineTrigger } from '../schema.ts';
import { APPOINTMENT, type AppointmentRow, appointmentLabel } from './appointment.ts';
import { ofCustomer, ownSql } from './shared.ts';

const HOUR = 3_600_000;
const AHEAD = `j.status in ('requested', 'scheduled')`;

export const appointmentUpcoming = defineTrigger({
  name: 'appointment.upcoming',
  title: 'Appointment ahead',
  arms: 'Fires once at each number of hours before an appointment, to the minute. One that is moved counts anew for its new time; one that is cancelled does not fire. What is booked or moved later than that moment does not fire for it.',
  key: 'job + lead + time',
  maxAgeHours: CLOCK_MAX_AGE_HOURS,
  settings: Type.Object(
    {
      leadHours: Type.Array(Type.Integer({ minimum: 1, maximum: 24 * 30 }), {
        minItems: 1,
        maxItems: 10,
        uniqueItems: true,
      }),
    },
    { additionalProperties: false },
  ),
  defaults: { leadHours: [24, 2] },
  wakes: ['job'],
  nextAt: async (tx, settings, env) => {
    const moments: number[] = [];
    for (const hours of settings.leadHours) {
      const { rows } = await tx.query<{ at: Date | null }>(
        `select min(j.scheduled_at) as at from job j where j.tenant_id = $1 and j.scheduled_at > $2 and ${AHEAD} and j.deleted_at is null`,
        [tx.tenantId, new Date(env.now.getTime() + hours * HOUR)],
      );
      if (rows[0]?.at) moments.push(rows[0].at.getTime() - hours * HOUR);
    }
    return moments.length > 0 ? new Date(Math.min(...moments)) : undefined;
  },
  between: async (tx, from, to, settings, env) => {
    const found = [];
    const [begin, end] = [instantOf(from, '00:00', env.zone), instantOf(addDays(to, 1), '00:00', env.zone)];
    for (const hours of settings.leadHours) {
      const later = (moment: Date): Date => new Date(moment.getTime() + hours * HOUR);
      // What was ahead then may be over by now.
      const { rows } = await tx.query<AppointmentRow & { agreed_at: Date | null }>(
        `select ${APPOINTMENT}, greatest(j.source_created_at, (select max(c.occurred_at) from change c
           where c.tenant_id = $1 and c.entity_id = j.entity_id and 'scheduled_at' = any(c.fields) and c.op <> 'created')) as agreed_at
         from job j where j.tenant_id = $1 and j.scheduled_at >= $2 and j.scheduled_at < $3 and j.deleted_at is null
           and (${AHEAD} or (j.scheduled_at <= $4 and j.status <> 'cancelled'))${ownSql(env, 'j.customer_id', 5)}
         order by j.scheduled_at, j.entity_id`,
        [tx.tenantId, later(begin), later(end), env.now, ...ofCustomer(env)],
      );
      for (const row of rows) {
        const at = new Date(row.scheduled_at.getTime() - hours * HOUR);
        found.push({
          businessKey: `${row.entity_id}:${hours}:${row.scheduled_at.toISOString()}`,
          subject: { kind: 'job', id: row.entity_id, label: appointmentLabel(row) },
          customerId: row.customer_id,
          occurredOn: localDate(at, env.zone),
          occurredAt: at,
          until: row.scheduled_at,
          ...(row.agreed_at && row.agreed_at > at
            ? { skip: `skipped: it was booked or moved less than ${hours} hours ahead` }
            : {}),
          data: { hours, scheduledAt: row.scheduled_at.toISOString(), title: row.title },
        });
      }
    }
    return found;
  },
});
