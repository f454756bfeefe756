import { insertRows, one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { AuditEntry } from './schema.ts';

export interface AuditRow {
  id: string;
  at: Date;
  actor: string;
  action: string;
  subject_kind: string;
  subject_id: string;
  customer_id: string | null;
  data: Record<string, unknown>;
  seq: number | null;
  previous_hash: Buffer | null;
  hash: Buffer | null;
  /** Null for events sealed before there were digests: their hash covers the data itself. */
  data_digest: Buffer | null;
  redacted_by: string | null;
}

const COLUMNS = [
  { name: 'id', type: 'uuid' },
  { name: 'at', type: 'timestamptz' },
  { name: 'actor', type: 'text' },
  { name: 'action', type: 'text' },
  { name: 'subject_kind', type: 'text' },
  { name: 'subject_id', type: 'text' },
  { name: 'customer_id', type: 'uuid' },
  { name: 'data', type: 'jsonb' },
];

const ALL =
  'id, at, actor, action, subject_kind, subject_id, customer_id, data, seq, previous_hash, hash, data_digest, redacted_by';

/** Appends events in the transaction they tell of. */
export async function appendEvents(tx: Tx, entries: readonly AuditEntry[]): Promise<void> {
  const rows = entries.map((entry) => ({
    id: entry.id ?? newId(),
    at: entry.at,
    actor: entry.actor,
    action: entry.action,
    subject_kind: entry.subject.kind,
    subject_id: entry.subject.id,
    customer_id: entry.customerId ?? null,
    data: entry.data ?? {},
  }));
  await insertRows(tx, 'audit_event', COLUMNS, rows);
}

export interface AuditFilter {
  customerId?: string;
  subjectKind?: string;
  subjectId?: string;
  action?: string;
  /** Continue after this event (newest first). */
  before?: string;
  limit: number;
}

/** Events that match, newest first. */
export async function listEvents(tx: Tx, filter: AuditFilter): Promise<AuditRow[]> {
  const { rows } = await tx.query<AuditRow>(
    `select ${ALL} from audit_event where tenant_id = $1
       and ($2::uuid is null or customer_id = $2) and ($3::text is null or subject_kind = $3)
       and ($4::text is null or subject_id = $4) and ($5::text is null or action = $5) and ($6::uuid is null or id < $6)
     order by id desc limit $7`,
    [
      tx.tenantId,
      filter.customerId ?? null,
      filter.subjectKind ?? null,
      filter.subjectId ?? null,
      filter.action ?? null,
      filter.before ?? null,
      filter.limit,
    ],
  );
  return rows;
}

/** The last sealed event. */
export async function lastSealed(tx: Tx): Promise<{ seq: number; hash: Buffer } | undefined> {
  return one(
    await tx.query<{ seq: number; hash: Buffer }>(
      'select seq, hash from audit_event where tenant_id = $1 and seq is not null order by seq desc limit 1',
      [tx.tenantId],
    ),
  );
}

export async function unsealedEvents(tx: Tx, limit: number): Promise<AuditRow[]> {
  const { rows } = await tx.query<AuditRow>(
    `select ${ALL} from audit_event where tenant_id = $1 and seq is null order by id limit $2`,
    [tx.tenantId, limit],
  );
  return rows;
}

export async function sealEvents(
  tx: Tx,
  seals: readonly { id: string; seq: number; previousHash: Buffer; hash: Buffer; digest: Buffer }[],
): Promise<void> {
  await tx.query(
    `update audit_event e set seq = i.seq, previous_hash = decode(i.previous, 'hex'), hash = decode(i.hash, 'hex'), data_digest = decode(i.digest, 'hex')
     from unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[]) as i(id, seq, previous, hash, digest)
     where e.tenant_id = $1 and e.id = i.id and e.seq is null`,
    [
      tx.tenantId,
      seals.map((seal) => seal.id),
      seals.map((seal) => seal.seq),
      seals.map((seal) => seal.previousHash.toString('hex')),
      seals.map((seal) => seal.hash.toString('hex')),
      seals.map((seal) => seal.digest.toString('hex')),
    ],
  );
}

/** Sealed events in chain order after `seq`. */
export async function sealedEvents(tx: Tx, afterSeq: number, limit: number): Promise<AuditRow[]> {
  const { rows } = await tx.query<AuditRow>(
    `select ${ALL} from audit_event where tenant_id = $1 and seq > $2 order by seq limit $3`,
    [tx.tenantId, afterSeq, limit],
  );
  return rows;
}
