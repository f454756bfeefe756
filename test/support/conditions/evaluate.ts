import { builtInFields } from '../../../src/conditions/fields.ts';
import type { Person, Row } from './business.ts';

/**
 * The language once more in plain JavaScript, written from its description and not from its compiler: what one says of
 * a person the other must say, too.
 */
export interface World {
  now: Date;
  zone: string;
  currency: string;
}

const formats = new Map<string, Intl.DateTimeFormat | undefined>();
/** How a zone writes dates; undefined for what is no zone. */
function formatOf(zone: string): Intl.DateTimeFormat | undefined {
  if (!formats.has(zone)) {
    try {
      const parts = { year: 'numeric', month: '2-digit', day: '2-digit' } as const;
      formats.set(zone, new Intl.DateTimeFormat('en-CA', { timeZone: zone, ...parts }));
    } catch {
      formats.set(zone, undefined);
    }
  }
  return formats.get(zone);
}
const day = (instant: Date, zone: string): string => formatOf(zone)!.format(instant);
const isZone = (zone: unknown): zone is string => typeof zone === 'string' && formatOf(zone) !== undefined;

const utc = (date: string): Date => new Date(`${date}T00:00:00Z`);
const iso = (date: Date): string => date.toISOString().slice(0, 10);
const plusDays = (date: string, n: number): string => iso(new Date(utc(date).getTime() + n * 86_400_000));
function plusMonths(date: string, n: number): string {
  const [y, m, d] = date.split('-').map(Number) as [number, number, number];
  const first = new Date(Date.UTC(y, m - 1 + n, 1));
  const last = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  return iso(new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth(), Math.min(d, last))));
}
const plus = (date: string, period: Row, sign: number): string => {
  const [[unit, n]] = Object.entries(period) as [[string, number]];
  if (unit === 'days') return plusDays(date, sign * n);
  if (unit === 'weeks') return plusDays(date, sign * n * 7);
  return plusMonths(date, sign * n * (unit === 'years' ? 12 : 1));
};

const lower = (value: unknown): string => String(value).toLowerCase();
const cents = (value: number): number => Math.round(value * 100);

/** The one test of a leaf of a value; `undefined` and null are missing. */
function holds(value: unknown, type: string, test: string, operand: any, today: string, zone: string): boolean {
  const missing = value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
  if (test === 'empty') return missing === operand;
  if (test === 'is_not') return !holds(value, type, 'is', operand, today, zone);
  if (test === 'none_of') return !holds(value, type, 'one_of', operand, today, zone);
  if (test === 'has_none') return !holds(value, type, 'has_any', operand, today, zone);
  if (missing) return false;
  if (type === 'custom') return customHolds(value, test, operand, today, zone);
  if (type === 'list') {
    const words = (value as string[]).map(lower);
    const wanted = (operand as string[]).map(lower);
    return test === 'has_any'
      ? wanted.some((word) => words.includes(word))
      : wanted.every((word) => words.includes(word));
  }
  if (type === 'number' || type === 'money') {
    const [n, x] = [value as number, operand];
    if (test === 'between') return n >= x.from && n <= x.to;
    return { is: n === x, above: n > x, below: n < x, at_least: n >= x, at_most: n <= x }[test]!;
  }
  if (type === 'boolean') return value === operand;
  if (type === 'birthday' && (value as string).startsWith('--'))
    return test.startsWith('anniversary') && dateHolds(`1904${(value as string).slice(1)}`, test, operand, today);
  if (type === 'date' || type === 'birthday') return dateHolds(value as string, test, operand, today);
  if (type === 'instant') return dateHolds(day(value as Date, zone), test, operand, today);
  const plain = (text: unknown): string => (type === 'postal_code' ? lower(text).replaceAll(' ', '') : lower(text));
  const text = plain(value);
  switch (test) {
    case 'is':
      return text === plain(operand);
    case 'one_of':
      return operand.map(plain).includes(text);
    case 'contains':
      return text.includes(plain(operand));
    case 'starts_with':
      return text.startsWith(plain(operand));
    case 'ends_with':
      return text.endsWith(plain(operand));
    case 'between':
      return text.length === plain(operand.from).length && text >= plain(operand.from) && text <= plain(operand.to);
  }
  throw new Error(`${test} of ${type}`);
}

function dateHolds(date: string, test: string, operand: any, today: string): boolean {
  switch (test) {
    case 'on':
      return date === operand;
    case 'before':
      return date < operand;
    case 'after':
      return date > operand;
    case 'on_or_before':
      return date <= operand;
    case 'on_or_after':
      return date >= operand;
    case 'between':
      return date >= operand.from && date <= operand.to;
    case 'in_last':
      return date >= plus(today, operand, -1) && date <= today;
    case 'in_next':
      return date >= today && date <= plus(today, operand, 1);
    case 'more_than_ago':
      return date < plus(today, operand, -1);
    case 'more_than_ahead':
      return date > plus(today, operand, 1);
    case 'today':
      return date === today;
    case 'anniversary_in':
      return anniversary(date, plusDays(today, operand.days), today);
    case 'anniversary_within':
      return Array.from({ length: operand.days + 1 }, (_all, n) => plusDays(today, n)).some((on) =>
        anniversary(date, on, today),
      );
  }
  throw new Error(test);
}

/** Whether `on` is the day of the year the date is remembered: years are counted from the date, ends of months kept. */
const anniversary = (date: string, on: string, today: string): boolean =>
  date < today && plusMonths(date, 12 * (Number(on.slice(0, 4)) - Number(date.slice(0, 4)))) === on;

function customHolds(value: unknown, test: string, operand: any, today: string, zone: string): boolean {
  const sample = test === 'between' ? operand.from : operand;
  if (['has_any', 'has_all'].includes(test)) {
    const list = Array.isArray(value) ? value : typeof value === 'string' ? [value] : [];
    return holds(list, 'list', test, operand, today, zone);
  }
  const text = typeof value === 'object' ? undefined : typeof value === 'number' ? plainNumber(value) : String(value);
  if (text === undefined) return false;
  if (test === 'is' && typeof operand === 'boolean')
    return (operand ? ['true', 'yes', 'y', '1', 'on'] : ['false', 'no', 'n', '0', 'off']).includes(text.toLowerCase());
  if (typeof sample === 'number')
    return /^-?\d{1,40}(\.\d{1,40})?$/.test(text) && holds(Number(text), 'number', test, operand, today, zone);
  if (['is', 'one_of', 'contains', 'starts_with', 'ends_with'].includes(test))
    return holds(text, 'text', test, operand, today, zone);
  const [, date, time] = /^(\d{4}-\d{2}-\d{2})([T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:?\d{2}))?$/.exec(text) ?? [];
  if (!date || date < '0001' || Number.isNaN(utc(date).getTime()) || iso(utc(date)) !== date) return false;
  if (!time) return dateHolds(date, test, operand, today);
  const instant = new Date(text);
  if (Number.isNaN(instant.getTime()) || test.startsWith('anniversary')) return false;
  return dateHolds(day(instant, zone), test, operand, today);
}

const plainNumber = (value: number): string => (Math.abs(value) >= 1e15 ? BigInt(value).toString() : String(value));

const FIELDS = new Map(builtInFields().map((field) => [field.name, field]));
const MAIN: Row = {
  ...{ deal: 'closes_on', ticket: 'source_created_at', invoice: 'issued_on', payment: 'paid_on' },
  ...{ job: 'completed_on', subscription: 'started_on', activity: 'occurred_at', survey_response: 'answered_at' },
};

/** Whether a person matches. */
export function matches(condition: any, person: Person, world: World, row?: Row): boolean {
  const zone = isZone(person.customer.local_zone) ? person.customer.local_zone : world.zone;
  const today = day(world.now, zone);
  const again = (inner: any, of = row): boolean => matches(inner, person, world, of);
  const [test, operand] = Object.entries(condition).find(
    ([key]) =>
      !['field', 'count', 'sum', 'average', 'latest', 'earliest', 'where', 'currency', 'source', 'days_since'].includes(
        key,
      ),
  ) ?? ['', undefined];
  if (condition.all) return condition.all.every((part: any) => again(part));
  if (condition.any) return condition.any.some((part: any) => again(part));
  if (condition.not) return !again(condition.not);
  if (condition.segment)
    return person.segments.some((member) => member.segment_id === condition.segment && member.left_at === null);
  if (condition.consent) {
    const valid = person.consents.filter(
      (said) =>
        ['*', condition.consent].includes(said.channel) &&
        ['*', condition.topic ?? '*'].includes(said.topic) &&
        said.class === 'marketing',
    );
    const granted = valid.some(
      (said) => said.state === 'granted' && (said.expires_at === null || said.expires_at > world.now),
    );
    const state = valid.some((said) => said.state === 'denied') ? 'denied' : granted ? 'granted' : 'none';
    return state === condition.is;
  }
  const live = (kind: string): Row[] =>
    (person.rows as Record<string, Row[]>)[kind]!.filter((one) => !one.deleted_at && !one.duplicate_of);
  const such = (kind: string): Row[] => live(kind).filter((one) => !condition.where || again(condition.where, one));
  const wanted = condition.currency ?? world.currency;
  const rightMoney = (one: Row): boolean => (one.currency ?? world.currency) === wanted;
  const told = (value: unknown, type: string): boolean => holds(value, type, test, operand, today, zone);
  if (condition.exists) return such(condition.exists).length > 0;
  if (condition.count) return told(such(condition.count).length, 'number');
  if (condition.days_since) {
    const dates = (condition.days_since as string[])
      .flatMap((act) => actDates(act, live, zone))
      .filter((date) => date <= today);
    const last = dates.sort().at(-1);
    return told(last === undefined ? null : (utc(today).getTime() - utc(last).getTime()) / 86_400_000, 'number');
  }
  if (condition.field) {
    const [scope, ...rest] = (condition.field as string).split('.') as [string, ...string[]];
    if (rest[0] === 'custom') {
      const name = rest.slice(1).join('.');
      if (row) return told(own(row.custom, name), 'custom');
      const kept = (scope === 'customer' ? person.customer : alive(person.company))?.custom;
      const values = Object.entries(kept ?? {})
        .filter(([source]) => condition.source === undefined || source === condition.source)
        .map(([, custom]) => own(custom as Row, name));
      // Enough if one of the platforms' values fits; what is denied must hold for all of them.
      const opposite = ['is_not', 'none_of', 'has_none'].includes(test) || (test === 'empty' && operand === true);
      if (values.length === 0) return told(null, 'custom');
      return opposite ? values.every((value) => told(value, 'custom')) : values.some((value) => told(value, 'custom'));
    }
    const field = FIELDS.get(condition.field)!;
    if (field.measure) return told(measure(field.measure, live, rightMoney, today), 'number');
    const from =
      row ??
      { customer: person.customer, company: alive(person.company), owner: person.owner, score: person.score }[scope];
    if (field.name === 'customer.created_at')
      return told(person.customer.source_created_at ?? person.customer.created_at, 'instant');
    const value = from?.[field.column];
    const foreign = field.type === 'money' && test !== 'empty' && !rightMoney(from!);
    return told(foreign ? null : value, field.type);
  }
  const name = condition.sum ?? condition.average ?? condition.latest ?? condition.earliest;
  const [kind, ...rest] = name.split('.') as [string, ...string[]];
  const field = FIELDS.get(name);
  const read = (one: Row): unknown => (field ? one[field.column] : own(one.custom, rest.slice(1).join('.')));
  if (condition.sum || condition.average) {
    const numbers = such(kind)
      .filter((one) => field?.type !== 'money' || rightMoney(one))
      .map(read)
      .map((value) =>
        typeof value === 'number'
          ? value
          : typeof value === 'string' && /^-?\d{1,40}(\.\d{1,40})?$/.test(value)
            ? Number(value)
            : null,
      )
      .filter((value) => value !== null);
    const sum = numbers.reduce((all, value) => all + cents(value), 0);
    if (condition.sum) return told(sum / 100, 'number');
    return told(numbers.length === 0 ? null : Number((sum / numbers.length / 100).toFixed(10)), 'number');
  }
  const order = field && ['date', 'instant'].includes(field.type) ? field.column : MAIN[kind];
  const key = (one: Row): string =>
    `${one[order] instanceof Date ? one[order].toISOString() : one[order]} ${one.entity_id}`;
  const sorted = such(kind)
    .filter((one) => one[order] !== null && one[order] !== undefined)
    .sort((a, b) => (key(a) < key(b) ? -1 : 1));
  const found = condition.latest ? sorted.at(-1) : sorted[0];
  const foreign = found && field?.type === 'money' && test !== 'empty' && !rightMoney(found);
  return told(found && !foreign ? read(found) : null, field?.type ?? 'custom');
}

const alive = (row: Row | undefined): Row | undefined => (row?.deleted_at ? undefined : row);
const own = (row: Row | null | undefined, name: string): unknown =>
  row && Object.hasOwn(row, name) ? row[name] : null;

function measure(which: string, live: (kind: string) => Row[], right: (row: Row) => boolean, today: string): number {
  const rows =
    which === 'spend'
      ? live('payment')
          .filter((one) => one.status === 'succeeded' && one.kind !== 'credit')
          .map((one) => ({ ...one, value: one.kind === 'refund' ? -Math.abs(one.amount) : one.amount }) as Row)
      : live('invoice')
          .filter((one) => ['open', 'partial', 'disputed'].includes(one.status))
          .filter((one) => which === 'balance_due' || (one.due_on !== null && one.due_on < today))
          .map((one) => ({ ...one, value: one.balance }) as Row);
  return rows.filter(right).reduce((sum, one) => sum + cents(one.value ?? 0), 0) / 100;
}

function actDates(act: string, live: (kind: string) => Row[], zone: string): string[] {
  const dates = (kind: string, column: string, fits: (row: Row) => boolean): string[] =>
    live(kind)
      .filter((row) => fits(row) && row[column] !== null)
      .map((row) => (row[column] instanceof Date ? day(row[column], zone) : row[column]));
  if (act === 'job') return dates('job', 'completed_on', (row) => row.status === 'completed');
  if (act === 'answer')
    return [...dates('activity', 'occurred_at', answered), ...dates('survey_response', 'answered_at', () => true)];
  return [
    ...dates('invoice', 'issued_on', (row) => ['open', 'partial', 'paid', 'disputed'].includes(row.status)),
    ...dates('payment', 'paid_on', (row) => row.status === 'succeeded' && ['payment', null].includes(row.kind)),
  ];
}

const answered = (row: Row): boolean =>
  row.automatic !== true &&
  ['message', 'email', 'call', 'meeting'].includes(row.kind) &&
  (row.direction === 'in' || row.kind === 'meeting' || (row.kind === 'call' && row.status === 'connected'));
