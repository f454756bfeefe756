import { appendEvents } from '../audit/store.ts';
import { one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { localDate } from '../base/time.ts';
import { addWorkingMinutes } from '../consent/windows.ts';
import { setting, tenantZone } from '../settings/store.ts';
import type { RunRow } from './runs.ts';
import { personFor, type StaffRow } from './staff.ts';
import type { Step } from './steps.ts';

type EscalateStep = Extract<Step, { escalate: unknown }>;

export interface EscalationRow {
  id: string;
  run_id: string | null;
  customer_id: string;
  step_id: string;
  visit: number;
  plan: EscalateStep['escalate'];
  level: number;
  assignee: { id: string; name: string; email: string; who: string } | null;
  state: 'open' | 'acknowledged' | 'closed';
  next_at: Date | null;
  opened_at: Date;
  acknowledged_at: Date | null;
  acknowledged_by: string | null;
  closed_reason: string | null;
  version: number;
}

export const ESCALATION_COLUMNS =
  'id, run_id, customer_id, step_id, visit, plan, level, assignee, state, next_at, opened_at, acknowledged_at, acknowledged_by, closed_reason, version';

/** The next level somebody stands behind, from `level` on, and when their clock runs out. */
export async function nextLevel(
  tx: Tx,
  plan: EscalationRow['plan'],
  level: number,
  customerId: string,
  now: Date,
): Promise<{ level: number; person: StaffRow; who: string; until: Date } | undefined> {
  const zone = await tenantZone(tx);
  for (let at = level; at < plan.to.length; at++) {
    const { who, role } = plan.to[at]!;
    const person = await personFor(tx, who, role, customerId, localDate(now, zone));
    if (!person) continue;
    const hours = person.working_hours ?? (await setting(tx, 'workingHours'));
    return {
      level: at,
      person,
      who,
      until: addWorkingMinutes(now, plan.working_hours * 60, person.zone ?? zone, hours),
    };
  }
  return undefined;
}

/** The person of a level as kept with the escalation. */
export const assigneeOf = (found: { person: StaffRow; who: string }): EscalationRow['assignee'] => ({
  id: found.person.id,
  name: found.person.name,
  email: found.person.email,
  who: found.who,
});

/**
 * Opens an escalation at the first level somebody stands behind.
 * @returns undefined when nobody does
 */
export async function openEscalation(
  tx: Tx,
  run: RunRow,
  step: EscalateStep,
  now: Date,
): Promise<EscalationRow | undefined> {
  const found = await nextLevel(tx, step.escalate, 0, run.customer_id, now);
  if (!found) return undefined;
  const row = one(
    await tx.query<EscalationRow>(
      `insert into escalation (tenant_id, id, run_id, customer_id, step_id, visit, plan, level, assignee, state, next_at, opened_at)
       values ($1, $2, $3, $4, $5, $11, $6, $7, $8, 'open', $9, $10) on conflict do nothing returning ${ESCALATION_COLUMNS}`,
      [
        tx.tenantId,
        newId(),
        run.id,
        run.customer_id,
        step.id,
        step.escalate,
        found.level,
        assigneeOf(found),
        found.until,
        now,
        run.visit,
      ],
    ),
  );
  if (!row)
    return one(
      await tx.query<EscalationRow>(
        `select ${ESCALATION_COLUMNS} from escalation where tenant_id = $1 and run_id = $2 and step_id = $3 and visit = $4`,
        [tx.tenantId, run.id, step.id, run.visit],
      ),
    );
  await tellAudit(tx, row, 'escalation.opened', now);
  return row;
}

/** Notes in the audit trail where an escalation stands. */
export async function tellAudit(
  tx: Tx,
  row: EscalationRow,
  action: string,
  now: Date,
  actor = 'system',
): Promise<void> {
  await appendEvents(tx, [
    {
      actor,
      action,
      subject: { kind: 'escalation', id: row.id },
      customerId: row.customer_id,
      data: { level: row.level, to: row.assignee?.name ?? null, who: row.assignee?.who ?? null },
      at: now,
    },
  ]);
}

/** Escalations whose clock ran out, locked. */
export async function claimDueEscalations(tx: Tx, now: Date, limit: number): Promise<EscalationRow[]> {
  const { rows } = await tx.query<EscalationRow>(
    `select ${ESCALATION_COLUMNS} from escalation where tenant_id = $1 and state = 'open' and next_at <= $2 order by next_at limit $3 for update skip locked`,
    [tx.tenantId, now, limit],
  );
  return rows;
}

export async function nextEscalation(tx: Tx): Promise<Date | undefined> {
  return (
    one(
      await tx.query<{ at: Date | null }>(
        "select min(next_at) as at from escalation where tenant_id = $1 and state = 'open'",
        [tx.tenantId],
      ),
    )?.at ?? undefined
  );
}

/** The reason for it is gone (paid). The staff's task stays open for them to close. */
export async function closeEscalations(
  tx: Tx,
  runIds: readonly string[],
  reason: string,
  now: Date,
): Promise<EscalationRow[]> {
  const { rows } = await tx.query<EscalationRow>(
    `update escalation set state = 'closed', closed_reason = $3, next_at = null, version = version + 1
     where tenant_id = $1 and run_id = any($2) and state = 'open' returning ${ESCALATION_COLUMNS}`,
    [tx.tenantId, runIds, reason],
  );
  for (const row of rows) await tellAudit(tx, row, 'escalation.closed', now);
  return rows;
}

export async function findEscalation(tx: Tx, id: string): Promise<EscalationRow | undefined> {
  return one(
    await tx.query<EscalationRow>(`select ${ESCALATION_COLUMNS} from escalation where tenant_id = $1 and id = $2`, [
      tx.tenantId,
      id,
    ]),
  );
}

/** Escalations, newest first; without those in shadow, which nobody was told of. */
export async function listEscalations(
  tx: Tx,
  filter: { state?: string; customerId?: string; before?: string; limit: number },
): Promise<EscalationRow[]> {
  const { rows } = await tx.query<EscalationRow>(
    `select ${ESCALATION_COLUMNS} from escalation e where tenant_id = $1 and ($2::text is null or state = $2) and ($3::uuid is null or customer_id = $3) and ($4::uuid is null or id < $4)
       and not exists (select from run r where r.tenant_id = $1 and r.id = e.run_id and r.shadow)
     order by id desc limit $5`,
    [tx.tenantId, filter.state ?? null, filter.customerId ?? null, filter.before ?? null, filter.limit],
  );
  return rows;
}
