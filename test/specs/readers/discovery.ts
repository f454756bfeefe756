import { type HttpOperation, httpSpec, type OperationDetail, type Parameter } from '../http.ts';
import { Schemas } from '../schemas.ts';
import { isRecord, type Spec } from '../spec.ts';

type Json = Record<string, any>;

/** Reads a discovery document of Google's. */
export function discovery(name: string, document: Json): Spec {
  const prepared = { ...document, schemas: prepare(document.schemas ?? {}) };
  // References name a schema: `Event`.
  const schemas = new Schemas(prepared, { locate: (reference) => `#/schemas/${reference}` });
  const base = new URL(document.servicePath ?? '', document.rootUrl).pathname.replace(/\/+$/, '');
  const operations = [...methodsIn(document)].flatMap((method): HttpOperation[] => {
    const read = (): OperationDetail => readMethod(method, prepared, schemas);
    const simple = { method: method.httpMethod as string, template: `${base}/${method.path}`, read };
    const uploads = Object.values((method.mediaUpload?.protocols ?? {}) as Json).map((protocol) => protocol.path);
    // What is uploaded is not described further than its kind.
    const upload = (): OperationDetail => ({
      ...readMethod(method, prepared, schemas),
      body: { required: true, content: { '*/*': {}, 'multipart/*': {}, 'message/*': {} } },
    });
    return [simple, ...uploads.map((path) => ({ ...simple, template: path, read: upload }))];
  });
  return httpSpec(name, operations, schemas);
}

function* methodsIn(holder: Json): Generator<Json> {
  yield* Object.values((holder.methods ?? {}) as Json);
  for (const resource of Object.values((holder.resources ?? {}) as Json)) yield* methodsIn(resource);
}

/** Whole numbers of 64 bits travel as text, times have a form that `format` names: said in words of JSON schema. */
function prepare(schema: any): any {
  if (Array.isArray(schema)) return schema.map(prepare);
  if (!isRecord(schema)) return schema;
  const copy: Json = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, prepare(value)]));
  if (copy.type === 'string' && typeof copy.format === 'string' && /^u?int64$/.test(copy.format)) {
    copy.pattern = copy.format === 'int64' ? '^-?\\d+$' : '^\\d+$';
    delete copy.format;
  }
  // Bytes are written as addresses can hold them, with or without padding.
  if (copy.type === 'string' && copy.format === 'byte') {
    copy.pattern = '^[A-Za-z0-9_-]*={0,2}$';
    delete copy.format;
  }
  return copy;
}

function readMethod(method: Json, document: Json, schemas: Schemas): OperationDetail {
  const given = { ...(document.parameters as Json | undefined), ...(method.parameters as Json | undefined) };
  const request = method.request && { allOf: [method.request, { required: requiredBy(method, schemas) }] };
  return {
    parameters: Object.entries(given).map(([name, parameter]) => readParameter(name, parameter)),
    body: request && { required: true, content: { 'application/json': { schema: request } } },
    responses: {
      '2XX': method.response ? { content: { 'application/json': { schema: method.response } } } : {},
    },
  };
}

/** Members a method wants: Google notes at each member which methods cannot do without it. */
function requiredBy(method: Json, schemas: Schemas): string[] {
  const { properties = {} } = schemas.resolve(method.request) as { properties?: Json };
  return Object.entries(properties as Json)
    .filter(([, member]) => member.annotations?.required?.includes(method.id))
    .map(([name]) => name);
}

const readParameter = (name: string, { location, required, repeated, minimum, maximum, ...rest }: Json): Parameter => {
  const schema = prepare({
    ...rest,
    // Bounds are texts in these documents.
    ...(minimum === undefined ? {} : { minimum: Number(minimum) }),
    ...(maximum === undefined ? {} : { maximum: Number(maximum) }),
  });
  return {
    name,
    in: location,
    required: required === true && location !== 'path',
    schema: repeated ? { type: 'array', items: schema } : schema,
    separator: '',
  };
};
