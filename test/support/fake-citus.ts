import type pg from 'pg';

/**
 * A recorded FAKE of Citus on a plain Postgres: its functions are there and write down how they were called, and the
 * extension seems to be installed. Nothing is distributed. What a real cluster says is for `npm run test:citus`.
 */
export async function installFakeCitus(client: pg.Client): Promise<FakeCitus> {
  const { rows } = await client.query<{ name: string }>('select current_database() as name');
  for (const statement of [
    'create schema fake_citus',
    `alter database ${rows[0]!.name} set search_path = public, fake_citus`,
    'set search_path = public, fake_citus',
    'create table fake_citus.call (at int generated always as identity, said text)',
    'create table fake_citus.pg_dist_partition (logicalrelid regclass, partmethod "char")',
    "create table fake_citus.worker (nodename text, nodeport int, success boolean default true, result text default '1')",
    `create function fake_citus.create_distributed_table(name regclass, by text, colocate_with text) returns void language sql as $$
       insert into fake_citus.call (said) values (name || ' by ' || by || ' with ' || colocate_with);
       insert into fake_citus.pg_dist_partition values (name, 'h') $$`,
    `create function fake_citus.truncate_local_data_after_distributing_table(name regclass) returns void language sql as $$
       insert into fake_citus.call (said) values (name || ' emptied here') $$`,
    `create function fake_citus.run_command_on_workers(command text) returns setof fake_citus.worker language sql as $$
       select * from fake_citus.worker $$`,
    // Only a superuser of a database for tests can say that an extension is there which is not.
    "insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) select 99999, 'citus', 10, oid, false, '0-fake' from pg_namespace where nspname = 'fake_citus'",
    "insert into fake_citus.worker (nodename, nodeport) values ('one', 5432), ('two', 5432)",
  ])
    await client.query(statement);
  return {
    calls: async () =>
      (await client.query<{ said: string }>('delete from fake_citus.call returning said, at')).rows.map(
        ({ said }) => said,
      ),
    worker: async (name, answer) => {
      await client.query('update fake_citus.worker set success = $2, result = $3 where nodename = $1', [
        name,
        answer.success,
        answer.result,
      ]);
    },
  };
}

export interface FakeCitus {
  /** What was called since the last time one asked. */
  calls(): Promise<string[]>;
  /** What a worker answers when asked for the application's role. */
  worker(name: string, answer: { success: boolean; result: string }): Promise<void>;
}
