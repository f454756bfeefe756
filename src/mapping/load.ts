import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Value } from 'typebox/value';
import { parse } from 'yaml';
import { type FieldError, invalid } from '../base/errors.ts';
import { type CompiledMapping, compileMapping } from './compile.ts';
import { MappingFile, type MappingOverride } from './schema.ts';

const FOLDER = fileURLToPath(new URL('../../mappings', import.meta.url));

const defaults = new Map<string, MappingFile>();

/** The mapping that ships with a platform; an empty one when it has none. */
export function defaultMapping(connector: string): MappingFile {
  const known = defaults.get(connector);
  if (known) return known;
  const file = path.join(FOLDER, `${connector}.yaml`);
  const mapping = existsSync(file)
    ? parseMapping(readFileSync(file, 'utf8'), `mappings/${connector}.yaml`)
    : { streams: {} };
  defaults.set(connector, mapping);
  return mapping;
}

/**
 * Reads a mapping from YAML text.
 * @throws Problem with the place of every mistake in its outer form
 */
export function parseMapping(text: string, name: string): MappingFile {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw invalid(`${name} is not YAML: ${(error as Error).message}`);
  }
  const errors = shapeErrors(MappingFile, value);
  if (errors.length > 0)
    throw invalid(
      `${name} does not have the form of a mapping: ${errors.map((item) => `${item.path} ${item.message}`).join('; ')}`,
      errors,
    );
  return value as MappingFile;
}

/** Mistakes in the outer form of a mapping or override. */
export function shapeErrors(schema: typeof MappingFile | typeof MappingOverride, value: unknown): FieldError[] {
  if (Value.Check(schema, value)) return [];
  return Value.Errors(schema, value).map((error) => ({
    path: error.instancePath.replace(/^\//, '').replaceAll('/', '.') || 'mapping',
    message: error.message,
  }));
}

/** Lays an override over a mapping, field by field; null removes. */
export function overlay(base: MappingFile, override: MappingOverride | undefined): MappingFile {
  if (!override) return base;
  const streams: MappingFile['streams'] = structuredClone(base.streams);
  for (const [stream, kinds] of Object.entries(override.streams ?? {})) {
    // Own members only: a stream called "constructor" must not reach into what every object inherits.
    const own: MappingFile['streams'][string] = Object.hasOwn(streams, stream) ? streams[stream]! : {};
    streams[stream] = own;
    for (const [kind, change] of Object.entries(kinds)) {
      const present = Object.hasOwn(own, kind) ? own[kind]! : { fields: {} };
      const merged = {
        ...present,
        ...change,
        fields: { ...present.fields, ...change.fields },
      } as MappingFile['streams'][string][string];
      if (present.references || change.references) merged.references = { ...present.references, ...change.references };
      if (present.custom || change.custom) merged.custom = { ...present.custom, ...change.custom };
      for (const group of ['fields', 'custom'] as const) {
        for (const [name, directive] of Object.entries(merged[group] ?? {}))
          if (directive === null) delete merged[group]![name];
      }
      own[kind] = merged;
    }
  }
  const result: MappingFile = { streams };
  if (base.defaults || override.defaults) result.defaults = { ...base.defaults, ...override.defaults };
  return result;
}

const compiled = new Map<string, CompiledMapping>();

/**
 * The compiled mapping of a connection: platform default, tenant's override, connection's override.
 * @throws Problem when an override no longer compiles
 */
export function effectiveMapping(connector: string, overrides: readonly MappingOverride[]): CompiledMapping {
  const key = `${connector}\n${JSON.stringify(overrides)}`;
  let found = compiled.get(key);
  if (!found) {
    const file = overrides.reduce<MappingFile>(overlay, defaultMapping(connector));
    const { mapping, errors } = compileMapping(file);
    if (errors.length > 0)
      throw invalid(
        `The mapping of ${connector} does not work: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}`,
        errors,
      );
    // Overrides are edited by people; a few generations are enough to keep.
    if (compiled.size > 500) compiled.clear();
    compiled.set(key, mapping);
    found = mapping;
  }
  return found;
}
