import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { addDays, localDate } from '../base/time.ts';
import { type PersonPlace, zoneOf } from '../model/zones.ts';
import { tenantZone } from '../settings/store.ts';
import { answeredOf, reminderUnanswered, waitsUntil } from '../triggers/catalogue/reminder-unanswered.ts';
import { fire } from '../triggers/detect.ts';
import { noLongerSo } from '../triggers/standing.ts';
import { listTriggers, type OccurrenceRow, type TriggerRow } from '../triggers/store.ts';
import { endsBy } from './causes.ts';
import { entranceOf } from './entrance.ts';
import { openEscalation } from './escalations.ts';
import { stepAfter, stepOf } from './graph.ts';
import type { SequencePorts } from './ports.ts';
import { enteredAt, enterStep, insertRun, leaveStep, lockRun, type RunRow, runsOfKey, saveRun } from './runs.ts';
import type { Definition } from './schema.ts';
import { type Step, stepKind } from './steps.ts';
import { findSequence, loadDefinition, type SequenceRow } from './store.ts';
import { after, dueOf } from './timing.ts';

/** A definition cannot have more steps than this without a wait in between, so a run always comes to rest. */
const MAX_STEPS_AT_ONCE = 100;

/**
 * Starts the sequence a trigger is for, once per business key. A customer who is in it already is joined: what happened
 * shows in the next message.
 */
export async function startRuns(
  ports: SequencePorts,
  tx: Tx,
  trigger: TriggerRow,
  occurrences: readonly OccurrenceRow[],
  now: Date,
): Promise<{ id: string; outcome: string; runId: string | null }[]> {
  const sequence = trigger.sequence_id ? await findSequence(tx, trigger.sequence_id) : undefined;
  const all = (outcome: string): { id: string; outcome: string; runId: null }[] =>
    occurrences.map(({ id }) => ({ id, outcome, runId: null }));
  if (!sequence) return all('recorded: no sequence is bound to this trigger');
  if (sequence.state !== 'active' || sequence.active_version === null)
    return all(`refused: the sequence is ${sequence.state}`);
  const definition = await loadDefinition(tx, sequence.id, sequence.active_version);
  const untrue = await noLongerSo(tx, occurrences);
  const results: { id: string; outcome: string; runId: string | null }[] = [];
  for (const occurrence of occurrences)
    if (endsBy(untrue.get(occurrence.id), definition.exits))
      results.push({ id: occurrence.id, outcome: 'refused: it is no longer so', runId: null });
    else results.push({ id: occurrence.id, ...(await startRun(ports, tx, sequence, definition, occurrence, now)) });
  return results;
}

async function startRun(
  ports: SequencePorts,
  tx: Tx,
  sequence: SequenceRow,
  definition: Definition,
  occurrence: OccurrenceRow,
  now: Date,
): Promise<{ outcome: string; runId: string | null }> {
  const customerId = occurrence.customer_id!;
  const key = definition.per === 'customer' ? 'customer' : `${occurrence.subject_kind}:${occurrence.subject_id}`;
  const earlier = await runsOfKey(tx, sequence.id, customerId, definition.again.policy === 'once' ? undefined : key);
  const running = earlier.find(
    (run) => run.business_key === key && ['active', 'waiting', 'paused'].includes(run.state),
  );
  if (running) return { outcome: 'joined: the customer is in it already', runId: running.id };
  const shadow = sequence.mode === 'shadow'; // What was played there keeps nobody from the real thing.
  const refusal = refusalOf(definition, shadow ? earlier : earlier.filter((run) => !run.shadow), now);
  if (refusal) return { outcome: `refused: ${refusal}`, runId: null };
  const zone = await customerZone(tx, customerId);
  const sameKey = earlier.filter((run) => run.business_key === key);
  const entrance = entranceOf(occurrence.data);
  const run = await insertRun(
    tx,
    {
      ...{ sequence_id: sequence.id, version: sequence.active_version!, customer_id: customerId, business_key: key },
      ordinal: (sameKey[0]?.ordinal ?? 0) + 1,
      step_id: entrance?.step ?? definition.steps[0]!.id,
      start_on: entrance?.startOn ?? localDate(now, zone),
      campaign_id: entrance?.campaign ?? null,
      zone,
      cause: { trigger: occurrence.trigger_name, occurrence: occurrence.id, subject: occurrence.subject_label },
      ...{ depth: occurrence.depth, shadow },
    },
    now,
  );
  // Another worker was faster: the unique index let one of us in.
  if (!run) return { outcome: 'joined: it was started at the same moment', runId: null };
  await appendEvents(tx, [
    {
      actor: 'system',
      action: 'enrolment.started',
      subject: { kind: 'enrolment', id: run.id },
      customerId,
      data: {
        sequence: sequence.key,
        version: run.version,
        trigger: occurrence.trigger_name,
        because: occurrence.subject_label,
      },
      at: now,
    },
  ]);
  await proceed(ports, tx, run, definition, now);
  return { outcome: 'started', runId: run.id };
}

/** Why the definition does not let someone in again, or undefined. */
function refusalOf(definition: Definition, earlier: readonly RunRow[], now: Date): string | undefined {
  const last = earlier[0];
  if (!last || definition.again.policy === 'always') return undefined;
  if (definition.again.policy === 'once') return 'once only';
  if (definition.again.policy === 'once_per_key') return 'once only for the same thing';
  const days = definition.again.days ?? 0;
  const free = addDays(localDate(last.ended_at ?? now, last.zone), days);
  return localDate(now, last.zone) < free ? `again from ${free} on (${days} days after the last time)` : undefined;
}

/** The zone a customer's dates are counted in. */
export async function customerZone(tx: Tx, customerId: string): Promise<string> {
  const business = await tenantZone(tx);
  const { rows } = await tx.query<PersonPlace>(
    `select c.time_zone, c.country, c.region, c.phone, o.time_zone as company_time_zone, o.country as company_country, o.region as company_region
     from customer c left join company o on o.tenant_id = c.tenant_id and o.id = c.company_id where c.tenant_id = $1 and c.id = $2`,
    [tx.tenantId, customerId],
  );
  return rows[0] ? zoneOf(rows[0], business) : business;
}

/** Moves a run on from where it stands, as far as it goes without waiting. The caller holds its row. */
export async function proceed(
  ports: SequencePorts,
  tx: Tx,
  run: RunRow,
  definition: Definition,
  now: Date,
): Promise<void> {
  for (let count = 0; count < MAX_STEPS_AT_ONCE; count++) {
    const step = stepOf(definition, run.step_id);
    const outcome = await stand(ports, tx, run, definition, step, now);
    if (outcome === undefined) {
      await saveRun(tx, run, now);
      return;
    }
    if (await moveOn(tx, run, definition, outcome.outcome, outcome.detail ?? null, now)) return;
  }
  throw new Error(`Run ${run.id} did not come to rest within ${MAX_STEPS_AT_ONCE} steps.`);
}

/** What the step makes of the moment: an outcome to go on with, or undefined while it waits. */
async function stand(
  ports: SequencePorts,
  tx: Tx,
  run: RunRow,
  definition: Definition,
  step: Step,
  now: Date,
): Promise<{ outcome: string; detail?: string } | undefined> {
  if (run.waiting_for === null) {
    await enterStep(tx, run, now);
    const due = dueOf(step, run, now);
    if (due > now) return wait(run, 'day', due);
  } else if (run.waiting_for === 'answer' || run.waiting_for === 'time') {
    if (run.wake_at === null || run.wake_at > now) return keep(run);
    if (run.waiting_for === 'time') return { outcome: 'waited' };
    await unanswered(ports, tx, run, step, now);
    return { outcome: 'unanswered' };
  } else if (run.waiting_for !== 'day') return keep(run);
  else if (run.wake_at !== null && run.wake_at > now) return keep(run);

  switch (stepKind(step)) {
    case 'message':
    case 'do': {
      const result = await ports.plan(tx, run, definition, step, now);
      return result.planned ? wait(run, 'action', null) : { outcome: 'skipped', detail: result.reason };
    }
    case 'await_answer':
      return wait(run, 'answer', after(now, 'await_answer' in step ? step.await_answer : {}, run.zone));
    case 'wait':
      return wait(
        run,
        'time',
        'wait' in step && !('until' in step.wait || 'until_date' in step.wait) ? after(now, step.wait, run.zone) : now,
      );
    case 'end':
      return { outcome: 'ended' };
    case 'escalate': {
      if (!('escalate' in step)) throw new Error('unreachable');
      const escalation = await openEscalation(tx, run, step, now);
      if (!escalation) return { outcome: 'skipped', detail: 'there is nobody to escalate to' };
      await ports.tellStaff(tx, escalation, now);
      return wait(run, 'escalation', null);
    }
    default:
      throw new Error(`The engine cannot run the step "${step.id}".`);
  }
}

function wait(run: RunRow, waitingFor: string, until: Date | null): undefined {
  run.state = 'waiting';
  run.waiting_for = waitingFor;
  run.wake_at = until;
  return undefined;
}

const keep = (run: RunRow): undefined => wait(run, run.waiting_for!, run.wake_at);

/** Leaves the present step; true when it was the last and the run has ended. */
async function moveOn(
  tx: Tx,
  run: RunRow,
  definition: Definition,
  outcome: string,
  detail: string | null,
  now: Date,
): Promise<boolean> {
  await leaveStep(tx, run, outcome, detail, now);
  const step = stepOf(definition, run.step_id);
  const next = 'end' in step ? undefined : stepAfter(definition, step);
  Object.assign(run, { waiting_for: null, wake_at: null });
  if (next) {
    Object.assign(run, { step_id: next.id, state: 'active' });
    return false;
  }
  const reason = outcome === 'acknowledged' ? 'handed over' : 'reached the end';
  Object.assign(run, { state: 'done', end_reason: reason, ended_at: now });
  await saveRun(tx, run, now);
  await appendEvents(tx, [
    {
      actor: 'system',
      action: 'enrolment.ended',
      subject: { kind: 'enrolment', id: run.id },
      customerId: run.customer_id,
      data: { reason },
      at: now,
    },
  ]);
  return true;
}

/** The reminder counts as unanswered: a fact of its own that may trigger other sequences. */
async function unanswered(ports: SequencePorts, tx: Tx, run: RunRow, step: Step, now: Date): Promise<void> {
  if (run.shadow) return;
  const candidate = {
    businessKey: `${run.id}:${step.id}`,
    subject: { kind: 'enrolment', id: run.id, label: `reminders of step ${step.id}` },
    customerId: run.customer_id,
    occurredOn: localDate(now, run.zone),
    occurredAt: now,
    data: { step: step.id, sequence: run.sequence_id },
    depth: run.depth,
  };
  const listening = (await listTriggers(tx, true)).filter((trigger) => trigger.name === 'reminder.unanswered');
  const since = (await enteredAt(tx, run)) ?? now;
  for (const trigger of listening) {
    const settings = { ...reminderUnanswered.defaults, ...trigger.settings } as { days: number; counts: [] };
    // One that waits longer than the step is found by the clock when its days are over.
    if (waitsUntil(since, run.zone, settings) > candidate.occurredOn) continue;
    const [answered] = await answeredOf(tx, [{ customer_id: run.customer_id, entered_at: since }], settings);
    if (answered) continue;
    await fire(tx, trigger, [candidate], now, (inner, by, occurrences, at) =>
      startRuns(ports, inner, by, occurrences, at),
    );
  }
}

/**
 * An action of a step came to its end: the run goes on. What comes late, after the run moved on or ended, changes nothing.
 */
export async function actionEnded(
  ports: SequencePorts,
  tx: Tx,
  action: { runId: string; stepId: string; visit: number; outcome: string; detail: string | null },
  now: Date,
): Promise<void> {
  const run = await lockRun(tx, action.runId);
  if (
    run?.state !== 'waiting' ||
    run.waiting_for !== 'action' ||
    run.step_id !== action.stepId ||
    run.visit !== action.visit
  )
    return;
  const definition = await loadDefinition(tx, run.sequence_id, run.version);
  await goOn(ports, tx, run, definition, action.outcome, action.detail, now);
}

/** Leaves the present step with an outcome and goes on as far as possible. The caller holds the run's row. */
export async function goOn(
  ports: SequencePorts,
  tx: Tx,
  run: RunRow,
  definition: Definition,
  outcome: string,
  detail: string | null,
  now: Date,
): Promise<void> {
  if (!(await moveOn(tx, run, definition, outcome, detail, now))) await proceed(ports, tx, run, definition, now);
}
