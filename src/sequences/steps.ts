import { type Static, type TObject, type TProperties, Type } from 'typebox';
import { words } from '../base/schema.ts';
import { CHANNELS } from '../settings/schema.ts';
import { When } from './tests.schema.ts';

export const StepId = Type.String({ pattern: '^[a-z][a-z0-9-]{0,49}$' });
export const Text = (maxLength: number): ReturnType<typeof Type.String> => Type.String({ maxLength });
/** A time of the day on the customer's clock. */
export const TimeOfDay = Type.String({ pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' });

const closed = <Properties extends TProperties>(properties: Properties): TObject<Properties> =>
  Type.Object(properties, { additionalProperties: false });

/** Hours of the customer's day, and the weekdays (1 is Monday) on which they hold. May cross midnight. */
export const LocalWindow = closed({
  open: TimeOfDay,
  close: TimeOfDay,
  weekdays: Type.Optional(
    Type.Array(Type.Integer({ minimum: 1, maximum: 7 }), { minItems: 1, maxItems: 7, uniqueItems: true }),
  ),
});
export type LocalWindow = Static<typeof LocalWindow>;

/** A stretch of time: local days keep the time of the day, hours and minutes are real ones. */
export const Duration = closed({
  days: Type.Optional(Type.Integer({ minimum: 0, maximum: 3660 })),
  hours: Type.Optional(Type.Integer({ minimum: 0, maximum: 8760 })),
  minutes: Type.Optional(Type.Integer({ minimum: 0, maximum: 1440 })),
});
export type Duration = Static<typeof Duration>;

const Task = closed({
  title: Text(500),
  body: Type.Optional(Text(20_000)),
  due_in_days: Type.Optional(Type.Integer({ minimum: 0, maximum: 365 })),
  priority: Type.Optional(words(['low', 'normal', 'high'])),
});
const Chat = closed({ title: Text(500), text: Text(3000) });

export const ESCALATION_TARGETS = ['owner', 'deputy', 'role', 'admin'] as const;

const common = {
  id: StepId,
  title: Type.Optional(Text(200)),
  /** Local date counted from the start of the enrolment (day 0), never from the step before. */
  day: Type.Optional(Type.Integer({ minimum: 0, maximum: 3660 })),
  /** Local time of that day from which it is due; without it the quiet hours alone decide. */
  at: Type.Optional(TimeOfDay),
  /** The step is left out when this does not hold at the moment it is due. */
  only_if: Type.Optional(When),
  /** The step that follows; without it the next in the list. `end` ends the enrolment. */
  next: Type.Optional(StepId),
};

const step = <Properties extends TProperties>(own: Properties): TObject<typeof common & Properties> =>
  closed({ ...common, ...own });

const reach = {
  channels: Type.Array(words(CHANNELS), { minItems: 1, uniqueItems: true }),
  template: Text(100),
  /** The customer's own preferred channel first, when it is one of these. */
  preferred_first: Type.Optional(Type.Boolean()),
  /** Only within these hours of the customer, beside the quiet hours. */
  window: Type.Optional(LocalWindow),
  /** Another class than the sequence's, such as a receipt among news. */
  class: Type.Optional(words(['marketing', 'transactional'])),
  /** Hours after which a message that could not go out is not sent by itself any more. */
  stale_after_hours: Type.Optional(Type.Integer({ minimum: 1, maximum: 8760 })),
};

/** A message to the customer: the first channel that can reach them, in the order given. */
const MessageStep = step({ message: closed(reach) });

/** An invitation to a survey; its text has `survey.link`. What answers set off stands with the survey. */
const SurveyStep = step({ survey: closed({ survey: StepId, ...reach }) });

/** Waits for anything that counts as an answer; when the days are over, the reminder counts as unanswered. */
const AwaitStep = step({ await_answer: closed({ days: Type.Integer({ minimum: 1, maximum: 365 }) }) });

/** Waits a while, until the customer's clock is within hours, or until a date of theirs. */
const WaitStep = step({
  wait: Type.Union([
    Duration,
    closed({ until: LocalWindow }),
    closed({
      until_date: closed({
        /** `customer.birthday` and other dates of the condition language, or `trigger.<name>`: a date the trigger tells. */
        field: Text(100),
        days_before: Type.Optional(Type.Integer({ minimum: 0, maximum: 366 })),
      }),
    }),
  ]),
});

/** Something that happens to a customer and can be waited for. */
export const HAPPENINGS = [
  'answer',
  'booking',
  'payment',
  'survey',
  'task_done',
  'tag_added',
  'tag_removed',
  'condition',
] as const;
export const Happening = closed({
  what: words(HAPPENINGS),
  /** Of `survey`: which; any when absent. */
  survey: Type.Optional(StepId),
  /** Of `task_done`: the step that made the task. */
  step: Type.Optional(StepId),
  /** Of `tag_added` and `tag_removed`. */
  tag: Type.Optional(Text(200)),
  /** Of `condition`: it comes to hold of the customer; in the condition language. */
  condition: Type.Optional(Type.Unknown()),
});
export type Happening = Static<typeof Happening>;

/** Waits until something happens, but never for ever. Outcomes: `happened`, `timeout`. */
const WaitForStep = step({
  wait_for: closed({
    event: Happening,
    /** What happened so long before the step still counts. */
    look_back_hours: Type.Optional(Type.Integer({ minimum: 0, maximum: 720 })),
    timeout: Duration,
    /** The step that follows when nothing happened in time; without it the same as otherwise. */
    on_timeout: Type.Optional(StepId),
  }),
});

/** The first case that holds decides how it goes on; the last may be `else`. */
const BranchStep = step({
  branch: closed({
    cases: Type.Array(closed({ when: When, then: StepId }), { minItems: 1, maxItems: 20 }),
    /** Without it: the next step in the list. */
    else: Type.Optional(StepId),
  }),
});

/** Sends shares of customers different ways. The same customer always goes the same way. */
const SplitStep = step({
  split: Type.Array(closed({ name: StepId, weight: Type.Integer({ minimum: 1, maximum: 1000 }), then: StepId }), {
    minItems: 2,
    maxItems: 10,
  }),
});

/** Leaves out a share of customers, so that it can be told what the sequence brings. They end here, and are counted. */
const HoldoutStep = step({ holdout: closed({ percent: Type.Number({ minimum: 0.1, maximum: 50 }) }) });

/** Whoever reaches the goal while at an earlier step comes here at once; what lies between is left out. */
const GoalStep = step({ goal: closed({ event: Happening }) });

/** Something done natively in a connected platform. Texts may use the template context. */
const DoStep = step({
  do: closed({
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
  }),
});

/** Tells staff, without a clock and without asking for an acknowledgement. */
const NotifyStep = step({
  notify: closed({
    who: words(ESCALATION_TARGETS),
    role: Type.Optional(Text(100)),
    /** A chat message, a task in the CRM, or both. */
    chat: Type.Optional(Chat),
    task: Type.Optional(Task),
  }),
});

/** Hands over to people, one after the other, each with a clock, until someone says "I have it". */
const EscalateStep = step({
  escalate: closed({
    to: Type.Array(closed({ who: words(ESCALATION_TARGETS), role: Type.Optional(Text(100)) }), {
      minItems: 1,
      maxItems: 10,
    }),
    working_hours: Type.Number({ minimum: 0.25, maximum: 200 }),
    task: Type.Optional(Task),
    chat: Type.Optional(Chat),
    calendar: Type.Optional(
      closed({
        title: Text(500),
        in_days: Type.Integer({ minimum: 0, maximum: 60 }),
        minutes: Type.Integer({ minimum: 5, maximum: 480 }),
      }),
    ),
  }),
});

/** Begins the same sequence anew: this local day is day 0 of the next round. */
const RestartStep = step({ restart: closed({}) });

/** Ends here and begins another sequence for the same customer. */
const HandOverStep = step({ hand_over: closed({ to: StepId }) });

/** Ends the enrolment, with a reason people read. */
const EndStep = step({ end: closed({ reason: Type.Optional(Text(200)) }) });

export const Step = Type.Union([
  MessageStep,
  SurveyStep,
  AwaitStep,
  WaitStep,
  WaitForStep,
  BranchStep,
  SplitStep,
  HoldoutStep,
  GoalStep,
  DoStep,
  NotifyStep,
  EscalateStep,
  RestartStep,
  HandOverStep,
  EndStep,
]);
export type Step = Static<typeof Step>;

export const STEP_KINDS = [
  'message',
  'survey',
  'await_answer',
  'wait',
  'wait_for',
  'branch',
  'split',
  'holdout',
  'goal',
  'do',
  'notify',
  'escalate',
  'restart',
  'hand_over',
  'end',
] as const;
export type StepKind = (typeof STEP_KINDS)[number];

/** What a step does, as one word. */
export const stepKind = (step: Step): StepKind => STEP_KINDS.find((kind) => kind in step)!;
