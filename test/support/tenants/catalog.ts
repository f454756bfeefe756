import pg from 'pg';
import { newId } from '../../../src/base/ids.ts';
import { COORDINATOR_TABLES } from '../../../src/base/tables.ts';

/** Values of one row by column. */
export type Row = Record<string, unknown>;

interface Column {
  table: string;
  name: string;
  type: string;
  nullable: boolean;
  filled: boolean;
}

/** Tables that may name a tenant without being a tenant's. Everything else with a tenant_id column must have row-level security. */
const COORDINATOR = new Set(Object.keys(COORDINATOR_TABLES));

/** What is known about the tables with a tenant_id column, read from the database itself so that new ones count. */
export interface Catalog {
  tables: string[];
  columns: Map<string, Column[]>;
}

export async function readCatalog(client: pg.Client): Promise<Catalog> {
  const { rows } = await client.query<Column>(
    `select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
       a.atthasdef as filled
     from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
       join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relkind in ('r', 'p') and exists (select from pg_attribute t where t.attrelid = c.oid and t.attname = 'tenant_id')
     order by c.relname, a.attnum`,
  );
  const columns = new Map<string, Column[]>();
  for (const row of rows) columns.set(row.table, [...(columns.get(row.table) ?? []), row]);
  return { tables: [...columns.keys()], columns };
}

/** Tables that hold a tenant's own rows. */
export const tenantTables = (catalog: Catalog): string[] => catalog.tables.filter((table) => !COORDINATOR.has(table));

/** Something for a column nobody said anything about: text carries the mark, so that it is recognised anywhere. */
function filler(column: Column, mark: string): unknown {
  if (column.nullable && (column.type === 'uuid' || column.type.startsWith('timestamp'))) return null;
  const text = `${mark}-${column.table}-${column.name}`;
  switch (column.type) {
    case 'text':
      return text;
    case 'text[]':
      return [text];
    case 'jsonb':
      return { note: text };
    case 'bytea':
      return Buffer.from(text);
    case 'date':
      return '2026-02-20';
    case 'timestamp with time zone':
      return new Date('2026-02-20T09:00:00Z');
    case 'uuid':
      return newId();
    case 'boolean':
      return true;
    case 'integer':
    case 'smallint':
    case 'bigint':
    case 'numeric':
    case 'double precision':
      return 1;
  }
  throw new Error(`There is no filler for ${column.table}.${column.name} of type ${column.type}.`);
}

/** A complete row of a table: what is given, and something for the rest. */
export function completed(catalog: Catalog, table: string, given: Row, mark: string): Row {
  const columns = catalog.columns.get(table);
  if (!columns) throw new Error(`There is no table ${table} with a tenant.`);
  const unknown = Object.keys(given).filter((name) => !columns.some((column) => column.name === name));
  if (unknown.length > 0) throw new Error(`${table} has no column ${unknown.join(', ')}.`);
  return Object.fromEntries(
    columns
      .filter((column) => column.name in given || !column.filled)
      .map((column) => [column.name, column.name in given ? given[column.name] : filler(column, mark)]),
  );
}

/** Inserts a row as it is. */
export async function insertRow(client: pg.Client, table: string, row: Row): Promise<void> {
  const names = Object.keys(row);
  const values = names.map((name) => {
    const value = row[name];
    const isJson =
      value !== null &&
      typeof value === 'object' &&
      !Array.isArray(value) &&
      !(value instanceof Date || Buffer.isBuffer(value));
    return isJson ? JSON.stringify(value) : value;
  });
  await client.query(
    `insert into ${table} (${names.join(', ')}) values (${names.map((_name, at) => `$${at + 1}`).join(', ')})`,
    values,
  );
}

/** A connection to the database as its owner, whom row-level security does not bind. */
export async function ownerClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}
