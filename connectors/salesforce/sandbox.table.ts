import type { Query } from './sandbox.soql.ts';

export type Values = Record<string, unknown> & { Id: string };

/** A stored row with the moment of its last change. */
export interface Row {
  values: Values;
  at: number;
  deletedAt?: number;
  /** Deleted for good: in no query any more, only in the list of deletions. */
  purged?: true;
  /** What it was before, kept while queries show changes late. */
  earlier?: Row[];
}

/** Where those begin that changed at `from` or later, in rows ordered by time. */
function firstAt(rows: readonly Row[], from: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rows[middle]!.at >= from) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The rows of one object, in an order for each way of reading them: 100,000 are paged through as fast as a hundred. */
export class Table {
  /** In the order of their ids, which is that in which they were made. */
  readonly rows: Row[] = [];
  private readonly byId = new Map<string, Row>();
  private byTime: Row[] | undefined;
  private readonly indexes = new Map<string, Map<unknown, Row[]>>();

  find(id: string): Row | undefined {
    return this.byId.get(id);
  }

  add(row: Row): void {
    this.rows.push(row);
    this.byId.set(row.values.Id, row);
    this.touched();
  }

  touched(): void {
    this.byTime = undefined;
    this.indexes.clear();
  }

  /** Rows with a value in a field, found without looking at all of them. */
  with(field: string, value: unknown): readonly Row[] {
    let index = this.indexes.get(field);
    if (!index) {
      index = new Map();
      for (const row of this.rows) {
        const list = index.get(row.values[field]);
        if (list) list.push(row);
        else index.set(row.values[field], [row]);
      }
      this.indexes.set(field, index);
    }
    return index.get(value) ?? [];
  }

  /** Rows that may pass the conditions of a query, and whether they are in the order it asks for. */
  candidates(query: Query): { rows: readonly Row[]; sorted: boolean } {
    const asked = query.conditions.find(({ field, operator }) => field === 'Id' && ['=', 'IN'].includes(operator));
    if (asked) {
      const found = asked.values.map((id) => this.byId.get(String(id))).filter((row) => row !== undefined);
      return { rows: found, sorted: false };
    }
    const since = query.conditions.find(
      ({ field, operator }) => field === 'SystemModstamp' && ['>', '>='].includes(operator),
    )?.values[0];
    const byTime = query.order[0]?.field === 'SystemModstamp' && !query.order[0].descending;
    if (since === undefined && !byTime) return { rows: this.rows, sorted: query.order.length === 0 };
    this.byTime ??= [...this.rows].sort((a, b) => a.at - b.at);
    const from = since !== null && typeof since === 'object' ? since.moment : Number.NEGATIVE_INFINITY;
    const start = firstAt(this.byTime, from);
    return { rows: start === 0 ? this.byTime : this.byTime.slice(start), sorted: byTime };
  }
}
