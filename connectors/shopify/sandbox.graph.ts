import { type Field, type Operation, resolve, type Selection, type Value } from './graphql.ts';

export type Arguments = Record<string, unknown>;

/** What answers the fields at the top of a request. */
export type Roots = Record<string, (given: Arguments) => unknown>;

/** A refusal of the whole request, as GraphQL tells it. */
export class GraphError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Lists that are connections in the schema; all others are plain lists. */
const CONNECTIONS = ['nodes', 'edges', 'pageInfo'];

export const FIRST_PAGE = { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null };

const isRecord = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === 'object';

/** Answers requests from plain data, and counts what they cost. */
export class Answering {
  /** Points so far: an object 1, a connection 2 and its items (dossier, Limits). */
  cost = 0;
  private readonly variables: Arguments;

  constructor(operation: Operation, given: Arguments) {
    const defaults = Object.entries(operation.variables).filter(([, value]) => value !== undefined);
    this.variables = { ...Object.fromEntries(defaults), ...given };
  }

  /** @throws GraphError naming a field there is no answer for */
  answer(operation: Operation, roots: Roots): Record<string, unknown> {
    const data: Record<string, unknown> = {};
    for (const field of operation.selections) {
      if (field.kind !== 'field' || !roots[field.name])
        throw new GraphError(
          'undefinedField',
          `Field '${field.kind === 'field' ? field.name : field.on}' doesn't exist`,
        );
      const before = this.cost;
      data[field.key] = this.value(field, roots[field.name]!(this.given(field)));
      if (operation.kind === 'mutation') this.cost = before + 10;
    }
    return data;
  }

  private given(field: Field): Arguments {
    return Object.fromEntries(
      Object.entries(field.arguments).map(([name, value]) => [name, resolve(value as Value, this.variables)]),
    );
  }

  private value(field: Field, found: unknown): unknown {
    const { selections } = field;
    if (!selections || found === null || found === undefined) return found ?? null;
    if (!Array.isArray(found)) return isRecord(found) ? this.object(selections, found, field.name) : found;
    const { first, keys } = this.given(field) as { first?: number; keys?: string[] };
    const listed = keys
      ? (found as { namespace: string; key: string }[]).filter((one) => keys.includes(`${one.namespace}.${one.key}`))
      : found;
    const nodes = listed.slice(0, first ?? listed.length);
    const isConnection = selections.some((one) => one.kind === 'field' && CONNECTIONS.includes(one.name));
    if (!isConnection) return nodes.map((node) => (isRecord(node) ? this.object(selections, node) : node));
    return this.object(
      selections,
      { nodes, pageInfo: { ...FIRST_PAGE, hasNextPage: listed.length > nodes.length } },
      '',
    );
  }

  private object(selections: readonly Selection[], from: Record<string, unknown>, name = ''): Record<string, unknown> {
    const isConnection = 'nodes' in from && 'pageInfo' in from;
    if (name !== 'pageInfo') this.cost += isConnection ? 2 : 1;
    const made: Record<string, unknown> = {};
    for (const one of selections) {
      if (one.kind === 'field') made[one.key] = this.value(one, from[one.name]);
      else if (one.on === from.__typename) Object.assign(made, this.fields(one.selections, from));
    }
    return made;
  }

  private fields(selections: readonly Selection[], from: Record<string, unknown>): Record<string, unknown> {
    const made: Record<string, unknown> = {};
    for (const one of selections) if (one.kind === 'field') made[one.key] = this.value(one, from[one.name]);
    return made;
  }
}
