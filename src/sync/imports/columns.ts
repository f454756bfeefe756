import type { FieldError } from '../../base/errors.ts';
import { splitPath } from '../../kit/index.ts';
import type { ImportMapping } from './mapping.ts';

/** What paths may start with at a place of the mapping. */
interface Scope {
  /** Columns of the row, or of the rows of a group. */
  columns: readonly string[];
  /** The record is `{first, rows}`. */
  grouped: boolean;
  /** Names that exist besides the columns. */
  others: readonly string[];
  errors: FieldError[];
}

const WORDS = new Set(['@account', '@connector', '@currency']);

/**
 * Columns a mapping reads and the file does not have. A misspelt name would otherwise read as an empty column for ever,
 * and a column that an export leaves out would empty what is stored.
 */
export function columnErrors(mapping: ImportMapping, columns: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const [name, object] of Object.entries(mapping.objects)) {
    const row: Scope = { columns, grouped: false, others: [], errors };
    for (const [at, column] of object.columns?.entries() ?? []) check(column, `objects.${name}.columns[${at}]`, row);
    walk(object.id, `objects.${name}.id`, row);
    walk(object.when, `objects.${name}.when`, row);
    for (const [at, rule] of object.require?.entries() ?? [])
      walk(rule.test, `objects.${name}.require[${at}].test`, row);
    const others = object.numbered ? ['@id'] : [];
    const record: Scope = { columns: object.columns ?? columns, grouped: object.group ?? false, others, errors };
    walk(mapping.streams[name], `streams.${name}`, record);
  }
  return errors;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

function walk(value: unknown, where: string, scope: Scope): void {
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) walk(item, `${where}[${at}]`, scope);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    const here = `${where}.${key}`;
    // Words of a list, literals and other languages hold no paths.
    if (key === 'literal' || key === 'expr' || key === 'map') continue;
    if (key === 'path' && typeof inner === 'string') checkPath(inner, here, scope);
    else if (key === 'template' && typeof inner === 'string')
      for (const [, path] of inner.matchAll(/\{([^{}]+)\}/g)) checkPath(path!.trim(), here, scope);
    else if ((key === 'each' || key === 'sum') && isObject(inner)) {
      walk(inner.of, `${here}.of`, scope);
      const rows: Scope = { ...scope, grouped: false };
      walk(inner.as, `${here}.as`, rows);
      walk(inner.when, `${here}.when`, rows);
    } else walk(inner, here, scope);
  }
}

function checkPath(path: string, where: string, scope: Scope): void {
  if (WORDS.has(path)) return;
  const [first, second] = splitPath(path);
  if (!scope.grouped) check(first ?? '', where, scope);
  else if (first === 'first' && second !== undefined) check(second, where, scope);
  else if (first !== 'rows')
    scope.errors.push({ path: where, message: `reads "${path}"; a grouped record has first.<column> and rows` });
}

function check(column: string, where: string, scope: Scope): void {
  if (scope.columns.includes(column) || scope.others.includes(column)) return;
  const plain = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
  const near = scope.columns.find((known) => plain(known) === plain(column));
  const known = near === undefined ? `there are ${scope.columns.slice(0, 30).join(', ')}` : `did you mean "${near}"?`;
  scope.errors.push({ path: where, message: `reads the column "${column}", which is not there; ${known}` });
}
