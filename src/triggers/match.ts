import { type TUnsafe, Type } from 'typebox';
import { words } from '../base/schema.ts';
import { sameValue } from '../model/changes.ts';
import type { Change } from '../model/types.ts';

/** A word as people and platforms vary it: `Service Completed`, `service_completed` and `servicecompleted` are one. */
export const plain = (value: unknown): string =>
  String(value ?? '')
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_-]+/g, '');

/** Whether a value is one of the words. */
export const isOneOf = (value: unknown, list: readonly string[]): boolean =>
  value !== null && value !== undefined && list.some((word) => plain(word) === plain(value));

/** Tags of a record: a list, or a text with commas as shops write it. */
export const tagsOf = (value: unknown): string[] =>
  (Array.isArray(value) ? value : typeof value === 'string' ? value.split(/[,;]/) : [])
    .map((tag) => String(tag).trim())
    .filter((tag) => tag !== '');

/** Words as a setting; `[]` where none have to match. */
export const Words = Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { maxItems: 100 });

type Fields = Record<string, unknown> | null | undefined;

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);

const member = (of: Record<string, unknown>, name: string): unknown =>
  Object.entries(of).find(([key]) => plain(key) === plain(name))?.[1];

/**
 * A field of a row. `custom.<name>` finds the name as people write it; customers and companies keep custom fields by
 * platform, so there it is the first platform that has one, or the one named: `custom.<platform>.<name>`.
 */
export function fieldOf(row: Fields, field: string): unknown {
  if (!field.startsWith('custom.')) return row?.[field] ?? null;
  if (!isObject(row?.custom)) return null;
  const name = field.slice('custom.'.length);
  const own = member(row.custom, name);
  if (own !== undefined && !isObject(own)) return own;
  for (const [platform, fields] of Object.entries(row.custom)) {
    if (!isObject(fields)) continue;
    const prefix = `${platform}.`;
    const value = member(fields, name.startsWith(prefix) ? name.slice(prefix.length) : name);
    if (!isEmpty(value)) return value;
  }
  return null;
}

/** What a change made of a field, or undefined when it left the field alone. */
export function turned(change: Change, field: string): { before: unknown; after: unknown } | undefined {
  const column = field.startsWith('custom.') ? 'custom' : field;
  if (!change.fields.includes(column)) return undefined;
  const before = fieldOf(change.before, field);
  const after = fieldOf(change.after, field);
  return sameValue(before, after) ? undefined : { before, after };
}

export const OPERATORS = [
  'equals',
  'not_equals',
  'contains',
  'not_contains',
  'at_least',
  'at_most',
  'is_set',
  'is_empty',
  'changes',
] as const;
export type Operator = (typeof OPERATORS)[number];
export const OperatorWord: TUnsafe<Operator> = words(OPERATORS);

export const isEmpty = (value: unknown): boolean =>
  value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0);

const contains = (value: unknown, wanted: string): boolean =>
  Array.isArray(value)
    ? value.some((item) => plain(item) === plain(wanted))
    : !isEmpty(value) && plain(value).includes(plain(wanted));

/** Numbers as numbers, everything else (dates, times) by its text, which sorts as time does. */
const atLeast = (value: unknown, wanted: string): boolean => {
  if (isEmpty(value)) return false;
  const [a, b] = [Number(value), Number(wanted)];
  if (Number.isFinite(a) && Number.isFinite(b)) return a >= b;
  return (value instanceof Date ? value.toISOString() : String(value)) >= wanted;
};
const atMost = (value: unknown, wanted: string): boolean =>
  !isEmpty(value) && (atLeast(wanted, value instanceof Date ? value.toISOString() : String(value)) as boolean);

/**
 * Whether a value is as wanted. `equals`, `contains` and the like are true when any of the values given is met, their
 * opposites when none is. `changes` says nothing about a value and is always true.
 */
export function satisfies(operator: Operator, value: unknown, wanted: readonly string[]): boolean {
  switch (operator) {
    case 'equals':
      return Array.isArray(value) ? value.some((item) => isOneOf(item, wanted)) : isOneOf(value, wanted);
    case 'not_equals':
      return !satisfies('equals', value, wanted);
    case 'contains':
      return wanted.some((word) => contains(value, word));
    case 'not_contains':
      return !satisfies('contains', value, wanted);
    case 'at_least':
      return wanted.some((limit) => atLeast(value, limit));
    case 'at_most':
      return wanted.some((limit) => atMost(value, limit));
    case 'is_set':
      return !isEmpty(value);
    case 'is_empty':
      return isEmpty(value);
    case 'changes':
      return true;
  }
}
