import type { Database } from '../base/database.ts';
import { sha256 } from '../base/ids.ts';
import { newRedactions, noteRedactions, untoldRedaction } from './redaction.ts';
import type { AuditEvent, AuditVerification } from './schema.ts';
import { type AuditRow, lastSealed, sealEvents, sealedEvents, unsealedEvents } from './store.ts';

const BATCH = 1000;

/** JSON with sorted keys: jsonb does not keep the order they were written in. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value ?? null);
}

/** The chain of a tenant starts from this value, so that chains cannot be exchanged. */
const genesis = (tenantId: string): Buffer => sha256(`rapport audit ${tenantId}`);

/** What stands in place of a body that was taken out. */
const TAKEN_OUT = canonicalJson({ erased: true });

const digestOf = (data: unknown): Buffer => sha256(canonicalJson(data));

function hashOf(previous: Buffer, seq: number, row: AuditRow): Buffer {
  const content = canonicalJson([
    seq,
    row.id,
    row.at.toISOString(),
    row.actor,
    row.action,
    row.subject_kind,
    row.subject_id,
    row.customer_id,
    // The digest in place of the data: what is said of a person can be taken out, and the chain still be verified.
    row.data_digest ? { digest: row.data_digest.toString('hex') } : row.data,
  ]);
  return sha256(Buffer.concat([previous, Buffer.from(content)]));
}

/**
 * Chains the events that are not chained yet. Safe to run twice and by two at once: the second waits and finds nothing.
 * @returns how many were sealed
 */
export async function sealAudit(db: Database, tenantId: string): Promise<number> {
  let total = 0;
  for (;;) {
    const sealed = await db.tenant(tenantId, async (tx) => {
      // The advisory lock is per tenant and ends with the transaction; it spans no call to anyone else.
      await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7))', [`audit ${tenantId}`]);
      const last = await lastSealed(tx);
      const open = await unsealedEvents(tx, BATCH);
      let previous = last?.hash ?? genesis(tenantId);
      let seq = last?.seq ?? 0;
      const seals = open.map((row) => {
        seq += 1;
        const digest = digestOf(row.data);
        const hash = hashOf(previous, seq, { ...row, data_digest: digest });
        const seal = { id: row.id, seq, previousHash: previous, hash, digest };
        previous = hash;
        return seal;
      });
      if (seals.length > 0) await sealEvents(tx, seals);
      return seals.length;
    });
    total += sealed;
    if (sealed < BATCH) return total;
  }
}

/**
 * Seals the tail, then walks the whole chain; the first event that does not fit is named.
 * @param keptHead a head that was kept elsewhere: the chain alone cannot tell that its end was cut off
 */
export async function verifyAudit(
  db: Database,
  tenantId: string,
  onProgress?: (events: number) => void,
  keptHead?: string,
): Promise<AuditVerification> {
  await sealAudit(db, tenantId);
  let previous = genesis(tenantId);
  let seq = 0;
  let met = keptHead === undefined;
  const redactions = newRedactions();
  for (;;) {
    const rows = await db.tenant(tenantId, (tx) => sealedEvents(tx, seq, BATCH));
    for (const row of rows) {
      noteRedactions(redactions, row);
      const broken = faultOf(row, seq + 1, previous);
      if (broken)
        return {
          ok: false,
          events: seq,
          head: seq > 0 ? previous.toString('hex') : null,
          broken: { seq: seq + 1, reason: broken },
        };
      previous = row.hash!;
      seq += 1;
      met ||= previous.toString('hex') === keptHead;
    }
    onProgress?.(seq);
    if (rows.length === BATCH) continue;
    const head = seq > 0 ? previous.toString('hex') : null;
    const untold = untoldRedaction(redactions);
    if (untold) return { ok: false, events: seq, head, broken: untold };
    if (met) return { ok: true, events: seq, head };
    return { ok: false, events: seq, head, broken: { seq: seq + 1, reason: CUT_OFF } };
  }
}

const CUT_OFF = 'the kept head is not in the chain; events at its end were cut off or written anew';

function faultOf(row: AuditRow, expectedSeq: number, previous: Buffer): string | undefined {
  if (row.seq !== expectedSeq) return `event ${expectedSeq} is missing; the next one is ${row.seq}`;
  if (!row.previous_hash?.equals(previous)) return `event ${row.id} does not follow the one before it`;
  if (row.redacted_by && canonicalJson(row.data) !== TAKEN_OUT)
    return `event ${row.id} was changed after it was written`;
  // One sealed over its data itself cannot be computed again without it: its hash stands in the event that tells of it.
  if (row.redacted_by && !row.data_digest) return undefined;
  if (!row.redacted_by && row.data_digest && !row.data_digest.equals(digestOf(row.data)))
    return `event ${row.id} was changed after it was written`;
  if (!row.hash?.equals(hashOf(previous, expectedSeq, row))) return `event ${row.id} was changed after it was written`;
  return undefined;
}

/** An event as the API and exports show it. */
export const toAuditEvent = (row: AuditRow): AuditEvent => ({
  id: row.id,
  at: row.at.toISOString(),
  actor: row.actor,
  action: row.action,
  subjectKind: row.subject_kind,
  subjectId: row.subject_id,
  customerId: row.customer_id,
  data: row.data,
  dataDigest: row.data_digest?.toString('hex') ?? null,
  redactedBy: row.redacted_by,
  seq: row.seq,
  previousHash: row.previous_hash?.toString('hex') ?? null,
  hash: row.hash?.toString('hex') ?? null,
});

/** All events in chain order, for an export. */
export async function* exportAudit(db: Database, tenantId: string): AsyncGenerator<AuditEvent> {
  await sealAudit(db, tenantId);
  let seq = 0;
  for (;;) {
    const rows = await db.tenant(tenantId, (tx) => sealedEvents(tx, seq, BATCH));
    for (const row of rows) {
      seq = row.seq!;
      yield toAuditEvent(row);
    }
    if (rows.length < BATCH) return;
  }
}
