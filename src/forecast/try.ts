import { DateTime } from 'luxon';
import type { Static } from 'typebox';
import type { ActionDeps } from '../actions/deps.ts';
import { gateView } from '../actions/explain.ts';
import { explain } from '../actions/gate.ts';
import type { Tx } from '../base/database.ts';
import { addDays, daysBetween, instantOf, type LocalDate, localDate } from '../base/time.ts';
import { thoseWho } from '../sequences/conditions.ts';
import { stepOf } from '../sequences/graph.ts';
import { RUNNING, runsOfSequence } from '../sequences/runs.ts';
import type { Definition } from '../sequences/schema.ts';
import { refusalOf, zonesOfCustomers } from '../sequences/starting.ts';
import { stepKind } from '../sequences/steps.ts';
import type { SequenceRow } from '../sequences/store.ts';
import { Days } from './deciding.ts';
import { expect, loadWorld } from './load.ts';
import type { Tried, TryStep } from './schema.ts';
import { ASSUMED } from './summary.ts';
import { walk } from './walk.ts';
import type { Traveller, Witness, World } from './world.ts';

type StepView = Static<typeof TryStep>;

/** What is tried on whom. */
export interface Trying {
  sequence: SequenceRow;
  definition: Definition;
  customer: { id: string; name: string | null };
  /** The customer's day it begins on; the present moment when absent. */
  from?: LocalDate | undefined;
  days: number;
}

/** An enrolment key nobody has. */
const KEY = 'try';

/**
 * What a sequence would do with a customer from a day on: every step with its date, texts, the verdict of every gate at
 * that moment, the ways taken and why. By the engine's own steps and the gate's own decisions, in a rehearsal: nothing is
 * kept and nothing goes out.
 */
export async function tryOn(deps: ActionDeps, tenantId: string, trying: Trying): Promise<Static<typeof Tried>> {
  const now = deps.clock.now();
  const { sequence, definition, customer, from, days } = trying;
  return deps.db.rehearse(tenantId, async (tx) => {
    const way = new Way(definition);
    const looking = { now, customers: [customer.id], draft: { sequence, definition }, witness: way };
    const world = await loadWorld(deps, tx, { ...looking, settlesHolds: true, exact: true });
    const plan = world.plans.get(sequence.id)!;
    const arrival = { plan, customerId: customer.id, businessKey: KEY, cause: {}, depth: 0, forced: true };
    const zone = (await zonesOfCustomers(tx, [customer.id])).get(customer.id)!;
    const begins = from ? instantOf(from, '00:00', zone) : now;
    await expect(world, [{ at: begins > now ? begins : now, arrival }]);
    const start = localDate(begins > now ? begins : now, zone);
    await walk(world, new Days(world), instantOf(addDays(start, days + 1), '00:00', zone));
    return {
      ...{ customer: { id: customer.id, name: customer.name }, sequence: definition.key, zone, startOn: start },
      ...{ steps: way.steps(zone), ends: endOf(world) },
      notes: await notesOf(tx, trying, now),
      assumed: [
        ...ASSUMED,
        'What is held (a value that is missing, something switched off) is taken as settled, to show what would follow.',
        'What a trigger tells is not known here: tests about it do not hold.',
      ],
    };
  });
}

/** Why the last round ended, or null while it goes on. */
function endOf({ travellers }: World): string | null {
  const last = [...travellers.values()].findLast(({ run }) => run.business_key === KEY)?.run;
  return last && !RUNNING.includes(last.state) ? last.end_reason : null;
}

/** Why this customer would not enter it now for real. */
async function notesOf(tx: Tx, { sequence, definition, customer }: Trying, now: Date): Promise<string[]> {
  const own = (await runsOfSequence(tx, sequence.id, [customer.id])).filter(({ shadow }) => !shadow);
  const inside =
    definition.audience === undefined || (await thoseWho(tx, definition.audience, [customer.id], now)).has(customer.id);
  const refusal = refusalOf(definition, own, now);
  return [
    ...(sequence.state === 'active' ? [] : [`The sequence is ${sequence.state}: nobody enters it.`]),
    ...(sequence.mode === 'shadow' ? ['The sequence is in shadow: nothing of it goes out.'] : []),
    ...(inside ? [] : ['The customer is not in its audience.']),
    ...(own.some(({ state }) => RUNNING.includes(state)) ? ['The customer is in it already.'] : []),
    ...(refusal ? [`The customer would be refused: ${refusal}.`] : []),
  ];
}

/** Writes down the way of the enrolment that is tried; others of the customer only count for its caps. */
class Way implements Required<Witness> {
  readonly #definition: Definition;
  readonly #steps: (Omit<StepView, 'day' | 'messages'> & { on: Date; run: string; messages: Message[] })[] = [];
  readonly #moved = new Map<string, string>();

  constructor(definition: Definition) {
    this.#definition = definition;
  }

  entered: NonNullable<Witness['entered']> = (run, at) => {
    if (run.business_key !== KEY) return;
    const step = stepOf(this.#definition, run.step_id);
    this.#steps.push({
      ...{ step: step.id, title: step.title ?? null, kind: stepKind(step), reachedAt: at.toISOString(), leftAt: null },
      ...{ outcome: null, why: null, messages: [], on: at, run: run.id },
    });
  };

  left: NonNullable<Witness['left']> = (run, outcome, detail, at) => {
    if (run.business_key !== KEY) return;
    const open = this.#steps.findLast(({ step, run: id, leftAt }) => step === run.step_id && id === run.id && !leftAt);
    if (open) Object.assign(open, { leftAt: at.toISOString(), outcome, why: detail });
  };

  decided: NonNullable<Witness['decided']> = (traveller, decision, at) => {
    const open = traveller && this.#open(traveller, decision.request.step_id);
    if (!open) return;
    const { verdict, request, facts, content } = decision;
    const place = `${request.run_id} ${request.step_id} ${request.visit} ${request.channel}`;
    // One that waits is told once, when it has waited: with what moved it.
    if (verdict.kind === 'defer') {
      this.#moved.set(place, `${verdict.reason}: ${verdict.detail}`);
      return;
    }
    open.messages.push({
      ...{ when: at, kind: request.kind, channel: request.channel, recipient: request.recipient },
      ...{ verdict: verdict.kind, why: verdict.detail, movedBy: this.#moved.get(place) ?? null },
      ...{ content: content ?? null, gates: explain(facts).map(gateView) },
    });
  };

  #open({ run }: Traveller, stepId: string | null) {
    return run.business_key === KEY
      ? this.#steps.findLast(({ step, run: id }) => step === stepId && id === run.id)
      : undefined;
  }

  steps(zone: string): StepView[] {
    const first = this.#steps[0]?.on;
    return this.#steps.map(({ on, run: _run, messages, ...step }) => ({
      ...step,
      day: first
        ? daysBetween(localDate(first, zone), localDate(messages[0]?.when ?? new Date(step.leftAt ?? on), zone))
        : 0,
      messages: messages.map(({ when, ...message }) => ({
        at: when.toISOString(),
        localTime: DateTime.fromJSDate(when, { zone }).toFormat('yyyy-MM-dd HH:mm ZZZZ'),
        ...message,
      })),
    }));
  }
}

type Message = Omit<StepView['messages'][number], 'at' | 'localTime'> & { when: Date };
