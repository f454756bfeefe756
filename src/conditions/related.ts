import { MAIN_DATE, type NamedField, namedField } from './fields.ts';
import type { Statement } from './statement.ts';
import type { Range, Related, TestName } from './types.ts';
import { customNumber, type Predicate, predicate, type SqlValue, sameCurrency } from './values.ts';

/** The rows of a kind that belong to the customer and count: neither deleted nor a second copy. */
export function rowsOf(statement: Statement, kind: Related, alias: string): string {
  const copies = kind === 'invoice' ? ` and ${alias}.duplicate_of is null` : '';
  return `${kind} ${alias} where ${alias}.tenant_id = $1 and ${alias}.customer_id = ${statement.customer}.id and ${alias}.deleted_at is null${copies}`;
}

/** A field of a row as a value. */
export function valueIn(statement: Statement, field: NamedField, alias: string, currency?: string): SqlValue {
  if (field.custom !== undefined)
    return { sql: `(${alias}.custom -> ${statement.param(field.custom, 'text')})`, type: 'custom' };
  const value: SqlValue = { sql: `${alias}.${field.column}`, type: field.type };
  if (field.type !== 'money') return value;
  return { ...value, currency: { sql: `${alias}.currency`, wanted: currency ?? statement.currency } };
}

/** `and (...)` for the part of a condition about the rows; nothing without one. */
type Where = (alias: string) => string;

/** How many rows there are, compared. No more are counted than the answer needs. */
export function countTest(
  statement: Statement,
  kind: Related,
  where: Where,
  test: TestName,
  operand: number | Range<number>,
): Predicate {
  const highest = typeof operand === 'number' ? operand : operand.to;
  const enough = Math.max(0, Math.floor(highest)) + 1;
  const [row, list] = [statement.name(), statement.name()];
  const limit = statement.param(enough, 'int');
  const counted = `(select count(*) from (select 1 from ${rowsOf(statement, kind, row)}${where(row)} limit ${limit}) ${list})`;
  return predicate(statement, { sql: counted, type: 'number', numeric: 'int' }, test, operand);
}

export const existsTest = (statement: Statement, kind: Related, where: Where): string => {
  const row = statement.name();
  return `exists (select 1 from ${rowsOf(statement, kind, row)}${where(row)})`;
};

/** Sum or average of a field over the rows, compared. The sum of no rows is 0, their average is missing. */
export function totalTest(
  statement: Statement,
  of: { field: NamedField; how: 'sum' | 'average'; currency: string | undefined; where: Where },
  test: TestName,
  operand: unknown,
): Predicate {
  const row = statement.name();
  const value = valueIn(statement, of.field, row, of.currency);
  const number = value.type === 'custom' ? customNumber(value.sql) : value.sql;
  const same = value.currency ? ` and ${sameCurrency(statement, value.currency)}` : '';
  const made = of.how === 'sum' ? `coalesce(sum(${number}), 0)` : `avg(${number})`;
  const sql = `(select ${made} from ${rowsOf(statement, of.field.scope as Related, row)}${same}${of.where(row)})`;
  return predicate(statement, { sql, type: 'number' }, test, operand);
}

/** By which column the rows of a kind are put in order to find the latest. */
export function orderOf(field: NamedField): string {
  if (field.type === 'date' || field.type === 'instant') return field.column;
  return namedField(`${field.scope}.${MAIN_DATE[field.scope as Related]}`)!.column;
}

/** A test of a field of the latest or earliest row. Rows without the date they are ordered by do not count. */
export function outermostTest(
  statement: Statement,
  of: { field: NamedField; latest: boolean; currency: string | undefined; where: Where },
  test: TestName,
  operand: unknown,
): Predicate {
  const [row, found] = [statement.name(), statement.name()];
  const value = valueIn(statement, of.field, row, of.currency);
  const order = `${row}.${orderOf(of.field)}`;
  const way = of.latest ? 'desc' : 'asc';
  const currency = value.currency ? `, ${value.currency.sql} as currency` : '';
  const rows = `select ${value.sql} as v${currency} from ${rowsOf(statement, of.field.scope as Related, row)} and ${order} is not null${of.where(row)} order by ${order} ${way}, ${row}.entity_id ${way} limit 1`;
  const outer: SqlValue = {
    sql: `${found}.v`,
    type: value.type,
    ...(value.currency ? { currency: { ...value.currency, sql: `${found}.currency` } } : {}),
  };
  const { sql, opposite } = predicate(statement, outer, test, operand);
  return { sql: `exists (select 1 from (${rows}) ${found} where ${sql})`, opposite };
}
