import { DateTime } from 'luxon';
import { type Static, Type } from 'typebox';
import type { Tx } from '../../base/database.ts';
import { words } from '../../base/schema.ts';
import { addDays, instantOf, type LocalDate, localDate } from '../../base/time.ts';
import { ANSWERED } from '../../model/dates.ts';
import { CLOCK_MAX_AGE_HOURS, defineTrigger } from '../schema.ts';
import { ofCustomer, ownSql } from './shared.ts';

/** What a customer can do that counts as an answer to a reminder; each as a condition on what came since `$3`. */
const ANSWERS = {
  message: `exists (select from activity a where a.tenant_id = $1 and a.customer_id = i.id and a.deleted_at is null and a.occurred_at >= i.since and ${ANSWERED})`,
  booking: `exists (select from job j where j.tenant_id = $1 and j.customer_id = i.id and j.deleted_at is null and j.source_created_at >= i.since)`,
  payment: `exists (select from payment p where p.tenant_id = $1 and p.customer_id = i.id and p.deleted_at is null and p.status = 'succeeded' and p.paid_on >= i.since::date)`,
  survey: `exists (select from survey_response s where s.tenant_id = $1 and s.customer_id = i.id and s.deleted_at is null and s.answered_at >= i.since)`,
} as const;
type Answer = keyof typeof ANSWERS;
const KINDS = Object.keys(ANSWERS) as Answer[];

const Settings = Type.Object(
  {
    days: Type.Integer({ minimum: 1, maximum: 365 }),
    counts: Type.Array(words(KINDS), { minItems: 1, uniqueItems: true, description: 'What counts as an answer' }),
  },
  { additionalProperties: false },
);

interface Waiting {
  run_id: string;
  step_id: string;
  customer_id: string;
  sequence_id: string;
  zone: string;
  depth: number;
  entered_at: Date;
}

export const reminderUnanswered = defineTrigger({
  name: 'reminder.unanswered',
  title: 'Reminder unanswered',
  arms: 'Fires once per enrolment and step when so many days have passed since the reminder and nothing that counts as an answer came: no message, booking, payment or survey. Opens, clicks and automatic replies do not count.',
  key: 'enrolment + step',
  maxAgeHours: CLOCK_MAX_AGE_HOURS,
  settings: Settings,
  defaults: { days: 3, counts: KINDS },
  // A step that waits for an answer and still does, or did in vain.
  due: async (tx, from, to, settings, env) => {
    const { rows } = await tx.query<Waiting>(
      `select r.id as run_id, s.step_id, r.customer_id, r.sequence_id, r.zone, r.depth, s.entered_at
       from run_step s join run r on r.tenant_id = $1 and r.id = s.run_id
       where s.tenant_id = $1 and s.entered_at >= $2 and s.entered_at < $3
         and (s.outcome = 'unanswered' or (s.left_at is null and r.state = 'waiting' and r.waiting_for = 'answer' and r.step_id = s.step_id))${ownSql(env, 'r.customer_id', 4)}
       order by s.entered_at, r.id`,
      [
        tx.tenantId,
        instantOf(addDays(from, -settings.days), '00:00', 'Etc/GMT-14'),
        instantOf(addDays(to, 1 - settings.days), '00:00', 'Etc/GMT+12'),
        ...ofCustomer(env),
      ],
    );
    const answered = await answeredOf(tx, rows, settings);
    return rows.flatMap((row, at) => {
      const on = addDays(localDate(row.entered_at, row.zone), settings.days);
      if (answered[at] || on < from || on > to) return [];
      return [
        {
          businessKey: `${row.run_id}:${row.step_id}`,
          subject: { kind: 'enrolment', id: row.run_id, label: `reminders of step ${row.step_id}` },
          customerId: row.customer_id,
          occurredOn: on,
          // The whole days are over at the time of day at which the reminder went out.
          occurredAt: sameTimeOn(on, row.entered_at, row.zone),
          data: { step: row.step_id, sequence: row.sequence_id, days: settings.days },
          depth: row.depth,
        },
      ];
    });
  },
});

const sameTimeOn = (on: LocalDate, moment: Date, zone: string): Date =>
  instantOf(on, DateTime.fromJSDate(moment, { zone }).toFormat('HH:mm'), zone);

/** Whether something that counts as an answer came from each customer since a moment. */
export async function answeredOf(
  tx: Tx,
  reminders: readonly { customer_id: string; entered_at: Date }[],
  { counts }: Pick<Static<typeof Settings>, 'counts'>,
): Promise<boolean[]> {
  if (reminders.length === 0) return [];
  const { rows } = await tx.query<{ answered: boolean }>(
    `select (${counts.map((kind) => ANSWERS[kind]).join(' or ')}) as answered
     from unnest($2::uuid[], $3::timestamptz[]) with ordinality as i(id, since, place) where $1::uuid is not null order by i.place`,
    [tx.tenantId, reminders.map((row) => row.customer_id), reminders.map((row) => row.entered_at)],
  );
  return rows.map((row) => row.answered);
}

/** How long a trigger waits at least, from its settings. */
export const waitsUntil = (enteredAt: Date, zone: string, settings: Record<string, unknown>): LocalDate =>
  addDays(localDate(enteredAt, zone), Number(settings.days ?? 3));
