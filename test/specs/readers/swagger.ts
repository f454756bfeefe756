import { type Content, type HttpOperation, httpSpec, type OperationDetail, type Parameter } from '../http.ts';
import { Schemas } from '../schemas.ts';
import { isRecord, type Spec } from '../spec.ts';

type Json = Record<string, any>;

const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options'];
const FORMS = ['application/x-www-form-urlencoded', 'multipart/form-data'];

/** Reads a Swagger 2.0 document. */
export function swagger(name: string, written: Json): Spec {
  const document = withChoices(written) as Json;
  const schemas = new Schemas(document);
  const base = String(document.basePath ?? '').replace(/\/+$/, '');
  const operations = Object.entries(document.paths as Json).flatMap(([path, raw]) => {
    const item = schemas.resolve(raw) as Json;
    return METHODS.filter((method) => isRecord(item[method])).map(
      (method): HttpOperation => ({
        method: method.toUpperCase(),
        template: `${base}${path.split('?')[0]!}`,
        read: () => readOperation(item[method], item, document, schemas),
      }),
    );
  });
  return httpSpec(name, operations, schemas);
}

/** Swagger 2 has no word for a choice of forms: Slack lists the forms under `items`, of what is no list. */
function withChoices(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(withChoices);
  if (!isRecord(part)) return part;
  const copy: Json = Object.fromEntries(Object.entries(part).map(([key, value]) => [key, withChoices(value)]));
  if (!Array.isArray(copy.items) || copy.type !== undefined) return copy;
  const { items, ...rest } = copy;
  return { ...rest, anyOf: items };
}

function readOperation(operation: Json, item: Json, document: Json, schemas: Schemas): OperationDetail {
  const all = new Map<string, Json>();
  for (const raw of [...(item.parameters ?? []), ...(operation.parameters ?? [])]) {
    const parameter = schemas.resolve(raw) as Json;
    all.set(`${parameter.in} ${parameter.name}`, parameter);
  }
  const given = [...all.values()];
  const produces: string[] = operation.produces ?? document.produces ?? ['application/json'];
  const responses = Object.entries((operation.responses ?? {}) as Json).map(([status, raw]) => {
    const { schema } = schemas.resolve(raw) as Json;
    const content: Content = schema ? Object.fromEntries(produces.map((type) => [type, { schema }])) : {};
    return [status, { content }] as const;
  });
  return {
    parameters: given.filter((parameter) => ['path', 'query', 'header'].includes(parameter.in)).map(readParameter),
    body: readBody(given, operation.consumes ?? document.consumes ?? []),
    responses: Object.fromEntries(responses),
  };
}

function readBody(given: readonly Json[], consumes: readonly string[]): OperationDetail['body'] {
  const body = given.find((parameter) => parameter.in === 'body');
  if (body) {
    const types = consumes.length > 0 ? consumes : ['application/json'];
    return {
      required: body.required === true,
      content: Object.fromEntries(types.map((type) => [type, { schema: body.schema }])),
    };
  }
  const fields = given.filter((parameter) => parameter.in === 'formData');
  if (fields.length === 0) return undefined;
  const required = fields.filter((field) => field.required === true).map((field) => field.name as string);
  const schema = {
    type: 'object',
    properties: Object.fromEntries(fields.map((field) => [field.name, schemaOf(field)])),
    additionalProperties: false,
    required,
  };
  const forms = consumes.filter((type) => FORMS.includes(type));
  return {
    required: required.length > 0,
    content: Object.fromEntries((forms.length > 0 ? forms : FORMS).map((type) => [type, { schema }])),
  };
}

const SEPARATORS: Record<string, string> = { csv: ',', ssv: ' ', tsv: '\t', pipes: '|', multi: '' };

const readParameter = (parameter: Json): Parameter => ({
  name: parameter.name,
  in: parameter.in,
  required: parameter.required === true && parameter.in !== 'path',
  schema: schemaOf(parameter),
  separator: SEPARATORS[parameter.collectionFormat ?? 'csv'] ?? ',',
});

/** In Swagger a parameter that is no body is its own schema; `required` there is about the parameter. */
function schemaOf({ required: _required, name: _name, in: _in, ...schema }: Json): Json {
  return schema;
}
