import type { Row, Tx } from '../base/database.ts';
import { instantOf, type LocalDate, localDate } from '../base/time.ts';
import { type EntityKind, isJoined } from '../kit/index.ts';
import { goldenTable } from '../model/columns.ts';
import type { Change } from '../model/types.ts';
import type { Candidate, DetectEnv, Fact } from './schema.ts';

/** A change that may be what a trigger looks for, with what its entity looks like now. */
export interface Hit {
  change: Change;
  row: Row;
}

/** When something happened. */
export interface Moment {
  at: Date;
  on: LocalDate;
}

const tableOf = (kind: EntityKind): string => (isJoined(kind) ? goldenTable(kind) : kind);
const idOf = (kind: EntityKind): string => (isJoined(kind) ? 'id' : 'entity_id');

/** Rows of living entities by id, as they are now. */
export async function rowsOf(tx: Tx, kind: EntityKind, ids: readonly string[]): Promise<Map<string, Row>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<Row>(
    `select t.*, ${idOf(kind)} as entity from ${tableOf(kind)} t where t.tenant_id = $1 and t.${idOf(kind)} = any($2) and t.deleted_at is null`,
    [tx.tenantId, [...new Set(ids)]],
  );
  return new Map(rows.map((row) => [row.entity as string, row]));
}

/**
 * Changes of a kind that pass the test, with the rows of those entities that still exist. What a join of two customers
 * brought about is no news about either: nobody tagged or moved anybody.
 */
export async function hitsOf(
  tx: Tx,
  changes: readonly Change[],
  kind: EntityKind,
  test: (change: Change) => boolean,
): Promise<Hit[]> {
  const passed = changes.filter(
    (change) => change.kind === kind && ['created', 'updated', 'restored'].includes(change.op) && test(change),
  );
  if (passed.length === 0) return [];
  const told = isJoined(kind) ? await withoutJoins(tx, passed) : passed;
  const rows = await rowsOf(
    tx,
    kind,
    told.map((change) => change.entity_id),
  );
  if (kind === 'company') await fillMainContacts(tx, [...rows.values()]);
  return told.flatMap((change) => {
    const row = rows.get(change.entity_id);
    return row ? [{ change, row }] : [];
  });
}

/** Golden rows change when two become one or one becomes two; both are noted in the same transaction. */
async function withoutJoins(tx: Tx, changes: readonly Change[]): Promise<Change[]> {
  const { rows } = await tx.query<{ entity_id: string; received_at: Date }>(
    `select entity_id, received_at from change where tenant_id = $1 and entity_id = any($2) and op in ('merged', 'unmerged')`,
    [tx.tenantId, [...new Set(changes.map((change) => change.entity_id))]],
  );
  const joined = new Set(rows.map((row) => `${row.entity_id} ${row.received_at.getTime()}`));
  return changes.filter((change) => !joined.has(`${change.entity_id} ${change.received_at.getTime()}`));
}

/** The person a company's facts are told to: who has been with it longest. */
async function fillMainContacts(tx: Tx, companies: readonly Row[]): Promise<void> {
  if (companies.length === 0) return;
  const { rows } = await tx.query<{ company_id: string; id: string }>(
    `select distinct on (company_id) company_id, id from customer where tenant_id = $1 and company_id = any($2) and deleted_at is null order by company_id, id`,
    [tx.tenantId, companies.map((row) => row.id)],
  );
  const byCompany = new Map(rows.map((row) => [row.company_id, row.id]));
  for (const row of companies) row.customer_id = byCompany.get(row.id as string) ?? null;
}

/**
 * Rows of a kind dated within [from, to] by a date or a time, of one customer when asked so. Each column used here has
 * an index that leads with it (migrations/0017_event_triggers.sql).
 * @param where a condition on `t`, with no values of users in it
 */
export async function rowsDated(
  tx: Tx,
  kind: EntityKind,
  column: { date: string } | { time: string },
  from: LocalDate,
  to: LocalDate,
  env: DetectEnv,
  where: string,
): Promise<{ row: Row; moment: Moment }[]> {
  const name = 'date' in column ? column.date : column.time;
  const bounds =
    'date' in column
      ? [from, to]
      : [instantOf(from, '00:00', env.zone), new Date(instantOf(to, '24:00', env.zone).getTime() - 1)];
  const { rows } = await tx.query<Row>(
    `select t.*, t.entity_id as entity from ${tableOf(kind)} t where t.tenant_id = $1 and t.${name} between $2 and $3 and t.deleted_at is null
       and ($4::uuid is null or t.customer_id = $4) and ${where} order by t.${name}, t.entity_id`,
    [tx.tenantId, ...bounds, env.customerId ?? null],
  );
  return rows.map((row) => ({
    row,
    moment:
      'date' in column
        ? { at: instantOf(row[name] as LocalDate, '00:00', env.zone), on: row[name] as LocalDate }
        : { at: row[name] as Date, on: localDate(row[name] as Date, env.zone) },
  }));
}

const earlier = (a: Date, b: Date): Date => (a < b ? a : b);

/**
 * When what a change tells happened. A date or time the record gives counts over the moment it was told, so that an old
 * fact stays old. A record heard of for the first time that gives none may be as it is since it was made.
 */
export function momentOf({ change, row }: Hit, env: DetectEnv, told?: LocalDate | Date | null): Moment {
  const heard = change.occurred_at;
  if (typeof told === 'string') return { at: earlier(heard, instantOf(told, '24:00', env.zone)), on: told };
  const made = change.op === 'created' ? (row.source_created_at as Date | null) : null;
  const at = earlier(heard, told ?? made ?? heard);
  return { at, on: localDate(at, env.zone) };
}

/** What an entity is called, for people. */
export function labelOf(kind: EntityKind, row: Row): string {
  const name = [row.name, row.title, row.subject, row.number, row.email, row.survey, row.remote_id].find(
    (text) => typeof text === 'string' && text !== '',
  );
  if (kind === 'contact' || kind === 'company') return String(name ?? kind);
  return `${kind === 'survey_response' ? 'answer' : kind} ${name ?? ''}`.trim();
}

/** Whom something is about, told in the same words for every kind. */
export function candidateOf(
  kind: EntityKind,
  { row, change }: { row: Row; change?: Change },
  moment: Moment,
  more: { key: string; data?: Record<string, unknown>; fact?: Omit<Fact, 'kind'> },
): Candidate {
  const id = row.entity as string;
  return {
    businessKey: more.key,
    subject: { kind, id, label: labelOf(kind, row) },
    customerId: kind === 'contact' ? id : ((row.customer_id as string | null) ?? null),
    occurredOn: moment.on,
    occurredAt: moment.at,
    data: { ...more.data, ...(more.fact ? { fact: { kind, ...more.fact } } : {}) },
    depth: change?.depth ?? 0,
  };
}
