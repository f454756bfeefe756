import { Type } from 'typebox';
import type { Tx } from '../../base/database.ts';
import { addDays, addMonths, type LocalDate } from '../../base/time.ts';
import { assetSql, jobKindSql } from '../../model/dates.ts';
import { midnight } from '../midnight.ts';
import { type Candidate, CLOCK_MAX_AGE_HOURS, type DetectEnv, defineTrigger } from '../schema.ts';
import { lowered, ofCustomer, ownSql, Words } from './shared.ts';

const Months = Type.Integer({ minimum: 1, maximum: 120 });
const Word = Type.String({ minLength: 1, maxLength: 60 });

interface Settings {
  months: number;
  leadDays: number;
  jobKinds: string[];
  intervals: { asset?: string; jobKind?: string; months: number }[];
}

/** The last job of a kind on an asset of a customer. */
interface ServedRow {
  customer_id: string;
  name: string | null;
  kind: string;
  asset: string;
  last_on: LocalDate;
}

export const serviceDue = defineTrigger({
  name: 'service.due',
  title: 'Service due',
  arms: 'Fires once when so many months have passed since the last completed maintenance or installation, for each customer and each asset that was worked on, or the given number of days before. A newer job on the same asset moves it. Months are counted from the job and end with shorter months.',
  key: 'customer + asset + due date',
  maxAgeHours: CLOCK_MAX_AGE_HOURS,
  calendar: 'customer',
  settings: Type.Object(
    {
      months: Months,
      leadDays: Type.Integer({ minimum: 0, maximum: 180 }),
      jobKinds: Words,
      intervals: Type.Array(
        Type.Object(
          { asset: Type.Optional(Word), jobKind: Type.Optional(Word), months: Months },
          { additionalProperties: false },
        ),
        { maxItems: 50, description: 'Other intervals by asset, kind of job or both; the first that fits counts' },
      ),
    },
    { additionalProperties: false },
  ),
  defaults: { months: 6, leadDays: 0, jobKinds: ['maintenance', 'installation'], intervals: [] },
  due: async (tx, from, to, settings, env) => {
    const found: Candidate[] = [];
    for (const { months, low, high } of anchors(settings, from, to)) {
      // Of an asset only the newest of the counted jobs stands: that is what makes the index enough.
      const { rows } = await tx.query<ServedRow>(
        `select d.customer_id, c.name, d.kind, d.asset, d.last_on from customer_date d cross join lateral (select * from customer where tenant_id = $1 and id = d.customer_id offset 0) c
         where d.tenant_id = $1 and d.what = 'served' and d.last_on between $2 and $3 and d.kind = any($4::text[]) and c.deleted_at is null
           and not exists (select from customer_date n where n.tenant_id = $1 and n.customer_id = d.customer_id and n.what = 'served'
             and n.asset = d.asset and n.kind = any($4::text[]) and (n.last_on, n.kind) > (d.last_on, d.kind))${ownSql(env, 'd.customer_id', 5)}
         order by d.last_on, d.customer_id`,
        [tx.tenantId, low, high, lowered(settings.jobKinds), ...ofCustomer(env)],
      );
      found.push(...dueOf(rows, settings, months, from, to, env));
    }
    return found;
  },
  between: async (tx, from, to, settings, env) => {
    const found: Candidate[] = [];
    for (const { months, low, high } of anchors(settings, from, to))
      found.push(...dueOf(await jobsBetween(tx, low, high, months, settings, env), settings, months, from, to, env));
    return found.sort((a, b) => (a.occurredOn < b.occurredOn ? -1 : 1));
  },
});

/** Jobs of a range of days that no newer one had moved by the day they would be due. */
async function jobsBetween(
  tx: Tx,
  low: LocalDate,
  high: LocalDate,
  months: number,
  settings: Settings,
  env: DetectEnv,
): Promise<ServedRow[]> {
  const counted = (job: string): string =>
    `${job}.status = 'completed' and ${job}.deleted_at is null and ${jobKindSql(`${job}.kind`)} = any($4::text[])`;
  const { rows } = await tx.query<ServedRow>(
    `select distinct j.customer_id, c.name, ${jobKindSql('j.kind')} as kind, ${assetSql('j.asset')} as asset, j.completed_on as last_on
     from job j join customer c on c.tenant_id = $1 and c.id = j.customer_id
     where j.tenant_id = $1 and j.completed_on between $2 and $3 and ${counted('j')} and c.deleted_at is null
       and not exists (select from job n where n.tenant_id = $1 and n.customer_id = j.customer_id and ${counted('n')} and ${assetSql('n.asset')} = ${assetSql('j.asset')}
         and (n.completed_on, ${jobKindSql('n.kind')}) > (j.completed_on, ${jobKindSql('j.kind')})
         and n.completed_on < (j.completed_on + make_interval(months => $5::int))::date - $6::int)${ownSql(env, 'j.customer_id', 7)}`,
    [tx.tenantId, low, high, lowered(settings.jobKinds), months, settings.leadDays, ...ofCustomer(env)],
  );
  return rows;
}

/** The days on which a job must have been done to be due within a range, for each interval there is. */
function anchors(
  settings: Settings,
  from: LocalDate,
  to: LocalDate,
): { months: number; low: LocalDate; high: LocalDate }[] {
  const { leadDays } = settings;
  return [...new Set([settings.months, ...settings.intervals.map((interval) => interval.months)])].map((months) => ({
    months,
    low: addMonths(addDays(from, leadDays), -months),
    // Up to three more days of a longer month are due on the last day of a shorter one.
    high: addDays(addMonths(addDays(to, leadDays), -months), 3),
  }));
}

function monthsOf({ kind, asset }: ServedRow, settings: Settings): number {
  const fits = (word: string | undefined, value: string): boolean =>
    word === undefined || word.trim().toLowerCase() === value;
  const own = settings.intervals.find((interval) => fits(interval.asset, asset) && fits(interval.jobKind, kind));
  return own?.months ?? settings.months;
}

function dueOf(
  rows: readonly ServedRow[],
  settings: Settings,
  months: number,
  from: LocalDate,
  to: LocalDate,
  env: DetectEnv,
): Candidate[] {
  return rows.flatMap((row) => {
    if (monthsOf(row, settings) !== months) return [];
    const dueOn = addMonths(row.last_on, months);
    const on = addDays(dueOn, -settings.leadDays);
    if (on < from || on > to) return [];
    return [
      {
        businessKey: `${row.customer_id}:${row.asset}:${dueOn}`,
        subject: {
          kind: 'customer',
          id: row.customer_id,
          label: `service of ${row.asset || row.name || 'a customer without a name'}`,
        },
        customerId: row.customer_id,
        occurredOn: on,
        occurredAt: midnight(on, env.zone),
        data: { dueOn, months, asset: row.asset || null, lastKind: row.kind, lastOn: row.last_on },
      },
    ];
  });
}
