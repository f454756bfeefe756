/** The part of the GraphQL language (October 2021) that requests use: one operation, inline fragments, no directives. */

export type Value = string | number | boolean | null | { variable: string } | Value[] | { [name: string]: Value };

export interface Field {
  kind: 'field';
  /** The name in the answer: the alias, where there is one. */
  key: string;
  name: string;
  arguments: Record<string, Value>;
  selections?: Selection[];
}

export interface Fragment {
  kind: 'fragment';
  on: string;
  selections: Selection[];
}

export type Selection = Field | Fragment;

export interface Operation {
  kind: 'query' | 'mutation';
  name: string;
  /** Names of the variables, with their defaults. */
  variables: Record<string, Value | undefined>;
  selections: Selection[];
}

const TOKEN = /[\s,\uFEFF]+|#[^\n]*|(\.\.\.|[!$():=@[\]{|}&])|("(?:[^"\\\n]|\\.)*")|(-?\d+(?:\.\d+)?)|([A-Za-z_]\w*)/gy;

class Reader {
  private readonly tokens: string[] = [];
  private at = 0;

  constructor(text: string) {
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.length) {
      const from = TOKEN.lastIndex;
      const found = TOKEN.exec(text);
      if (!found) throw new Error(`Something that is no GraphQL stands at character ${from}.`);
      const token = found[1] ?? found[2] ?? found[3] ?? found[4];
      if (token !== undefined) this.tokens.push(token);
    }
  }

  peek(): string {
    return this.tokens[this.at] ?? '';
  }

  next(): string {
    return this.tokens[this.at++] ?? '';
  }

  /** Takes a token if it is the next one. */
  takes(token: string): boolean {
    if (this.peek() !== token) return false;
    this.at += 1;
    return true;
  }

  wants(token: string): void {
    const found = this.next();
    if (found !== token) throw new Error(`"${token}" is missing before "${found}".`);
  }

  /** Reads until a token closes what is read. */
  until<Item>(token: string, read: () => Item): Item[] {
    const items: Item[] = [];
    while (!this.takes(token)) {
      if (this.peek() === '') throw new Error(`"${token}" is missing at the end.`);
      items.push(read());
    }
    return items;
  }
}

function value(reader: Reader): Value {
  const token = reader.next();
  if (token === '$') return { variable: reader.next() };
  if (token === '[') return reader.until(']', () => value(reader));
  if (token === '{') return Object.fromEntries(reader.until('}', () => argument(reader)));
  if (token.startsWith('"')) return JSON.parse(token) as string;
  if (/^-?\d/.test(token)) return Number(token);
  if (token === 'true' || token === 'false') return token === 'true';
  return token === 'null' ? null : token;
}

function argument(reader: Reader): [string, Value] {
  const name = reader.next();
  reader.wants(':');
  return [name, value(reader)];
}

function selection(reader: Reader): Selection {
  if (reader.takes('...')) {
    reader.wants('on');
    const on = reader.next();
    reader.wants('{');
    return { kind: 'fragment', on, selections: reader.until('}', () => selection(reader)) };
  }
  const key = reader.next();
  const name = reader.takes(':') ? reader.next() : key;
  const given = reader.takes('(') ? reader.until(')', () => argument(reader)) : [];
  const field: Field = { kind: 'field', key, name, arguments: Object.fromEntries(given) };
  if (reader.takes('{')) field.selections = reader.until('}', () => selection(reader));
  return field;
}

function declared(reader: Reader): [string, Value | undefined] {
  reader.wants('$');
  const name = reader.next();
  reader.wants(':');
  while (['[', ']', '!'].includes(reader.peek()) || /^\w/.test(reader.peek())) reader.next();
  return [name, reader.takes('=') ? value(reader) : undefined];
}

const known = new Map<string, Operation>();

/**
 * Takes a request apart.
 * @throws Error that says where it is no GraphQL
 */
export function parse(text: string): Operation {
  const before = known.get(text);
  if (before) return before;
  const reader = new Reader(text);
  const kind = reader.peek() === '{' ? 'query' : reader.next();
  if (kind !== 'query' && kind !== 'mutation') throw new Error(`"${kind}" is neither a query nor a mutation.`);
  const name = /^\w/.test(reader.peek()) ? reader.next() : '';
  const variables = reader.takes('(') ? reader.until(')', () => declared(reader)) : [];
  reader.wants('{');
  const selections = reader.until('}', () => selection(reader));
  const operation: Operation = { kind, name, variables: Object.fromEntries(variables), selections };
  // Requests of a connector are few; whatever writes them anew each time must not fill the memory.
  if (known.size > 500) known.clear();
  known.set(text, operation);
  return operation;
}

/** A value with the variables put in. */
export function resolve(given: Value | undefined, variables: Readonly<Record<string, unknown>>): unknown {
  if (given === null || typeof given !== 'object') return given;
  if (Array.isArray(given)) return given.map((item) => resolve(item, variables));
  if (typeof given.variable === 'string' && Object.keys(given).length === 1) return variables[given.variable];
  return Object.fromEntries(Object.entries(given).map(([name, item]) => [name, resolve(item as Value, variables)]));
}
