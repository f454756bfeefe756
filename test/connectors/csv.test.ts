import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import csv from '../../connectors/csv/connector.ts';
import { exportCell } from '../../connectors/csv/export.ts';
import { csvFiles } from '../../connectors/csv/files.ts';
import { type CsvSandbox, type FileEncoding, start } from '../../connectors/csv/sandbox.ts';
import type { Connector, FileOptions, FileRow } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';

let exports: CsvSandbox;

beforeAll(async () => {
  exports = await start();
});

afterAll(async () => {
  await exports?.stop();
});

async function read(file: string, options: FileOptions = {}): Promise<FileRow[]> {
  const rows: FileRow[] = [];
  for await (const row of csvFiles.rows(file, options)) rows.push(row);
  return rows;
}

const readRaw = async (content: string | Buffer, options: FileOptions = {}): Promise<FileRow[]> =>
  read(await exports.raw('some.csv', content), options);

const cells = (rows: readonly FileRow[]): string[][] =>
  rows.map((item) => ('row' in item ? Object.values(item.row) : [`! ${item.error}`]));

const HEADER = ['id', 'name', 'city'];

test('csv: quotes, commas and line ends inside cells come back as they were', async () => {
  const rows = [
    ['1', 'Müller, "Söhne"', 'Köln'],
    ['2', 'two\nlines\r\nand a third', ''],
    ['3', '  spaces stay  ', '\ttab'],
    ['4', '""', "'"],
  ];
  const found = await read(await exports.write('quotes.csv', [HEADER, ...rows]));
  expect(cells(found)).toEqual(rows);
  // The second row takes three lines of the file.
  expect(found.map((item) => item.line)).toEqual([2, 3, 6, 7]);
});

test.each<FileEncoding>(['utf-8', 'utf-8-bom', 'utf-16le', 'utf-16be', 'windows-1252'])(
  'csv: %s is recognised',
  async (encoding) => {
    const rows = [
      ['1', 'Zoë Müller', 'Düsseldorf'],
      ['2', '€ 12,50 – “quoted”', 'São Paulo'],
    ];
    for (const delimiter of [',', ';', '\t', '|']) {
      const file = await exports.write('encoded.csv', [HEADER, ...rows], { encoding, delimiter, lineEnd: '\r\n' });
      expect(await csvFiles.columns(file, {})).toEqual(HEADER);
      expect(cells(await read(file))).toEqual(rows);
    }
  },
);

test('csv: an encoding that is guessed wrongly can be named, an unknown one is refused', async () => {
  const file = await exports.raw(
    'cp1250.csv',
    Buffer.from([...Buffer.from('id,name\n1,'), 0x8a, ...Buffer.from('koda\n')]),
  );
  expect(cells(await read(file, { encoding: 'windows-1250' }))).toEqual([['1', 'Škoda']]);
  await expect(read(file, { encoding: 'klingon' })).rejects.toThrow('the encoding "klingon" is not known');
});

test('csv: 16-bit text without a mark is named, not read as letters with zeros between them', async () => {
  const file = await exports.raw('unmarked.csv', Buffer.from('id,name\n1,Ann\n2,Bob\n', 'utf16le'));
  await expect(read(file)).rejects.toThrow('it looks like utf-16le without the mark at its start');
  expect(cells(await read(file, { encoding: 'utf-16le' }))).toEqual([
    ['1', 'Ann'],
    ['2', 'Bob'],
  ]);
});

test('csv: the delimiter is the one outside of quotes', async () => {
  const file = await exports.raw('semicolons.csv', 'name;amount\n"Smith, John";1,50\n"Doe, Jane, Dr.";2,75\nPlain;3\n');
  expect(cells(await read(file))).toEqual([
    ['Smith, John', '1,50'],
    ['Doe, Jane, Dr.', '2,75'],
    ['Plain', '3'],
  ]);
  const told = await exports.raw('told.csv', 'sep=|\r\nname|note\r\nAnn|a,b,c\r\n');
  expect(await read(told)).toEqual([{ line: 3, row: { name: 'Ann', note: 'a,b,c' } }]);
  const single = await exports.raw('single.csv', 'email\nann@example.com\nbob@example.com\n');
  expect(cells(await read(single))).toEqual([['ann@example.com'], ['bob@example.com']]);
});

test('csv: every line end is one, also all of them in one file', async () => {
  for (const lineEnd of ['\n', '\r\n', '\r'] as const) {
    const file = await exports.write('ends.csv', [HEADER, ['1', 'a', 'b'], ['2', 'c\nd', 'e']], { lineEnd });
    expect(await read(file)).toEqual([
      { line: 2, row: { id: '1', name: 'a', city: 'b' } },
      { line: 3, row: { id: '2', name: 'c\nd', city: 'e' } },
    ]);
  }
  const mixed = await readRaw('id,name\n1,a\r\n2,b\r3,c\n\r\n4,d');
  expect(mixed.map((item) => [item.line, 'row' in item && item.row.name])).toEqual([
    [2, 'a'],
    [3, 'b'],
    [4, 'c'],
    [6, 'd'],
  ]);
});

test('csv: a row with too few or too many cells is an error with its line, the others land', async () => {
  const file = await exports.write('count.csv', [HEADER, ['1', 'a', 'b'], ['2', 'c', 'd'], ['3', 'e', 'f']], {
    broken: [
      { afterRow: 2, line: 'too,few' },
      { afterRow: 3, line: 'one,too,many,cells' },
    ],
  });
  expect(await read(file)).toEqual([
    { line: 2, row: { id: '1', name: 'a', city: 'b' } },
    { line: 3, error: 'has 2 cells where the header has 3', text: 'too,few' },
    { line: 4, row: { id: '2', name: 'c', city: 'd' } },
    { line: 5, error: 'has 4 cells where the header has 3', text: 'one,too,many,cells' },
    { line: 6, row: { id: '3', name: 'e', city: 'f' } },
  ]);
});

test('csv: a quote that is never closed costs one row, wherever it stands', async () => {
  const middle = await readRaw('id,name,city\n1,"open,here\n2,good,a\n3,"two\nlines",b\n4,good,c\n');
  expect(cells(middle)).toEqual([
    ['! opens a quote that is never closed'],
    ['2', 'good', 'a'],
    ['3', 'two\nlines', 'b'],
    ['4', 'good', 'c'],
  ]);
  expect(middle.map((item) => item.line)).toEqual([2, 3, 4, 6]);
  const last = await readRaw('id,name,city\n1,a,b\n2,"open,c\n3,good,d\n4,good,e');
  expect(cells(last)).toEqual([
    ['1', 'a', 'b'],
    ['! opens a quote that is never closed'],
    ['3', 'good', 'd'],
    ['4', 'good', 'e'],
  ]);
  // Closed by the quote of a later row, whose cells then do not add up.
  const swallowed = await readRaw('id,name,city\n1,"open,b\n2,c,d\n3,e,f"\n4,g,h\n');
  expect(cells(swallowed).at(-1)).toEqual(['4', 'g', 'h']);
  expect(cells(swallowed)).toContainEqual(['2', 'c', 'd']);
});

test('csv: an unclosed quote before megabytes of good rows is given up within bounds', async () => {
  const { file, rows } = await exports.big(3);
  const { readFile } = await import('node:fs/promises');
  const [header, ...rest] = (await readFile(file, 'utf8')).split('\n');
  // Without another quote behind it nothing tells that the cell does not go on to the end of the file.
  const plain = rest.filter((line) => !line.includes('"') && line.split(',').length === 4);
  const found = await readRaw([header, '0,ann@example.com,"open,1', ...plain].join('\n'));
  expect(found[0]).toMatchObject({ line: 2, error: 'opens a quote that is never closed' });
  expect(found.filter((item) => 'row' in item)).toHaveLength(plain.length);
  expect(plain.length).toBeGreaterThan(rows / 2);
});

test('csv: the inside of a broken cell is not taken for a row', async () => {
  const found = await readRaw('id,note\n1,"he said\n2,"fake" row\nand left",x\n3,good\n');
  expect(found.filter((item) => 'row' in item)).toEqual([{ line: 5, row: { id: '3', note: 'good' } }]);
});

test('csv: a quote inside of a cell without quotes is a character, text behind a closing quote an error', async () => {
  const found = await readRaw('id,name\n1,12" pipe\n2,"bad"tail\n3,ok\n');
  expect(cells(found)).toEqual([['1', '12" pipe'], ['! has text after a closing quote'], ['3', 'ok']]);
});

test('csv: a byte that is no UTF-8 makes its own row an error, not the file and not another letter', async () => {
  const { file, rows } = await exports.big(2);
  const { readFile } = await import('node:fs/promises');
  const good = await readFile(file);
  // Behind the first megabyte, by which the encoding is known.
  const at = good.indexOf('\n', 1_500_000) + 1;
  const bad = Buffer.concat([
    good.subarray(0, at),
    Buffer.from('x,y,'),
    Buffer.from([0xff]),
    Buffer.from(',1\n'),
    good.subarray(at),
  ]);
  const found = await readRaw(bad);
  const errors = found.filter((item) => 'error' in item);
  expect(errors).toEqual([{ line: expect.any(Number), error: 'holds bytes that are not utf-8', text: 'x,y,\ufffd,1' }]);
  expect(found).toHaveLength(rows + 1);
  // Early in the file too, when everything else there is plainly UTF-8.
  const early = await readRaw(
    Buffer.concat([Buffer.from('id,name\n1,Müller\n2,Sö'), Buffer.from([0xfc]), Buffer.from('n\n3,Jäger\n')]),
  );
  expect(cells(early)).toEqual([['1', 'Müller'], ['! holds bytes that are not utf-8'], ['3', 'Jäger']]);
});

test('csv: half a surrogate in 16-bit text makes its own row an error', async () => {
  const text = Buffer.from('\ufeffid,name\n1,a\n2,\ud83d\n3,😀\n', 'utf16le');
  expect(cells(await readRaw(text))).toEqual([['1', 'a'], ['! holds bytes that are not utf-16le'], ['3', '😀']]);
  const cut = await readRaw(text.subarray(0, text.length - 1));
  expect(cut.at(-1)).toMatchObject({ line: 4, error: expect.any(String) });
});

test('csv: a zero byte makes its row an error that can be stored', async () => {
  const found = await readRaw('id,name\n1,a\n2,b\0c\n3,d\n');
  expect(found[1]).toEqual({ line: 3, error: 'holds a zero byte', text: '2,b␀c' });
  expect(found).toHaveLength(3);
});

test('csv: the text of a broken row is cut, and not within a letter', async () => {
  const [broken] = await readRaw(`id,name\n1,${'x'.repeat(497)}😀${'y'.repeat(5000)},z\n`);
  expect(broken).toMatchObject({ line: 2, error: 'has 3 cells where the header has 2' });
  const { text } = broken as { text: string };
  expect(text.length).toBeLessThan(510);
  expect(text.isWellFormed()).toBe(true);
});

test('csv: a line of many megabytes is one error', async () => {
  const found = await readRaw(`id,name\n1,a\n2,${'x'.repeat(3_000_000)}\r\n3,b\n`);
  expect(found.map((item) => [item.line, 'row' in item])).toEqual([
    [2, true],
    [3, false],
    [4, true],
  ]);
  expect(found[1]).toMatchObject({ error: 'is longer than 1024 KB' });
});

test('csv: a duplicate header refuses the whole file and names it', async () => {
  const file = await exports.raw('twice.csv', 'id,Email,name, Email \n1,a,b,c\n');
  await expect(read(file)).rejects.toThrow('two columns are called "Email" (columns 2 and 4); rename one of them');
  await expect(csvFiles.columns(file, {})).rejects.toThrow('"Email"');
  await expect(readRaw('1,a\n', { columns: ['id', 'id'] })).rejects.toThrow('two columns are called "id"');
});

test('csv: columns without a name are called by their place, and a delimiter at the end of lines is no column', async () => {
  const leading = await exports.raw('leading.csv', ',name\n0,Ann\n1,Bob\n');
  expect(await csvFiles.columns(leading, {})).toEqual(['column 1', 'name']);
  expect(cells(await read(leading))).toEqual([
    ['0', 'Ann'],
    ['1', 'Bob'],
  ]);
  const everywhere = await exports.write('trailing.csv', [HEADER, ['1', 'a', 'b']], { trailingDelimiter: true });
  expect(await read(everywhere)).toEqual([{ line: 2, row: { id: '1', name: 'a', city: 'b', 'column 4': '' } }]);
  expect(cells(await readRaw('id,name\n1,a,\n2,b\n'))).toEqual([
    ['1', 'a'],
    ['2', 'b'],
  ]);
  expect(cells(await readRaw('id,name,\n1,a\n2,b,kept\n'))).toEqual([
    ['1', 'a', ''],
    ['2', 'b', 'kept'],
  ]);
});

test('csv: nothing, no rows and rows of nothing', async () => {
  await expect(readRaw('')).rejects.toThrow('it is empty');
  await expect(readRaw('\ufeff')).rejects.toThrow('it is empty');
  await expect(readRaw('\n\r\n  \n')).rejects.toThrow('it is empty');
  await expect(readRaw(',,\n1,2,3\n')).rejects.toThrow('its first line has no column names');
  await expect(readRaw('id,"name\n1,a\n')).rejects.toThrow('its header line cannot be read');
  expect(await readRaw('id,name')).toEqual([]);
  expect(await readRaw('\n\nid,name\n\n')).toEqual([]);
  expect(cells(await readRaw('id,name\n,\n   \n1,a\n"",""\n'))).toEqual([['1', 'a']]);
});

test('csv: a workbook is not read as text', async () => {
  await expect(readRaw(Buffer.from('PK\u0003\u0004something'))).rejects.toThrow('save it as "CSV UTF-8" first');
});

test('csv: a file without a header takes the names it is given, and a column may be called anything', async () => {
  expect(await readRaw('1,Ann\n2,Bob\n', { columns: ['id', 'name'] })).toEqual([
    { line: 1, row: { id: '1', name: 'Ann' } },
    { line: 2, row: { id: '2', name: 'Bob' } },
  ]);
  const [first] = await readRaw('__proto__,constructor\nx,y\n');
  expect(Object.entries((first as { row: object }).row)).toEqual([
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
});

test('csv: a header of several lines is one', async () => {
  const found = await readRaw('id,"Name of\nthe customer"\n1,Ann\n');
  expect(found).toEqual([{ line: 3, row: { id: '1', 'Name of\nthe customer': 'Ann' } }]);
});

test('csv: formulas are kept when read and made harmless when written', async () => {
  const formulas = ['=HYPERLINK("http://evil.example")', '+1', '-2+3', '@SUM(A1)', '\tx', '\rx'];
  const file = await exports.write('formulas.csv', [['id', 'cell'], ...formulas.map((cell, at) => [String(at), cell])]);
  const found = await read(file);
  expect(found.map((item) => 'row' in item && item.row.cell)).toEqual(formulas);
  expect(formulas.map(exportCell)).toEqual(formulas.map((cell) => `'${cell}`));
  expect([null, undefined, 5, 'a=b', { a: 1 }].map(exportCell)).toEqual(['', '', '5', 'a=b', '{"a":1}']);

  let written = '';
  for await (const piece of csvFiles.write(
    ['line', 'cell'],
    found.map((item) => [item.line, 'row' in item ? item.row.cell : '']),
  ))
    written += piece;
  expect(written.startsWith('\ufeffline,cell\r\n2,"\'=HYPERLINK(""http://evil.example"")"\r\n')).toBe(true);
  expect(cells(await readRaw(written)).map(([, cell]) => cell)).toEqual(formulas.map((cell) => `'${cell}`));
});

test('csv: stopping in the middle closes the file', async () => {
  const { file } = await exports.big(3);
  const open = (): number => process.getActiveResourcesInfo().filter((name) => name.includes('FS')).length;
  const before = open();
  for await (const _row of csvFiles.rows(file, {})) break;
  await new Promise((resolve) => setImmediate(resolve));
  expect(open()).toBeLessThanOrEqual(before);
});

/** Bytes that are still needed: what is only not yet collected says nothing. */
function needed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test('csv: 50 MB need no more memory than 5 MB', async () => {
  const peakWhileReading = async (megabytes: number): Promise<{ peak: number; complete: boolean }> => {
    const { file, rows } = await exports.big(megabytes);
    const base = needed();
    let [peak, seen, lastLine] = [0, 0, 0];
    for await (const item of csvFiles.rows(file, {})) {
      seen += 1;
      lastLine = item.line;
      if (seen % 20_000 === 0) peak = Math.max(peak, needed() - base);
    }
    // Every fiftieth row takes a second line.
    return { peak, complete: seen === rows && lastLine === rows + 1 + Math.floor((rows - 1) / 50) };
  };
  // The first reading grows the heap to what the work needs.
  await peakWhileReading(5);
  const small = await peakWhileReading(5);
  const large = await peakWhileReading(50);
  expect(small.complete && large.complete).toBe(true);
  expect(large.peak - small.peak).toBeLessThan(10 * 1024 * 1024);
});

test('csv: whatever a table holds, it comes back', async () => {
  const cell = fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replaceAll('\0', ''));
  const table = fc.array(fc.tuple(fc.nat().map(String), cell, cell), { maxLength: 8 });
  const style = fc.record({
    delimiter: fc.constantFrom(',', ';', '\t', '|'),
    lineEnd: fc.constantFrom<'\n' | '\r\n' | '\r'>('\n', '\r\n', '\r'),
    encoding: fc.constantFrom<FileEncoding>('utf-8', 'utf-8-bom', 'utf-16le', 'utf-16be'),
  });
  await fc.assert(
    fc.asyncProperty(table, style, async (rows, how) => {
      const file = await exports.write('any.csv', [HEADER, ...rows], how);
      expect(cells(await read(file, { delimiter: how.delimiter }))).toEqual(rows);
    }),
    { numRuns: 300 },
  );
});

test('csv: whatever bytes a file holds, it is read to its end or refused in words', async () => {
  const piece = fc.constantFrom('a', 'b', ',', '"', '\n', '\r', ' ', 'é', '\0', '""', ',"', '",');
  const bytes = fc.oneof(
    fc.array(piece, { maxLength: 60 }).map((all) => Buffer.from(all.join(''))),
    fc.uint8Array().map(Buffer.from),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (content) => {
      const file = await exports.raw(
        'bytes.csv',
        Buffer.concat([Buffer.from('id,name\n1,a\n'), content, Buffer.from('\n9,z\n')]),
      );
      const found = await read(file, { delimiter: ',' });
      const lines = found.map((item) => item.line);
      expect(lines).toEqual([...new Set(lines)].sort((a, b) => a - b));
      expect(JSON.stringify(found)).not.toMatch(/\\u0000|\\ud[89a-f]/);
      // A row without quotes before the mess is untouched by it.
      expect(found[0]).toEqual({ line: 2, row: { id: '1', name: 'a' } });
    }),
    { numRuns: 500 },
  );
});

test('csv: the connector says what it cannot do and why', async () => {
  const connector: Connector = csv;
  expect(connector.webhooks).toBeUndefined();
  expect(connector.actions).toEqual([]);
  for (const stream of connector.streams) {
    expect(stream.list).toBeUndefined();
    expect(stream.deletes).toMatchObject({ kind: 'none', reason: expect.stringContaining('file') });
  }
  expect(Object.keys(exports.report())).toEqual(['files written', 'rows written']);
});

await conformance('csv');
