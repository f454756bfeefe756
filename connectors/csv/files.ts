import { parse } from 'csv-parse/sync';
import type { FileReader, FileRow } from '../../src/kit/index.ts';
import { exportRows } from './export.ts';
import { type Layout, layoutOf } from './layout.ts';
import { linesOf, MAX_RECORD } from './lines.ts';
import { type FileRecord, RecordAssembler } from './records.ts';

/** Characters of a broken row that are kept to show. */
const SHOWN = 500;

/** Reads files of other people: every encoding, delimiter and accident that was met. See QUIRKS.md. */
export const csvFiles: FileReader = {
  columns: async (file, options) => (await layoutOf(file, options, cellsOfOne)).columns,
  rows: async function* (file, options) {
    const layout = await layoutOf(file, options, cellsOfOne);
    const assembler = new RecordAssembler(layout.delimiter, (cells, filled) => fits(layout, cells, filled));
    for await (const lines of linesOf(file, layout.encoding)) {
      yield* rowsOf(assembler.take(lines.filter((line) => line.number > layout.headEnds)), layout);
    }
    yield* rowsOf(assembler.finish(), layout);
  },
  write: exportRows,
};

const fits = (layout: Layout, cells: number, filled: number): boolean =>
  cells >= layout.columns.length - layout.optional && filled <= layout.columns.length;

function parseCells(text: string, delimiter: string): string[][] {
  return parse(text, {
    delimiter,
    relax_column_count: true,
    // Inches in a cell without quotes; what stands after a closing quote was refused before.
    relax_quotes: true,
    record_delimiter: ['\r\n', '\n', '\r'],
    max_record_size: MAX_RECORD * 4,
  });
}

const cellsOfOne = (text: string, delimiter: string): string[] => parseCells(text, delimiter)[0] ?? [];

/** Cells of many rows at once; one by one where the library does not see as many rows in the text. */
function cellsOf(texts: readonly string[], delimiter: string): (string[] | { error: string })[] {
  try {
    const all = parseCells(texts.join('\n'), delimiter);
    if (all.length === texts.length) return all;
  } catch {
    // Told below, for the row it is in.
  }
  return texts.map((text) => {
    try {
      const found = parseCells(text, delimiter);
      return found.length === 1 ? found[0]! : { error: 'cannot be told apart from its neighbours' };
    } catch (error) {
      return { error: `cannot be read: ${(error as Error).message}` };
    }
  });
}

function* rowsOf(records: readonly FileRecord[], layout: Layout): Generator<FileRow> {
  const good = records.filter((record) => record.problem === undefined);
  const cells = cellsOf(
    good.map((record) => record.text),
    layout.delimiter,
  );
  let next = 0;
  for (const record of records) {
    const { line, text, problem } = record;
    if (problem !== undefined) {
      yield { line, error: problem, text: shown(text) };
      continue;
    }
    const found = cells[next++]!;
    if ('error' in found) yield { line, error: found.error, text: shown(text) };
    else if (found.every((cell) => cell.trim() === '')) continue;
    else if (!fits(layout, found.length, filledCells(found))) {
      const error = `has ${found.length} ${found.length === 1 ? 'cell' : 'cells'} where the header has ${layout.columns.length}`;
      yield { line, error, text: shown(text) };
    } else {
      // fromEntries makes own properties of any name: a column called __proto__ is a column.
      yield { line, row: Object.fromEntries(layout.columns.map((name, at) => [name, found[at] ?? ''])) };
    }
  }
}

const filledCells = (cells: readonly string[]): number => cells.findLastIndex((cell) => cell !== '') + 1;

/** The beginning of a text in characters that can be stored. */
const shown = (text: string): string =>
  (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text).toWellFormed().replaceAll('\0', '␀');
