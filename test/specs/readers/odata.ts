import type { Schema } from '../normalise.ts';
import { Schemas } from '../schemas.ts';
import { type Call, type Finding, isRecord, type Operation, type Spec } from '../spec.ts';
import { type Callable, edmxSchemas, type Model, readEdmx, reference, valueSchema } from './edmx.ts';
import { resolvePath, type Target } from './odata.path.ts';
import { checkQuery, isLiteral } from './odata.query.ts';

/**
 * Reads the metadata of an OData service.
 * @param root where the service begins; absent: below the name of its namespace, as with SAP, or a version, as with Graph
 */
export function odata(name: string, source: string, root?: RegExp): Spec {
  const model = readEdmx(source);
  const schemas = new Schemas(edmxSchemas(model));
  const below =
    root ?? (model.version === 2 ? new RegExp(`^.*/${model.namespace}(;v=\\d+)?(?=/|$)`) : /^\/(v1\.0|beta)(?=\/|$)/);
  return {
    name,
    find(call) {
      if (!below.test(call.path)) return undefined;
      const target = resolvePath(model, decodeURIComponent(call.path.replace(below, '')));
      const method = call.headers['x-http-method'] ?? call.method;
      return target && operationOf(model, schemas, target, method.toUpperCase());
    },
  };
}

function operationOf(model: Model, schemas: Schemas, target: Target, method: string): Operation {
  return {
    name: `${method} ${target.template}`,
    request: (call) => [
      ...target.findings,
      ...checkMethod(target, method),
      ...(target.callable
        ? checkCallable(model, schemas, target.callable, call)
        : [...checkQuery(model, target.type, call.query), ...checkBody(schemas, target, method, call)]),
    ],
    response: (call) => checkAnswer(model, schemas, target, method, call),
  };
}

function checkMethod({ set, isList, isValue, callable, template }: Target, method: string): Finding[] {
  const at = 'request.method';
  const wrong = (says: string): Finding[] => [{ at, says, value: method }];
  if (callable) return method === callable.method ? [] : wrong(`must be ${callable.method}`);
  if (method === 'GET' || (method === 'HEAD' && template === '/')) return [];
  if (!set || isValue) return wrong('must be GET');
  const isDirect = !template.slice(1).includes('/');
  if (isList) {
    if (method !== 'POST') return wrong('must be GET or POST');
    return isDirect && !set.creatable ? wrong('cannot be created') : [];
  }
  if (method === 'DELETE') return isDirect && !set.deletable ? wrong('cannot be deleted') : [];
  if (!['PATCH', 'MERGE', 'PUT'].includes(method)) return wrong('must be GET, PATCH, MERGE, PUT or DELETE');
  return isDirect && !set.updatable ? wrong('cannot be changed') : [];
}

function checkBody(schemas: Schemas, { type }: Target, method: string, call: Call): Finding[] {
  const at = 'request.body';
  if (method === 'GET' || method === 'DELETE' || method === 'HEAD')
    return call.body === undefined || call.body === null ? [] : [{ at, says: 'is not described' }];
  if (!isRecord(call.body)) return [{ at, says: 'must be object' }];
  const body = isRecord(call.body.d) ? call.body.d : call.body;
  return schemas.check({ $ref: reference(method === 'POST' ? 'create' : 'update', type) }, body, 'request', at);
}

/** Parameters of an operation: in the address for functions, and in version 2 always; else in the body. */
function checkCallable(model: Model, schemas: Schemas, callable: Callable, call: Call): Finding[] {
  const inBody = model.version === 4 && callable.method === 'POST';
  const given = (inBody ? (call.body ?? {}) : call.query) as Record<string, unknown>;
  const place = inBody ? 'request.body' : 'request.query';
  const names = new Map(
    [...callable.parameters].map(([name, parameter]) => [name.toLowerCase(), { name, ...parameter }]),
  );
  const findings = Object.entries(given).flatMap(([name, value]): Finding[] => {
    const parameter = names.get(name.toLowerCase());
    if (!parameter)
      return !inBody && /^(\$|sap-)/.test(name) ? [] : [{ at: `${place}.${name}`, says: 'is not described' }];
    if (!inBody) {
      const fits = isLiteral(model, parameter.type, String(value));
      return fits ? [] : [{ at: `${place}.${name}`, says: `must be ${parameter.type}`, value: String(value) }];
    }
    const one = valueSchema(model, parameter.type, 'create');
    const schema: Schema = parameter.isList ? { type: 'array', items: one } : one;
    return schemas.check({ allOf: [schema], nullable: parameter.optional }, value, 'request', `${place}.${name}`);
  });
  const has = new Set(Object.keys(given).map((name) => name.toLowerCase()));
  const missing = [...names].filter(([name, { optional }]) => !optional && !has.has(name));
  return [...findings, ...missing.map(([, { name }]) => ({ at: `${place}.${name}`, says: 'is missing' }))];
}

function checkAnswer(
  model: Model,
  schemas: Schemas,
  target: Target,
  method: string,
  call: Call,
): Finding[] | undefined {
  const at = 'response.body';
  const isEmpty = call.reply === undefined || call.reply === null || call.reply === '';
  if (call.status >= 300 || target.isValue || target.type === '') return undefined;
  if (isEmpty) return method === 'GET' ? [{ at, says: 'is missing' }] : [];
  if (!isRecord(call.reply)) return [{ at, says: 'must be object' }];
  const one = valueSchema(model, target.type, 'answer');
  const list = target.isList && method !== 'POST' ? true : target.isList && target.callable !== undefined;
  return schemas.check(
    model.version === 2 ? wrapped2(one, list, target) : wrapped4(one, list),
    call.reply,
    'response',
    at,
  );
}

/** Version 2 puts everything into `d`, a list into `results`, and the result of an operation under its name. */
function wrapped2(one: Schema, isList: boolean, { callable }: Target): Schema {
  const list = {
    type: 'object',
    properties: { results: { type: 'array', items: one }, __count: { type: 'string' }, __next: { type: 'string' } },
    required: ['results'],
    additionalProperties: false,
  };
  const named = callable
    ? { anyOf: [{ type: 'object', properties: { [callable.name]: one }, required: [callable.name] }, one] }
    : one;
  return { type: 'object', properties: { d: isList ? list : named }, required: ['d'], additionalProperties: false };
}

function wrapped4(one: Schema, isList: boolean): Schema {
  const notes = { '^@': {} };
  if (!isList) return { allOf: [one, { type: 'object', patternProperties: notes }] };
  const value = {
    type: 'array',
    items: { anyOf: [one, { type: 'object', required: ['@removed'], patternProperties: notes }] },
  };
  return {
    type: 'object',
    properties: { value },
    required: ['value'],
    patternProperties: notes,
    additionalProperties: false,
  };
}
