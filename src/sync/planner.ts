import { keyOf } from '../connections/budgets.ts';
import { findBucket, standingOf } from '../connections/quota.store.ts';
import { budgetsOf, keptOf, windowOf } from '../connections/quota.ts';
import { type ConnectionRow, callsOfDay, findConnection } from '../connections/store.ts';
import { type Budget, PURPOSES, type Purpose, type Stream, UNSTATED } from '../kit/index.ts';
import { type CostRow, costsOf, pollingRate, stretchOf } from './cost.ts';
import type { SyncDeps } from './deps.ts';
import { type Allotted, finishOf, type Pace } from './forecast.ts';
import { wayOf } from './paging.ts';
import { loadSource, type Source } from './source.ts';
import { listStreams, type StreamRow } from './store.ts';

/** Part of a short limit a first load leaves to others. */
const BACKFILL_OF_RATE = 0.6;

export interface LimitPlan {
  name: string;
  /** `quota`: an allowance of a day or month; `rate`: so many calls in so many seconds. */
  kind: 'quota' | 'rate';
  scope: 'app' | 'account';
  calls: number | null;
  seconds: number;
  left: number | null;
  toldByPlatform: boolean;
  parkedUntil: string | null;
  reason: string | null;
  quota: {
    zone: string;
    startsAt: string;
    resetsAt: string;
    used: number;
    byPurpose: Record<Purpose, number>;
    usedByOthers: number;
    keptForActions: number;
    forecastShare: number | null;
    runsOutAt: string | null;
  } | null;
}

export interface QuotaPlan {
  connectionId: string;
  connector: string;
  name: string;
  day: string;
  calls: Record<Purpose, number>;
  limits: LimitPlan[];
  backfill: {
    recordsLeft: number | null;
    callsLeft: number | null;
    etaSeconds: number | null;
    finishedAt: string | null;
  } | null;
  polling: { callsPerDay: number; stretch: number };
  sentence: string;
}

const byPurpose = (counts: Partial<Record<Purpose, number>>): Record<Purpose, number> =>
  Object.fromEntries(PURPOSES.map((purpose) => [purpose, Math.round(counts[purpose] ?? 0)])) as Record<Purpose, number>;

/** How much a connection calls its platform, what is left of the platform's limits, and how far that goes. */
export async function quotaPlan(deps: SyncDeps, tenantId: string, connection: ConnectionRow): Promise<QuotaPlan> {
  const source = await loadSource(deps, tenantId, connection.id);
  const now = deps.clock.now();
  const day = now.toISOString().slice(0, 10);
  const { rows, costs, calls } = await deps.db.tenant(tenantId, async (tx) => ({
    rows: await listStreams(tx, connection.id),
    costs: await costsOf(tx, [...source.streamIds.values()]),
    calls: Object.fromEntries((await callsOfDay(tx, connection.id, day)).map((row) => [row.purpose, row.calls])),
  }));
  const stretch = await stretchOf(deps, tenantId, source);
  const pace: Pace = { now, polls: pollingRate(source, costs) / stretch, speed: 0 };
  const load = loadOf(source, rows, costs);
  const budgets = budgetsOf(deps.config, source.connector, connection);
  if (load) pace.speed = load.speed ?? speedOf(budgets);
  const allotted: Allotted[] = [];
  const limits: LimitPlan[] = [];
  for (const budget of budgets) {
    const row = await findBucket(
      { query: deps.db.statement },
      keyOf(source.connector.id, connection.account_id ?? '', budget),
    );
    const parked = row?.parked_until && row.parked_until > now ? row.parked_until : null;
    const base = {
      name: budget.name,
      scope: budget.scope,
      parkedUntil: parked?.toISOString() ?? null,
      reason: parked ? (row?.reason ?? null) : null,
    };
    if (!budget.quota) {
      const burst = budget.burst ?? budget.calls;
      const refilled = row
        ? row.tokens + ((budget.calls / budget.seconds) * Math.max(0, now.getTime() - row.refilled_at.getTime())) / 1000
        : burst;
      const left = parked ? 0 : Math.max(0, Math.floor(Math.min(burst, refilled)));
      limits.push({
        ...base,
        kind: 'rate',
        calls: budget.calls,
        seconds: budget.seconds,
        left,
        toldByPlatform: false,
        quota: null,
      });
      continue;
    }
    const window = windowOf(budget.quota, now);
    const standing = standingOf(budget, row, window);
    const stated = standing.limit < UNSTATED;
    const allotment: Allotted = { ...standing, left: parked ? 0 : standing.left, window };
    if (stated) allotted.push(allotment);
    const forecast = stated ? finishOf(pace, load?.callsLeft ?? 0, [allotment]) : undefined;
    limits.push({
      ...base,
      kind: 'quota',
      calls: stated ? standing.limit : null,
      seconds: budget.seconds,
      left: stated ? Math.round(allotment.left) : null,
      toldByPlatform: standing.toldByVendor,
      quota: {
        zone: budget.quota.zone,
        startsAt: window.start.toISOString(),
        resetsAt: window.end.toISOString(),
        used: Math.round(standing.used),
        byPurpose: byPurpose(standing.byPurpose),
        usedByOthers: Math.round(standing.others),
        keptForActions: stated ? Math.floor(keptOf(standing.limit, 'hook', window, now)) : 0,
        forecastShare: forecast?.share ?? null,
        runsOutAt: forecast?.runsOutAt?.toISOString() ?? null,
      },
    });
  }
  const finish = load?.callsLeft == null ? undefined : finishOf(pace, load.callsLeft, allotted).finishedAt;
  const backfill = load && {
    recordsLeft: load.recordsLeft,
    callsLeft: load.callsLeft,
    etaSeconds: finish ? Math.round((finish.getTime() - now.getTime()) / 1000) : null,
    finishedAt: finish?.toISOString() ?? null,
  };
  const plan = {
    connectionId: connection.id,
    connector: connection.connector,
    name: connection.name,
    day,
    calls: byPurpose(calls),
    limits,
    backfill: backfill ?? null,
    polling: { callsPerDay: Math.round(pace.polls * 86_400), stretch: Math.round(stretch * 100) / 100 },
  };
  return { ...plan, sentence: sentenceOf(plan) };
}

interface Load {
  recordsLeft: number | null;
  callsLeft: number | null;
  /** Calls a second as measured; absent: nothing was measured yet. */
  speed: number | undefined;
}

/** What the first loads still have to read; undefined when none is under way. */
function loadOf(source: Source, rows: readonly StreamRow[], costs: ReadonlyMap<string, CostRow>): Load | undefined {
  const loading = rows.filter((row) => row.phase === 'initial' && row.state !== 'off' && row.state !== 'stopped');
  if (loading.length === 0) return undefined;
  let recordsLeft: number | null = 0;
  let callsLeft: number | null = 0;
  const speeds: number[] = [];
  for (const row of loading) {
    const stream = source.connector.streams.find((candidate) => candidate.name === row.name);
    if (!stream) continue;
    const cost = costs.get(row.id);
    if (cost?.calls_per_second) speeds.push(cost.calls_per_second);
    // The platform does not count them, or was not asked yet.
    if (row.total === null) {
      if (stream.count || row.run_started_at === null) [recordsLeft, callsLeft] = [null, null];
      continue;
    }
    const records = Math.max(0, row.total - row.run_seen);
    if (recordsLeft === null || callsLeft === null) continue;
    recordsLeft += records;
    callsLeft +=
      Math.ceil(records / (cost?.records_per_page ?? pageSize(stream))) *
      (cost?.calls_per_page ?? (stream.complete ? 2 : 1));
  }
  return {
    recordsLeft,
    callsLeft: callsLeft === null ? null : Math.ceil(callsLeft),
    speed: speeds.length > 0 ? speeds.reduce((sum, one) => sum + one, 0) / speeds.length : undefined,
  };
}

function pageSize(stream: Stream): number {
  const { paging } = wayOf(stream, true);
  return paging.kind === 'single' ? 1000 : paging.size;
}

/** Calls a second a first load may make by the short limits. */
const speedOf = (budgets: readonly Budget[]): number =>
  Math.min(
    // A page has to be stored as well.
    20,
    ...budgets.filter((budget) => !budget.quota).map((budget) => (budget.calls / budget.seconds) * BACKFILL_OF_RATE),
  );

const number = (value: number): string => Math.round(value).toLocaleString('en');

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} seconds`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} minutes`;
  return seconds < 129_600 ? `${Math.round(seconds / 3600)} hours` : `${Math.round(seconds / 86_400)} days`;
}

const moment = (iso: string): string => `${iso.slice(0, 16).replace('T', ' ')} UTC`;

/** The plan for a person who does not want to read figures. */
function sentenceOf(plan: Omit<QuotaPlan, 'sentence'>): string {
  const total = Object.values(plan.calls).reduce((sum, count) => sum + count, 0);
  const parts = [`${number(total)} calls today.`];
  for (const { name, kind, calls, left, quota, parkedUntil } of plan.limits) {
    if (parkedUntil) parts.push(`Nothing is asked under "${name}" before ${moment(parkedUntil)}.`);
    if (kind !== 'quota' || !quota || calls === null) continue;
    const others = quota.usedByOthers > calls / 100 ? `, ${number(quota.usedByOthers)} used by other apps` : '';
    parts.push(
      `${number(left ?? 0)} of ${number(calls)} are left until ${moment(quota.resetsAt)} (${name}${others}); ${number(quota.keptForActions)} are kept for messages.`,
    );
    if (quota.forecastShare !== null)
      parts.push(`At this pace ${Math.round(quota.forecastShare * 100)} % will be used.`);
    if (quota.runsOutAt) parts.push(`Without slowing down it would be used up at ${moment(quota.runsOutAt)}.`);
  }
  if (plan.polling.stretch > 1.01)
    parts.push(`Polls wait ${plan.polling.stretch} times longer than wanted, so that they do not use it up.`);
  if (plan.backfill)
    parts.push(
      plan.backfill.recordsLeft === null
        ? 'The first load is under way; the platform does not say how many records there are.'
        : `The first load has ${number(plan.backfill.recordsLeft)} records to go${plan.backfill.etaSeconds === null ? '' : `, about ${duration(plan.backfill.etaSeconds)}`}.`,
    );
  return parts.join(' ');
}

/** The plan of a connection by id; undefined when there is none. */
export async function quotaPlanOf(
  deps: SyncDeps,
  tenantId: string,
  connectionId: string,
): Promise<QuotaPlan | undefined> {
  const connection = await deps.db.tenant(tenantId, (tx) => findConnection(tx, connectionId));
  return connection && quotaPlan(deps, tenantId, connection);
}
