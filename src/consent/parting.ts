import { insertRows, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { Parted } from '../model/types.ts';
import type { AddressHash } from './optout.ts';
import { partPreferences } from './preferences.ts';
import { type ConsentRow, consentsOf, guardOfAddress, lockGuards, suppress } from './store.ts';

const CHANNELS: Record<'email' | 'phone', readonly string[]> = {
  email: ['email'],
  phone: ['sms', 'whatsapp', 'call'],
};

/** Addresses that are wrong are wrong for one person only; a wish is known of both. */
const NO_WISH = /invalid|bounce|unknown/;

/**
 * One customer became two: what either objected to while they were one holds for both, at every address of theirs. A
 * consent goes back to the one who gave it; where nobody can tell who that was, neither has it.
 */
export async function partConsents(hash: AddressHash, tx: Tx, parted: Parted, now: Date): Promise<void> {
  const sides = { stays: hashesOf(hash, tx, parted.keys.stays), goes: hashesOf(hash, tx, parted.keys.goes) };
  const all = [...sides.stays, ...sides.goes];
  await lockGuards(tx, [parted.from, parted.revived, ...all.map((address) => guardOfAddress(address.hash))]);
  await spreadSuppressions(tx, all, parted, now);
  const rows = await consentsOf(tx, [parted.from]);
  const given: ConsentRow[] = [];
  const withdrawn: ConsentRow[] = [];
  for (const row of rows) {
    const whose = row.state === 'denied' ? { goes: true, stays: true } : whoseIs(row, parted, sides);
    if (whose.goes) given.push(row);
    if (!whose.stays) withdrawn.push(row);
  }
  await write(tx, 'consent', parted.revived, given);
  for (const row of withdrawn)
    await tx.query(
      'delete from consent where tenant_id = $1 and customer_id = $2 and channel = $3 and topic = $4 and class = $5',
      [tx.tenantId, parted.from, row.channel, row.topic, row.class],
    );
  await partPreferences(tx, parted, now);
  const apart = { merge: 'undone', from: parted.from, revived: parted.revived };
  const noted = (some: readonly ConsentRow[], state?: string): object[] =>
    some.map((row) => ({
      ...row,
      state: state ?? row.state,
      source: 'unmerge',
      evidence: { ...row.evidence, ...apart },
      recorded_at: now,
    }));
  await write(tx, 'consent_event', parted.revived, noted(given) as ConsentRow[]);
  await write(tx, 'consent_event', parted.from, noted(withdrawn, 'withheld') as ConsentRow[]);
}

interface Address {
  channel: string;
  hash: Buffer;
}

const hashesOf = (hash: AddressHash, tx: Tx, keys: readonly string[]): Address[] =>
  [...new Set(keys)].flatMap((key) => {
    const [kind, address] = [key.slice(0, key.indexOf(':')), key.slice(key.indexOf(':') + 1)];
    if (kind !== 'email' && kind !== 'phone') return [];
    return CHANNELS[kind].map((channel) => ({ channel, hash: hash(tx.tenantId, channel, address) }));
  });

/** Whose a consent is: by whom it came with, else by the address it was given at. */
function whoseIs(
  row: ConsentRow,
  parted: Parted,
  sides: { stays: Address[]; goes: Address[] },
): { stays: boolean; goes: boolean } {
  const { of, addressHash } = row.evidence as { of?: string[]; addressHash?: string };
  if (of) return { goes: of.some((id) => parted.ids.includes(id)), stays: of.some((id) => !parted.ids.includes(id)) };
  const has = (side: Address[]): boolean => side.some((address) => address.hash.toString('hex') === addressHash);
  return addressHash ? { goes: has(sides.goes), stays: has(sides.stays) } : { goes: false, stays: false };
}

async function spreadSuppressions(tx: Tx, all: readonly Address[], parted: Parted, now: Date): Promise<void> {
  const { rows } = await tx.query<{ channel: string; scope: 'all' | 'marketing'; reason: string }>(
    `select s.channel, s.scope, s.reason from unnest($2::text[], $3::text[]) as i(channel, hash)
     join suppression s on s.tenant_id = $1 and s.channel = i.channel and s.address_hash = decode(i.hash, 'hex')
     where s.lifted_at is null`,
    [tx.tenantId, all.map((address) => address.channel), all.map((address) => address.hash.toString('hex'))],
  );
  for (const { channel, scope, reason } of rows.filter((row) => !NO_WISH.test(row.reason)))
    for (const address of all.filter((candidate) => candidate.channel === channel))
      await suppress(tx, {
        channel,
        addressHash: address.hash,
        scope,
        reason,
        source: 'unmerge',
        evidence: { from: parted.from, revived: parted.revived },
        at: now,
      });
}

async function write(
  tx: Tx,
  table: 'consent' | 'consent_event',
  customerId: string,
  rows: readonly ConsentRow[],
): Promise<void> {
  const columns = [
    { name: 'customer_id', type: 'uuid' },
    { name: 'channel', type: 'text' },
    { name: 'topic', type: 'text' },
    { name: 'class', type: 'text' },
    { name: 'state', type: 'text' },
    { name: 'basis', type: 'text' },
    { name: 'source', type: 'text' },
    { name: 'evidence', type: 'jsonb' },
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'expires_at', type: 'timestamptz' },
    ...(table === 'consent' ? [] : [{ name: 'id', type: 'uuid' }]),
  ];
  const own = rows.map((row) => ({ ...row, id: newId(), customer_id: customerId }));
  await insertRows(tx, table, columns, own, table === 'consent' ? 'on conflict do nothing' : '');
}
