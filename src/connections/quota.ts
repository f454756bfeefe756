import { DateTime } from 'luxon';
import type { Config } from '../base/config.ts';
import { isZone } from '../base/time.ts';
import { type Budget, type Connector, type Purpose, type Quota, UNSTATED } from '../kit/index.ts';
import type { ConnectionRow } from './store.ts';

/** The allowance a person entered for one connection, because the platform does not tell it or others use it too. */
export interface Allowance {
  calls: number;
  every: 'day' | 'month';
  zone: string;
}

/** Part of a quota that is kept for more urgent purposes until the vendor counts anew. */
const KEPT: Record<Purpose, number> = { action: 0, hook: 0.1, incremental: 0.2, sweep: 0.2, backfill: 0.2 };

/** Part that is kept for polling as well, less of it the closer the new count is. */
const KEPT_FOR_POLLS: Record<Purpose, number> = { action: 0, hook: 0, incremental: 0, sweep: 0.2, backfill: 0.2 };

/** Part of a quota that polling may use at most; beyond that the polls become rarer. */
export const POLL_SHARE = 0.5;

/** Part of a whole window that a first load may use when nothing else but the reserves is in the way. */
export const BACKFILL_SHARE = 1 - KEPT.backfill;

export interface Window {
  start: Date;
  end: Date;
}

/** The window an instant falls into: from midnight to midnight, or from month to month, in the vendor's zone. */
export function windowOf(quota: Quota, at: Date): Window {
  const start = DateTime.fromJSDate(at, { zone: quota.zone }).startOf(quota.every);
  return {
    start: start.toJSDate(),
    end: start
      .plus({ [quota.every]: 1 })
      .startOf(quota.every)
      .toJSDate(),
  };
}

/** What calls of a purpose must leave of a quota: constant for messages and changes, falling for polls. */
export function keptOf(limit: number, purpose: Purpose, window: Window, now: Date): number {
  const whole = window.end.getTime() - window.start.getTime();
  const ahead = Math.min(1, Math.max(0, (window.end.getTime() - now.getTime()) / whole));
  return limit * (KEPT[purpose] + KEPT_FOR_POLLS[purpose] * ahead);
}

/** When calls of a purpose may go on, when only `left` is left: as the reserve falls, or when the count begins anew. */
export function goesOnAt(limit: number, left: number, purpose: Purpose, window: Window, now: Date): Date {
  const falling = limit * KEPT_FOR_POLLS[purpose];
  // A few calls' worth, so that it does not wake for every single one.
  const needed = left - limit * KEPT[purpose] - Math.max(1, limit / 500);
  if (falling === 0 || needed <= 0) return window.end;
  const whole = window.end.getTime() - window.start.getTime();
  const at = new Date(Math.ceil(window.end.getTime() - (needed / falling) * whole));
  const soonest = new Date(now.getTime() + 1000);
  return at < soonest ? soonest : at > window.end ? window.end : at;
}

/** Environment variable with the allowance of the whole app at a vendor: `QUICKBOOKS_QUOTA`. */
export const quotaVariable = (connector: string): string =>
  `${connector.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}_QUOTA`;

/** The allowance a person entered for the connection; undefined when nobody did. */
export function allowanceOf(connection: Pick<ConnectionRow, 'settings'>): Allowance | undefined {
  const given = connection.settings.quota as Partial<Allowance> | undefined;
  if (!given || typeof given.calls !== 'number' || !isZone(given.zone)) return undefined;
  return { calls: given.calls, every: given.every === 'month' ? 'month' : 'day', zone: given.zone };
}

/**
 * The limits that hold for a connection: the connector's, with what a person entered about its allowance and with the
 * zones filled in. What the operator entered for the app stands in the environment (`0`: there is none).
 */
export function budgetsOf(
  config: Pick<Config, 'env'>,
  connector: Connector,
  connection: Pick<ConnectionRow, 'settings' | 'account'>,
): readonly Budget[] {
  const own = allowanceOf(connection);
  const limits = connector.limits.map((budget) => ({ ...budget, ...budget.of?.(connection.account) }));
  if (!own && limits.every((budget) => !budget.quota)) return limits;
  const ofApp = config.env[quotaVariable(connector.id)]?.trim();
  const budgets = limits.map((budget): Budget => {
    if (!budget.quota) return budget;
    const zone = budget.quota.zone === 'account' ? (connection.account.timeZone ?? 'UTC') : budget.quota.zone;
    const quota = { ...budget.quota, zone: isZone(zone) ? zone : 'UTC' };
    if (budget.scope === 'app') {
      const calls = ofApp ? Number(ofApp) : budget.calls;
      return { ...budget, quota, calls: Number.isFinite(calls) && calls > 0 ? calls : UNSTATED };
    }
    return own ? { ...budget, calls: own.calls, quota: { every: own.every, zone: own.zone } } : { ...budget, quota };
  });
  if (!own || budgets.some((budget) => budget.quota && budget.scope === 'account')) return budgets;
  const { calls, every, zone } = own;
  // Before the others: a vendor that says "slow down" means the short limit, which stands last.
  return [
    {
      name: 'allowance',
      scope: 'account',
      calls,
      seconds: every === 'day' ? 86_400 : 2_592_000,
      quota: { every, zone },
    },
    ...budgets,
  ];
}
