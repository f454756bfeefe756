import type { AuditEntry } from '../audit/schema.ts';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import type { SequencePorts, Wish } from './ports.ts';
import { type RunRow, saveRuns } from './runs.ts';
import type { Definition } from './schema.ts';
import { noteSteps, outcomesOfSteps, type StepNote } from './way.ts';

/** A run with the version it follows. */
export interface Journey {
  run: RunRow;
  definition: Definition;
}

/** A run at a step, and when the step fell due. */
export type Moment = Wish;

/** What a step makes of the moment: it waits, or it goes on with an outcome. */
export type Stand =
  | { waits: string; until: Date | null }
  | {
      outcome: string;
      detail?: string | undefined;
      /** Where it goes on, when not where the step says. */
      to?: string | undefined;
      /** Ends the enrolment here, with a reason. */
      ends?: string;
      /** What begins when it has ended. */
      then?: { restart: true } | { handOver: string };
    };

/**
 * What moving runs on writes, gathered so that a batch costs as many statements as one run does. What reads it back from
 * the database within the same pass asks for `flush` first.
 */
export class Work {
  readonly ports: SequencePorts;
  readonly tx: Tx;
  readonly now: Date;
  /** Steps customers took today, as far as it was asked. */
  readonly spent = new Map<string, number>();
  readonly #notes = new Map<string, StepNote>();
  readonly #saves = new Map<string, RunRow>();
  readonly #events: AuditEntry[] = [];

  constructor(ports: SequencePorts, tx: Tx, now: Date) {
    this.ports = ports;
    this.tx = tx;
    this.now = now;
  }

  #note(run: RunRow): StepNote {
    const key = `${run.id} ${run.step_id} ${run.visit}`;
    const known = this.#notes.get(key);
    if (known) return known;
    const note: StepNote = {
      ...{ run_id: run.id, step_id: run.step_id, visit: run.visit },
      entered_at: run.entered_at ?? this.now,
      ...{ left_at: null, outcome: null, detail: null },
    };
    this.#notes.set(key, note);
    return note;
  }

  /** The run enters the step it stands at. */
  enter(run: RunRow): void {
    run.entered_at = this.now;
    this.#note(run);
  }

  /** The run leaves the step it stands at. */
  leave(run: RunRow, outcome: string, detail: string | null): void {
    Object.assign(this.#note(run), { left_at: this.now, outcome, detail });
  }

  /** Steps left out on the way somewhere else. */
  pass(run: RunRow, stepId: string, outcome: string, detail: string | null): void {
    this.#notes.set(`${run.id} ${stepId} 1`, {
      ...{ run_id: run.id, step_id: stepId, visit: 1, entered_at: this.now, left_at: this.now, outcome, detail },
    });
  }

  save(run: RunRow): void {
    this.#saves.set(run.id, run);
  }

  tell(event: AuditEntry): void {
    this.#events.push(event);
  }

  /** What came of the last visits of steps, those of this very pass included; undefined where one was not left yet. */
  async outcomes(asked: readonly { runId: string; stepId: string }[]): Promise<(string | undefined)[]> {
    await this.flush();
    return outcomesOfSteps(this.tx, asked);
  }

  async flush(): Promise<void> {
    await noteSteps(this.tx, [...this.#notes.values()]);
    await saveRuns(this.tx, [...this.#saves.values()], this.now);
    await appendEvents(this.tx, this.#events);
    this.#notes.clear();
    this.#saves.clear();
    this.#events.length = 0;
  }
}
