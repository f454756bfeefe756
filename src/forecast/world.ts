import type { Person } from '../actions/context.ts';
import type { ActionDeps } from '../actions/deps.ts';
import type { Decision } from '../actions/facts.ts';
import type { RequestRow } from '../actions/store.ts';
import type { Tx } from '../base/database.ts';
import type { LocalDate } from '../base/time.ts';
import type { EscalationRow } from '../sequences/escalations.ts';
import type { RunRow } from '../sequences/runs.ts';
import type { Definition } from '../sequences/schema.ts';
import type { SequenceRow } from '../sequences/store.ts';
import type { Agenda } from './queue.ts';

/** A sequence as it is looked ahead with: the version new enrolments get. */
export interface Plan {
  sequence: Pick<SequenceRow, 'id' | 'key' | 'title' | 'state'>;
  version: number;
  definition: Definition;
}

/** An enrolment as it is imagined: it begins as a copy of what is stored. */
export interface Traveller {
  run: RunRow;
  definition: Definition;
  key: string;
  sequenceState: SequenceRow['state'];
  /** It stands where only somebody can let it go on, and why. */
  stuck?: string;
}

/** Somebody who will enter a sequence at a moment, as far as its rules let them. */
export interface Arrival {
  plan: Plan;
  customerId: string;
  businessKey: string;
  cause: Record<string, unknown>;
  depth: number;
  /** Day 0, when it is not the day it comes, and where it begins, when not at the first step. */
  startOn?: LocalDate;
  stepId?: string;
  campaignId?: string;
  /** Enters whatever the rules say. */
  forced?: boolean;
}

/** What will happen at a moment. */
export type Turn =
  | { kind: 'arrival'; arrival: Arrival }
  | { kind: 'wake'; traveller: Traveller; at: number }
  | { kind: 'request'; request: RequestRow; traveller: Traveller | undefined }
  | { kind: 'escalation'; escalation: EscalationRow; traveller: Traveller };

/** A message that will go out. */
export interface Coming {
  at: Date;
  /** The customer's local date. */
  on: LocalDate;
  customerId: string;
  sequence: string;
  runId: string;
  step: string;
  channel: string;
  class: string;
  kind: string;
}

/** Who wants to know more than what goes out: everything that is decided on the way. */
export interface Witness {
  decided?(traveller: Traveller | undefined, decision: Decision, at: Date): void;
  left?(run: RunRow, outcome: string, detail: string | null, at: Date): void;
  entered?(run: RunRow, at: Date): void;
}

/** Everything a look ahead knows and finds. */
export interface World {
  deps: ActionDeps;
  tx: Tx;
  zone: string;
  /** By id and by key. */
  plans: Map<string, Plan>;
  agenda: Agenda<Turn>;
  travellers: Map<string, Traveller>;
  /** Enrolments of a customer in a sequence, newest first: stored ones and imagined ones. */
  stays: Map<string, RunRow[]>;
  /** What came of steps on the way, by `run step`. */
  outcomes: Map<string, string>;
  coming: Coming[];
  /** Tasks, notices and other things for staff. */
  internal: Coming[];
  held: Map<string, { traveller: Traveller; step: string; reason: string; detail: string; at: Date }>;
  witness: Witness;
  /** What is held is taken as settled, to see what would come after it. */
  settlesHolds: boolean;
  /** What is done natively goes through the gate too. */
  exact: boolean;
  /** Who can be reached, by question. */
  reach: Map<string, Set<string>>;
  /** Everybody it is about. */
  people: Map<string, Person>;
}

export const stayKey = (sequenceId: string, customerId: string): string => `${sequenceId} ${customerId}`;
