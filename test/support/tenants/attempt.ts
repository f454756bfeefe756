import type { Database, Sql } from '../../../src/base/database.ts';
import { messageOf } from '../../../src/base/errors.ts';
import type { Attack, StoreFunction, Surroundings } from './functions.ts';
import type { Tenant } from './seed.ts';
import { textOf, UUID } from './text.ts';

/** What came of one call. */
export interface Attempt {
  /** The message it failed with. */
  error: string | undefined;
  /** Everything it answered, as text. */
  text: string;
  /** The same without what differs from call to call. */
  same: string;
  /** Everything that was handed in, as text. */
  given: string;
  /** Tables in which rows of the victim are not what they were. */
  changed: string[];
  /** The attacker's rows afterwards in all tables that were written, as text. */
  own: string;
}

/** Tables this connection wrote to, counted by the database; some may be from a transaction just before. */
async function writtenTables(tx: Sql): Promise<string[]> {
  const { rows } = await tx.query<{ relname: string }>(
    "select relname from pg_stat_xact_user_tables where schemaname = 'public' and n_tup_ins + n_tup_upd + n_tup_del > 0",
  );
  return rows.map((row) => row.relname);
}

/** All rows of a tenant in a table as one text that is the same for the same rows. */
export async function rowsAsText(sql: Sql, table: string, tenantId: string): Promise<string> {
  const { rows } = await sql.query<{ text: string | null }>(
    `select string_agg(to_jsonb(t)::text, ',' order by to_jsonb(t)::text) as text from ${table} t where tenant_id = $1`,
    [tenantId],
  );
  return rows[0]?.text ?? '';
}

/** Calls one function as a tenant and looks at the rows before everything is rolled back. */
export async function attempt(one: {
  db: Database;
  tenantId: string;
  target: StoreFunction;
  attack: Attack;
  around: Surroundings;
  victim: Tenant;
  attacker: Tenant;
  /** The victim's rows by table, as they were. */
  untouched: ReadonlyMap<string, string>;
}): Promise<Attempt> {
  const { victim, attacker, target } = one;
  const args = one.attack.args(victim, one.around);
  // Services know nothing of tenants; what is handed in as data is what the attacker knows beforehand.
  const given = textOf(args.filter((value) => value !== one.around.deps && value !== one.around.deps.ports));
  const made: Attempt = { error: undefined, text: '', same: '', given, changed: [], own: '' };
  try {
    await one.db.rehearse(one.tenantId, async (tx) => {
      try {
        const result = await target.call(...args.slice(0, target.at), tx, ...args.slice(target.at));
        made.text = textOf(one.attack.look ? one.attack.look(result, victim, args) : result);
      } catch (error) {
        made.error = messageOf(error);
        made.text = made.error;
      }
      // As who logged in: row-level security would hide what was done to the other one.
      await tx.query('set local role none');
      for (const table of await writtenTables(tx)) {
        if (!one.untouched.has(table)) continue;
        if ((await rowsAsText(tx, table, victim.tenantId)) !== one.untouched.get(table)) made.changed.push(table);
        made.own += await rowsAsText(tx, table, attacker.tenantId);
      }
    });
  } catch (error) {
    made.error ??= messageOf(error);
  }
  made.same = made.text.replaceAll(UUID, (id) => (attacker.known.has(id) || victim.known.has(id) ? id : 'id'));
  return made;
}

/** What stands in a text although only the victim knows it and nobody handed it in. */
export function leaksOf(text: string, given: string, victim: Tenant): string[] {
  if (text.includes(victim.mark) || text.includes(Buffer.from(victim.mark).toString('hex')))
    return [
      `something only the other tenant knows: ${text.slice(Math.max(0, text.indexOf(victim.mark) - 100)).slice(0, 200)}`,
    ];
  const handedIn = new Set(given.match(UUID));
  return (
    [...new Set(text.match(UUID))]
      // The id that stands for everybody is nobody's.
      .filter((id) => victim.known.has(id) && !handedIn.has(id) && !/^[0-]+$/.test(id))
      .map((id) => `the id ${id} of the other tenant`)
  );
}
