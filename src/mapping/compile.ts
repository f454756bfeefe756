import { createHash } from 'node:crypto';
import type { Row } from '../base/database.ts';
import type { FieldError } from '../base/errors.ts';
import {
  ENTITIES,
  ENTITY_KINDS,
  type EntityKind,
  entityDefinition,
  LONGEST_KEY,
  type Reference,
} from '../kit/index.ts';
import { type Coerce, coercion } from './coerce.ts';
import { type Compiler, type Env, isObject, type Read } from './compiler.ts';
import { compileCondition, compileDirective } from './directives.ts';
import { asPhone } from './phones.ts';
import { toReference } from './reference.ts';
import type { EntityMapping, MappingFile } from './schema.ts';
import { toBoolean, toInstant, ValueError } from './values.ts';
import { checkWords, nearest } from './words.ts';

/** A value that did not fit its field. Critical ones keep the record out; others only the field. */
export interface Issue {
  kind: EntityKind;
  field: string;
  message: string;
  critical: boolean;
}

/** What a mapping makes of one record. References still name streams, not their ids. */
export interface MappedEntity {
  kind: EntityKind;
  values: Row;
  references: Partial<Record<Reference, { stream: string; id: string } | { key: string }>>;
  custom: Row | undefined;
  createdAt: string | undefined;
  updatedAt: string | undefined;
  deleted: boolean;
}

export interface CompiledStream {
  kinds: EntityKind[];
  /** Fingerprint of what is mapped and how: a projection row says which one made it. */
  version: string;
  /** Paths read from the record. */
  paths: string[];
  lookups: string[];
  /** Words the mapping knows of a path, where another one would fit nowhere. */
  words: { path: string; known: Set<string> }[];
  /** @returns entities and the values that did not fit; a critical one means the record must be parked */
  run: (
    record: unknown,
    env: Env,
  ) => { entities: MappedEntity[]; issues: Issue[] } | Promise<{ entities: MappedEntity[]; issues: Issue[] }>;
}

export interface CompiledMapping {
  defaults: { country?: string | undefined; currency?: string | undefined };
  streams: Map<string, CompiledStream>;
}

/**
 * Compiles a mapping to closures.
 * @param streams names of the streams the connector has, to find misspelt ones; absent: any
 * @returns the compiled mapping, or every mistake with its path
 */
export function compileMapping(
  file: MappingFile,
  streams?: readonly string[],
): { mapping: CompiledMapping; errors: FieldError[] } {
  const errors: FieldError[] = [];
  const compiled = new Map<string, CompiledStream>();
  for (const [name, kinds] of Object.entries(file.streams)) {
    if (streams && !streams.includes(name))
      errors.push({
        path: `streams.${name}`,
        message: `is not a stream of this platform; there are ${streams.join(', ')}`,
      });
    compiled.set(name, compileStream(name, kinds, streams, errors, fingerprint([file.defaults ?? {}, kinds])));
  }
  return { mapping: { defaults: file.defaults ?? {}, streams: compiled }, errors };
}

/** The same for mappings that say the same, in whatever order. */
const fingerprint = (value: unknown): string =>
  createHash('sha256')
    .update(
      JSON.stringify(value, (_key, item) =>
        isObject(item) ? Object.fromEntries(Object.entries(item).sort(byKey)) : item,
      ),
    )
    .digest('hex')
    .slice(0, 12);

const byKey = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1);

function compileStream(
  name: string,
  kinds: Record<string, EntityMapping>,
  streams: readonly string[] | undefined,
  errors: FieldError[],
  version: string,
): CompiledStream {
  const compiler: Compiler = { errors, paths: new Set(), lookups: new Set(), expressions: [], words: new Map() };
  const entities: CompiledEntity[] = [];
  for (const [kind, mapping] of Object.entries(kinds)) {
    const where = `streams.${name}.${kind}`;
    if (!(kind in ENTITIES))
      errors.push({ path: where, message: `is not a canonical kind; there are ${ENTITY_KINDS.join(', ')}` });
    else entities.push(compileEntity(kind as EntityKind, mapping, where, streams, compiler));
  }
  for (const stream of compiler.lookups) {
    if (streams && !streams.includes(stream))
      errors.push({ path: `streams.${name}`, message: `looks up "${stream}", which is not a stream of this platform` });
  }
  const run = (record: unknown, env: Env): { entities: MappedEntity[]; issues: Issue[] } => {
    const issues: Issue[] = [];
    const mapped: MappedEntity[] = [];
    for (const entity of entities) {
      const made = entity(record, env, issues);
      if (made) mapped.push(made);
    }
    return { entities: mapped, issues };
  };
  const base = {
    kinds: Object.keys(kinds) as EntityKind[],
    paths: [...compiler.paths],
    lookups: [...compiler.lookups],
    words: [...compiler.words].map(([path, known]) => ({ path, known })),
    version,
  };
  if (compiler.expressions.length === 0) return { ...base, run };
  return {
    ...base,
    run: async (record, env) => {
      const expressions: unknown[] = [];
      for (const expression of compiler.expressions) expressions.push(await evaluate(expression, record));
      return run(record, { ...env, expressions });
    },
  };
}

async function evaluate(expression: { evaluate(input: unknown): Promise<unknown> }, record: unknown): Promise<unknown> {
  try {
    return (await expression.evaluate(record)) ?? null;
  } catch (error) {
    // A failing expression is a value that does not fit, told where it is used.
    return new ValueError(`the expression failed: ${(error as { message?: string }).message ?? 'unknown reason'}`);
  }
}

type CompiledEntity = (record: unknown, env: Env, issues: Issue[]) => MappedEntity | undefined;

function compileEntity(
  kind: EntityKind,
  mapping: EntityMapping,
  where: string,
  streams: readonly string[] | undefined,
  compiler: Compiler,
): CompiledEntity {
  const definition = entityDefinition(kind);
  const test =
    mapping.when === undefined || mapping.when === null
      ? undefined
      : compileCondition(mapping.when, `${where}.when`, compiler);
  const fields: { name: string; critical: boolean; read: Read; coerce: Coerce }[] = [];
  // It may be compiled after the phone number that needs it.
  let ofCountry: Read = () => null;
  const country: Read | undefined = mapping.fields?.country ? (record, env) => ofCountry(record, env) : undefined;
  for (const [name, directive] of Object.entries(mapping.fields ?? {})) {
    const field = definition.fields[name];
    if (!field) {
      compiler.errors.push({
        path: `${where}.fields.${name}`,
        message: `${kind} has no field "${name}"${nearest(name, Object.keys(definition.fields))}`,
      });
      continue;
    }
    checkWords(directive, field, `${where}.fields.${name}`, compiler);
    const around: Compiler = { ...compiler, target: field.type, ...(country ? { country } : {}) };
    const own = compileDirective(directive, `${where}.fields.${name}`, around);
    const read = field.phone ? asPhone(own, country) : own;
    if (name === 'country') ofCountry = read;
    fields.push({ name, critical: field.critical === true, read, coerce: coercion(field) });
  }
  for (const name of definition.required) {
    if (!(name in (mapping.fields ?? {})))
      compiler.errors.push({ path: `${where}.fields.${name}`, message: `is required for ${kind}` });
  }
  const references = Object.entries(mapping.references ?? {})
    .filter(([, reference]) => reference !== null)
    .map(([name, reference]) => ({
      name,
      read: toReference(kind, name, reference!, `${where}.references.${name}`, streams, compiler),
    }));
  const custom = Object.entries(mapping.custom ?? {}).map(([name, directive]) => ({
    name,
    read: compileDirective(directive, `${where}.custom.${name}`, compiler),
  }));
  const optional = (directive: unknown, name: string): Read | undefined =>
    directive === undefined ? undefined : compileDirective(directive, `${where}.${name}`, compiler);
  const created = optional(mapping.created_at, 'created_at');
  const updated = optional(mapping.updated_at, 'updated_at');
  const deleted = optional(mapping.deleted, 'deleted');

  const note = (issues: Issue[], field: string, critical: boolean, error: unknown): null => {
    if (!(error instanceof ValueError)) throw error;
    issues.push({ kind, field, message: error.message, critical });
    return null;
  };
  /** Reads what is not a canonical field, where there is a directive for it. */
  const extra = <T>(
    name: string,
    read: Read | undefined,
    convert: (value: unknown, env: Env) => T,
  ): ((record: unknown, env: Env, issues: Issue[]) => T | null) => {
    if (!read) return () => null;
    return (record, env, issues) => {
      try {
        return convert(read(record, env), env);
      } catch (error) {
        return note(issues, name, false, error);
      }
    };
  };
  const asIs = (value: unknown): unknown => value;
  const createdAt = extra('created_at', created, (value, env) => toInstant(value, env.zone));
  const updatedAt = extra('updated_at', updated, (value, env) => toInstant(value, env.zone));
  const isDeleted = extra('deleted', deleted, toBoolean);
  const links = references.map(({ name, read }) => ({ name: name as Reference, read: extra(name, read, shortId) }));
  const members = custom.map(({ name, read }) => ({ name, read: extra(`custom.${name}`, read, asIs) }));

  return (record, env, issues) => {
    if (test && !test(record, env)) return undefined;
    const values: Row = {};
    // The loop every record of every platform goes through: nothing is made anew in it.
    for (const field of fields) {
      try {
        values[field.name] = field.coerce(field.read(record, env), env);
      } catch (error) {
        values[field.name] = note(issues, field.name, field.critical, error);
      }
    }
    for (const name of definition.required) {
      if (values[name] === null && !issues.some((issue) => issue.kind === kind && issue.field === name)) {
        issues.push({ kind, field: name, message: 'is required and has no value', critical: true });
      }
    }
    const found: MappedEntity['references'] = {};
    for (const { name, read } of links) {
      const reference = read(record, env, issues);
      if (reference) found[name] = reference as NonNullable<(typeof found)[typeof name]>;
    }
    let own: Row | undefined;
    for (const { name, read } of members) {
      const value = read(record, env, issues);
      if (value === null || value === undefined) continue;
      own ??= {};
      own[name] = value;
    }
    return {
      kind,
      values,
      references: found,
      custom: own,
      createdAt: createdAt(record, env, issues) ?? undefined,
      updatedAt: updatedAt(record, env, issues) ?? undefined,
      deleted: isDeleted(record, env, issues) ?? false,
    };
  };
}

/** What a record points at is looked up by its id, which an index has to hold. */
function shortId(target: unknown): unknown {
  const id = (target as { id?: unknown } | null)?.id;
  if (typeof id === 'string' && id.length > LONGEST_KEY)
    throw new ValueError(`points at an id of ${id.length} characters; at most ${LONGEST_KEY} can be kept`);
  return target;
}
