import { DateTime } from 'luxon';
import type { AuditRow } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { instantOf } from '../base/time.ts';
import { triggerDefinition } from '../triggers/catalogue.ts';
import { listTriggers, type OccurrenceRow } from '../triggers/store.ts';
import { tryTrigger } from '../triggers/trial.ts';
import {
  ACCOUNTED,
  type Line,
  lineOfAction,
  lineOfConsent,
  lineOfEvent,
  lineOfOccurrence,
  lineOfStep,
} from './account.words.ts';

/** What an account is asked about. */
export interface Accounting {
  customerId: string;
  /** One sequence only. */
  sequence?: { id: string; key: string; title: string } | undefined;
  /** What was known at this moment; what came later is left out. */
  at: Date;
  zone: string;
}

/** Lines of each kind that are read, newest first. */
const MOST = 200;

/**
 * What happened to a customer up to a moment, oldest first, in sentences: what triggers noticed and what came of it, the
 * steps gone and why, what went out, waited or was left out, and what people and the customer did about it.
 */
export async function accountOf(tx: Tx, asked: Accounting): Promise<Line[]> {
  const lines = [
    ...(await occurrences(tx, asked)),
    ...(await steps(tx, asked)),
    ...(await actions(tx, asked)),
    ...(await consents(tx, asked)),
    ...(await events(tx, asked)),
  ];
  return lines.sort((a, b) => a.at.getTime() - b.at.getTime());
}

async function occurrences(tx: Tx, { customerId, sequence, at }: Accounting): Promise<Line[]> {
  const { rows } = await tx.query<OccurrenceRow & { sequence: string | null }>(
    `select o.trigger_name, o.subject_label, o.occurred_on, o.detected_at, o.outcome, s.title as sequence from occurrence o
       left join trigger t on t.tenant_id = o.tenant_id and t.id = o.trigger_id left join sequence s on s.tenant_id = t.tenant_id and s.id = t.sequence_id
     where o.tenant_id = $1 and o.customer_id = $2 and o.detected_at <= $3 and ($4::uuid is null or t.sequence_id = $4) order by o.id desc limit $5`,
    [tx.tenantId, customerId, at, sequence?.id ?? null, MOST],
  );
  return rows.map(lineOfOccurrence);
}

async function steps(tx: Tx, { customerId, sequence, at }: Accounting): Promise<Line[]> {
  const { rows } = await tx.query<Parameters<typeof lineOfStep>[0]>(
    `select q.title as sequence, s.step_id, s.entered_at, s.left_at, s.outcome, s.detail, r.shadow from run r
       join run_step s on s.tenant_id = r.tenant_id and s.run_id = r.id join sequence q on q.tenant_id = r.tenant_id and q.id = r.sequence_id
     where r.tenant_id = $1 and r.customer_id = $2 and s.entered_at <= $3 and ($4::uuid is null or r.sequence_id = $4) order by s.entered_at desc limit $5`,
    [tx.tenantId, customerId, at, sequence?.id ?? null, MOST],
  );
  return rows.flatMap((row) => lineOfStep(row, at) ?? []);
}

async function actions(tx: Tx, { customerId, sequence, at }: Accounting): Promise<Line[]> {
  const { rows } = await tx.query<Parameters<typeof lineOfAction>[0]>(
    `select a.kind, a.channel, a.class, a.state, a.reason, a.reason_detail as detail, a.step_id, a.created_at, a.ended_at, a.updated_at, a.held, a.not_before, q.title as sequence
     from action_request a left join escalation e on e.tenant_id = a.tenant_id and e.id = a.escalation_id
       left join run r on r.tenant_id = a.tenant_id and r.id = coalesce(a.run_id, e.run_id) left join sequence q on q.tenant_id = r.tenant_id and q.id = r.sequence_id
     where a.tenant_id = $1 and a.customer_id = $2 and a.created_at <= $3 and ($4::uuid is null or r.sequence_id = $4) order by a.id desc limit $5`,
    [tx.tenantId, customerId, at, sequence?.id ?? null, MOST],
  );
  return rows.flatMap((row) => lineOfAction(row, at) ?? []);
}

async function consents(tx: Tx, { customerId, at }: Accounting): Promise<Line[]> {
  const { rows } = await tx.query<Parameters<typeof lineOfConsent>[0]>(
    `select channel, topic, class, state, basis, source, recorded_at from consent_event
     where tenant_id = $1 and customer_id = $2 and recorded_at <= $3 order by id desc limit $4`,
    [tx.tenantId, customerId, at, MOST],
  );
  return rows.map(lineOfConsent);
}

/** What people did with the sequence, its enrolments, switches, and the customer; what the steps say themselves is left out. */
async function events(tx: Tx, { customerId, sequence, at }: Accounting): Promise<Line[]> {
  const { rows } = await tx.query<Pick<AuditRow, 'actor' | 'action' | 'data' | 'at'> & { sequence: string | null }>(
    `select e.actor, e.action, e.data, e.at, s.title as sequence from audit_event e
       left join sequence s on s.tenant_id = e.tenant_id and s.id::text = e.subject_id and e.subject_kind = 'sequence'
     where e.tenant_id = $1 and e.at <= $3 and e.action = any($5)
       and (e.customer_id = $2 or (e.customer_id is null and (e.subject_kind = 'kill_switch' or (e.subject_kind = 'sequence' and ($4::text is null or e.subject_id = $4)))))
     order by e.id desc limit $6`,
    [tx.tenantId, customerId, at, sequence?.id ?? null, ACCOUNTED, MOST],
  );
  return rows.flatMap((row) => lineOfEvent(row) ?? []);
}

/** A trigger that started nothing for the customer, and why. */
export interface NotStarted {
  trigger: string;
  why: string;
}

/**
 * Why triggers of a sequence started nothing for a customer up to a moment: there was nothing to notice, it happened
 * before the trigger was switched on or came with the first load, or somebody is being asked about it.
 * For a rehearsal: what is derived of the customer is derived anew.
 */
export async function notStarted(tx: Tx, { customerId, sequence, at, zone }: Accounting): Promise<NotStarted[]> {
  const found: NotStarted[] = [];
  for (const trigger of await listTriggers(tx)) {
    if (!trigger.sequence_id || (sequence && trigger.sequence_id !== sequence.id)) continue;
    const { rows } = await tx.query<{ n: number }>(
      `select count(*)::int as n from occurrence where tenant_id = $1 and trigger_id = $2 and customer_id = $3 and detected_at <= $4`,
      [tx.tenantId, trigger.id, customerId, at],
    );
    if (rows[0]!.n > 0) continue;
    found.push({ trigger: trigger.name, why: await whyNot(tx, trigger, customerId, at, zone) });
  }
  return found;
}

async function whyNot(
  tx: Tx,
  trigger: Awaited<ReturnType<typeof listTriggers>>[number],
  customerId: string,
  at: Date,
  zone: string,
): Promise<string> {
  const day = (moment: Date): string => DateTime.fromJSDate(moment, { zone }).toFormat('d LLLL yyyy');
  if (trigger.name === 'manual') return 'Nobody started it for this customer by hand.';
  if (trigger.problem) return `It could not be looked for: ${trigger.problem}.`;
  const on = trigger.enabled_at;
  if (!trigger.enabled || !on) return 'It is switched off.';
  if (on > at) return `It was switched on only on ${day(on)}.`;
  const { found, source } = await tryTrigger(tx, trigger, customerId, 12, at);
  const last = found.at(-1);
  if (!last)
    return source === 'none'
      ? 'People and sequences start this one themselves, and nobody did.'
      : `There was nothing to notice about this customer in the last 12 months. ${triggerDefinition(trigger.name).arms}`;
  const date = day(instantOf(last.occurredOn, '12:00', zone));
  if (last.occurredAt < on)
    return `It would have fired on ${date}, but it counts only from ${day(on)} on, when it was switched on.`;
  return `It would have fired on ${date} by what is known now. When that became known it was history already (a first load, or a fact that came late), and history starts nothing.`;
}
