import { one, type Row, type Tx } from '../base/database.ts';
import { refreshDates } from './dates.ts';
import { takeEverybody } from './stale.ts';
import { asksCompany, localZoneOf, type PersonPlace } from './zones.ts';

/** Columns of a company that say where it is. */
export const PLACE: readonly string[] = ['time_zone', 'country', 'region'];

/**
 * Writes `local_zone` into golden rows of contacts, before they are stored. Companies are read only for those whose own
 * record says nothing of their place.
 */
export async function giveZones(tx: Tx, rows: readonly Row[], businessZone: string): Promise<void> {
  const people = rows as (Row & PersonPlace & { company_id: string | null })[];
  const asking = people.filter((row) => row.company_id && asksCompany(row));
  const places = new Map<string, Row>();
  if (asking.length > 0) {
    const { rows: companies } = await tx.query<Row & { id: string }>(
      'select id, time_zone, country, region from company where tenant_id = $1 and id = any($2)',
      [tx.tenantId, [...new Set(asking.map((row) => row.company_id))]],
    );
    for (const company of companies) places.set(company.id, company);
  }
  for (const row of people) {
    const company = row.company_id ? places.get(row.company_id) : undefined;
    row.local_zone = localZoneOf(
      {
        ...row,
        company_time_zone: company?.time_zone as string | null,
        company_country: company?.country as string | null,
        company_region: company?.region as string | null,
      },
      businessZone,
    );
  }
}

interface Placed extends PersonPlace {
  id: string;
  local_zone: string | null;
}

const PLACED = `select c.id, c.local_zone, c.time_zone, c.country, c.region, c.phone, o.time_zone as company_time_zone, o.country as company_country, o.region as company_region
  from customer c left join company o on o.tenant_id = c.tenant_id and o.id = c.company_id`;

/** The people of companies that moved: whoever has no place of their own moved with them. */
export async function followCompanies(tx: Tx, companyIds: readonly string[], businessZone: string): Promise<void> {
  if (companyIds.length === 0) return;
  const { rows } = await tx.query<Placed>(
    `${PLACED} where c.tenant_id = $1 and c.company_id = any($2) order by c.id for update of c`,
    [tx.tenantId, companyIds],
  );
  await storeZones(tx, rows, businessZone);
}

async function storeZones(tx: Tx, people: readonly Placed[], businessZone: string): Promise<void> {
  const moved = people
    .map((row) => ({ id: row.id, was: row.local_zone, zone: localZoneOf(row, businessZone) }))
    .filter(({ was, zone }) => was !== zone);
  if (moved.length === 0) return;
  await tx.query(
    `update customer c set local_zone = i.zone from unnest($2::uuid[], $3::text[]) as i(id, zone)
     where c.tenant_id = $1 and c.id = i.id`,
    [tx.tenantId, moved.map(({ id }) => id), moved.map(({ zone }) => zone)],
  );
}

const BATCH = 2000;

/**
 * Brings the calendars of the next customers up to date: all of them once for a business whose zone changed, after a
 * first load, and for rows from before calendars were kept.
 * @returns whether more are left
 */
export async function passCalendars(tx: Tx, businessZone: string, now: Date): Promise<boolean> {
  const state = one(
    await tx.query<{ zone: string; after_id: string | null }>(
      'select zone, after_id from calendar_pass where tenant_id = $1 for update',
      [tx.tenantId],
    ),
  );
  const afresh = (await takeEverybody(tx, 'dates')) || state?.zone !== businessZone;
  if (!afresh && state.after_id === null) return false;
  const after = afresh ? null : state.after_id;
  const { rows } = await tx.query<Placed>(
    `${PLACED} where c.tenant_id = $1 and ($2::uuid is null or c.id > $2) order by c.id limit $3 for update of c`,
    [tx.tenantId, after, BATCH],
  );
  await storeZones(tx, rows, businessZone);
  await refreshDates(
    tx,
    rows.map(({ id }) => id),
    businessZone,
    now,
  );
  const left = rows.length === BATCH;
  await tx.query(
    `insert into calendar_pass (tenant_id, zone, after_id) values ($1, $2, $3)
     on conflict (tenant_id) do update set zone = excluded.zone, after_id = excluded.after_id`,
    [tx.tenantId, businessZone, left ? rows.at(-1)!.id : null],
  );
  return left;
}

/** The zones customers' dates are counted in; the business's where none is known. */
export async function localZones(
  tx: Tx,
  customerIds: readonly string[],
  businessZone: string,
): Promise<Map<string, string>> {
  const { rows } = await tx.query<{ id: string; local_zone: string | null }>(
    'select id, local_zone from customer where tenant_id = $1 and id = any($2)',
    [tx.tenantId, [...new Set(customerIds)]],
  );
  return new Map(rows.map((row) => [row.id, row.local_zone ?? businessZone]));
}
