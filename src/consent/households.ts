import type { Tx } from '../base/database.ts';
import { sha256 } from '../base/ids.ts';
import { guardOfAddress } from './store.ts';

/** Street and postal code without what is written differently each time; as the index on `customer` has it. */
const ADDRESS = "lower(regexp_replace(address_line || '|' || postal_code, '[^[:alnum:]|]+', '', 'g'))";

interface Member {
  id: string;
  phone: string | null;
  address: string | null;
}

const keysOf = (member: Member): string[] => [
  ...(member.phone ? [`phone:${member.phone}`] : []),
  // A bar alone is no address.
  ...(member.address && !/^\||\|$/.test(member.address) ? [`address:${member.address}`] : []),
];

/** The households of some people. */
export interface Households {
  /** Locks that whoever sends to somebody of one of them takes. */
  guards: string[];
  /** Everybody who shares a household with a person, the person included. */
  membersOf(customerId: string): ReadonlySet<string>;
  /** All of them. */
  everybody: string[];
}

/** People who have one phone number, or one address and postal code, with any of these. */
export async function householdsOf(tx: Tx, customerIds: readonly string[]): Promise<Households> {
  const members = new Map<string, Member>();
  const read = async (where: string, values: unknown[]): Promise<Member[]> => {
    const { rows } = await tx.query<Member>(
      `select id, phone, case when address_line is not null and postal_code is not null then ${ADDRESS} end as address
       from customer where tenant_id = $1 and deleted_at is null and ${where}`,
      [tx.tenantId, ...values],
    );
    for (const row of rows) members.set(row.id, row);
    return rows;
  };
  const own = customerIds.length > 0 ? await read('id = any($2)', [[...new Set(customerIds)]]) : [];
  const keys = [...new Set(own.flatMap(keysOf))];
  const valuesOf = (kind: string): string[] =>
    keys.filter((key) => key.startsWith(`${kind}:`)).map((key) => key.slice(kind.length + 1));
  const [phones, addresses] = [valuesOf('phone'), valuesOf('address')];
  if (phones.length > 0) await read('phone = any($2)', [phones]);
  if (addresses.length > 0)
    await read(`address_line is not null and postal_code is not null and ${ADDRESS} = any($2)`, [addresses]);
  const byKey = new Map<string, string[]>();
  for (const member of members.values())
    for (const key of keysOf(member)) byKey.set(key, [...(byKey.get(key) ?? []), member.id]);
  return {
    guards: keys.map((key) => guardOfAddress(sha256(`household ${tx.tenantId} ${key}`))),
    membersOf: (customerId) => {
      const member = members.get(customerId);
      return new Set([customerId, ...(member ? keysOf(member).flatMap((key) => byKey.get(key) ?? []) : [])]);
    },
    everybody: [...members.keys()],
  };
}
