/** What a query refers to: a stored record, and its last change in milliseconds (read in every comparison and order). */
export interface Row {
  record: Record<string, unknown>;
  at: number;
  /** The version before, kept while the index is late. */
  before?: Row;
}

export interface Query {
  entity: string;
  count: boolean;
  /** Whether a condition names the property: inactive records show only when somebody asks for them. */
  mentions: (property: string) => boolean;
  matches: (row: Row) => boolean;
  compare: ((a: Row, b: Row) => number) | undefined;
  start: number;
  max: number;
}

/** A query the vendor refuses. */
export class QueryError extends Error {
  readonly code: string;

  constructor(code: '4000' | '4001', message: string) {
    super(message);
    this.code = code;
  }
}

type Kind = 'text' | 'number' | 'date' | 'boolean' | 'reference' | 'address' | 'time';

const COMMON: Record<string, Kind> = { Id: 'text', 'MetaData.CreateTime': 'time', 'MetaData.LastUpdatedTime': 'time' };
const SALE: Record<string, Kind> = {
  ...COMMON,
  DocNumber: 'text',
  TxnDate: 'date',
  TotalAmt: 'number',
  CustomerRef: 'reference',
};

/** Properties that can be asked for, per entity; everything else is refused. */
const PROPERTIES: Record<string, Record<string, Kind>> = {
  Customer: {
    ...COMMON,
    DisplayName: 'text',
    GivenName: 'text',
    FamilyName: 'text',
    CompanyName: 'text',
    PrimaryEmailAddr: 'address',
    Active: 'boolean',
    Balance: 'number',
  },
  Invoice: { ...SALE, DueDate: 'date', Balance: 'number' },
  CreditMemo: SALE,
  SalesReceipt: SALE,
  RefundReceipt: SALE,
  Estimate: SALE,
  Payment: { ...COMMON, TxnDate: 'date', TotalAmt: 'number', CustomerRef: 'reference' },
  TimeActivity: { ...COMMON, TxnDate: 'date', CustomerRef: 'reference' },
  RecurringTransaction: {},
};

const TOKEN = /\s*(?:('(?:[^'\\]|\\.)*')|([A-Za-z][\w.]*)|(\d+)|(<=|>=|[=<>(),*]))/y;

function tokens(text: string): string[] {
  const found: string[] = [];
  TOKEN.lastIndex = 0;
  while (text.slice(TOKEN.lastIndex).trim() !== '') {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match)
      throw new QueryError('4000', `Error parsing query: Encountered "${text.slice(from).trim().slice(0, 20)}"`);
    found.push(match[1] ?? match[2] ?? match[3] ?? match[4]!);
  }
  return found;
}

type Comparable = string | number | boolean;

function readProperty(row: Row, name: string, kind: Kind): Comparable | undefined {
  if (name === 'MetaData.LastUpdatedTime') return row.at;
  const value = name.startsWith('MetaData.')
    ? (row.record.MetaData as Record<string, unknown>)[name.slice(9)]
    : row.record[name];
  if (value === undefined) return undefined;
  if (kind === 'time') return Date.parse(String(value));
  if (kind === 'reference') return (value as { value: string }).value;
  if (kind === 'address') return (value as { Address: string }).Address;
  return kind === 'number' ? Number(value) : (value as Comparable);
}

const OPERATORS: Record<string, (a: Comparable, b: Comparable) => boolean> = {
  '=': (a, b) => a === b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
};

/** Takes a query apart as the vendor does: one entity, conditions joined by AND, an order, a position. */
export const parseQuery = (text: string): Query => new Parser(text).query();

class Parser {
  private readonly list: string[];
  private next = 0;
  private properties: Record<string, Kind> = {};

  constructor(text: string) {
    this.list = tokens(text);
  }

  query(): Query {
    this.take('select');
    const count = this.takeIf('count');
    for (const part of count ? ['(', '*', ')'] : ['*']) this.take(part);
    this.take('from');
    const entity = this.take();
    const properties = PROPERTIES[entity];
    if (!properties) throw new QueryError('4001', `QueryValidationError: Invalid context declaration ${entity}`);
    this.properties = properties;
    const { named, matches } = this.conditions();
    const compare = this.order();
    const start = this.takeIf('startposition') ? Number(this.take()) : 1;
    const max = this.takeIf('maxresults') ? Number(this.take()) : 100;
    if (this.next < this.list.length) this.refuse();
    if (!(start >= 1) || !(max >= 1))
      throw new QueryError('4001', 'QueryValidationError: positions and sizes start at 1');
    if (max > 1000)
      throw new QueryError('4001', `QueryValidationError: value ${max} is too large, the maximum is 1000`);
    return { entity, count, mentions: (name) => named.has(name), matches, compare, start, max };
  }

  private refuse(): never {
    const here = this.list[this.next] ?? '<EOF>';
    throw new QueryError('4000', `Error parsing query: QueryParserError: Encountered "${here}"`);
  }

  private take(...words: string[]): string {
    const token = this.list[this.next] ?? '';
    if (token === '' || (words.length > 0 && !words.includes(token.toLowerCase()))) this.refuse();
    this.next += 1;
    return token;
  }

  private takeIf(word: string): boolean {
    return this.list[this.next]?.toLowerCase() === word && this.take(word) !== '';
  }

  private property(): { name: string; kind: Kind } {
    const name = this.take().replace(/^metadata\./i, 'MetaData.');
    const kind = this.properties[name];
    if (!kind) throw new QueryError('4001', `QueryValidationError: property ${name} is not queryable`);
    return { name, kind };
  }

  private value(kind: Kind): Comparable {
    const token = this.take();
    if (kind === 'boolean' && /^(true|false)$/i.test(token)) return token.toLowerCase() === 'true';
    // Numbers are written as texts, too.
    if (!token.startsWith("'")) {
      this.next -= 1;
      this.refuse();
    }
    const plain = token.slice(1, -1).replace(/\\(.)/g, '$1');
    if (kind === 'text' || kind === 'date' || kind === 'reference' || kind === 'address') return plain;
    const number = kind === 'time' ? Date.parse(plain) : Number(plain);
    if (Number.isNaN(number)) throw new QueryError('4001', `QueryValidationError: ${plain} is not a ${kind}`);
    return number;
  }

  private conditions(): { named: Set<string>; matches: (row: Row) => boolean } {
    const named = new Set<string>();
    const tests: ((row: Row) => boolean)[] = [];
    if (this.takeIf('where')) {
      do {
        const { name, kind } = this.property();
        named.add(name);
        tests.push(this.takeIf('in') ? this.among(name, kind) : this.comparison(name, kind));
      } while (this.takeIf('and'));
    }
    return { named, matches: (row) => tests.every((test) => test(row)) };
  }

  private among(name: string, kind: Kind): (row: Row) => boolean {
    this.take('(');
    const wanted = new Set([this.value(kind)]);
    while (this.takeIf(',')) wanted.add(this.value(kind));
    this.take(')');
    return (row) => wanted.has(readProperty(row, name, kind) ?? '');
  }

  private comparison(name: string, kind: Kind): (row: Row) => boolean {
    const operator = OPERATORS[this.take('=', '<', '>', '<=', '>=')]!;
    const wanted = this.value(kind);
    return (row) => {
      const present = readProperty(row, name, kind);
      return present !== undefined && operator(present, wanted);
    };
  }

  private order(): Query['compare'] {
    if (!this.takeIf('orderby')) return undefined;
    const { name, kind } = this.property();
    const sign = this.takeIf('desc') ? -1 : 1;
    this.takeIf('asc');
    return (a, b) => {
      const [left, right] = [readProperty(a, name, kind) ?? '', readProperty(b, name, kind) ?? ''];
      return left === right ? 0 : (left < right ? -1 : 1) * sign;
    };
  }
}
