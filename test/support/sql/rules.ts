import type pg from 'pg';
import { statementsOf } from '../../../src/base/statements.ts';
import type { TableKinds } from '../../../src/base/tables.ts';
import { namesTenant, type Plan, planNodes } from './plan.ts';
import type { Seen } from './recorder.ts';
import { type Node, nodesOf, readTree, type Value, word } from './tree.ts';

/** What the rules need to know of the database, asked once. */
export interface Judge {
  /** Everything a distributed database would refuse about a statement; empty is well. */
  violations(seen: Pick<Seen, 'text' | 'tenantAt'>): Promise<string[]>;
}

/** Numbers of pg_node_tree: what a statement does. */
const COMMAND: Record<string, string> = { '1': 'select', '2': 'update', '3': 'insert', '4': 'delete', '5': 'merge' };

// CASE and COALESCE, as Postgres calls them in a tree.
const CHOICES = ['CASE', 'CASEEXPR', 'COALESCE', 'COALESCEEXPR'];

/**
 * The rules of a distributed database, judged by Postgres itself: its parser says which tables and functions a statement
 * has, its planner which conditions hold for each table. Conditions that follow from others (the tenant of a joined
 * table) count, those under OR do not.
 */
export async function openJudge(client: pg.Client, kinds: TableKinds): Promise<Judge> {
  // With indexes each condition could stand in another place.
  for (const how of ['indexscan', 'indexonlyscan', 'bitmapscan', 'tidscan'])
    await client.query(`set enable_${how} = off`);
  await client.query('set plan_cache_mode = force_generic_plan');
  const { rows: classes } = await client.query<{ oid: string; schema: string; name: string }>(
    "select c.oid::text, n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm', 'f')",
  );
  const nameOf = new Map(
    classes.map((row) => [row.oid, row.schema === 'public' ? row.name : `${row.schema}.${row.name}`]),
  );
  const { rows: functions } = await client.query<{ oid: string; name: string; volatility: string }>(
    'select oid::text, proname as name, provolatile as volatility from pg_proc',
  );
  const functionOf = new Map(functions.map((row) => [row.oid, row]));
  const tenant = new Set(kinds.tenant);

  /** Functions, operators and special words of a value that are not the same for ever. */
  const unsteady = (value: Value | Value[] | undefined): { name: string; volatile: boolean; node: Node }[] =>
    nodesOf(value).flatMap((node) => {
      if (node.type === 'SQLVALUEFUNCTION') return [{ name: 'the present moment or user', volatile: false, node }];
      const id = word(node, 'funcid') ?? word(node, 'opfuncid');
      const found = id === undefined ? undefined : functionOf.get(id);
      return found && found.volatility !== 'i' ? [{ name: found.name, volatile: found.volatility === 'v', node }] : [];
    });

  function judgeFunctions(query: Node): string[] {
    const does = COMMAND[word(query, 'commandType') ?? ''] ?? 'something unknown';
    if (does === 'select') return [];
    const wrong: string[] = [];
    for (const { name } of unsteady(query.fields.onConflict))
      wrong.push(`uses ${name} in ON CONFLICT DO UPDATE, which must be the same for ever`);
    for (const { name } of unsteady(query.fields.returningList)) wrong.push(`uses ${name} in RETURNING`);
    if (does === 'insert') {
      if (nodesOf(query.fields.targetList).some((node) => node.type === 'SUBLINK'))
        wrong.push('has a subquery among the values it inserts');
      return wrong;
    }
    const parts = [query.fields.targetList, query.fields.jointree];
    for (const { name, volatile, node } of parts.flatMap((part) => unsteady(part))) {
      if (volatile) wrong.push(`uses the volatile ${name} in ${does}`);
      else if (outside(node).some((inner) => inner.type === 'VAR'))
        wrong.push(`gives a column to ${name}, which is not the same for ever, in ${does}`);
    }
    for (const choice of parts.flatMap((part) => nodesOf(part)))
      if (CHOICES.includes(choice.type))
        for (const { name } of unsteady(choice)) wrong.push(`uses ${name} within CASE or COALESCE in ${does}`);
    return [...new Set(wrong)];
  }

  async function judgePlan(text: string, tenantAt: readonly number[]): Promise<string[]> {
    const { rows } = await client.query<{ 'QUERY PLAN': { Plan: Plan }[] }>(
      `explain (generic_plan, verbose, costs off, format json) ${text}`,
    );
    return planNodes(rows[0]!['QUERY PLAN'][0]!.Plan).flatMap((node) => {
      const table = node['Relation Name'];
      if (table === undefined || node.Schema !== 'public' || !tenant.has(table)) return [];
      if (node['Node Type'] !== 'ModifyTable')
        return namesTenant(node, tenantAt)
          ? []
          : [`does not hold ${table} (${node.Alias}) to the tenant: ${String(node.Filter ?? 'no condition')}`];
      if (node.Operation !== 'Insert') return [];
      const given = firstOutput(outer(node));
      // The tenant itself, or that of a row that is read, which is held to the tenant as every other.
      const right = tenantAt.some((at) => given === `$${at}`) || /^\w+\.tenant_id$/.test(given);
      return right ? [] : [`inserts ${given} as the tenant of ${table}`];
    });
  }

  return {
    async violations({ text, tenantAt }) {
      if (statementsOf(text).length !== 1) return ['is several statements in one text'];
      const trees = await treeOf(client, text).catch((error: Error) => error);
      if (trees instanceof Error) return [`cannot be judged: ${trees.message}`];
      const queries = nodesOf(trees).filter((node) => node.type === 'QUERY');
      const relations = new Set(
        nodesOf(trees)
          .filter((node) => (node.type === 'RANGETBLENTRY' || node.type === 'RTE') && word(node, 'rtekind') === '0')
          .map((node) => nameOf.get(word(node, 'relid') ?? '') ?? 'an unknown table'),
      );
      const own = [...relations].filter((name) => tenant.has(name));
      const others = [...relations].filter((name) => !tenant.has(name));
      if (own.length === 0) return [];
      const wrong = queries.flatMap(judgeFunctions);
      if (queries.some((query) => word(query, 'commandType') === '5')) wrong.push('is a MERGE');
      if (others.length > 0) wrong.push(`joins ${own.join(', ')} with ${others.join(', ')}, which are elsewhere`);
      return [...wrong, ...(await judgePlan(text, tenantAt))];
    },
  };
}

/** Where the rows of a node come from; values that are looked up beside them are not that. */
const outer = (node: Plan | undefined): Plan | undefined =>
  node?.Plans?.find((child) => !['InitPlan', 'SubPlan'].includes(String(child['Parent Relationship'])));

/** What becomes the first column, which of every tenant table is the tenant. */
function firstOutput(node: Plan | undefined): string {
  const given = node?.Output?.[0] ?? '';
  return given.startsWith('"*SELECT*".') ? firstOutput(outer(node)) : given;
}

/** Nodes of a value, without what stands within a choice: further in Citus does not look for columns. */
const outside = (value: Value | Value[] | undefined): Node[] => nodesOf(value, (node) => CHOICES.includes(node.type));

/** The tree of a statement: as the body of a procedure Postgres keeps it parsed. */
async function treeOf(client: pg.Client, text: string): Promise<Value> {
  try {
    const [, , asked] = (await client.query(
      `begin; prepare judged as ${text}; select parameter_types::text[] as types from pg_prepared_statements where name = 'judged'`,
    )) as unknown as pg.QueryResult<{ types: string[] }>[];
    const [, kept] = (await client.query(
      `create procedure public.judged(${asked!.rows[0]!.types.join(', ')}) language sql begin atomic ${text}; end;
       select prosqlbody::text as body from pg_proc where proname = 'judged'`,
    )) as unknown as pg.QueryResult<{ body: string }>[];
    return readTree(kept!.rows[0]!.body);
  } finally {
    await client.query('rollback; deallocate all');
  }
}
