import type { Database, Sql } from './database.ts';
import type { Queue } from './queue.ts';

/** One kind of work that becomes due with time: who works on it, and how often it is looked at even without a wake-up. */
export interface DueKind {
  kind: string;
  queue: string;
  /** Seconds after which the tenant is looked at again although nobody asked: the net under lost wake-ups. */
  fallbackSeconds: number;
}

/** Sees to it that `kind` of the tenant is looked at no later than `at`. Only ever makes it earlier. */
export async function bumpDue(sql: Pick<Sql, 'query'>, tenantId: string, kind: string, at: Date): Promise<void> {
  await sql.query(
    `insert into tenant_due as d (tenant_id, kind, next_due, look_at) values ($1, $2, $3, $3)
     on conflict (tenant_id, kind) do update set next_due = excluded.next_due where d.next_due > excluded.next_due`,
    [tenantId, kind, at],
  );
}

/** Nobody is ever looked at later than the fallback. Where it says so the clock was set back, and they are looked at now. */
const CLOCKS_DIFFER_SECONDS = 60;

/**
 * Claims the tenants whose `kind` is due at `now` and puts their jobs, both in one transaction.
 * @returns how many jobs were put
 */
export async function sweepDue(db: Database, queue: Queue, kinds: readonly DueKind[], now: Date): Promise<number> {
  const inSeconds = (seconds: number): Date => new Date(now.getTime() + seconds * 1000);
  let woken = 0;
  for (const { kind, queue: name, fallbackSeconds } of kinds) {
    woken += await db.system(async (tx) => {
      const { rows } = await tx.query<{ tenant_id: string }>(
        `update tenant_due set next_due = 'infinity', look_at = $3 where (tenant_id, kind) in (
           select tenant_id, kind from tenant_due where kind = $1 and (least(next_due, look_at) <= $2 or least(next_due, look_at) > $4) order by least(next_due, look_at) limit 500 for update skip locked)
         returning tenant_id`,
        [kind, now, inSeconds(fallbackSeconds), inSeconds(fallbackSeconds + CLOCKS_DIFFER_SECONDS)],
      );
      for (const { tenant_id } of rows) await queue.send(tx, name, { tenantId: tenant_id });
      return rows.length;
    });
  }
  return woken;
}

/** The earliest moment somebody asked for, or undefined when nobody asked. */
export async function nextDue(db: Database): Promise<Date | undefined> {
  const { rows } = await db.statement<{ at: Date | null }>(
    "select min(next_due) as at from tenant_due where next_due < 'infinity'",
  );
  return rows[0]?.at ?? undefined;
}
