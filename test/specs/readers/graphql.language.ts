/** The type of a field, an argument or a variable. */
export type TypeRef =
  | { kind: 'named'; name: string }
  | { kind: 'list'; of: TypeRef }
  | { kind: 'required'; of: TypeRef };

/** A value written in a document. */
export type Value =
  | { kind: 'variable'; name: string }
  | { kind: 'enum'; name: string }
  | { kind: 'plain'; value: string | number | boolean | null; whole?: boolean }
  | { kind: 'list'; items: Value[] }
  | { kind: 'object'; members: Map<string, Value> };

export interface Directive {
  name: string;
  arguments: Map<string, Value>;
}

export interface InputField {
  type: TypeRef;
  default: Value | undefined;
  deprecated: boolean;
}

export interface Field {
  type: TypeRef;
  arguments: Map<string, InputField>;
  deprecated: boolean;
}

export interface Definition {
  kind: 'object' | 'interface' | 'input' | 'enum' | 'union' | 'scalar';
  name: string;
  fields: Map<string, Field>;
  /** Words of an enumeration, members of a union, interfaces of a type. */
  names: Set<string>;
  /** An input of which exactly one field is given. */
  oneOf: boolean;
}

/** Something asked for. With conditions (`@include`, `@skip`) it may be missing in the answer. */
export type Selection =
  | {
      kind: 'field';
      key: string;
      name: string;
      arguments: Map<string, Value>;
      selections: Selection[] | undefined;
      conditions: Value[];
    }
  | { kind: 'spread'; fragment: string; conditions: Value[] }
  | { kind: 'inline'; on: string | undefined; selections: Selection[]; conditions: Value[] };

export interface Request {
  kind: 'query' | 'mutation' | 'subscription';
  name: string | undefined;
  variables: Map<string, { type: TypeRef; default: Value | undefined }>;
  selections: Selection[];
}

export interface Fragment {
  on: string;
  selections: Selection[];
}

/** The name a type has without lists and exclamation marks. */
export const named = (type: TypeRef): string => (type.kind === 'named' ? type.name : named(type.of));

const TOKEN =
  /(?<skip>[\s,\uFEFF]+|#[^\n\r]*)|(?<block>"""(?:\\"""|[^"]|"(?!""))*""")|(?<text>"(?:\\.|[^"\\\n])*")|(?<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<name>[_A-Za-z]\w*)|(?<mark>\.\.\.|[!$&():=@[\]{}|])/uy;

interface Token {
  kind: 'text' | 'number' | 'name' | 'mark' | 'end';
  text: string;
  at: number;
}

function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const groups = TOKEN.exec(source)?.groups;
    if (!groups) throw new Error(`not GraphQL at ${at} (${source.slice(at, at + 30)})`);
    if (groups.skip !== undefined) continue;
    if (groups.block !== undefined) tokens.push({ kind: 'text', text: groups.block.slice(3, -3).trim(), at });
    else if (groups.text !== undefined) tokens.push({ kind: 'text', text: JSON.parse(groups.text) as string, at });
    else if (groups.number !== undefined) tokens.push({ kind: 'number', text: groups.number, at });
    else if (groups.name !== undefined) tokens.push({ kind: 'name', text: groups.name, at });
    else tokens.push({ kind: 'mark', text: groups.mark!, at });
  }
  return [...tokens, { kind: 'end', text: '', at: source.length }];
}

/** Steps through the words of a document; what schemas and requests have in common is read here. */
export class Reader {
  private readonly tokens: Token[];
  private at = 0;

  constructor(source: string) {
    this.tokens = tokensOf(source);
  }

  get next(): Token {
    return this.tokens[this.at]!;
  }

  /** Takes the next word if it is this one. */
  take(text: string): boolean {
    const is = (this.next.kind === 'mark' || this.next.kind === 'name') && this.next.text === text;
    if (is) this.at += 1;
    return is;
  }

  expect(text: string): void {
    if (!this.take(text)) throw new Error(`"${text}" is expected at ${this.next.at}, not "${this.next.text}"`);
  }

  name(): string {
    if (this.next.kind !== 'name') throw new Error(`a name is expected at ${this.next.at}, not "${this.next.text}"`);
    return this.tokens[this.at++]!.text;
  }

  /** Leaves out a description, which is a text before what it describes. */
  skipText(): void {
    if (this.next.kind === 'text') this.at += 1;
  }

  /** What stands between two marks. */
  between<Item>(open: string, close: string, read: () => Item): Item[] {
    const items: Item[] = [];
    this.expect(open);
    while (!this.take(close)) {
      if (this.next.kind === 'end') throw new Error(`"${close}" is missing`);
      items.push(read());
    }
    return items;
  }

  /** The same where it may be absent. */
  ifBetween<Item>(open: string, close: string, read: () => Item): Item[] {
    return this.next.kind === 'mark' && this.next.text === open ? this.between(open, close, read) : [];
  }

  type(): TypeRef {
    let type: TypeRef;
    if (this.take('[')) {
      type = { kind: 'list', of: this.type() };
      this.expect(']');
    } else type = { kind: 'named', name: this.name() };
    return this.take('!') ? { kind: 'required', of: type } : type;
  }

  value(): Value {
    const { kind, text } = this.next;
    if (kind === 'mark') {
      if (this.take('$')) return { kind: 'variable', name: this.name() };
      if (text === '[') return { kind: 'list', items: this.between('[', ']', () => this.value()) };
      return { kind: 'object', members: new Map(this.between('{', '}', () => this.pair())) };
    }
    this.at += 1;
    if (kind === 'number') return { kind: 'plain', value: Number(text), whole: /^-?\d+$/.test(text) };
    if (kind === 'text') return { kind: 'plain', value: text };
    if (kind !== 'name') throw new Error(`a value is expected at ${this.next.at}`);
    if (text === 'true' || text === 'false') return { kind: 'plain', value: text === 'true' };
    return text === 'null' ? { kind: 'plain', value: null } : { kind: 'enum', name: text };
  }

  pair(): [string, Value] {
    const name = this.name();
    this.expect(':');
    return [name, this.value()];
  }

  directives(): Directive[] {
    const found: Directive[] = [];
    while (this.take('@')) {
      found.push({ name: this.name(), arguments: new Map(this.ifBetween('(', ')', () => this.pair())) });
    }
    return found;
  }
}
