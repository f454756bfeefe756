import { stringify } from 'csv-stringify/sync';

/**
 * A value as a cell that a spreadsheet program shows and does not run: what it would take for a formula gets an
 * apostrophe in front. Reading keeps cells as they are, so this is for writing only.
 */
export function exportCell(value: unknown): string {
  const text =
    value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

/** A CSV file for people, piece by piece: with the mark by which Excel knows UTF-8, and CRLF as RFC 4180 wants it. */
export async function* exportRows(
  columns: readonly string[],
  rows: Iterable<readonly unknown[]> | AsyncIterable<readonly unknown[]>,
): AsyncGenerator<string> {
  const line = (cells: readonly unknown[]): string =>
    stringify([cells.map(exportCell)], { record_delimiter: 'windows', quoted_match: /[\r\n]/ });
  yield `\ufeff${line(columns)}`;
  for await (const row of rows) yield line(row);
}
