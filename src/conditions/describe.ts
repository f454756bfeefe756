import { testOf } from './compile.ts';
import { MAIN_DATE, namedField } from './fields.ts';
import { ALL_UNITS, CUSTOM_OF, NOUNS, phrase, UNIT_WORDS, WORDED } from './phrases.ts';
import {
  type Condition,
  type FieldCondition,
  formOf,
  has,
  type Period,
  type Range,
  type Related,
  type TestName,
} from './types.ts';

/** Names of what is known by an id, for readers. */
export interface Names {
  /** Segment names by id; a segment without a name of its own is told by its id. */
  segments?: ReadonlyMap<string, string>;
}

type Subject = 'customer' | Related;

/** A checked condition as a sentence that people can read and `parseCondition` can read back. */
export const describeCondition = (condition: Condition, names: Names = {}): string =>
  told(condition, names, 'customer');

const quoted = (text: string): string => JSON.stringify(text);
const list = (texts: readonly string[], write = quoted): string => texts.map(write).join(', ');

function told(condition: Condition, names: Names, subject: Subject): string {
  const grouped = (part: Condition): string =>
    'all' in part || 'any' in part ? `(${told(part, names, subject)})` : told(part, names, subject);
  if ('all' in condition) return condition.all.map(grouped).join(' and ');
  if ('any' in condition) return condition.any.map(grouped).join(' or ');
  if ('not' in condition) {
    const { not } = condition;
    return 'exists' in not
      ? `has no ${objects(not.exists, not.where, names, 0)}`
      : `not (${told(not, names, subject)})`;
  }
  if ('field' in condition) return `${fieldPhrase(condition, subject)} ${tested(condition)}`;
  if ('consent' in condition) {
    const topic = condition.topic === undefined ? '' : ` about ${quoted(condition.topic)}`;
    return `consent to ${condition.consent}${topic} is ${condition.is}`;
  }
  if ('segment' in condition) return `is in segment ${segmentName(condition.segment, names)}`;
  if ('days_since' in condition) return `days since last ${condition.days_since.join(' or ')} ${tested(condition)}`;
  return related(condition, names);
}

const withArticle = (text: string): string => `has ${/^[aeio]/.test(text) ? 'an' : 'a'} ${text}`;

/** The name only when it leads back to this segment. */
function segmentName(id: string, { segments }: Names): string {
  const name = segments?.get(id);
  const same = [...(segments?.values() ?? [])].filter((other) => other === name);
  return name !== undefined && same.length === 1 ? quoted(name) : id;
}

function related(condition: Condition, names: Names): string {
  const { where } = condition as { where?: Condition };
  if ('exists' in condition) return withArticle(objects(condition.exists, where, names, 0));
  if ('count' in condition) {
    const [test, operand] = testOf(condition);
    const one = operand === 1 && test !== 'between' ? 0 : 1;
    return `has ${counted(test, operand)} ${objects(condition.count, where, names, one)}`;
  }
  const form = formOf(condition);
  const name = (condition as unknown as Record<string, string>)[form]!;
  const { scope } = namedField(name)!;
  const fields = fieldPhrase({ field: name }, scope as Related);
  const short = form === 'sum' || form === 'average';
  const of = objects(scope as Related, where, names, 1, short);
  return `${form === 'sum' ? 'total' : form} ${fields} of ${of} ${tested(condition)}`;
}

const counted = (test: TestName, operand: number | Range<number>): string => {
  if (typeof operand !== 'number') return `between ${operand.from} and ${operand.to}`;
  return test === 'is'
    ? `exactly ${operand}`
    : test === 'is_not'
      ? `not exactly ${operand}`
      : `${WORDED[test as 'above']} ${operand}`;
};

/** Objects of a kind: "completed jobs in the last 6 months", or with everything about them in parentheses. */
function objects(kind: Related, where: Condition | undefined, names: Names, one: 0 | 1, short = true): string {
  const noun = NOUNS[kind][one];
  if (!where) return noun;
  const [state, when] = short ? simple(kind, where) : [];
  if (state === undefined && when === undefined) return `${noun} (${told(where, names, kind)})`;
  return `${state === undefined ? '' : `${state} `}${noun}${when ? ` ${tested(when)}` : ''}`;
}

/** Whether all that is asked of the objects is a status, a time, or first the one and then the other. */
function simple(kind: Related, where: Condition): [state?: string | undefined, when?: FieldCondition | undefined] {
  const parts = 'all' in where ? where.all : [where];
  if (parts.length > 2) return [];
  const status = parts.find((part) => isStatus(kind, part)) as FieldCondition | undefined;
  const when = parts.find((part) => isWhen(kind, part)) as FieldCondition | undefined;
  if (parts.length === 2 && (parts[0] !== status || parts[1] !== when)) return [];
  return [status?.is as string | undefined, when];
}

const isStatus = (kind: Related, part: Condition): boolean =>
  'field' in part && part.field === `${kind}.status` && has(part, 'is') && namedField(part.field)!.values !== undefined;

const isWhen = (kind: Related, part: Condition): boolean =>
  'field' in part &&
  part.field === `${kind}.${MAIN_DATE[kind]}` &&
  !['empty', 'anniversary_in', 'anniversary_within'].some((test) => has(part, test));

function fieldPhrase({ field, source }: { field: string; source?: string }, subject: Subject): string {
  const { custom, scope } = namedField(field)!;
  if (custom === undefined) return phrase(field);
  const of = subject === 'customer' ? CUSTOM_OF[scope]! : 'custom field';
  return `${of} ${quoted(custom)}${source === undefined ? '' : ` from ${quoted(source)}`}`;
}

/** The test of a leaf with what it is compared with. */
function tested(condition: object): string {
  const [test, operand] = testOf(condition) as [TestName, unknown];
  const { currency } = condition as { currency?: string };
  return `${compared(test, operand, condition)}${currency === undefined ? '' : ` ${currency}`}`;
}

const DATES = ['on', 'before', 'after', 'on_or_before', 'on_or_after'];

function compared(test: TestName, operand: unknown, condition: object): string {
  switch (test) {
    case 'empty':
      return operand === true ? 'is empty' : 'is not empty';
    case 'today':
      return 'today';
    case 'in_last':
      return `in the last ${period(operand as Period)}`;
    case 'in_next':
      return `in the next ${period(operand as Period)}`;
    case 'more_than_ago':
      return `more than ${period(operand as Period)} ago`;
    case 'more_than_ahead':
      return `more than ${period(operand as Period)} ahead`;
    case 'anniversary_in':
      return `has its anniversary in ${period(operand as Period)}`;
    case 'anniversary_within':
      return `has its anniversary within ${period(operand as Period)}`;
    case 'between': {
      const { from, to } = operand as Range<string>;
      const write = isDateLike(from) && isDateLike(to) && !isPostal(condition) ? String : value;
      return `between ${write(from)} and ${write(to)}`;
    }
    default: {
      const words = WORDED[test];
      if (Array.isArray(operand)) return `${words} ${list(operand, closed(condition) ? String : quoted)}`;
      const plain = closed(condition) || DATES.includes(test);
      return `${words} ${plain ? String(operand) : value(operand)}`;
    }
  }
}

const isDateLike = (text: unknown): boolean => typeof text === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(text);
const isPostal = (condition: object): boolean => fieldOf(condition)?.type === 'postal_code';
const closed = (condition: object): boolean => fieldOf(condition)?.values !== undefined;

function fieldOf(condition: object): ReturnType<typeof namedField> {
  const { field, latest, earliest } = condition as { field?: string; latest?: string; earliest?: string };
  const name = field ?? latest ?? earliest;
  return name === undefined ? undefined : namedField(name);
}

const value = (operand: unknown): string =>
  typeof operand === 'boolean'
    ? operand
      ? 'yes'
      : 'no'
    : typeof operand === 'number'
      ? String(operand)
      : quoted(operand as string);

function period(given: Period): string {
  const unit = ALL_UNITS.find((name) => has(given, name))!;
  const count = given[unit]!;
  return `${count} ${UNIT_WORDS[unit][count === 1 ? 0 : 1]}`;
}
