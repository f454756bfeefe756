import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import type { Sandbox, SandboxOptions } from '../../src/kit/index.ts';
import { samplePeople } from '../../src/kit/sandbox/index.ts';

export type FileEncoding = 'utf-8' | 'utf-8-bom' | 'utf-16le' | 'utf-16be' | 'windows-1252';

/** How somebody's program writes its export. */
export interface ExportStyle {
  encoding?: FileEncoding;
  delimiter?: string;
  lineEnd?: '\n' | '\r\n' | '\r';
  /** A delimiter after the last cell of every line. */
  trailingDelimiter?: boolean;
  /** Lines that are not CSV, written as they are after so many rows (the header is row 1). */
  broken?: readonly { afterRow: number; line: string | Buffer }[];
}

/** A simulation of other people's exports: files in a folder of its own, well or badly made. */
export interface CsvSandbox extends Sandbox {
  folder: string;
  /** Writes a file from its header and rows. @returns its path */
  write(name: string, rows: readonly (readonly string[])[], style?: ExportStyle): Promise<string>;
  /** Writes a file of exactly these bytes. @returns its path */
  raw(name: string, content: string | Buffer): Promise<string>;
  /** Writes an export of about that size, good rows only. @returns its path and how many rows it has */
  big(megabytes: number, name?: string): Promise<{ file: string; rows: number }>;
}

/** Makes the folder. Nothing listens anywhere: files have no vendor. */
export async function start(_options?: SandboxOptions): Promise<CsvSandbox> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rapport-simulated-exports-'));
  const counts = { 'files written': 0, 'rows written': 0 };
  const raw = async (name: string, content: string | Buffer): Promise<string> => {
    const file = path.join(folder, name);
    await writeFile(file, content);
    counts['files written'] += 1;
    return file;
  };
  return {
    hosts: {},
    folder,
    raw,
    write: (name, rows, style = {}) => {
      counts['rows written'] += Math.max(0, rows.length - 1);
      return raw(name, asBytes(rows, style));
    },
    big: async (megabytes, name = `big-${megabytes}.csv`) => {
      const file = path.join(folder, name);
      const rows = await writeBig(file, megabytes * 1024 * 1024);
      counts['files written'] += 1;
      counts['rows written'] += rows;
      return { file, rows };
    },
    report: () => ({ ...counts }),
    // Files have no vendor: nothing is asked for, nothing posted, and nobody refuses.
    trial: { streams: {}, actions: {}, refusals: { unavailable: () => ({ kind: 'cut' }) }, calls: () => [] },
    deeds: [
      {
        name: 'write',
        title: 'Write a file',
        fields: () => ({ name: 'contacts.csv', rows: '100' }),
        act: async ({ name = '', rows }) => {
          const wanted = Number(rows);
          if (!/^[\w-]+\.csv$/.test(name)) throw new Error(`"${name}" is no name of a CSV file.`);
          if (!(wanted >= 1 && wanted <= 100_000)) throw new Error('A file has 1 to 100,000 rows.');
          counts['rows written'] += wanted;
          return `There is ${await raw(name, asBytes(contacts(wanted), {}))} now.`;
        },
      },
    ],
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}

/** People as a shop's program would export them. */
const contacts = (count: number): string[][] => [
  ['id', 'first_name', 'last_name', 'email', 'phone'],
  ...samplePeople(count).map(({ first, last, email, phone }, at) => [String(at + 1), first, last, email, phone]),
];

function asBytes(rows: readonly (readonly string[])[], style: ExportStyle): Buffer {
  const { encoding = 'utf-8', delimiter = ',', lineEnd = '\n' } = style;
  const needsQuotes = (cell: string): boolean => /["\r\n]/.test(cell) || cell.includes(delimiter);
  const quoted = (cell: string): string => (needsQuotes(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  const parts = rows.flatMap((row, at) => {
    const line = row.map(quoted).join(delimiter) + (style.trailingDelimiter ? delimiter : '') + lineEnd;
    const broken = style.broken?.filter(({ afterRow }) => afterRow === at + 1) ?? [];
    return [
      encode(line, encoding),
      ...broken.flatMap((item) => [toBytes(item.line, encoding), encode(lineEnd, encoding)]),
    ];
  });
  return Buffer.concat([MARKS[encoding], ...parts]);
}

const MARKS: Record<FileEncoding, Buffer> = {
  'utf-8': Buffer.alloc(0),
  'utf-8-bom': Buffer.from([0xef, 0xbb, 0xbf]),
  'utf-16le': Buffer.from([0xff, 0xfe]),
  'utf-16be': Buffer.from([0xfe, 0xff]),
  'windows-1252': Buffer.alloc(0),
};

const toBytes = (line: string | Buffer, encoding: FileEncoding): Buffer =>
  typeof line === 'string' ? encode(line, encoding) : line;

function encode(text: string, encoding: FileEncoding): Buffer {
  if (encoding === 'utf-16le') return Buffer.from(text, 'utf16le');
  if (encoding === 'utf-16be') return Buffer.from(text, 'utf16le').swap16();
  if (encoding === 'windows-1252') return Buffer.from([...text].map(windows1252Byte));
  return Buffer.from(text);
}

// The characters in which Windows-1252 differs from Latin-1, by its byte.
const WINDOWS = new TextDecoder('windows-1252').decode(Uint8Array.from({ length: 32 }, (_, at) => 0x80 + at));

function windows1252Byte(character: string): number {
  const special = WINDOWS.indexOf(character);
  return special === -1 ? character.charCodeAt(0) & 0xff : 0x80 + special;
}

/** Order lines with quotes, line ends and umlauts in their cells, as a shop would export them. */
async function writeBig(file: string, bytes: number): Promise<number> {
  const stream = createWriteStream(file);
  stream.write('id,customer,note,amount\n');
  let size = 0;
  let rows = 0;
  while (size < bytes) {
    let piece = '';
    for (let at = 0; at < 1000; at++) {
      rows += 1;
      const note =
        rows % 50 === 0 ? `"leave at the door,\nring ""twice"", Müller ${rows}"` : `order ${rows} of the year`;
      piece += `${rows},customer-${rows % 997}@example.com,${note},${(rows % 10_000) / 100}\n`;
    }
    size += Buffer.byteLength(piece);
    if (!stream.write(piece)) await once(stream, 'drain');
  }
  stream.end();
  await finished(stream);
  return rows;
}
