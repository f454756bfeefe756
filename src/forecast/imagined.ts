import { imaginedRequest } from '../actions/imagined.ts';
import { reachableNow } from '../actions/reach.ts';
import { tasksDone } from '../actions/tasks.ts';
import { requestsOf } from '../actions/wishes.ts';
import { localDate } from '../base/time.ts';
import { Work } from '../sequences/moments.ts';
import type { SequencePorts } from '../sequences/ports.ts';
import type { RunRow } from '../sequences/runs.ts';
import { outcomesOfSteps } from '../sequences/way.ts';
import type { World } from './world.ts';

/** What sequences ask of the actions room, answered without planning anything for real. */
export function imaginedPorts(world: World): SequencePorts {
  const { deps, agenda, travellers } = world;
  return {
    async plan(tx, wishes, now) {
      const { requests, planned } = await requestsOf(tx, wishes, now);
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
    reachable: (tx, asked, now) => reachableNow(deps, tx, asked, now),
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
