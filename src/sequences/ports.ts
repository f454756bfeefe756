import type { Tx } from '../base/database.ts';
import type { EscalationRow } from './escalations.ts';
import type { RunRow } from './runs.ts';
import type { Definition } from './schema.ts';
import type { Step } from './steps.ts';

/** A step of an enrolment that wants something done. */
export interface Wish {
  run: RunRow;
  definition: Definition;
  step: Step;
  /** When it fell due: what is too late for it is judged by this. */
  due: Date;
}

/** Whether something was planned for it; a reason says why nobody can be reached. */
export type Planned = { planned: true } | { planned: false; reason: string };

/** Whether a customer can be reached now. */
export interface ReachQuestion {
  customerId: string;
  channels: readonly string[];
  class: 'marketing' | 'transactional';
  topic: string;
}

/** What sequences ask of the actions room, which lies above them. */
export interface SequencePorts {
  /** Plans what message, survey, action and notice steps do, all at once. @returns what came of each, in order */
  plan(tx: Tx, wishes: readonly Wish[], now: Date): Promise<Planned[]>;
  /** Whether one of the channels can carry a message to each now: an address, a platform, and no objection. */
  reachable(tx: Tx, asked: readonly ReachQuestion[], now: Date): Promise<boolean[]>;
  /** Which of these steps made a task that was done natively. */
  tasksDone(tx: Tx, asked: readonly { runId: string; stepId: string }[]): Promise<boolean[]>;
  /** Cancels what these runs planned and did not yet hand to a platform. */
  cancel(tx: Tx, runIds: readonly string[], reason: string, now: Date): Promise<number>;
  /** Tells the person a level of an escalation is for. */
  tellStaff(tx: Tx, escalation: EscalationRow, now: Date): Promise<void>;
  /** Changes what was told before: somebody has it. */
  tellAcknowledged(tx: Tx, escalation: EscalationRow, now: Date): Promise<void>;
}
