import { invalid } from '../../base/errors.ts';
import { type EntityKind, entityDefinition, type Field } from '../../kit/index.ts';
import type { ImportMapping } from './mapping.ts';
import { COLUMN_WORDS, CUSTOMER_EMAIL_WORDS, CUSTOMER_ID_WORDS, ID_WORDS, STATUS_WORDS } from './words.ts';

type Rows = readonly Record<string, string>[];

const squeeze = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll('ß', 'ss')
    .normalize('NFKD')
    .replace(/[^a-z0-9]/g, '');

/** A word with and without its umlauts written out: fällig is found as fallig and as faellig. */
const spellings = (word: string): string[] => {
  const out = word.toLowerCase().replaceAll('ä', 'ae').replaceAll('ö', 'oe').replaceAll('ü', 'ue');
  return [...new Set([squeeze(word), squeeze(out)])];
};

/** A path to a column whatever its name holds: in `Inv. No` the dot is no step down. */
const pathTo = (column: string): { path: string } => ({
  path: /^[^.[\]@]+$/.test(column) ? column : `["${column.replaceAll('"', '\\"')}"]`,
});

/**
 * An import mapping guessed from the column names of a file and from how its values are written.
 * @param samples some rows of the file
 * @throws Problem when nothing in the file can serve as the record's id
 */
export function guessImportMapping(
  object: string,
  kind: EntityKind,
  columns: readonly string[],
  samples: Rows = [],
): ImportMapping {
  const find = (words: readonly string[], taken: ReadonlySet<string> = new Set()): string | undefined =>
    words
      .flatMap(spellings)
      .map((word) => columns.find((column) => !taken.has(column) && squeeze(column) === word))
      .find((column) => column !== undefined);
  const id = find([
    ...(ID_WORDS[kind] ?? []),
    ...ID_WORDS.any,
    ...(kind === 'contact' ? ['email', 'email address'] : []),
  ]);
  if (!id) {
    throw invalid(
      `None of the columns (${columns.join(', ')}) looks like the id of a ${kind}.`,
      undefined,
      'Give a mapping file with --map that says which column identifies a row.',
    );
  }
  const { fields: known, references } = entityDefinition(kind);
  const customer = references.includes('customer') ? customerOf(find) : undefined;
  const chosen = new Map<string, string>();
  const taken = new Set<string>();
  for (const name of Object.keys(known)) {
    const column = find([name, ...(COLUMN_WORDS[`${kind}.${name}`] ?? []), ...(COLUMN_WORDS[name] ?? [])], taken);
    if (column === undefined) continue;
    chosen.set(name, column);
    taken.add(column);
  }
  const fields: Record<string, unknown> = {};
  const decimal = decimalOf(
    [...chosen].filter(([name]) => known[name]!.type === 'numeric').map(([, column]) => column),
    samples,
  );
  for (const [name, column] of chosen) {
    fields[name] = directiveFor(name, known[name]!, column, { kind, samples, decimal });
    if (name === 'status' && known.native_status) fields.native_status = pathTo(column);
  }
  if (known.currency) fields.currency ??= { path: '@currency' };
  fields.status ??= statusWithoutColumn(kind, chosen);
  if (fields.status === undefined) delete fields.status;
  const entity = { fields, ...(customer ? { references: { customer } } : {}) };
  return { objects: { [object]: { id: pathTo(id) } }, streams: { [object]: { [kind]: entity } } };
}

function customerOf(find: (words: readonly string[]) => string | undefined): object | undefined {
  const byId = find(CUSTOMER_ID_WORDS);
  if (byId !== undefined) return { to: 'contacts', id: pathTo(byId) };
  const byEmail = find(CUSTOMER_EMAIL_WORDS);
  return byEmail === undefined ? undefined : { email: pathTo(byEmail) };
}

function directiveFor(
  name: string,
  field: Field,
  column: string,
  about: { kind: EntityKind; samples: Rows; decimal: ',' | '.' },
): unknown {
  const path = pathTo(column);
  if (name === 'email') return { email: path };
  if (name === 'phone') return { phone: path };
  if (name === 'country') return { country: path };
  if (field.values)
    return { enum: { of: { text: path }, map: wordsOf(field.values, name === 'status' ? about.kind : undefined) } };
  if (field.type === 'date' || field.type === 'birthday' || field.type === 'timestamptz') {
    const format = dateFormatOf(valuesOf(about.samples, column), field.type === 'birthday');
    return { [field.type === 'timestamptz' ? 'datetime' : 'date']: format ? { of: path, format } : path };
  }
  if (field.type === 'numeric') return { money: about.decimal === ',' ? { of: path, decimal: ',' } : path };
  if (field.type === 'text[]') return { list: { of: path, split: ';' } };
  return path;
}

/** The canonical words themselves and what people write for them. */
function wordsOf(values: readonly string[], kind: EntityKind | undefined): Record<string, string> {
  const words = (kind && STATUS_WORDS[kind]) ?? {};
  return Object.fromEntries(values.flatMap((value) => [value, ...(words[value] ?? [])].map((word) => [word, value])));
}

/** What rows without a status are: a file of invoices is one of open ones unless it says when they were paid. */
function statusWithoutColumn(kind: EntityKind, chosen: ReadonlyMap<string, string>): unknown {
  const since = (name: string, then: string, otherwise: string): unknown =>
    chosen.has(name)
      ? { case: [{ when: { of: pathTo(chosen.get(name)!), exists: true }, then }, { else: otherwise }] }
      : otherwise;
  if (kind === 'invoice') return since('paid_on', 'paid', 'open');
  if (kind === 'job') return chosen.has('scheduled_at') ? since('completed_on', 'completed', 'scheduled') : 'completed';
  return { payment: 'succeeded', subscription: 'active' }[kind as string];
}

const valuesOf = (samples: Rows, column: string): string[] =>
  samples.map((row) => (row[column] ?? '').trim()).filter((value) => value !== '');

/** The decimal sign of a file: a comma when there are amounts such as 12,50 and none such as 12.50. */
function decimalOf(columns: readonly string[], samples: Rows): ',' | '.' {
  const values = columns.flatMap((column) => valuesOf(samples, column));
  const ends = (pattern: RegExp): boolean => values.some((value) => pattern.test(value));
  return ends(/,\d{1,2}\D*$/) && !ends(/\.\d{1,2}\D*$/) ? ',' : '.';
}

// Shapes of a date with an N for each number and a Y for a year of four digits.
const DATE_SHAPES: Record<string, string> = { 'N.N.Y': 'yyyy', 'N.N.N': 'yy', 'N/N/Y': 'yyyy', 'N/N/N': 'yy' };
/** Birthdays come without a year too. */
const YEARLESS_SHAPES = new Set(['N.N.', 'N.N', 'N/N']);
const TIME_SHAPES: Record<string, string> = { '': '', 'N:N': ' H:mm', 'N:N:N': ' H:mm:ss' };

/** How dates are written, where the values leave only one way to read them; 03/04/2026 alone stays refused. */
function dateFormatOf(values: readonly string[], birthday = false): string | undefined {
  const shapes = new Set(values.map((value) => value.replace(/\d+/g, (digits) => (digits.length === 4 ? 'Y' : 'N'))));
  const [date = '', time = ''] = [...shapes][0]?.split(' ', 2) ?? [];
  const yearless = birthday && YEARLESS_SHAPES.has(date);
  const [year, clock] = [yearless ? '' : DATE_SHAPES[date], TIME_SHAPES[time]];
  if (shapes.size !== 1 || year === undefined || clock === undefined) return undefined;
  const separator = date[1]!;
  const above = (at: number): boolean => values.some((value) => Number(value.split(separator)[at]) > 12);
  // Nobody writes the month first with dots.
  const end = yearless ? date.slice(3) : `${separator}${year}`;
  if (separator === '.' || (above(0) && !above(1))) return `d${separator}M${end}${clock}`;
  return above(1) && !above(0) ? `M${separator}d${end}${clock}` : undefined;
}
