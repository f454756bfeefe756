import type { Held } from './held.ts';
import type { Scope } from './scope.ts';

/** What stands for the names in braces. */
export interface Holder {
  scope: Scope;
  /** Keyed hashes of the addresses, in hex. */
  hashes: readonly string[];
  now: Date;
}

const like = (text: string): string => `%${text.replace(/[\\%_]/g, '\\$&')}%`;

const fillers: Record<string, (holder: Holder) => unknown> = {
  ids: ({ scope }) => scope.ids,
  streams: ({ scope }) => scope.streams,
  remotes: ({ scope }) => scope.remotes,
  patterns: ({ scope }) => scope.terms.map(like),
  anyName: ({ scope }) => scope.names.map(like),
  hashes: ({ hashes }) => hashes,
  now: ({ now }) => now,
};

/** Puts parameters in place of the names in braces. $1 is the tenant, which the caller puts before the values. */
export function bind(sql: string, holder: Holder): { text: string; values: unknown[] } {
  const names: string[] = [];
  const text = sql.replace(/\{(\w+)\}/g, (_all, name: string) => {
    if (!names.includes(name)) names.push(name);
    return `$${names.indexOf(name) + 2}`;
  });
  return { text, values: names.map((name) => fillers[name]!(holder)) };
}

/** The statement that deletes or blanks a person's rows of a table. @throws Error for a table that is treated otherwise */
export function statement(held: Held, holder: Holder): { text: string; values: unknown[] } {
  const where = `where t.tenant_id = $1 and (${held.rows})`;
  if (held.treat.how === 'delete') return bind(`delete from ${held.table} t ${where}`, holder);
  if (held.treat.how !== 'blank') throw new Error(`The rows of ${held.table} are not treated by a statement.`);
  const set = Object.entries(held.treat.set).map(([column, value]) => `${column} = ${value}`);
  return bind(`update ${held.table} t set ${set.join(', ')} ${where}`, holder);
}
