import type { Finding } from '../spec.ts';
import type { GraphQLSchema } from './graphql.documents.ts';
import {
  type Definition,
  type Fragment,
  type InputField,
  named,
  type Request,
  type Selection,
  type TypeRef,
  type Value,
} from './graphql.language.ts';

/** Goes through what is asked for, and notes what the schema does not have. */
export class GraphQLCheck {
  readonly findings: Finding[] = [];
  private readonly schema: GraphQLSchema;
  private readonly request: Request;
  private readonly fragments: Map<string, Fragment>;
  private readonly used = new Set<string>();
  private readonly open = new Set<string>();

  constructor(schema: GraphQLSchema, request: Request, fragments: Map<string, Fragment>) {
    this.schema = schema;
    this.request = request;
    this.fragments = fragments;
  }

  private note(at: string, says: string): void {
    this.findings.push({ at, says });
  }

  /** Variables nobody asks for: the vendor refuses them. */
  unused(at: string): Finding[] {
    const names = [...this.request.variables.keys()].filter((name) => !this.used.has(name));
    return names.map((name) => ({ at: `${at}.$${name}`, says: 'is declared and not used' }));
  }

  selections(type: Definition, selections: readonly Selection[], at: string): void {
    for (const one of selections) {
      for (const value of one.conditions) this.value(sure({ kind: 'named', name: 'Boolean' }), value, at);
      if (one.kind === 'field') this.field(type, one, `${at}.${one.name}`);
      else this.fragment(type, one, at);
    }
  }

  private fragment(type: Definition, one: Exclude<Selection, { kind: 'field' }>, at: string): void {
    const fragment = one.kind === 'spread' ? this.fragments.get(one.fragment) : one;
    if (!fragment) {
      this.note(at, `has no fragment ${one.kind === 'spread' ? one.fragment : ''}`);
      return;
    }
    const on = fragment.on === undefined ? type : this.schema.types.get(fragment.on);
    if (!on) {
      this.note(at, `there is no type ${fragment.on}`);
      return;
    }
    const name = one.kind === 'spread' ? one.fragment : '';
    if (name !== '' && this.open.has(name)) {
      this.note(at, `the fragment ${name} contains itself`);
      return;
    }
    this.open.add(name);
    this.selections(on, fragment.selections, at);
    this.open.delete(name);
  }

  private field(type: Definition, one: Extract<Selection, { kind: 'field' }>, at: string): void {
    if (one.name === '__typename') return;
    const field = type.fields.get(one.name);
    if (!field) {
      this.note(at, `is not described: ${type.name} has no such field`);
      return;
    }
    if (field.deprecated) this.note(at, 'is deprecated');
    this.inputs(field.arguments, one.arguments, `${at}()`);
    const inner = this.schema.types.get(named(field.type));
    const isComposite = inner !== undefined && ['object', 'interface', 'union'].includes(inner.kind);
    if (isComposite && !one.selections) {
      this.note(at, 'needs to say which of its fields are wanted');
      return;
    }
    if (!isComposite && one.selections) {
      this.note(at, 'has no fields');
      return;
    }
    if (inner && one.selections) this.selections(inner, one.selections, at);
  }

  private inputs(known: Map<string, InputField | { type: TypeRef }>, given: Map<string, Value>, at: string): void {
    for (const [name, value] of given) {
      const input = known.get(name) as InputField | undefined;
      if (!input) this.note(`${at}.${name}`, 'is not described');
      else {
        if (input.deprecated) this.note(`${at}.${name}`, 'is deprecated');
        this.value(input.type, value, `${at}.${name}`, input.default !== undefined);
      }
    }
    for (const [name, input] of known)
      if (input.type.kind === 'required' && !(input as InputField).default && !given.has(name))
        this.note(`${at}.${name}`, 'is missing');
  }

  private value(type: TypeRef, value: Value, at: string, hasDefault = false): void {
    if (value.kind === 'variable') {
      this.variable(type, value.name, at, hasDefault);
      return;
    }
    if (value.kind === 'plain' && value.value === null) {
      if (type.kind === 'required') this.note(at, 'must not be null');
      return;
    }
    if (type.kind === 'required') {
      this.value(type.of, value, at);
      return;
    }
    if (type.kind === 'list') {
      const items = value.kind === 'list' ? value.items : [value];
      for (const item of items) this.value(type.of, item, at);
      return;
    }
    this.namedValue(type.name, value, at);
  }

  private namedValue(name: string, value: Value, at: string): void {
    const type = this.schema.types.get(name);
    if (type?.kind === 'input') {
      if (value.kind !== 'object') {
        this.note(at, `must be ${name}`);
        return;
      }
      this.inputs(type.fields, value.members, at);
      return;
    }
    if (type?.kind === 'enum') {
      if (value.kind !== 'enum' || !type.names.has(value.name)) this.note(at, `must be one of ${name}`);
      return;
    }
    const fits: Record<string, boolean> = {
      Int: value.kind === 'plain' && value.whole === true,
      Float: value.kind === 'plain' && typeof value.value === 'number',
      String: value.kind === 'plain' && typeof value.value === 'string',
      Boolean: value.kind === 'plain' && typeof value.value === 'boolean',
      ID: value.kind === 'plain' && (typeof value.value === 'string' || value.whole === true),
    };
    if (fits[name] === false) this.note(at, `must be ${name}`);
  }

  private variable(type: TypeRef, name: string, at: string, hasDefault: boolean): void {
    this.used.add(name);
    const variable = this.request.variables.get(name);
    if (!variable) {
      this.note(at, `$${name} is not declared`);
      return;
    }
    const given = variable.default && variable.type.kind !== 'required' ? sure(variable.type) : variable.type;
    const wanted = hasDefault && type.kind === 'required' ? type.of : type;
    if (!isUsable(given, wanted))
      this.note(at, `$${name} is ${written(variable.type)} where ${written(type)} is wanted`);
  }
}

const sure = (type: TypeRef): TypeRef => ({ kind: 'required', of: type });

/** Whether a variable of one type may stand where another is wanted. */
function isUsable(given: TypeRef, wanted: TypeRef): boolean {
  if (wanted.kind === 'required') return given.kind === 'required' && isUsable(given.of, wanted.of);
  if (given.kind === 'required') return isUsable(given.of, wanted);
  if (wanted.kind === 'list') return given.kind === 'list' && isUsable(given.of, wanted.of);
  return given.kind === 'named' && given.name === wanted.name;
}

const written = (type: TypeRef): string => {
  if (type.kind === 'named') return type.name;
  return type.kind === 'list' ? `[${written(type.of)}]` : `${written(type.of)}!`;
};
