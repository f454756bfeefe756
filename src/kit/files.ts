/** One row of a file, or why a line is not one. */
export type FileRow = { line: number; row: Record<string, string> } | { line: number; error: string; text: string };

export interface FileOptions {
  delimiter?: string;
  encoding?: string;
  /** Column names for a file without a header line. */
  columns?: readonly string[];
}

/** Reads rows from a file without holding it in memory. */
export interface FileReader {
  /**
   * @throws when the file as a whole cannot be read (unknown encoding, duplicate header), with a message for people
   */
  rows: (file: string, options: FileOptions) => AsyncIterable<FileRow>;
}
