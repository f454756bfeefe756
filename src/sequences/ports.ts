import type { Tx } from '../base/database.ts';
import type { EscalationRow } from './escalations.ts';
import type { RunRow } from './runs.ts';
import type { Definition } from './schema.ts';
import type { Step } from './steps.ts';

/** What sequences ask of the actions room, which lies above them. */
export interface SequencePorts {
  /** Plans what a message or action step does. `planned: false` means nobody can be reached, with the reason. */
  plan(
    tx: Tx,
    run: RunRow,
    definition: Definition,
    step: Step,
    now: Date,
  ): Promise<{ planned: true } | { planned: false; reason: string }>;
  /** Cancels what these runs planned and did not yet hand to a platform. */
  cancel(tx: Tx, runIds: readonly string[], reason: string, now: Date): Promise<number>;
  /** Tells the person a level of an escalation is for. */
  tellStaff(tx: Tx, escalation: EscalationRow, now: Date): Promise<void>;
  /** Changes what was told before: somebody has it. */
  tellAcknowledged(tx: Tx, escalation: EscalationRow, now: Date): Promise<void>;
}
