import { one, type Tx } from '../base/database.ts';
import { type LocalDate, localDate } from '../base/time.ts';
import { sameValue } from '../model/changes.ts';
import type { SettingValue } from '../settings/schema.ts';
import { setting } from '../settings/store.ts';
import { type Basis, FACTORS, type Factor, FORMULA_VERSION } from './formula.ts';

/** Kinds of facts that something has ever delivered. Invoices stand in for payments only where there are none. */
export const SOURCES = ['jobs', 'payments', 'invoices', 'surveys', 'messages'] as const;
export type Source = (typeof SOURCES)[number];

export type ScoreSetting = SettingValue<'score'>;

/** What every score of a business has in common on a day, before the yardstick. */
export interface Context {
  zone: string;
  currency: string;
  /** The day that is scored. */
  day: LocalDate;
  setting: ScoreSetting;
  sources: Source[];
  /** Sources that fell silent, with the day their last values are of. */
  kept: Partial<Record<Source, LocalDate>>;
}

/** A version of what is the same for everybody. */
export interface RulesRow {
  version: number;
  formula: number;
  settings: ScoreSetting;
  sources: Source[];
  kept: Context['kept'];
  made_on: LocalDate;
}

export interface YardstickRow {
  version: number;
  month: LocalDate;
  kind: 'payers' | 'configured';
  payers: number;
  target: number;
  quantiles: number[] | null;
  made_on: LocalDate;
}

/** Factors that some source tells of; the others are dropped for everybody. */
export function availableFactors(sources: readonly Source[]): Factor[] {
  const has = (...any: Source[]): boolean => any.some((source) => sources.includes(source));
  const known: Record<Factor, boolean> = {
    recency: has('jobs'),
    spend: has('payments', 'invoices'),
    frequency: has('jobs'),
    sentiment: has('surveys'),
    engagement: has('messages'),
  };
  return FACTORS.filter((factor) => known[factor]);
}

/** What the formulas need of a version of rules and of the yardstick. */
export const basisOf = (
  rules: Pick<RulesRow, 'settings' | 'sources'>,
  yardstick: Pick<YardstickRow, 'target' | 'quantiles'>,
): Basis => ({
  weights: rules.settings.weights,
  available: availableFactors(rules.sources),
  frequencyTarget: rules.settings.frequencyTarget,
  yardstick: rules.settings.yardstick,
  target: yardstick.target,
  quantiles: yardstick.quantiles,
  answers: rules.settings.answers,
});

/** The day up to which a source tells something: the day itself unless it fell silent before. */
export const lastDay = (context: Pick<Context, 'day' | 'kept'>, source: Source): LocalDate => {
  const kept = context.kept[source];
  return kept !== undefined && kept < context.day ? kept : context.day;
};

/**
 * What a business has in common on a day.
 * @param day the tenant's local day; absent: the one `now` falls on. For another day no source counts as silent.
 */
export async function loadContext(tx: Tx, now: Date, day?: LocalDate): Promise<Context> {
  const { zone, currency } = await setting(tx, 'business');
  const score = await setting(tx, 'score');
  const sources = await deliveredSources(tx);
  const today = localDate(now, zone);
  const kept = day === undefined || day === today ? await silentSources(tx, score.staleDays, now, zone) : {};
  return { zone, currency, day: day ?? today, setting: score, sources, kept };
}

const TABLE: Record<Source, string> = {
  jobs: 'job',
  payments: 'payment',
  invoices: 'invoice',
  surveys: 'survey_response',
  messages: 'message_engagement',
};

async function deliveredSources(tx: Tx): Promise<Source[]> {
  const asked = SOURCES.map((source) => `exists (select from ${TABLE[source]} where tenant_id = $1) as ${source}`);
  const { rows } = await tx.query<Record<Source, boolean>>(`select ${asked.join(', ')}`, [tx.tenantId]);
  return SOURCES.filter((source) => rows[0]![source]);
}

/**
 * Sources of which every platform that delivers them has been silent for too long. Files and records that are only ever
 * posted to us are expected from nobody: they do not grow stale. Nor do our own messages.
 */
async function silentSources(tx: Tx, staleDays: number, now: Date, zone: string): Promise<Context['kept']> {
  const polled = SOURCES.filter((source) => source !== 'messages');
  const told = polled.map(
    (source) => `exists (select from ${TABLE[source]} t where t.tenant_id = $1 and t.stream_id = s.id) as ${source}`,
  );
  const { rows } = await tx.query<Record<Source, boolean> & { asked: boolean; at: Date | null }>(
    `select s.state <> 'off' as asked, s.last_complete_at as at, ${told.join(', ')} from stream s where s.tenant_id = $1`,
    [tx.tenantId],
  );
  const before = new Date(now.getTime() - staleDays * 86_400_000);
  const kept: Context['kept'] = {};
  for (const source of polled) {
    const streams = rows.filter((row) => row[source]);
    const latest = streams.reduce<Date | null>(
      (most, { at }) => (at !== null && (most === null || at > most) ? at : most),
      null,
    );
    if (latest !== null && latest < before && streams.every(({ asked, at }) => asked && at !== null))
      kept[source] = localDate(latest, zone);
  }
  return kept;
}

const RULES = 'version, formula, settings, sources, kept, made_on';

/** Versions of the rules by number. */
export async function loadRules(tx: Tx, versions?: readonly number[]): Promise<Map<number, RulesRow>> {
  const { rows } = await tx.query<RulesRow>(
    `select ${RULES} from score_rules where tenant_id = $1 and ($2::int[] is null or version = any($2))`,
    [tx.tenantId, versions ?? null],
  );
  return new Map(rows.map((row) => [row.version, row]));
}

/** The version of the rules that says what the context says; a new one when nothing does. @returns its number */
export async function ensureRules(tx: Tx, context: Context, now: Date): Promise<number> {
  const last = one(
    await tx.query<RulesRow>(`select ${RULES} from score_rules where tenant_id = $1 order by version desc limit 1`, [
      tx.tenantId,
    ]),
  );
  const { setting: settings, sources, kept } = context;
  const said = { formula: FORMULA_VERSION, settings, sources, kept };
  if (
    last &&
    sameValue(said, { formula: last.formula, settings: last.settings, sources: last.sources, kept: last.kept })
  )
    return last.version;
  const version = (last?.version ?? 0) + 1;
  await tx.query(
    'insert into score_rules (tenant_id, version, formula, settings, sources, kept, made_on, made_at) values ($1, $2, $3, $4, $5, $6, $7, $8)',
    [tx.tenantId, version, FORMULA_VERSION, settings, sources, kept, context.day, now],
  );
  return version;
}
