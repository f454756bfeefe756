import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { addDays, daysBetween, instantOf, type LocalDate, localDate } from '../base/time.ts';
import type { ChangeListener } from '../model/types.ts';
import { DEFAULT_AWAY_DAYS, isAwayNotice, returnDay } from '../sequences/away.ts';
import { type RunRow, runningRuns } from '../sequences/runs.ts';

/**
 * Somebody's machine says that they are away: what waits for them waits until they are back. It is no answer, so nothing
 * ends; but silence is no answer either while nobody is there, so no reminder goes out and no colleague is troubled.
 */
export const awayListener: ChangeListener = async (tx, changes, now) => {
  for (const change of changes) {
    const { after } = change;
    if (change.kind !== 'activity' || change.op !== 'created' || change.origin !== 'live' || !change.customer_id)
      continue;
    if (after?.automatic !== true || after.direction !== 'in') continue;
    const [subject, body] = [String(after.subject ?? ''), String(after.body ?? '')];
    if (isAwayNotice(subject, body)) await park(tx, change.customer_id, `${subject}\n${body}`, change.entity_id, now);
  }
};

async function park(tx: Tx, customerId: string, text: string, activityId: string, now: Date): Promise<void> {
  for (const run of await runningRuns(tx, [customerId])) {
    if (run.state !== 'waiting' || run.waiting_for === 'escalation') continue;
    const today = localDate(now, run.zone);
    const stated = returnDay(text, today);
    const day = stated ?? addDays(today, DEFAULT_AWAY_DAYS);
    const until = instantOf(day, '00:00', run.zone);
    const moved = (await postponeMessages(tx, run, until, day, now)) + (await postponeRun(tx, run, until, day, now));
    if (moved === 0) continue;
    await appendEvents(tx, [
      {
        actor: 'system',
        action: 'enrolment.parked',
        subject: { kind: 'enrolment', id: run.id },
        customerId,
        data: { reason: 'The customer is away.', until: day, stated: stated !== undefined, activity: activityId },
        at: now,
      },
    ]);
  }
}

/** Messages that were about to go out go when the person is back; they do not grow stale by it (moved in UTC, see postponeRequests). */
async function postponeMessages(tx: Tx, run: RunRow, until: Date, day: LocalDate, now: Date): Promise<number> {
  const { rowCount } = await tx.query(
    `update action_request set state = 'planned', content = null, reason = 'away', reason_detail = $4, not_before = $3, updated_at = $5, version = version + 1,
       stale_after = (stale_after at time zone 'UTC' + ($3::timestamptz - greatest(not_before, $5))) at time zone 'UTC'
     where tenant_id = $1 and run_id = $2 and state in ('planned', 'committed') and class <> 'internal' and not_before < $3`,
    [tx.tenantId, run.id, until, `The customer is away; it waits until ${day}.`, now],
  );
  return rowCount;
}

/** What the enrolment waits for is put off, and with it the days of all later steps, so that they keep their distances. */
async function postponeRun(tx: Tx, run: RunRow, until: Date, day: LocalDate, now: Date): Promise<number> {
  const waits = run.wake_at !== null;
  if (waits && run.wake_at! >= until) return 0;
  const from = localDate(waits ? run.wake_at! : now, run.zone);
  const { rowCount } = await tx.query(
    `update run set wake_at = case when wake_at is null then null else $3::timestamptz end, start_on = start_on + $4::int, updated_at = $5, row_version = row_version + 1
     where tenant_id = $1 and id = $2 and state = 'waiting' and row_version = $6`,
    [tx.tenantId, run.id, until, Math.max(0, daysBetween(from, day)), now, run.row_version],
  );
  return rowCount;
}
