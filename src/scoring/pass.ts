import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { LocalDate } from '../base/time.ts';
import { appendChanges } from '../model/changes.ts';
import { markEverybody, markScored, markStale, type Stale, takeEverybody, takeStale } from '../model/stale.ts';
import type { Change, ChangeListener, Origin } from '../model/types.ts';
import { type Context, ensureRules, loadContext, type YardstickRow } from './context.ts';
import { FORMULA_VERSION } from './formula.ts';
import { leaveSql, type Writing, writeSql } from './pass.sql.ts';
import { ensureYardstick, frozenYardstick, monthOf } from './yardstick.ts';

interface StateRow {
  passed_on: LocalDate;
  passed_at: Date;
  streams_read: number;
  customers: number;
  rules: number;
  yardstick: number;
}

/** What came of looking at the scores of a business. */
export interface PassResult {
  /** everybody: a whole pass; some: those who changed; none: nothing was to be done. */
  scope: 'everybody' | 'some' | 'none';
  day: LocalDate;
  /** Scores that are other than before. */
  written: number;
  /** Lines of history. */
  kept: number;
  /** Customers whose band, VIP or unhappiness is another. */
  turned: number;
  /** Whether others must be told: changes were appended that something may wait for. */
  told: boolean;
  /** A history is being read: the whole pass waits for its end. */
  loading: boolean;
  /** Who was looked at, when it was some. */
  customers?: string[];
}

interface Turned {
  customer_id: string;
  known: boolean;
  old_band: string | null;
  old_vip: boolean | null;
  old_unhappy: boolean | null;
  old_score: number | null;
  band: string | null;
  vip: boolean;
  unhappy: boolean;
  score: number | null;
  unhappy_reason: string | null;
}
type Answer = { customer_id: string | null; written: number; kept: number } & Turned;

/** So many changed customers are looked at in one transaction. */
const BATCH = 500;
/** So many changes and events are written at once. */
const CHUNK = 1000;

/**
 * Brings the scores of a business up to the moment: everybody's when a day began, when what is the same for everybody
 * changed or when a history came in; otherwise those of at most 500 customers of whom something changed. Whoever comes
 * second at the same time waits for the first, and finds nothing left to do.
 * @param force everybody, whatever there is to do
 * @param listener told of every customer whose band, VIP or unhappiness is another, in the same transaction
 */
export async function scorePass(tx: Tx, now: Date, force = false, listener?: ChangeListener): Promise<PassResult> {
  // Planned for the tables as they are: a plan kept from when they were empty would read all of them.
  await tx.query('set local plan_cache_mode = force_custom_plan');
  const state = await lockState(tx, now);
  const context = await loadContext(tx, now);
  const rules = await ensureRules(tx, context, now);
  const asked = await takeEverybody(tx, 'score');
  const { loading, loaded: more } = await history(tx, state);
  const loaded = asked || more;
  const newDay = state.passed_on !== context.day;
  const everybody = force || newDay || rules !== state.rules || asked || (more && !loading);
  const frozen = everybody ? undefined : await frozenYardstick(tx, monthOf(context.day));
  const yardstick = frozen ?? (await ensureYardstick(tx, context, loaded, now));
  if (everybody || yardstick.version !== state.yardstick)
    return {
      ...(await scoreEverybody(tx, context, rules, yardstick, state, loading || loaded, now, listener)),
      loading,
    };
  const stale = await takeStale(tx, 'score', BATCH);
  if (stale.length === 0)
    return { scope: 'none', day: context.day, written: 0, kept: 0, turned: 0, told: false, loading };
  const result = await write(tx, context, rules, yardstick, { known: true, origin: 'live', listener }, now, stale);
  // Who asks for scores looks at these once more: the fact itself may have been seen before its score was.
  await markStale(tx, 'segments', stale);
  return { ...result, scope: 'some', loading, customers: stale.map(({ customerId }) => customerId) };
}

async function scoreEverybody(
  tx: Tx,
  context: Context,
  rules: number,
  yardstick: YardstickRow,
  state: StateRow,
  historic: boolean,
  now: Date,
  listener: ChangeListener | undefined,
): Promise<Omit<PassResult, 'loading'>> {
  // Before the facts are read: whatever is marked by now is among them, what is marked later stays.
  await tx.query("delete from customer_stale where tenant_id = $1 and reader = 'score'", [tx.tenantId]);
  // The first scores of a business, and those of a history that came in, are news of nothing. New rules change scores
  // without anybody having done anything: told, but nothing starts because of it.
  const first = state.customers === 0;
  const origin: Origin = first || historic ? 'backfill' : state.rules === rules ? 'live' : 'replay';
  const result = await write(tx, context, rules, yardstick, { known: !first, origin, listener }, now);
  const { rows } = await tx.query<{ n: number }>(
    "select count(*)::int as n from customer_score where tenant_id = $1 and reason is distinct from 'merged'",
    [tx.tenantId],
  );
  await tx.query(
    `insert into score_state (tenant_id, passed_on, passed_at, streams_read, customers, rules, yardstick)
     select $1::uuid, $2::date, $3::timestamptz, $4::int, $5::int, $6::int, $7::int
     on conflict (tenant_id) do update set passed_on = excluded.passed_on, passed_at = excluded.passed_at, streams_read = excluded.streams_read,
       customers = excluded.customers, rules = excluded.rules, yardstick = excluded.yardstick`,
    [tx.tenantId, context.day, now, await historiesRead(tx), rows[0]!.n, rules, yardstick.version],
  );
  if (origin === 'live') await markScored(tx);
  else await markEverybody(tx, 'segments');
  return { ...result, scope: 'everybody' };
}

async function write(
  tx: Tx,
  context: Context,
  rules: number,
  yardstick: YardstickRow,
  telling: { known: boolean; origin: Origin; listener: ChangeListener | undefined },
  now: Date,
  stale?: readonly Stale[],
): Promise<Omit<PassResult, 'loading' | 'scope'>> {
  const ids = stale?.map(({ customerId }) => customerId);
  const writing: Writing = {
    ...{ formula: FORMULA_VERSION, rules, yardstick: yardstick.version, now },
    vip: vipSpend(context, yardstick),
  };
  const said = { settings: context.setting, sources: context.sources };
  const { text, values } = writeSql(tx.tenantId, context, said, yardstick, writing, ids);
  const { rows } = await tx.query<Answer>(text, values);
  const left = await tx.query(leaveSql(ids !== undefined), [tx.tenantId, context.day, now, ...(ids ? [ids] : [])]);
  const counts = rows.find((row) => row.customer_id === null)!;
  const turned = rows.filter((row) => row.customer_id !== null);
  const tells = telling.known && telling.origin !== 'backfill';
  if (tells) await tell(tx, turned, stale ?? [], telling, now);
  return {
    day: context.day,
    written: counts.written + left.rowCount,
    kept: counts.kept + left.rowCount,
    turned: turned.length,
    told: tells && telling.origin === 'live' && turned.length > 0,
  };
}

/**
 * The spend that makes a VIP and the one that ends it. With too few payers for ranks the configured amount stands for
 * the rank one enters at, and its share for the rank one leaves at.
 * @returns null when no source tells of spend
 */
export function vipSpend(
  context: Pick<Context, 'setting' | 'sources'>,
  yardstick: Pick<YardstickRow, 'target' | 'quantiles'>,
): { enter: number; leave: number } | null {
  if (!context.sources.includes('payments') && !context.sources.includes('invoices')) return null;
  const { enterRank, leaveRank } = context.setting.vip;
  const { target, quantiles } = yardstick;
  return quantiles
    ? { enter: quantiles[enterRank]!, leave: quantiles[leaveRank]! }
    : { enter: target, leave: (target * leaveRank) / enterRank };
}

/** Appends a change and the audit events for customers whose band, VIP or unhappiness is another. */
async function tell(
  tx: Tx,
  turned: readonly Turned[],
  stale: readonly Stale[],
  { origin, listener }: { origin: Origin; listener: ChangeListener | undefined },
  now: Date,
): Promise<void> {
  const depths = new Map(stale.map(({ customerId, depth }) => [customerId, depth]));
  for (let at = 0; at < turned.length; at += CHUNK) {
    const some = turned.slice(at, at + CHUNK);
    const changes = some.map((row) => changeOf(row, depths.get(row.customer_id) ?? 0, origin, now));
    await appendChanges(tx, changes);
    await listener?.(tx, changes, now);
    await appendEvents(
      tx,
      some.flatMap((row) =>
        eventsOf(row).map(({ action, data }) => ({
          actor: 'system',
          action,
          subject: { kind: 'customer', id: row.customer_id },
          customerId: row.customer_id,
          data: { ...data, score: row.score },
          at: now,
        })),
      ),
    );
  }
}

function changeOf(row: Turned, depth: number, origin: Origin, now: Date): Change {
  const { band, vip, unhappy, score } = row;
  const after = { band, vip, unhappy, score };
  const before = {
    band: row.old_band,
    vip: row.old_vip ?? false,
    unhappy: row.old_unhappy ?? false,
    score: row.old_score,
  };
  const fields = (Object.keys(after) as (keyof typeof after)[]).filter((field) => after[field] !== before[field]);
  return {
    id: newId(),
    kind: 'score',
    entity_id: row.customer_id,
    customer_id: row.customer_id,
    op: row.known ? 'updated' : 'created',
    fields,
    before: row.known ? before : null,
    after,
    origin,
    depth,
    occurred_at: now,
    received_at: now,
  };
}

function eventsOf(row: Turned): { action: string; data: Record<string, unknown> }[] {
  const events: { action: string; data: Record<string, unknown> }[] = [];
  if (row.known && row.band !== row.old_band)
    events.push({ action: 'score.band_changed', data: { from: row.old_band, to: row.band } });
  if (row.vip !== (row.old_vip ?? false)) events.push({ action: row.vip ? 'vip.gained' : 'vip.lost', data: {} });
  if (row.unhappy !== (row.old_unhappy ?? false))
    events.push({
      action: row.unhappy ? 'customer.unhappy' : 'customer.unhappy_ended',
      data: row.unhappy ? { because: row.unhappy_reason } : {},
    });
  return events;
}

/**
 * The state of the passes, locked: one pass at a time. Before the first there is one of no day, so that two first ones
 * wait for each other, too.
 */
async function lockState(tx: Tx, now: Date): Promise<StateRow> {
  await tx.query(
    `insert into score_state (tenant_id, passed_on, passed_at, streams_read, customers, rules, yardstick)
     values ($1, '-infinity', $2, 0, 0, 0, 0) on conflict do nothing`,
    [tx.tenantId, now],
  );
  const { rows } = await tx.query<StateRow>(
    'select passed_on, passed_at, streams_read, customers, rules, yardstick from score_state where tenant_id = $1 for update',
    [tx.tenantId],
  );
  return rows[0]!;
}

/** Histories that came in until now: streams read once, and files. */
async function historiesRead(tx: Tx): Promise<number> {
  const { rows } = await tx.query<{ n: number }>(
    `select ((select count(*) from stream where tenant_id = $1 and phase = 'incremental')
       + (select count(*) from import_run where tenant_id = $1 and ended_at is not null))::int as n`,
    [tx.tenantId],
  );
  return rows[0]!.n;
}

/** Whether a first load or an import is under way, and whether one came to its end since the last pass. */
async function history(tx: Tx, state: StateRow): Promise<{ loading: boolean; loaded: boolean }> {
  const { rows } = await tx.query<{ loading: boolean }>(
    `select exists (select from stream where tenant_id = $1 and phase = 'initial' and state = 'running')
         or exists (select from import_run where tenant_id = $1 and ended_at is null and state = 'running') as loading`,
    [tx.tenantId],
  );
  return { loading: rows[0]!.loading, loaded: (await historiesRead(tx)) > state.streams_read };
}
