import { one, type Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { newId } from '../base/ids.ts';
import { markStale } from '../model/stale.ts';
import type { MessageClass } from '../settings/schema.ts';

export type ConsentState = 'granted' | 'denied' | 'per_topic';

export interface ConsentRow {
  customer_id: string;
  channel: string;
  topic: string;
  class: MessageClass;
  /** `per_topic`: an objection to everything was taken back by the person; each topic counts by itself. */
  state: ConsentState;
  basis: string;
  source: string;
  evidence: Record<string, unknown>;
  recorded_at: Date;
  expires_at: Date | null;
}

export interface ConsentEntry {
  customerId: string;
  channel: string;
  /** `*` for everything on the channel. */
  topic: string;
  /** Marketing when absent. */
  class?: MessageClass;
  state: ConsentState;
  basis: string;
  source: string;
  evidence: Record<string, unknown>;
  at: Date;
  expiresAt?: Date | null;
}

/**
 * The lock a send and an opt-out both take, so that one of them is first. Always in the order of the ids: two
 * transactions that want the same two never wait for each other.
 */
export async function lockGuards(tx: Tx, subjectIds: readonly string[]): Promise<void> {
  const ids = [...new Set(subjectIds)].sort();
  if (ids.length === 0) return;
  const { rows: made } = await tx.query<{ subject_id: string }>(
    'insert into contact_guard (tenant_id, subject_id) select $1, id from unnest($2::uuid[]) as i(id) order by id on conflict do nothing returning subject_id',
    [tx.tenantId, ids],
  );
  // What this transaction has just made is its own until it ends: whoever wants the same waits at the insert.
  const own = new Set(made.map((row) => row.subject_id));
  const others = ids.filter((id) => !own.has(id));
  if (others.length === 0) return;
  await tx.query(
    'select 1 from contact_guard where tenant_id = $1 and subject_id = any($2) order by subject_id for update',
    [tx.tenantId, others],
  );
}

/** The lock of an address: two people can share one, and their own locks do not meet. */
export const guardOfAddress = (hash: Buffer): string =>
  hash.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

const valuesOf = (entry: ConsentEntry): unknown[] => [
  entry.customerId,
  entry.channel,
  entry.topic,
  entry.state,
  entry.basis,
  entry.source,
  entry.evidence,
  entry.at,
  entry.class ?? 'marketing',
  entry.expiresAt ?? null,
];

/** Writes the present choice and its history. An older fact never replaces a newer one. */
export async function recordConsent(tx: Tx, entry: ConsentEntry): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into consent as c (tenant_id, customer_id, channel, topic, state, basis, source, evidence, recorded_at, class, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     on conflict (tenant_id, customer_id, channel, topic, class) do update set state = excluded.state, basis = excluded.basis, source = excluded.source,
       evidence = excluded.evidence, recorded_at = excluded.recorded_at, expires_at = excluded.expires_at
     where c.recorded_at <= excluded.recorded_at
       and (c.state, c.source, c.basis, c.expires_at) is distinct from (excluded.state, excluded.source, excluded.basis, excluded.expires_at)`,
    [tx.tenantId, ...valuesOf(entry)],
  );
  if (rowCount === 0) return false;
  await tx.query(
    `insert into consent_event (tenant_id, id, customer_id, channel, topic, state, basis, source, evidence, recorded_at, class, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [tx.tenantId, newId(), ...valuesOf(entry)],
  );
  // Conditions can ask for consent: segments look at the person again.
  await markStale(tx, 'segments', [{ customerId: entry.customerId, depth: 0 }]);
  await bumpDue(tx, tx.tenantId, 'segments', entry.at);
  return true;
}

export async function consentsOf(tx: Tx, customerIds: readonly string[]): Promise<ConsentRow[]> {
  const { rows } = await tx.query<ConsentRow>(
    'select customer_id, channel, topic, class, state, basis, source, evidence, recorded_at, expires_at from consent where tenant_id = $1 and customer_id = any($2)',
    [tx.tenantId, customerIds],
  );
  return rows;
}

export async function consentHistory(tx: Tx, customerId: string): Promise<(ConsentRow & { id: string })[]> {
  const { rows } = await tx.query<ConsentRow & { id: string }>(
    'select id, customer_id, channel, topic, class, state, basis, source, evidence, recorded_at, expires_at from consent_event where tenant_id = $1 and customer_id = $2 order by id desc limit 500',
    [tx.tenantId, customerId],
  );
  return rows;
}

export interface Suppression {
  channel: string;
  addressHash: Buffer;
  scope: 'all' | 'marketing';
  reason: string;
  source: string;
  evidence: Record<string, unknown>;
  at: Date;
}

/** Nothing goes to this address any more. A wider scope replaces a narrower one, never the other way round. */
export async function suppress(tx: Tx, suppression: Suppression): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into suppression as s (tenant_id, channel, address_hash, scope, reason, source, evidence, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (tenant_id, channel, address_hash) do update set scope = excluded.scope, reason = excluded.reason, source = excluded.source,
       evidence = excluded.evidence, created_at = excluded.created_at, lifted_at = null
     where s.lifted_at is not null or (s.scope = 'marketing' and excluded.scope = 'all')`,
    [
      tx.tenantId,
      suppression.channel,
      suppression.addressHash,
      suppression.scope,
      suppression.reason,
      suppression.source,
      suppression.evidence,
      suppression.at,
    ],
  );
  return rowCount === 1;
}

/**
 * Lifts a suppression the person asked to lift.
 * @param reasons why it may have been made: START opens what a STOP closed, and nothing else
 */
export async function liftSuppression(
  tx: Tx,
  channel: string,
  addressHash: Buffer,
  at: Date,
  reasons: readonly string[] = ['stop_reply'],
): Promise<boolean> {
  const { rowCount } = await tx.query(
    'update suppression set lifted_at = $4 where tenant_id = $1 and channel = $2 and address_hash = $3 and lifted_at is null and reason = any($5)',
    [tx.tenantId, channel, addressHash, at, reasons],
  );
  return rowCount === 1;
}

export interface SuppressionRow {
  channel: string;
  address_hash: Buffer;
  scope: 'all' | 'marketing';
  reason: string;
  source: string;
  created_at: Date;
}

/** Suppressions in force for any of the addresses. */
export async function suppressionsOf(
  tx: Tx,
  addresses: readonly { channel: string; hash: Buffer }[],
): Promise<SuppressionRow[]> {
  if (addresses.length === 0) return [];
  const { rows } = await tx.query<SuppressionRow>(
    `select s.channel, s.address_hash, s.scope, s.reason, s.source, s.created_at
     from unnest($2::text[], $3::text[]) as i(channel, hash) join suppression s on s.tenant_id = $1 and s.channel = i.channel and s.address_hash = decode(i.hash, 'hex')
     where s.lifted_at is null`,
    [
      tx.tenantId,
      addresses.map((address) => address.channel),
      addresses.map((address) => address.hash.toString('hex')),
    ],
  );
  return rows;
}

export interface TouchRow {
  request_id: string;
  customer_id: string;
  company_id: string | null;
  channel: string;
  class: string;
  at: Date;
  /** It did not go out: it counts for what is in shadow too, and for nothing else. */
  shadow: boolean;
}

/** Messages to these people and companies since `since`. */
export async function touchesSince(
  tx: Tx,
  customerIds: readonly string[],
  companyIds: readonly string[],
  since: Date,
): Promise<TouchRow[]> {
  const { rows } = await tx.query<TouchRow>(
    'select request_id, customer_id, company_id, channel, class, at, shadow from touch where tenant_id = $1 and (customer_id = any($2) or company_id = any($3)) and at > $4',
    [tx.tenantId, customerIds, companyIds, since],
  );
  return rows;
}

/** Takes back the count of a message that definitely did not go out. */
export async function releaseTouch(tx: Tx, requestId: string): Promise<void> {
  await tx.query('delete from touch where tenant_id = $1 and (request_id = $2 or copy_of = $2)', [
    tx.tenantId,
    requestId,
  ]);
}

/** Who has an address, by identity key. */
export async function customerOfAddress(tx: Tx, channel: string, address: string): Promise<string | undefined> {
  const key = channel === 'email' ? `email:${address}` : `phone:${address}`;
  return one(
    await tx.query<{ entity_id: string }>(
      "select entity_id from identity_key where tenant_id = $1 and kind = 'contact' and key = $2",
      [tx.tenantId, key],
    ),
  )?.entity_id;
}

/**
 * Notes that a word is answered at an address, unless it was answered lately: of two at once, one answers.
 * @returns whether it is to be answered
 */
export async function noteAnswered(
  tx: Tx,
  answer: { channel: string; addressHash: Buffer; word: string; at: Date; notSince: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into keyword_answer as k (tenant_id, channel, address_hash, word, answered_at) values ($1, $2, $3, $4, $5)
     on conflict (tenant_id, channel, address_hash, word) do update set answered_at = excluded.answered_at where k.answered_at <= $6`,
    [tx.tenantId, answer.channel, answer.addressHash, answer.word, answer.at, answer.notSince],
  );
  return rowCount === 1;
}
