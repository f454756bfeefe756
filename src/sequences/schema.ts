import { type Static, Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';
import { CHANNELS } from '../settings/schema.ts';

const Id = Type.String({ pattern: '^[a-z][a-z0-9-]{0,49}$' });
const Text = (maxLength: number): ReturnType<typeof Type.String> => Type.String({ maxLength });

/** Local date counted from the start of the enrolment (day 0), never from the step before. */
const Day = Type.Integer({ minimum: 0, maximum: 3660 });

const Task = Type.Object(
  {
    title: Text(500),
    body: Type.Optional(Text(20_000)),
    due_in_days: Type.Optional(Type.Integer({ minimum: 0, maximum: 365 })),
    priority: Type.Optional(words(['low', 'normal', 'high'])),
  },
  { additionalProperties: false },
);

const Chat = Type.Object({ title: Text(500), text: Text(3000) }, { additionalProperties: false });

export const ESCALATION_TARGETS = ['owner', 'deputy', 'role', 'admin'] as const;

const common = { id: Id, day: Type.Optional(Day), title: Type.Optional(Text(200)) };

/** A message to the customer: the first channel that can reach them, in the order given. */
const MessageStep = Type.Object(
  {
    ...common,
    message: Type.Object(
      {
        channels: Type.Array(words(CHANNELS), { minItems: 1, uniqueItems: true }),
        template: Text(100),
        /** Hours after which a message that could not go out is not sent by itself any more. */
        stale_after_hours: Type.Optional(Type.Integer({ minimum: 1, maximum: 8760 })),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

/** Waits for anything that counts as an answer; when the days are over, the reminder counts as unanswered. */
const AwaitStep = Type.Object(
  {
    ...common,
    await_answer: Type.Object({ days: Type.Integer({ minimum: 1, maximum: 365 }) }, { additionalProperties: false }),
  },
  { additionalProperties: false },
);

const WaitStep = Type.Object(
  {
    ...common,
    wait: Type.Object({ days: Type.Integer({ minimum: 0, maximum: 3660 }) }, { additionalProperties: false }),
  },
  { additionalProperties: false },
);

/** Something done natively in a connected platform. Texts may use the template context. */
const DoStep = Type.Object(
  {
    ...common,
    do: Type.Object(
      {
        kind: words([
          'create_task',
          'add_note',
          'add_tag',
          'remove_tag',
          'update_field',
          'create_ticket',
          'create_calendar_event',
          'enrol_in_automation',
          'send_invoice_reminder',
          'post_webhook',
          'send_chat',
        ]),
        input: Type.Record(Type.String(), Type.Unknown()),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

/** Hands over to people, one after the other, each with a clock, until someone says "I have it". */
const EscalateStep = Type.Object(
  {
    ...common,
    escalate: Type.Object(
      {
        to: Type.Array(
          Type.Object(
            { who: words(ESCALATION_TARGETS), role: Type.Optional(Text(100)) },
            { additionalProperties: false },
          ),
          {
            minItems: 1,
            maxItems: 10,
          },
        ),
        working_hours: Type.Number({ minimum: 0.25, maximum: 200 }),
        task: Type.Optional(Task),
        chat: Type.Optional(Chat),
        calendar: Type.Optional(
          Type.Object(
            {
              title: Text(500),
              in_days: Type.Integer({ minimum: 0, maximum: 60 }),
              minutes: Type.Integer({ minimum: 5, maximum: 480 }),
            },
            { additionalProperties: false },
          ),
        ),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

export const Step = Type.Union([MessageStep, AwaitStep, WaitStep, DoStep, EscalateStep]);
export type Step = Static<typeof Step>;

/**
 * `subject_gone`: what started it moved on, such as a deal that left the stage or a tag that was taken off. A fact that
 * was corrected (an invoice voided, a job taken back, a record deleted) ends every sequence without being named.
 */
export const EXIT_RULES = ['invoices_settled', 'answered', 'customer_gone', 'subject_gone'] as const;
export type ExitRule = (typeof EXIT_RULES)[number];

/** A sequence as data: the same for engine, API, YAML and console. */
export const Definition = Type.Object(
  {
    key: Id,
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
    /** What makes a separate enrolment: the customer (everything of theirs together) or the thing the trigger is about. */
    per: words(['customer', 'subject']),
    again: Type.Object(
      {
        policy: words(['once', 'once_per_key', 'after_days', 'always']),
        days: Type.Optional(Type.Integer({ minimum: 0, maximum: 3660 })),
      },
      { additionalProperties: false },
    ),
    exits: Type.Array(words(EXIT_RULES), { uniqueItems: true }),
    /** Promises to pay and disputes pause it. */
    respects_holds: Type.Optional(Type.Boolean()),
    /** Billing data must be fresh before each message. */
    needs_fresh_billing: Type.Optional(Type.Boolean()),
    steps: Type.Array(Step, { minItems: 1, maxItems: 100 }),
  },
  { $id: 'SequenceDefinition', additionalProperties: false },
);
export type Definition = Static<typeof Definition>;

export const classOf = (definition: Definition): 'marketing' | 'transactional' => definition.class ?? 'marketing';

/** What a step does, as one word. */
export type StepKind = 'message' | 'await_answer' | 'wait' | 'do' | 'escalate';
export function stepKind(step: Step): StepKind {
  if ('message' in step) return 'message';
  if ('await_answer' in step) return 'await_answer';
  if ('wait' in step) return 'wait';
  return 'do' in step ? 'do' : 'escalate';
}

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
    native: Type.Optional(NativeTemplate),
  },
  { additionalProperties: false },
);

/** A ready-made sequence with its texts. */
export const Playbook = Type.Object(
  {
    sequence: Definition,
    templates: Type.Record(Type.String(), Type.Array(Template, { minItems: 1 })),
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
    activeVersion: nullable(Type.Integer()),
    latestVersion: Type.Integer(),
    playbook: nullable(Type.String()),
    definition: Type.Unknown(),
    enrolments: Type.Record(Type.String(), Type.Integer()),
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
    version: Type.Integer(),
  },
  { $id: 'Enrolment' },
);
