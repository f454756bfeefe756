/** One row of a file, or why a line is not one. `line` is the line of the file at which it starts. */
export type FileRow = { line: number; row: Record<string, string> } | { line: number; error: string; text: string };

export interface FileOptions {
  delimiter?: string;
  encoding?: string;
  /** Column names for a file without a header line. */
  columns?: readonly string[];
}

/**
 * Reads rows from a file without holding it in memory, and writes rows for people.
 * Reading throws when the file as a whole cannot be read (unknown encoding, duplicate header), with a message for people.
 */
export interface FileReader {
  /** Names of the columns, in the order of the file. */
  columns: (file: string, options: FileOptions) => Promise<string[]>;
  rows: (file: string, options: FileOptions) => AsyncIterable<FileRow>;
  /** Text of a file piece by piece, safe to be opened in a spreadsheet program whatever the cells hold. */
  write: (
    columns: readonly string[],
    rows: Iterable<readonly unknown[]> | AsyncIterable<readonly unknown[]>,
  ) => AsyncIterable<string>;
}
