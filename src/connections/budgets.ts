import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { type Budget, type Purpose, RESERVED_FOR_OTHERS, type RequestSpec, VendorError } from '../kit/index.ts';

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
  /** Nobody calls under these budgets before `until`: the vendor said so. */
  park(
    connector: string,
    account: string,
    budgets: readonly Budget[],
    spec: RequestSpec,
    until: Date,
    reason: string,
  ): Promise<void>;
}

/** Milliseconds a call waits in place; beyond that the work is put off and the worker does something else. */
const PATIENCE: Record<Purpose, number> = {
  action: 2_000,
  hook: 5_000,
  incremental: 15_000,
  sweep: 15_000,
  backfill: 30_000,
};

const keyOf = (connector: string, account: string, budget: Budget): string =>
  `${connector}:${budget.name}:${budget.scope === 'app' ? '*' : account}`;

const applying = (budgets: readonly Budget[], spec: RequestSpec): Budget[] =>
  budgets.filter((budget) => budget.match?.(spec) ?? true);

export function createBudgets(db: Database, clock: Clock): Budgets {
  const allotments = new Map<string, Allotment>();

  async function take(key: string, budget: Budget, purpose: Purpose): Promise<void> {
    const local = allotments.get(`${key}:${purpose}`);
    const now = clock.now().getTime();
    if (local && local.left >= 1 && local.until > now) {
      local.left -= 1;
      return;
    }
    const burst = budget.burst ?? budget.calls;
    const rate = budget.calls / budget.seconds;
    const share = Math.max(1, Math.min(10, Math.floor(burst / 20)));
    const reserve = burst >= 5 ? burst * RESERVED_FOR_OTHERS[purpose] : 0;
    const deadline = now + PATIENCE[purpose];
    for (;;) {
      for (const amount of share > 1 ? [share, 1] : [1]) {
        const at = clock.now();
        if (await takeShared(key, burst, rate, amount, reserve, at)) {
          allotments.set(`${key}:${purpose}`, {
            left: amount - 1,
            until: at.getTime() + Math.min(2_000, (share / rate) * 1000 + 200),
          });
          return;
        }
      }
      const ready = await readyAt(key, burst, rate, 1 + reserve);
      const at = clock.now().getTime();
      if (ready.getTime() > deadline || budget.quota) {
        throw new VendorError(
          budget.quota ? 'quota_exhausted' : 'rate_limited',
          `The platform's limit "${budget.name}" is used up.`,
          {
            until: ready,
          },
        );
      }
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
         tokens = least($2, b.tokens + $3::float8 * greatest(0, extract(epoch from $6::timestamptz - b.refilled_at)::float8)) - $4,
         refilled_at = greatest(b.refilled_at, $6)
       where (b.parked_until is null or b.parked_until <= $6)
         and least($2, b.tokens + $3 * greatest(0, extract(epoch from $6::timestamptz - b.refilled_at)::float8)) - $4 >= $5`,
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
      for (const budget of applying(budgets, spec)) await take(keyOf(connector, account, budget), budget, purpose);
    },
    async park(connector, account, budgets, spec, until, reason) {
      const budget = applying(budgets, spec).at(-1);
      if (!budget) return;
      const key = keyOf(connector, account, budget);
      for (const purpose of Object.keys(PATIENCE)) allotments.delete(`${key}:${purpose}`);
      await db.statement(
        `insert into rate_bucket as b (key, tokens, refilled_at, parked_until, reason) values ($1, 0, $2, $3, $4)
         on conflict (key) do update set parked_until = greatest(b.parked_until, excluded.parked_until), reason = excluded.reason, tokens = least(b.tokens, 0)`,
        [key, clock.now(), until, reason],
      );
    },
  };
}
