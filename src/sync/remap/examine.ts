import type { Clock } from '../../base/clock.ts';
import type { Row, Tx } from '../../base/database.ts';
import { at, type EntityKind, isJoined, type JoinedKind } from '../../kit/index.ts';
import type { Issue } from '../../mapping/compile.ts';
import { loadProjections, recordKey } from '../../model/documents.ts';
import { keysOf } from '../../model/keys.ts';
import type { Mapped } from '../../model/types.ts';
import { sort } from '../ingest.ts';
import { mapAll } from '../prepare.ts';
import type { RawRecord } from '../records.ts';
import type { Source } from '../source.ts';
import { loadSources } from '../sources.ts';
import { compareRow, decidedColumns } from './compare.ts';

/** What was found out about the records of a stream. */
export interface Examined {
  examined: number;
  /** Records of which anything would be different. */
  affected: number;
  fields: { kind: string; field: string; affected: number }[];
  /** Records that no longer fit, and that fit again. */
  newlyParked: number;
  resolved: number;
  /** Rows that would go, because the mapping makes no such record any more. */
  gone: number;
  /** Records that would share an identity key with another entity. */
  joins: number;
  optOuts: number;
  /** Values that would not fit and do now, with an example. */
  issues: { kind: string; field: string; records: number; critical: boolean; example: string }[];
  /** Paths the mapping newly reads and that no record has. */
  neverSeen: string[];
}

/** One record, before and after. */
export interface SampledRecord {
  id: string;
  name: string;
  /** Why it would be parked. */
  parked: string | null;
  changes: { kind: string; field: string; before: unknown; after: unknown }[];
}

export const emptyExamined = (): Examined => ({
  examined: 0,
  affected: 0,
  fields: [],
  newlyParked: 0,
  resolved: 0,
  gone: 0,
  joins: 0,
  optOuts: 0,
  issues: [],
  neverSeen: [],
});

interface Target {
  now: Source;
  then: Source;
  stream: { id: string; name: string };
  kinds: readonly EntityKind[];
  clock: Clock;
}

/**
 * Compares what is stored of some records with what another mapping makes of them. Adds to `found`.
 * @param most how many of the affected ones to answer
 */
export async function examine(
  tx: Tx,
  target: Target,
  which: { batch: readonly RawRecord[] } | { ids: readonly string[] },
  found: Examined,
  most: number,
): Promise<SampledRecord[]> {
  const { stream, now, then } = target;
  const asked = 'ids' in which;
  const records = asked ? await storedRecords(tx, stream.id, which.ids) : which.batch;
  const items = records.map((record) => ({ record }));
  const time = target.clock.now();
  const present = new Map((await mapAll(tx, now, stream.name, items)).map((item) => [item.record.id, item.issues]));
  const results = await mapAll(tx, then, stream.name, items);
  const outcome = sort(then, stream.name, stream.id, results, time, new Map());
  const reasons = new Map(outcome.parking.map((item) => [item.remoteId, item.reason]));
  const parkedNow = await openParked(tx, stream.id, records);
  const rows = await differences(tx, target, records, outcome.mapped, reasons, time);
  const joining = await wouldJoin(tx, rows);
  const byId = Map.groupBy(rows, (row) => row.id);
  lookForPaths(target, records, found);
  const sampled: SampledRecord[] = [];
  for (const { record, issues } of results) {
    const { id } = record;
    const all = byId.get(id) ?? [];
    const own = all.filter((row) => row.fields.length > 0);
    const newly = reasons.has(id) && !parkedNow.has(id);
    found.examined += 1;
    if (newly) found.newlyParked += 1;
    if (!reasons.has(id) && parkedNow.has(id)) found.resolved += 1;
    if (own.length > 0 || newly) found.affected += 1;
    if (own.some((row) => joining.has(row))) found.joins += 1;
    if (own.some((row) => row.fields.some((name) => name.endsWith('_opt_out')))) found.optOuts += 1;
    for (const row of own) countFields(found, row);
    countIssues(found, issues, present.get(id) ?? []);
    if (sampled.length < most && (asked || own.length > 0 || newly))
      sampled.push({ id, name: nameOf(all, id), parked: reasons.get(id) ?? null, changes: own.flatMap(shownChanges) });
  }
  return sampled;
}

async function storedRecords(tx: Tx, streamId: string, ids: readonly string[]): Promise<RawRecord[]> {
  return (await loadSources(tx, streamId, ids)).map((row) => ({
    id: row.remote_id,
    raw: row.payload,
    vendorAt: row.vendor_at?.toISOString(),
    deleted: row.deleted_at !== null,
  }));
}

async function openParked(tx: Tx, streamId: string, records: readonly RawRecord[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ remote_id: string }>(
    "select remote_id from parked_item where tenant_id = $1 and kind = 'record' and reference = any($2) and resolved_at is null",
    [tx.tenantId, records.map((record) => `${streamId}/${record.id}`)],
  );
  return new Set(rows.map((row) => row.remote_id));
}

interface Difference {
  id: string;
  kind: EntityKind;
  before: Row | undefined;
  /** Undefined when the row goes. */
  after: Row | undefined;
  fields: string[];
}

async function differences(
  tx: Tx,
  { then, stream, kinds }: Target,
  records: readonly RawRecord[],
  mapped: readonly Mapped[],
  parked: ReadonlyMap<string | undefined, string>,
  now: Date,
): Promise<Difference[]> {
  const found: Difference[] = [];
  for (const kind of kinds) {
    const own = new Map(mapped.filter((record) => record.kind === kind).map((record) => [record.remoteId, record]));
    const rows = await loadProjections(
      tx,
      kind,
      records.map((record) => ({ streamId: stream.id, remoteId: record.id })),
    );
    for (const { id } of records) {
      const record = own.get(id);
      const before = rows.get(recordKey(stream.id, id));
      if (record) {
        const { row, fields } = compareRow(record, before ?? {}, { now, zone: then.zone });
        found.push({ id, kind, before, after: row, fields });
      } else if (before) {
        const goes = !before.deleted_at && !parked.has(id);
        found.push({ id, kind, before, after: goes ? undefined : before, fields: goes ? ['deleted_at'] : [] });
      }
    }
  }
  return found;
}

/** Rows with a key that belongs to another entity today. */
async function wouldJoin(tx: Tx, rows: readonly Difference[]): Promise<Set<Difference>> {
  const joining = new Set<Difference>();
  for (const kind of ['contact', 'company'] as const satisfies readonly JoinedKind[]) {
    const fresh = rows
      .filter((row) => row.kind === kind && row.before && row.after && row.fields.length > 0 && isJoined(row.kind))
      .map((row) => ({
        row,
        keys: keysOf(kind, row.after!)
          .map(({ key }) => key)
          .filter((key) => !((row.before!.keys as string[] | null) ?? []).includes(key)),
      }));
    const keys = fresh.flatMap((item) => item.keys);
    if (keys.length === 0) continue;
    const { rows: owners } = await tx.query<{ key: string; entity_id: string }>(
      'select key, entity_id from identity_key where tenant_id = $1 and kind = $2 and key = any($3)',
      [tx.tenantId, kind, keys],
    );
    const ownerOf = new Map(owners.map((owner) => [owner.key, owner.entity_id]));
    for (const { row, keys: own } of fresh)
      if (own.some((key) => (ownerOf.get(key) ?? row.before!.entity_id) !== row.before!.entity_id)) joining.add(row);
  }
  return joining;
}

function lookForPaths({ now, then, stream }: Target, records: readonly RawRecord[], found: Examined): void {
  const known = new Set(now.mapping.streams.get(stream.name)?.paths);
  const fresh = (then.mapping.streams.get(stream.name)?.paths ?? []).filter((path) => !known.has(path));
  const open = found.examined === 0 ? fresh : found.neverSeen;
  found.neverSeen = open.filter((path) => !records.some((record) => (at(record.raw, path) ?? null) !== null));
}

function countFields(found: Examined, { kind, fields, after }: Difference): void {
  if (!after) found.gone += 1;
  for (const field of fields) {
    const entry = found.fields.find((item) => item.kind === kind && item.field === field);
    if (entry) entry.affected += 1;
    else found.fields.push({ kind, field, affected: 1 });
  }
}

/** Values that do not fit although they do by the mapping in force. */
function countIssues(found: Examined, issues: readonly Issue[], before: readonly Issue[]): void {
  for (const { kind, field, message, critical } of issues) {
    if (before.some((issue) => issue.kind === kind && issue.field === field)) continue;
    const entry = found.issues.find((item) => item.kind === kind && item.field === field);
    if (entry) entry.records += 1;
    else found.issues.push({ kind, field, records: 1, critical, example: message.slice(0, 300) });
  }
}

function shownChanges({ kind, before, after, fields }: Difference): SampledRecord['changes'] {
  const order = decidedColumns(kind);
  return [...fields]
    .sort((a, b) => order.indexOf(a) - order.indexOf(b))
    .map((field) => ({
      kind,
      field,
      before: before?.[field] ?? null,
      after: after ? (after[field] ?? null) : field === 'deleted_at' ? 'gone' : null,
    }));
}

/** What people call the record. */
function nameOf(rows: readonly Difference[], id: string): string {
  for (const { before, after } of rows) {
    for (const row of [before, after])
      for (const field of ['name', 'number', 'title', 'subject', 'email'])
        if (typeof row?.[field] === 'string') return row[field];
  }
  return id;
}
