import type { Schema } from '../normalise.ts';
import { childrenOf, descendants, type Element, parseXml } from './xml.ts';

/** A property of a type; what can be done with it where the description says so. */
export interface Property {
  type: string;
  isList: boolean;
  nullable: boolean;
  maxLength: number | undefined;
  creatable: boolean;
  updatable: boolean;
  filterable: boolean;
  sortable: boolean;
}

export interface EntityType {
  name: string;
  base: string | undefined;
  keys: string[];
  properties: Map<string, Property>;
  /** Types that other types lead to, and whether to one or many. */
  navigation: Map<string, { type: string; isList: boolean }>;
}

export interface EntitySet {
  type: string;
  /** One entity rather than a set of them. */
  isSingle: boolean;
  creatable: boolean;
  updatable: boolean;
  deletable: boolean;
}

export interface Callable {
  name: string;
  method: string;
  /** Parameters with their types; a bound operation's first one is left out. */
  parameters: Map<string, { type: string; isList: boolean; optional: boolean }>;
  returns: { type: string; isList: boolean } | undefined;
  /** The type it is called on; undefined: on the service itself. */
  boundTo: { type: string; isList: boolean } | undefined;
}

export interface Model {
  version: 2 | 4;
  namespace: string;
  types: Map<string, EntityType>;
  enums: Map<string, Set<string>>;
  sets: Map<string, EntitySet>;
  callables: Callable[];
}

const isNot = (element: Element, flag: string): boolean => element.attributes[`sap:${flag}`] === 'false';

const listOf = (type: string): { type: string; isList: boolean } => {
  const inner = /^Collection\((.*)\)$/.exec(type)?.[1];
  return { type: inner ?? type, isList: inner !== undefined };
};

/** Reads the metadata of an OData service, version 2 (as SAP's) or 4 (as Microsoft Graph's). */
export function readEdmx(source: string): Model {
  const top = parseXml(source);
  const schemas = [...descendants(top, 'Schema')];
  const version = String(top.attributes.Version).startsWith('4') ? 4 : 2;
  const aliases = new Map(schemas.map(({ attributes }) => [attributes.Alias ?? '', attributes.Namespace ?? '']));
  /** A type's full name, aliases replaced. */
  const full = (name: string): string => {
    const at = name.lastIndexOf('.');
    const space = name.slice(0, Math.max(at, 0));
    return at > 0 && aliases.has(space) ? `${aliases.get(space)}.${name.slice(at + 1)}` : name;
  };
  const fullList = (type: string): { type: string; isList: boolean } => {
    const found = listOf(type);
    return { ...found, type: full(found.type) };
  };
  const model: Model = {
    version,
    namespace: schemas[0]?.attributes.Namespace ?? '',
    types: new Map(),
    enums: new Map(),
    sets: new Map(),
    callables: [],
  };
  for (const schema of schemas) {
    const space = schema.attributes.Namespace ?? '';
    const ends = associationEnds(schema);
    for (const type of childrenOf(schema, 'EntityType', 'ComplexType')) {
      const name = `${space}.${type.attributes.Name}`;
      const base = type.attributes.BaseType;
      model.types.set(name, {
        name,
        base: base === undefined ? undefined : full(base),
        keys: [...descendants(type, 'PropertyRef')].map(({ attributes }) => attributes.Name ?? ''),
        properties: new Map(
          childrenOf(type, 'Property').map((one) => [one.attributes.Name ?? '', readProperty(one, fullList)]),
        ),
        navigation: new Map(
          childrenOf(type, 'NavigationProperty').map(({ attributes }) => [
            attributes.Name ?? '',
            attributes.Type
              ? fullList(attributes.Type)
              : (ends.get(`${attributes.Relationship} ${attributes.ToRole}`) ?? { type: '', isList: true }),
          ]),
        ),
      });
    }
    for (const one of childrenOf(schema, 'EnumType')) {
      const words = childrenOf(one, 'Member').map(({ attributes }) => attributes.Name ?? '');
      model.enums.set(`${space}.${one.attributes.Name}`, new Set(words));
    }
    for (const set of descendants(schema, 'EntitySet', 'Singleton')) {
      model.sets.set(set.attributes.Name ?? '', {
        type: full(set.attributes.EntityType ?? set.attributes.Type ?? ''),
        isSingle: set.local === 'Singleton',
        creatable: !isNot(set, 'creatable'),
        updatable: !isNot(set, 'updatable'),
        deletable: !isNot(set, 'deletable'),
      });
    }
    model.callables.push(...readCallables(schema, fullList));
  }
  return model;
}

function readProperty({ attributes, ...element }: Element, full: typeof listOf): Property {
  const flags = { attributes, ...element };
  const length = Number(attributes.MaxLength);
  return {
    ...full(attributes.Type ?? 'Edm.String'),
    nullable: attributes.Nullable !== 'false',
    maxLength: Number.isInteger(length) && length > 0 ? length : undefined,
    creatable: !isNot(flags, 'creatable'),
    updatable: !isNot(flags, 'updatable'),
    filterable: !isNot(flags, 'filterable'),
    sortable: !isNot(flags, 'sortable'),
  };
}

/** In version 2 a navigation names an association and a role; the type stands there. */
function associationEnds(schema: Element): Map<string, { type: string; isList: boolean }> {
  const ends = childrenOf(schema, 'Association').flatMap((association) =>
    childrenOf(association, 'End').map(({ attributes }): [string, { type: string; isList: boolean }] => [
      `${schema.attributes.Namespace}.${association.attributes.Name} ${attributes.Role}`,
      { type: attributes.Type ?? '', isList: attributes.Multiplicity === '*' },
    ]),
  );
  return new Map(ends);
}

function readCallables(schema: Element, full: typeof listOf): Callable[] {
  return [...descendants(schema, 'FunctionImport', 'Function', 'Action')]
    .filter(({ attributes }) => attributes.Name !== undefined)
    .map((element): Callable => {
      const { attributes } = element;
      const given = childrenOf(element, 'Parameter').map(
        (parameter): [string, Callable['boundTo'] & { optional: boolean }] => [
          parameter.attributes.Name ?? '',
          {
            ...full(parameter.attributes.Type ?? ''),
            optional: parameter.attributes.Nullable !== 'false' && element.local === 'Action',
          },
        ],
      );
      const isBound = attributes.IsBound === 'true';
      const returned = attributes.ReturnType ?? childrenOf(element, 'ReturnType')[0]?.attributes.Type;
      const method = attributes['m:HttpMethod'] ?? (element.local === 'Action' ? 'POST' : 'GET');
      return {
        name: attributes.Name ?? '',
        method,
        parameters: new Map(isBound ? given.slice(1) : given),
        returns: returned ? full(returned) : undefined,
        boundTo: isBound ? given[0]?.[1] : undefined,
      };
    });
}

/** A type and what it extends, nearest first. */
function lineage(model: Model, name: string): EntityType[] {
  const type = model.types.get(name);
  return type ? [type, ...(type.base ? lineage(model, type.base) : [])] : [];
}

export const propertyOf = (model: Model, type: string, name: string): Property | undefined =>
  lineage(model, type).flatMap(({ properties }) => properties.get(name) ?? [])[0];

export const navigationOf = (model: Model, type: string, name: string): { type: string; isList: boolean } | undefined =>
  lineage(model, type).flatMap(({ navigation }) => navigation.get(name) ?? [])[0];

export const keysOf = (model: Model, type: string): string[] =>
  lineage(model, type).find(({ keys }) => keys.length > 0)?.keys ?? [];

/** How values of the built-in types are written in JSON. */
const PLAIN: Record<2 | 4, Record<string, Schema>> = {
  2: {
    'Edm.Boolean': { type: 'boolean' },
    'Edm.Byte': { type: 'integer' },
    'Edm.Int16': { type: 'integer' },
    'Edm.Int32': { type: 'integer' },
    'Edm.Int64': { type: 'string', pattern: '^-?\\d+$' },
    'Edm.Decimal': { type: 'string', pattern: '^-?\\d+(\\.\\d+)?$' },
    'Edm.Double': { type: ['string', 'number'] },
    'Edm.Guid': { type: 'string', format: 'uuid' },
    'Edm.DateTime': {
      type: 'string',
      pattern: '^(/Date\\(-?\\d+([+-]\\d+)?\\)/|\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?)$',
    },
    'Edm.DateTimeOffset': {
      type: 'string',
      pattern: '^(/Date\\(-?\\d+([+-]\\d+)?\\)/|\\d{4}-\\d\\d-\\d\\dT.*(Z|[+-]\\d\\d:\\d\\d))$',
    },
    'Edm.Time': { type: 'string', pattern: '^P' },
  },
  4: {
    'Edm.Boolean': { type: 'boolean' },
    'Edm.Byte': { type: 'integer' },
    'Edm.Int16': { type: 'integer' },
    'Edm.Int32': { type: 'integer' },
    'Edm.Int64': { type: ['integer', 'string'] },
    'Edm.Decimal': { type: ['number', 'string'] },
    'Edm.Double': { type: ['number', 'string'] },
    'Edm.Single': { type: ['number', 'string'] },
    'Edm.Guid': { type: 'string', format: 'uuid' },
    'Edm.Date': { type: 'string', format: 'date' },
    'Edm.DateTimeOffset': { type: 'string', format: 'date-time' },
    'Edm.Duration': { type: 'string', pattern: '^-?P' },
  },
};

/** What a value is written for: sent to make or change something, or answered. */
export type Use = 'create' | 'update' | 'answer';

export const reference = (use: Use, type: string): string => `#/${use}/${type}`;

/** A value of a type, as a JSON schema. */
export function valueSchema(model: Model, type: string, use: Use): Schema {
  const words = model.enums.get(type);
  if (words) return { type: 'string', pattern: `^(${[...words, 'unknownFutureValue'].join('|')})(,.*)?$` };
  if (model.types.has(type)) return { $ref: reference(use, type) };
  return (
    PLAIN[model.version][type] ??
    (type.startsWith('Edm.') && !/Stream|Geo|Untyped/.test(type) ? { type: 'string' } : {})
  );
}

/** All types as JSON schemas, for each use. */
export function edmxSchemas(model: Model): Record<Use, Record<string, Schema>> {
  const all = (use: Use): Record<string, Schema> =>
    Object.fromEntries([...model.types.values()].map((type) => [type.name, objectSchema(model, type, use)]));
  return { create: all('create'), update: all('update'), answer: all('answer') };
}

function objectSchema(model: Model, type: EntityType, use: Use): Schema {
  const properties: Record<string, Schema> = model.version === 2 ? { __metadata: {} } : {};
  for (const [name, property] of type.properties) {
    const value = valueSchema(model, property.type, use);
    const isLimited = property.maxLength !== undefined && property.type === 'Edm.String';
    const single = isLimited ? { allOf: [value], maxLength: property.maxLength } : { allOf: [value] };
    properties[name] = {
      ...(property.isList ? { type: 'array', items: single } : single),
      nullable: property.nullable,
      readOnly: (use === 'create' && !property.creatable) || (use === 'update' && !property.updatable),
    };
  }
  for (const [name, { type: target, isList }] of type.navigation) {
    const one: Schema = { $ref: reference(use, target) };
    const deferred = {
      type: 'object',
      properties: { __deferred: {} },
      required: ['__deferred'],
      additionalProperties: false,
    };
    const many = { type: 'array', items: one };
    const wrapped = {
      type: 'object',
      properties: { results: many, __next: {}, __count: {} },
      required: ['results'],
      additionalProperties: false,
    };
    properties[name] = { nullable: true, anyOf: isList ? [many, wrapped, deferred] : [one, deferred] };
  }
  return {
    type: 'object',
    properties,
    // What version 4 notes about a value stands beside it: `@odata.type`, `start@odata.type`.
    patternProperties: model.version === 4 ? { '@': {} } : {},
    ...(type.base ? { allOf: [{ $ref: reference(use, type.base) }] } : {}),
  };
}
