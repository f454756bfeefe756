import { Type } from 'typebox';
import type { Tx } from '../../base/database.ts';
import { addDays, addMonths, instantOf, type LocalDate, localDate } from '../../base/time.ts';
import { type Candidate, CLOCK_MAX_AGE_HOURS, type DetectEnv, defineTrigger } from '../schema.ts';
import { lowered, personLabel, Words } from './shared.ts';

interface Settings {
  services: number;
  months: number;
  jobKinds: string[];
  afterSequence: string | null;
}

export const customerExisting = defineTrigger({
  name: 'customer.existing',
  title: 'Became an existing customer',
  arms: 'Fires once for a customer on the first day on which so many services were completed within the last months and the new-customer track has ended. Without a track named, the services alone count.',
  key: 'customer',
  maxAgeHours: CLOCK_MAX_AGE_HOURS,
  calendar: 'customer',
  settings: Type.Object(
    {
      services: Type.Integer({ minimum: 1, maximum: 100 }),
      months: Type.Integer({ minimum: 1, maximum: 60 }),
      jobKinds: Words,
      afterSequence: Type.Union([Type.String({ minLength: 1, maxLength: 100 }), Type.Null()], {
        description: 'Key of the sequence that must have ended for the customer; null: none',
      }),
    },
    { additionalProperties: false },
  ),
  defaults: { services: 2, months: 6, jobKinds: [], afterSequence: 'new-customer' },
  fromChanges: async (tx, changes, settings, env) => {
    const done = changes.filter(
      (change) => change.kind === 'job' && change.after?.completed_on !== undefined && change.customer_id !== null,
    );
    const byCustomer = new Map(done.map((change) => [change.customer_id!, change]));
    const found = await qualified(tx, [...byCustomer.keys()], settings, env);
    return found.map((candidate) => {
      const { occurred_at: at, depth } = byCustomer.get(candidate.customerId!)!;
      // The service that made it so may be told of days after it was done.
      return { ...candidate, occurredAt: at < candidate.occurredAt ? candidate.occurredAt : at, depth };
    });
  },
  due: async (tx, from, to, settings, env) => {
    if (settings.afterSequence === null) return [];
    const { rows } = await tx.query<{ customer_id: string }>(
      `select distinct r.customer_id from sequence s join run r on r.tenant_id = $1 and r.sequence_id = s.id
       where s.tenant_id = $1 and s.key = $2 and r.ended_at >= $3 and r.ended_at < $4`,
      [tx.tenantId, settings.afterSequence, ...around(from, to)],
    );
    const found = await qualified(
      tx,
      rows.map((row) => row.customer_id),
      settings,
      env,
    );
    return found.filter(({ occurredOn }) => occurredOn >= from && occurredOn <= to);
  },
  between: async (tx, from, to, settings, env) => {
    const found = await qualified(tx, await touched(tx, from, to, settings, env), settings, env);
    return found
      .filter(({ occurredOn }) => occurredOn >= from && occurredOn <= to)
      .sort((a, b) => (a.occurredOn < b.occurredOn ? -1 : 1));
  },
});

/** The instants that lie on these dates anywhere on earth. */
const around = (from: LocalDate, to: LocalDate): [Date, Date] => [
  instantOf(from, '00:00', 'Etc/GMT-14'),
  instantOf(addDays(to, 1), '00:00', 'Etc/GMT+12'),
];

/** Customers who may have come to qualify within a range: a job was completed or the track ended. */
async function touched(tx: Tx, from: LocalDate, to: LocalDate, settings: Settings, env: DetectEnv): Promise<string[]> {
  if (env.customerId !== undefined) return [env.customerId];
  const { rows } = await tx.query<{ customer_id: string }>(
    `select j.customer_id from job j where j.tenant_id = $1 and j.completed_on between $2 and $3 and j.status = 'completed' and j.customer_id is not null
     union select r.customer_id from sequence s join run r on r.tenant_id = $1 and r.sequence_id = s.id
       where s.tenant_id = $1 and s.key = $4 and r.ended_at >= $5 and r.ended_at < $6`,
    [tx.tenantId, from, to, settings.afterSequence, ...around(from, to)],
  );
  return rows.map((row) => row.customer_id);
}

/** Those who qualify, each on the first day they do. */
async function qualified(tx: Tx, ids: readonly string[], settings: Settings, env: DetectEnv): Promise<Candidate[]> {
  if (ids.length === 0) return [];
  const { rows } = await tx.query<{
    id: string;
    name: string | null;
    local_zone: string | null;
    ended_at: Date | null;
    days: string[] | null;
  }>(
    `select c.id, c.name, c.local_zone,
       (select max(r.ended_at) from sequence s join run r on r.tenant_id = $1 and r.sequence_id = s.id
         where s.tenant_id = $1 and s.key = $3 and r.customer_id = c.id and r.ended_at is not null
           and not exists (select from run o where o.tenant_id = $1 and o.sequence_id = s.id and o.customer_id = c.id and o.ended_at is null)) as ended_at,
       (select array_agg(j.completed_on::text order by j.completed_on) from job j
         where j.tenant_id = $1 and j.customer_id = c.id and j.status = 'completed' and j.completed_on is not null and j.deleted_at is null
           and (cardinality($4::text[]) = 0 or lower(btrim(j.kind)) = any($4))) as days
     from customer c where c.tenant_id = $1 and c.id = any($2) and c.deleted_at is null`,
    [tx.tenantId, [...new Set(ids)], settings.afterSequence, lowered(settings.jobKinds)],
  );
  return rows.flatMap((row) => {
    if (settings.afterSequence !== null && row.ended_at === null) return [];
    const ended = row.ended_at ? localDate(row.ended_at, row.local_zone ?? env.zone) : undefined;
    const on = firstDay(row.days ?? [], settings, ended);
    if (on === undefined) return [];
    return [
      {
        businessKey: row.id,
        subject: { kind: 'customer', id: row.id, label: personLabel(row.name, 'custom') },
        customerId: row.id,
        occurredOn: on,
        occurredAt: instantOf(on, '00:00', row.local_zone ?? env.zone),
        data: { services: settings.services, months: settings.months },
      },
    ];
  });
}

/** The first day, from the end of the track on, on which enough services lie within the last months. */
function firstDay(
  days: readonly LocalDate[],
  { services, months }: Settings,
  ended: LocalDate | undefined,
): LocalDate | undefined {
  const enough = (on: LocalDate): boolean => {
    const since = addMonths(on, -months);
    return days.filter((day) => day > since && day <= on).length >= services;
  };
  const tried = ended === undefined ? days : [ended, ...days.filter((day) => day > ended)];
  return tried.find(enough);
}
