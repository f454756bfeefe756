import { Type } from 'typebox';
import type { Tx } from '../../base/database.ts';
import { addDays, instantOf, type LocalDate, localDate } from '../../base/time.ts';
import { type Candidate, CLOCK_MAX_AGE_HOURS, type DetectEnv, defineTrigger } from '../schema.ts';
import { APPOINTMENT, type AppointmentRow, appointmentLabel } from './appointment.ts';
import { ofCustomer, ownSql } from './shared.ts';

const HOUR = 3_600_000;
/** Neither begun nor called off. */
const FORGOTTEN = `j.status in ('requested', 'scheduled')`;

export const appointmentMissed = defineTrigger({
  name: 'appointment.missed',
  title: 'Appointment missed',
  arms: 'Fires once when an appointment is reported as a no-show. With a number of hours it also fires when that long after its time nobody has begun, completed, moved or cancelled it. One that is moved counts anew for its new time.',
  key: 'job + time',
  maxAgeHours: CLOCK_MAX_AGE_HOURS,
  settings: Type.Object(
    {
      afterHours: Type.Union([Type.Integer({ minimum: 1, maximum: 24 * 14 }), Type.Null()], {
        description: 'Hours after which an appointment nobody touched counts as missed; null: never',
      }),
    },
    { additionalProperties: false },
  ),
  defaults: { afterHours: null },
  fromChanges: async (tx, changes, _settings, env) => {
    const told = changes.filter((change) => change.kind === 'job' && change.after?.status === 'no_show');
    if (told.length === 0) return [];
    const byId = new Map(told.map((change) => [change.entity_id, change]));
    const { rows } = await tx.query<AppointmentRow>(
      `select ${APPOINTMENT} from job j where j.tenant_id = $1 and j.entity_id = any($2) and j.status = 'no_show' and j.deleted_at is null`,
      [tx.tenantId, [...byId.keys()]],
    );
    return rows.map((row) => {
      const { occurred_at: at, depth } = byId.get(row.entity_id)!;
      return { ...missed(row, at, 'no_show', env), depth };
    });
  },
  wakes: ['job'],
  nextAt: async (tx, { afterHours }, env) => {
    if (afterHours === null) return undefined;
    const { rows } = await tx.query<{ at: Date | null }>(
      `select min(j.scheduled_at) as at from job j where j.tenant_id = $1 and j.scheduled_at > $2 and ${FORGOTTEN} and j.deleted_at is null`,
      [tx.tenantId, new Date(env.now.getTime() - afterHours * HOUR)],
    );
    return rows[0]?.at ? new Date(rows[0].at.getTime() + afterHours * HOUR) : undefined;
  },
  due: async (tx, from, to, { afterHours }, env) =>
    afterHours === null ? [] : scheduledBetween(tx, from, to, FORGOTTEN, afterHours, env),
  between: async (tx, from, to, { afterHours }, env) => {
    const reported = await scheduledBetween(tx, from, to, `j.status = 'no_show'`, 0, env);
    const silent = afterHours === null ? [] : await scheduledBetween(tx, from, to, FORGOTTEN, afterHours, env);
    return [...reported, ...silent].sort((a, b) => a.occurredAt.getTime() - b.occurredAt.getTime());
  },
});

/** Appointments in a state whose time lies so many hours before a range of dates. */
async function scheduledBetween(
  tx: Tx,
  from: LocalDate,
  to: LocalDate,
  state: string,
  hours: number,
  env: DetectEnv,
): Promise<Candidate[]> {
  const earlier = (date: LocalDate): Date => new Date(instantOf(date, '00:00', env.zone).getTime() - hours * HOUR);
  const { rows } = await tx.query<AppointmentRow>(
    `select ${APPOINTMENT} from job j where j.tenant_id = $1 and j.scheduled_at >= $2 and j.scheduled_at < $3 and ${state} and j.deleted_at is null${ownSql(env, 'j.customer_id', 4)}
     order by j.scheduled_at, j.entity_id`,
    [tx.tenantId, earlier(from), earlier(addDays(to, 1)), ...ofCustomer(env)],
  );
  return rows.map((row) =>
    missed(row, new Date(row.scheduled_at.getTime() + hours * HOUR), hours === 0 ? 'no_show' : 'untouched', env),
  );
}

const missed = (row: AppointmentRow, at: Date, how: string, env: DetectEnv): Candidate => ({
  businessKey: `${row.entity_id}:${row.scheduled_at?.toISOString() ?? 'no time'}`,
  subject: { kind: 'job', id: row.entity_id, label: appointmentLabel(row) },
  customerId: row.customer_id,
  occurredOn: localDate(at, env.zone),
  occurredAt: at,
  data: { how, scheduledAt: row.scheduled_at?.toISOString() ?? null, title: row.title },
});
