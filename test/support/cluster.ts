import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { distribute } from '../../src/base/citus.ts';
import { APP_ROLE } from '../../src/base/database.ts';
import { createLogger } from '../../src/base/log.ts';
import { migrate } from '../../src/base/migrate.ts';
import { openQueue } from '../../src/base/queue.ts';

/** Where databases for tests are made: one server, or a Citus cluster. */
export interface Cluster {
  /** Connection strings of a maintenance database on each node, the coordinator first. */
  nodes: string[];
  /** The database with every migration; on Citus its tables are distributed. */
  template: string;
  /** Log-in of the application's role, on Citus: a switched role does not reach the workers. */
  login: { name: string; password: string } | undefined;
}

/** Shards of a table in tests: enough to have several on each worker. */
const SHARDS = 4;

/** The same server, another database. */
export function databaseAt(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

function onHost(url: string, host: string, port: number): string {
  const its = new URL(url);
  its.hostname = host;
  its.port = String(port);
  return its.href;
}

async function run(url: string, ...statements: string[]): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    let last: pg.QueryResult | undefined;
    for (const statement of statements) last = await client.query(statement);
    return last!;
  } finally {
    await client.end();
  }
}

/** A database cloned from the template, on every node: Citus keeps all it knows of a database in that database. */
export async function cloneTemplate({ nodes, template }: Cluster, name: string): Promise<void> {
  await Promise.all(nodes.map((node) => run(node, `create database ${name} template ${template}`)));
}

export async function dropDatabase({ nodes }: Cluster, name: string): Promise<void> {
  for (const node of nodes) await run(node, `drop database if exists ${name} with (force)`);
}

/** Applies every migration and makes the queue's tables. */
export async function fillTemplate(url: string): Promise<void> {
  await migrate(url);
  const queue = await openQueue(url, [], createLogger('silent'));
  await queue.stop();
}

/**
 * Makes a template on a Citus cluster, its tables distributed.
 * @param url a database on the coordinator in which the extension is and the workers are known
 * @param workerUrls the workers, when they are not reached by the names the coordinator knows them by
 */
export async function clusterTemplate(url: string, workerUrls: readonly string[]): Promise<Cluster> {
  const { rows } = await run(
    url,
    "select nodename as host, nodeport as port, groupid = 0 as coordinator from pg_dist_node where noderole = 'primary' and isactive order by groupid",
  );
  const workers = rows.filter((row) => !row.coordinator);
  if (workers.length === 0)
    throw new Error('CITUS_URL leads to a database that knows no workers: add them with citus_add_node.');
  const nodes = [url, ...workers.map(({ host, port }, at) => workerUrls[at] ?? onHost(url, host, port))];
  const login = { name: 'rapport_test', password: randomBytes(12).toString('hex') };
  const template = `template_${randomBytes(6).toString('hex')}`;
  for (const node of nodes) {
    await run(node, `create database ${template}`);
    await run(databaseAt(node, template), 'create extension citus');
  }
  const at = databaseAt(url, template);
  for (const { host, port, coordinator } of rows)
    await run(at, `select ${coordinator ? 'citus_set_coordinator_host' : 'citus_add_node'}('${host}', ${port})`);
  await run(at, `alter database ${template} set citus.shard_count = ${SHARDS}`);
  await fillTemplate(at);
  await distribute(at);
  const present = (await run(at, `select from pg_roles where rolname = '${login.name}'`)).rowCount === 1;
  if (!present) await run(at, `create role ${login.name} login in role ${APP_ROLE}`);
  await run(at, `alter role ${login.name} password '${login.password}'`);
  // A template may have no visitors, and Citus keeps connections of its own in every database.
  for (const node of nodes)
    await run(
      node,
      `alter database ${template} allow_connections false`,
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${template}'`,
    );
  return { nodes, template, login };
}
