import { one, type Row, type Tx } from '../base/database.ts';
import { ENTITY_KINDS, isJoined } from '../kit/index.ts';
import { projectionTable } from '../model/columns.ts';
import { idsOf } from '../model/homes.ts';

/** Everything rows of a person are found by. Kept while an erasure is under way, and gone with it. */
export interface Scope {
  /** Their ids: the living one, those that lead to it, and companies that are nobody but this person. */
  ids: string[];
  /** Records of platforms that are them, and documents about them: stream and id, side by side. */
  streams: string[];
  remotes: string[];
  /** How many of these, from the first, are the person's own. */
  own: number;
  /** What only they have (addresses and numbers as anybody wrote them), in lower case. */
  terms: string[];
  /** Their full names, in lower case: others can have the same. */
  names: string[];
  /** Identity keys of theirs that nobody else has. */
  keys: string[];
  /** Companies of which a record was theirs and others are not. */
  companies: string[];
}

/** Kinds that are about a customer and not one themselves. */
export const DOCUMENT_KINDS = ENTITY_KINDS.filter(
  (kind) => !isJoined(kind) && kind !== 'owner' && kind !== 'pipeline_stage',
);

/** The person behind a customer, as they are now. @param id a living customer */
export async function scopeOf(tx: Tx, id: string): Promise<Scope> {
  const ids = [...new Set([id, ...(await idsOf(tx, id))])];
  const { rows: own } = await tx.query<Row & { stream_id: string; remote_id: string; keys: string[] }>(
    'select * from contact_projection where tenant_id = $1 and entity_id = any($2)',
    [tx.tenantId, ids],
  );
  const golden = one(await tx.query<Row>('select * from customer where tenant_id = $1 and id = $2', [tx.tenantId, id]));
  const rows = golden ? [...own, golden] : own;
  const streams = own.map((row) => row.stream_id);
  const remotes = own.map((row) => row.remote_id);
  const { alone, shared } = await companiesOf(tx, streams, remotes);
  const documents = await documentsOf(tx, [...ids, ...alone]);
  const addresses = [...new Set(rows.flatMap(addressesOf))];
  return {
    ids: [...ids, ...alone],
    streams: [...streams, ...documents.map((row) => row.stream_id)],
    remotes: [...remotes, ...documents.map((row) => row.remote_id)],
    own: own.length,
    terms: termsOf(addresses, await payloadsOf(tx, streams, remotes)),
    names: [...new Set(rows.map((row) => fullName(row)).filter((name) => name !== undefined))],
    keys: await ownKeys(tx, ids, [...new Set(own.flatMap((row) => row.keys))]),
    companies: shared,
  };
}

const texts = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).filter((item): item is string => typeof item === 'string' && item !== '');

const addressesOf = (row: Row): string[] =>
  [row.email, row.emails, row.phone, row.phones].flatMap(texts).map((text) => text.toLowerCase());

/** Of two words at least: a first name alone is everybody's. */
function fullName(row: Row): string | undefined {
  const name = (texts(row.name)[0] ?? [row.first_name, row.last_name].flatMap(texts).join(' ')).trim().toLowerCase();
  return name.includes(' ') ? name : undefined;
}

/** A sole trader's record is a person and a company at once: the company is them where no other record stands for it. */
async function companiesOf(
  tx: Tx,
  streams: readonly string[],
  remotes: readonly string[],
): Promise<{ alone: string[]; shared: string[] }> {
  const { rows } = await tx.query<{ entity_id: string; others: boolean }>(
    `select p.entity_id, exists (select from company_projection o where o.tenant_id = $1 and o.entity_id = p.entity_id
         and (o.stream_id, o.remote_id) not in (select s, r from unnest($2::uuid[], $3::text[]) as i(s, r))) as others
     from company_projection p where p.tenant_id = $1
       and (p.stream_id, p.remote_id) in (select s, r from unnest($2::uuid[], $3::text[]) as i(s, r))`,
    [tx.tenantId, streams, remotes],
  );
  const of = (others: boolean): string[] => [
    ...new Set(rows.filter((row) => row.others === others).map((row) => row.entity_id)),
  ];
  return { alone: of(false), shared: of(true) };
}

async function documentsOf(tx: Tx, ids: readonly string[]): Promise<{ stream_id: string; remote_id: string }[]> {
  const found: { stream_id: string; remote_id: string }[] = [];
  for (const kind of DOCUMENT_KINDS) {
    const { rows } = await tx.query<{ stream_id: string; remote_id: string }>(
      `select stream_id, remote_id from ${projectionTable(kind)} where tenant_id = $1 and customer_id = any($2)`,
      [tx.tenantId, ids],
    );
    found.push(...rows);
  }
  return found;
}

async function payloadsOf(tx: Tx, streams: readonly string[], remotes: readonly string[]): Promise<unknown[]> {
  const { rows } = await tx.query<{ payload: unknown }>(
    `select payload from source_record where tenant_id = $1
       and (stream_id, remote_id) in (select s, r from unnest($2::uuid[], $3::text[]) as i(s, r))`,
    [tx.tenantId, streams, remotes],
  );
  return rows.map((row) => row.payload);
}

const digits = (text: string): string => text.replace(/\D/g, '');

/** Addresses, and numbers in every way a platform wrote them: they stand in posts and reasons as they were written. */
function termsOf(addresses: readonly string[], payloads: readonly unknown[]): string[] {
  const numbers = addresses.filter((address) => !address.includes('@')).map(digits);
  const known = new Set(addresses);
  const walk = (value: unknown): void => {
    if (typeof value === 'string' || typeof value === 'number') {
      const text = String(value).trim().toLowerCase();
      const plain = digits(text).replace(/^0+/, '');
      // The national part of a number says whose it is from seven digits on.
      if (text.length <= 40 && plain.length >= 7 && numbers.some((number) => number.endsWith(plain))) known.add(text);
      return;
    }
    if (value !== null && typeof value === 'object') for (const item of Object.values(value)) walk(item);
  };
  for (const payload of payloads) walk(payload);
  // As they stand in a form that was posted.
  return [...new Set([...known].flatMap((text) => [text, encodeURIComponent(text).toLowerCase()]))];
}

/** Keys of theirs that no record of somebody else has: a number can be a household's. */
async function ownKeys(tx: Tx, ids: readonly string[], keys: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ keys: string[] }>(
    `select keys from contact_projection where tenant_id = $1 and keys && $2::text[] and entity_id <> all($3::uuid[])
       and deleted_at is null`,
    [tx.tenantId, keys, ids],
  );
  const others = new Set(rows.flatMap((row) => row.keys));
  return keys.filter((key) => !others.has(key));
}
