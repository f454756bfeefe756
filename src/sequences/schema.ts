import { type Static, Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';
import { CHANNELS } from '../settings/schema.ts';
import { SurveyDefinition } from '../surveys/schema.ts';
import { Step, StepId, Text } from './steps.ts';

/**
 * `subject_gone`: what started it moved on, such as a deal that left the stage or a tag that was taken off. A fact that
 * was corrected (an invoice voided, a job taken back, a record deleted) ends every sequence without being named, and an
 * objection to all marketing ends every marketing sequence.
 */
export const EXIT_RULES = [
  'invoices_settled',
  'answered',
  'booked',
  'unhappy',
  'opted_out',
  'customer_gone',
  'subject_gone',
] as const;
export type ExitRule = (typeof EXIT_RULES)[number];

/** A sequence as data: the same for engine, API, YAML and console. */
export const Definition = Type.Object(
  {
    key: StepId,
    title: Text(200),
    /** Marketing needs consent; transactional must be declared. */
    class: Type.Optional(words(['marketing', 'transactional'])),
    topic: Text(50),
    triggers: Type.Array(
      Type.Object(
        { name: Text(100), settings: Type.Optional(Type.Record(Type.String(), Type.Unknown())) },
        { additionalProperties: false },
      ),
      { minItems: 1 },
    ),
    /** Who may enter, in the condition language; looked at when the trigger fires. */
    audience: Type.Optional(Type.Unknown()),
    /**
     * What makes a separate enrolment: the customer (everything of theirs together), the thing the trigger is about, or
     * each firing (a birthday of a year, 60 and 30 days before an end).
     */
    per: words(['customer', 'subject', 'occurrence']),
    again: Type.Object(
      {
        /** `restart`: a new firing ends the enrolment that runs and begins anew. */
        policy: words(['once', 'once_per_key', 'after_days', 'always', 'restart']),
        days: Type.Optional(Type.Integer({ minimum: 0, maximum: 3660 })),
      },
      { additionalProperties: false },
    ),
    exits: Type.Array(words(EXIT_RULES), { uniqueItems: true }),
    /** Promises to pay and disputes pause it. */
    respects_holds: Type.Optional(Type.Boolean()),
    /** Billing data must be fresh before each message. */
    needs_fresh_billing: Type.Optional(Type.Boolean()),
    /** Of two messages that meet a cap, the higher goes first. */
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 9 })),
    /** What texts may use as `values.<name>`, such as an offer or a booking link, to be edited without touching a text. */
    values: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z][a-z0-9_]{0,49}$' }), Text(2000))),
    steps: Type.Array(Step, { minItems: 1, maxItems: 100 }),
  },
  { $id: 'SequenceDefinition', additionalProperties: false },
);
export type Definition = Static<typeof Definition>;

export const classOf = (definition: Definition): 'marketing' | 'transactional' => definition.class ?? 'marketing';

/** A template approved at the platform (WhatsApp): its id there, and what its variables are filled with. */
export const NativeTemplate = Type.Object(
  { id: Text(200), variables: Type.Record(Type.String(), Text(1000)) },
  { additionalProperties: false },
);

export const Template = Type.Object(
  {
    channel: words(CHANNELS),
    locale: Type.Optional(Type.String({ pattern: '^[a-z]{2}(-[A-Z]{2})?$' })),
    subject: Type.Optional(Text(500)),
    body: Text(100_000),
    /** Of e-mail: a page of one's own, or the middle of one; without it the page is built from the body. */
    html: Type.Optional(Text(100_000)),
    native: Type.Optional(NativeTemplate),
  },
  { additionalProperties: false },
);

/** A ready-made sequence with its texts. */
export const Playbook = Type.Object(
  {
    sequence: Definition,
    templates: Type.Record(Type.String(), Type.Array(Template, { minItems: 1 })),
    /** The surveys its steps ask. */
    surveys: Type.Optional(Type.Array(SurveyDefinition, { maxItems: 20 })),
    description: Type.Optional(Text(2000)),
  },
  { additionalProperties: false },
);
export type Playbook = Static<typeof Playbook>;

export const Sequence = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    key: Type.String(),
    title: Type.String(),
    state: words(['draft', 'active', 'paused', 'archived']),
    mode: words(['live', 'shadow'], 'In shadow everything is decided and written down, and nothing goes out'),
    activeVersion: nullable(Type.Integer()),
    latestVersion: Type.Integer(),
    playbook: nullable(Type.String()),
    definition: Type.Unknown(),
    enrolments: Type.Record(Type.String(), Type.Integer()),
    missing: Type.Optional(
      Type.Array(Type.String(), {
        description:
          'In answers about one: what it lacks of the business, in words. It can be on all the same: what cannot be done is left out with a reason.',
      }),
    ),
    version: Type.Integer(),
  },
  { $id: 'Sequence' },
);

export const Enrolment = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    sequenceId: Type.String({ format: 'uuid' }),
    sequence: Type.String(),
    sequenceVersion: Type.Integer(),
    customerId: Type.String({ format: 'uuid' }),
    businessKey: Type.String(),
    state: words(['active', 'waiting', 'paused', 'done', 'exited', 'stopped']),
    step: Type.String(),
    waitingFor: nullable(Type.String()),
    wakeAt: nullable(Type.String({ format: 'date-time' })),
    startOn: Type.String({ format: 'date' }),
    startedAt: Type.String({ format: 'date-time' }),
    endedAt: nullable(Type.String({ format: 'date-time' })),
    endReason: nullable(Type.String()),
    problem: nullable(Type.String({ description: 'Why it could not go on at the last try; it is tried again' })),
    arm: nullable(Type.String({ description: 'held_out: left out on purpose, to compare with' })),
    shadow: Type.Boolean({ description: 'Nothing of it goes out' }),
    version: Type.Integer(),
  },
  { $id: 'Enrolment' },
);
