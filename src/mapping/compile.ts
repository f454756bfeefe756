import { createHash } from 'node:crypto';
import type { Row } from '../base/database.ts';
import type { FieldError } from '../base/errors.ts';
import { ENTITIES, ENTITY_KINDS, type EntityKind, entityDefinition, type Field, type Reference } from '../kit/index.ts';
import type { Compiler, Env, Read } from './compiler.ts';
import { compileCondition, compileDirective } from './directives.ts';
import { toReference } from './reference.ts';
import type { EntityMapping, MappingFile } from './schema.ts';
import { toBoolean, toDate, toDecimal, toInstant, toList, toText, ValueError } from './values.ts';

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
  /** Paths read from the record. */
  paths: string[];
  lookups: string[];
  /** @returns entities and the values that did not fit; a critical one means the record must be parked */
  run: (
    record: unknown,
    env: Env,
  ) => { entities: MappedEntity[]; issues: Issue[] } | Promise<{ entities: MappedEntity[]; issues: Issue[] }>;
}

export interface CompiledMapping {
  /** Fingerprint of the mapping: a projection row says which one made it. */
  version: string;
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
    compiled.set(name, compileStream(name, kinds, streams, errors));
  }
  const version = createHash('sha256').update(JSON.stringify(file)).digest('hex').slice(0, 12);
  return { mapping: { version, defaults: file.defaults ?? {}, streams: compiled }, errors };
}

function compileStream(
  name: string,
  kinds: Record<string, EntityMapping>,
  streams: readonly string[] | undefined,
  errors: FieldError[],
): CompiledStream {
  const compiler: Compiler = { errors, paths: new Set(), lookups: new Set(), expressions: [] };
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
    const mapped = entities.map((entity) => entity(record, env, issues)).filter((entity) => entity !== undefined);
    return { entities: mapped, issues };
  };
  const base = {
    kinds: Object.keys(kinds) as EntityKind[],
    paths: [...compiler.paths],
    lookups: [...compiler.lookups],
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

async function evaluate(
  expression: { evaluate: (input: unknown) => Promise<unknown> },
  record: unknown,
): Promise<unknown> {
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
  const fields: { name: string; field: Field; read: Read }[] = [];
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
    fields.push({ name, field, read: compileDirective(directive, `${where}.fields.${name}`, compiler) });
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

  return (record, env, issues) => {
    if (test && !test(record, env)) return undefined;
    const note = (field: string, critical: boolean, error: unknown): void => {
      if (!(error instanceof ValueError)) throw error;
      issues.push({ kind, field, message: error.message, critical });
    };
    const attempt = <T>(name: string, critical: boolean, work: () => T): T | null => {
      try {
        return work();
      } catch (error) {
        note(name, critical, error);
        return null;
      }
    };
    const values: Row = {};
    for (const { name, field, read } of fields)
      values[name] = attempt(name, field.critical === true, () => coerce(read(record, env), field, env));
    for (const name of definition.required) {
      if (values[name] === null && !issues.some((issue) => issue.kind === kind && issue.field === name)) {
        issues.push({ kind, field: name, message: 'is required and has no value', critical: true });
      }
    }
    const found: MappedEntity['references'] = {};
    for (const { name, read } of references) {
      const reference = attempt(name, false, () => read(record, env));
      if (reference) found[name as Reference] = reference;
    }
    const extra: Row = {};
    for (const { name, read } of custom) {
      const value = attempt(`custom.${name}`, false, () => read(record, env));
      if (value !== null && value !== undefined) extra[name] = value;
    }
    return {
      kind,
      values,
      references: found,
      custom: Object.keys(extra).length > 0 ? extra : undefined,
      createdAt:
        (created && attempt('created_at', false, () => toInstant(created(record, env), env.zone))) ?? undefined,
      updatedAt:
        (updated && attempt('updated_at', false, () => toInstant(updated(record, env), env.zone))) ?? undefined,
      deleted: (deleted && attempt('deleted', false, () => toBoolean(deleted(record, env)))) ?? false,
    };
  };
}

/** The value in the type of its column. */
function coerce(value: unknown, field: Field, env: Env): unknown {
  if (value instanceof ValueError) throw value;
  if (value === null || value === undefined || value === '') return null;
  switch (field.type) {
    case 'text': {
      const text = toText(value);
      if (text !== null && field.values && !field.values.includes(text))
        throw new ValueError(`"${text}" is not one of ${field.values.join(', ')}; translate it with enum`);
      return text;
    }
    case 'date':
      return toDate(value, env.zone);
    case 'timestamptz':
      return toInstant(value, env.zone);
    case 'numeric':
      return toDecimal(value);
    case 'integer': {
      const number = Number(toDecimal(value));
      if (!Number.isSafeInteger(number)) throw new ValueError(`expected a whole number, got ${JSON.stringify(value)}`);
      return number;
    }
    case 'boolean':
      return toBoolean(value);
    case 'text[]':
      return toList(value);
    case 'jsonb':
      return value;
  }
}

/** Literal results of an enum are checked against the field's closed list when the mapping is saved. */
function checkWords(directive: unknown, field: Field, where: string, compiler: Compiler): void {
  if (!field.values || directive === null || typeof directive !== 'object') return;
  const words = (directive as { enum?: { map?: Record<string, unknown>; else?: unknown } }).enum;
  if (!words?.map) return;
  for (const [key, word] of [
    ...Object.entries(words.map),
    ...(words.else === undefined ? [] : [['else', words.else] as const]),
  ]) {
    if (word !== null && !field.values.includes(String(word))) {
      compiler.errors.push({
        path: `${where}.enum.${key === 'else' ? 'else' : `map.${key}`}`,
        message: `"${String(word)}" is not one of ${field.values.join(', ')}`,
      });
    }
  }
}

/** ` (did you mean x?)` for a misspelt name. */
function nearest(name: string, known: readonly string[]): string {
  const squeeze = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const match =
    known.find((candidate) => squeeze(candidate) === squeeze(name)) ??
    known.find((candidate) => squeeze(candidate).includes(squeeze(name)));
  return match ? `; did you mean ${match}?` : `; there are ${known.join(', ')}`;
}
