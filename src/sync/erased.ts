import type { Row, Tx } from '../base/database.ts';
import { hmacSha256 } from '../base/ids.ts';
import type { Keyring } from '../base/keyring.ts';
import type { MappedEntity } from '../mapping/compile.ts';
import { keysOf } from '../model/keys.ts';
import type { PreparedRecord } from './prepare.ts';
import type { Source } from './source.ts';

/** Hashes of what an erased person was known by: they can be checked, but not read back. */
export interface ErasedHash {
  record(streamId: string, remoteId: string): Buffer;
  /** @param key an identity key: `email:a@b.c`, `phone:+4912345` */
  address(key: string): Buffer;
}

/** Hashes of one tenant, keyed by the hub. */
export function erasedHasher(keyring: Keyring, tenantId: string): ErasedHash {
  const key = keyring.derive('erasure');
  return {
    record: (streamId, remoteId) => hmacSha256(key, `${tenantId} record ${streamId} ${remoteId}`),
    address: (text) => hmacSha256(key, `${tenantId} address ${text.trim().toLowerCase()}`),
  };
}

/**
 * What of a page may be stored: what is of an erased person is left out, not a byte of it is kept, and it is counted.
 * Asked when the rows of the streams are held, so that an erasure that is under way is waited for.
 */
export async function withoutErased(
  deps: { keyring: Keyring },
  tx: Tx,
  source: Source,
  streamId: string,
  records: readonly PreparedRecord[],
  now: Date,
): Promise<readonly PreparedRecord[]> {
  if (records.length === 0 || !(await anyErased(tx))) return records;
  const hash = erasedHasher(deps.keyring, tx.tenantId);
  const signs = records.map(({ record, entities }) => [
    hash.record(streamId, record.id).toString('hex'),
    ...entities.flatMap((entity) => signsOf(hash, source, entity)),
  ]);
  const { rows } = await tx.query<{ hash: string }>(
    `update erasure_block b set hits = b.hits + 1, last_at = $3 from unnest($2::text[]) as i(hash)
     where b.tenant_id = $1 and b.hash = decode(i.hash, 'hex') returning encode(b.hash, 'hex') as hash`,
    [tx.tenantId, [...new Set(signs.flat())], now],
  );
  if (rows.length === 0) return records;
  const erased = new Set(rows.map((row) => row.hash));
  return records.filter((_, at) => !signs[at]!.some((sign) => erased.has(sign)));
}

async function anyErased(tx: Tx): Promise<boolean> {
  return (await tx.query('select from erasure_block where tenant_id = $1 limit 1', [tx.tenantId])).rowCount > 0;
}

/** Which of some records are of erased people, by their ids alone. */
export async function erasedIds(
  deps: { keyring: Keyring },
  tx: Tx,
  streamId: string,
  remoteIds: readonly string[],
): Promise<Set<string>> {
  if (remoteIds.length === 0 || !(await anyErased(tx))) return new Set();
  const hash = erasedHasher(deps.keyring, tx.tenantId);
  const ids = new Map(remoteIds.map((id) => [hash.record(streamId, id).toString('hex'), id]));
  const { rows } = await tx.query<{ hash: string }>(
    `select i.hash from unnest($2::text[]) as i(hash)
     join erasure_block b on b.tenant_id = $1 and b.hash = decode(i.hash, 'hex')`,
    [tx.tenantId, [...ids.keys()]],
  );
  return new Set(rows.map((row) => ids.get(row.hash)!));
}

/** Which of the hints of a connection are about records of erased people. */
export async function erasedHints<Hint extends { stream: string; remote_id: string }>(
  deps: { keyring: Keyring },
  tx: Tx,
  connectionId: string,
  hints: readonly Hint[],
): Promise<Set<Hint>> {
  const found = new Set<Hint>();
  if (hints.length === 0 || !(await anyErased(tx))) return found;
  const { rows } = await tx.query<{ id: string; name: string }>(
    'select id, name from stream where tenant_id = $1 and connection_id = $2',
    [tx.tenantId, connectionId],
  );
  for (const { id, name } of rows) {
    const own = hints.filter((hint) => hint.stream === name);
    const erased = await erasedIds(
      deps,
      tx,
      id,
      own.map((hint) => hint.remote_id),
    );
    for (const hint of own) if (erased.has(hint.remote_id)) found.add(hint);
  }
  return found;
}

/** What of an entity says whose it is: its own addresses, and the person it points at. */
function signsOf(hash: ErasedHash, source: Source, { kind, values, references }: MappedEntity): string[] {
  const of = (key: string): string => hash.address(key).toString('hex');
  if (kind === 'contact') return contactKeys(values).map(of);
  if (kind === 'company' || kind === 'owner') return [];
  const { customer } = references;
  const person = !customer
    ? []
    : 'key' in customer
      ? [of(customer.key)]
      : source.streamIds.has(customer.stream)
        ? [hash.record(source.streamIds.get(customer.stream)!, customer.id).toString('hex')]
        : [];
  const address = values[kind === 'activity' ? 'address' : 'email'];
  const key = typeof address !== 'string' ? [] : [of(`${address.includes('@') ? 'email' : 'phone'}:${address}`)];
  return [...person, ...key];
}

/** A number can be a household's: it says who somebody is only where no e-mail address does. */
function contactKeys(values: Row): string[] {
  const keys = keysOf('contact', values).map(({ key }) => key);
  const emails = keys.filter((key) => key.startsWith('email:'));
  return emails.length > 0 ? emails : keys.filter((key) => key.startsWith('phone:'));
}
