import type { Tx } from '../base/database.ts';
import type { Stream } from '../kit/index.ts';
import { setting } from '../settings/store.ts';
import { countFlip } from './breaker.ts';
import {
  anyWrites,
  compareWritten,
  hashOfValue,
  isMemberOf,
  type LedgerRow,
  membersIn,
  noteSeen,
  textOfValue,
  writesBeside,
  writesInto,
} from './ledger.ts';
import type { RawRecord } from './records.ts';
import type { Source } from './source.ts';

/** What of a record is our own doing. */
export interface Echo {
  /**
   * The record as it would be had nobody else touched it: the stored one with what we wrote. Applied first, as an echo;
   * what then still differs is somebody else's. Absent: nothing of it is ours.
   */
  ours: RawRecord | undefined;
  /** How many of our own writes lie between this and something a person did. */
  depth: number;
}

type Holder = Record<string, unknown>;
const isHolder = (value: unknown): value is Holder =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Where platforms put the fields of a record. */
const HOLDERS = ['properties', 'fields', 'attributes'];

/** The object inside a record that holds a field, and under which name. */
export function fieldAt(
  stream: Pick<Stream, 'fieldAt'>,
  record: unknown,
  field: string,
): { holder: Holder; key: string } | undefined {
  if (stream.fieldAt) return stream.fieldAt(record, field);
  if (!isHolder(record)) return undefined;
  if (field in record) return { holder: record, key: field };
  for (const name of HOLDERS) if (isHolder(record[name])) return { holder: record[name], key: field };
  const [first, ...rest] = field.split('.');
  return rest.length > 0 && isHolder(record[first!]) ? fieldAt({}, record[first!], rest.join('.')) : undefined;
}

const valueAt = (stream: Pick<Stream, 'fieldAt'>, record: unknown, field: string): unknown => {
  const place = fieldAt(stream, record, field);
  return place?.holder[place.key];
};

/**
 * Tells what of records that changed is our own writing coming back, by hook or poll, here or through a mirror. Notes
 * what came back, learns how the platform tidied it, and counts where somebody set a field back.
 * @param changed records that differ from what is stored, before they are stored
 */
export async function recogniseEchoes(
  tx: Tx,
  source: Pick<Source, 'connection' | 'connector'>,
  streamName: string,
  streamId: string,
  changed: readonly { record: RawRecord }[],
  now: Date,
): Promise<Map<string, Echo>> {
  const found = new Map<string, Echo>();
  const stream = source.connector.streams.find((candidate) => candidate.name === streamName);
  const records = changed.map(({ record }) => record).filter((record) => !record.deleted);
  if (!stream || records.length === 0 || !(await anyWrites(tx))) return found;
  const ids = records.map((record) => record.id);
  const direct = await writesInto(tx, source.connection.id, stream.name, ids, now);
  const { causalMinutes } = await setting(tx, 'echo');
  const recent = new Date(now.getTime() - causalMinutes * 60_000);
  const beside = await writesBeside(tx, streamId, ids, recent);
  const concerned = records.filter(
    (record) => beside.has(record.id) || direct.some((row) => row.remote_id === record.id),
  );
  if (concerned.length === 0) return found;
  const stored = await storedPayloads(
    tx,
    streamId,
    concerned.map((record) => record.id),
  );
  for (const record of concerned) {
    const mine = direct.filter((row) => row.remote_id === record.id);
    const others = beside.get(record.id) ?? [];
    const look = new Look(stream, stored.get(record.id), record, now);
    for (const field of new Set(mine.map((row) => row.field)))
      look.field(
        field,
        mine.filter((row) => row.field === field),
      );
    look.mirrored(others);
    await noteSeen(tx, look.seen, now);
    for (const row of look.flipped) await countFlip(tx, row, now);
    const depths = [...mine, ...others].filter((row) => row.written_at > recent).map((row) => row.depth);
    found.set(record.id, { ours: look.ours(), depth: Math.max(0, ...depths) });
  }
  return found;
}

/** What is stored now, held until the transaction ends: another reading of the same record waits. */
async function storedPayloads(tx: Tx, streamId: string, ids: readonly string[]): Promise<Map<string, unknown>> {
  const { rows } = await tx.query<{ remote_id: string; payload: unknown }>(
    'select remote_id, payload from source_record where tenant_id = $1 and stream_id = $2 and remote_id = any($3) order by remote_id for update',
    [tx.tenantId, streamId, ids],
  );
  return new Map(rows.map((row) => [row.remote_id, row.payload]));
}

/** A look at one record: what we wrote, what was stored, and what is there now. */
class Look {
  readonly seen: { row: LedgerRow; learned?: unknown }[] = [];
  readonly flipped: LedgerRow[] = [];
  private readonly echoed = new Map<string, unknown>();
  private readonly stream: Stream;
  private readonly before: unknown;
  private readonly record: RawRecord;
  private readonly at: Date;

  constructor(stream: Stream, before: unknown, record: RawRecord, now: Date) {
    this.stream = stream;
    this.before = before;
    this.record = record;
    this.at = record.vendorAt ? new Date(record.vendorAt) : now;
  }

  /** @param rows our writes of this field, newest first */
  field(field: string, rows: readonly LedgerRow[]): void {
    const place = fieldAt(this.stream, this.record.raw, field);
    // A field that is not read tells nothing.
    if (!place || !(place.key in place.holder)) return;
    const value = place.holder[place.key];
    const before = valueAt(this.stream, this.before, field);
    const newest = rows[0]!;
    const changed = !hashOfValue(before).equals(hashOfValue(value));
    if (changed && this.member(field, rows, before, value)) return;
    if (changed) {
      const at = rows.findIndex((row) => !row.seen_at && row.way === null && compareWritten(row, value) !== 'other');
      if (at >= 0) {
        this.echoed.set(field, value);
        const tidied = compareWritten(rows[at]!, value) === 'tidied';
        this.seen.push({ row: rows[at]!, ...(tidied ? { learned: value } : {}) });
        // What we wrote before that can no longer show: the same value later is somebody's own.
        for (const row of rows.slice(at + 1)) if (!row.seen_at) this.seen.push({ row });
        return;
      }
    }
    if (compareWritten(newest, value) !== 'other') return;
    const wasThere = newest.seen_at !== null && changed && compareWritten(newest, before) !== 'other';
    // Our write had been taken when this was read: somebody was faster than our look.
    const overtaken = newest.seen_at === null && newest.answered_at !== null && this.at >= newest.answered_at;
    if ((wasThere || overtaken) && !newest.flipped_at) this.flipped.push(newest);
    if (overtaken) for (const row of rows) if (!row.seen_at) this.seen.push({ row });
  }

  /** A tag of ours that came or went: the field as it would be had only that happened. */
  private member(field: string, rows: readonly LedgerRow[], before: unknown, value: unknown): boolean {
    const [old, now] = [membersIn(before), membersIn(value)];
    const mine = (way: '+' | '-', member: string): LedgerRow | undefined =>
      rows.find((row) => !row.seen_at && row.way === way && isMemberOf(row, member));
    const came = now.filter((member) => !old.includes(member) && mine('+', member));
    const went = old.filter((member) => !now.includes(member) && mine('-', member));
    if (came.length + went.length === 0) return false;
    for (const member of came) this.seen.push({ row: mine('+', member)! });
    for (const member of went) this.seen.push({ row: mine('-', member)! });
    const kept = [...old.filter((member) => !went.includes(member)), ...came];
    // In the shape in which the platform writes it.
    const known = [...(Array.isArray(value) ? value : []), ...(Array.isArray(before) ? before : [])];
    this.echoed.set(
      field,
      Array.isArray(value)
        ? kept.map((member) => known.find((item) => membersIn([item])[0] === member))
        : kept.join(String(value).includes(',') ? ',' : ';'),
    );
    return true;
  }

  /** Fields that now hold what we wrote into another record of the same person or company. */
  mirrored(rows: readonly LedgerRow[]): void {
    if (rows.length === 0) return;
    for (const [field, value] of changedFields(this.before, this.record.raw))
      if (textOfValue(value) !== '' && rows.some((row) => row.way === null && compareWritten(row, value) !== 'other'))
        this.echoed.set(field, value);
  }

  /** The stored record with what we wrote. */
  ours(): RawRecord | undefined {
    if (this.echoed.size === 0 || this.before === undefined) return undefined;
    const raw = structuredClone(this.before);
    for (const [field, value] of this.echoed) {
      const place = fieldAt(this.stream, raw, field);
      if (place) place.holder[place.key] = value;
    }
    return { id: this.record.id, raw, vendorAt: this.record.vendorAt };
  }
}

/** Fields of the record, and of where its fields are kept, that differ and are plain values. */
function changedFields(before: unknown, after: unknown): [string, unknown][] {
  if (!isHolder(before) || !isHolder(after)) return [];
  const pairs: [Holder, Holder][] = [[before, after]];
  for (const name of HOLDERS)
    if (isHolder(before[name]) && isHolder(after[name])) pairs.push([before[name], after[name]]);
  return pairs.flatMap(([old, now]) =>
    Object.entries(now).filter(
      ([key, value]) =>
        (value === null || typeof value !== 'object') && !hashOfValue(old[key]).equals(hashOfValue(value)),
    ),
  );
}
