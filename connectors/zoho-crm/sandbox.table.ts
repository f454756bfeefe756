export type Fields = Record<string, unknown>;

export interface ZohoRecord {
  id: string;
  fields: Fields;
  /** When it was made and last changed, in milliseconds of whole seconds. */
  createdAt: number;
  at: number;
  deletedAt?: number;
}

/** Where those begin for which a test holds, in a list in which all of them stand behind the others. */
function firstThat(records: readonly ZohoRecord[], holds: (record: ZohoRecord) => boolean): number {
  let [low, high] = [0, records.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(records[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The records of one module, by id and by time: a hundred thousand are paged through as fast as a hundred. */
export class ZohoTable {
  /** In the order of their ids, which is that in which they were made. */
  readonly rows: ZohoRecord[] = [];
  private readonly byId = new Map<string, ZohoRecord>();
  private byTime: ZohoRecord[] | undefined;
  private readonly earlier = new WeakMap<ZohoRecord, ZohoRecord[]>();

  find(id: string): ZohoRecord | undefined {
    const found = this.byId.get(id);
    return found?.deletedAt === undefined ? found : undefined;
  }

  add(record: ZohoRecord): void {
    this.rows.push(record);
    this.byId.set(record.id, record);
    this.touched();
  }

  /** The order by time is another one now. */
  touched(): void {
    this.byTime = undefined;
  }

  /** Keeps a record as it is, for an index that shows the next change late. */
  keep(record: ZohoRecord): void {
    const version = { ...record, fields: { ...record.fields } };
    this.earlier.set(record, [...(this.earlier.get(record) ?? []), version]);
  }

  live(): ZohoRecord[] {
    return this.rows.filter(({ deletedAt }) => deletedAt === undefined);
  }

  /**
   * What an index shows, sorted by time or id.
   * @param from in milliseconds: what changed then or later
   * @param visible changes later than this are not in the index yet; undefined: all are
   */
  *listed(sort: 'time' | 'id', from: number, visible: number | undefined): Generator<ZohoRecord> {
    if (visible !== undefined) {
      const seen = this.rows.flatMap((record) => this.seen(record, visible)).filter(({ at }) => at >= from);
      yield* sort === 'time' ? seen.sort((a, b) => a.at - b.at) : seen;
      return;
    }
    this.byTime ??= [...this.rows].sort((a, b) => a.at - b.at);
    const rows = sort === 'time' ? this.byTime : this.rows;
    const start = sort === 'time' ? firstThat(rows, ({ at }) => at >= from) : 0;
    for (let at = start; at < rows.length; at++) {
      const record = rows[at]!;
      if (record.deletedAt === undefined && record.at >= from) yield record;
    }
  }

  private seen(record: ZohoRecord, visible: number): ZohoRecord[] {
    if (record.deletedAt !== undefined) return [];
    if (record.at <= visible) return [record];
    const before = this.earlier.get(record)?.findLast(({ at }) => at <= visible);
    return before ? [before] : [];
  }
}
