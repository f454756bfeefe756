import type { Schema } from '../normalise.ts';
import { Schemas } from '../schemas.ts';
import { type Call, type Finding, isRecord, type Operation, type Spec } from '../spec.ts';
import { GraphQLCheck } from './graphql.check.ts';
import { type GraphQLSchema, readRequests, readSchema } from './graphql.documents.ts';
import {
  type Definition,
  type Fragment,
  named,
  type Request,
  type Selection,
  type TypeRef,
} from './graphql.language.ts';

/** Reads a GraphQL schema. A call is one whose body has a `query`; what it asks is compared, and the shape of the answer. */
export function graphQL(name: string, source: string): Spec {
  const schema = readSchema(source);
  const inputs = new Schemas({ inputs: inputSchemas(schema) });
  const known = new Map<string, Operation>();
  return {
    name,
    find(call) {
      const query = isRecord(call.body) ? call.body.query : undefined;
      if (call.method !== 'POST' || typeof query !== 'string') return undefined;
      const chosen = String((call.body as Record<string, unknown>).operationName ?? '');
      const key = `${chosen} ${query}`;
      const operation = known.get(key) ?? operationOf(schema, inputs, query, chosen);
      known.set(key, operation);
      return operation;
    },
  };
}

const wrong = (says: string): Operation => ({
  name: 'graphql',
  request: () => [{ at: 'request.body.query', says }],
  response: () => undefined,
});

function operationOf(schema: GraphQLSchema, inputs: Schemas, query: string, chosen: string): Operation {
  let document: ReturnType<typeof readRequests>;
  try {
    document = readRequests(query);
  } catch (error) {
    return wrong((error as Error).message);
  }
  const { requests, fragments } = document;
  const request = requests.length === 1 && chosen === '' ? requests[0] : requests.find(({ name }) => name === chosen);
  if (!request) return wrong(`has no operation named "${chosen}"`);
  const root = schema.types.get(schema.roots[request.kind]);
  if (!root) return wrong(`there is no ${request.kind}`);
  const asked = new GraphQLCheck(schema, request, fragments);
  const at = 'request.body.query';
  asked.selections(root, request.selections, at);
  const findings = [...asked.findings, ...asked.unused(at)];
  const answers = new Schemas({ answer: answerOf(schema, root, request.selections, fragments) });
  const top = request.selections.map((one) => (one.kind === 'field' ? one.name : '...'));
  return {
    name: `${request.kind} ${top.join(', ')}`,
    request: (call) => [...findings, ...checkVariables(request, inputs, call)],
    response: (call) => checkAnswer(answers, call),
  };
}

const SCALARS: Record<string, Schema> = {
  Int: { type: 'integer' },
  Float: { type: 'number' },
  String: { type: 'string' },
  Boolean: { type: 'boolean' },
};

/** A type as a JSON schema: null is allowed wherever it is not ruled out. */
function schemaOf(type: TypeRef, leaf: (name: string) => Schema): Schema {
  const bare = type.kind === 'required' ? type.of : type;
  const value = bare.kind === 'list' ? { type: 'array', items: schemaOf(bare.of, leaf) } : leaf(named(bare));
  return type.kind === 'required' ? value : { allOf: [value], nullable: true };
}

/** What may be given for variables, by type. A list may be given as its only item. */
function inputSchemas(schema: GraphQLSchema): Record<string, Schema> {
  const leaf = (name: string): Schema => {
    const type = schema.types.get(name);
    if (name === 'ID') return { type: ['string', 'integer'] };
    return SCALARS[name] ?? (type && type.kind !== 'scalar' ? { $ref: `#/inputs/${name}` } : {});
  };
  const of = (type: TypeRef): Schema => orOne(schemaOf(type, leaf), type, leaf);
  const inputs = [...schema.types.values()].filter(({ kind }) => kind === 'input' || kind === 'enum');
  return Object.fromEntries(
    inputs.map((type): [string, Schema] => {
      if (type.kind === 'enum') return [type.name, { type: 'string', enum: [...type.names] }];
      const fields = [...type.fields];
      const isNeeded = ([, field]: (typeof fields)[number]): boolean => field.type.kind === 'required';
      return [
        type.name,
        {
          type: 'object',
          properties: Object.fromEntries(fields.map(([field, { type: one }]) => [field, of(one)])),
          additionalProperties: false,
          required: fields.filter(isNeeded).map(([field]) => field),
          ...(type.oneOf ? { minProperties: 1, maxProperties: 1 } : {}),
        },
      ];
    }),
  );
}

function orOne(schema: Schema, type: TypeRef, leaf: (name: string) => Schema): Schema {
  const bare = type.kind === 'required' ? type.of : type;
  return bare.kind === 'list' ? { anyOf: [schema, schemaOf(bare.of, leaf)] } : schema;
}

function checkVariables(request: Request, inputs: Schemas, call: Call): Finding[] {
  const given = ((call.body as Record<string, unknown>).variables ?? {}) as Record<string, unknown>;
  const at = 'request.body.variables';
  const foreign = Object.keys(given).filter((name) => !request.variables.has(name));
  const findings = foreign.map((name): Finding => ({ at: `${at}.${name}`, says: 'is not described' }));
  for (const [name, { type, default: value }] of request.variables) {
    if (given[name] === undefined) {
      if (type.kind === 'required' && !value) findings.push({ at: `${at}.${name}`, says: 'is missing' });
      continue;
    }
    const leaf = (of: string): Schema =>
      of === 'ID' ? { type: ['string', 'integer'] } : (SCALARS[of] ?? refTo(inputs, of));
    findings.push(...inputs.check(orOne(schemaOf(type, leaf), type, leaf), given[name], 'request', `${at}.${name}`));
  }
  return findings;
}

function refTo(inputs: Schemas, name: string): Schema {
  try {
    inputs.at(`#/inputs/${name}`);
    return { $ref: `#/inputs/${name}` };
  } catch {
    // A scalar of the vendor's own: any value.
    return {};
  }
}

/** The shape of an answer to a selection. */
function answerOf(
  schema: GraphQLSchema,
  type: Definition,
  selections: readonly Selection[],
  fragments: Map<string, Fragment>,
): Schema {
  const properties: Record<string, Schema> = {};
  const required = new Set<string>();
  const add = (holder: Definition, list: readonly Selection[], certain: boolean): void => {
    for (const one of list) {
      const isCertain = certain && one.conditions.length === 0;
      if (one.kind === 'field') {
        const field = holder.fields.get(one.name);
        if (one.name === '__typename') properties[one.key] = { type: 'string' };
        if (one.name === '__typename' || field) if (isCertain) required.add(one.key);
        if (!field) continue;
        const inner = schema.types.get(named(field.type));
        const made = schemaOf(field.type, (name) => leafAnswer(schema, name, inner, one.selections, fragments));
        const before = properties[one.key];
        // The same key asked for twice, in two fragments: either.
        properties[one.key] = before === undefined ? made : { anyOf: [before, made] };
      } else {
        const fragment = one.kind === 'spread' ? fragments.get(one.fragment) : one;
        const on = fragment?.on === undefined ? holder : schema.types.get(fragment.on);
        if (fragment && on) add(on, fragment.selections, isCertain && on === holder);
      }
    }
  };
  add(type, selections, true);
  return { type: 'object', properties, required: [...required], additionalProperties: false };
}

function leafAnswer(
  schema: GraphQLSchema,
  name: string,
  type: Definition | undefined,
  selections: readonly Selection[] | undefined,
  fragments: Map<string, Fragment>,
): Schema {
  if (name === 'ID') return { type: 'string' };
  if (SCALARS[name]) return SCALARS[name];
  if (type?.kind === 'enum') return { type: 'string', enum: [...type.names] };
  if (!type || type.kind === 'scalar') return {};
  return answerOf(schema, type, selections ?? [], fragments);
}

function checkAnswer(answers: Schemas, call: Call): Finding[] | undefined {
  if (call.status >= 300 || !isRecord(call.reply)) return undefined;
  const at = 'response.body';
  const { data, errors, extensions, ...rest } = call.reply;
  const findings: Finding[] = Object.keys(rest).map((name) => ({ at: `${at}.${name}`, says: 'is not described' }));
  if (extensions !== undefined && !isRecord(extensions))
    findings.push({ at: `${at}.extensions`, says: 'must be object' });
  if (errors !== undefined) {
    // Where something failed, null may stand in its place, at any height.
    if (!Array.isArray(errors) || !errors.every((error) => typeof error?.message === 'string'))
      findings.push({ at: `${at}.errors`, says: 'must be a list of errors with a message' });
    return findings;
  }
  if (data === undefined) return [...findings, { at: `${at}.data`, says: 'is missing' }];
  return [...findings, ...answers.check({ $ref: '#/answer' }, data, 'response', `${at}.data`)];
}
