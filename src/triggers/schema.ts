import { type Static, type TObject, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Tx } from '../base/database.ts';
import type { LocalDate } from '../base/time.ts';
import type { EntityKind } from '../kit/index.ts';
import type { Change, ChangeKind } from '../model/types.ts';
import type { Operator } from './match.ts';

/**
 * What must stay true for what an occurrence started to go on: kept with it, looked at again whenever its subject
 * changes and before every action.
 */
export interface Fact {
  /** Of the subject. */
  kind: EntityKind;
  field: string;
  operator: Operator;
  values: string[];
  /**
   * Facts that last do not pass by themselves (a job is completed, an invoice issued): when one is no longer so, it was
   * corrected, and what it started ends. The others move on (a stage, a tag), which ends only sequences that ask for it.
   */
  lasting: boolean;
}

/** What a trigger found: once per business key, whatever happens how often. */
export interface Candidate {
  businessKey: string;
  subject: { kind: string; id: string; label: string };
  customerId: string | null;
  /** The local date of the fact. */
  occurredOn: LocalDate;
  occurredAt: Date;
  /** For people and templates; under `fact` what must stay true. */
  data: Record<string, unknown> & { fact?: Fact };
  /** How many of our own writes lie between this and something a person did. */
  depth?: number;
  /** From this moment on it is of no use any more: it is recorded and starts nothing. */
  until?: Date;
  /** Why it is recorded and starts nothing. */
  skip?: string;
}

export interface DetectEnv {
  now: Date;
  /** The tenant's zone. */
  zone: string;
  /** Only occurrences of this customer ("when would it have fired for her?"); everybody's when absent. */
  customerId?: string;
  /** The trigger that looks, when it looks at what just happened: quiet periods count from what it fired for. */
  triggerId?: string;
  /** The trigger that looks back: what it keeps is asked, what it fired for does not count. */
  lookBackFor?: string | undefined;
}

/** A missed day is caught up this long, then recorded as missed. */
export const CATCH_UP_DAYS = 3;

/**
 * A kind of trigger. Detection is told apart by where it looks: `fromChanges` at what just happened, `between` at
 * stored facts by date. A trigger without `fromChanges` is found by the clock, every day; `between` also answers "when
 * would this have fired?", so it must find the same things.
 */
export interface TriggerDefinition<Settings extends TObject = TObject> {
  name: string;
  title: string;
  /** In words: what makes it fire, and what makes it fire again. */
  arms: string;
  settings: Settings;
  defaults: Static<Settings>;
  /** What the business key is made of, in words. */
  key: string;
  /** Facts older than this update state and never start anything. */
  maxAgeHours: number;
  /**
   * Whose days `between` means: of the business (the default), or of the customer, for whom a birthday begins at their
   * own midnight. With the customer's, `between` is asked for every date that has begun anywhere on earth; the engine
   * keeps a candidate until its date has begun where the customer is, and sets its `occurredAt` to that midnight.
   */
  calendar?: 'customer';
  /** The next moment after `env.now` at which the clock finds something, where a date is not fine enough. */
  nextAt?: (tx: Tx, settings: Static<Settings>, env: DetectEnv) => Promise<Date | undefined>;
  /** Kinds whose changes can bring `nextAt` forward. */
  wakes?: readonly ChangeKind[];
  fromChanges?: (
    tx: Tx,
    changes: readonly Change[],
    settings: Static<Settings>,
    env: DetectEnv,
  ) => Promise<Candidate[]>;
  /** Occurrences dated within [from, to], of `env.customerId` when given. Reads index ranges: its cost follows what is due. */
  between?: (
    tx: Tx,
    from: LocalDate,
    to: LocalDate,
    settings: Static<Settings>,
    env: DetectEnv,
  ) => Promise<Candidate[]>;
  /**
   * What the clock looks for, where that is not `between`: because the present can be found with less work than any
   * past, or because a trigger that reads changes has a part that only time brings about.
   */
  due?: (tx: Tx, from: LocalDate, to: LocalDate, settings: Static<Settings>, env: DetectEnv) => Promise<Candidate[]>;
  /** Keeps what the trigger needs beside its row, whenever it was made or changed. */
  keep?: (
    tx: Tx,
    trigger: { id: string; title: string; settings: Static<Settings> },
    meta: { by: string; now: Date },
  ) => Promise<void>;
  /** Removes that again. */
  drop?: (tx: Tx, triggerId: string) => Promise<void>;
  /** What the schema cannot say of settings. Answers what is wrong, by path, in words. */
  check?: (settings: Static<Settings>) => { path: string; message: string }[];
}

/** How long a trigger of the clock may be late: the days that are caught up, today, and the hour a clock is set back. */
export const CLOCK_MAX_AGE_HOURS = 24 * (CATCH_UP_DAYS + 1) + 1;

/** Gives a definition its type; states nothing by itself. */
export const defineTrigger = <Settings extends TObject>(definition: TriggerDefinition<Settings>): TriggerDefinition =>
  definition as unknown as TriggerDefinition;

/** What is wrong with the settings of a trigger, by path below them; they hold the defaults already. */
export function settingsErrors(
  definition: TriggerDefinition,
  settings: Record<string, unknown>,
): { path: string; message: string }[] {
  if (Value.Check(definition.settings, settings)) return definition.check?.(settings) ?? [];
  return Value.Errors(definition.settings, settings).map((error) => ({
    path: error.instancePath.replace(/^\//, '').replaceAll('/', '.'),
    message: error.message,
  }));
}

export const Trigger = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    name: Type.String(),
    title: Type.String(),
    arms: Type.String(),
    settings: Type.Record(Type.String(), Type.Unknown()),
    sequenceId: Type.Union([Type.String({ format: 'uuid' }), Type.Null()]),
    enabled: Type.Boolean(),
    enabledAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
    problem: Type.Union([Type.String(), Type.Null()], {
      description: 'Why it could not be looked for at the last try; others go on meanwhile',
    }),
    version: Type.Integer(),
  },
  { $id: 'Trigger' },
);

export const TriggerInput = Type.Object(
  {
    name: Type.String(),
    title: Type.Optional(Type.String({ maxLength: 200 })),
    settings: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    sequenceId: Type.Optional(Type.Union([Type.String({ format: 'uuid' }), Type.Null()])),
    enabled: Type.Optional(Type.Boolean()),
  },
  { $id: 'TriggerInput', additionalProperties: false },
);

export const Occurrence = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    trigger: Type.String(),
    subject: Type.Object({ kind: Type.String(), id: Type.String(), label: Type.String() }),
    businessKey: Type.String(),
    customerId: Type.Union([Type.String(), Type.Null()]),
    occurredOn: Type.String({ format: 'date' }),
    detectedAt: Type.String({ format: 'date-time' }),
    outcome: Type.String({ description: 'What came of it: started, joined, refused and why, missed, too old' }),
    enrolmentId: Type.Union([Type.String(), Type.Null()]),
  },
  { $id: 'Occurrence' },
);

/** Which trigger is tried on whom. */
export const TrialInput = Type.Object(
  {
    triggerId: Type.Optional(Type.String({ format: 'uuid', description: 'One of the business, with its settings' })),
    trigger: Type.Optional(Type.String({ maxLength: 100, description: 'Or a kind of trigger by its name' })),
    settings: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'Beside its defaults' })),
    customer: Type.String({ minLength: 1, maxLength: 500, description: 'Id, e-mail address, phone number or name' }),
    months: Type.Optional(Type.Integer({ minimum: 1, maximum: 12, default: 12 })),
  },
  { $id: 'TrialInput', additionalProperties: false },
);

export const Trial = Type.Object(
  {
    trigger: Type.String(),
    arms: Type.String(),
    settings: Type.Record(Type.String(), Type.Unknown()),
    customer: Type.Object({ id: Type.String({ format: 'uuid' }), name: Type.Union([Type.String(), Type.Null()]) }),
    from: Type.String({ format: 'date' }),
    to: Type.String({ format: 'date' }),
    note: Type.String({ description: 'What the answer is made of, in words' }),
    items: Type.Array(
      Type.Object({
        occurredOn: Type.String({ format: 'date' }),
        occurredAt: Type.String({ format: 'date-time' }),
        subject: Type.Object({ kind: Type.String(), id: Type.String(), label: Type.String() }),
        businessKey: Type.String(),
        outcome: Type.String({ description: 'What came of it, or would have: start, join, refused and why' }),
      }),
    ),
  },
  { $id: 'Trial' },
);
