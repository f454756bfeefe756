import type { Schema } from '../normalise.ts';
import { Schemas } from '../schemas.ts';
import { type Call, type Finding, isRecord, type Operation, type Spec } from '../spec.ts';
import { childrenOf, type Element, parseXml } from './xml.ts';

interface Shape {
  type:
    | 'structure'
    | 'list'
    | 'map'
    | 'string'
    | 'integer'
    | 'long'
    | 'boolean'
    | 'timestamp'
    | 'blob'
    | 'float'
    | 'double';
  members?: Record<string, { shape: string; locationName?: string }>;
  member?: { shape: string; locationName?: string };
  key?: { shape: string; locationName?: string };
  value?: { shape: string; locationName?: string };
  required?: string[];
  enum?: string[];
  min?: number;
  max?: number;
  pattern?: string;
  flattened?: boolean;
  error?: { code?: string; httpStatusCode?: number };
}

interface Model {
  metadata: { apiVersion: string; protocol: string };
  operations: Record<
    string,
    {
      name: string;
      http: { method: string; requestUri: string };
      input?: { shape: string };
      output?: { shape: string; resultWrapper?: string };
      errors?: { shape: string }[];
    }
  >;
  shapes: Record<string, Shape>;
}

/** Reads a service model of AWS that speaks the query protocol: a form with `Action`, answered in XML. */
export function awsQuery(name: string, model: Model): Spec {
  if (model.metadata.protocol !== 'query') throw new Error(`${name} speaks ${model.metadata.protocol}, not query.`);
  const schemas = new Schemas({
    shapes: Object.fromEntries(Object.entries(model.shapes).map(([shape, one]) => [shape, schemaOf(one)])),
  });
  const operations = new Map<string, Operation>();
  return {
    name,
    find(call) {
      const form = { ...call.query, ...(isRecord(call.body) ? call.body : {}) } as Record<string, string>;
      const described = model.operations[form.Action ?? ''];
      if (!described || described.http.requestUri !== call.path) return undefined;
      const known = operations.get(described.name);
      if (known) return known;
      const operation: Operation = {
        name: `${described.http.method} ${described.name}`,
        request: (met) => checkRequest(met, model, described, schemas),
        response: (met) => checkResponse(met, model, described, schemas),
      };
      operations.set(described.name, operation);
      return operation;
    },
  };
}

function schemaOf(shape: Shape): Schema {
  const ref = (member: { shape: string }): Schema => ({ $ref: `#/shapes/${member.shape}` });
  switch (shape.type) {
    case 'structure':
      return {
        type: 'object',
        properties: Object.fromEntries(Object.entries(shape.members ?? {}).map(([name, one]) => [name, ref(one)])),
        additionalProperties: false,
        required: shape.required ?? [],
      };
    case 'list':
      return { type: 'array', items: ref(shape.member!), minItems: shape.min, maxItems: shape.max };
    case 'map':
      return { type: 'object', additionalProperties: ref(shape.value!) };
    case 'integer':
    case 'long':
      return { type: 'integer', minimum: shape.min, maximum: shape.max };
    case 'boolean':
    case 'float':
    case 'double':
      return { type: shape.type === 'boolean' ? 'boolean' : 'number' };
    default:
      return {
        type: 'string',
        enum: shape.enum,
        minLength: shape.min,
        maxLength: shape.max,
        ...(shape.pattern ? { pattern: `^(?:${shape.pattern})$` } : {}),
      };
  }
}

const fromText = (shape: Shape, text: string): unknown => {
  if (['integer', 'long', 'float', 'double'].includes(shape.type)) return text === '' ? text : Number(text);
  return shape.type === 'boolean' && /^(true|false)$/.test(text) ? text === 'true' : text;
};

/** `Attributes.entry.1.key=a` and the like, taken together as the value they mean. */
function fromForm(model: Model, shapeName: string, form: Record<string, string>, prefix: string): unknown {
  const shape = model.shapes[shapeName]!;
  const below = Object.keys(form).filter((key) => key === prefix || key.startsWith(`${prefix}.`));
  if (below.length === 0) return undefined;
  const numbers = (list: string): number[] => {
    const found = below.map((key) => Number(key.slice(list.length + 1).split('.')[0]));
    return [...new Set(found.filter((number) => number > 0))].sort((one, other) => one - other);
  };
  if (shape.type === 'structure') return structureFromForm(model, shape, form, `${prefix}.`);
  if (shape.type === 'list') {
    const list = shape.flattened ? prefix : `${prefix}.${shape.member!.locationName ?? 'member'}`;
    return numbers(list).map((number) => fromForm(model, shape.member!.shape, form, `${list}.${number}`));
  }
  if (shape.type === 'map') {
    const list = shape.flattened ? prefix : `${prefix}.entry`;
    const pairs = numbers(list).map((number) => [
      String(fromForm(model, shape.key!.shape, form, `${list}.${number}.${shape.key!.locationName ?? 'key'}`)),
      fromForm(model, shape.value!.shape, form, `${list}.${number}.${shape.value!.locationName ?? 'value'}`),
    ]);
    return Object.fromEntries(pairs);
  }
  return fromText(shape, form[prefix] ?? '');
}

function structureFromForm(model: Model, shape: Shape, form: Record<string, string>, prefix: string): unknown {
  const value: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(shape.members ?? {})) {
    const found = fromForm(model, member.shape, form, `${prefix}${member.locationName ?? name}`);
    if (found !== undefined) value[name] = found;
  }
  return value;
}

/** Parameters of the protocol and of old signatures, beside those of the operation. */
const GENERAL = /^(Action|Version|AWSAccessKeyId|Signature|SignatureMethod|SignatureVersion|Timestamp|X-Amz-.*)$/;

function checkRequest(call: Call, model: Model, described: Model['operations'][string], schemas: Schemas): Finding[] {
  const form = { ...call.query, ...(isRecord(call.body) ? call.body : {}) } as Record<string, string>;
  const findings: Finding[] = [];
  if (call.method !== described.http.method && call.method !== 'GET')
    findings.push({ at: 'request.method', says: `must be ${described.http.method}`, value: call.method });
  if (form.Version !== model.metadata.apiVersion)
    findings.push({
      at: 'request.body.Version',
      says: `must be ${model.metadata.apiVersion}`,
      value: form.Version ?? '',
    });
  const shape = model.shapes[described.input?.shape ?? ''];
  const names = Object.entries(shape?.members ?? {}).map(([name, member]) => member.locationName ?? name);
  for (const key of Object.keys(form))
    if (!GENERAL.test(key) && !names.includes(key.split('.')[0]!))
      findings.push({ at: `request.body.${key}`, says: 'is not described' });
  if (!shape) return findings;
  const value = structureFromForm(model, shape, form, '');
  return [
    ...findings,
    ...schemas.check({ $ref: `#/shapes/${described.input!.shape}` }, value, 'request', 'request.body'),
  ];
}

/** An XML element as the value its shape means; members the shape does not have are kept, to be found. */
function fromXml(model: Model, shapeName: string, element: Element): unknown {
  const shape = model.shapes[shapeName]!;
  if (shape.type === 'structure') {
    const byName = new Map(Object.entries(shape.members ?? {}).map(([name, one]) => [one.locationName ?? name, one]));
    return Object.fromEntries(
      element.children.map((child) => {
        const member = byName.get(child.local);
        return [child.local, member ? fromXml(model, member.shape, child) : child.text];
      }),
    );
  }
  if (shape.type === 'list') {
    const items = childrenOf(element, shape.member!.locationName ?? 'member');
    return items.length < element.children.length
      ? { [element.children.find((child) => !items.includes(child))!.local]: 'where a member should be' }
      : items.map((item) => fromXml(model, shape.member!.shape, item));
  }
  if (shape.type === 'map') {
    const text = (entry: Element, name: string): Element | undefined => childrenOf(entry, name)[0];
    return Object.fromEntries(
      childrenOf(element, 'entry').map((entry) => {
        const value = text(entry, shape.value!.locationName ?? 'value');
        const key = text(entry, shape.key!.locationName ?? 'key')?.text ?? '';
        return [key, value && fromXml(model, shape.value!.shape, value)];
      }),
    );
  }
  return fromText(shape, element.text);
}

function checkResponse(call: Call, model: Model, described: Model['operations'][string], schemas: Schemas): Finding[] {
  const at = 'response.body';
  let top: Element;
  try {
    top = parseXml(String(call.reply));
  } catch (error) {
    return [{ at, says: 'must be XML', value: (error as Error).message }];
  }
  if (call.status >= 300) return checkError(call, top, model, described);
  if (top.local !== `${described.name}Response`)
    return [{ at, says: `must be ${described.name}Response`, value: top.local }];
  const { output } = described;
  if (!output) return [];
  const wrapper = output.resultWrapper ? childrenOf(top, output.resultWrapper)[0] : top;
  if (!wrapper) return [{ at: `${at}.${output.resultWrapper}`, says: 'is missing' }];
  const value = fromXml(model, output.shape, wrapper);
  return schemas.check({ $ref: `#/shapes/${output.shape}` }, value, 'response', `${at}.${wrapper.local}`);
}

/** Failures any service can give, described in none of them. */
const COMMON = new Set([
  ...['Throttling', 'ServiceUnavailable', 'InternalFailure', 'InvalidClientTokenId', 'SignatureDoesNotMatch'],
  ...['ExpiredToken', 'AccessDenied', 'IncompleteSignature', 'MissingAuthenticationToken', 'OptInRequired'],
  ...['RequestExpired', 'ValidationError', 'InvalidAction', 'MissingAction', 'InvalidParameterCombination'],
]);

function checkError(call: Call, top: Element, model: Model, described: Model['operations'][string]): Finding[] {
  const [error] = childrenOf(top, 'Error');
  const at = 'response.body';
  if (top.local !== 'ErrorResponse' || !error)
    return [{ at, says: 'must be ErrorResponse with Error', value: top.local }];
  const code = childrenOf(error, 'Code')[0]?.text ?? '';
  const known = (described.errors ?? []).map(({ shape }) => ({ shape, error: model.shapes[shape]?.error }));
  const found = known.find((one) => (one.error?.code ?? one.shape) === code);
  if (!found) return COMMON.has(code) ? [] : [{ at: `${at}.Error.Code`, says: 'is not described', value: code }];
  const status = found.error?.httpStatusCode;
  return status === undefined || status === call.status
    ? []
    : [{ at: 'response.status', says: `must be ${status} for ${code}`, value: String(call.status) }];
}
