import type { Tx } from '../base/database.ts';
import type { ActionKind } from '../kit/index.ts';
import type { EscalationRow } from '../sequences/escalations.ts';
import type { SequencePorts } from '../sequences/ports.ts';
import { findStaff } from '../sequences/staff.ts';
import type { Channel } from '../settings/schema.ts';
import { addressOf, KIND_OF_CHANNEL, wakeDispatch } from './channels.ts';
import { loadPeople } from './context.ts';
import type { ActionDeps } from './deps.ts';
import { reachableNow } from './reach.ts';
import { insertRequest, type NewRequest, type RequestRow, requestsOfEscalation } from './store.ts';
import { tasksDone } from './tasks.ts';
import { cancelRequests } from './transitions.ts';
import { planWishes } from './wishes.ts';

export { addressOf, KIND_OF_CHANNEL };

/**
 * The next channel of a message whose present channel is closed for this person.
 * @returns whether there was one
 */
export async function planNextChannel(deps: ActionDeps, tx: Tx, request: RequestRow, now: Date): Promise<boolean> {
  if (request.plan.type !== 'message' || request.plan.then.length === 0 || !request.customer_id) return false;
  const person = (await loadPeople(tx, [request.customer_id])).get(request.customer_id);
  const [channel, ...then] = request.plan.then;
  const recipient = person && addressOf(person, channel!);
  if (!recipient) return false;
  const made = await insertRequest(
    tx,
    {
      ...pick(request),
      kind: KIND_OF_CHANNEL[channel as Channel],
      channel: channel!,
      recipient,
      plan: { ...request.plan, then },
      idempotency_key: request.idempotency_key && `${request.idempotency_key}:${channel}`,
    },
    now,
  );
  if (made) await wakeDispatch(deps, tx);
  return made !== undefined;
}

const pick = (request: RequestRow): NewRequest => ({
  kind: request.kind,
  channel: request.channel,
  recipient: request.recipient,
  class: request.class,
  topic: request.topic,
  plan: request.plan,
  run_id: request.run_id,
  step_id: request.step_id,
  visit: request.visit,
  customer_id: request.customer_id,
  stale_after: request.stale_after,
  depth: request.depth,
  created_by: request.created_by,
});

/** A task in the CRM, a chat message with a button, a date in the calendar: what the level's plan says. */
async function tellStaff(deps: ActionDeps, tx: Tx, escalation: EscalationRow, now: Date): Promise<void> {
  const person = escalation.assignee && (await findStaff(tx, escalation.assignee.id));
  if (!person) return;
  const wanted: { what: 'task' | 'chat' | 'calendar'; kind: ActionKind }[] = [
    ...(escalation.plan.task ? [{ what: 'task' as const, kind: 'create_task' as const }] : []),
    ...(escalation.plan.chat ? [{ what: 'chat' as const, kind: 'send_chat' as const }] : []),
    ...(escalation.plan.calendar && escalation.level === 0
      ? [{ what: 'calendar' as const, kind: 'create_calendar_event' as const }]
      : []),
  ];
  for (const { what, kind } of wanted) {
    await insertRequest(
      tx,
      {
        kind,
        channel: what,
        recipient: person.email,
        class: 'internal',
        plan: { type: 'staff', what, staffId: person.id, level: escalation.level },
        escalation_id: escalation.id,
        step_id: escalation.step_id,
        visit: escalation.level + 1,
        customer_id: escalation.customer_id,
        priority: 5,
        created_by: `escalation:${escalation.id}`,
      },
      now,
    );
  }
  await wakeDispatch(deps, tx);
}

/** Replaces the chat messages with "somebody has it", without the button. */
async function tellAcknowledged(deps: ActionDeps, tx: Tx, escalation: EscalationRow, now: Date): Promise<void> {
  const told = (await requestsOfEscalation(tx, escalation.id)).filter(
    (request) =>
      request.plan.type === 'staff' && request.plan.what === 'chat' && request.state === 'sent' && request.native_id,
  );
  for (const request of told) {
    if (request.plan.type !== 'staff') continue;
    await insertRequest(
      tx,
      {
        kind: 'send_chat',
        channel: 'acknowledged',
        recipient: request.recipient,
        class: 'internal',
        plan: { ...request.plan, what: 'acknowledged', replaces: request.native_id! },
        escalation_id: escalation.id,
        step_id: request.step_id,
        visit: request.visit,
        customer_id: request.customer_id,
        connection_id: request.connection_id,
        priority: 5,
        created_by: request.created_by,
      },
      now,
    );
  }
  if (told.length > 0) await wakeDispatch(deps, tx);
}

/** The actions' side of the sequences' wishes. `deps` is read late: the two rooms need each other's functions. */
export function sequencePorts(deps: () => ActionDeps): SequencePorts {
  return {
    plan: (tx, wishes, now) => planWishes(deps(), tx, wishes, now),
    reachable: (tx, asked, now) => reachableNow(deps(), tx, asked, now),
    tasksDone,
    cancel: async (tx, runIds, reason, now) =>
      (await cancelRequests(tx, { runIds, reason, detail: 'The enrolment ended before it went out.' }, now)).length,
    tellStaff: (tx, escalation, now) => tellStaff(deps(), tx, escalation, now),
    tellAcknowledged: (tx, escalation, now) => tellAcknowledged(deps(), tx, escalation, now),
  };
}
