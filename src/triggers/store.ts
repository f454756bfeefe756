import { insertRows, one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { LocalDate } from '../base/time.ts';
import type { Change } from '../model/types.ts';
import type { Candidate } from './schema.ts';

export interface TriggerRow {
  id: string;
  name: string;
  title: string;
  settings: Record<string, unknown>;
  sequence_id: string | null;
  enabled: boolean;
  enabled_at: Date | null;
  checked_on: LocalDate | null;
  /** Why it could not be looked for at the last try. */
  problem: string | null;
  created_at: Date;
  updated_at: Date;
  version: number;
}

const ALL =
  'id, name, title, settings, sequence_id, enabled, enabled_at, checked_on, problem, created_at, updated_at, version';

export async function listTriggers(tx: Tx, enabledOnly = false): Promise<TriggerRow[]> {
  const { rows } = await tx.query<TriggerRow>(
    `select ${ALL} from trigger where tenant_id = $1 and (enabled or not $2) order by id`,
    [tx.tenantId, enabledOnly],
  );
  return rows;
}

export async function findTrigger(tx: Tx, id: string): Promise<TriggerRow | undefined> {
  return one(
    await tx.query<TriggerRow>(`select ${ALL} from trigger where tenant_id = $1 and id = $2`, [tx.tenantId, id]),
  );
}

export async function triggersOfSequence(tx: Tx, sequenceId: string): Promise<TriggerRow[]> {
  const { rows } = await tx.query<TriggerRow>(
    `select ${ALL} from trigger where tenant_id = $1 and sequence_id = $2 order by id`,
    [tx.tenantId, sequenceId],
  );
  return rows;
}

export async function insertTrigger(
  tx: Tx,
  row: Pick<TriggerRow, 'name' | 'title' | 'settings' | 'sequence_id' | 'enabled'>,
  now: Date,
): Promise<string> {
  const id = newId();
  await tx.query(
    `insert into trigger (tenant_id, id, name, title, settings, sequence_id, enabled, enabled_at, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)`,
    [tx.tenantId, id, row.name, row.title, row.settings, row.sequence_id, row.enabled, row.enabled ? now : null, now],
  );
  return id;
}

/** Changes a trigger when its version is the expected one. Switching on starts counting from now. */
export async function updateTrigger(
  tx: Tx,
  id: string,
  change: {
    title: string;
    settings: Record<string, unknown>;
    sequenceId: string | null;
    enabled: boolean;
    expected: number;
    now: Date;
  },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update trigger set title = $3, settings = $4, sequence_id = $5, enabled = $6, updated_at = $8, version = version + 1,
       enabled_at = case when $6 and not enabled then $8 when $6 then enabled_at end, checked_on = case when $6 and not enabled then null else checked_on end
     where tenant_id = $1 and id = $2 and version = $7`,
    [tx.tenantId, id, change.title, change.settings, change.sequenceId, change.enabled, change.expected, change.now],
  );
  return rowCount === 1;
}

export async function deleteTrigger(tx: Tx, id: string): Promise<boolean> {
  return (await tx.query('delete from trigger where tenant_id = $1 and id = $2', [tx.tenantId, id])).rowCount === 1;
}

export async function noteChecked(tx: Tx, id: string, on: LocalDate): Promise<void> {
  await tx.query('update trigger set checked_on = $3 where tenant_id = $1 and id = $2', [tx.tenantId, id, on]);
}

/** Writes down why a trigger could not be looked for; null when it could. */
export async function noteProblem(tx: Tx, id: string, problem: string | null, now: Date): Promise<void> {
  await tx.query(
    'update trigger set problem = $3, problem_at = $4 where tenant_id = $1 and id = $2 and problem is distinct from $3',
    [tx.tenantId, id, problem, problem === null ? null : now],
  );
}

export interface OccurrenceRow {
  id: string;
  trigger_id: string;
  trigger_name: string;
  business_key: string;
  subject_kind: string;
  subject_id: string;
  subject_label: string;
  customer_id: string | null;
  occurred_on: LocalDate;
  occurred_at: Date;
  detected_at: Date;
  data: Record<string, unknown>;
  outcome: string;
  run_id: string | null;
  depth: number;
}

const OCCURRENCE =
  'id, trigger_id, trigger_name, business_key, subject_kind, subject_id, subject_label, customer_id, occurred_on, occurred_at, detected_at, data, outcome, run_id, depth';

const COLUMNS = [
  { name: 'id', type: 'uuid' },
  { name: 'trigger_id', type: 'uuid' },
  { name: 'trigger_name', type: 'text' },
  { name: 'business_key', type: 'text' },
  { name: 'subject_kind', type: 'text' },
  { name: 'subject_id', type: 'text' },
  { name: 'subject_label', type: 'text' },
  { name: 'customer_id', type: 'uuid' },
  { name: 'occurred_on', type: 'date' },
  { name: 'occurred_at', type: 'timestamptz' },
  { name: 'detected_at', type: 'timestamptz' },
  { name: 'data', type: 'jsonb' },
  { name: 'outcome', type: 'text' },
  { name: 'depth', type: 'smallint' },
];

/**
 * Writes occurrences; those whose key exists already are left out. One that waited for its customer comes true when the
 * customer is known.
 * @returns the new ones
 */
export async function insertOccurrences(
  tx: Tx,
  trigger: { id: string; name: string },
  candidates: readonly (Candidate & { outcome: string })[],
  now: Date,
): Promise<OccurrenceRow[]> {
  const rows = [...new Map(candidates.map((candidate) => [candidate.businessKey, candidate])).values()].map(
    (candidate) => ({
      id: newId(),
      trigger_id: trigger.id,
      trigger_name: trigger.name,
      business_key: candidate.businessKey,
      subject_kind: candidate.subject.kind,
      subject_id: candidate.subject.id,
      subject_label: candidate.subject.label,
      customer_id: candidate.customerId,
      occurred_on: candidate.occurredOn,
      occurred_at: candidate.occurredAt,
      detected_at: now,
      data: candidate.data,
      outcome: candidate.outcome,
      depth: candidate.depth ?? 0,
    }),
  );
  return insertRows<OccurrenceRow>(
    tx,
    'occurrence as o',
    COLUMNS,
    rows,
    `on conflict (tenant_id, trigger_id, business_key) do update set customer_id = excluded.customer_id, occurred_on = excluded.occurred_on,
       occurred_at = excluded.occurred_at, detected_at = excluded.detected_at, data = excluded.data, outcome = excluded.outcome, depth = excluded.depth
     where o.customer_id is null and excluded.customer_id is not null returning ${OCCURRENCE}`,
  );
}

/** What came of occurrences. */
export async function settleOccurrences(
  tx: Tx,
  outcomes: readonly { id: string; outcome: string; runId: string | null }[],
): Promise<void> {
  if (outcomes.length === 0) return;
  await tx.query(
    `update occurrence o set outcome = i.outcome, run_id = i.run_id from unnest($2::uuid[], $3::text[], $4::uuid[]) as i(id, outcome, run_id)
     where o.tenant_id = $1 and o.id = i.id`,
    [
      tx.tenantId,
      outcomes.map((item) => item.id),
      outcomes.map((item) => item.outcome),
      outcomes.map((item) => item.runId),
    ],
  );
}

export async function listOccurrences(
  tx: Tx,
  filter: { customerId?: string; name?: string; before?: string; limit: number },
): Promise<OccurrenceRow[]> {
  const { rows } = await tx.query<OccurrenceRow>(
    `select ${OCCURRENCE} from occurrence where tenant_id = $1 and ($2::uuid is null or customer_id = $2) and ($3::text is null or trigger_name = $3)
       and ($4::uuid is null or id < $4) order by id desc limit $5`,
    [tx.tenantId, filter.customerId ?? null, filter.name ?? null, filter.before ?? null, filter.limit],
  );
  return rows;
}

export async function countOccurrences(tx: Tx): Promise<{ name: string; n: number }[]> {
  const { rows } = await tx.query<{ name: string; n: number }>(
    'select trigger_name as name, count(*)::int as n from occurrence where tenant_id = $1 group by 1 order by 1',
    [tx.tenantId],
  );
  return rows;
}

const CHANGE = 'id, kind, entity_id, customer_id, op, fields, before, after, origin, depth, occurred_at, received_at';

/** Takes changes nobody looked at yet, in order; another worker's are passed over. */
export async function takeChanges(tx: Tx, limit: number): Promise<Change[]> {
  const { rows } = await tx.query<Change>(
    `update change set processed = true where tenant_id = $1 and id in (
       select id from change where tenant_id = $1 and not processed order by id limit $2 for update skip locked)
     returning ${CHANGE}`,
    [tx.tenantId, limit],
  );
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Entities of a customer whose changes are kept, by the tables that point at customers. */
const DOCUMENTS = ['deal', 'ticket', 'invoice', 'payment', 'job', 'subscription', 'activity', 'survey_response'];

/** The kept changes of one customer since a moment, oldest first: their own, their documents' and their segments'. */
export async function changesOfCustomer(tx: Tx, customerId: string, since: Date): Promise<Change[]> {
  const documents = DOCUMENTS.map(
    (table) => `select entity_id from ${table} where tenant_id = $1 and customer_id = $2`,
  ).join(' union all ');
  const { rows } = await tx.query<Change>(
    `select ${CHANGE} from change where tenant_id = $1 and received_at >= $3 and entity_id in (select $2::uuid union all ${documents})
     union all select ${CHANGE} from change where tenant_id = $1 and received_at >= $3 and customer_id = $2 and kind = 'segment'
     order by id`,
    [tx.tenantId, customerId, since],
  );
  return rows;
}

/** What came of occurrences a trigger recorded, by business key. */
export async function findOccurrences(
  tx: Tx,
  triggerId: string,
  keys: readonly string[],
): Promise<Map<string, string>> {
  const { rows } = await tx.query<{ business_key: string; outcome: string }>(
    'select business_key, outcome from occurrence where tenant_id = $1 and trigger_id = $2 and business_key = any($3)',
    [tx.tenantId, triggerId, keys],
  );
  return new Map(rows.map((row) => [row.business_key, row.outcome]));
}
