import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { conflict, invalid } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { localDate } from '../base/time.ts';
import { lookUpCustomer } from '../model/store.ts';
import { tenantZone } from '../settings/store.ts';
import { fire, type StartRuns } from '../triggers/detect.ts';
import { findTrigger, insertTrigger, triggersOfSequence } from '../triggers/store.ts';
import { closeEscalations } from './escalations.ts';
import type { SequencePorts } from './ports.ts';
import { findRun, type RunRow } from './runs.ts';
import type { SequenceRow } from './store.ts';
import { leaveStep } from './way.ts';

export interface ManualOutcome {
  customerId: string;
  name: string | null;
  outcome: string;
  enrolmentId: string | null;
}

/**
 * Starts a sequence by hand for customers, with a reason.
 * @param start how occurrences become enrolments
 * @throws Problem when the sequence is not on or nobody is named
 */
export async function enrolByHand(
  tx: Tx,
  sequence: SequenceRow,
  request: { customers: readonly string[]; reason: string; actor: string; key?: string | undefined },
  start: StartRuns,
  now: Date,
): Promise<ManualOutcome[]> {
  if (sequence.state !== 'active')
    throw conflict(`The sequence "${sequence.title}" is ${sequence.state}.`, 'Switch it on first.');
  if (request.customers.length === 0)
    throw invalid('Name at least one customer.', [{ path: 'customers', message: 'is empty' }]);
  const own = (await triggersOfSequence(tx, sequence.id)).find((trigger) => trigger.name === 'manual');
  const id =
    own?.id ??
    (await insertTrigger(
      tx,
      { name: 'manual', title: 'Started by hand', settings: {}, sequence_id: sequence.id, enabled: true },
      now,
    ));
  const trigger = (await findTrigger(tx, id))!;
  const zone = await tenantZone(tx);
  const key = request.key ?? newId();
  const outcomes: ManualOutcome[] = [];
  for (const text of request.customers) {
    const found = await lookUpCustomer(tx, text);
    const customer = found[0];
    if (!customer || found.length > 1) {
      outcomes.push({
        customerId: text,
        name: null,
        outcome: customer ? 'refused: several customers are called that' : 'refused: no such customer',
        enrolmentId: null,
      });
      continue;
    }
    const [occurrence] = await fire(
      tx,
      trigger,
      [
        {
          businessKey: `${key}:${customer.id}`,
          subject: { kind: 'customer', id: customer.id, label: request.reason },
          customerId: customer.id,
          occurredOn: localDate(now, zone),
          occurredAt: now,
          data: { reason: request.reason, by: request.actor },
        },
      ],
      now,
      start,
    );
    const { rows } = await tx.query<{ outcome: string; run_id: string | null }>(
      'select outcome, run_id from occurrence where tenant_id = $1 and id = $2',
      [tx.tenantId, occurrence?.id ?? null],
    );
    outcomes.push({
      customerId: customer.id,
      name: customer.name,
      outcome: rows[0]?.outcome ?? 'refused: the same request was made before',
      enrolmentId: rows[0]?.run_id ?? null,
    });
  }
  await appendEvents(tx, [
    {
      actor: request.actor,
      action: 'sequence.started_by_hand',
      subject: { kind: 'sequence', id: sequence.id },
      data: {
        reason: request.reason,
        customers: outcomes.length,
        started: outcomes.filter((item) => item.outcome === 'started').length,
      },
      at: now,
    },
  ]);
  return outcomes;
}

/** Pauses an enrolment: nothing of it is consumed, nothing of it goes out. */
export async function pauseRun(
  tx: Tx,
  id: string,
  by: string,
  expected: number,
  now: Date,
): Promise<RunRow | undefined> {
  const change = { set: "state = 'paused'", where: "state in ('active', 'waiting')", pausedBy: by };
  return alter(tx, id, change, { action: 'enrolment.paused', by }, expected, now);
}

// What happened meanwhile to one that waits for an event is looked up at once.
const RESUMED =
  "state = 'waiting', resumed_at = $4, wake_at = case when waiting_for = 'event' then least(wake_at, $4) else wake_at end";

/** Goes on where it was; what became too late meanwhile waits for a decision. */
export async function resumeRun(
  tx: Tx,
  id: string,
  by: string,
  expected: number,
  now: Date,
): Promise<RunRow | undefined> {
  const change = { set: RESUMED, where: "state = 'paused'", pausedBy: null };
  const run = await alter(tx, id, change, { action: 'enrolment.resumed', by }, expected, now);
  if (run) await bumpDue(tx, tx.tenantId, 'runs', now);
  return run;
}

async function alter(
  tx: Tx,
  id: string,
  change: { set: string; where: string; pausedBy: string | null },
  { action, by }: { action: string; by: string },
  expected: number,
  now: Date,
): Promise<RunRow | undefined> {
  const { rowCount } = await tx.query(
    `update run set ${change.set}, paused_by = $5, updated_at = $4, row_version = row_version + 1
     where tenant_id = $1 and id = $2 and row_version = $3 and ${change.where}`,
    [tx.tenantId, id, expected, now, change.pausedBy],
  );
  if (rowCount === 0) return undefined;
  const run = (await findRun(tx, id))!;
  await appendEvents(tx, [
    { actor: by, action, subject: { kind: 'enrolment', id }, customerId: run.customer_id, at: now },
  ]);
  return run;
}

/** Ends an enrolment by hand. */
export async function stopRun(
  ports: Pick<SequencePorts, 'cancel'>,
  tx: Tx,
  id: string,
  by: string,
  reason: string,
  expected: number,
  now: Date,
): Promise<RunRow | undefined> {
  const { rowCount } = await tx.query(
    `update run set state = 'stopped', end_reason = $4, ended_at = $5, wake_at = null, waiting_for = null, updated_at = $5, row_version = row_version + 1
     where tenant_id = $1 and id = $2 and row_version = $3 and state in ('active', 'waiting', 'paused')`,
    [tx.tenantId, id, expected, reason, now],
  );
  if (rowCount === 0) return undefined;
  const run = (await findRun(tx, id))!;
  await leaveStep(tx, run, 'stopped', reason, now);
  const cancelled = await ports.cancel(tx, [id], 'run_stopped', now);
  await closeEscalations(tx, [id], reason, now);
  await appendEvents(tx, [
    {
      actor: by,
      action: 'enrolment.stopped',
      subject: { kind: 'enrolment', id },
      customerId: run.customer_id,
      data: { reason, cancelled },
      at: now,
    },
  ]);
  return run;
}
