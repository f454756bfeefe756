import { open } from 'node:fs/promises';

/** How the bytes of a file become text. */
export interface Encoding {
  /** Label for `TextDecoder`; 16-bit text is brought into little-endian order before it is decoded. */
  label: string;
  /** Bytes of the mark at the start, which is no part of the text. */
  start: number;
  /** Bytes in which a line end is looked for. */
  unit: 1 | 2;
  swap: boolean;
}

/** As much as is looked at before the encoding is decided. */
const HEAD = 1024 * 1024;

const MARKS: readonly { bytes: readonly number[]; label: string }[] = [
  { bytes: [0xef, 0xbb, 0xbf], label: 'utf-8' },
  { bytes: [0xff, 0xfe], label: 'utf-16le' },
  { bytes: [0xfe, 0xff], label: 'utf-16be' },
];

// Files people upload by mistake: a spreadsheet as it is, instead of its export.
const PACKED: readonly { bytes: readonly number[]; what: string }[] = [
  { bytes: [0x50, 0x4b, 0x03, 0x04], what: 'an Excel workbook or another packed file' },
  { bytes: [0xd0, 0xcf, 0x11, 0xe0], what: 'an old Excel workbook' },
  { bytes: [0x25, 0x50, 0x44, 0x46], what: 'a PDF document' },
];

const startsWith = (head: Buffer, bytes: readonly number[]): boolean => bytes.every((byte, at) => head[at] === byte);

/**
 * The encoding of a file: the one that is asked for, else the one its mark names, else UTF-8 or Windows-1252 by its first
 * megabyte.
 * @throws Error in words when it is no text or the name of the encoding is not known
 */
export async function encodingOf(file: string, wanted?: string): Promise<Encoding> {
  const head = await readHead(file);
  const packed = PACKED.find(({ bytes }) => startsWith(head, bytes));
  if (packed) throw new Error(`it is ${packed.what}, not a CSV file; save it as "CSV UTF-8" first`);
  const mark = MARKS.find(({ bytes }) => startsWith(head, bytes));
  const label = wanted === undefined ? (mark?.label ?? guess(head)) : labelOf(wanted);
  return {
    label: label === 'utf-16be' ? 'utf-16le' : label,
    start: mark?.label === label ? mark.bytes.length : 0,
    unit: label.startsWith('utf-16') ? 2 : 1,
    swap: label === 'utf-16be',
  };
}

function labelOf(wanted: string): string {
  try {
    return new TextDecoder(wanted).encoding;
  } catch {
    throw new Error(
      `the encoding "${wanted}" is not known; use utf-8, windows-1252, utf-16le or another standard name`,
    );
  }
}

async function readHead(file: string): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const size = Math.min(HEAD, (await handle.stat()).size);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function guess(head: Buffer): string {
  refuseUnmarked16Bit(head);
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true });
    return 'utf-8';
  } catch {
    return mostlyUtf8(head) ? 'utf-8' : 'windows-1252';
  }
}

/**
 * One broken byte must not turn every other umlaut of a UTF-8 file into two wrong letters: text in an 8-bit encoding holds
 * next to no sequences that are valid UTF-8 by chance.
 */
function mostlyUtf8(head: Buffer): boolean {
  let right = 0;
  let wrong = 0;
  for (const character of new TextDecoder('utf-8').decode(head, { stream: true })) {
    if (character === '\ufffd') wrong += 1;
    else if (character > '\u007f') right += 1;
  }
  return right > wrong;
}

function refuseUnmarked16Bit(head: Buffer): void {
  const sample = head.subarray(0, 4096);
  const zeros = [0, 0];
  sample.forEach((byte, at) => {
    if (byte === 0) zeros[at % 2]! += 1;
  });
  const label = zeros[1]! > sample.length / 6 ? 'utf-16le' : zeros[0]! > sample.length / 6 ? 'utf-16be' : undefined;
  if (label) throw new Error(`it looks like ${label} without the mark at its start; give the encoding "${label}"`);
}
