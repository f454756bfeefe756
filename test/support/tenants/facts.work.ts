import { newId } from '../../../src/base/ids.ts';
import type { Row } from './catalog.ts';
import { definitionOf, type Facts, type Flavour, type Ids, LONG_AGO } from './facts.ts';

/** Triggers, sequences, enrolments and what they made of it. */
export function workFacts(ids: Ids, { mark, due, days }: Flavour): Facts {
  const armed = { sequence_id: ids.sequence, enabled: true, enabled_at: LONG_AGO, checked_on: '2026-02-25' };
  const enrolled = {
    sequence_id: ids.sequence,
    version: 1,
    business_key: 'customer',
    step_id: 'friendly',
    zone: 'America/New_York',
  };
  const request = {
    kind: 'send_email',
    channel: 'email',
    class: 'marketing',
    topic: 'invoices',
    customer_id: ids.customer,
    connection_id: ids.connection,
    plan: { type: 'message', template: 'chase', then: ['sms'] },
  };
  const asked = (id: string, state: string, more: Row = {}): Row => ({
    id,
    ...request,
    state,
    recipient: 'ann@example.com',
    idempotency_key: `key-${state}`,
    native_id: `native-${state}`,
    updated_at: due,
    not_before: due,
    ...more,
  });
  const found = {
    id: ids.occurrence,
    trigger_id: ids.trigger,
    trigger_name: 'invoice.overdue',
    business_key: 'b-1',
    subject_kind: 'invoice',
    customer_id: ids.customer,
  };
  // What it is about is not as it was any more.
  const voided = {
    ...found,
    id: newId(),
    business_key: 'b-2-voided',
    subject_id: ids.invoice,
    run_id: ids.run,
    data: { mark, fact: { kind: 'invoice', field: 'status', operator: 'equals', values: ['no such'], lasting: true } },
  };
  const step = { run_id: ids.run, step_id: 'friendly', visit: 1 };
  const shadowRun = newId();
  return {
    sequence: [
      { id: ids.sequence, key: 'chase', state: 'active', active_version: 1, latest_version: 1, playbook: null },
    ],
    sequence_version: [
      { sequence_id: ids.sequence, number: 1, definition: definitionOf('chase', `${mark}-definition`) },
    ],
    trigger: [
      { id: ids.trigger, name: 'invoice.overdue', settings: { days }, ...armed },
      { id: ids.paidTrigger, name: 'invoice.paid', settings: {}, ...armed },
    ],
    occurrence: [found, { ...found, id: newId(), business_key: 'b-0' }, voided],
    run: [
      {
        id: ids.run,
        ...enrolled,
        customer_id: ids.customer,
        ordinal: 1,
        state: 'waiting',
        wake_at: due,
        waiting_for: 'action',
      },
      { id: ids.pausedRun, ...enrolled, customer_id: ids.customer2, ordinal: 1, state: 'paused', waiting_for: 'time' },
      {
        ...{
          id: shadowRun,
          ...enrolled,
          customer_id: ids.customer2,
          ordinal: 1,
          state: 'waiting',
          waiting_for: 'time',
        },
        ...{ business_key: 'in-shadow', shadow: true },
      },
    ],
    run_step: [step, { ...step, step_id: 'people', left_at: LONG_AGO, outcome: `${mark}-outcome` }],
    action_request: [
      asked(ids.planned, 'planned', { ...step, reason: 'kill_switch' }),
      asked(ids.committed, 'committed', { ...step, visit: 2, content: { text: mark } }),
      asked(ids.sending, 'sending', { lease_owner: 'worker', lease_until: LONG_AGO, attempts: 1 }),
      asked(ids.unknown, 'unknown', { attempts: 1 }),
      asked(ids.sent, 'sent', {
        kind: 'send_chat',
        channel: 'chat',
        class: 'internal',
        escalation_id: ids.escalation,
        step_id: 'people',
        visit: 1,
        plan: { type: 'staff', what: 'chat', staffId: ids.staff, level: 0 },
        native_state: 'COMPLETED',
      }),
      asked(newId(), 'skipped', {
        ...{ idempotency_key: 'key-shadow', reason: 'shadow', run_id: shadowRun, step_id: 'friendly', visit: 1 },
        ...{ content: { subject: mark }, ended_at: due },
      }),
      asked(newId(), 'sent', {
        ...{ idempotency_key: 'key-told', native_id: 'native-told', created_by: 'consent:opt-out' },
        ...{ kind: 'send_email', channel: 'email', class: 'transactional', content: { subject: mark } },
      }),
    ],
    action_attempt: [{ request_id: ids.sending, number: 1 }],
    escalation: [
      {
        id: ids.escalation,
        run_id: ids.run,
        customer_id: ids.customer,
        step_id: 'people',
        plan: definitionOf('chase', mark).steps[1]!.escalate!,
        level: 0,
        assignee: { id: ids.staff, name: mark, email: 'olga@example.com', who: 'owner' },
        state: 'open',
        next_at: due,
      },
    ],
    receivable_hold: [
      {
        id: ids.hold,
        customer_id: ids.customer,
        kind: 'dispute',
        until_on: '2026-06-01',
        amount: 60,
        promised_on: null,
      },
    ],
  };
}
