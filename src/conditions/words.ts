/** One word, number, date or quoted text of a sentence. */
export interface Token {
  kind: 'word' | 'number' | 'date' | 'text' | 'sign';
  /** As compared: words as they stand, texts without their quotes. */
  text: string;
  /** Where it begins, counted from 0. */
  at: number;
}

/** What could not be read, and where. */
export class SentenceError extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const TOKEN = new RegExp(
  `\\s+|(?<uuid>${UUID})|(?<date>\\d{4}-\\d{2}-\\d{2})(?![\\w-])|(?<number>-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)(?![\\w])|(?<text>"(?:[^"\\\\]|\\\\.)*")|(?<word>[A-Za-z_]\\w*)|(?<sign>[(),])`,
  'suy',
);

/** The parts of a sentence. @throws SentenceError at what is no part of any */
export function tokensOf(sentence: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < sentence.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const { groups } = TOKEN.exec(sentence) ?? {};
    if (groups === undefined) {
      const open = sentence[at] === '"';
      throw new SentenceError(
        open
          ? 'a text begins here and its closing quote is missing'
          : `"${sentence.slice(at, at + 20)}" cannot be read`,
        at,
      );
    }
    const { uuid, date, number, text, word, sign } = groups;
    if (text !== undefined) tokens.push({ kind: 'text', text: unquoted(text, at), at });
    else if (uuid ?? word) tokens.push({ kind: 'word', text: (uuid ?? word)!, at });
    else if (date) tokens.push({ kind: 'date', text: date, at });
    else if (number) tokens.push({ kind: 'number', text: number, at });
    else if (sign) tokens.push({ kind: 'sign', text: sign, at });
  }
  return tokens;
}

function unquoted(text: string, at: number): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    throw new SentenceError('this text is not written as in JSON: \\" stands for a quote, \\\\ for a backslash', at);
  }
}

/** Reads along the parts of a sentence. */
export class Reader {
  readonly #tokens: readonly Token[];
  readonly #length: number;
  #next = 0;

  constructor(sentence: string) {
    this.#tokens = tokensOf(sentence);
    this.#length = sentence.length;
  }

  get done(): boolean {
    return this.#next >= this.#tokens.length;
  }

  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#next + ahead];
  }

  /** Whether the next words are these, whatever their case; then they are behind us. */
  take(words: string): boolean {
    const wanted = words.split(' ');
    const fits = wanted.every((word, ahead) => {
      const token = this.peek(ahead);
      return (
        token !== undefined &&
        (token.kind === 'word' || token.kind === 'sign') &&
        token.text.toLowerCase() === word.toLowerCase()
      );
    });
    if (fits) this.#next += wanted.length;
    return fits;
  }

  /** The next part if it is of the kind. */
  takeKind(kind: Token['kind']): string | undefined {
    const token = this.peek();
    if (token?.kind !== kind) return undefined;
    this.#next += 1;
    return token.text;
  }

  /** The longest of these phrases that stands next. */
  takeLongest(phrases: Iterable<string>): string | undefined {
    let found: string | undefined;
    const start = this.#next;
    for (const phrase of phrases) {
      if (found !== undefined && phrase.split(' ').length <= found.split(' ').length) continue;
      if (this.take(phrase)) found = phrase;
      this.#next = start;
    }
    if (found !== undefined) this.take(found);
    return found;
  }

  /** Where to come back to with `back`. */
  mark(): number {
    return this.#next;
  }

  back(mark: number): void {
    this.#next = mark;
  }

  /** @throws SentenceError saying what should stand here */
  refuse(expected: string): never {
    const token = this.peek();
    throw new SentenceError(
      `${expected} expected, ${token ? `"${token.text.slice(0, 40)}" found` : 'but the sentence ends'}`,
      token?.at ?? this.#length,
    );
  }
}
