import type { Tx } from '../base/database.ts';
import { keyOf } from '../connections/budgets.ts';
import { countRoutes } from '../connections/coordinator.ts';
import { findBucket, standingOf } from '../connections/quota.store.ts';
import { budgetsOf, POLL_SHARE, windowOf } from '../connections/quota.ts';
import { type RequestSpec, type Stream, UNSTATED } from '../kit/index.ts';
import type { SyncDeps } from './deps.ts';
import type { Source } from './source.ts';

/** Calls that reading a stream takes, averaged over its runs. */
export interface CostRow {
  stream_id: string;
  calls_per_poll: number | null;
  calls_per_page: number | null;
  records_per_page: number | null;
  calls_per_second: number | null;
}

/** A run as it was. */
export interface RunCost {
  initial: boolean;
  complete: boolean;
  calls: number;
  pages: number;
  records: number;
  seconds: number;
}

/** Longest time between two polls, however scarce the calls are. */
const MOST_SECONDS = 86_400;

/** Notes what a run took; the newest runs count most. */
export async function noteCost(tx: Tx, streamId: string, run: RunCost, now: Date): Promise<void> {
  if (run.pages === 0) return;
  const polled = !run.initial && run.complete;
  await tx.query(
    `insert into stream_cost as c (tenant_id, stream_id, calls_per_poll, calls_per_page, records_per_page, calls_per_second, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (tenant_id, stream_id) do update set
       calls_per_poll = coalesce((c.calls_per_poll + excluded.calls_per_poll) / 2, excluded.calls_per_poll, c.calls_per_poll),
       calls_per_page = coalesce((c.calls_per_page + excluded.calls_per_page) / 2, excluded.calls_per_page, c.calls_per_page),
       records_per_page = coalesce((c.records_per_page + excluded.records_per_page) / 2, excluded.records_per_page, c.records_per_page),
       calls_per_second = coalesce((c.calls_per_second + excluded.calls_per_second) / 2, excluded.calls_per_second, c.calls_per_second),
       updated_at = excluded.updated_at`,
    [
      tx.tenantId,
      streamId,
      polled ? run.calls : null,
      run.initial ? run.calls / run.pages : null,
      run.initial && run.records > 0 ? run.records / run.pages : null,
      // A run of a second or two says nothing about how fast a long one goes.
      run.initial && run.seconds >= 5 ? run.calls / run.seconds : null,
      now,
    ],
  );
}

export async function costsOf(tx: Tx, streamIds: readonly string[]): Promise<Map<string, CostRow>> {
  const { rows } = await tx.query<CostRow>(
    'select stream_id, calls_per_poll, calls_per_page, records_per_page, calls_per_second from stream_cost where tenant_id = $1 and stream_id = any($2)',
    [tx.tenantId, streamIds],
  );
  return new Map(rows.map((row) => [row.stream_id, row]));
}

/** Seconds between two polls of a stream as the business and the connector want it. */
export const wantedSeconds = (stream: Stream, pollSeconds: number): number => Math.max(stream.every ?? 0, pollSeconds);

/** Calls a second that polling a connection takes, at the wanted intervals. */
export function pollingRate(source: Source, costs: ReadonlyMap<string, CostRow>): number {
  let rate = 0;
  for (const stream of source.connector.streams) {
    const cost = costs.get(source.streamIds.get(stream.name) ?? '');
    if (stream.list && cost?.calls_per_poll) rate += cost.calls_per_poll / wantedSeconds(stream, source.pollSeconds);
  }
  return rate;
}

/** A call that reads, at no address in particular. */
const ANY_READING: RequestSpec = { method: 'GET', path: '/' };

/**
 * How many times longer than wanted the polls of a connection wait, so that polling leaves most of the allowance to
 * messages, changes and first loads. 1 where nobody states an allowance.
 */
export async function stretchOf(deps: SyncDeps, tenantId: string, source: Source): Promise<number> {
  const { connector, connection } = source;
  // An allowance for certain calls only, such as messages, is not used up by reading.
  const quotas = budgetsOf(deps.config, connector, connection).filter(
    ({ quota, match }) => quota && (match?.(ANY_READING) ?? true),
  );
  if (quotas.length === 0) return 1;
  const sql = { query: deps.db.statement };
  const now = deps.clock.now();
  const rate = pollingRate(source, await deps.db.tenant(tenantId, (tx) => costsOf(tx, [...source.streamIds.values()])));
  let stretch = 1;
  for (const budget of quotas) {
    const window = windowOf(budget.quota!, now);
    const row = await findBucket(sql, keyOf(connector.id, connection.account_id ?? '', budget));
    const { limit, others } = standingOf(budget, row, window);
    if (limit >= UNSTATED) continue;
    const sharing = budget.scope === 'app' ? Math.max(1, await countRoutes(sql, connector.id)) : 1;
    const share = (Math.max(1, limit - others) * POLL_SHARE) / sharing;
    const calls = (rate * (window.end.getTime() - window.start.getTime())) / 1000;
    stretch = Math.max(stretch, calls / share);
  }
  return stretch;
}

/** When a stream is polled next. */
export async function nextPollAt(deps: SyncDeps, tenantId: string, source: Source, stream: Stream): Promise<Date> {
  const wanted = wantedSeconds(stream, source.pollSeconds);
  const stretched = wanted * (await stretchOf(deps, tenantId, source));
  const seconds = Math.max(wanted, Math.min(MOST_SECONDS, stretched));
  return new Date(deps.clock.now().getTime() + Math.ceil(seconds * 1000));
}
