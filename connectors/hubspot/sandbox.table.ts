import type { HubSpotRecord } from './sandbox.record.ts';
import { orderOf, type SearchBody, testsOf } from './sandbox.search.ts';

export interface Found {
  records: HubSpotRecord[];
  next: string | undefined;
}

/** Where those begin for which a test holds, in a list in which all of them stand behind the others. */
function firstThat(records: readonly HubSpotRecord[], holds: (record: HubSpotRecord) => boolean): number {
  let [low, high] = [0, records.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(records[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The records of one type, in an order for each way of reading them: 100,000 are paged through as fast as a hundred. */
export class HubSpotTable {
  /** In the order of their ids, which is that in which they were made. */
  readonly rows: HubSpotRecord[] = [];
  private readonly byId = new Map<string, HubSpotRecord>();
  private byTime: HubSpotRecord[] | undefined;
  private archived = 0;
  /** What records were before changes that the index may not have seen. */
  private readonly earlier = new WeakMap<HubSpotRecord, HubSpotRecord[]>();

  find(id: string): HubSpotRecord | undefined {
    return this.byId.get(id);
  }

  add(record: HubSpotRecord): void {
    this.rows.push(record);
    this.byId.set(record.id, record);
    this.touched();
  }

  archive(record: HubSpotRecord, at: string): void {
    if (!record.archived) this.archived += 1;
    record.archived = true;
    record.archivedAt = at;
  }

  /** The time of a change of some record is another one now. */
  touched(): void {
    this.byTime = undefined;
  }

  /** Keeps a record as it is, for an index that shows the next change late. */
  keep(record: HubSpotRecord): void {
    const version = { ...record, properties: { ...record.properties } };
    this.earlier.set(record, [...(this.earlier.get(record) ?? []), version]);
  }

  /** The plain list is sorted by id, as the vendor's is. */
  page(limit: number, after: string | undefined, archived: boolean): Found {
    const records: HubSpotRecord[] = [];
    for (
      let at = after === undefined ? 0 : firstThat(this.rows, ({ id }) => Number(id) > Number(after));
      at < this.rows.length;
      at++
    ) {
      const record = this.rows[at]!;
      if (record.archived !== archived) continue;
      if (records.length === limit) return { records, next: records.at(-1)!.id };
      records.push(record);
    }
    return { records, next: undefined };
  }

  /** @param visible changes later than this are not in the index yet; undefined: all are */
  search(body: SearchBody, visible: number | undefined): Found & { total: number } {
    const { matches, from, all } = testsOf(body);
    const order = orderOf(body);
    const start = Number(body.after ?? 0);
    const end = start + Number(body.limit ?? 10);
    const sorted = order === undefined || (order.byTime && visible === undefined);
    const indexed = this.indexed(order?.byTime === true, visible);
    const found: HubSpotRecord[] = [];
    let total = 0;
    const inOrder = sorted && order !== undefined;
    const first = inOrder ? firstThat(indexed, (record) => record.at >= from) : 0;
    // Everything from there on is found: it need not be looked at to be counted.
    if (inOrder && all && this.archived === 0) {
      total = indexed.length - first;
      found.push(...indexed.slice(first, first + end));
    } else {
      for (let at = first; at < indexed.length; at++) {
        const record = indexed[at]!;
        if (record.archived || !matches(record)) continue;
        // What is in order is only counted beyond the page.
        if (!sorted || total < end) found.push(record);
        total += 1;
      }
    }
    if (!sorted) found.sort(order!.compare);
    return { records: found.slice(start, end), total, next: end < total ? String(end) : undefined };
  }

  /** What the index holds: of a record it did not see the last change of, the version before. */
  private indexed(byTime: boolean, visible: number | undefined): HubSpotRecord[] {
    if (byTime) this.byTime ??= [...this.rows].sort((a, b) => a.at - b.at);
    const records = byTime ? this.byTime! : this.rows;
    if (visible === undefined) return records;
    return records.flatMap((record) => {
      if (record.at <= visible) return [record];
      const before = this.earlier.get(record)?.findLast((version) => version.at <= visible);
      return before ? [{ ...before, archived: record.archived }] : [];
    });
  }
}
