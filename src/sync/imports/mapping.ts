import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { parse } from 'yaml';
import type { Row } from '../../base/database.ts';
import { type FieldError, invalid } from '../../base/errors.ts';
import { compileMapping } from '../../mapping/compile.ts';
import type { Compiler, Env, Read } from '../../mapping/compiler.ts';
import { compileCondition, compileDirective } from '../../mapping/directives.ts';
import { MappingFile } from '../../mapping/schema.ts';

/** How the rows of a file become records, beside the mapping of those records. */
const ImportObject = Type.Object(
  {
    /** The record's id. Rows with the same id are the same record: the last one counts, others that differ are parked. */
    id: Type.Unknown(),
    /** Columns that belong to this record; default: all. A contact in every order line has the same few, and may repeat. */
    columns: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
    /** All rows with the same id are one record: `{first, rows}`. */
    group: Type.Optional(Type.Boolean()),
    /** Rows with the same id are records of their own, numbered in the order of the file: `x`, `x#2`; `{@id}` reads it. */
    numbered: Type.Optional(Type.Boolean()),
    /** Rows it is made from; others are passed over. */
    when: Type.Optional(Type.Unknown()),
    /** What a row must have; others are parked with the reason. */
    require: Type.Optional(
      Type.Array(Type.Object({ test: Type.Unknown(), reason: Type.String() }, { additionalProperties: false })),
    ),
  },
  { additionalProperties: false },
);

export const ImportMapping = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: 100 })),
    file: Type.Optional(
      Type.Object(
        {
          delimiter: Type.Optional(Type.String({ minLength: 1, maxLength: 1 })),
          encoding: Type.Optional(Type.String()),
          columns: Type.Optional(Type.Array(Type.String())),
        },
        { additionalProperties: false },
      ),
    ),
    defaults: MappingFile.properties.defaults,
    objects: Type.Record(Type.String(), ImportObject),
    streams: MappingFile.properties.streams,
  },
  { $id: 'ImportMapping', additionalProperties: false },
);
export type ImportMapping = Static<typeof ImportMapping>;

export interface CompiledObject {
  name: string;
  id: Read;
  group: boolean;
  numbered: boolean;
  /** Rows repeat the record, so that a later one is news and no contradiction. */
  repeats: boolean;
  /** The part of a row that belongs to this record. */
  pick: (row: Row) => Row;
  when: (row: unknown, env: Env) => boolean;
  require: { test: (row: unknown, env: Env) => boolean; reason: string }[];
}

/**
 * Reads and checks an import mapping.
 * @throws Problem with the place of every mistake
 */
export function readImportMapping(text: string, name: string, streams: readonly string[]): ImportMapping {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw invalid(`${name} is not YAML: ${(error as Error).message}`);
  }
  if (!Value.Check(ImportMapping, value)) {
    const errors = Value.Errors(ImportMapping, value).map((error) => ({
      path: error.instancePath.replace(/^\//, '').replaceAll('/', '.') || name,
      message: error.message,
    }));
    throw invalid(
      `${name} does not have the form of an import mapping: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}`,
      errors,
    );
  }
  const errors = mappingErrors(value, streams);
  if (errors.length > 0)
    throw invalid(
      `${name} has mistakes: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}`,
      errors,
    );
  return value;
}

/** Every mistake in an import mapping that can be seen without the file. */
export function mappingErrors(mapping: ImportMapping, streams: readonly string[]): FieldError[] {
  const { errors } = compileMapping(
    { streams: mapping.streams, ...(mapping.defaults ? { defaults: mapping.defaults } : {}) },
    streams,
  );
  errors.push(...compileObjects(mapping).errors);
  for (const object of Object.keys(mapping.objects))
    if (!mapping.streams[object])
      errors.push({ path: `streams.${object}`, message: 'is missing: every object needs a mapping of its fields' });
  for (const stream of Object.keys(mapping.streams))
    if (!mapping.objects[stream])
      errors.push({ path: `objects.${stream}`, message: 'is missing: it says what makes the id of a record' });
  return errors;
}

export function compileObjects(mapping: ImportMapping): { objects: CompiledObject[]; errors: FieldError[] } {
  const errors: FieldError[] = [];
  const objects = Object.entries(mapping.objects).map(([name, object]) => {
    const compiler: Compiler = { errors, paths: new Set(), lookups: new Set(), expressions: [], words: new Map() };
    const where = `objects.${name}`;
    if (object.numbered && (object.group || object.columns))
      errors.push({ path: `${where}.numbered`, message: 'does not go together with group or columns' });
    const compiled: CompiledObject = {
      name,
      id: compileDirective(object.id, `${where}.id`, compiler),
      group: object.group ?? false,
      numbered: object.numbered ?? false,
      repeats: object.columns !== undefined && !object.group,
      pick: object.columns
        ? (row: Row) => Object.fromEntries(object.columns!.map((column) => [column, row[column] ?? '']))
        : (row: Row) => row,
      when: object.when === undefined ? () => true : compileCondition(object.when, `${where}.when`, compiler),
      require: (object.require ?? []).map((rule, at) => ({
        test: compileCondition(rule.test, `${where}.require[${at}].test`, compiler),
        reason: rule.reason,
      })),
    };
    if (compiler.expressions.length > 0 || compiler.lookups.size > 0)
      errors.push({
        path: where,
        message: 'must do without expr and lookup: rows are told apart before they are stored',
      });
    return compiled;
  });
  return { objects, errors };
}
