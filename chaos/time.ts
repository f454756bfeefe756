import { setTimeout as delay } from 'node:timers/promises';
import type { SharedClock } from './clock.ts';
import type { KillablePostgres } from './postgres.ts';
import type { Supervised } from './processes.ts';
import type { VendorsProcess } from './vendors.process.ts';

/** Lets time pass for everybody at once. */
export interface Time {
  /**
   * Moves the clock on when nothing is in anybody's hands: a process that is alive and holds a lease would otherwise
   * lose it without having been slow, which no clock does. What the dead left behind runs out.
   * @returns whether such a moment came
   */
  pass(milliseconds: number, patienceMs: number): Promise<boolean>;
  /** Waits until nothing is left to do now. */
  rest(patienceMs: number): Promise<boolean>;
  passed(): number;
  /** What kept the clock from moving, and how often. */
  waited(): Record<string, number>;
  /** Lets the queue, which lives on Postgres's own clock, catch up with what has passed. */
  catchUp(): Promise<void>;
  /**
   * What the dead worked on comes back at once: the queue would notice it after ten seconds. What somebody of the same
   * role is still at is begun a second time with it, as it happens to one who is cut off for a while.
   * @param role absent: everybody's
   */
  orphaned(role?: string): Promise<void>;
}

const QUEUES: Record<string, string[]> = {
  sync: ['sync', 'read', 'discover', 'link', 'inbox', 'refetch'],
  engine: ['detect', 'runs'],
  dispatch: ['dispatch', 'reconcile'],
};

export interface TimeOptions {
  clock: SharedClock;
  postgres: KillablePostgres;
  processes: Supervised;
  vendors: VendorsProcess;
}

/**
 * Leases somebody may be at work under: taken or renewed in the last seconds. Who lost the database in the middle of
 * its work keeps an older one, and no longer works on anything.
 */
const HELD = `
  select lease_owner from action_request where state = 'sending' and lease_until > $1::timestamptz + interval '113 s'
  union all select lease_owner from stream where lease_until > $1::timestamptz + interval '113 s'
  union all select lease_owner from credential where lease_until > $1::timestamptz + interval '53 s'`;

/** Transactions that have written something and are still open. */
const WRITING = "select pid from pg_stat_activity where application_name like 'rapport-%' and backend_xid is not null";

/**
 * The queue lives on Postgres's own clock. What would have happened there while the hub's clock was moved on is made
 * so: pauses between tries are over, and whoever gave no sign of life (they give one every three seconds) counts as dead.
 */
const CATCH_UP = [
  "update queue.job set start_after = now() where state in ('created', 'retry') and start_after > now()",
  "update queue.job set heartbeat_on = heartbeat_on - interval '10 s' where state = 'active' and heartbeat_on < now() - interval '4 s' and heartbeat_on > now() - interval '30 s'",
  "update queue.queue set monitor_claim_on = monitor_claim_on - interval '5 s', monitor_on = monitor_on - interval '5 s'",
];

const LOOK_MS = 40;

export function createTime({ clock, postgres, processes, vendors }: TimeOptions): Time {
  let passed = 0;

  const catchUp = async (): Promise<void> => {
    // Postgres may just not be there: the next time will do.
    await postgres.query(CATCH_UP.join('; ')).catch(() => {});
  };

  const pids = (): number[] => processes.all.map((one) => one.pid()).filter((pid) => pid !== undefined);

  const waited: Record<string, number> = {};
  const no = (why: string): boolean => {
    waited[why] = (waited[why] ?? 0) + 1;
    return false;
  };

  async function quiet(): Promise<boolean> {
    const busy = await vendors.busy();
    if (busy) return no(busy);
    const now = pids();
    const leases = await postgres.query<{ lease_owner: string }>(HELD, [clock.now()]);
    if (leases.some((row) => now.includes(Number.parseInt(row.lease_owner, 10)))) return no('a lease at work');
    return (await postgres.query(WRITING)).length === 0 || no('a transaction that writes');
  }

  /** Everything stands still while it is looked at again, so that what is seen is still so when the clock moves. */
  async function moveWhenQuiet(milliseconds: number): Promise<boolean> {
    if (!(await quiet())) return false;
    const held = pids().join();
    for (const one of processes.all) one.signal('SIGSTOP');
    try {
      // One that was started meanwhile did not stand still.
      if (!(await quiet()) || pids().join() !== held) return false;
      clock.advance(milliseconds);
      passed += milliseconds;
      return true;
    } finally {
      for (const one of processes.all) one.signal('SIGCONT');
    }
  }

  async function atRest(): Promise<boolean> {
    if (!processes.all.every((one) => one.ready()) || (await vendors.busy())) return false;
    const rows = await postgres.query<{ n: number }>(
      `select (select count(*) from queue.job where state < 'completed' and name <> 'dead' and start_after <= now())
         + (select count(*) from tenant_due where least(next_due, look_at) <= $1) as n`,
      [clock.now()],
    );
    return Number(rows[0]!.n) === 0;
  }

  return {
    catchUp,
    async orphaned(role) {
      const old = "update queue.job set heartbeat_on = now() - interval '15 s' where state = 'active'";
      const only = ' and name = any($1)';
      await postgres.query(role ? old + only : old, role ? [QUEUES[role] ?? []] : []).catch(() => {});
    },
    passed: () => passed,
    waited: () => ({ ...waited }),
    async pass(milliseconds, patienceMs) {
      const end = performance.now() + patienceMs;
      for (;;) {
        try {
          if (await moveWhenQuiet(milliseconds)) {
            await catchUp();
            return true;
          }
        } catch {
          // Postgres is just not there.
        }
        if (performance.now() > end) return false;
        await delay(LOOK_MS);
      }
    },
    async rest(patienceMs) {
      const end = performance.now() + patienceMs;
      let looked = 0;
      for (;;) {
        try {
          if (await atRest()) return true;
          // What the dead hold comes back soon.
          if (++looked % 10 === 0) await catchUp();
        } catch {
          // Postgres is just not there.
        }
        if (performance.now() > end) return false;
        await delay(LOOK_MS);
      }
    },
  };
}
