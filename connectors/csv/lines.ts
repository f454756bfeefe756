import { createReadStream } from 'node:fs';
import type { Encoding } from './encoding.ts';

/** One line of a file as text, with the characters that end it. */
export interface Line {
  number: number;
  text: string;
  end: string;
  /** Why it cannot be used. */
  problem?: string;
}

/** Characters a row may have. What is longer is no row but a damaged file, and must not fill the memory. */
export const MAX_RECORD = 1024 * 1024;

const CHUNK = 128 * 1024;
const TOO_LONG = `is longer than ${MAX_RECORD / 1024} KB`;
const LF = 10;
const CR = 13;

/**
 * The lines of a file, many at a time. All three line ends count, also mixed in one file. Bytes that do not fit the
 * encoding make their own line unusable and no other.
 */
export async function* linesOf(file: string, encoding: Encoding): AsyncGenerator<Line[]> {
  const strict = new TextDecoder(encoding.label, { fatal: true, ignoreBOM: true });
  const lenient = new TextDecoder(encoding.label, { ignoreBOM: true });
  let number = 1;
  for await (const block of blocks(file, encoding)) {
    const lines: Line[] = [];
    for (const piece of decoded(block.bytes, encoding.unit, strict, lenient)) {
      const problem = block.tooLong
        ? TOO_LONG
        : piece.broken
          ? `holds bytes that are not ${encoding.label}`
          : undefined;
      number = cutLines(piece.text, problem, number, lines);
    }
    yield lines;
  }
}

/** Cuts text at its line ends. @returns the number of the next line */
function cutLines(text: string, problem: string | undefined, first: number, lines: Line[]): number {
  const zero = text.includes('\0');
  let number = first;
  let from = 0;
  let lf = text.indexOf('\n');
  let cr = text.indexOf('\r');
  while (from < text.length) {
    const at = lf === -1 ? cr : cr === -1 ? lf : Math.min(lf, cr);
    const end = at === -1 ? '' : at === cr && lf === cr + 1 ? '\r\n' : text[at]!;
    const content = text.slice(from, at === -1 ? text.length : at);
    const why = problem ?? (zero && content.includes('\0') ? 'holds a zero byte' : undefined);
    lines.push({ number, text: content, end, ...(why === undefined ? {} : { problem: why }) });
    number += 1;
    from += content.length + end.length;
    if (lf !== -1 && lf < from) lf = text.indexOf('\n', from);
    if (cr !== -1 && cr < from) cr = text.indexOf('\r', from);
  }
  return number;
}

/** Text of a block of whole lines; where it cannot be decoded it is halved until only the broken lines are left. */
function* decoded(
  bytes: Buffer,
  unit: 1 | 2,
  strict: TextDecoder,
  lenient: TextDecoder,
): Generator<{ text: string; broken: boolean }> {
  try {
    yield { text: strict.decode(bytes), broken: false };
    return;
  } catch {
    // Told below, for the line it is in.
  }
  const cut = lineEndWithin(bytes, unit);
  if (cut === 0) yield { text: lenient.decode(bytes), broken: true };
  else {
    yield* decoded(bytes.subarray(0, cut), unit, strict, lenient);
    yield* decoded(bytes.subarray(cut), unit, strict, lenient);
  }
}

/** Blocks of whole lines. Of a line without an end only the beginning is given, and the rest is passed over. */
async function* blocks(file: string, encoding: Encoding): AsyncGenerator<{ bytes: Buffer; tooLong: boolean }> {
  const { unit } = encoding;
  let rest: Buffer = Buffer.alloc(0);
  let skipping = false;
  for await (const chunk of chunks(file, encoding)) {
    let data: Buffer = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    if (skipping) {
      const cut = lineEndAfter(data, 0, unit);
      // A carriage return that ends the chunk may be half of a line end.
      data = cut === 0 ? data.subarray(data.length - unit) : data.subarray(cut);
      skipping = cut === 0;
      if (skipping) {
        rest = data;
        continue;
      }
    }
    const cut = lineEndBefore(data, data.length, unit);
    if (cut > 0) yield { bytes: data.subarray(0, cut), tooLong: false };
    rest = data.subarray(cut);
    if (rest.length > MAX_RECORD * unit) {
      yield { bytes: rest.subarray(0, 4096), tooLong: true };
      rest = Buffer.alloc(0);
      skipping = true;
    }
  }
  if (rest.length > 0 && !skipping) yield { bytes: rest, tooLong: false };
}

/** The bytes after the mark, in whole units of little-endian order. */
async function* chunks(file: string, encoding: Encoding): AsyncGenerator<Buffer> {
  let odd: Buffer = Buffer.alloc(0);
  for await (const read of createReadStream(file, { start: encoding.start, highWaterMark: CHUNK })) {
    if (encoding.unit === 1) {
      yield read as Buffer;
      continue;
    }
    const all = Buffer.concat([odd, read as Buffer]);
    const whole = all.length - (all.length % 2);
    odd = all.subarray(whole);
    yield encoding.swap ? all.subarray(0, whole).swap16() : all.subarray(0, whole);
  }
  if (odd.length > 0) yield odd;
}

const unitAt = (data: Buffer, at: number, unit: 1 | 2): number | undefined =>
  unit === 1 ? data[at] : at + 1 < data.length ? data.readUInt16LE(at) : undefined;

/** Index after the line end that begins at `at`; 0 when none does or when it may go on after the data. */
function lineEndAt(data: Buffer, at: number, unit: 1 | 2): number {
  const here = unitAt(data, at, unit);
  if (here === LF) return at + unit;
  if (here !== CR || at + unit >= data.length) return 0;
  return unitAt(data, at + unit, unit) === LF ? at + 2 * unit : at + unit;
}

function lineEndAfter(data: Buffer, from: number, unit: 1 | 2): number {
  for (let at = from; at < data.length; at += unit) {
    const end = lineEndAt(data, at, unit);
    if (end > 0) return end;
  }
  return 0;
}

function lineEndBefore(data: Buffer, before: number, unit: 1 | 2): number {
  for (let at = before - (before % unit) - unit; at >= 0; at -= unit) {
    const end = lineEndAt(data, at, unit);
    if (end > 0) return end;
  }
  return 0;
}

/** A line end near the middle with lines on both sides of it; 0 when there is only one line. */
function lineEndWithin(data: Buffer, unit: 1 | 2): number {
  const before = lineEndBefore(data, Math.floor(data.length / 2), unit);
  if (before > 0 && before < data.length) return before;
  const after = lineEndAfter(data, 0, unit);
  return after < data.length ? after : 0;
}
