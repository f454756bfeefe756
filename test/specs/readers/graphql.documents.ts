import {
  type Definition,
  type Field,
  type Fragment,
  type InputField,
  Reader,
  type Request,
  type Selection,
  type Value,
} from './graphql.language.ts';

/** A schema: its types, and the ones where queries and mutations begin. */
export interface GraphQLSchema {
  types: Map<string, Definition>;
  roots: Record<Request['kind'], string>;
}

const isDeprecated = (reader: Reader): boolean => reader.directives().some(({ name }) => name === 'deprecated');

function readInput(reader: Reader): [string, InputField] {
  reader.skipText();
  const name = reader.name();
  reader.expect(':');
  const type = reader.type();
  const value = reader.take('=') ? reader.value() : undefined;
  return [name, { type, default: value, deprecated: isDeprecated(reader) }];
}

function readField(reader: Reader): [string, Field] {
  reader.skipText();
  const name = reader.name();
  const parameters = new Map(reader.ifBetween('(', ')', () => readInput(reader)));
  reader.expect(':');
  const type = reader.type();
  if (reader.take('=')) reader.value();
  return [name, { type, arguments: parameters, deprecated: isDeprecated(reader) }];
}

function namesAfter(reader: Reader, separator: string): string[] {
  reader.take(separator);
  const names = [reader.name()];
  while (reader.take(separator) || (separator === '&' && reader.next.kind === 'name')) names.push(reader.name());
  return names;
}

const KINDS: Record<string, Definition['kind']> = {
  type: 'object',
  interface: 'interface',
  input: 'input',
  enum: 'enum',
  union: 'union',
  scalar: 'scalar',
};

/** Reads a schema in GraphQL's own language. */
export function readSchema(source: string): GraphQLSchema {
  const reader = new Reader(source);
  const schema: GraphQLSchema = {
    types: new Map(),
    roots: { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' },
  };
  while (reader.next.kind !== 'end') {
    reader.skipText();
    const extended = reader.take('extend');
    if (reader.take('schema')) {
      reader.directives();
      for (const [root, name] of reader.between('{', '}', () => readRoot(reader))) schema.roots[root] = name;
    } else if (reader.take('directive')) skipDirective(reader);
    else readDefinition(reader, schema.types, extended);
  }
  return schema;
}

function readRoot(reader: Reader): [Request['kind'], string] {
  const kind = reader.name() as Request['kind'];
  reader.expect(':');
  return [kind, reader.name()];
}

function skipDirective(reader: Reader): void {
  reader.expect('@');
  reader.name();
  reader.ifBetween('(', ')', () => readInput(reader));
  reader.take('repeatable');
  reader.expect('on');
  namesAfter(reader, '|');
}

function readDefinition(reader: Reader, types: Map<string, Definition>, extended: boolean): void {
  const word = reader.name();
  const kind = KINDS[word];
  if (!kind) throw new Error(`"${word}" begins no definition`);
  const name = reader.name();
  const before = extended ? types.get(name) : undefined;
  const definition = before ?? { kind, name, fields: new Map(), names: new Set<string>(), oneOf: false };
  types.set(name, definition);
  if (reader.take('implements')) for (const one of namesAfter(reader, '&')) definition.names.add(one);
  if (reader.directives().some((directive) => directive.name === 'oneOf')) definition.oneOf = true;
  if (kind === 'union') {
    if (reader.take('=')) for (const one of namesAfter(reader, '|')) definition.names.add(one);
  } else if (kind === 'enum') {
    for (const one of reader.ifBetween('{', '}', () => readWord(reader))) definition.names.add(one);
  } else
    for (const [field, what] of reader.ifBetween('{', '}', () => readField(reader))) definition.fields.set(field, what);
}

function readWord(reader: Reader): string {
  reader.skipText();
  const name = reader.name();
  reader.directives();
  return name;
}

/** Reads what a client sends: operations and the fragments they use. */
export function readRequests(source: string): { requests: Request[]; fragments: Map<string, Fragment> } {
  const reader = new Reader(source);
  const requests: Request[] = [];
  const fragments = new Map<string, Fragment>();
  while (reader.next.kind !== 'end') {
    if (reader.take('fragment')) {
      const name = reader.name();
      reader.expect('on');
      const on = reader.name();
      reader.directives();
      fragments.set(name, { on, selections: readSelections(reader) });
    } else requests.push(readRequest(reader));
  }
  return { requests, fragments };
}

function readRequest(reader: Reader): Request {
  const request: Request = { kind: 'query', name: undefined, variables: new Map(), selections: [] };
  if (reader.next.kind === 'name') {
    const kind = reader.name();
    if (kind !== 'query' && kind !== 'mutation' && kind !== 'subscription')
      throw new Error(`"${kind}" begins no operation`);
    request.kind = kind;
    if (reader.next.kind === 'name') request.name = reader.name();
    const variables = reader.ifBetween('(', ')', () => {
      reader.expect('$');
      return readInput(reader);
    });
    for (const [name, variable] of variables) request.variables.set(name, variable);
    reader.directives();
  }
  request.selections = readSelections(reader);
  return request;
}

const readSelections = (reader: Reader): Selection[] => reader.between('{', '}', () => readSelection(reader));

/** On what it depends whether it is in the answer. */
const readConditions = (reader: Reader): Value[] =>
  reader
    .directives()
    .filter(({ name }) => name === 'include' || name === 'skip')
    .flatMap((directive) => directive.arguments.get('if') ?? []);

function readSelection(reader: Reader): Selection {
  if (reader.take('...')) {
    if (reader.next.kind === 'name' && reader.next.text !== 'on')
      return { kind: 'spread', fragment: reader.name(), conditions: readConditions(reader) };
    const on = reader.take('on') ? reader.name() : undefined;
    const conditions = readConditions(reader);
    return { kind: 'inline', on, selections: readSelections(reader), conditions };
  }
  const first = reader.name();
  const name = reader.take(':') ? reader.name() : first;
  const parameters = new Map(reader.ifBetween('(', ')', () => reader.pair()));
  const conditions = readConditions(reader);
  const hasMore = reader.next.kind === 'mark' && reader.next.text === '{';
  const selections = hasMore ? readSelections(reader) : undefined;
  return { kind: 'field', key: first, name, arguments: parameters, selections, conditions };
}
