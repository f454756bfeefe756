import type { FileOptions } from '../../src/kit/index.ts';
import { type Encoding, encodingOf } from './encoding.ts';
import { type Line, linesOf } from './lines.ts';
import { RecordAssembler } from './records.ts';

/** How a file is built, found out from its beginning. */
export interface Layout {
  encoding: Encoding;
  delimiter: string;
  /** Names of the columns; those without one are called by their place. */
  columns: string[];
  /** Columns at the end without a name: a row may leave them out. */
  optional: number;
  /** Last line of what stands before the first row. */
  headEnds: number;
}

const DELIMITERS = [',', ';', '\t', '|'];
const SAMPLE_LINES = 20;

/**
 * Looks at the beginning of a file.
 * @param cellsOf reads the cells of one row of text
 * @throws Error in words when the file as a whole cannot be read
 */
export async function layoutOf(
  file: string,
  options: FileOptions,
  cellsOf: (text: string, delimiter: string) => string[],
): Promise<Layout> {
  const encoding = await encodingOf(file, options.encoding);
  const sample = await firstLines(file, encoding);
  // Excel's own way to name the delimiter.
  const told = /^"?sep=(.)"?$/i.exec(sample[0]?.text ?? '')?.[1];
  const delimiter = options.delimiter ?? told ?? delimiterOf(sample.map((line) => line.text));
  const before = told === undefined ? 0 : sample[0]!.number;
  if (options.columns) {
    if (sample.length === 0) throw new Error('it is empty');
    return { encoding, delimiter, columns: checked(options.columns), optional: 0, headEnds: before };
  }
  const header = await firstRecord(file, encoding, delimiter, before);
  if (!header) throw new Error('it is empty');
  if (header.problem !== undefined) throw new Error(`its header line cannot be read: it ${header.problem}`);
  const names = cellsOf(header.text, delimiter).map((name) => name.trim());
  if (names.every((name) => name === '')) throw new Error('its first line has no column names');
  const columns = checked(names.map((name, at) => (name === '' ? `column ${at + 1}` : name)));
  const optional = [...names].reverse().findIndex((name) => name !== '');
  return { encoding, delimiter, columns, optional, headEnds: header.line + header.text.split(/\r\n|\n|\r/).length - 1 };
}

function checked(names: readonly string[]): string[] {
  names.forEach((name, at) => {
    const first = names.indexOf(name);
    if (first === at) return;
    throw new Error(`two columns are called "${name}" (columns ${first + 1} and ${at + 1}); rename one of them`);
  });
  return [...names];
}

async function firstLines(file: string, encoding: Encoding): Promise<Line[]> {
  const sample: Line[] = [];
  for await (const lines of linesOf(file, encoding)) {
    sample.push(...lines.filter((line) => line.text.trim() !== ''));
    if (sample.length >= SAMPLE_LINES) break;
  }
  return sample.slice(0, SAMPLE_LINES);
}

async function firstRecord(file: string, encoding: Encoding, delimiter: string, after: number) {
  const assembler = new RecordAssembler(delimiter);
  for await (const lines of linesOf(file, encoding)) {
    const [first] = assembler.take(lines.filter((line) => line.number > after && line.text.trim() !== ''));
    if (first) return first;
  }
  return assembler.finish()[0];
}

/** The delimiter that stands in the most lines as often as in the header, outside of quotes. */
function delimiterOf(texts: readonly string[]): string {
  let best = { delimiter: ',', lines: 0, count: 0 };
  for (const delimiter of DELIMITERS) {
    const counts = countOutsideQuotes(texts, delimiter);
    const count = counts[0] ?? 0;
    const lines = counts.filter((other) => other === count).length;
    if (count > 0 && (lines > best.lines || (lines === best.lines && count > best.count))) {
      best = { delimiter, lines, count };
    }
  }
  return best.delimiter;
}

/** Counts per row: a quoted cell that goes on in the next line keeps it in the same count. */
function countOutsideQuotes(texts: readonly string[], delimiter: string): number[] {
  const counts: number[] = [];
  let quoted = false;
  for (const text of texts) {
    if (!quoted) counts.push(0);
    for (const character of text) {
      if (character === '"') quoted = !quoted;
      else if (character === delimiter && !quoted) counts[counts.length - 1]! += 1;
    }
  }
  return counts;
}
