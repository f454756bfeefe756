import { one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { localDate } from '../base/time.ts';
import type { ChangeListener } from '../model/types.ts';
import type { Window } from '../settings/schema.ts';
import type { ESCALATION_TARGETS } from './steps.ts';

export interface StaffRow {
  id: string;
  email: string;
  name: string;
  deputy_id: string | null;
  roles: string[];
  zone: string | null;
  working_hours: Window | null;
  absent_until: string | null;
  departed_on: string | null;
  version: number;
}

const ALL = 'id, email, name, deputy_id, roles, zone, working_hours, absent_until, departed_on, version';

export async function listStaff(tx: Tx): Promise<StaffRow[]> {
  return (await tx.query<StaffRow>(`select ${ALL} from staff where tenant_id = $1 order by name, id`, [tx.tenantId]))
    .rows;
}

export async function findStaff(tx: Tx, id: string): Promise<StaffRow | undefined> {
  return one(await tx.query<StaffRow>(`select ${ALL} from staff where tenant_id = $1 and id = $2`, [tx.tenantId, id]));
}

/** Adds a member of staff; one with that e-mail address is left as is. */
export async function addStaff(
  tx: Tx,
  person: { email: string; name: string; roles?: string[]; zone?: string | null },
  now: Date,
): Promise<void> {
  await tx.query(
    'insert into staff (tenant_id, id, email, name, roles, zone, updated_at) values ($1, $2, lower($3), $4, $5, $6, $7) on conflict (tenant_id, email) do nothing',
    [tx.tenantId, newId(), person.email, person.name, person.roles ?? [], person.zone ?? null, now],
  );
}

export async function updateStaff(
  tx: Tx,
  id: string,
  change: Omit<StaffRow, 'id' | 'email' | 'version'> & { expected: number; now: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update staff set name = $3, deputy_id = $4, roles = $5, zone = $6, working_hours = $7, absent_until = $8, departed_on = $9, updated_at = $10, version = version + 1
     where tenant_id = $1 and id = $2 and version = $11`,
    [
      tx.tenantId,
      id,
      change.name,
      change.deputy_id,
      change.roles,
      change.zone,
      change.working_hours,
      change.absent_until,
      change.departed_on,
      change.now,
      change.expected,
    ],
  );
  return rowCount === 1;
}

/** Owners of the connected platforms are staff: nobody has to type them in. One who left the platform has departed. */
export const staffFromOwners: ChangeListener = async (tx, changes, now) => {
  const ids = changes.filter((change) => change.kind === 'owner').map((change) => change.entity_id);
  if (ids.length === 0) return;
  await tx.query(
    `insert into staff (tenant_id, id, email, name, roles, zone, updated_at)
     select $1, i.id, lower(o.email), coalesce(max(o.name), lower(o.email)), '{}', max(o.time_zone), $4
     from unnest($2::uuid[], $3::uuid[]) as i(entity_id, id) join owner o on o.tenant_id = $1 and o.entity_id = i.entity_id
     where o.email is not null and coalesce(o.active, true) group by lower(o.email), i.id
     on conflict (tenant_id, email) do nothing`,
    [tx.tenantId, ids, ids.map(() => newId()), now],
  );
  await tx.query(
    `update staff s set departed_on = $3::date, updated_at = $4, version = s.version + 1 from owner o
     where s.tenant_id = $1 and o.tenant_id = $1 and o.entity_id = any($2) and lower(o.email) = s.email and s.departed_on is null
       and not exists (select from owner other where other.tenant_id = $1 and lower(other.email) = s.email and coalesce(other.active, true) and other.deleted_at is null)`,
    [tx.tenantId, ids, localDate(now, 'UTC'), now],
  );
};

/** Who is there today. */
export const available = (person: StaffRow, today: string): boolean =>
  person.departed_on === null && (person.absent_until === null || person.absent_until < today);

/**
 * The person a level of an escalation is for. Absent and departed people are passed over.
 * @returns undefined when nobody fits
 */
export async function personFor(
  tx: Tx,
  who: (typeof ESCALATION_TARGETS)[number],
  role: string | undefined,
  customerId: string,
  today: string,
): Promise<StaffRow | undefined> {
  if (who === 'owner' || who === 'deputy') {
    const owner = one(
      await tx.query<StaffRow>(
        `select ${ALL.split(', ')
          .map((name) => `s.${name}`)
          .join(', ')} from customer c join owner o on o.tenant_id = c.tenant_id and o.entity_id = c.owner_id
         join staff s on s.tenant_id = c.tenant_id and s.email = lower(o.email) where c.tenant_id = $1 and c.id = $2`,
        [tx.tenantId, customerId],
      ),
    );
    const person =
      who === 'owner' || !owner ? owner : owner.deputy_id ? await findStaff(tx, owner.deputy_id) : undefined;
    return person && available(person, today) ? person : undefined;
  }
  const wanted = who === 'admin' ? 'admin' : role;
  return (await listStaff(tx)).find((person) => person.roles.includes(wanted ?? '') && available(person, today));
}
