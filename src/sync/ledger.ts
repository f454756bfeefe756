import { insertRows, type Tx } from '../base/database.ts';
import { sha256 } from '../base/ids.ts';

/** A write of ours: one field of one record. */
export interface LedgerRow {
  connection_id: string;
  object: string;
  remote_id: string;
  field: string;
  request_id: string;
  value_hash: Buffer;
  loose_hashes: Buffer[];
  number: string | null;
  /** Whether one of several values was put in or taken out. */
  way: '+' | '-' | null;
  learned_hash: Buffer | null;
  depth: number;
  written_at: Date;
  answered_at: Date | null;
  seen_at: Date | null;
  flipped_at: Date | null;
}

export const LEDGER =
  'connection_id, object, remote_id, field, request_id, value_hash, loose_hashes, number, way, learned_hash, depth, written_at, answered_at, seen_at, flipped_at';

/** A value as text that compares: nothing and the empty text are the same to most platforms. */
export const textOfValue = (value: unknown): string =>
  value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);

export const hashOfValue = (value: unknown): Buffer => sha256(textOfValue(value));

/** Digits that make a phone number comparable with and without the country in front. */
const PHONE_DIGITS = 9;

/** What stays of a value after the usual tidying: spaces and case, punctuation of phone numbers. */
export function looseHashes(value: unknown): Buffer[] {
  const text = textOfValue(value).normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase();
  const digits = /^[+()\d\s./-]+$/.test(text) ? text.replace(/\D/g, '') : '';
  return [
    ...(text === '' ? [] : [sha256(`text ${text}`)]),
    ...(digits.length >= PHONE_DIGITS ? [sha256(`phone ${digits.slice(-PHONE_DIGITS)}`)] : []),
  ];
}

const numberOf = (value: unknown): string | null => {
  const text = textOfValue(value).trim();
  return /^-?\d{1,15}(\.\d{1,10})?$/.test(text) ? text : null;
};

/** One of several values of a field, as the ledger has it. */
const hashOfMember = (member: string): Buffer => sha256(`member ${member.trim().toLowerCase()}`);

/** Whether a member of a field is the one a write put in or took out. */
export const isMemberOf = (row: LedgerRow, member: string): boolean =>
  row.way !== null && row.value_hash.equals(hashOfMember(member));

/** Members of a field that holds several: a list, of texts or of things with a name, or a text with separators. */
export function membersIn(value: unknown): string[] {
  const list = Array.isArray(value) ? value : typeof value === 'string' ? value.split(/[;,]/) : [];
  return list
    .map((item) => (item !== null && typeof item === 'object' ? (item as { name?: unknown }).name : item))
    .map((item) => textOfValue(item).trim())
    .filter((item) => item !== '');
}

/** How a value stands to one we wrote: the very same, ours after the platform tidied it, or somebody else's. */
export function compareWritten(row: LedgerRow, value: unknown): 'same' | 'tidied' | 'other' {
  if (row.way !== null) {
    const there = membersIn(value).some((member) => isMemberOf(row, member));
    return there === (row.way === '+') ? 'same' : 'other';
  }
  const hash = hashOfValue(value);
  if (hash.equals(row.value_hash) || (row.learned_hash && hash.equals(row.learned_hash))) return 'same';
  if (looseHashes(value).some((loose) => row.loose_hashes.some((known) => known.equals(loose)))) return 'tidied';
  const number = numberOf(value);
  if (number === null || row.number === null) return 'other';
  // Rounded: as near to ours as its own last decimal allows.
  const step = 10 ** -(number.split('.')[1]?.length ?? 0);
  return Math.abs(Number(number) - Number(row.number)) <= step / 2 + 1e-9 ? 'tidied' : 'other';
}

const COLUMNS = [
  { name: 'connection_id', type: 'uuid' },
  { name: 'object', type: 'text' },
  { name: 'remote_id', type: 'text' },
  { name: 'field', type: 'text' },
  { name: 'value_hash', type: 'bytea' },
  { name: 'loose_hashes', type: 'bytea[]' },
  { name: 'number', type: 'numeric' },
  { name: 'way', type: 'text' },
  { name: 'request_id', type: 'uuid' },
  { name: 'depth', type: 'smallint' },
  { name: 'written_at', type: 'timestamptz' },
  { name: 'expires_at', type: 'timestamptz' },
];

/** A field we are about to write. */
export interface Writing {
  connectionId: string;
  object: string;
  remoteId: string;
  field: string;
  value: unknown;
  /** The value is one of several, put in or taken out. */
  way?: '+' | '-';
  requestId: string;
  depth: number;
}

const DAY_MS = 86_400_000;

/** Notes writes before they leave: the platform may tell of them before it answers. */
export async function noteWrites(tx: Tx, writes: readonly Writing[], keepDays: number, now: Date): Promise<void> {
  const rows = writes.map(({ connectionId, object, remoteId, field, value, way, requestId, depth }) => ({
    connection_id: connectionId,
    object,
    remote_id: remoteId,
    field,
    way: way ?? null,
    value_hash: way ? hashOfMember(textOfValue(value)) : hashOfValue(value),
    loose_hashes: (way ? [] : looseHashes(value)).map((hash) => `\\x${hash.toString('hex')}`),
    number: way ? null : numberOf(value),
    request_id: requestId,
    depth,
    written_at: now,
    expires_at: new Date(now.getTime() + keepDays * DAY_MS),
  }));
  await insertRows(
    tx,
    'write_ledger',
    COLUMNS,
    rows,
    'on conflict (tenant_id, connection_id, object, remote_id, field, request_id) do update set written_at = excluded.written_at, expires_at = excluded.expires_at',
  );
}

/** The platform took a write; what it says the fields hold now counts as ours, however much it tidied them. */
export async function noteAnswered(
  tx: Tx,
  requestId: string,
  stored: readonly { remoteId: string; field: string; value: unknown }[],
  now: Date,
): Promise<void> {
  await tx.query('update write_ledger set answered_at = $3 where tenant_id = $1 and request_id = $2', [
    tx.tenantId,
    requestId,
    now,
  ]);
  for (const { remoteId, field, value } of stored)
    await tx.query(
      'update write_ledger set learned_hash = $5 where tenant_id = $1 and request_id = $2 and remote_id = $3 and field = $4',
      [tx.tenantId, requestId, remoteId, field, hashOfValue(value)],
    );
}

/** The platform refused: nothing of it can come back. */
export async function forgetWrites(tx: Tx, requestId: string): Promise<void> {
  await tx.query('delete from write_ledger where tenant_id = $1 and request_id = $2', [tx.tenantId, requestId]);
}

/** Whether anything of ours is expected back at all: most pages of most businesses need to know no more. */
export async function anyWrites(tx: Tx): Promise<boolean> {
  return (await tx.query('select 1 from write_ledger where tenant_id = $1 limit 1', [tx.tenantId])).rowCount > 0;
}

/** What we wrote into these records of a connection and still expect, newest first. */
export async function writesInto(
  tx: Tx,
  connectionId: string,
  object: string,
  remoteIds: readonly string[],
  now: Date,
): Promise<LedgerRow[]> {
  const { rows } = await tx.query<LedgerRow>(
    `select ${LEDGER} from write_ledger where tenant_id = $1 and connection_id = $2 and object = $3 and remote_id = any($4) and expires_at > $5
     order by written_at desc, request_id desc`,
    [tx.tenantId, connectionId, object, remoteIds, now],
  );
  return rows;
}

/**
 * What we wrote a moment ago into other records of the same people and companies, by record: whoever mirrors two
 * systems brings it here.
 */
export async function writesBeside(
  tx: Tx,
  streamId: string,
  remoteIds: readonly string[],
  since: Date,
): Promise<Map<string, LedgerRow[]>> {
  const found = new Map<string, LedgerRow[]>();
  const { rowCount } = await tx.query('select 1 from write_ledger where tenant_id = $1 and written_at > $2 limit 1', [
    tx.tenantId,
    since,
  ]);
  if (rowCount === 0) return found;
  for (const kind of ['contact', 'company']) {
    const { rows } = await tx.query<LedgerRow & { for_id: string }>(
      `select p.remote_id as for_id, ${LEDGER.split(', ')
        .map((name) => `l.${name}`)
        .join(', ')}
       from ${kind}_projection p
       join ${kind}_projection o on o.tenant_id = $1 and o.entity_id = p.entity_id
       join stream s on s.tenant_id = $1 and s.id = o.stream_id
       join write_ledger l on l.tenant_id = $1 and l.connection_id = s.connection_id and l.object = s.name and l.remote_id = o.remote_id
       where p.tenant_id = $1 and p.stream_id = $2 and p.remote_id = any($3) and l.written_at > $4
         and (o.stream_id, o.remote_id) is distinct from (p.stream_id, p.remote_id) order by l.written_at desc`,
      [tx.tenantId, streamId, remoteIds, since],
    );
    for (const { for_id, ...row } of rows) found.set(for_id, [...(found.get(for_id) ?? []), row]);
  }
  return found;
}

/** Notes that writes came back or were overtaken, and what the platform made of their values. */
export async function noteSeen(
  tx: Tx,
  seen: readonly { row: LedgerRow; learned?: unknown }[],
  now: Date,
): Promise<void> {
  if (seen.length === 0) return;
  await tx.query(
    `update write_ledger l set seen_at = coalesce(l.seen_at, $2), learned_hash = coalesce(decode(i.learned, 'hex'), l.learned_hash)
     from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[]) as i(request_id, object, remote_id, field, learned)
     where l.tenant_id = $1 and l.request_id = i.request_id and l.object = i.object and l.remote_id = i.remote_id and l.field = i.field`,
    [
      tx.tenantId,
      now,
      seen.map(({ row }) => row.request_id),
      seen.map(({ row }) => row.object),
      seen.map(({ row }) => row.remote_id),
      seen.map(({ row }) => row.field),
      seen.map((item) => ('learned' in item ? hashOfValue(item.learned).toString('hex') : null)),
    ],
  );
}
