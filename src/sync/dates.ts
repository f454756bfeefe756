import { appendEvents } from '../audit/store.ts';
import { birthdayFault } from '../base/birthday.ts';
import type { Tx } from '../base/database.ts';
import { invalid, notFound } from '../base/errors.ts';
import { isLocalDate, localDate } from '../base/time.ts';
import { dropOverride, putOverride } from '../model/overrides.ts';
import { refreshGolden } from '../model/parties.ts';
import { markStale } from '../model/stale.ts';
import { findCustomer } from '../model/store.ts';
import type { ApplyContext, Change } from '../model/types.ts';
import { type CustomerDate, DATE_KINDS, type DateKind, datesOf } from '../model/yearly.ts';
import type { SyncDeps } from './deps.ts';
import { changing, changingIn } from './identity.ts';

/** Who says what a day is. */
export interface DateEntry {
  kind: DateKind;
  value: string;
  /** The customer, or staff. */
  source: 'customer' | 'staff';
  by: string;
  note?: string | undefined;
}

/**
 * Sets a birthday or an anniversary by hand: it counts before what any platform says, also what one says later.
 * @returns the days of the customer as they are then
 * @throws Problem when there is no such customer, or it is no such day
 */
export const setDate = (
  deps: SyncDeps,
  tenantId: string,
  customerId: string,
  entry: DateEntry,
): Promise<{ dates: CustomerDate[]; changes: Change[] }> =>
  deps.db.tenant(tenantId, (tx) => setDateIn(deps, tx, customerId, entry));

/** The same inside a transaction that is open already. */
export const setDateIn = (
  deps: SyncDeps,
  tx: Tx,
  customerId: string,
  entry: DateEntry,
): Promise<{ dates: CustomerDate[]; changes: Change[] }> =>
  changingIn(
    deps,
    tx,
    async (tx, ctx) => {
      const { kind, value, source, by } = entry;
      const fault = faultOf(kind, value, localDate(ctx.now, ctx.zone));
      if (fault)
        throw invalid(`The ${kind.replace('_', ' ')} "${value}" ${fault}.`, [{ path: 'value', message: fault }]);
      const customer = await findCustomer(tx, customerId);
      if (!customer) throw notFound('customer', customerId);
      const row = { customer_id: customer.id, field: kind, value, source, set_by: by, note: entry.note ?? null };
      await putOverride(tx, { ...row, set_at: ctx.now });
      return afterwards(tx, customer.id, { action: 'customer.date_set', by, kind, source }, ctx);
    },
    'live',
  );

/** Gives a day back to the platforms. @throws Problem when there is no such customer, or it was not set by hand */
export const clearDate = (
  deps: SyncDeps,
  tenantId: string,
  customerId: string,
  kind: DateKind,
  by: string,
): Promise<{ dates: CustomerDate[]; changes: Change[] }> =>
  changing(
    deps,
    tenantId,
    async (tx, ctx) => {
      const customer = await findCustomer(tx, customerId);
      if (!customer) throw notFound('customer', customerId);
      if (!(await dropOverride(tx, customer.id, kind))) throw notFound(`${kind} set by hand`, customer.id);
      return afterwards(tx, customer.id, { action: 'customer.date_cleared', by, kind }, ctx);
    },
    'live',
  );

function faultOf(kind: DateKind, value: string, today: string): string | undefined {
  if (!DATE_KINDS.includes(kind)) return `is of no kind there is; there are ${DATE_KINDS.join(', ')}`;
  if (kind === 'birthday') return birthdayFault(value, today);
  if (!isLocalDate(value)) return 'must be a day of the calendar, written YYYY-MM-DD';
  return value > today ? 'is in the future' : undefined;
}

/** The audit trail says that and by whom; the day itself stays where it can be forgotten. */
async function afterwards(
  tx: Tx,
  customerId: string,
  { action, by, ...data }: { action: string; by: string; kind: DateKind; source?: string },
  ctx: ApplyContext,
): Promise<{ dates: CustomerDate[]; changes: Change[] }> {
  if (data.kind !== 'birthday') await markStale(tx, 'dates', [{ customerId, depth: 0 }]);
  const changes = data.kind === 'birthday' ? await refreshGolden(tx, 'contact', [customerId], ctx) : [];
  const subject = { kind: 'contact', id: customerId };
  await appendEvents(tx, [{ actor: by, action, subject, customerId, data, at: ctx.now }]);
  return { dates: await datesOf(tx, (await findCustomer(tx, customerId))!), changes };
}
