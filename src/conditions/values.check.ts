import type { Catalogue, CustomField, SeenType } from './catalogue.ts';
import type { ConditionField, ValueType } from './fields.ts';
import { suggestion } from './near.ts';
import { type Budget, operand, type Refuse, textProblem } from './operands.ts';
import { type Operand, readAs, type Table, TEST_NAMES, TESTS } from './tests.ts';
import type { TestName, Tests } from './types.ts';

/** What the tests of one leaf are looked at with. */
export interface ValueRules {
  catalogue: Catalogue;
  budget: Budget;
  /** Says what is wrong, at the leaf or at a place below it. */
  refuse: Refuse;
}

/** A value that is no field: how many there are, how much in all. */
export interface MadeValue {
  table: Table;
  whole?: { least: number; most: number };
  money?: boolean;
}

/** How each type is called in sentences. */
const CALLED: Record<ValueType, string> = {
  text: 'a text',
  word: 'one of a list of words',
  postal_code: 'a postal code',
  number: 'a number',
  money: 'an amount',
  date: 'a date',
  instant: 'a date with a time',
  birthday: 'a birthday',
  boolean: 'yes or no',
  list: 'a list',
  custom: 'a custom field',
};

const isMade = (of: ConditionField | MadeValue): of is MadeValue => 'table' in of;

/**
 * The one test of a leaf with what belongs to it, canonical; undefined with every mistake told.
 * @param known the members of the leaf that are no tests
 */
export function testsOf(
  rules: ValueRules,
  of: ConditionField | MadeValue,
  given: Record<string, unknown>,
  known: readonly string[],
): (Tests & { source?: string; currency?: string }) | undefined {
  const { refuse } = rules;
  const names = Object.keys(given).filter((name) => !known.includes(name));
  const tests = names.filter((name): name is TestName => TEST_NAMES.includes(name as TestName));
  const extra = moreOf(rules, of, given, names);
  for (const name of names)
    if (!tests.includes(name as TestName) && !['source', 'currency'].includes(name))
      refuse(`is no test${suggestion(name, allowed(of))}`, `.${name.slice(0, 60)}`);
  if (tests.length !== 1) {
    if (tests.length > 1)
      refuse(`has ${tests.length} tests (${tests.join(', ')}); it takes one, several go into "all"`);
    else if (names.length === 0) refuse(`needs a test: one of ${allowed(of).join(', ')}`);
    return undefined;
  }
  const test = tests[0]!;
  const value = given[test];
  const kind = operandOf(rules, of, test, value);
  if (kind === undefined) return undefined;
  const good = operand(value, kind, {
    refuse: (message, below = '') => refuse(message, `.${test}${below}`),
    budget: rules.budget,
    words: isMade(of) ? undefined : of.values,
    whole: isMade(of) ? of.whole : undefined,
  });
  return good === undefined || !extra ? undefined : { ...extra, [test]: good };
}

const allowed = (of: ConditionField | MadeValue): string[] =>
  isMade(of) ? Object.keys(of.table) : of.type === 'custom' ? [...TEST_NAMES] : Object.keys(TESTS[of.type]);

/** What must stand beside the test, or undefined when the value takes no such test. */
function operandOf(
  { refuse, catalogue }: ValueRules,
  of: ConditionField | MadeValue,
  test: TestName,
  value: unknown,
): Operand | undefined {
  if (isMade(of)) {
    const kind = of.table[test];
    if (kind === undefined)
      refuse(`cannot be tested of a number; it takes ${Object.keys(of.table).join(', ')}`, `.${test}`);
    return kind;
  }
  if (of.type === 'custom') return ofCustom(refuse, catalogue.custom.get(of.name), of, test, value);
  const kind = of.measure && test === 'empty' ? undefined : TESTS[of.type][test];
  if (kind === undefined) {
    const tests = Object.keys(TESTS[of.type]).filter((name) => !(of.measure && name === 'empty'));
    refuse(`cannot be tested of "${of.name}", which is ${CALLED[of.type]}; it takes ${tests.join(', ')}`, `.${test}`);
  }
  return kind;
}

/** Types that can be read as the one a test needs. */
const READ_FROM: Record<string, readonly SeenType[]> = {
  text: ['text', 'number', 'boolean', 'date', 'instant'],
  number: ['number', 'text'],
  boolean: ['boolean', 'text', 'number'],
  date: ['date', 'instant'],
  list: ['list', 'text', 'date', 'instant'],
};

function ofCustom(
  refuse: Refuse,
  known: CustomField | undefined,
  of: ConditionField,
  test: TestName,
  value: unknown,
): Operand | undefined {
  if (test === 'empty') return 'flag';
  const type = readAs(test, value)!;
  const kind = TESTS[type][test];
  if (kind === undefined) {
    refuse(`cannot be compared with ${JSON.stringify(value)?.slice(0, 60)}`, `.${test}`);
    return undefined;
  }
  // Compared with what it never was, it would never match: better said now.
  if (known && known.seen.length > 0 && !known.seen.some((seen) => READ_FROM[type]!.includes(seen))) {
    refuse(`compares "${of.name}" with ${CALLED[type]}, but it holds ${known.seen.join(' or ')}`, `.${test}`);
    return undefined;
  }
  return kind;
}

/** `source` and `currency`, where they have a meaning; undefined when one is wrong. */
function moreOf(
  { refuse, catalogue }: ValueRules,
  of: ConditionField | MadeValue,
  given: Record<string, unknown>,
  names: readonly string[],
): { source?: string; currency?: string } | undefined {
  const found: { source?: string; currency?: string } = {};
  let good = true;
  const wrong = (message: string, below: string): void => {
    good = false;
    refuse(message, below);
  };
  if (names.includes('source')) {
    const problem = textProblem(given.source);
    const kept = !isMade(of) && of.type === 'custom' && (of.scope === 'customer' || of.scope === 'company');
    const sources = kept ? (catalogue.custom.get(of.name)?.sources ?? []) : [];
    if (!kept) wrong('has a meaning only for custom fields of the customer and the company', '.source');
    else if (problem !== undefined) wrong(problem, '.source');
    else if (sources.length > 0 && !sources.includes(given.source as string))
      wrong(`is none of the platforms that have this field: ${sources.join(', ')}`, '.source');
    else found.source = given.source as string;
  }
  if (names.includes('currency')) {
    const money = isMade(of) ? of.money === true : of.type === 'money';
    if (!money) wrong('has a meaning only for amounts', '.currency');
    else if (names.includes('empty')) wrong('has no meaning beside "empty"', '.currency');
    else if (typeof given.currency !== 'string' || !/^[A-Z]{3}$/.test(given.currency))
      wrong('must be a currency such as "EUR" (ISO 4217)', '.currency');
    else found.currency = given.currency;
  }
  return good ? found : undefined;
}
