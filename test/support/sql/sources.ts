/** A statement as it stands in the source: what is fixed of its text, in order, and where. */
export interface Pattern {
  where: string;
  /** Matches every text that can come of it. */
  text: RegExp;
  /** What is fixed of it. */
  fixed: string;
  /** Texts that may come of it: itself when it is always the same, otherwise with something put where parts are missing. */
  possible: string[];
}

const CALL = /\.query(?:<(?:[^<>()]|<[^<>]*>|\{[^}]*\}|\([^)]*\))*>)?\(\s*/g;

/** The texts handed to `.query(` as a literal. A text from a variable is not found here. */
export function patternsIn(file: string, source: string): Pattern[] {
  return [...source.matchAll(CALL)].flatMap((call) => {
    const start = call.index + call[0].length;
    const quote = source[start];
    if (quote !== "'" && quote !== '"' && quote !== '`') return [];
    const fixed = fixedParts(source, start + 1, quote);
    const line = source.slice(0, start).split('\n').length;
    const parts = fixed.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return [
      {
        where: `${file}:${line} ${fixed.join('…').slice(0, 70)}`,
        text: new RegExp(`^${parts.join('[\\s\\S]*')}$`),
        fixed: fixed.join('…'),
        possible: TABLES.map((table) => completed(fixed, table)),
      },
    ];
  });
}

/** Tables that most statements about tables fit. */
const TABLES = ['customer', 'contact_projection'];

/** Where a table is missing gets the table, elsewhere all columns are meant. */
const completed = (fixed: readonly string[], table: string): string =>
  fixed.reduce((text, part) => `${text}${/\b(from|join|into|update)\s+$/i.test(text) ? table : '*'}${part}`);

/** What stands between the expressions of a literal. */
function fixedParts(source: string, start: number, quote: string): string[] {
  const parts: string[] = [];
  let part = '';
  for (let at = start; at < source.length; at++) {
    const letter = source[at]!;
    if (letter === quote) return [...parts, part];
    if (letter === '\\') {
      const next = source[++at]!;
      part += next === 'n' ? '\n' : next;
    } else if (quote === '`' && letter === '$' && source[at + 1] === '{') {
      parts.push(part);
      part = '';
      at = endOfExpression(source, at + 2);
    } else part += letter;
  }
  throw new Error('A literal does not end.');
}

/** Where the bracket is that closes an expression; literals within it may hold expressions of their own. */
function endOfExpression(source: string, start: number): number {
  let depth = 1;
  for (let at = start; at < source.length; at++) {
    const letter = source[at]!;
    if (letter === '{') depth += 1;
    else if (letter === '}' && --depth === 0) return at;
    else if (letter === "'" || letter === '"') at = source.indexOf(letter, at + 1);
    else if (letter === '`') {
      for (at += 1; source[at] !== '`'; at++)
        if (source[at] === '$' && source[at + 1] === '{') at = endOfExpression(source, at + 2);
    }
  }
  throw new Error('An expression does not end.');
}
