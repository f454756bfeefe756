import { appendEvents } from '../audit/store.ts';
import { one, type Tx } from '../base/database.ts';
import { noteRouteSilence } from '../connections/coordinator.ts';
import { type ConnectionRow, noteSilent } from '../connections/store.ts';
import { webhookUrl } from '../connections/vendors.ts';
import type { Connector } from '../kit/index.ts';
import { setting } from '../settings/store.ts';
import type { SyncDeps } from './deps.ts';
import type { RawRecord } from './records.ts';
import type { Source } from './source.ts';

/*
 * Webhooks that stop are not noticed by themselves: polls bring the same changes, minutes later. What proves that posts
 * are missing is not quiet, but polls that keep finding changes which no post announced.
 */

/** Changes that must have been missed, in how many polls, and polls since the first. */
const MISSED = 3;
const FINDS = 2;
const POLLS = 3;
const DEFAULT_MINUTES = 60;

/** Vendors collect posts for a while and their clocks differ from ours. */
const LEEWAY_MS = 10 * 60_000;

export interface WatchRow {
  stream: string;
  missed: number;
  finds: number;
  polls: number;
  missed_since: Date | null;
  last_missed_at: Date | null;
  alarm_since: Date | null;
}

/** Without a public address no vendor can reach us, and nobody misses their posts. */
const expectsPosts = (deps: Pick<SyncDeps, 'config'>): boolean => (deps.config.env.PUBLIC_URL ?? '').trim() !== '';

/** Notes records in which a poll found a change, where a webhook should have told of it before. */
export async function noteFound(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  stream: string,
  records: readonly RawRecord[],
  run: { startedAt: Date },
): Promise<void> {
  const rule = source.connector.webhooks?.announces?.[stream];
  if (!rule || records.length === 0 || !expectsPosts(deps)) return;
  const since = source.connection.created_at.getTime();
  const expected = records.filter(
    (record) => (rule === true || rule(record.raw)) && (!record.vendorAt || Date.parse(record.vendorAt) > since),
  );
  if (expected.length === 0) return;
  const now = deps.clock.now();
  const { rows } = await tx.query<{ remote_id: string }>(
    'select distinct remote_id from hint where tenant_id = $1 and connection_id = $2 and stream = $3 and remote_id = any($4) and received_at >= $5',
    [
      tx.tenantId,
      source.connection.id,
      stream,
      expected.map((record) => record.id),
      new Date(run.startedAt.getTime() - Math.max(LEEWAY_MS, source.pollSeconds * 2000)),
    ],
  );
  const announced = new Set(rows.map((row) => row.remote_id));
  const missed = expected.filter((record) => !announced.has(record.id)).length;
  if (missed === 0) return;
  await tx.query(
    `insert into hook_watch as w (tenant_id, connection_id, stream, missed, finds, missed_since, last_missed_at) values ($1, $2, $3, $4, 1, $5, $5)
     on conflict (tenant_id, connection_id, stream) do update set missed = w.missed + excluded.missed,
       finds = w.finds + case when w.last_missed_at >= $6 then 0 else 1 end,
       missed_since = least(w.missed_since, excluded.missed_since), last_missed_at = excluded.last_missed_at`,
    [tx.tenantId, source.connection.id, stream, missed, now, run.startedAt],
  );
}

/** A post about these streams came: whatever was missed before is over. */
export async function notePosted(
  deps: SyncDeps,
  tx: Tx,
  connection: ConnectionRow,
  streams: ReadonlySet<string>,
): Promise<void> {
  if (streams.size === 0) return;
  const { rows } = await tx.query<{ stream: string; alarm_since: Date | null }>(
    `update hook_watch set missed = 0, finds = 0, polls = 0, waited_seconds = 0, polled_at = null, missed_since = null, last_missed_at = null
     where tenant_id = $1 and connection_id = $2 and stream = any($3) and missed > 0 returning stream, alarm_since`,
    [tx.tenantId, connection.id, [...streams]],
  );
  const back = rows.filter((row) => row.alarm_since !== null).map((row) => row.stream);
  if (back.length === 0) return;
  const now = deps.clock.now();
  await tx.query(
    'update hook_watch set alarm_since = null where tenant_id = $1 and connection_id = $2 and stream = any($3)',
    [tx.tenantId, connection.id, back],
  );
  const connector = deps.registry.find(connection.connector);
  if (connector) await tell(deps, tx, connector, connection);
  await appendEvents(tx, [
    {
      actor: 'system',
      action: 'webhooks.back',
      subject: { kind: 'connection', id: connection.id },
      data: { connector: connection.connector, streams: back },
      at: now,
    },
  ]);
}

/** Raises the alarm where polls kept finding what no post announced for longer than the business wants to wait. */
export async function checkSilence(
  deps: SyncDeps,
  tx: Tx,
  connector: Connector,
  connection: ConnectionRow,
): Promise<void> {
  if (!connector.webhooks?.announces || !expectsPosts(deps)) return;
  const now = deps.clock.now();
  const wait = ((await setting(tx, 'sync')).webhookSilenceMinutes ?? DEFAULT_MINUTES) * 60;
  // A machine that slept, or a clock that jumped, counts for half of the wait at most.
  const { rows } = await tx.query<WatchRow & { waited_seconds: number }>(
    `update hook_watch set polls = polls + 1, polled_at = $3,
       waited_seconds = waited_seconds + least($4::float8, greatest(0, extract(epoch from $3::timestamptz - coalesce(polled_at, missed_since))::float8))
     where tenant_id = $1 and connection_id = $2 and missed > 0
     returning stream, missed, finds, polls, waited_seconds, missed_since, last_missed_at, alarm_since`,
    [tx.tenantId, connection.id, now, wait / 2],
  );
  if (rows.length === 0) return;
  const silent = rows.filter(
    (row) =>
      row.alarm_since === null &&
      row.missed >= MISSED &&
      row.finds >= FINDS &&
      row.polls >= POLLS &&
      row.waited_seconds >= wait,
  );
  if (silent.length > 0) {
    await tx.query(
      'update hook_watch set alarm_since = $4 where tenant_id = $1 and connection_id = $2 and stream = any($3)',
      [tx.tenantId, connection.id, silent.map((row) => row.stream), now],
    );
    await appendEvents(tx, [
      {
        actor: 'system',
        action: 'webhooks.silent',
        subject: { kind: 'connection', id: connection.id },
        data: {
          connector: connector.id,
          streams: silent.map((row) => ({ stream: row.stream, missed: row.missed, since: row.missed_since })),
          refused: await refusals(tx, connector, silent[0]!.missed_since!),
        },
        at: now,
      },
    ]);
  }
  if (silent.length > 0 || rows.some((row) => row.alarm_since !== null)) await tell(deps, tx, connector, connection);
}

/** Puts what is silent into words, or takes them back, and counts the connection for whoever watches the hub. */
async function tell(deps: SyncDeps, tx: Tx, connector: Connector, connection: ConnectionRow): Promise<void> {
  const rows = (await watched(tx, connection.id)).filter((row) => row.alarm_since !== null);
  const words = rows.length === 0 ? null : await sentence(deps, tx, connector, connection, rows);
  await noteSilent(tx, connection.id, words);
  const since = rows.map((row) => row.alarm_since!).sort((a, b) => a.getTime() - b.getTime())[0] ?? null;
  tx.afterCommit(() => noteRouteSilence({ query: deps.db.statement }, connection.id, since));
}

/** What was missed of a connection, by stream. */
export async function watched(tx: Tx, connectionId: string): Promise<WatchRow[]> {
  const { rows } = await tx.query<WatchRow>(
    'select stream, missed, finds, polls, missed_since, last_missed_at, alarm_since from hook_watch where tenant_id = $1 and connection_id = $2 order by stream',
    [tx.tenantId, connectionId],
  );
  return rows;
}

/** Posts of the last week about these streams (all when absent), and when the last came. */
export async function postsOf(
  tx: Tx,
  connectionId: string,
  now: Date,
  streams?: readonly string[],
): Promise<{ week: number; last: Date | null }> {
  const row = one(
    await tx.query<{ week: number; last: Date | null }>(
      `select count(*)::int as week, max(received_at) as last from hint
       where tenant_id = $1 and connection_id = $2 and received_at > $3 and ($4::text[] is null or stream = any($4))`,
      [tx.tenantId, connectionId, new Date(now.getTime() - 7 * 86_400_000), streams ?? null],
    ),
  );
  return row ?? { week: 0, last: null };
}

/** Posts to a connector that were refused since a moment, by reason. */
export async function refusals(tx: Tx, connector: Connector, since: Date): Promise<Record<string, number>> {
  const { rows } = await tx.query<{ reason: string; times: number }>(
    'select reason, sum(times)::int as times from hook_refusal where connector = $1 and day >= $2 group by reason',
    [connector.id, since.toISOString().slice(0, 10)],
  );
  return Object.fromEntries(rows.map((row) => [row.reason, row.times]));
}

const utc = (at: Date): string => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

async function sentence(
  deps: SyncDeps,
  tx: Tx,
  connector: Connector,
  connection: ConnectionRow,
  rows: readonly WatchRow[],
): Promise<string> {
  const streams = rows.map((row) => row.stream);
  const missed = rows.reduce((sum, row) => sum + row.missed, 0);
  const since = new Date(Math.min(...rows.map((row) => row.missed_since!.getTime())));
  const { week, last } = await postsOf(tx, connection.id, deps.clock.now(), streams);
  const refused = await refusals(tx, connector, since);
  const unsigned = (refused.bad_signature ?? 0) + (refused.missing_signature ?? 0) + (refused.stale ?? 0);
  const before = last
    ? `; the last one came at ${utc(last)}, about ${Math.max(1, Math.round(week / 7))} a day came before`
    : '; none came in the last week';
  const address = webhookUrl(deps.config, connector, connection.id);
  const check =
    unsigned > 0
      ? `${unsigned} posts of ${connector.name} arrived with a signature that is not right: check the signing secret (and the clock of this machine) first.`
      : `Check at ${connector.name} that the address ${address} is entered, that the subscription for ${streams.join(', ')} is switched on, and that the signing secret is the one entered here.`;
  return `Webhooks about ${streams.join(', ')} do not arrive: since ${utc(since)} ${missed} changes were found by asking that no post had announced${before}. Nothing is lost, changes only come later. ${check}`;
}
