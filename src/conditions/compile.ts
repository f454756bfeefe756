import { type Dependencies, dependenciesOf, MEASURES } from './depends.ts';
import { isRelated, type NamedField, namedField } from './fields.ts';
import { countTest, existsTest, outermostTest, rowsOf, totalTest, valueIn } from './related.ts';
import { sinceTest } from './since.ts';
import { type CompileEnv, Statement } from './statement.ts';
import { TEST_NAMES } from './tests.ts';
import {
  type Condition,
  type ConsentCondition,
  type FieldCondition,
  formOf,
  has,
  type Related,
  type TestName,
} from './types.ts';
import { negated, type Predicate, predicate, type SqlValue, sameCurrency } from './values.ts';

export interface CompiledCondition extends Dependencies {
  /** True for customers that match; null, like false, for those that do not. $1 is the tenant. */
  sql: string;
  /** The parameters, from `firstParameter` on. */
  values: unknown[];
}

/** The one test of a leaf. */
export const testOf = (condition: object): [TestName, never] => {
  const name = TEST_NAMES.find((test) => has(condition, test))!;
  return [name, (condition as Record<string, never>)[name]!];
};

const finished = ({ sql, opposite }: Predicate): string => (opposite ? negated(sql) : sql);

/**
 * A checked condition as one predicate over a row of `customer`. Identifiers come from the closed list of fields,
 * everything a person wrote is a parameter; every subquery names the tenant and the customer.
 * @throws Error for what `checkCondition` would have refused
 */
export function compileCondition(condition: Condition, env: CompileEnv): CompiledCondition {
  const statement = new Statement(env);
  return { sql: written(statement, condition), values: statement.values, ...dependenciesOf(condition) };
}

/**
 * Several conditions as columns of one statement, so that it can be told which part of a condition fails.
 * @returns a predicate for each, with parameters in common
 */
export function compileParts(parts: readonly Condition[], env: CompileEnv): { sql: string[]; values: unknown[] } {
  const statement = new Statement(env);
  return { sql: parts.map((part) => `(${written(statement, part)}) is true`), values: statement.values };
}

/** @param row the row of a related object it is about; undefined: the customer's */
function written(statement: Statement, condition: Condition, row?: string): string {
  if ('all' in condition || 'any' in condition) {
    const [parts, word] = 'all' in condition ? [condition.all, ' and '] : [condition.any, ' or '];
    return `(${parts.map((part) => written(statement, part, row)).join(word)})`;
  }
  if ('not' in condition) return negated(written(statement, condition.not, row));
  if ('field' in condition) return fieldTest(statement, condition, row);
  if ('consent' in condition) return consentTest(statement, condition);
  if ('segment' in condition) {
    const member = statement.name();
    return `exists (select 1 from segment_member ${member} where ${member}.tenant_id = $1 and ${member}.segment_id = ${statement.param(condition.segment, 'uuid')} and ${member}.customer_id = ${statement.customer}.id and ${member}.left_at is null)`;
  }
  const [test, operand] = testOf(condition);
  if ('days_since' in condition) return finished(sinceTest(statement, condition.days_since, test, operand));
  return finished(relatedTest(statement, condition, test, operand));
}

function relatedTest(statement: Statement, condition: Condition, test: TestName, operand: never): Predicate {
  const { where: inner, currency } = condition as { where?: Condition; currency?: string };
  const where = (row: string): string => (inner ? ` and ${written(statement, inner, row)}` : '');
  const form = formOf(condition);
  const of = (condition as unknown as Record<string, string>)[form]!;
  if (form === 'exists') return { sql: existsTest(statement, of as Related, where), opposite: false };
  if (form === 'count') return countTest(statement, of as Related, where, test, operand);
  const field = namedField(of);
  if (!field || !isRelated(field.scope)) throw new Error(`"${of}" is no field of a related object.`);
  if (form === 'sum' || form === 'average')
    return totalTest(statement, { field, how: form, currency, where }, test, operand);
  return outermostTest(statement, { field, latest: form === 'latest', currency, where }, test, operand);
}

function fieldTest(statement: Statement, condition: FieldCondition, row: string | undefined): string {
  const field = namedField(condition.field);
  if (!field) throw new Error(`There is no field "${condition.field}".`);
  const [test, operand] = testOf(condition);
  const tested = (value: SqlValue): Predicate => predicate(statement, value, test, operand);
  if (row !== undefined) return finished(tested(valueIn(statement, field, row, condition.currency)));
  if (field.custom !== undefined) return finished(customTest(statement, field, condition.source, tested));
  const customer = statement.customer;
  switch (field.scope) {
    case 'customer':
      if (field.measure) return measureTest(statement, field, condition, test, operand);
      if (field.column === 'created_at')
        return finished(
          tested({ sql: `coalesce(${customer}.source_created_at, ${customer}.created_at)`, type: 'instant' }),
        );
      return finished(tested({ sql: `${customer}.${field.column}`, type: field.type }));
    case 'score':
      return finished(
        ofOne(statement, 'customer_score', `customer_id = ${customer}.id`, (alias) =>
          tested({
            sql: `${alias}.${field.column}`,
            type: field.type,
            ...(field.type === 'number' ? { numeric: 'float8' as const } : {}),
          }),
        ),
      );
    default: {
      const table = field.scope === 'company' ? 'company' : 'owner';
      const key = table === 'company' ? 'id' : 'entity_id';
      return finished(
        ofOne(statement, table, `${key} = ${customer}.${table}_id`, (alias) =>
          tested({ sql: `${alias}.${field.column}`, type: field.type }),
        ),
      );
    }
  }
}

/** A test of the one row in another table that belongs to the customer; without such a row the value is missing. */
function ofOne(
  statement: Statement,
  table: 'customer_score' | 'company' | 'owner',
  on: string,
  test: (alias: string) => Predicate,
): Predicate {
  const alias = statement.name();
  const { sql, opposite } = test(alias);
  const alive = table === 'customer_score' ? '' : ` and ${alias}.deleted_at is null`;
  return {
    sql: `exists (select 1 from ${table} ${alias} where ${alias}.tenant_id = $1 and ${alias}.${on}${alive} and ${sql})`,
    opposite,
  };
}

/** A custom field of the customer or company, which is kept by platform: it is enough if one of them fits. */
function customTest(
  statement: Statement,
  field: NamedField,
  source: string | undefined,
  tested: (value: SqlValue) => Predicate,
): Predicate {
  const name = statement.param(field.custom, 'text');
  const inOne = (alias: string): Predicate => {
    if (source !== undefined)
      return tested({ sql: `(${alias}.custom -> ${statement.param(source, 'text')} -> ${name})`, type: 'custom' });
    const each = statement.name();
    const { sql, opposite } = tested({ sql: `(${each}.value -> ${name})`, type: 'custom' });
    const all = `case when jsonb_typeof(${alias}.custom) = 'object' then ${alias}.custom else '{}'::jsonb end`;
    return { sql: `exists (select 1 from jsonb_each(${all}) as ${each} where ${sql})`, opposite };
  };
  return field.scope === 'customer'
    ? inOne(statement.customer)
    : ofOne(statement, 'company', `id = ${statement.customer}.company_id`, inOne);
}

/** Amounts that are made from related objects. */
function measureTest(
  statement: Statement,
  field: NamedField,
  condition: FieldCondition,
  test: TestName,
  operand: never,
): string {
  const { currency } = condition;
  if (field.measure !== 'spend') {
    const where = MEASURES[field.measure!];
    return finished(
      relatedTest(statement, { sum: 'invoice.balance', where, ...(currency ? { currency } : {}) }, test, operand),
    );
  }
  const row = statement.name();
  const same = sameCurrency(statement, { sql: `${row}.currency`, wanted: currency ?? statement.currency });
  const net = `case coalesce(${row}.kind, 'payment') when 'payment' then ${row}.amount when 'refund' then -abs(${row}.amount) end`;
  const sql = `(select coalesce(sum(${net}), 0) from ${rowsOf(statement, 'payment', row)} and ${row}.status = 'succeeded' and ${same})`;
  return finished(predicate(statement, { sql, type: 'number' }, test, operand));
}

/**
 * What the person wants of marketing at present, as the gate sees it (`consent/choice.ts`): a refusal of the topic or of
 * everything counts before any agreement and does not end; an agreement that has expired is as if it had never been.
 */
function consentTest(statement: Statement, { consent, topic, is }: ConsentCondition): string {
  const said = (state: 'granted' | 'denied'): string => {
    const row = statement.name();
    const topics = statement.param([...new Set(['*', topic ?? '*'])], 'text[]');
    const channels = statement.param(['*', consent], 'text[]');
    // Only where it is used: Postgres refuses a parameter that nothing asks for.
    const now = (): string => statement.param(statement.now.toISOString(), 'timestamptz');
    const valid = state === 'granted' ? ` and (${row}.expires_at is null or ${row}.expires_at > ${now()})` : '';
    return `exists (select 1 from consent ${row} where ${row}.tenant_id = $1 and ${row}.customer_id = ${statement.customer}.id and ${row}.class = 'marketing' and ${row}.channel = any(${channels}) and ${row}.topic = any(${topics}) and ${row}.state = '${state}'${valid})`;
  };
  if (is === 'denied') return said('denied');
  return `(not ${said('denied')} and ${is === 'granted' ? '' : 'not '}${said('granted')})`;
}
