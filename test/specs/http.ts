import { fromText, listFromText, membersOf } from './members.ts';
import { parseMultipart } from './multipart.ts';
import type { Schema } from './normalise.ts';
import type { Schemas } from './schemas.ts';
import { type Call, type Finding, isRecord, type Operation, type Spec } from './spec.ts';

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  schema: Schema;
  /** What parts the values of a list in one text; empty: each value is a parameter of its own. */
  separator: string;
  /** An object whose members are parameters, written `name[member]`. */
  deep?: boolean;
}

/** What is sent or answered: a schema by media type. No schema: not described further. */
export type Content = Record<string, { schema?: Schema | undefined }>;

/** An operation of any description of HTTP calls, read when it is first met. */
export interface HttpOperation {
  method: string;
  /** Path from the host's root, with `{name}` where a value stands. */
  template: string;
  read(): OperationDetail;
}

export interface OperationDetail {
  parameters: Parameter[];
  body?: { required: boolean; content: Content } | undefined;
  /** By status (`200`, `2XX`, `default`). */
  responses: Record<string, { content?: Content | undefined }>;
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The template as a pattern: `{name}` is one step of the path, `{+name}` any number of them. */
function patternOf(template: string): RegExp {
  const parts = template.split(/(\{[^}]*\})/).map((part) => {
    const name = /^\{(\+?)(.*)\}$/.exec(part);
    return name ? (name[1] ? '(.+)' : '([^/]+?)') : escaped(part);
  });
  return new RegExp(`^${parts.join('')}/?$`);
}

const namesIn = (template: string): string[] => [...template.matchAll(/\{\+?([^}]*)\}/g)].map((match) => match[1]!);

/** How much of a template is literal: of several that fit, the most literal one is meant. */
const weight = (template: string): number => template.replace(/\{[^}]*\}/g, '').length * 100 - namesIn(template).length;

/** A description of HTTP calls, whatever it was written in. */
export function httpSpec(name: string, operations: readonly HttpOperation[], schemas: Schemas): Spec {
  const known = operations
    .map((operation) => ({
      operation,
      pattern: patternOf(operation.template),
      detail: undefined as Operation | undefined,
    }))
    .sort((one, other) => weight(other.operation.template) - weight(one.operation.template));
  return {
    name,
    find(call) {
      const found = known.find(
        ({ operation, pattern }) => operation.method === call.method.toUpperCase() && pattern.test(call.path),
      );
      if (!found) return undefined;
      found.detail ??= operationOf(found.operation, found.pattern, schemas);
      return found.detail;
    },
  };
}

function operationOf({ method, template, read }: HttpOperation, pattern: RegExp, schemas: Schemas): Operation {
  const detail = read();
  return {
    name: `${method} ${template}`,
    request: (call) => [
      ...checkPath(call, detail, template, pattern, schemas),
      ...checkQuery(call, detail, schemas),
      ...checkHeaders(call, detail, schemas),
      ...checkBody(call, detail, schemas),
    ],
    response: (call) => checkResponse(call, detail, schemas),
  };
}

const parametersIn = (detail: OperationDetail, where: Parameter['in']): Parameter[] =>
  detail.parameters.filter((parameter) => parameter.in === where);

function checkPath(call: Call, detail: OperationDetail, template: string, pattern: RegExp, schemas: Schemas) {
  const values = pattern.exec(call.path)?.slice(1) ?? [];
  const names = namesIn(template);
  return parametersIn(detail, 'path').flatMap(({ name, schema, separator }) => {
    const text = values[names.indexOf(name)];
    if (text === undefined) return [];
    const value = listFromText(schema, decodeURIComponent(text), separator || ',', schemas.resolve);
    return schemas.check(schema, value, 'request', `request.path.${name}`);
  });
}

function checkQuery(call: Call, detail: OperationDetail, schemas: Schemas): Finding[] {
  const described = parametersIn(detail, 'query');
  const taken = new Set<string>();
  const findings = described.flatMap((parameter): Finding[] => {
    const { name, schema, separator, required } = parameter;
    const at = `request.query.${name}`;
    const deep = parameter.deep ? Object.keys(call.query).filter((key) => key.startsWith(`${name}[`)) : [];
    if (deep.length > 0) {
      for (const key of deep) taken.add(key);
      const value = Object.fromEntries(deep.map((key) => [key.slice(name.length + 1, -1), call.query[key]]));
      return schemas.check(schema, textMembers(schema, value, schemas), 'request', at);
    }
    const key = [name, `${name}[]`].find((one) => call.query[one] !== undefined);
    if (key === undefined) return required ? [{ at, says: 'is missing' }] : [];
    taken.add(key);
    return schemas.check(schema, listFromText(schema, call.query[key], separator, schemas.resolve), 'request', at);
  });
  const foreign = Object.keys(call.query).filter((key) => !taken.has(key));
  return [...findings, ...foreign.map((key) => ({ at: `request.query.${key}`, says: 'is not described' }))];
}

/** Headers that are no parameters of an operation, whatever a description says of them. */
const GENERAL = new Set(['accept', 'content-type', 'authorization', 'content-length', 'user-agent', 'host']);

function checkHeaders(call: Call, detail: OperationDetail, schemas: Schemas): Finding[] {
  return parametersIn(detail, 'header').flatMap(({ name, schema, separator, required }): Finding[] => {
    const key = name.toLowerCase();
    if (GENERAL.has(key)) return [];
    const at = `request.headers.${key}`;
    const text = call.headers[key];
    if (text === undefined) return required ? [{ at, says: 'is missing' }] : [];
    return schemas.check(schema, listFromText(schema, text, separator || ',', schemas.resolve), 'request', at);
  });
}

/** The entry of a content map for a media type, wildcards included. */
function forType(content: Content, type: string): Content[string] | undefined {
  const bare = (text: string): string => text.split(';')[0]!.trim().toLowerCase();
  const group = `${bare(type).split('/')[0]}/*`;
  return Object.entries(content).find(([key]) => [bare(type), group, '*/*'].includes(bare(key)))?.[1];
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null || value === '';

function checkBody(call: Call, detail: OperationDetail, schemas: Schemas): Finding[] {
  const at = 'request.body';
  if (isAbsent(call.body)) return detail.body?.required ? [{ at, says: 'is missing' }] : [];
  if (!detail.body) return [{ at, says: 'is not described' }];
  const type = call.headers['content-type'] ?? '';
  const described = forType(detail.body.content, type);
  if (!described) {
    const says = `must be one of ${Object.keys(detail.body.content).join(', ')}`;
    return [{ at: 'request.headers.content-type', says, value: type }];
  }
  const { schema } = described;
  if (schema === undefined) return [];
  return schemas.check(schema, bodyValue(schema, call.body, type, schemas), 'request', at);
}

function bodyValue(schema: Schema, body: unknown, type: string, schemas: Schemas): unknown {
  if (type.includes('multipart/form-data') && typeof body === 'string')
    return textMembers(schema, parseMultipart(body, type), schemas);
  return type.includes('x-www-form-urlencoded') && isRecord(body) ? textMembers(schema, body, schemas) : body;
}

/** A form's members, each as the value its schema means. */
function textMembers(schema: Schema, form: Record<string, unknown>, schemas: Schemas): Record<string, unknown> {
  const member = (name: string): Schema => ({ anyOf: membersOf([schema], name, schemas.resolve) });
  return Object.fromEntries(
    Object.entries(form).map(([name, value]) => [
      name,
      Array.isArray(value)
        ? fromText(member(name), value, schemas.resolve)
        : listFromText(member(name), value, '', schemas.resolve),
    ]),
  );
}

function checkResponse(call: Call, detail: OperationDetail, schemas: Schemas): Finding[] | undefined {
  const status = String(call.status);
  const described =
    detail.responses[status] ??
    detail.responses[`${status[0]}XX`] ??
    detail.responses[`${status[0]}xx`] ??
    detail.responses.default;
  if (!described) {
    // Failures are rarely described. A success that is not is one the vendor never gives.
    if (call.status >= 300) return undefined;
    const says = `must be one of ${Object.keys(detail.responses).join(', ')}`;
    return [{ at: 'response.status', says, value: status }];
  }
  const content = described.content ?? {};
  if (isAbsent(call.reply)) {
    const wanted = Object.values(content).some(({ schema }) => schema !== undefined);
    return wanted && call.status < 300 && call.status !== 204 ? [{ at: 'response.body', says: 'is missing' }] : [];
  }
  if (typeof call.reply === 'string') {
    const text = Object.entries(content).find(([type]) => /text|xml|html|octet|\*\/\*|pdf/.test(type));
    if (text) return [];
  }
  const json = Object.entries(content).find(([type]) => /json|\*\/\*/.test(type))?.[1];
  if (!json?.schema) return status === '204' ? [{ at: 'response.body', says: 'is not described' }] : undefined;
  return schemas.check(json.schema, call.reply, 'response', 'response.body');
}
