/** A query the vendor refuses, with its code. */
export class SoqlError extends Error {
  readonly code: 'MALFORMED_QUERY' | 'INVALID_FIELD' | 'INVALID_TYPE';

  constructor(code: SoqlError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export type Literal = string | number | boolean | null | { moment: number };

export interface Condition {
  field: string;
  operator: '=' | '!=' | '<' | '<=' | '>' | '>=' | 'IN';
  values: Literal[];
}

export interface Query {
  count: boolean;
  fields: string[];
  children: Query[];
  object: string;
  conditions: Condition[];
  order: { field: string; descending: boolean }[];
  limit: number;
}

const TOKEN = /\s*('(?:\\.|[^'\\])*'|[(),]|[<>!]=|[=<>]|[^\s(),=<>!']+)/gy;

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const match = TOKEN.exec(text);
    if (!match) throw new SoqlError('MALFORMED_QUERY', `unexpected token: ${text.slice(0, 60)}`);
    tokens.push(match[1]!);
  }
  return tokens;
}

/**
 * Reads a query: fields, rows of a child relation in parentheses, conditions joined by AND, an order and a limit.
 * @throws SoqlError `MALFORMED_QUERY` for everything else
 */
export function parseSoql(text: string): Query {
  const reader = new Reader(tokensOf(text));
  const query = reader.query();
  reader.end();
  return query;
}

class Reader {
  private at = 0;
  private readonly tokens: string[];

  constructor(tokens: string[]) {
    this.tokens = tokens;
  }

  private is(word: string): boolean {
    return this.tokens[this.at]?.toUpperCase() === word;
  }

  private next(): string {
    const token = this.tokens[this.at++];
    if (token === undefined) throw new SoqlError('MALFORMED_QUERY', "unexpected token: '<EOF>'");
    return token;
  }

  private expect(word: string): void {
    const token = this.next();
    if (token.toUpperCase() !== word)
      throw new SoqlError('MALFORMED_QUERY', `unexpected token: '${token}', expecting '${word}'`);
  }

  private taken(word: string): boolean {
    if (!this.is(word)) return false;
    this.at += 1;
    return true;
  }

  end(): void {
    if (this.at < this.tokens.length)
      throw new SoqlError('MALFORMED_QUERY', `unexpected token: '${this.tokens[this.at]}'`);
  }

  query(): Query {
    const query: Query = { count: false, fields: [], children: [], object: '', conditions: [], order: [], limit: 0 };
    this.expect('SELECT');
    do {
      if (this.taken('(')) {
        query.children.push(this.query());
        this.expect(')');
      } else if (this.is('COUNT') && this.tokens[this.at + 1] === '(') {
        this.at += 2;
        this.expect(')');
        query.count = true;
      } else query.fields.push(this.next());
    } while (this.taken(','));
    this.expect('FROM');
    query.object = this.next();
    if (this.taken('WHERE'))
      do query.conditions.push(this.condition());
      while (this.taken('AND'));
    if (this.taken('ORDER')) {
      this.expect('BY');
      do {
        const field = this.next();
        const descending = this.taken('DESC');
        if (!descending) this.taken('ASC');
        query.order.push({ field, descending });
      } while (this.taken(','));
    }
    query.limit = this.taken('LIMIT') ? Number(this.next()) : Number.POSITIVE_INFINITY;
    return query;
  }

  private condition(): Condition {
    const field = this.next();
    const operator = this.next().toUpperCase() as Condition['operator'];
    if (!['=', '!=', '<', '<=', '>', '>=', 'IN'].includes(operator))
      throw new SoqlError('MALFORMED_QUERY', `unexpected token: '${operator}'`);
    if (operator !== 'IN') return { field, operator, values: [literalOf(this.next())] };
    const values: Literal[] = [];
    this.expect('(');
    do values.push(literalOf(this.next()));
    while (this.taken(','));
    this.expect(')');
    return { field, operator, values };
  }
}

function literalOf(token: string): Literal {
  if (token.startsWith("'")) return token.slice(1, -1).replaceAll(/\\(.)/g, '$1');
  if (/^(true|false)$/i.test(token)) return token.toLowerCase() === 'true';
  if (/^null$/i.test(token)) return null;
  if (/^\d{4}-\d\d-\d\dT/.test(token)) return { moment: Date.parse(token) };
  if (/^-?\d+(\.\d+)?$/.test(token)) return Number(token);
  if (/^\d{4}-\d\d-\d\d$/.test(token)) return token;
  throw new SoqlError('MALFORMED_QUERY', `unexpected token: '${token}'`);
}

const comparable = (value: unknown, like: Literal): unknown =>
  like !== null && typeof like === 'object' ? Date.parse(String(value)) : (value ?? null);

const plain = (literal: Literal): unknown =>
  literal !== null && typeof literal === 'object' ? literal.moment : literal;

/** Whether a value passes a condition. Texts are compared without regard to case, ids with it. */
export function passes(value: unknown, { field, operator, values }: Condition): boolean {
  const fold = (item: unknown): unknown =>
    typeof item === 'string' && !field.endsWith('Id') ? item.toLowerCase() : item;
  const wanted = values.map((literal) => fold(plain(literal)));
  const present = fold(comparable(value, values[0]!));
  if (operator === 'IN' || operator === '=') return wanted.includes(present);
  if (operator === '!=') return !wanted.includes(present);
  if (present === null) return false;
  const [one, other] = [present as number, wanted[0] as number];
  if (operator === '<') return one < other;
  if (operator === '<=') return one <= other;
  return operator === '>' ? one > other : one >= other;
}
