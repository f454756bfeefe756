import { type HttpOperation, httpSpec } from '../http.ts';
import type { Schema } from '../normalise.ts';
import { Schemas } from '../schemas.ts';
import type { Spec, ValueSpec } from '../spec.ts';

interface Field {
  name: string;
  types: string[];
  required: boolean;
}

interface Document {
  methods: Record<string, { name: string; returns: string[]; fields?: Field[] }>;
  types: Record<string, { fields?: Field[]; subtypes?: string[] }>;
}

const PLAIN: Record<string, Schema> = {
  String: { type: 'string' },
  Integer: { type: 'integer' },
  Boolean: { type: 'boolean' },
  Float: { type: 'number' },
  // Content of its own, or where to find it.
  InputFile: {},
};

const schemaOf = (type: string): Schema =>
  type.startsWith('Array of ')
    ? { type: 'array', items: schemaOf(type.slice('Array of '.length)) }
    : (PLAIN[type] ?? { $ref: `#/schemas/${type}` });

const anyOf = (types: readonly string[]): Schema =>
  types.length === 1 ? schemaOf(types[0]!) : { anyOf: types.map(schemaOf) };

const objectOf = (fields: readonly Field[]): Schema => ({
  type: 'object',
  properties: Object.fromEntries(fields.map((field) => [field.name, anyOf(field.types)])),
  additionalProperties: false,
  required: fields.filter((field) => field.required).map((field) => field.name),
});

const schemasOf = ({ types }: Document): Schemas =>
  new Schemas({
    schemas: Object.fromEntries(
      Object.entries(types).map(([name, { fields, subtypes }]) => [
        name,
        subtypes ? anyOf(subtypes) : objectOf(fields ?? []),
      ]),
    ),
  });

/** Reads the description of Telegram's bots: methods with fields, called by GET or POST below the bot's token. */
export function telegram(name: string, document: Document): Spec {
  const methods = Object.values(document.methods);
  const operations = methods.flatMap((method) => {
    const fields = method.fields ?? [];
    const schema = objectOf(fields);
    const answer: Schema = {
      anyOf: [
        {
          type: 'object',
          properties: { ok: { const: true }, result: anyOf(method.returns), description: { type: 'string' } },
          required: ['ok', 'result'],
        },
      ],
    };
    const failure: Schema = {
      type: 'object',
      properties: {
        ok: { const: false },
        error_code: { type: 'integer' },
        description: { type: 'string' },
        parameters: { $ref: '#/schemas/ResponseParameters' },
      },
      required: ['ok', 'error_code', 'description'],
    };
    const responses = {
      '2XX': { content: { 'application/json': { schema: answer } } },
      default: { content: { 'application/json': { schema: failure } } },
    };
    const types = ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data'];
    const template = `/bot{token}/${method.name}`;
    const post: HttpOperation = {
      method: 'POST',
      template,
      read: () => ({
        parameters: [],
        body: {
          required: fields.some((field) => field.required),
          content: Object.fromEntries(types.map((type) => [type, { schema }])),
        },
        responses,
      }),
    };
    const get: HttpOperation = {
      method: 'GET',
      template,
      read: () => ({
        parameters: fields.map((field) => ({
          name: field.name,
          in: 'query' as const,
          required: field.required,
          schema: anyOf(field.types),
          separator: '',
        })),
        responses,
      }),
    };
    return [get, post];
  });
  return httpSpec(name, operations, schemasOf(document));
}

/** Values of one of Telegram's types, such as an `Update` it posts. */
export function telegramType(name: string, document: Document, type: string): ValueSpec {
  const schemas = schemasOf(document);
  const schema = schemaOf(type);
  return { name: `${name} ${type}`, check: (value, at) => schemas.check(schema, value, 'response', at) };
}
