import type { Trouble } from '../actions/ears.ts';
import { setKillSwitch } from '../actions/switches.ts';
import { appendEvents } from '../audit/store.ts';
import { one, type Tx } from '../base/database.ts';
import { findSequence } from '../sequences/store.ts';
import type { SettingValue } from '../settings/schema.ts';
import { setting } from '../settings/store.ts';
import { holdCampaign, switchOf } from './halt.ts';
import { findCampaign } from './store.ts';

/** What came of the messages of a while. */
export interface SendFigures {
  sends: number;
  bounce: number;
  complaint: number;
  stop: number;
  failure: number;
}

const WORDS: Record<Trouble, string> = {
  complaint: 'were reported as spam',
  bounce: 'bounced',
  stop: 'were answered by STOP',
  failure: 'were refused by the platform',
};

const LIMITS = {
  complaint: 'complaintPercent',
  bounce: 'bouncePercent',
  stop: 'stopPercent',
  failure: 'failurePercent',
} as const;

/**
 * Whether figures are reason to stop, in words.
 * @param limits the setting of the business
 * @returns undefined while they are not
 */
export function reasonToStop(figures: SendFigures, limits: SettingValue<'sendBreaker'>): string | undefined {
  if (figures.sends < limits.minSends) return undefined;
  for (const trouble of Object.keys(LIMITS) as (keyof typeof LIMITS)[]) {
    const [count, limit] = [figures[trouble], limits[LIMITS[trouble]]];
    const share = (count / figures.sends) * 100;
    if (count < limits.minEvents || share <= limit) continue;
    return `${count} of ${figures.sends} messages within ${limits.windowHours} hours ${WORDS[trouble]} (${share.toFixed(1)} %, the limit is ${limit} %).`;
  }
  return undefined;
}

/** Figures of a sequence (`sequence_id`) or a campaign since a moment. */
async function figuresOf(tx: Tx, column: 'sequence_id' | 'campaign_id', id: string, since: Date): Promise<SendFigures> {
  const kinds = Object.keys(LIMITS).map(
    (trouble) => `count(*) filter (where trouble = '${trouble}')::int as ${trouble}`,
  );
  return one(
    await tx.query<SendFigures>(
      `select count(*)::int as sends, ${kinds.join(', ')} from sequence_send where tenant_id = $1 and ${column} = $2 and at >= $3`,
      [tx.tenantId, id, since],
    ),
  )!;
}

/** The row of a breaker, locked: whoever counts holds it, so that of two pieces of news one sees both. */
async function lockBreaker(tx: Tx, scope: string): Promise<{ counted_from: Date | null; tripped_at: Date | null }> {
  await tx.query('insert into send_breaker (tenant_id, scope) values ($1, $2) on conflict do nothing', [
    tx.tenantId,
    scope,
  ]);
  return one(
    await tx.query<{ counted_from: Date | null; tripped_at: Date | null }>(
      'select counted_from, tripped_at from send_breaker where tenant_id = $1 and scope = $2 for update',
      [tx.tenantId, scope],
    ),
  )!;
}

/**
 * Counts what came of the messages of a sequence or campaign, and answers why it has to stop. It answers once: until
 * somebody lets it go on, and what lies before that does not count again.
 */
async function trip(
  tx: Tx,
  scope: string,
  of: { column: 'sequence_id' | 'campaign_id'; id: string },
  now: Date,
): Promise<string | undefined> {
  const limits = await setting(tx, 'sendBreaker');
  const { counted_from, tripped_at } = await lockBreaker(tx, scope);
  if (tripped_at) return undefined;
  const window = new Date(now.getTime() - limits.windowHours * 3_600_000);
  const since = counted_from && counted_from > window ? counted_from : window;
  const figures = await figuresOf(tx, of.column, of.id, since);
  const reason = reasonToStop(figures, limits);
  if (!reason) return undefined;
  await tx.query(
    'update send_breaker set tripped_at = $3, reason = $4, figures = $5, version = version + 1 where tenant_id = $1 and scope = $2',
    [tx.tenantId, scope, now, reason, figures],
  );
  await appendEvents(tx, [
    {
      actor: 'system',
      action: 'send_breaker.tripped',
      subject: { kind: of.column === 'sequence_id' ? 'sequence' : 'campaign', id: of.id },
      data: { reason, ...figures },
      at: now,
    },
  ]);
  return reason;
}

/**
 * Stops sequences and campaigns of which too many messages came to no good, in the transaction that noted it: what they
 * have queued is held from this moment on. Only a person lets them go on.
 */
export async function tryBreakers(
  tx: Tx,
  scopes: readonly { sequence_id: string; campaign_id: string | null }[],
  now: Date,
): Promise<void> {
  const by = 'breaker';
  for (const id of [...new Set(scopes.map((scope) => scope.sequence_id))].sort()) {
    const sequence = await findSequence(tx, id);
    if (!sequence) continue;
    const scope = `sequence:${sequence.key}`;
    const reason = await trip(tx, scope, { column: 'sequence_id', id }, now);
    if (reason) await setKillSwitch(tx, scope, reason, by, now);
  }
  for (const id of [...new Set(scopes.flatMap((scope) => scope.campaign_id ?? []))].sort()) {
    const campaign = await findCampaign(tx, id);
    if (campaign?.state !== 'running' && campaign?.state !== 'done') continue;
    const reason = await trip(tx, switchOf(id), { column: 'campaign_id', id }, now);
    if (reason) await holdCampaign(tx, id, reason, { actor: by, now });
  }
}

/** A breaker as it stands. */
export interface BreakerRow {
  scope: string;
  counted_from: Date | null;
  tripped_at: Date | null;
  reason: string | null;
  figures: SendFigures | null;
}

/** What breakers stopped and nobody let go on yet. */
export async function trippedBreakers(tx: Tx): Promise<BreakerRow[]> {
  const { rows } = await tx.query<BreakerRow>(
    'select scope, counted_from, tripped_at, reason, figures from send_breaker where tenant_id = $1 and tripped_at is not null order by tripped_at desc, scope',
    [tx.tenantId],
  );
  return rows;
}
