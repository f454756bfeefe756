import { DateTime } from 'luxon';
import type { Static } from 'typebox';
import type { Tx } from '../base/database.ts';
import { zonesOf } from '../model/zones.ts';
import { listHolds } from '../sequences/holds.ts';
import { listRuns, type RunRow } from '../sequences/runs.ts';
import { classOf, type Definition } from '../sequences/schema.ts';
import { findSequence, loadDefinition } from '../sequences/store.ts';
import { stepsOfRun } from '../sequences/way.ts';
import type { Channel } from '../settings/schema.ts';
import { tenantZone } from '../settings/store.ts';
import { listOccurrences } from '../triggers/store.ts';
import { accountOf, notStarted } from './account.ts';
import { loadContexts } from './context.ts';
import type { ActionDeps } from './deps.ts';
import { decideBatch } from './facts.ts';
import type { Freshness } from './freshness.ts';
import { explain, type Verdict } from './gate.ts';
import { imaginedRequest } from './imagined.ts';
import { addressOf, KIND_OF_CHANNEL } from './plan.ts';
import type { Explanation } from './schema.ts';
import { listRequests, type RequestRow } from './store.ts';

/** A gate's verdict as the API shows it. */
export const gateView = ({ gate, verdict }: { gate: string; verdict: Verdict }) => ({
  gate,
  verdict: verdict.kind,
  reason: verdict.kind === 'allow' ? null : verdict.reason,
  detail: verdict.detail,
  until: verdict.kind === 'defer' || verdict.kind === 'hold' ? verdict.until.toISOString() : null,
});

/** Before a real sending the invoices are read again; an explanation does not ask anybody. */
const ASSUMED_FRESH: Freshness = { ok: true, detail: 'The invoices are read again just before sending.' };

/**
 * A request as it would be planned for a step now. It stands where the enrolment stands, so that the gates look at the
 * enrolment and its sequence too.
 */
const imagined = (
  run: RunRow,
  definition: Definition,
  channel: string,
  recipient: string,
  template: string,
  now: Date,
): RequestRow =>
  imaginedRequest(
    {
      run_id: run.id,
      step_id: run.step_id,
      visit: run.visit,
      kind: KIND_OF_CHANNEL[channel as Channel],
      ...{ channel, recipient, topic: definition.topic, customer_id: run.customer_id },
      class: classOf(definition),
      plan: { type: 'message', template, then: [] },
    },
    now,
  );

async function nextOf(
  deps: ActionDeps,
  tx: Tx,
  run: RunRow,
  definition: Definition,
  open: readonly RequestRow[],
  now: Date,
): Promise<{ step: string; verdict: string; gates: ReturnType<typeof gateView>[] } | null> {
  let request = open.find((candidate) => candidate.run_id === run.id);
  let stepId = request?.step_id;
  if (!request) {
    const at = definition.steps.findIndex((step) => step.id === run.step_id);
    const step = definition.steps.slice(at).find((candidate) => 'message' in candidate);
    if (!step || !('message' in step)) return null;
    stepId = step.id;
    const person = (await loadContexts(tx, [run.customer_id], now)).people.get(run.customer_id);
    const channel =
      step.message.channels.find((candidate) => person && addressOf(person, candidate)) ?? step.message.channels[0]!;
    request = imagined(
      run,
      definition,
      channel,
      (person && addressOf(person, channel)) ?? '',
      step.message.template,
      now,
    );
  }
  const [decision] = await decideBatch(deps, tx, [request], now, new Map([[run.customer_id, ASSUMED_FRESH]]));
  return {
    step: stepId ?? '',
    verdict: decision!.verdict.kind,
    gates: explain(decision!.facts).map(gateView),
  };
}

/** The way of an enrolment as far as it was gone at a moment. */
const stepsUntil = (steps: Awaited<ReturnType<typeof stepsOfRun>>, at: Date): typeof steps =>
  steps
    .filter(({ entered_at }) => entered_at <= at)
    .map((step) =>
      step.left_at && step.left_at > at ? { ...step, left_at: null, outcome: null, detail: null } : step,
    );

/**
 * Why a customer got or did not get something, what comes next and when: from stored facts, by the function that also
 * decides about sending. Changes nothing.
 * @param sequence id or key, to look at one sequence only
 * @param at a past moment: what was known then; what came later is left out
 */
export async function explainCustomer(
  deps: ActionDeps,
  tenantId: string,
  customerId: string,
  sequence?: string,
  at?: Date,
): Promise<Static<typeof Explanation>> {
  const now = deps.clock.now();
  return deps.db.rehearse(tenantId, async (tx) => {
    const contexts = await loadContexts(tx, [customerId], now);
    const person = contexts.people.get(customerId)!;
    const only = sequence ? await findSequence(tx, sequence) : undefined;
    const past = at !== undefined && at < now ? at : undefined;
    const asked = { customerId, at: past ?? now, zone: await tenantZone(tx), ...(only ? { sequence: only } : {}) };
    const runs = await listRuns(tx, { customerId, ...(only ? { sequenceId: only.id } : {}), limit: 20 });
    const requests = await listRequests(tx, { customerId, limit: 100 });
    const open = requests.filter((request) => request.state === 'planned' || request.state === 'committed');
    const place = zonesOf(person, await tenantZone(tx));
    const enrolments: Static<typeof Explanation>['enrolments'] = [];
    for (const run of runs.filter(({ started_at }) => started_at <= asked.at)) {
      const definition = await loadDefinition(tx, run.sequence_id, run.version);
      const running = past === undefined && ['active', 'waiting', 'paused'].includes(run.state);
      const waiting = open.find((request) => request.run_id === run.id);
      enrolments.push({
        id: run.id,
        sequence: definition.key,
        state: past && (run.ended_at ?? now) > past ? 'running' : run.state,
        step: run.step_id,
        waitingFor: run.waiting_for,
        nextAt: (waiting?.not_before ?? run.wake_at)?.toISOString() ?? null,
        endReason: (run.ended_at ?? now) > asked.at ? null : run.end_reason,
        steps: stepsUntil(await stepsOfRun(tx, run.id), asked.at),
        next: running ? await nextOf(deps, tx, run, definition, open, now) : null,
      });
    }
    const account = await accountOf(tx, asked);
    const { overdue, invoices } = contexts.of(customerId) as { overdue?: unknown; invoices?: unknown };
    return {
      at: asked.at.toISOString(),
      story: account.map(({ at: moment, text }) => ({ at: moment.toISOString(), text })),
      notStarted: await notStarted(tx, asked),
      customer: { id: person.id, name: person.name, email: person.email, phone: person.phone },
      clock: {
        zones: place.zones,
        from: place.source,
        localTime: DateTime.fromJSDate(now, { zone: place.zones[0]! }).toISO({ suppressMilliseconds: true })!,
      },
      owes: overdue ? { ...(overdue as object), invoices } : null,
      holds: await listHolds(tx, { customerId, openOnly: true, limit: 20 }),
      enrolments,
      occurrences: (await listOccurrences(tx, { customerId, limit: 20 })).map((row) => ({
        trigger: row.trigger_name,
        subject: row.subject_label,
        occurredOn: row.occurred_on,
        outcome: row.outcome,
      })),
      actions: requests
        .filter((request) => !only || runs.some((run) => run.id === request.run_id))
        .filter((request) => (request.ended_at ?? request.updated_at) <= asked.at)
        .slice(0, 30)
        .map((request) => ({
          at: (request.ended_at ?? request.updated_at).toISOString(),
          kind: request.kind,
          channel: request.channel,
          state: request.held ? 'held' : request.state,
          reason: request.reason,
          detail: request.reason_detail,
          url: request.native_url,
        })),
    };
  });
}
