import { createHash } from 'node:crypto';
import pg from 'pg';
import { applicationName } from './embedded.ts';
import { isId } from './ids.ts';
import { settled } from './statements.ts';

// Dates without a time stay text: a Date would shift them by the zone of this machine. Numbers with
// decimals stay text too: money must not pass through a float.
pg.types.setTypeParser(pg.types.builtins.DATE, (text) => text);
pg.types.setTypeParser(pg.types.builtins.NUMERIC, (text) => text);
pg.types.setTypeParser(pg.types.builtins.INT8, (text) => Number(text));

export type Row = Record<string, unknown>;

/** Anything a statement can be sent through. */
export interface Sql {
  query<T = Row>(text: string, values?: readonly unknown[]): Promise<{ rows: T[]; rowCount: number }>;
}

/** A transaction on one tenant's rows: row-level security shows and accepts no others. */
export interface Tx extends Sql {
  readonly tenantId: string;
  /** Runs after a successful commit; for wake-ups and metrics, never for state. */
  afterCommit(work: () => void | Promise<void>): void;
}

/** A transaction on the shared coordinator tables only (tenants, sessions, routes, inbox). */
export interface SystemTx extends Sql {
  afterCommit(work: () => void | Promise<void>): void;
}

export interface Database {
  tenant<T>(tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Like `tenant`, but everything is rolled back at the end: what would happen, without it happening. */
  rehearse<T>(tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T>;
  system<T>(work: (tx: SystemTx) => Promise<T>): Promise<T>;
  /** One statement on the coordinator tables, committed by itself. */
  statement: Sql['query'];
  /** The connection string of the owner role: migrations and the queue only. */
  ownerUrl: string;
  /** Connections in use and waiting, for metrics and readiness. */
  load(): { total: number; idle: number; waiting: number };
  close(): Promise<void>;
}

export interface DatabaseOptions {
  ownerUrl: string;
  /** Log-in of the application role; absent: `ownerUrl` with `SET ROLE` at connect. */
  appUrl?: string | undefined;
  max?: number;
  prepared?: boolean;
  /** Whether the tenant tables are distributed on Citus. */
  citus?: boolean;
}

/** The role every request and job works as: it owns nothing, so row-level security binds it. */
export const APP_ROLE = 'rapport_app';

// Serialization failures and deadlocks: the transaction did nothing and may simply run again.
const RETRYABLE = new Set(['40001', '40P01']);
const RETRIES = 5;
// Texts that are built per call (dynamic filters) must not fill the server's memory with prepared plans.
const MAX_NAMED = 600;
/** Begins a text that is one of endlessly many: it is planned for its values each time and kept nowhere. */
export const VARIES = '/* one of many */ ';

export function openDatabase(options: DatabaseOptions): Database {
  // Citus passes SET LOCAL on to its workers only when told to, and row-level security there needs the tenant.
  const session = [
    ...(options.appUrl ? [] : [`-c role=${APP_ROLE}`]),
    ...(options.citus ? ['-c citus.propagate_set_commands=local'] : []),
  ];
  const pool = new pg.Pool({
    connectionString: options.appUrl ?? options.ownerUrl,
    max: options.max ?? 12,
    application_name: applicationName(),
    ...(session.length > 0 ? { options: session.join(' ') } : {}),
  });
  pool.on('error', () => {
    // A broken idle connection is replaced by the pool; the next query tells if the server is really gone.
  });
  // One that breaks while a transaction stands between two statements tells it here and nowhere else: unheard, it would
  // end the process. The next statement fails and says so.
  pool.on('connect', (client) => void client.on('error', () => {}));
  const named = new Map<string, string>();
  const nameOf = (text: string): string | undefined => {
    if (options.prepared === false || text.startsWith(VARIES)) return undefined;
    const known = named.get(text);
    if (known || named.size >= MAX_NAMED) return known;
    const name = `q${createHash('md5').update(text).digest('hex').slice(0, 16)}`;
    named.set(text, name);
    return name;
  };

  async function transact<T>(
    begin: readonly string[],
    work: (sql: Sql, after: (() => void | Promise<void>)[]) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const client = await pool.connect();
      const after: (() => void | Promise<void>)[] = [];
      let broken: Error | undefined;
      let result: T;
      try {
        // One round trip; but the text of a SET is what Citus passes on, so there it must stand alone.
        for (const text of options.citus ? begin : [begin.join('; ')]) await client.query(text);
        const sql: Sql = {
          query: async (given, values) => {
            const text = options.citus ? settled(given) : given;
            const name = nameOf(text);
            const result = await client.query({ ...(name ? { name } : {}), text, values: storable(values) });
            return { rows: result.rows, rowCount: result.rowCount ?? 0 };
          },
        };
        result = await work(sql, after);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback').catch((failure: Error) => {
          broken = failure;
        });
        client.release(broken);
        if (!RETRYABLE.has((error as { code?: string }).code ?? '') || attempt > RETRIES) throw error;
        // Spread the competitors, so that they do not meet again in the same order.
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * attempt));
        continue;
      }
      client.release();
      for (const todo of after) await todo();
      return result;
    }
  }

  const tenant: Database['tenant'] = (tenantId, work) => {
    // SET takes no parameters, so the value is checked here instead.
    if (!isId(tenantId)) throw new Error(`"${tenantId}" is not a tenant id.`);
    return transact(['begin', `set local app.tenant = '${tenantId}'`], (sql, after) =>
      work({ ...sql, tenantId, afterCommit: (todo) => after.push(todo) }),
    );
  };

  return {
    ownerUrl: options.ownerUrl,
    tenant,
    rehearse: async (tenantId, work) => {
      const stop = new Error('rehearsal');
      let result: { value: Awaited<ReturnType<typeof work>> } | undefined;
      try {
        await tenant(tenantId, async (tx) => {
          result = { value: await work(tx) };
          throw stop;
        });
      } catch (error) {
        if (error !== stop) throw error;
      }
      return result!.value;
    },
    system: (work) => transact(['begin'], (sql, after) => work({ ...sql, afterCommit: (todo) => after.push(todo) })),
    statement: async (text, values) => {
      const name = nameOf(text);
      const result = await pool.query({ ...(name ? { name } : {}), text, values: storable(values) });
      return { rows: result.rows, rowCount: result.rowCount ?? 0 };
    },
    load: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: () => pool.end(),
  };
}

const withoutZero = (text: string): string => (text.includes('\0') ? text.replaceAll('\0', '') : text);

/** Values as Postgres can hold them: neither its text nor its JSON knows the zero character, and vendors send it. */
const storable = (values: readonly unknown[] = []): unknown[] =>
  values.map((value) => {
    if (typeof value === 'string') return withoutZero(value);
    if (Array.isArray(value)) return value.map((item) => (typeof item === 'string' ? withoutZero(item) : item));
    const isJson =
      value !== null && typeof value === 'object' && !(value instanceof Date) && !ArrayBuffer.isView(value);
    return isJson ? storableJson(value) : value;
  });

/** JSON text without zero characters and halves of characters, which a JSON column refuses. */
export function storableJson(value: unknown): string {
  const text = JSON.stringify(value);
  return text.includes('\\u0000') || text.includes('\\ud') ? JSON.stringify(wellFormed(value)) : text;
}

/** JSON that is text already: written as it is. */
export class JsonText {
  readonly text: string;
  constructor(value: unknown) {
    this.text = storableJson(value);
  }
}

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return withoutZero(value).toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (value === null || typeof value !== 'object' || 'toJSON' in value) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [withoutZero(key).toWellFormed(), wellFormed(item)]),
  );
}

/** The one row of an answer, or undefined. */
export const one = <T>(result: { rows: T[] }): T | undefined => result.rows[0];

/** One column of a bulk statement; `type` is the Postgres type of one value. */
export interface BulkColumn {
  name: string;
  type: string;
}

// Lists and binary values travel as text, because an array of arrays would have to be rectangular.
const travelsAsText = (type: string): boolean => type === 'bytea' || type.endsWith('[]');

/** Stands between JSON values of a column. JSON text never holds it as it is, so nothing has to be escaped. */
const SEPARATOR = '\u001e';

const quoted = (text: string): string =>
  /["\\]/.test(text) ? `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"` : `"${text}"`;

const asText = (value: unknown): string => (value instanceof Date ? value.toISOString() : String(value));

/** How one value of a type is written inside an array. */
function writerOf(type: string): (value: unknown) => string {
  if (type === 'bytea') return (value) => quoted(`\\x${(value as Buffer).toString('hex')}`);
  if (type.endsWith('[]'))
    return (value) => quoted(`{${(value as unknown[]).map((item) => quoted(String(item))).join(',')}}`);
  return (value) => quoted(typeof value === 'string' ? value : asText(value));
}

const asJson = (value: unknown): string => (value instanceof JsonText ? value.text : storableJson(value));

/**
 * A column as one parameter: an array as Postgres writes it, made here because that is several times faster than value
 * by value. Null stands for a column without any value: `unnest` fills it up.
 */
function columnValue({ name, type }: BulkColumn, rows: readonly Row[]): string | null {
  const isJson = type === 'jsonb';
  const write = isJson ? asJson : writerOf(type);
  const none = isJson ? '' : 'NULL';
  let empty = true;
  const items = rows.map((row) => {
    const value = row[name];
    if (value === null || value === undefined) return none;
    empty = false;
    return write(value);
  });
  if (empty) return null;
  return isJson ? items.join(SEPARATOR) : `{${items.join(',')}}`;
}

function columnSource({ type }: BulkColumn, parameter: number): string {
  if (type === 'jsonb') return `string_to_array($${parameter}::text, E'\\x1e', '')`;
  return `$${parameter}::${travelsAsText(type) ? 'text' : type}[]`;
}

/**
 * Rows as a relation inside a statement: `from` is `unnest($n::type[], ...) as input(...)`, `values` its parameters,
 * `select` the columns in order with their types. Measured as the fastest way in for pages of hundreds of rows.
 * At least one column must have a value in the last row.
 * @param firstParameter number of the first `$n` to use
 */
export function bulk(
  columns: readonly BulkColumn[],
  rows: readonly Row[],
  firstParameter: number,
): { from: string; select: string; values: unknown[] } {
  const sources = columns.map((column, at) => columnSource(column, firstParameter + at));
  return {
    from: `unnest(${sources.join(', ')}) as input(${columns.map(({ name }) => name).join(', ')})`,
    select: columns
      .map(({ name, type }) => (type === 'jsonb' || travelsAsText(type) ? `input.${name}::${type}` : `input.${name}`))
      .join(', '),
    values: columns.map((column) => columnValue(column, rows)),
  };
}

/** `insert ... select from unnest` of rows of one tenant, with what follows (`on conflict ...`, `returning ...`). */
export async function insertRows<T = Row>(
  tx: Tx,
  table: string,
  columns: readonly BulkColumn[],
  rows: readonly Row[],
  rest = '',
): Promise<T[]> {
  if (rows.length === 0) return [];
  const { from, select, values } = bulk(columns, rows, 2);
  const names = columns.map(({ name }) => name).join(', ');
  const result = await tx.query<T>(
    `insert into ${table} (tenant_id, ${names}) select $1::uuid, ${select} from ${from} ${rest}`,
    [tx.tenantId, ...values],
  );
  return result.rows;
}
