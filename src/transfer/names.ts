import type { Tx } from '../base/database.ts';
import { segmentNames } from '../segments/store.ts';

/** Segments by id and by name: conditions and triggers keep ids, files have names. */
export interface SegmentBook {
  named(value: unknown): unknown;
  identified(value: unknown): unknown;
}

const mapped = (value: unknown, names: ReadonlyMap<string, string>): unknown => {
  if (Array.isArray(value)) return value.map((item) => mapped(item, names));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      key === 'segment' && typeof member === 'string' ? (names.get(member) ?? member) : mapped(member, names),
    ]),
  );
};

/** Reads the segments there are now. */
export async function segmentBook(tx: Tx): Promise<SegmentBook> {
  const names = await segmentNames(tx);
  const ids = new Map([...names].map(([id, name]) => [name, id]));
  return { named: (value) => mapped(value, names), identified: (value) => mapped(value, ids) };
}

/** Names of segments a value asks for. */
export function segmentsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(segmentsIn);
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, member]) =>
    key === 'segment' && typeof member === 'string' ? [member] : segmentsIn(member),
  );
}
