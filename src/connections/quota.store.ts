import { one, type Sql } from '../base/database.ts';
import { type Budget, type Purpose, UNSTATED } from '../kit/index.ts';
import type { Window } from './quota.ts';

// Coordinator rows: an allowance can span tenants, because the vendor counts the app or the account.

/** A bucket as it stands. */
export interface QuotaRow {
  key: string;
  tokens: number;
  refilled_at: Date;
  parked_until: Date | null;
  reason: string | null;
  window_start: Date | null;
  window_end: Date | null;
  used: number;
  by_purpose: Partial<Record<Purpose, number>>;
  allowed: number | null;
  vendor_limit: number | null;
  vendor_left: number | null;
  vendor_used: number | null;
}

const ALL =
  'key, tokens, refilled_at, parked_until, reason, window_start, window_end, used, by_purpose, allowed, vendor_limit, vendor_left, vendor_used';

export async function findBucket(sql: Pick<Sql, 'query'>, key: string): Promise<QuotaRow | undefined> {
  return one(await sql.query<QuotaRow>(`select ${ALL} from rate_bucket where key = $1`, [key]));
}

/** Every allowance that is counted, for the metrics. */
export async function countedBuckets(sql: Pick<Sql, 'query'>): Promise<QuotaRow[]> {
  return (await sql.query<QuotaRow>(`select ${ALL} from rate_bucket where window_end is not null`)).rows;
}

/**
 * Takes calls out of an allowance when enough is left beside what must be kept. The window only ever goes on: a process
 * whose clock is behind counts into the one that others have begun.
 */
export async function takeQuota(
  sql: Pick<Sql, 'query'>,
  key: string,
  take: { purpose: Purpose; calls: number; limit: number; kept: number; window: Window; now: Date },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `insert into rate_bucket as b (key, tokens, refilled_at, window_start, window_end, used, by_purpose, allowed)
     values ($1, 0, $2, $3, $4, $5::float8, jsonb_build_object($6::text, $5::float8), $7::float8)
     on conflict (key) do update set
       used = case when b.window_start >= $3 then b.used else 0 end + $5,
       by_purpose = case when b.window_start >= $3 then b.by_purpose else '{}'::jsonb end
         || jsonb_build_object($6, case when b.window_start >= $3 then coalesce((b.by_purpose ->> $6)::float8, 0) else 0 end + $5),
       vendor_left = case when b.window_start >= $3 then b.vendor_left end,
       vendor_used = case when b.window_start >= $3 then b.vendor_used end,
       allowed = $7, window_start = greatest(b.window_start, $3), window_end = greatest(b.window_end, $4)
     where (b.parked_until is null or b.parked_until <= $2)
       and (case when b.window_start >= $3 then
              least($7::float8 - b.used, coalesce(b.vendor_limit, ${UNSTATED}) - b.used,
                coalesce(b.vendor_left - (b.used - b.vendor_used), ${UNSTATED}))
            else least($7, coalesce(b.vendor_limit, ${UNSTATED})) end) - $5 >= $8::float8 * least($7, coalesce(b.vendor_limit, ${UNSTATED}))`,
    [key, take.now, take.window.start, take.window.end, take.calls, take.purpose, take.limit, take.kept],
  );
  return rowCount === 1;
}

/** The vendor says how much is left of the allowance, and perhaps how large it is. */
export async function noteQuota(
  sql: Pick<Sql, 'query'>,
  key: string,
  said: { left: number; limit: number | undefined; unstated: boolean; window: Window },
): Promise<void> {
  await sql.query(
    // A limit that nobody stated is at least what was used and what is left.
    `update rate_bucket set vendor_left = $2, vendor_used = used,
       vendor_limit = coalesce($3, case when $5 then greatest(coalesce(vendor_limit, 0), $2::float8 + used) else vendor_limit end)
     where key = $1 and window_start <= $4`,
    [key, said.left, said.limit ?? null, said.window.start, said.unstated],
  );
}

/** The vendor says that fewer calls are left than we thought: somebody else uses the same limit. */
export async function lowerTokens(sql: Pick<Sql, 'query'>, key: string, left: number): Promise<void> {
  await sql.query('update rate_bucket set tokens = least(tokens, $2) where key = $1', [key, left]);
}

/** Puts back what a call took too much of, up to what a bucket holds. */
export async function giveBack(sql: Pick<Sql, 'query'>, key: string, points: number, burst: number): Promise<void> {
  await sql.query('update rate_bucket set tokens = least($3, tokens + $2) where key = $1', [key, points, burst]);
}

/** How large an allowance is and what is left of it, by our count and by what the vendor said. */
export function standingOf(
  budget: Budget,
  row: QuotaRow | undefined,
  window: Window,
): {
  limit: number;
  used: number;
  left: number;
  others: number;
  toldByVendor: boolean;
  byPurpose: QuotaRow['by_purpose'];
} {
  const same = row?.window_start != null && row.window_start >= window.start;
  const limit = Math.min(budget.calls, row?.vendor_limit ?? UNSTATED);
  const used = same ? row.used : 0;
  const told = same && row.vendor_left !== null ? row.vendor_left - (used - (row.vendor_used ?? used)) : undefined;
  const left = Math.max(0, Math.min(limit - used, told ?? UNSTATED));
  // Measured against the vendor's own limit: an entered one may be smaller on purpose.
  const whole = row?.vendor_limit ?? limit;
  const others = told === undefined || whole >= UNSTATED ? 0 : Math.max(0, whole - used - told);
  return { limit, used, left, others, toldByVendor: told !== undefined, byPurpose: same ? row.by_purpose : {} };
}

/** Of each connector's allowances the one that is fullest: how much of it is used, and what is left. */
export async function fullestQuotas(
  sql: Pick<Sql, 'query'>,
  now: Date,
): Promise<{ connector: string; limit: string; used: number; left: number }[]> {
  const fullest = new Map<string, { connector: string; limit: string; used: number; left: number }>();
  for (const row of await countedBuckets(sql)) {
    // `connector:name:account`; neither ids of connectors nor names of limits hold a colon.
    const [connector = '', limit = ''] = row.key.split(':');
    const size = Math.min(row.allowed ?? UNSTATED, row.vendor_limit ?? UNSTATED);
    if (size >= UNSTATED || !row.window_end || row.window_end <= now) continue;
    const told = row.vendor_left === null ? UNSTATED : row.vendor_left - (row.used - (row.vendor_used ?? row.used));
    const left = Math.max(0, Math.min(size - row.used, told));
    const used = 1 - left / size;
    const known = fullest.get(`${connector}:${limit}`);
    if (!known || known.used < used) fullest.set(`${connector}:${limit}`, { connector, limit, used, left });
  }
  return [...fullest.values()];
}
