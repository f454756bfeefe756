import type pg from 'pg';
import { type Job, PgBoss } from 'pg-boss';
import type { Role } from './config.ts';
import { APP_ROLE, type Sql } from './database.ts';
import { applicationName } from './embedded.ts';
import { messageOf } from './errors.ts';
import type { Logger } from './log.ts';
import { traced } from './tracing.ts';

/** A job carries ids only: the rows are the truth, the queue wakes. */
export interface JobData {
  tenantId?: string;
  [key: string]: string | undefined;
}

export interface QueueDefinition {
  name: string;
  /** The role whose processes work on it. */
  role: Role;
  /** Jobs of one tenant running at the same time over all processes, so that a busy tenant cannot starve another. */
  perTenant?: number;
  /** Jobs taken at once; the handler sees each distinct payload of a batch once. */
  batch?: number;
  /** Batches worked on at the same time in one process. */
  parallel?: number;
  /** Seconds after which a job counts as hung; a worker that died is noticed by its heart-beat long before. */
  expireSeconds?: number;
  handle(data: JobData, signal: AbortSignal): Promise<void>;
}

export interface Queue {
  /** Puts a job in the transaction of `sql`: it exists when that commits and never did when it rolls back. */
  send(sql: Sql, name: string, data: JobData, options?: { delaySeconds?: number; priority?: number }): Promise<void>;
  /** Puts a job on its own. */
  wake(name: string, data: JobData): Promise<void>;
  /** Starts working on the queues of `roles`. */
  work(roles: readonly Role[]): Promise<void>;
  /** Jobs not finished yet, by queue; a failed one counts until its last try. */
  pending(): Promise<Record<string, number>>;
  /** Resolves when no job is waiting or running. */
  idle(): Promise<void>;
  depth(): Promise<{ name: string; ready: number; active: number; failed: number }[]>;
  stop(): Promise<void>;
}

/**
 * A connection that breaks between two statements of a transaction says so to nobody but its own listeners: without one
 * the whole process would end. Whoever works with it learns it from the next statement.
 */
function survive(boss: PgBoss): void {
  const { pool } = boss.getDb() as { pool?: pg.Pool };
  const heard = new WeakSet<pg.ClientBase>();
  pool?.on('acquire', (client) => {
    if (heard.has(client)) return;
    heard.add(client);
    client.on('error', () => {});
  });
}

const SCHEMA = 'queue';
const DEAD = 'dead';

/**
 * pg-boss with the settings that were measured to work: batches of at least two with bursts (a worker of one job is
 * limited to one per poll), notifications, heartbeats (a killed worker's jobs come back in seconds), back-off.
 */
export async function openQueue(
  ownerUrl: string,
  definitions: readonly QueueDefinition[],
  log: Logger,
): Promise<Queue> {
  const boss = new PgBoss({
    connectionString: ownerUrl,
    schema: SCHEMA,
    application_name: applicationName(),
    max: 4,
    useListenNotify: true,
    schedule: false,
    superviseIntervalSeconds: 5,
    monitorIntervalSeconds: 5,
    maintenanceIntervalSeconds: 60,
    monitorVacuum: false,
  });
  boss.on('error', (error) => log.error({ err: error }, 'queue error'));
  boss.on('warning', (warning) => log.warn({ warning }, 'queue warning'));
  await boss.start();
  survive(boss);
  // Jobs are sent inside the transactions of the application role.
  // One process at a time: Postgres refuses grants on the same objects that meet.
  const settings = [
    `select pg_advisory_xact_lock(hashtext('rapport queue grants'))`,
    `grant usage on schema ${SCHEMA} to ${APP_ROLE}`,
    `grant select, insert, update, delete on all tables in schema ${SCHEMA} to ${APP_ROLE}`,
    `grant execute on all functions in schema ${SCHEMA} to ${APP_ROLE}`,
    // What waits for one business is found without walking what waits for all of them.
    `create index if not exists waiting_of_group on ${SCHEMA}.job (name, group_id) where state = 'created' and group_id is not null`,
  ];
  // Several statements without parameters are one transaction.
  await boss.getDb().executeSql(settings.join('; '));
  await boss.createQueue(DEAD, { retentionSeconds: 30 * 86400 });
  for (const { name, expireSeconds } of definitions) {
    await boss.createQueue(name, {
      notify: true,
      deadLetter: DEAD,
      retryLimit: 8,
      retryDelay: 2,
      retryBackoff: true,
      retryDelayMax: 300,
      heartbeatSeconds: 10,
      expireInSeconds: expireSeconds ?? 600,
      deleteAfterSeconds: 3600,
    });
  }
  const byName = new Map(definitions.map((definition) => [definition.name, definition]));
  let stopping = false;

  /**
   * Jobs like the one that begins now, put before: it sees what they were put for, and does it. Without this a business
   * for which a thousand things are planned would have a thousand jobs work one after the other, of which one does it all.
   */
  async function absorb(name: string, { data }: Pick<Job<JobData>, 'data'>): Promise<void> {
    if (!data.tenantId) return;
    await boss.getDb().executeSql(
      `delete from ${SCHEMA}.job where name = $1 and id in (
           select id from ${SCHEMA}.job where name = $1 and group_id = $2 and state = 'created' and data = $3::jsonb and start_after <= now() for update skip locked)`,
      [name, data.tenantId, JSON.stringify(data)],
    );
  }

  async function start(definition: QueueDefinition): Promise<void> {
    let own = '';
    own = await boss.work(
      definition.name,
      {
        batchSize: Math.max(2, definition.batch ?? 20),
        burstWhenBatchFull: true,
        perJobResults: true,
        notifyPollingIntervalSeconds: 2,
        localConcurrency: 1,
        heartbeatRefreshSeconds: 3,
        ...(definition.perTenant ? { groupConcurrency: definition.perTenant } : {}),
      },
      async (jobs: Job<JobData>[]) => {
        const groups = new Map<string, typeof jobs>();
        for (const job of jobs) {
          const key = JSON.stringify(job.data);
          groups.set(key, [...(groups.get(key) ?? []), job]);
        }
        const results = await Promise.all(
          [...groups.values()].map(async (same) => {
            const first = same[0]!;
            try {
              await absorb(definition.name, first);
              await traced(`job ${definition.name}`, () => definition.handle(first.data, first.signal));
              return same.map((job) => ({ id: job.id, status: 'completed' as const }));
            } catch (error) {
              log.error(
                { err: error, queue: definition.name, job: first.data, attempt: first.retryCount },
                'a job failed and will be tried again',
              );
              return same.map((job) => ({
                id: job.id,
                status: 'failed' as const,
                output: { message: messageOf(error) },
              }));
            }
          }),
        );
        // A job that had to wait for one of the same tenant was announced before this one ended: look again at once.
        if (definition.perTenant) boss.notifyWorker(own);
        return results.flat();
      },
    );
  }

  const optionsOf = (data: JobData, more: { delaySeconds?: number; priority?: number } = {}): object => ({
    ...(data.tenantId ? { group: { id: data.tenantId } } : {}),
    ...(more.delaySeconds ? { startAfter: more.delaySeconds } : {}),
    ...(more.priority ? { priority: more.priority } : {}),
  });
  const known = (name: string): void => {
    if (!byName.has(name)) throw new Error(`There is no queue "${name}".`);
  };
  const counts = async (): Promise<{ name: string; state: string; n: number }[]> =>
    (
      await boss
        .getDb()
        .executeSql(
          `select name, state::text, count(*)::int as n from ${SCHEMA}.job where state < 'completed' and name <> $1 group by 1, 2`,
          [DEAD],
        )
    ).rows;

  return {
    async send(sql, name, data, more) {
      known(name);
      const db = {
        executeSql: async (text: string, values?: unknown[]) => ({ rows: (await sql.query(text, values)).rows }),
      };
      await boss.send(name, data, { ...optionsOf(data, more), db });
    },
    async wake(name, data) {
      known(name);
      if (!stopping) await boss.send(name, data, optionsOf(data));
    },
    async work(roles) {
      const wanted = definitions.filter((definition) => roles.includes(definition.role));
      // Workers one by one, because each must be able to wake itself.
      const workers = wanted.flatMap((definition) =>
        Array.from({ length: definition.parallel ?? 2 }, () => definition),
      );
      await Promise.all(workers.map(start));
    },
    async pending() {
      const result: Record<string, number> = {};
      for (const { name, n } of await counts()) result[name] = (result[name] ?? 0) + n;
      return result;
    },
    async idle() {
      while ((await counts()).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    async depth() {
      const rows = await counts();
      const { rows: failed } = await boss
        .getDb()
        .executeSql(
          `select name, count(*)::int as n from ${SCHEMA}.job where state = 'failed' and name <> $1 group by 1`,
          [DEAD],
        );
      return definitions.map(({ name }) => ({
        name,
        ready: rows.filter((row) => row.name === name && row.state !== 'active').reduce((sum, row) => sum + row.n, 0),
        active: rows.find((row) => row.name === name && row.state === 'active')?.n ?? 0,
        failed: failed.find((row: { name: string }) => row.name === name)?.n ?? 0,
      }));
    },
    async stop() {
      stopping = true;
      await boss.stop({ graceful: true, timeout: 20_000, close: true });
    },
  };
}
