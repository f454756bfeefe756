import { clearKillSwitch } from '../actions/switches.ts';
import { cancelRequests } from '../actions/transitions.ts';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { conflict, stale } from '../base/errors.ts';
import { exitRuns } from '../sequences/runs.ts';
import { leaveSteps } from '../sequences/way.ts';
import { type Hand, note, switchOf } from './halt.ts';
import { removeWaiting } from './members.ts';
import { type CampaignRow, lockCampaign, setCampaignState } from './store.ts';

/** What taking a campaign back did, and what it came too late for. */
export interface Undone {
  campaign: CampaignRow;
  /** People who had not entered. */
  removed: number;
  /** Enrolments that had done nothing yet, ended. */
  ended: number;
  /** Messages and actions that were about to go out, cancelled. */
  cancelled: number;
  /** What was out already, by channel. */
  out: { channel: string; messages: number; people: number }[];
  /** Enrolments that had done something, and what became of them. */
  others: { enrolments: number; ended: boolean };
}

/** Handed to a platform, or perhaps. */
const OUT = `q.state in ('sending', 'sent', 'unknown')`;

/**
 * Takes a campaign back, as far as nothing has gone out: who waits does not enter, enrolments that did nothing end, and
 * what was about to go out does not. What had gone out is told; those enrolments go on unless they are to end too.
 * @throws Problem when it never started, or changed meanwhile
 */
export async function undoCampaign(
  tx: Tx,
  id: string,
  how: { reason: string; endOthers: boolean },
  hand: Hand,
): Promise<Undone> {
  const campaign = await lockCampaign(tx, id);
  if (campaign.version !== hand.expected) throw stale('campaign');
  if (campaign.state === 'draft') throw conflict('The campaign never started: there is nothing to take back.');
  const { now } = hand;
  const removed = await removeWaiting(tx, id, { state: 'removed', reason: 'undone', detail: how.reason, now });
  const { rows: running } = await tx.query<{ id: string; out: boolean }>(
    `select r.id, exists (select from action_request q where q.tenant_id = $1 and q.run_id = r.id and ${OUT}) as out
     from run r where r.tenant_id = $1 and r.campaign_id = $2 and r.state in ('active', 'waiting', 'paused') order by r.id for update of r`,
    [tx.tenantId, id],
  );
  const meant = running.filter((run) => how.endOthers || !run.out).map((run) => run.id);
  const cancelled = await cancel(tx, meant, now);
  // Something may have left in the moment before its cancelling: such an enrolment is not taken back.
  const left = how.endOthers ? new Set<string>() : await outOf(tx, meant);
  const ending = meant.filter((run) => !left.has(run));
  const ended = await exitRuns(tx, ending, `campaign taken back: ${how.reason}`, now);
  await leaveSteps(tx, ended, 'stopped', how.reason, now);
  await appendEvents(
    tx,
    ended.map((run) => ({
      actor: hand.actor,
      action: 'enrolment.stopped',
      subject: { kind: 'enrolment', id: run.id },
      customerId: run.customer_id,
      data: { reason: how.reason, campaign: campaign.key },
      at: now,
    })),
  );
  await tx.query(
    `update campaign_member set state = 'removed', reason = 'undone', detail = $4, updated_at = $5, version = version + 1
     where tenant_id = $1 and campaign_id = $2 and run_id = any($3)`,
    [tx.tenantId, id, ending, how.reason, now],
  );
  await clearKillSwitch(tx, switchOf(id), now);
  const out = await wentOut(tx, id);
  const others = {
    enrolments: running.length - ended.length + (how.endOthers ? running.filter((r) => r.out).length : 0),
    ended: how.endOthers,
  };
  const result = { removed, ended: ended.length, cancelled, out, others };
  await note(tx, id, 'undone', hand, { reason: how.reason, ...result });
  return { campaign: await setCampaignState(tx, id, 'stopped', `Taken back: ${how.reason}`, now), ...result };
}

/** Cancels what these enrolments had queued, tasks for staff included. */
async function cancel(tx: Tx, runIds: readonly string[], now: Date): Promise<number> {
  if (runIds.length === 0) return 0;
  const detail = 'The campaign was taken back before it went out.';
  const facing = await cancelRequests(tx, { runIds, reason: 'campaign_undone', detail }, now);
  const { rowCount } = await tx.query(
    `update action_request set state = 'skipped', reason = 'campaign_undone', reason_detail = $3, ended_at = $4, updated_at = $4, version = version + 1
     where tenant_id = $1 and run_id = any($2) and class = 'internal' and state in ('planned', 'committed')`,
    [tx.tenantId, runIds, detail, now],
  );
  return facing.length + rowCount;
}

/** Of these enrolments, those of which something went out. */
async function outOf(tx: Tx, runIds: readonly string[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ run_id: string }>(
    `select distinct q.run_id from action_request q where q.tenant_id = $1 and q.run_id = any($2) and q.state in ('sending', 'sent', 'unknown')`,
    [tx.tenantId, runIds],
  );
  return new Set(rows.map((row) => row.run_id));
}

/** What of a campaign went out, or perhaps did, by channel. */
async function wentOut(tx: Tx, id: string): Promise<Undone['out']> {
  const { rows } = await tx.query<Undone['out'][number]>(
    `select q.channel, count(*)::int as messages, count(distinct q.customer_id)::int as people
     from run r join action_request q on q.tenant_id = $1 and q.run_id = r.id and ${OUT}
     where r.tenant_id = $1 and r.campaign_id = $2 group by 1 order by 1`,
    [tx.tenantId, id],
  );
  return rows;
}
