import { type Content, type HttpOperation, httpSpec, type OperationDetail, type Parameter } from '../http.ts';
import { Schemas } from '../schemas.ts';
import { isRecord, type Spec } from '../spec.ts';

type Json = Record<string, any>;

const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options'];

/** Reads an OpenAPI 3.0 or 3.1 document. */
export function openApi(name: string, document: Json): Spec {
  const schemas = new Schemas(document);
  const operations = Object.entries(document.paths as Json).flatMap(([path, raw]) => {
    const item = schemas.resolve(raw) as Json;
    return METHODS.filter((method) => isRecord(item[method])).flatMap((method) => {
      const operation = item[method] as Json;
      const servers: Json[] = operation.servers ?? item.servers ?? document.servers ?? [];
      return [...new Set(servers.length === 0 ? [''] : servers.map(pathOfServer))].map(
        (base): HttpOperation => ({
          method: method.toUpperCase(),
          template: `${base}${path.split('?')[0]!}`,
          read: () => readOperation(operation, item, schemas),
        }),
      );
    });
  });
  return httpSpec(name, operations, schemas);
}

/** The path part of a server's address; variables are filled with their defaults. */
function pathOfServer(server: Json): string {
  const variables = (server.variables ?? {}) as Record<string, { default?: string }>;
  const url = String(server.url).replace(/\{(\w+)\}/g, (_, name: string) => variables[name]?.default ?? name);
  return new URL(url, 'http://host').pathname.replace(/\/+$/, '');
}

function readOperation(operation: Json, item: Json, schemas: Schemas): OperationDetail {
  const all = new Map<string, Parameter>();
  for (const raw of [...(item.parameters ?? []), ...(operation.parameters ?? [])]) {
    const parameter = schemas.resolve(raw) as Json;
    // What an operation says of a parameter counts more than what its path says.
    if (parameter.in !== 'cookie') all.set(`${parameter.in} ${parameter.name}`, readParameter(parameter));
  }
  const body = operation.requestBody && (schemas.resolve(operation.requestBody) as Json);
  const responses = Object.entries((operation.responses ?? {}) as Json).map(([status, raw]) => {
    const response = schemas.resolve(raw) as Json;
    return [status, { content: response.content as Content | undefined }] as const;
  });
  return {
    parameters: [...all.values()],
    body: body && { required: body.required === true, content: (body.content ?? {}) as Content },
    responses: Object.fromEntries(responses),
  };
}

const SEPARATORS: Record<string, string> = { form: ',', simple: ',', spaceDelimited: ' ', pipeDelimited: '|' };

function readParameter(parameter: Json): Parameter {
  const style: string = parameter.style ?? (parameter.in === 'query' ? 'form' : 'simple');
  const explode: boolean = parameter.explode ?? style === 'form';
  const schema = parameter.schema ?? (Object.values((parameter.content ?? {}) as Json)[0] as Json)?.schema ?? {};
  return {
    name: parameter.name,
    in: parameter.in,
    required: parameter.required === true && parameter.in !== 'path',
    schema,
    separator: explode && parameter.in === 'query' ? '' : (SEPARATORS[style] ?? ','),
    deep: style === 'deepObject' || (schema.type === 'object' && parameter.in === 'query'),
  };
}
