import { one, type Tx } from '../base/database.ts';
import type { LocalDate } from '../base/time.ts';
import { type Context, lastDay, type YardstickRow } from './context.ts';
import { invoices, payments, reasonSql } from './inputs.sql.ts';
import { Values } from './pass.sql.ts';

/** Fewer paying customers make no percentile worth the name: the configured amount stands in (SCORE, S). */
const FEWEST_PAYERS = 20;

const ROW = 'version, month, kind, payers, target, quantiles, made_on';

export const monthOf = (day: LocalDate): LocalDate => `${day.slice(0, 7)}-01`;

/**
 * The yardstick as facts up to the first of a month make it: the 90th percentile of net lifetime spend among customers
 * who have paid, and the 101 quantiles it is one of.
 */
export async function measureYardstick(
  tx: Tx,
  context: Context,
  month: LocalDate,
): Promise<Pick<YardstickRow, 'kind' | 'payers' | 'target' | 'quantiles'>> {
  const values = new Values(tx.tenantId);
  const source = context.sources.includes('payments') ? 'payments' : 'invoices';
  const kept = lastDay(context, source);
  const tags = values.add(
    context.setting.testTags.map((tag) => tag.toLowerCase()),
    'text[]',
  );
  const spend = (source === 'payments' ? payments : invoices)({
    spendDay: values.add(kept < month ? kept : month, 'date'),
    zone: values.add(context.zone, 'text'),
    currency: values.add(context.currency, 'text'),
  });
  const at = values.add(
    Array.from({ length: 101 }, (_none, percent) => percent / 100),
    'float8[]',
  );
  const text = `select count(*)::int as payers, percentile_cont(${at}) within group (order by s.total::float8) as quantiles
    from (${spend}) s join customer c on c.tenant_id = $1 and c.id = s.customer_id where s.total > 0 and ${reasonSql('c', tags)} is null`;
  const { rows } = await tx.query<{ payers: number; quantiles: number[] | null }>(text, values.list);
  const { payers, quantiles } = rows[0]!;
  return payers >= FEWEST_PAYERS && quantiles
    ? { kind: 'payers', payers, target: quantiles[90]!, quantiles }
    : { kind: 'configured', payers, target: context.setting.spendTarget, quantiles: null };
}

/** The yardstick in force in a month, if one was frozen. */
export async function frozenYardstick(tx: Tx, month: LocalDate): Promise<YardstickRow | undefined> {
  return one(
    await tx.query<YardstickRow>(
      `select ${ROW} from score_yardstick where tenant_id = $1 and month = $2 order by version desc limit 1`,
      [tx.tenantId, month],
    ),
  );
}

/** Versions of the yardstick by number. */
export async function loadYardsticks(tx: Tx, versions: readonly number[]): Promise<Map<number, YardstickRow>> {
  const { rows } = await tx.query<YardstickRow>(
    `select ${ROW} from score_yardstick where tenant_id = $1 and version = any($2)`,
    [tx.tenantId, versions],
  );
  return new Map(rows.map((row) => [row.version, row]));
}

/**
 * The yardstick of the month of a day, frozen now unless it is already. It is measured again within the month only where
 * it would otherwise be wrong for weeks: while too few had paid, and after a history came in (`loaded`).
 */
export async function ensureYardstick(tx: Tx, context: Context, loaded: boolean, now: Date): Promise<YardstickRow> {
  const month = monthOf(context.day);
  const frozen = await frozenYardstick(tx, month);
  if (frozen?.kind === 'payers' && !loaded) return frozen;
  const measured = await measureYardstick(tx, context, month);
  if (frozen && frozen.kind === measured.kind && frozen.target === measured.target) {
    const same = measured.kind === 'configured' || frozen.payers === measured.payers;
    if (same) return frozen;
  }
  const text = `insert into score_yardstick (tenant_id, version, month, kind, payers, target, quantiles, made_on, made_at)
     select $1::uuid, coalesce(max(y.version), 0) + 1, $2::date, $3::text, $4::int, $5::float8, $6::float8[], $7::date, $8::timestamptz
     from score_yardstick y where y.tenant_id = $1 returning ${ROW}`;
  const { kind, payers, target, quantiles } = measured;
  const { rows } = await tx.query<YardstickRow>(text, [
    tx.tenantId,
    month,
    kind,
    payers,
    target,
    quantiles,
    context.day,
    now,
  ]);
  return rows[0]!;
}
