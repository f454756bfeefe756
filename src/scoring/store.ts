import { one, type Tx } from '../base/database.ts';
import type { LocalDate } from '../base/time.ts';
import { markStale } from '../model/stale.ts';
import type { Factor } from './formula.ts';

/** The score of a customer, as stored. */
export interface ScoreRow {
  customer_id: string;
  score: number | null;
  band: string | null;
  vip: boolean;
  unhappy: boolean;
  unhappy_reason: string | null;
  unhappy_since: LocalDate | null;
  reason: string | null;
  day: LocalDate;
  last_job_on: LocalDate | null;
  spend: number;
  jobs: number;
  answer: number | null;
  answered_on: LocalDate | null;
  delivered: number;
  hits: number;
  opens: number;
  recency: number | null;
  spending: number | null;
  frequency: number | null;
  sentiment: number | null;
  engagement: number | null;
  formula: number;
  rules: number;
  yardstick: number;
}

const SCORE =
  'customer_id, score, band, vip, unhappy, unhappy_reason, unhappy_since, reason, day, last_job_on, spend, jobs, answer, answered_on, delivered, hits, opens, recency, spending, frequency, sentiment, engagement, formula, rules, yardstick';

export async function findScore(tx: Tx, customerId: string): Promise<ScoreRow | undefined> {
  return one(
    await tx.query<ScoreRow>(`select ${SCORE} from customer_score where tenant_id = $1 and customer_id = $2`, [
      tx.tenantId,
      customerId,
    ]),
  );
}

/** Lines of history that say something about the days from one to another: the one before them, and those within. */
export async function historyRows(tx: Tx, customerId: string, from: LocalDate, to: LocalDate): Promise<ScoreRow[]> {
  const { rows } = await tx.query<ScoreRow>(
    `select ${SCORE} from score_history where tenant_id = $1 and customer_id = $2 and day <= $4
       and day >= coalesce((select max(day) from score_history where tenant_id = $1 and customer_id = $2 and day <= $3), $3) order by day`,
    [tx.tenantId, customerId, from, to],
  );
  return rows;
}

export interface ScoreFilter {
  band?: string;
  vip?: boolean;
  unhappy?: boolean;
  /** Best first, or worst first. */
  best: boolean;
  /** Goes on behind this customer. */
  after?: string;
  limit: number;
}

export type ListedScore = Pick<
  ScoreRow,
  | 'customer_id'
  | 'score'
  | 'band'
  | 'vip'
  | 'unhappy'
  | 'recency'
  | 'spending'
  | 'frequency'
  | 'sentiment'
  | 'engagement'
> & { name: string | null };

/** Customers with a score, sorted by it. */
export async function listScores(tx: Tx, filter: ScoreFilter): Promise<ListedScore[]> {
  const { rows } = await tx.query<ListedScore>(
    `select s.customer_id, s.score, s.band, s.vip, s.unhappy, s.recency, s.spending, s.frequency, s.sentiment, s.engagement, c.name
     from customer_score s join customer c on c.tenant_id = s.tenant_id and c.id = s.customer_id
     where s.tenant_id = $1 and s.score is not null and ($2::text is null or s.band = $2) and ($3::boolean is null or s.vip = $3)
       and ($4::boolean is null or s.unhappy = $4) and ($5::uuid is null or (s.score, s.customer_id) ${filter.best ? '<' : '>'} ((select a.score from customer_score a where a.tenant_id = $1 and a.customer_id = $5), $5))
     order by s.score ${filter.best ? 'desc' : 'asc'}, s.customer_id ${filter.best ? 'desc' : 'asc'} limit $6`,
    [tx.tenantId, filter.band ?? null, filter.vip ?? null, filter.unhappy ?? null, filter.after ?? null, filter.limit],
  );
  return rows;
}

/** Which of these customers are unhappy, why and since when. */
export async function unhappyOf(
  tx: Tx,
  customerIds: readonly string[],
): Promise<Map<string, { reason: string; since: LocalDate }>> {
  if (customerIds.length === 0) return new Map();
  const { rows } = await tx.query<{ id: string; reason: string; since: LocalDate }>(
    'select customer_id as id, unhappy_reason as reason, unhappy_since as since from customer_score where tenant_id = $1 and customer_id = any($2) and unhappy',
    [tx.tenantId, customerIds],
  );
  return new Map(rows.map(({ id, reason, since }) => [id, { reason, since }]));
}

/** The day of the last pass over everybody. */
export async function passedOn(tx: Tx): Promise<LocalDate | undefined> {
  return one(
    await tx.query<{ passed_on: LocalDate }>(
      "select passed_on from score_state where tenant_id = $1 and passed_on > '-infinity'",
      [tx.tenantId],
    ),
  )?.passed_on;
}

/** What people decided about a customer. */
export interface StandingRow {
  vip: boolean | null;
  vip_by: string | null;
  vip_at: Date | null;
  cleared_at: Date | null;
  cleared_by: string | null;
  cleared_reason: string | null;
  /** 0 while nobody decided anything. */
  version: number;
}

export async function findStanding(tx: Tx, customerId: string): Promise<StandingRow> {
  const row = one(
    await tx.query<StandingRow>(
      'select vip, vip_by, vip_at, cleared_at, cleared_by, cleared_reason, version from customer_standing where tenant_id = $1 and customer_id = $2',
      [tx.tenantId, customerId],
    ),
  );
  return (
    row ?? {
      vip: null,
      vip_by: null,
      vip_at: null,
      cleared_at: null,
      cleared_by: null,
      cleared_reason: null,
      version: 0,
    }
  );
}

/**
 * Stores what somebody decided, when nobody decided something since, and has the customer looked at again.
 * @returns the new version, or undefined when somebody else was faster
 */
export async function saveStanding(
  tx: Tx,
  customerId: string,
  standing: Omit<StandingRow, 'version'>,
  expected: number,
): Promise<number | undefined> {
  const row = one(
    await tx.query<{ version: number }>(
      `insert into customer_standing as s (tenant_id, customer_id, vip, vip_by, vip_at, cleared_at, cleared_by, cleared_reason, version)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9::int + 1)
       on conflict (tenant_id, customer_id) do update set vip = excluded.vip, vip_by = excluded.vip_by, vip_at = excluded.vip_at, cleared_at = excluded.cleared_at,
         cleared_by = excluded.cleared_by, cleared_reason = excluded.cleared_reason, version = excluded.version where s.version = $9::int returning version`,
      [
        tx.tenantId,
        customerId,
        standing.vip,
        standing.vip_by,
        standing.vip_at,
        standing.cleared_at,
        standing.cleared_by,
        standing.cleared_reason,
        expected,
      ],
    ),
  );
  if (row) await markStale(tx, 'score', [{ customerId, depth: 0 }]);
  return row?.version;
}

/** The unrounded factors of a row by their names. */
export const factorsOfRow = (
  row: Pick<ScoreRow, 'recency' | 'spending' | 'frequency' | 'sentiment' | 'engagement'>,
): Record<Factor, number | null> => ({
  recency: row.recency,
  spend: row.spending,
  frequency: row.frequency,
  sentiment: row.sentiment,
  engagement: row.engagement,
});
