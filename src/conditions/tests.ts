import type { ValueType } from './fields.ts';
import type { TestName } from './types.ts';

/** What an operand looks like. */
export type Operand =
  | 'text'
  | 'texts'
  | 'number'
  | 'numbers'
  | 'date'
  | 'dates'
  | 'postal_codes'
  | 'boolean'
  | 'period'
  | 'near'
  | 'true'
  | 'flag';

const TEXT = {
  is: 'text',
  is_not: 'text',
  one_of: 'texts',
  none_of: 'texts',
  contains: 'text',
  starts_with: 'text',
  ends_with: 'text',
  empty: 'flag',
} as const;

const NUMBER = {
  is: 'number',
  is_not: 'number',
  above: 'number',
  below: 'number',
  at_least: 'number',
  at_most: 'number',
  between: 'numbers',
  empty: 'flag',
} as const;

const INSTANT = {
  on: 'date',
  before: 'date',
  after: 'date',
  on_or_before: 'date',
  on_or_after: 'date',
  between: 'dates',
  in_last: 'period',
  in_next: 'period',
  more_than_ago: 'period',
  more_than_ahead: 'period',
  today: 'true',
  empty: 'flag',
} as const;

const DATE = { ...INSTANT, anniversary_in: 'near', anniversary_within: 'near' } as const;
const LIST = { has_any: 'texts', has_all: 'texts', has_none: 'texts', empty: 'flag' } as const;
const WORD = { is: 'text', is_not: 'text', one_of: 'texts', none_of: 'texts', empty: 'flag' } as const;

export type Table = Partial<Record<TestName, Operand>>;

/** Which tests each type takes, with the form of what stands beside them. */
export const TESTS: Record<Exclude<ValueType, 'custom'>, Table> = {
  text: TEXT,
  word: WORD,
  postal_code: { ...TEXT, between: 'postal_codes' },
  number: NUMBER,
  money: NUMBER,
  date: DATE,
  instant: INSTANT,
  birthday: DATE,
  boolean: { is: 'boolean', empty: 'flag' },
  list: LIST,
};

/** Every test there is, in the order they are told. */
export const TEST_NAMES = [
  ...new Set(Object.values(TESTS).flatMap((table) => Object.keys(table))),
] as readonly TestName[];

/** Whole days since something; missing where it never was. */
export const SINCE_TESTS: Table = NUMBER;
const { empty: _never, ...COMPARISONS } = NUMBER;
/** How many there are, or how much in all: never missing. */
export const COUNT_TESTS: Table = COMPARISONS;

/** As what a custom value is read: the test and its operand say it. */
export function readAs(
  test: TestName,
  operand: unknown,
): Exclude<ValueType, 'custom' | 'word' | 'money' | 'birthday'> | undefined {
  if (test === 'empty') return undefined;
  if (test === 'is' && typeof operand === 'boolean') return 'boolean';
  const sample = test === 'between' ? (operand as { from?: unknown } | null)?.from : operand;
  if (typeof sample === 'number') return 'number';
  if (has(LIST, test)) return 'list';
  if (has(DATE, test)) return 'date';
  return 'text';
}

const has = (table: Table, test: TestName): boolean => Object.hasOwn(table, test);

/** Tests whose answer changes as days pass. */
export const RELATIVE: readonly TestName[] = [
  'in_last',
  'in_next',
  'more_than_ago',
  'more_than_ahead',
  'today',
  'anniversary_in',
  'anniversary_within',
];

/** Tests that are the opposite of another: they hold for a missing value, too. */
export const OPPOSITES: Partial<Record<TestName, TestName>> = {
  is_not: 'is',
  none_of: 'one_of',
  has_none: 'has_any',
};
