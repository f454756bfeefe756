import type { FieldError } from '../base/errors.ts';
import type { Catalogue } from './catalogue.ts';
import { type CheckedCondition, checkCondition } from './check.ts';
import type { Names } from './describe.ts';
import { MAIN_DATE, namedField } from './fields.ts';
import { readComparison, readDate, readNumber, readTest } from './parse.tests.ts';
import { CUSTOM_OF, NOUNS, phrasesOf } from './phrases.ts';
import { ACTS, LIMITS, RELATED, type Related } from './types.ts';
import { Reader, SentenceError } from './words.ts';

type Subject = 'customer' | Related;
type Node = Record<string, unknown>;

const LONGEST = 50_000;

/**
 * Reads a sentence as `describeCondition` writes them.
 * @returns the checked condition, or what is wrong: of a sentence that cannot be read the place is `sentence:<n>`, the
 *   number of the character it stopped at
 */
export function parseCondition(sentence: string, names: Names = {}, catalogue?: Catalogue): CheckedCondition {
  const refused = (message: string, at: number): CheckedCondition => {
    const problems: FieldError[] = [{ path: `sentence:${at + 1}`, message }];
    return { problems, condition: undefined };
  };
  if (sentence.length > LONGEST) return refused(`a sentence has ${LONGEST} characters at most`, LONGEST);
  try {
    const parser = new Parser(new Reader(sentence), names);
    return checkCondition(parser.whole(), catalogue);
  } catch (error) {
    if (error instanceof SentenceError) return refused(error.message, error.at);
    throw error;
  }
}

class Parser {
  readonly #reader: Reader;
  readonly #names: Names;

  constructor(reader: Reader, names: Names) {
    this.#reader = reader;
    this.#names = names;
  }

  whole(): Node {
    const node = this.#list('customer', 1);
    if (!this.#reader.done) this.#reader.refuse('"and", "or" or the end');
    return node;
  }

  /** Parts with "and" between them, or with "or"; both only with parentheses. */
  #list(subject: Subject, depth: number): Node {
    // The checker tells it better; this only keeps the reader from going down for ever.
    if (depth > LIMITS.depth * 3) this.#reader.refuse('fewer parentheses in each other');
    const parts = [this.#part(subject, depth)];
    let word: 'and' | 'or' | undefined;
    for (;;) {
      const next = this.#reader.take('and') ? 'and' : this.#reader.take('or') ? 'or' : undefined;
      if (next === undefined) break;
      word ??= next;
      if (next !== word) this.#reader.refuse(`parentheses around what belongs together, as "and" and "or" are mixed:`);
      parts.push(this.#part(subject, depth));
    }
    return parts.length === 1 ? parts[0]! : { [word === 'and' ? 'all' : 'any']: parts };
  }

  #inParentheses(subject: Subject, depth: number): Node {
    const inner = this.#list(subject, depth + 1);
    if (!this.#reader.take(')')) this.#reader.refuse('a closing parenthesis');
    return inner;
  }

  #part(subject: Subject, depth: number): Node {
    const reader: Reader = this.#reader;
    if (reader.take('(')) return this.#inParentheses(subject, depth);
    if (reader.take('not (')) return { not: this.#inParentheses(subject, depth) };
    if (subject === 'customer') {
      const node = this.#aboutCustomer(depth);
      if (node) return node;
    }
    const field = this.#field(subject);
    if (!field)
      reader.refuse(subject === 'customer' ? 'a field of the customer, or "has"' : `a field of the ${subject}`);
    return { ...field, ...readTest(reader, namedField(field.field)) };
  }

  #aboutCustomer(depth: number): Node | undefined {
    const reader: Reader = this.#reader;
    if (reader.take('has no')) return { not: this.#exists(depth) };
    if (reader.take('has an') || reader.take('has a')) return this.#exists(depth);
    if (reader.take('has')) return this.#count(depth);
    if (reader.take('is in segment')) return { segment: this.#segment() };
    if (reader.take('consent to')) return this.#consent();
    if (reader.take('days since last')) return this.#since();
    for (const [word, form] of OVER_ALL) if (reader.take(word)) return this.#ofObjects(form, depth);
    return undefined;
  }

  #exists(depth: number): Node {
    const { kind, where } = this.#objects(depth, true);
    return { exists: kind, ...where };
  }

  #count(depth: number): Node {
    const reader: Reader = this.#reader;
    const test = reader.take('not exactly') ? 'is_not' : reader.take('exactly') ? 'is' : undefined;
    const tested = test ? { [test]: readNumber(reader) } : readComparison(reader);
    if (!tested) reader.refuse('"a", "no", "at least", "at most", "exactly", "over", "under" or "between"');
    const { kind, where } = this.#objects(depth, true);
    return { count: kind, ...where, ...tested };
  }

  #ofObjects(form: string, depth: number): Node {
    const reader: Reader = this.#reader;
    // Whose field it is stands behind it: the longest name that any kind of object has is meant.
    const mark = reader.mark();
    const custom = reader.take('custom field') ? this.#text('the name of the custom field in quotes') : undefined;
    const phrase =
      custom === undefined ? reader.takeLongest(RELATED.flatMap((kind) => [...phrasesOf(kind).keys()])) : '';
    if (phrase === undefined) reader.refuse('a field of a related object');
    if (!reader.take('of')) reader.refuse('"of" and what it is a field of');
    const { kind, where } = this.#objects(depth, form === 'sum' || form === 'average');
    const name = custom === undefined ? phrasesOf(kind).get(phrase) : `${kind}.custom.${custom}`;
    if (name === undefined) {
      reader.back(mark);
      reader.refuse(`a field of the ${kind} such as ${[...phrasesOf(kind).keys()].slice(0, 5).join(', ')}`);
    }
    const added = form === 'sum' || form === 'average';
    return { [form]: name, ...where, ...readTest(reader, added ? undefined : namedField(name)) };
  }

  /** "completed jobs in the last 6 months", "jobs (amount over 100)". */
  #objects(depth: number, short: boolean): { kind: Related; where: Node } {
    const reader: Reader = this.#reader;
    const mark = reader.mark();
    let kind = this.#kind();
    let status: string | undefined;
    if (!kind) {
      status = reader.takeKind('word');
      kind = this.#kind();
      if (!kind || !namedField(`${kind}.status`)?.values?.includes(status ?? '')) {
        reader.back(mark);
        reader.refuse(`one of ${RELATED.map((one) => NOUNS[one][1]).join(', ')}, perhaps with a status in front,`);
      }
    }
    const parts: Node[] = status === undefined ? [] : [{ field: `${kind}.status`, is: status }];
    const when = short ? readDate(reader) : undefined;
    if (when) parts.push({ field: `${kind}.${MAIN_DATE[kind]}`, ...when });
    if (reader.take('(')) parts.push(this.#inParentheses(kind, depth));
    return { kind, where: parts.length === 0 ? {} : { where: parts.length === 1 ? parts[0]! : { all: parts } } };
  }

  #kind(): Related | undefined {
    const noun = this.#reader.takeLongest(RELATED.flatMap((kind) => NOUNS[kind]));
    return noun === undefined ? undefined : RELATED.find((kind) => NOUNS[kind].includes(noun));
  }

  #field(subject: Subject): { field: string; source?: string } | undefined {
    const reader: Reader = this.#reader;
    const scopes = subject === 'customer' ? (['customer', 'company'] as const) : [subject];
    for (const scope of scopes) {
      if (!reader.take(subject === 'customer' ? CUSTOM_OF[scope]! : 'custom field')) continue;
      const field = `${scope}.custom.${this.#text('the name of the custom field in quotes')}`;
      return reader.take('from') ? { field, source: this.#text('the name of a platform in quotes') } : { field };
    }
    const phrases = phrasesOf(subject);
    const found = reader.takeLongest(phrases.keys());
    return found === undefined ? undefined : { field: phrases.get(found)! };
  }

  #text(what: string): string {
    return this.#reader.takeKind('text') ?? this.#reader.refuse(what);
  }

  #segment(): string {
    const reader: Reader = this.#reader;
    const id = reader.takeKind('word');
    if (id !== undefined) return id;
    const mark = reader.mark();
    const name = this.#text('the name of a segment in quotes, or its id');
    const ids = [...(this.#names.segments ?? [])].filter(([, known]) => known === name).map(([known]) => known);
    if (ids.length === 1) return ids[0]!;
    reader.back(mark);
    return reader.refuse(
      ids.length === 0 ? 'the name of a segment there is' : 'an id, as several segments have this name,',
    );
  }

  #consent(): Node {
    const reader: Reader = this.#reader;
    const channel = reader.takeKind('word') ?? reader.refuse('a channel such as email');
    const topic = reader.take('about') ? { topic: this.#text('a topic in quotes') } : {};
    if (!reader.take('is')) reader.refuse('"is"');
    return { consent: channel, ...topic, is: reader.takeKind('word') ?? reader.refuse('granted, denied or none') };
  }

  #since(): Node {
    const reader: Reader = this.#reader;
    const acts: string[] = [];
    do {
      acts.push(reader.takeLongest(ACTS) ?? reader.refuse(`one of ${ACTS.join(', ')}`));
    } while (reader.take('or'));
    return { days_since: acts, ...readTest(reader, undefined) };
  }
}

const OVER_ALL = [
  ['total', 'sum'],
  ['average', 'average'],
  ['latest', 'latest'],
  ['earliest', 'earliest'],
] as const;
