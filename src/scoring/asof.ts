import type { Tx } from '../base/database.ts';
import type { LocalDate } from '../base/time.ts';
import { availableFactors, loadContext } from './context.ts';
import { FACTORS, type Factors, round2 } from './formula.ts';
import { scored } from './pass.sql.ts';
import { frozenYardstick, measureYardstick, monthOf } from './yardstick.ts';

/** A customer as scored on a day. */
export interface ScoreAsOf {
  customer: string;
  /** Ids of the customer elsewhere: those a mapping names, and each record as `<platform>:<id>`. */
  externalIds: string[];
  /** Null for who is not scored: deleted, closed or a test, or when nothing tells of anything. */
  score: number | null;
  /** Each 0 to 100, shown to two decimals; null where nothing tells of it. */
  factors: Factors;
}

export interface ScoresAsOf {
  day: LocalDate;
  /** What counted as full spend, and whether that was frozen at the time or is worked out from the facts now. */
  yardstick: { target: number; kind: string; payers: number; frozen: boolean };
  /** Factors some source tells of. */
  scoredOn: readonly string[];
  scores: ScoreAsOf[];
}

/**
 * Everybody's score on a day, from the facts that had happened by then as they are known now: what was corrected later
 * counts as corrected, what was deleted since is not there, and weights are the present ones. The yardstick is the one
 * frozen in the month of the day; before there was one, what the facts up to the first of that month make.
 */
export async function scoresAsOf(tx: Tx, day: LocalDate, now: Date): Promise<ScoresAsOf> {
  await tx.query('set local plan_cache_mode = force_custom_plan');
  const context = await loadContext(tx, now, day);
  const frozen = await frozenYardstick(tx, monthOf(day));
  const yardstick = frozen ?? (await measureYardstick(tx, context, monthOf(day)));
  const rules = { settings: context.setting, sources: context.sources };
  const { values, from } = scored(tx.tenantId, context, rules, yardstick);
  const text = `select s.customer_id as customer, s.score, s.recency, s.spending as spend, s.frequency, s.sentiment, s.engagement, c.external_ids as ids, r.records
    from (${from}) s join customer c on c.tenant_id = $1 and c.id = s.customer_id
      left join (select p.entity_id, array_agg(distinct o.connector || ':' || p.remote_id) as records from contact_projection p
        join stream t on t.tenant_id = $1 and t.id = p.stream_id join connection o on o.tenant_id = $1 and o.id = t.connection_id
        where p.tenant_id = $1 group by p.entity_id) r on r.entity_id = s.customer_id
    order by s.customer_id`;
  type Found = { customer: string; score: number | null; ids: string[] | null; records: string[] | null } & Factors;
  const { rows } = await tx.query<Found>(text, values.list);
  return {
    day,
    yardstick: {
      target: yardstick.target,
      kind: yardstick.kind,
      payers: yardstick.payers,
      frozen: frozen !== undefined,
    },
    scoredOn: availableFactors(context.sources),
    scores: rows.map((row) => ({
      customer: row.customer,
      externalIds: [...new Set([...(row.ids ?? []), ...(row.records ?? [])])],
      score: row.score,
      factors: shown(row),
    })),
  };
}

/** Factors as they are shown: to two decimals. */
export const shown = (factors: Factors): Factors =>
  Object.fromEntries(FACTORS.map((name) => [name, factors[name] === null ? null : round2(factors[name]!)])) as Factors;
