import type { Clock } from '../../src/kit/index.ts';
import { fullId } from './api.ts';
import { createSchema, type SimObject } from './sandbox.schema.ts';
import { parseSoql, passes, type Query, SoqlError } from './sandbox.soql.ts';
import { type Row, Table, type Values } from './sandbox.table.ts';

export type Fields = Record<string, unknown>;

/** The vendor's way of writing a moment; its clock shows whole seconds. */
export const stampOf = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}.000+0000`;

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** What a simulated organisation holds. Rows change as people, flows and the hub change them. */
export class SalesforceState {
  readonly schema: Map<string, SimObject> = createSchema();
  /** Fields the connected user may not see, by object. */
  readonly hidden = new Map<string, Set<string>>();
  /** Milliseconds for which queries do not show a change. */
  lateIndexMs = 0;
  readonly emails: { to: string; subject: string }[] = [];
  readonly flowRuns: { flow: string; inputs: Fields }[] = [];
  /** Autolaunched flows with the variables they take. */
  readonly flows = new Map<string, string[]>([['Welcome', ['recordId', 'requestId']]]);
  /** Places in long lists, by the name the vendor gave them; it forgets them after a while. */
  readonly places = new Map<string, { query: Query; rows: Row[] }>();
  readonly bounced = new Set<string>(['bounced@example.com']);
  readonly userId: string;
  readonly clock: Clock;
  private readonly tables = new Map<string, Table>();
  private lastId = 0;

  constructor(clock: Clock) {
    this.clock = clock;
    this.userId = this.create('User', { Name: 'Rita Manager', Email: 'rita@business.example', IsActive: true }).Id;
    for (const [SortOrder, word, IsClosed, IsWon] of [
      [1, 'Prospecting', false, false],
      [2, 'Negotiation', false, false],
      [3, 'Closed Won', true, true],
      [4, 'Closed Lost', true, false],
    ] as const)
      this.create('OpportunityStage', { MasterLabel: word, ApiName: word, SortOrder, IsClosed, IsWon, IsActive: true });
    for (const [SortOrder, word, IsClosed] of [
      [1, 'New', false],
      [2, 'Working', false],
      [3, 'Escalated', false],
      [4, 'Closed', true],
    ] as const)
      this.create('CaseStatus', { MasterLabel: word, ApiName: word, SortOrder, IsClosed, IsDefault: SortOrder === 1 });
  }

  now(): number {
    return this.clock.now().getTime();
  }

  object(name: string): SimObject {
    const object = this.schema.get(name);
    if (!object) throw new SoqlError('INVALID_TYPE', `sObject type '${name}' is not supported.`);
    return object;
  }

  table(name: string): Table {
    const table = this.tables.get(name) ?? new Table();
    this.tables.set(name, table);
    return table;
  }

  /** Records of an object there are. */
  all(name: string): Values[] {
    return this.table(name).rows.flatMap(({ values }) => (values.IsDeleted === true ? [] : [values]));
  }

  private id(prefix: string): string {
    let left = ++this.lastId;
    let digits = '';
    for (let place = 0; place < 9; place++, left = Math.floor(left / 62)) digits = DIGITS[left % 62] + digits;
    return fullId(`${prefix}5e0${digits}`);
  }

  /** @param at when it was made and last changed; now when absent */
  create(name: string, fields: Fields, at: number = this.now()): Values {
    const object = this.object(name);
    const when = stampOf(at);
    const values: Values = {
      Id: this.id(object.prefix),
      CreatedDate: when,
      LastModifiedDate: when,
      SystemModstamp: when,
    };
    if (object.fields.has('IsDeleted')) values.IsDeleted = false;
    if (object.fields.has('OwnerId')) values.OwnerId = this.userId;
    if (this.userId) values.CreatedById = this.userId;
    Object.assign(values, STARTS[name]?.(), fields);
    this.derive(name, values);
    this.table(name).add({ values, at: Date.parse(when) });
    return values;
  }

  /** @param at when it is changed; now when absent @returns false when there is no such record */
  change(name: string, id: string, fields: Fields, at: number = this.now()): boolean {
    const row = this.table(name).find(id);
    if (!row || row.values.IsDeleted === true) return false;
    this.rewrite(name, row, fields, at);
    return true;
  }

  private rewrite(name: string, row: Row, fields: Fields, at: number): void {
    if (this.lateIndexMs > 0) {
      const { earlier, ...version } = { ...row, values: { ...row.values } };
      row.earlier = [...(earlier ?? []), version];
    }
    const when = stampOf(at);
    Object.assign(row.values, fields, { LastModifiedDate: when, SystemModstamp: when });
    this.derive(name, row.values);
    row.at = Date.parse(when);
    this.table(name).touched();
  }

  /** What the vendor works out by itself. */
  private derive(name: string, values: Values): void {
    if (name === 'Contact' || name === 'Lead')
      values.Name = [values.FirstName, values.LastName].filter(Boolean).join(' ');
    if (name === 'Task') values.IsClosed = values.Status === 'Completed';
    if (name === 'WorkOrder') values.IsClosed = values.Status === 'Completed';
    const words = { Opportunity: ['OpportunityStage', values.StageName], Case: ['CaseStatus', values.Status] } as const;
    const [object, word] = words[name as 'Case'] ?? [];
    const stage = object && this.all(object).find(({ ApiName }) => ApiName === word);
    if (object) values.IsClosed = stage?.IsClosed === true;
    if (name === 'Opportunity') values.IsWon = stage?.IsWon === true;
    if (name === 'Case') values.ClosedDate = values.IsClosed ? (values.ClosedDate ?? values.SystemModstamp) : null;
  }

  remove(name: string, id: string, more: Fields = {}): boolean {
    const row = this.table(name).find(id);
    if (!row || row.values.IsDeleted === true) return false;
    this.rewrite(name, row, { IsDeleted: true, ...more }, this.now());
    row.deletedAt = this.now();
    return true;
  }

  /** Deleted for good: somebody empties the recycle bin. */
  purge(name: string, id: string): void {
    this.remove(name, id);
    this.table(name).find(id)!.purged = true;
  }

  /** Two records become one: what belonged to the one that is gone belongs to the survivor. */
  merge(name: string, from: string, into: string): void {
    for (const other of ['Contact', 'Opportunity', 'Case', 'Task', 'Event', 'OpportunityContactRole'])
      for (const [field, { to }] of [...this.object(other).fields].map(([key, field]) => [key, field] as const))
        if (to === name || field === 'WhoId' || field === 'WhatId')
          for (const row of this.table(other).with(field, from))
            this.rewrite(other, row, { [field]: into }, this.now());
    this.remove(name, from, { MasterRecordId: into });
    this.rewrite(name, this.table(name).find(into)!, {}, this.now());
  }

  addField(object: string, name: string, more: { externalId?: true } = {}): void {
    this.object(object).fields.set(name, { name, type: 'string', custom: true, ...more });
  }

  /** @throws SoqlError when an object or field is not there or may not be seen */
  query(soql: string, all: boolean): { query: Query; rows: Row[] } {
    const query = parseSoql(soql);
    return { query, rows: this.run(query, all) };
  }

  private run(query: Query, all: boolean): Row[] {
    this.check(query);
    const { rows, sorted } = this.table(query.object).candidates(query);
    const visible = this.now() - this.lateIndexMs;
    const found: Row[] = [];
    // In an order by time, equal ones come by id, as they were made.
    for (const stored of rows) {
      const row = this.lateIndexMs > 0 ? shownAt(stored, visible) : stored;
      if (!row || row.purged || (!all && row.values.IsDeleted === true)) continue;
      if (
        !query.conditions.every((condition) =>
          passes(this.valueOf(query.object, row.values, condition.field), condition),
        )
      )
        continue;
      found.push(row);
      if (sorted && this.lateIndexMs === 0 && found.length >= query.limit) break;
    }
    if (!sorted || this.lateIndexMs > 0) found.sort(this.comparison(query));
    return found.length > query.limit ? found.slice(0, query.limit) : found;
  }

  private comparison({ order }: Query): (a: Row, b: Row) => number {
    return (a, b) => {
      for (const { field, descending } of order) {
        const [one, other] = [a.values[field], b.values[field]] as [string, string];
        if (one !== other) return (one < other ? -1 : 1) * (descending ? -1 : 1);
      }
      return 0;
    };
  }

  private check(query: Query): void {
    const { fields } = this.object(query.object);
    const hidden = this.hidden.get(query.object);
    const named = [
      ...query.fields,
      ...query.conditions.map(({ field }) => field),
      ...query.order.map(({ field }) => field),
    ];
    for (const name of named) {
      const root = name.includes('.') ? `${name.split('.')[0]}Id` : name;
      if (!fields.has(root) || hidden?.has(root))
        throw new SoqlError('INVALID_FIELD', `No such column '${name}' on entity '${query.object}'.`);
    }
  }

  /** The value at a field, or one relation away (`Owner.Name`). */
  valueOf(object: string, values: Values, field: string): unknown {
    if (!field.includes('.')) return values[field];
    const [relation, name = ''] = field.split('.');
    const reference = this.object(object).fields.get(`${relation}Id`);
    const other = reference?.to && this.table(reference.to).find(String(values[`${relation}Id`]));
    return other ? other.values[name] : null;
  }

  /** Rows of a child relation that belong to a record. */
  childrenOf(id: string, query: Query): Row[] {
    const object = query.object.replace(/s$/, '');
    const parent = [...this.object(object).fields.values()].find(({ to }) => to === 'Opportunity');
    const conditions = [{ field: parent!.name, operator: '=' as const, values: [id] }, ...query.conditions];
    const few = this.table(object).with(parent!.name, id);
    return few.length === 0 ? [] : this.run({ ...query, object, conditions }, false);
  }

  report(): Record<string, number> {
    const names = ['Account', 'Contact', 'Lead', 'Opportunity', 'Case', 'Task', 'Event', 'ContentNote', 'FeedItem'];
    const counts = Object.fromEntries(names.map((name) => [`${name.toLowerCase()} records`, this.all(name).length]));
    return { ...counts, emails: this.emails.length, flows: this.flowRuns.length };
  }
}

/** The words a new record begins with. */
const STARTS: Record<string, () => Fields> = {
  Task: () => ({ Status: 'Not Started', Priority: 'Normal', TaskSubtype: 'Task' }),
  Case: () => ({ Status: 'New', Priority: 'Medium' }),
  Opportunity: () => ({ StageName: 'Prospecting' }),
};

const shownAt = (row: Row, visible: number): Row | undefined =>
  row.at <= visible ? row : row.earlier?.findLast(({ at }) => at <= visible);
