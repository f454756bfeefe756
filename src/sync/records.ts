import { JsonText } from '../base/database.ts';
import { sha256 } from '../base/ids.ts';
import { LONGEST_KEY, type Stream } from '../kit/index.ts';

/** A record as read from the vendor. */
export interface RawRecord {
  id: string;
  raw: unknown;
  /** `raw` as it is stored and compared; made when it is needed. */
  json?: JsonText;
  vendorAt?: string | undefined;
  deleted?: boolean;
}

/** Reads id and time of a record by what the stream says. Records without an id cannot be kept apart and are refused. */
export function toRawRecord(stream: Stream, raw: unknown): RawRecord | undefined {
  const id = stream.id(raw);
  if (id === undefined || id === '' || id.length > LONGEST_KEY) return undefined;
  const { deletes } = stream;
  const deleted = 'isDeleted' in deletes && deletes.isDeleted?.(raw) === true;
  // Vendors write the same moment in several ways; comparing needs one.
  const at = Date.parse(stream.changedAt?.(raw) ?? '');
  return { id, raw, vendorAt: Number.isNaN(at) ? undefined : new Date(at).toISOString(), deleted };
}

/** One record can come several times in a batch: what the vendor dates newest counts, else what came last. */
export function newestOfEach(records: readonly RawRecord[]): RawRecord[] {
  const byId = new Map<string, RawRecord>();
  for (const record of records) {
    const known = byId.get(record.id);
    const older = known?.vendorAt && record.vendorAt && Date.parse(record.vendorAt) < Date.parse(known.vendorAt);
    if (!older) byId.set(record.id, record);
  }
  return [...byId.values()];
}

/** The record as JSON, made once: what is compared is what is stored. */
export function jsonOfRecord(record: RawRecord): JsonText {
  record.json ??= new JsonText(record.raw);
  return record.json;
}

export const hashOf = (record: RawRecord): Buffer => sha256(jsonOfRecord(record).text).subarray(0, 16);
