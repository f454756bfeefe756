/** A record as the schema has it: nested objects, and lists where the schema has lists or connections. */
export interface Node extends Record<string, unknown> {
  __typename: string;
  id: string;
  updatedAt?: string;
}

interface Row {
  node: Node;
  number: number;
  /** Time of the last change, in milliseconds. */
  at: number;
  /** What it was before changes that the search may not have seen, oldest first. */
  earlier: { node: Node; at: number }[];
}

/** A place in the order of a list: it stays where it is, whatever changes. */
interface Place {
  at: number;
  number: number;
  /** How many were listed before it. */
  count: number;
}

export interface PageAsk {
  first: number;
  after: string | undefined;
  order: 'changed' | 'id';
  /** Which are found; undefined: all. */
  holds: ((node: Node, at: number) => boolean) | undefined;
  /** Nothing before it is found, in milliseconds. */
  from: number;
  /** Changes later than this are not in the index yet; undefined: all are. */
  visible: number | undefined;
  /** The list ends after so many. */
  cap: number;
}

const written = ({ at, number, count }: Place): string => Buffer.from(`${at}:${number}:${count}`).toString('base64');

function placeOf(cursor: string): Place {
  const [at = 0, number = 0, count = 0] = Buffer.from(cursor, 'base64').toString().split(':').map(Number);
  return { at, number, count };
}

/** Records of one type, each order of which is sorted once for many pages. */
export class Table {
  private readonly rows = new Map<string, Row>();
  private byChange: Row[] | undefined;
  private byNumber: Row[] | undefined;

  all(): Node[] {
    return [...this.rows.values()].map(({ node }) => node);
  }

  find(id: string): Node | undefined {
    return this.rows.get(id)?.node;
  }

  put(node: Node, at: number): void {
    this.rows.set(node.id, { node, number: Number(node.id.split('/').at(-1)), at, earlier: [] });
    this.forget();
  }

  /** @param keep whether the search is late, so that it still shows what was there before */
  change(id: string, fields: Record<string, unknown>, at: number, keep: boolean): boolean {
    const row = this.rows.get(id);
    if (!row) return false;
    if (keep) row.earlier.push({ node: { ...row.node }, at: row.at });
    row.node = { ...row.node, ...fields };
    row.at = at;
    this.byChange = undefined;
    return true;
  }

  remove(id: string): boolean {
    this.forget();
    return this.rows.delete(id);
  }

  private forget(): void {
    this.byChange = undefined;
    this.byNumber = undefined;
  }

  private sorted(order: PageAsk['order']): Row[] {
    if (order === 'id') {
      this.byNumber ??= [...this.rows.values()].sort((a, b) => a.number - b.number);
      return this.byNumber;
    }
    this.byChange ??= [...this.rows.values()].sort((a, b) => a.at - b.at || a.number - b.number);
    return this.byChange;
  }

  /** What the index shows, in order: of a record whose last change it did not see, the version before. */
  private indexed({ order, visible }: PageAsk): { node: Node; number: number; at: number }[] {
    const rows = this.sorted(order);
    if (visible === undefined) return rows;
    const shown = rows.flatMap((row) => {
      if (row.at <= visible) return [row];
      const before = row.earlier.findLast(({ at }) => at <= visible);
      return before ? [{ ...before, number: row.number }] : [];
    });
    return order === 'id' ? shown : shown.sort((a, b) => a.at - b.at || a.number - b.number);
  }

  page(ask: PageAsk): { nodes: Node[]; endCursor: string | null; hasNextPage: boolean } {
    const rows = this.indexed(ask);
    const after = ask.after === undefined ? undefined : placeOf(ask.after);
    const isBehind = (row: { at: number; number: number }): boolean =>
      (ask.order === 'id' || row.at >= ask.from) &&
      (after === undefined ||
        (ask.order === 'id'
          ? row.number > after.number
          : row.at > after.at || (row.at === after.at && row.number > after.number)));
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBehind(rows[middle]!)) high = middle;
      else low = middle + 1;
    }
    const nodes: Node[] = [];
    let count = after?.count ?? 0;
    let end: Place | undefined;
    for (let place = low; place < rows.length && count < ask.cap; place++) {
      const row = rows[place]!;
      if (row.at < ask.from || ask.holds?.(row.node, row.at) === false) continue;
      if (nodes.length === ask.first) return { nodes, endCursor: written(end!), hasNextPage: true };
      count += 1;
      nodes.push(row.node);
      end = { at: row.at, number: row.number, count };
    }
    return { nodes, endCursor: end ? written(end) : null, hasNextPage: false };
  }

  count(ask: Pick<PageAsk, 'holds' | 'from' | 'visible'>): number {
    if (!ask.holds && ask.from === Number.NEGATIVE_INFINITY && ask.visible === undefined) return this.rows.size;
    return this.page({
      ...ask,
      first: Number.MAX_SAFE_INTEGER,
      after: undefined,
      order: 'changed',
      cap: Number.MAX_SAFE_INTEGER,
    }).nodes.length;
  }
}
