import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import {
  type Budget,
  type Purpose,
  RESERVED_FOR_OTHERS,
  type Reply,
  type RequestSpec,
  UNSTATED,
  VendorError,
} from '../kit/index.ts';
import { findBucket, giveBack, lowerTokens, noteQuota, standingOf, takeQuota } from './quota.store.ts';
import { goesOnAt, keptOf, windowOf } from './quota.ts';

/** Tokens taken from the shared bucket ahead of use: fewer round trips, and given up when not used soon. */
interface Allotment {
  left: number;
  until: number;
}

/** The vendors' rate limits, shared by all processes through one row per bucket. */
export interface Budgets {
  /**
   * Waits for a token of every budget the call falls under.
   * @throws VendorError `rate_limited` or `quota_exhausted` with the time when it is worth trying again
   */
  acquire(
    connector: string,
    account: string,
    budgets: readonly Budget[],
    spec: RequestSpec,
    purpose: Purpose,
  ): Promise<void>;
  /**
   * Nobody calls under these budgets before `until`: the vendor said so. `quota`: it is the long-period allowance that is
   * used up, which ends with its window when the vendor gave no time.
   */
  park(
    connector: string,
    account: string,
    budgets: readonly Budget[],
    spec: RequestSpec,
    until: Date | undefined,
    reason: string,
    quota?: boolean,
  ): Promise<void>;
  /** What an answer says about what is left: others may use the same limit. */
  note(connector: string, account: string, budgets: readonly Budget[], spec: RequestSpec, reply: Reply): Promise<void>;
}

/** Milliseconds a call waits in place; beyond that the work is put off and the worker does something else. */
const PATIENCE: Record<Purpose, number> = {
  action: 2_000,
  hook: 5_000,
  incremental: 15_000,
  sweep: 15_000,
  backfill: 30_000,
};

/** Calls of an allowance taken ahead at once, and how long they are held. */
const AHEAD = 20;
const HOLD_MS = 60_000;

/** Calls of a short limit taken ahead at once: a twentieth of what it allows, and never more than these. */
const SHARE = 100;

/** Of a short limit: only when the vendor says that less than this share is left, it is written down. */
const SCARCE = 0.2;

/** Answers after which what the vendor says about an allowance is written down again, when it is no surprise. */
const REPORT_EVERY = 50;

/** Name of the shared row of a limit. */
export const keyOf = (connector: string, account: string, budget: Budget): string =>
  `${connector}:${budget.name}:${budget.scope === 'app' ? '*' : account}`;

const applying = (budgets: readonly Budget[], spec: RequestSpec): Budget[] =>
  budgets.filter((budget) => budget.match?.(spec) ?? true);

const utc = (at: Date): string => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** A bucket filled in the future: the clock was set back, and how long ago that was nobody knows. */
const SET_BACK = "b.refilled_at > $6::timestamptz + interval '1 minute'";
/** Seconds since a bucket was filled; processes whose clocks differ a little do not fill it twice. */
const PASSED = `case when ${SET_BACK} then 86400 else greatest(0, extract(epoch from $6::timestamptz - b.refilled_at)::float8) end`;

export function createBudgets(db: Database, clock: Clock): Budgets {
  const allotments = new Map<string, Allotment>();
  const sql = { query: db.statement };
  const reports = new Map<string, { left: number; since: number }>();

  /** One call out of an allowance. Calls held too long are not lost: they go into the next taking. */
  async function takeOfQuota(key: string, budget: Budget, purpose: Purpose): Promise<void> {
    const now = clock.now();
    const window = windowOf(budget.quota!, now);
    const held = allotments.get(`${key}:${purpose}`);
    if (held && held.left >= 1 && held.until > now.getTime()) {
      held.left -= 1;
      return;
    }
    allotments.delete(`${key}:${purpose}`);
    const ahead = Math.max(1, Math.min(AHEAD, Math.floor(budget.calls / 2000)));
    // Of the limit as a whole, which only the row knows when the vendor told it.
    const kept = keptOf(1, purpose, window, now);
    const over = held && held.until - HOLD_MS >= window.start.getTime() ? Math.min(held.left, ahead) : 0;
    for (const amount of ahead > 1 ? [ahead, 1] : [1]) {
      const calls = Math.max(0, amount - over);
      if (!(await takeQuota(sql, key, { purpose, calls, limit: budget.calls, kept, window, now }))) continue;
      const until = Math.min(now.getTime() + HOLD_MS, window.end.getTime());
      allotments.set(`${key}:${purpose}`, { left: calls + Math.min(over, amount) - 1, until });
      return;
    }
    const row = await findBucket(sql, key);
    const { limit, left } = standingOf(budget, row, window);
    const parked = row?.parked_until && row.parked_until > now ? row.parked_until : undefined;
    const until =
      parked ??
      (row?.window_end && row.window_end > window.end ? row.window_end : goesOnAt(limit, left, purpose, window, now));
    const words =
      parked || left < 1
        ? `The platform's limit "${budget.name}" is used up until ${utc(until)}.`
        : `What is left of the platform's limit "${budget.name}" is kept for more urgent work; this goes on at ${utc(until)}.`;
    throw new VendorError('quota_exhausted', words, { until });
  }

  const turns = new Map<string, Promise<void>>();

  /** Calls at the same time ask one after the other: the first brings enough for several. */
  async function take(key: string, budget: Budget, purpose: Purpose, spec: RequestSpec): Promise<void> {
    const name = `${key}:${purpose}`;
    const asked = clock.now().getTime();
    const turn = (turns.get(name) ?? Promise.resolve()).then(() =>
      budget.quota ? takeOfQuota(key, budget, purpose) : takeInTurn(key, budget, purpose, asked, budget.cost?.(spec)),
    );
    const ended = turn.catch(() => {});
    turns.set(name, ended);
    await turn.finally(() => {
      if (turns.get(name) === ended) turns.delete(name);
    });
  }

  /**
   * @param asked when the call began to wait, in milliseconds: its patience counts from there
   * @param points what the call takes, where calls differ: those are never taken ahead
   */
  async function takeInTurn(
    key: string,
    budget: Budget,
    purpose: Purpose,
    asked: number,
    points: number | undefined,
  ): Promise<void> {
    const local = allotments.get(`${key}:${purpose}`);
    const now = clock.now().getTime();
    if (local && local.left >= 1 && local.until > now) {
      local.left -= 1;
      return;
    }
    const burst = budget.burst ?? budget.calls;
    const rate = budget.calls / budget.seconds;
    const share = Math.max(1, Math.min(SHARE, Math.floor(burst / 20)));
    const needed = Math.min(points ?? 1, burst);
    // Where one call takes nearly everything there can be, less is kept for others: else it could never be made.
    const reserve = burst >= 5 ? Math.min(burst * RESERVED_FOR_OTHERS[purpose], burst - needed) : 0;
    const amounts = points === undefined ? (share > 1 ? [share, 1] : [1]) : [needed];
    const deadline = asked + PATIENCE[purpose];
    for (;;) {
      for (const amount of amounts) {
        const at = clock.now();
        if (await takeShared(key, burst, rate, amount, reserve, at)) {
          if (points !== undefined) return;
          allotments.set(`${key}:${purpose}`, {
            left: amount - 1,
            until: at.getTime() + Math.min(2_000, (share / rate) * 1000 + 200),
          });
          return;
        }
      }
      const ready = await readyAt(key, burst, rate, needed + reserve);
      const at = clock.now().getTime();
      if (ready.getTime() > deadline)
        throw new VendorError('rate_limited', `The platform's limit "${budget.name}" is used up.`, { until: ready });
      await clock.sleep(Math.max(10, ready.getTime() - at));
    }
  }

  async function takeShared(
    key: string,
    burst: number,
    rate: number,
    amount: number,
    reserve: number,
    now: Date,
  ): Promise<boolean> {
    // The refill is computed from the time passed as data, so that the clock stays a parameter.
    const { rowCount } = await db.statement(
      `insert into rate_bucket as b (key, tokens, refilled_at) values ($1, $2::float8 - $4::float8, $6)
       on conflict (key) do update set
         tokens = least($2, b.tokens + $3::float8 * ${PASSED}) - $4,
         refilled_at = case when ${SET_BACK} then $6 else greatest(b.refilled_at, $6) end
       where (b.parked_until is null or b.parked_until <= $6) and least($2, b.tokens + $3 * ${PASSED}) - $4 >= $5`,
      [key, burst, rate, amount, reserve, now],
    );
    return rowCount === 1;
  }

  async function readyAt(key: string, burst: number, rate: number, needed: number): Promise<Date> {
    const { rows } = await db.statement<{ tokens: number; refilled_at: Date; parked_until: Date | null }>(
      'select tokens, refilled_at, parked_until from rate_bucket where key = $1',
      [key],
    );
    const row = rows[0];
    if (!row) return clock.now();
    const refilled = row.refilled_at.getTime() + (Math.max(0, Math.min(needed, burst) - row.tokens) / rate) * 1000;
    return new Date(Math.max(refilled, row.parked_until?.getTime() ?? 0));
  }

  return {
    async acquire(connector, account, budgets, spec, purpose) {
      for (const budget of applying(budgets, spec)) {
        // Points of an allowance are taken one by one out of what was taken ahead.
        const points = budget.quota ? (budget.cost?.(spec) ?? 1) : 1;
        for (let taken = 0; taken < points; taken++)
          await take(keyOf(connector, account, budget), budget, purpose, spec);
      }
    },
    async park(connector, account, budgets, spec, until, reason, quota = false) {
      const matching = applying(budgets, spec);
      const budget = (quota ? matching.find((candidate) => candidate.quota) : undefined) ?? matching.at(-1);
      if (!budget) return;
      const key = keyOf(connector, account, budget);
      const now = clock.now();
      const end = until ?? (budget.quota ? windowOf(budget.quota, now).end : new Date(now.getTime() + 60_000));
      for (const purpose of Object.keys(PATIENCE)) allotments.delete(`${key}:${purpose}`);
      await db.statement(
        `insert into rate_bucket as b (key, tokens, refilled_at, parked_until, reason) values ($1, 0, $2, $3, $4)
         on conflict (key) do update set parked_until = greatest(b.parked_until, excluded.parked_until), reason = excluded.reason, tokens = least(b.tokens, 0)`,
        [key, now, end, reason],
      );
    },
    async note(connector, account, budgets, spec, reply) {
      for (const budget of applying(budgets, spec)) {
        const spent = budget.spent?.(reply);
        const over = budget.cost && spent !== undefined ? budget.cost(spec) - spent : 0;
        if (over > 0) await giveBack(sql, keyOf(connector, account, budget), over, budget.burst ?? budget.calls);
        const left = budget.left?.(reply);
        if (left === undefined || !Number.isFinite(left) || left < 0) continue;
        const key = keyOf(connector, account, budget);
        if (budget.quota) await report(key, budget, left, budget.limit?.(reply));
        else if (left < (budget.burst ?? budget.calls) * SCARCE) {
          for (const purpose of Object.keys(PATIENCE)) allotments.delete(`${key}:${purpose}`);
          await lowerTokens(sql, key, left);
        }
      }
    },
  };

  /** Writes down what the vendor says, when it is not just what was to be expected. */
  async function report(key: string, budget: Budget, left: number, limit: number | undefined): Promise<void> {
    const known = reports.get(key);
    const expected = known && known.left - known.since - 1;
    const size = limit ?? (budget.calls < UNSTATED ? budget.calls : left);
    const usual = expected !== undefined && Math.abs(expected - left) <= Math.max(1, size / 200);
    if (usual && known!.since < REPORT_EVERY && left > size * SCARCE) {
      known!.since += 1;
      return;
    }
    reports.set(key, { left, since: 0 });
    const unstated = budget.calls >= UNSTATED;
    await noteQuota(sql, key, { left, limit, unstated, window: windowOf(budget.quota!, clock.now()) });
  }
}
