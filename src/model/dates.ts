import { insertRows, type Row, type Tx } from '../base/database.ts';
import { addDays, type LocalDate, localDate } from '../base/time.ts';
import { loadOverrides } from './overrides.ts';
import { takeStale } from './stale.ts';

/** A job's kind and what was worked on, as they are compared: no case, no blanks around, and short enough for a key. */
export const jobKindSql = (column: string): string => `left(lower(btrim(coalesce(${column}, ''))), 60)`;
export const assetSql = (column: string): string => `left(lower(btrim(coalesce(${column}, ''))), 120)`;

/** A date further ahead than this is a mistake at the source, not something that will happen. */
const HORIZON_DAYS = 366;

/** Somebody wrote or called and was spoken with; what machines sent does not count. A test of a row of `activity`. */
export const answeredSql = (
  row: string,
): string => `${row}.automatic is not true and ${row}.kind <> 'note' and ${row}.kind <> 'task'
  and (${row}.direction = 'in' or ${row}.kind = 'meeting' or (${row}.kind = 'call' and ${row}.status ~* '^(connected|answered|completed)$'))`;
export const ANSWERED = answeredSql('a');

/** Of which customers: a condition on the column. */
const each = (column: string): string => `${column} = w.id`;
const everybody = (column: string): string => `${column} is not null`;

/** Everything that shows a customer is there, as `customer_id`, a date `day` or an instant `at`; $2 is the horizon. */
const activitySql = (of: (column: string) => string): string => `
  select j.customer_id, j.completed_on as day, null::timestamptz as at from job j
   where j.tenant_id = $1 and ${of('j.customer_id')} and j.status = 'completed' and j.deleted_at is null and j.completed_on <= $2::date
  union all select i.customer_id, i.issued_on, null from invoice i
   where i.tenant_id = $1 and ${of('i.customer_id')} and i.deleted_at is null and i.duplicate_of is null and i.status not in ('draft', 'void', 'credited') and i.issued_on <= $2::date
  union all select p.customer_id, p.paid_on, null from payment p
   where p.tenant_id = $1 and ${of('p.customer_id')} and p.deleted_at is null and p.status = 'succeeded' and coalesce(p.kind, 'payment') = 'payment' and p.paid_on <= $2::date
  union all select a.customer_id, null, a.occurred_at from activity a
   where a.tenant_id = $1 and ${of('a.customer_id')} and a.deleted_at is null and ${ANSWERED} and a.occurred_at < $2::date
  union all select s.customer_id, null, s.answered_at from survey_response s
   where s.tenant_id = $1 and ${of('s.customer_id')} and s.deleted_at is null and s.answered_at < $2::date`;

export interface ActiveDay {
  customer_id: string;
  name: string | null;
  day: LocalDate;
}

/**
 * The days on which customers bought, were served or answered, each in their own calendar and in order.
 * @param customerIds undefined: everybody's
 */
export async function activeDays(
  tx: Tx,
  customerIds: readonly string[] | undefined,
  zone: string,
  now: Date,
): Promise<ActiveDay[]> {
  const horizon = addDays(localDate(now, zone), HORIZON_DAYS);
  const { rows } = customerIds
    ? await tx.query<Active>(
        `select f.customer_id, f.day, f.at from unnest($3::uuid[]) as w(id) cross join lateral (${activitySql(each)}) f`,
        [tx.tenantId, horizon, customerIds],
      )
    : await tx.query<Active>(activitySql(everybody), [tx.tenantId, horizon]);
  const people = await peopleOf(tx, customerIds);
  return rows
    .flatMap(({ customer_id, day, at }) => {
      const person = people.get(customer_id);
      return person ? [{ customer_id, name: person.name, day: day ?? localDate(at!, person.local_zone ?? zone) }] : [];
    })
    .sort((a, b) =>
      a.customer_id === b.customer_id ? (a.day < b.day ? -1 : 1) : a.customer_id < b.customer_id ? -1 : 1,
    );
}

interface Active {
  customer_id: string;
  day: LocalDate | null;
  at: Date | null;
}

interface Person {
  id: string;
  name: string | null;
  local_zone: string | null;
}

/** Names and zones of living customers. */
async function peopleOf(tx: Tx, ids: readonly string[] | undefined): Promise<Map<string, Person>> {
  const { rows } = await tx.query<Person>(
    'select id, name, local_zone from customer where tenant_id = $1 and ($2::uuid[] is null or id = any($2)) and deleted_at is null',
    [tx.tenantId, ids ?? null],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

const COLUMNS = [
  { name: 'customer_id', type: 'uuid' },
  { name: 'what', type: 'text' },
  { name: 'kind', type: 'text' },
  { name: 'asset', type: 'text' },
  { name: 'first_on', type: 'date' },
  { name: 'first_day', type: 'text' },
  { name: 'last_on', type: 'date' },
];

/** Derives the first and last dates of these customers anew from their documents. Rows that are right stay untouched. */
export async function refreshDates(tx: Tx, customerIds: readonly string[], zone: string, now: Date): Promise<void> {
  if (customerIds.length === 0) return;
  const horizon = addDays(localDate(now, zone), HORIZON_DAYS);
  const fresh = [
    ...(await activityRows(tx, customerIds, zone, horizon)),
    ...(await servedRows(tx, customerIds, horizon)),
    ...(await setRows(tx, customerIds)),
  ];
  fresh.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const keys = new Set(fresh.map(keyOf));
  const { rows: stored } = await tx.query<Row>(
    `select customer_id, what, kind, asset from customer_date where tenant_id = $1 and (customer_id = any($2)
       or customer_id in (select old_id from entity_alias where tenant_id = $1 and entity_id = any($2)))`,
    [tx.tenantId, customerIds],
  );
  const gone = stored.filter((row) => !keys.has(keyOf(row)));
  if (gone.length > 0)
    await tx.query(
      `delete from customer_date d using unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) as i(customer_id, what, kind, asset)
       where d.tenant_id = $1 and d.customer_id = i.customer_id and d.what = i.what and d.kind = i.kind and d.asset = i.asset`,
      [tx.tenantId, ...['customer_id', 'what', 'kind', 'asset'].map((name) => gone.map((row) => row[name]))],
    );
  await insertRows(
    tx,
    'customer_date as d',
    COLUMNS,
    fresh,
    `on conflict (tenant_id, customer_id, what, kind, asset) do update
       set first_on = excluded.first_on, first_day = excluded.first_day, last_on = excluded.last_on
     where (d.first_on, d.last_on) is distinct from (excluded.first_on, excluded.last_on)`,
  );
}

const keyOf = (row: Row): string => JSON.stringify([row.customer_id, row.what, row.kind, row.asset]);

const dated = (row: {
  customer_id: string;
  what: string;
  kind: string;
  asset: string;
  first: LocalDate;
  last: LocalDate;
}): Row => ({
  customer_id: row.customer_id,
  what: row.what,
  kind: row.kind,
  asset: row.asset,
  first_on: row.first,
  first_day: row.first.slice(-5),
  last_on: row.last,
});

// By customer and by index, whatever the statistics say: fresh tables have none.
async function activityRows(tx: Tx, ids: readonly string[], zone: string, horizon: LocalDate): Promise<Row[]> {
  const { rows } = await tx.query<{
    customer_id: string;
    first_day: LocalDate | null;
    last_day: LocalDate | null;
    first_at: Date | null;
    last_at: Date | null;
  }>(
    `select w.id as customer_id, a.first_day, a.last_day, a.first_at, a.last_at from unnest($3::uuid[]) as w(id)
     cross join lateral (select min(f.day) as first_day, max(f.day) as last_day, min(f.at) as first_at, max(f.at) as last_at
       from (${activitySql(each)}) f) a
     where a.last_day is not null or a.last_at is not null`,
    [tx.tenantId, horizon, ids],
  );
  const people = await peopleOf(tx, ids);
  return rows.flatMap((row) => {
    const person = people.get(row.customer_id);
    if (!person) return [];
    const days = [row.first_day, row.last_day].filter((day) => day !== null);
    for (const at of [row.first_at, row.last_at]) if (at) days.push(localDate(at, person.local_zone ?? zone));
    days.sort();
    const [first, last] = [days[0]!, days.at(-1)!];
    return [dated({ customer_id: row.customer_id, what: 'active', kind: '', asset: '', first, last })];
  });
}

async function servedRows(tx: Tx, ids: readonly string[], horizon: LocalDate): Promise<Row[]> {
  const { rows } = await tx.query<{
    customer_id: string;
    kind: string;
    asset: string;
    first: LocalDate;
    last: LocalDate;
  }>(
    `select w.id as customer_id, s.kind, s.asset, s.first, s.last from unnest($3::uuid[]) as w(id)
     cross join lateral (select ${jobKindSql('j.kind')} as kind, ${assetSql('j.asset')} as asset, min(j.completed_on) as first, max(j.completed_on) as last
       from job j where j.tenant_id = $1 and j.customer_id = w.id and j.status = 'completed' and j.deleted_at is null and j.completed_on <= $2::date
       group by 1, 2) s`,
    [tx.tenantId, horizon, ids],
  );
  return rows.map((row) => dated({ ...row, what: 'served' }));
}

/** Days somebody set by hand. They count before what the jobs say. */
async function setRows(tx: Tx, ids: readonly string[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [customer_id, overrides] of await loadOverrides(tx, ids))
    for (const [field, kind] of SET_BY_HAND) {
      const day = overrides.find((one) => one.field === field)?.value;
      if (day) rows.push(dated({ customer_id, what: 'set', kind, asset: '', first: day, last: day }));
    }
  return rows;
}

const SET_BY_HAND = [
  ['first_service', ''],
  ['first_installation', 'installation'],
] as const;

const BATCH = 2000;

/** Brings the dates of customers of whom something changed up to date. @returns how many were looked at */
export async function settleDates(tx: Tx, zone: string, now: Date): Promise<number> {
  const ids = (await takeStale(tx, 'dates', BATCH)).map(({ customerId }) => customerId);
  await refreshDates(tx, ids, zone, now);
  return ids.length;
}
