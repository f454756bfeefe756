import type { Clock } from '../../src/kit/index.ts';
import { type Query, QueryError, type Row } from './sandbox.query.ts';

export interface QuickBooksEntity {
  Id: string;
  SyncToken: string;
  MetaData: { CreateTime: string; LastUpdatedTime: string };
  [property: string]: unknown;
}

export type Fields = Record<string, unknown>;

/** Everything sold, paid and given back: each belongs to a customer. */
export const SALES = ['Invoice', 'Payment', 'CreditMemo', 'SalesReceipt', 'RefundReceipt', 'Estimate'];
const ENTITIES = ['Customer', ...SALES, 'TimeActivity', 'RecurringTransaction'];

/** Entities the list of changes knows: time and templates are not among them. */
const CHANGES = ['Customer', ...SALES];

const pacific = new Intl.DateTimeFormat('en-US', { timeZone: 'America/Los_Angeles', timeZoneName: 'longOffset' });
let lastStamp = { second: Number.NaN, text: '' };

/** A moment as the vendor writes it: whole seconds, with the offset of its own coast. */
export function stamp(time: number): string {
  const second = Math.floor(time / 1000);
  if (second !== lastStamp.second) {
    const offset = /GMT([+-]\d\d:\d\d)/.exec(pacific.format(second * 1000))?.[1] ?? '+00:00';
    const shift =
      (offset.startsWith('-') ? -1 : 1) * (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4))) * 60_000;
    lastStamp = { second, text: `${new Date(second * 1000 + shift).toISOString().slice(0, 19)}${offset}` };
  }
  return lastStamp.text;
}

/** The records of one company: versions, deletions, queries and the list of changes. */
export class QuickBooksStore {
  readonly realm: string;
  /** Milliseconds for which queries do not show a change yet. */
  lateIndexMs = 0;
  /** Runs before every query: somebody else changes something while we read. */
  beforeQuery: ((query: Query) => void) | undefined;
  protected readonly clock: Clock;
  private readonly tables = new Map(ENTITIES.map((entity) => [entity, new Map<string, Row>()]));
  private readonly deleted: { entity: string; at: number; id: string }[] = [];
  private readonly sorted = new Map<string, Row[]>();
  protected lastId = { names: 0, transactions: 0 };

  constructor(realm: string, clock: Clock) {
    this.realm = realm;
    this.clock = clock;
  }

  private table(entity: string): Map<string, Row> {
    const table = this.tables.get(entity);
    if (!table) throw new Error(`The simulation has no ${entity}.`);
    return table;
  }

  find(entity: string, id: string): QuickBooksEntity | undefined {
    return this.table(entity).get(id)?.record as QuickBooksEntity | undefined;
  }

  get(entity: string, id: string): QuickBooksEntity {
    const found = this.find(entity, id);
    if (!found) throw new Error(`The simulated company has no ${entity} ${id}.`);
    return found;
  }

  all(entity: string): QuickBooksEntity[] {
    return [...this.table(entity).values()].map((row) => row.record as QuickBooksEntity);
  }

  add(entity: string, fields: Fields, at = this.clock.now()): QuickBooksEntity {
    const id = String(entity === 'Customer' ? ++this.lastId.names : ++this.lastId.transactions);
    const time = stamp(at.getTime());
    const meta = { CreateTime: time, LastUpdatedTime: time };
    const record = { ...fields, domain: 'QBO', sparse: false, Id: id, SyncToken: '0', MetaData: meta };
    this.table(entity).set(id, { record, at: Math.floor(at.getTime() / 1000) * 1000 });
    this.sorted.delete(entity);
    return record;
  }

  /** Sets properties; undefined removes one. Every change is a new version. */
  change(entity: string, id: string, fields: Fields, at = this.clock.now()): QuickBooksEntity {
    const before = this.get(entity, id);
    const meta = { ...before.MetaData, LastUpdatedTime: stamp(at.getTime()) };
    const merged = { ...before, ...fields, Id: id, SyncToken: String(Number(before.SyncToken) + 1), MetaData: meta };
    const kept = Object.entries(merged).filter(([, value]) => value !== undefined);
    const record = Object.fromEntries(kept) as typeof merged;
    const row: Row = { record, at: Math.floor(at.getTime() / 1000) * 1000 };
    const earlier = this.lateIndexMs > 0 ? this.table(entity).get(id) : undefined;
    this.table(entity).set(id, earlier ? { ...row, before: earlier } : row);
    this.sorted.delete(entity);
    return record;
  }

  remove(entity: string, id: string): void {
    this.table(entity).delete(id);
    this.sorted.delete(entity);
    this.deleted.push({ entity, id, at: this.clock.now().getTime() });
  }

  /** The rows a query shows. */
  query(query: Query): { rows: QuickBooksEntity[]; total: number } {
    this.beforeQuery?.(query);
    const visible = this.clock.now().getTime() - this.lateIndexMs;
    const hidesInactive = query.entity === 'Customer' && !query.mentions('Active');
    const indexed = this.lateIndexMs === 0 ? this.byTime(query.entity) : this.indexed(query.entity, visible);
    const found = indexed.filter(
      (row) => row.at <= visible && query.matches(row) && !(hidesInactive && row.record.Active === false),
    );
    if (query.compare) found.sort(query.compare);
    const rows = found.slice(query.start - 1, query.start - 1 + query.max).map((row) => row.record as QuickBooksEntity);
    return { rows, total: found.length };
  }

  /** What a late index holds: of a record it did not see the last change of, the version before. */
  private indexed(entity: string, visible: number): Row[] {
    return this.byTime(entity).flatMap((row) => {
      let version: Row | undefined = row;
      while (version && version.at > visible) version = version.before;
      return version ? [version] : [];
    });
  }

  private byTime(entity: string): Row[] {
    const known = this.sorted.get(entity);
    if (known) return known;
    const rows = [...this.table(entity).values()].sort((a, b) => a.at - b.at);
    this.sorted.set(entity, rows);
    return rows;
  }

  /** What changed and what was deleted since; at most 1,000 of each kind, the newest first. */
  changes(entity: string, since: number): Fields[] {
    if (!CHANGES.includes(entity))
      throw new QueryError('4001', `QueryValidationError: ${entity} has no list of changes`);
    const changed = this.byTime(entity).filter((row) => row.at >= since);
    const gone = this.deleted.filter((item) => item.entity === entity && item.at >= since);
    const tombstones = gone.map(({ id, at }) => ({
      at,
      record: { domain: 'QBO', status: 'Deleted', Id: id, MetaData: { LastUpdatedTime: stamp(at) } },
    }));
    const all = [...changed, ...tombstones].sort((a, b) => b.at - a.at);
    return all.slice(0, 1000).map((row) => row.record);
  }

  report(): Record<string, number> {
    const counts = ENTITIES.map((entity): [string, number] => [entity, this.table(entity).size]);
    return { ...Object.fromEntries(counts), deleted: this.deleted.length };
  }
}
