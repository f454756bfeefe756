import { type Line, MAX_RECORD } from './lines.ts';

/** One row as text, or the line that cannot be part of one. `line` is where it starts. */
export interface FileRecord {
  line: number;
  text: string;
  problem?: string;
}

/** Whether a row with this many cells, of which those after `filled` are empty, has the shape of the file. */
export type Fits = (cells: number, filled: number) => boolean;

type Scanned =
  | { kind: 'more' }
  | { kind: 'broken'; problem: string; seen: number }
  | { kind: 'row'; lines: number; cells: number; filled: number };

const UNCLOSED = 'opens a quote that is never closed';
const STRAY = 'has text after a closing quote';

/**
 * Puts lines together to rows: a quoted cell may hold line ends. A quote that is not closed swallows every line after it;
 * such a row is given up at its first line and reading goes on at the very next one, so that the others land. What is in
 * the rows is none of its business: cells are read by the CSV library.
 */
export class RecordAssembler {
  private readonly delimiter: string;
  private readonly fits: Fits;
  private queue: Line[] = [];
  private head = 0;
  /**
   * Lines behind an abandoned row may be the inside of its text. Until one without doubt comes, and at least as far as
   * that row had swallowed lines, a quote inside of a cell is not taken for a character.
   */
  private doubtUntil = 0;
  private doubt = false;

  /** @param fits absent while the header itself is looked for */
  constructor(delimiter: string, fits: Fits = () => true) {
    this.delimiter = delimiter;
    this.fits = fits;
  }

  /** The rows that are whole with these lines. */
  take(lines: readonly Line[]): FileRecord[] {
    this.queue = [...this.queue.slice(this.head), ...lines];
    this.head = 0;
    return this.drain(false);
  }

  /** The rows left at the end of the file. */
  finish(): FileRecord[] {
    return this.drain(true);
  }

  private drain(final: boolean): FileRecord[] {
    const records: FileRecord[] = [];
    while (this.head < this.queue.length) {
      const { text, problem } = this.queue[this.head]!;
      if (problem === undefined && text === '') {
        this.head += 1;
        continue;
      }
      if (problem !== undefined || !text.includes('"')) {
        records.push(this.single());
        continue;
      }
      const scanned = this.scan(final);
      if (scanned.kind === 'more') break;
      if (scanned.kind === 'broken') records.push(this.giveUp(scanned.problem, scanned.seen));
      else if (scanned.lines > 1 && !this.fits(scanned.cells, scanned.filled)) {
        records.push(this.giveUp(`${UNCLOSED}, or has ${scanned.cells} cells`, scanned.lines));
      } else records.push(scanned.lines === 1 ? this.single() : this.join(scanned.lines));
    }
    return records;
  }

  private giveUp(problem: string, seen: number): FileRecord {
    const { number, text } = this.queue[this.head]!;
    this.doubtUntil = Math.max(this.doubtUntil, number + seen - 1);
    this.doubt = true;
    this.head += 1;
    return { line: number, text, problem };
  }

  private single(): FileRecord {
    const { number, text, problem } = this.queue[this.head]!;
    this.head += 1;
    if (number > this.doubtUntil) this.doubt = false;
    return problem === undefined ? { line: number, text } : { line: number, text, problem };
  }

  private join(lines: number): FileRecord {
    const own = this.queue.slice(this.head, this.head + lines);
    const { line } = this.single();
    this.head += lines - 1;
    const text = own.map((part, at) => (at === lines - 1 ? part.text : part.text + part.end)).join('');
    const problem = own.find((part) => part.problem !== undefined)?.problem;
    return problem === undefined ? { line, text } : { line, text, problem };
  }

  /** Looks for the end of the row that starts at the head. */
  private scan(final: boolean): Scanned {
    let at = this.head;
    let text = this.queue[at]!.text;
    let position = 0;
    let swallowed = 0;
    let cells = 1;
    let filled = 0;
    const broken = (problem: string): Scanned => ({ kind: 'broken', problem, seen: at - this.head + 1 });
    const whole = (): Scanned => ({ kind: 'row', lines: at - this.head + 1, cells, filled });

    /** Moves behind the quote that closes the cell, into later lines if need be. */
    const closeQuote = (): Scanned | undefined => {
      for (;;) {
        const quote = text.indexOf('"', position);
        if (quote === -1) {
          swallowed += text.length;
          if (swallowed > MAX_RECORD || this.queue[at]!.end === '') return broken(UNCLOSED);
          if (at + 1 === this.queue.length) return final ? broken(UNCLOSED) : { kind: 'more' };
          at += 1;
          text = this.queue[at]!.text;
          position = 0;
        } else if (text[quote + 1] === '"') position = quote + 2;
        else {
          position = quote + 1;
          return undefined;
        }
      }
    };

    for (;;) {
      if (text[position] === '"') {
        position += 1;
        const trouble = closeQuote();
        if (trouble) return trouble;
        filled = cells;
        if (position === text.length) return whole();
        if (text[position] !== this.delimiter) return broken(at === this.head ? STRAY : UNCLOSED);
      } else {
        const next = text.indexOf(this.delimiter, position);
        const end = next === -1 ? text.length : next;
        if (this.doubt && text.slice(position, end).includes('"')) return broken('holds a quote inside a cell');
        if (end > position) filled = cells;
        if (next === -1) return whole();
        position = next;
      }
      position += 1;
      cells += 1;
    }
  }
}
