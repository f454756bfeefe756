import type { Tx } from '../base/database.ts';
import { addDays, instantOf, type LocalDate } from '../base/time.ts';
import { draftOf } from './draft.ts';
import { deleteSegment, insertSegment, segmentOfTrigger, updateSegment } from './store.ts';

/**
 * Keeps the segment of a trigger of its own condition as the trigger says.
 * @throws Problem with every mistake in the condition
 */
export async function keepOwnSegment(
  tx: Tx,
  trigger: { id: string; title: string; settings: { condition: unknown; settleMinutes: number } },
  meta: { by: string; now: Date },
): Promise<void> {
  const before = await segmentOfTrigger(tx, trigger.id);
  const draft = await draftOf(tx, { name: trigger.title, ...trigger.settings }, before?.id);
  if (!before) {
    await insertSegment(tx, { ...draft, triggerId: trigger.id }, meta.by, meta.now);
    return;
  }
  const anew = JSON.stringify(draft.condition) !== JSON.stringify(before.condition);
  await updateSegment(tx, before.id, { ...draft, anew, expected: before.version, now: meta.now });
}

/** The trigger is gone, and with it the segment that was kept for it. */
export async function dropOwnSegment(tx: Tx, triggerId: string): Promise<void> {
  const own = await segmentOfTrigger(tx, triggerId);
  if (own) await deleteSegment(tx, own.id);
}

/**
 * Who entered a segment on days of the zone, oldest first. Those found in it when its condition was new are not told of,
 * and neither are they here; what was told is kept for 400 days.
 */
export async function enteredBetween(
  tx: Tx,
  segmentId: string,
  days: { from: LocalDate; to: LocalDate; zone: string; customerId: string | undefined },
): Promise<{ customer_id: string; entered_at: Date }[]> {
  const { rows } = await tx.query<{ customer_id: string; entered_at: Date }>(
    `select m.customer_id, m.entered_at from segment_member m
     where m.tenant_id = $1 and m.segment_id = $2 and m.entered_at >= $3 and m.entered_at < $4 and ($5::uuid is null or m.customer_id = $5)
       and exists (select from change h where h.tenant_id = $1 and h.kind = 'segment' and h.customer_id = m.customer_id and h.entity_id = $2
         and h.op = 'entered' and h.occurred_at = m.entered_at)
     order by m.entered_at`,
    [
      tx.tenantId,
      segmentId,
      instantOf(days.from, '00:00', days.zone),
      instantOf(addDays(days.to, 1), '00:00', days.zone),
      days.customerId ?? null,
    ],
  );
  return rows;
}
