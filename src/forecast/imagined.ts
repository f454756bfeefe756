import { imaginedRequest } from '../actions/imagined.ts';
import { reachableNow } from '../actions/reach.ts';
import { tasksDone } from '../actions/tasks.ts';
import { requestsOf } from '../actions/wishes.ts';
import { localDate } from '../base/time.ts';
import { Work } from '../sequences/moments.ts';
import type { ReachQuestion, SequencePorts } from '../sequences/ports.ts';
import type { RunRow } from '../sequences/runs.ts';
import { outcomesOfSteps } from '../sequences/way.ts';
import type { World } from './world.ts';

/** What sequences ask of the actions room, answered without planning anything for real. */
export function imaginedPorts(world: World): SequencePorts {
  const { agenda, travellers } = world;
  return {
    async plan(tx, wishes, now) {
      const { requests, planned } = await requestsOf(tx, wishes, now, world.people);
      for (const request of requests) {
        const traveller = travellers.get(request.run_id ?? '');
        agenda.add(request.not_before ?? now, {
          kind: 'request',
          request: imaginedRequest(
            { ...request, topic: request.topic ?? null, customer_id: request.customer_id ?? null },
            now,
          ),
          traveller,
        });
      }
      return planned;
    },
    reachable: (_tx, asked, now) => reachable(world, asked, now),
    tasksDone,
    cancel: async () => 0,
    async tellStaff(_tx, escalation, now) {
      const traveller = travellers.get(escalation.run_id ?? '');
      if (!traveller) return;
      if (escalation.next_at) agenda.add(escalation.next_at, { kind: 'escalation', escalation, traveller });
      const { task, chat, calendar } = escalation.plan;
      const kinds = [
        ...(task ? [['task', 'create_task'] as const] : []),
        ...(chat ? [['chat', 'send_chat'] as const] : []),
        ...(calendar && escalation.level === 0 ? [['calendar', 'create_calendar_event'] as const] : []),
      ];
      for (const [channel, kind] of kinds)
        world.internal.push({
          ...{ at: now, on: localDate(now, traveller.run.zone), customerId: escalation.customer_id, channel, kind },
          ...{ sequence: traveller.key, runId: traveller.run.id, step: escalation.step_id, class: 'internal' },
        });
    },
    tellAcknowledged: async () => {},
  };
}

const MONTH_MS = 30 * 86_400_000;

/**
 * Whether customers can be reached, asked for everybody at once and kept for a month of the look ahead: addresses and
 * objections stay as they are, but consents expire.
 */
async function reachable(world: World, asked: readonly ReachQuestion[], now: Date): Promise<boolean[]> {
  const found: boolean[] = [];
  for (const { customerId, ...question } of asked) {
    const key = `${JSON.stringify(question)} ${Math.floor(now.getTime() / MONTH_MS)}`;
    let those = world.reach.get(key);
    if (!those) {
      const everybody = [...world.people.keys()];
      const questions = everybody.map((id) => ({ customerId: id, ...question }));
      const answers = await reachableNow(world.deps, world.tx, questions, now);
      those = new Set(everybody.filter((_, at) => answers[at]));
      world.reach.set(key, those);
    }
    found.push(those.has(customerId));
  }
  return found;
}

/** Moves runs on in memory: what the engine would write is noted where the look ahead asks for it, and nowhere else. */
export class ImaginedWork extends Work {
  readonly #world: World;

  constructor(world: World, ports: SequencePorts, now: Date) {
    super(ports, world.tx, now);
    this.#world = world;
  }

  override enter(run: RunRow): void {
    run.entered_at = this.now;
    this.#world.witness.entered?.(run, this.now);
  }

  override leave(run: RunRow, outcome: string, detail: string | null): void {
    this.#world.outcomes.set(`${run.id} ${run.step_id}`, outcome);
    this.#world.witness.left?.(run, outcome, detail, this.now);
  }

  override pass(): void {}
  override save(): void {}
  override tell(): void {}
  override async flush(): Promise<void> {}

  override async outcomes(asked: readonly { runId: string; stepId: string }[]): Promise<(string | undefined)[]> {
    const known = asked.map(({ runId, stepId }) => this.#world.outcomes.get(`${runId} ${stepId}`));
    if (known.every((outcome) => outcome !== undefined)) return known;
    const stored = await outcomesOfSteps(this.tx, asked);
    return known.map((outcome, at) => outcome ?? stored[at]);
  }
}
