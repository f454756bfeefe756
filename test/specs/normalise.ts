import { isRecord } from './spec.ts';

/** A JSON schema, or what a vendor's dialect calls one. */
export type Schema = Record<string, any> | boolean;

/** Whether a value is sent to the vendor or comes from it: what is read-only need not be sent. */
export type Direction = 'request' | 'response';

const TYPES = new Set(['string', 'number', 'integer', 'boolean', 'object', 'array', 'null']);
/** Words that stand for a type in descriptions, though JSON schema has no such type. */
const LOOSE: Record<string, string> = { int: 'integer', long: 'integer', float: 'number', double: 'number' };

/** Keywords that hold one schema, a list of them, or a map of them. */
const ONE = ['items', 'not', 'if', 'then', 'else', 'contains', 'propertyNames', 'additionalProperties'];
const LISTS = ['allOf', 'anyOf', 'oneOf'];
const MAPS = ['properties', 'patternProperties'];
/** Keywords taken over as they stand. */
const PLAIN = [
  ...['enum', 'const', 'minimum', 'maximum', 'multipleOf', 'minLength', 'maxLength', 'minItems', 'maxItems'],
  ...['uniqueItems', 'minProperties', 'maxProperties', 'format', 'exclusiveMinimum', 'exclusiveMaximum'],
];

export interface NormaliseOptions {
  direction: Direction;
  /** The name under which the schema at a reference is known to the validator. */
  known: (reference: string) => string;
  /** Follows references. */
  resolve: (schema: Schema) => Schema;
}

/**
 * A schema of any dialect (OpenAPI 3.0 and 3.1, Swagger 2, Google's, JSON schema) as one the validator understands.
 * Only what narrows values is taken over. `oneOf` is read as `anyOf`: vendors list forms that overlap.
 */
export function normalise(schema: Schema, options: NormaliseOptions): Schema {
  if (typeof schema === 'boolean') return schema;
  const inner = (value: unknown): Schema =>
    isRecord(value) || typeof value === 'boolean' ? normalise(value, options) : {};
  const result: Record<string, any> = {};
  for (const keyword of PLAIN) if (schema[keyword] !== undefined) result[keyword] = schema[keyword];
  // A single word, where a list of words belongs.
  if (result.enum !== undefined && !Array.isArray(result.enum)) result.enum = [result.enum];
  for (const keyword of ONE) if (schema[keyword] !== undefined) result[keyword] = inner(schema[keyword]);
  // Names are looked at elsewhere (see `Described`): many descriptions close each part of a whole.
  if (result.additionalProperties === false) delete result.additionalProperties;
  if (Array.isArray(schema.items)) result.items = schema.items.map(inner);
  if (Array.isArray(schema.prefixItems)) {
    result.items = schema.prefixItems.map(inner);
    if (schema.items !== undefined) result.additionalItems = inner(schema.items);
  }
  for (const keyword of MAPS)
    if (isRecord(schema[keyword]))
      result[keyword] = Object.fromEntries(Object.entries(schema[keyword]).map(([name, one]) => [name, inner(one)]));
  const all: Schema[] = [];
  for (const keyword of LISTS) {
    const list = Array.isArray(schema[keyword]) ? schema[keyword].map(inner) : [];
    if (keyword === 'allOf') all.push(...list);
    else if (list.length > 0) all.push({ anyOf: list });
  }
  if (typeof schema.$ref === 'string') all.push({ $ref: options.known(schema.$ref) });
  if (all.length > 0) result.allOf = all;
  narrow(schema, result, options);
  const nullable = schema.nullable === true || schema['x-nullable'] === true;
  return nullable ? orNull(result) : result;
}

/** Types, bounds, patterns and required members, each with the habits of the dialects. */
function narrow(schema: Record<string, any>, result: Record<string, any>, options: NormaliseOptions): void {
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type])
    .map((type) => LOOSE[type] ?? type)
    .filter((type) => TYPES.has(type));
  if (types.length > 0) result.type = types.length === 1 ? types[0] : types;
  for (const [bound, limit] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (typeof result[bound] !== 'boolean') continue;
    if (result[bound] && result[limit] !== undefined) {
      result[bound] = result[limit];
      delete result[limit];
    } else delete result[bound];
  }
  if (typeof schema.pattern === 'string' && compiles(schema.pattern)) result.pattern = schema.pattern;
  if (!Array.isArray(schema.required)) return;
  // Who reads need not get what is only written, and the other way round.
  const foreign = options.direction === 'request' ? 'readOnly' : 'writeOnly';
  const isForeign = (name: string): boolean => {
    const member = schema.properties?.[name];
    const resolved = isRecord(member) ? options.resolve(member) : undefined;
    return member?.[foreign] === true || (isRecord(resolved) && resolved[foreign] === true);
  };
  const required = schema.required.filter((name: unknown) => typeof name === 'string' && !isForeign(name));
  if (required.length > 0) result.required = [...new Set(required)];
}

function compiles(pattern: string): boolean {
  try {
    new RegExp(pattern);
    return true;
  } catch {
    return false;
  }
}

/** As a condition rather than a choice, so that what is wrong inside is told where it is. */
const orNull = (schema: Record<string, any>): Schema =>
  Object.keys(schema).length === 0 ? {} : { if: { not: { type: 'null' } }, then: schema };
