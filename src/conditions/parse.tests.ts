import type { ConditionField } from './fields.ts';
import { ALL_UNITS, COMPARISONS, UNIT_WORDS, WORDED } from './phrases.ts';
import { has } from './types.ts';
import type { Reader } from './words.ts';

type Tested = Record<string, unknown>;

export const readNumber = (reader: Reader): number => Number(reader.takeKind('number') ?? reader.refuse('a number'));

/** "at least 2", "between 1 and 5"; undefined when something else stands there. */
export function readComparison(reader: Reader): Tested | undefined {
  for (const [test, words] of Object.entries(COMPARISONS))
    if (reader.take(words)) return { [test]: readNumber(reader) };
  return reader.take('between') ? { between: readRange(reader) } : undefined;
}

function readRange(reader: Reader): Tested {
  const end = (): unknown => {
    const number = reader.takeKind('number');
    if (number !== undefined) return Number(number);
    return reader.takeKind('date') ?? reader.takeKind('text') ?? reader.refuse('a number, a date or a text in quotes');
  };
  const from = end();
  if (!reader.take('and')) reader.refuse('"and" and the end of the range');
  return { from, to: end() };
}

const DATED = ['on_or_before', 'on_or_after', 'on', 'before', 'after'] as const;

/** "in the last 6 months", "before 2026-03-01"; undefined, with nothing read, when something else stands there. */
export function readDate(reader: Reader): Tested | undefined {
  for (const test of DATED)
    if (reader.take(WORDED[test]))
      return { [test]: reader.takeKind('date') ?? reader.refuse('a date such as 2026-03-31') };
  if (reader.take('today')) return { today: true };
  if (reader.take('in the last')) return { in_last: readPeriod(reader) };
  if (reader.take('in the next')) return { in_next: readPeriod(reader) };
  if (reader.take('more than')) {
    const period = readPeriod(reader);
    if (reader.take('ago')) return { more_than_ago: period };
    return reader.take('ahead') ? { more_than_ahead: period } : reader.refuse('"ago" or "ahead"');
  }
  const mark = reader.mark();
  if (reader.take('between')) {
    if (reader.peek()?.kind === 'date') return { between: readRange(reader) };
    reader.back(mark);
  }
  return undefined;
}

function readPeriod(reader: Reader): Tested {
  const count = readNumber(reader);
  const word = reader.takeLongest(ALL_UNITS.flatMap((unit) => UNIT_WORDS[unit]));
  const unit = ALL_UNITS.find((one) => word !== undefined && UNIT_WORDS[one].includes(word));
  return unit ? { [unit]: count } : reader.refuse('days, weeks, months or years');
}

/** The test behind a field, with its currency where there is one. @throws SentenceError when there is none */
export function readTest(reader: Reader, field: ConditionField | undefined): Tested {
  const compared = readDate(reader) ?? readComparison(reader) ?? readWorded(reader, field);
  const next = reader.peek();
  const isCurrency = next?.kind === 'word' && /^[A-Z]{3}$/.test(next.text) && next.text !== 'AND';
  return isCurrency ? { ...compared, currency: reader.takeKind('word') } : compared;
}

const LISTED = ['one_of', 'none_of', 'has_any', 'has_all', 'has_none'] as const;
const TEXTUAL = ['contains', 'starts_with', 'ends_with'] as const;

function readWorded(reader: Reader, field: ConditionField | undefined): Tested {
  if (reader.take('has its anniversary in')) return { anniversary_in: readPeriod(reader) };
  if (reader.take('has its anniversary within')) return { anniversary_within: readPeriod(reader) };
  for (const test of LISTED) if (reader.take(WORDED[test])) return { [test]: readList(reader, field) };
  for (const test of TEXTUAL)
    if (reader.take(WORDED[test])) return { [test]: reader.takeKind('text') ?? reader.refuse('a text in quotes') };
  if (reader.take('is not empty')) return { empty: false };
  if (reader.take('is empty')) return { empty: true };
  if (reader.take('is not')) return { is_not: readValue(reader, field) };
  if (reader.take('is')) return { is: readValue(reader, field) };
  return reader.refuse('a test such as is, contains, over, before, "in the last" or "is empty"');
}

function readList(reader: Reader, field: ConditionField | undefined): unknown[] {
  const list = [readValue(reader, field)];
  while (reader.take(',')) list.push(readValue(reader, field));
  return list;
}

const SAID: Record<string, boolean> = { yes: true, no: false };

function readValue(reader: Reader, field: ConditionField | undefined): unknown {
  const number = reader.takeKind('number');
  if (number !== undefined) return Number(number);
  const text = reader.takeKind('text');
  if (text !== undefined) return text;
  const word = reader.takeKind('word') ?? reader.refuse('a text in quotes, a number, yes or no');
  const plain = field?.values !== undefined || field?.type === 'text' || field?.type === 'postal_code';
  // One word alone needs no quotes.
  return !plain && has(SAID, word.toLowerCase()) ? SAID[word.toLowerCase()] : word;
}
