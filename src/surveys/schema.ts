import { type Static, type TObject, type TProperties, Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';
import { CHANNELS, Texts } from '../settings/schema.ts';

/** Names of surveys, questions and choices, as sequences, conditions and files use them. */
export const Key = Type.String({ pattern: '^[a-z][a-z0-9-]{0,49}$' });

const closed = <Properties extends TProperties>(properties: Properties): TObject<Properties> =>
  Type.Object(properties, { additionalProperties: false });

export const SURVEY_KINDS = ['nps', 'csat', 'marketing', 'custom'] as const;
export type SurveyKind = (typeof SURVEY_KINDS)[number];

/** `nps` is 0 to 10, `csat` 1 to 5, `rating` 1 to `points`. */
export const QUESTION_KINDS = [
  'nps',
  'csat',
  'rating',
  'single',
  'multiple',
  'yes_no',
  'short_text',
  'long_text',
] as const;
export type QuestionKind = (typeof QUESTION_KINDS)[number];

const Value = Type.Union([Type.String({ maxLength: 50 }), Type.Number(), Type.Boolean()]);

/** Asked only if an earlier answer is like this; without a comparison: if it was answered at all. */
export const AskOnlyIf = closed({
  /** Key of an earlier question. */
  question: Key,
  /** The number, the key of the choice (of several: one of those chosen), or true and false; or one of a list of these. */
  is: Type.Optional(Type.Union([Value, Type.Array(Value, { minItems: 1, maxItems: 20 })])),
  at_least: Type.Optional(Type.Number()),
  at_most: Type.Optional(Type.Number()),
});
export type AskOnlyIf = Static<typeof AskOnlyIf>;

export const Question = closed({
  key: Key,
  kind: words(QUESTION_KINDS),
  text: Texts(500),
  /** A sentence of help below the question. */
  hint: Type.Optional(Texts(500)),
  /** Without it the survey cannot be handed in; only where it is asked at all. */
  required: Type.Optional(Type.Boolean()),
  /** Of `single` and `multiple`. */
  choices: Type.Optional(Type.Array(closed({ key: Key, text: Texts(200) }), { minItems: 2, maxItems: 30 })),
  /** Of `rating`: the best value; default 5. */
  points: Type.Optional(Type.Integer({ minimum: 3, maximum: 10 })),
  /** What the least and the best value of a scale mean; without them the page says so in its own words. */
  low: Type.Optional(Texts(100)),
  high: Type.Optional(Texts(100)),
  only_if: Type.Optional(AskOnlyIf),
});
export type Question = Static<typeof Question>;

const Task = closed({
  /** {customer}, {survey} and {score} are filled in, here and in every text to staff. */
  title: Type.String({ minLength: 1, maxLength: 500 }),
  /** Stands before the answers, which are always told. */
  body: Type.Optional(Type.String({ maxLength: 5000 })),
  due_in_days: Type.Optional(Type.Integer({ minimum: 0, maximum: 365 })),
  priority: Type.Optional(words(['low', 'normal', 'high'])),
});

/** Tells the person who looks after the customer; the answers follow the text. */
const Notice = closed({
  by: Type.Array(words(['chat', 'email']), { minItems: 1, uniqueItems: true }),
  title: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
  text: Type.Optional(Type.String({ maxLength: 3000 })),
});

/** A text to the customer, transactional, at once. It can use `survey.title`, `survey.score` and `survey.verdict`. */
const Responder = closed({
  template: Type.String({ maxLength: 100 }),
  /** Another text when the answer was bad. */
  bad_template: Type.Optional(Type.String({ maxLength: 100 })),
  channels: Type.Array(words(CHANNELS), { minItems: 1, uniqueItems: true }),
});

/** What an answer sets off, all in the transaction that takes it, once for each invitation. */
export const Answered = closed({
  responder: Type.Optional(Responder),
  notify: Type.Optional(Notice),
  /** A task for the person who looks after the customer, with the answers in it, such as "Review survey results". */
  task: Type.Optional(Task),
  /** What is done besides when the score is bad. */
  bad: Type.Optional(
    closed({
      /** The score up to which an answer is bad; default NPS 6, CSAT 2 and stars 2. */
      at_most: Type.Optional(Type.Number()),
      task: Type.Optional(Task),
      notify: Type.Optional(Notice),
      /** A tag the customer gets in the CRM. */
      tag: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    }),
  ),
});
export type Answered = Static<typeof Answered>;

/** A survey as data: the same for page, API, YAML and console. */
export const SurveyDefinition = Type.Object(
  {
    key: Key,
    /** For staff. */
    name: Type.String({ minLength: 1, maxLength: 200 }),
    kind: words(SURVEY_KINDS),
    /** On the page. */
    title: Texts(200),
    intro: Type.Optional(Texts(2000)),
    questions: Type.Array(Question, { minItems: 1, maxItems: 50 }),
    thanks: Texts(2000),
    /** The question whose answer is the score; default: the first on a scale. */
    score: Type.Optional(Key),
    /** The question whose answer is the comment; default: the first text that was given. */
    comment: Type.Optional(Key),
    /** All questions on one page (the default), or one after the other. */
    layout: Type.Optional(words(['one_page', 'step_by_step'])),
    /** What was given but not handed in counts after so many days, if the score is among it; without it: never. */
    partial_after_days: Type.Optional(Type.Integer({ minimum: 1, maximum: 90 })),
    answered: Type.Optional(Answered),
  },
  { $id: 'SurveyDefinition', additionalProperties: false },
);
export type SurveyDefinition = Static<typeof SurveyDefinition>;

/** An answer to one question: a number, the key of a choice, several keys, yes or no, or a text. */
export type Answer = number | string | boolean | string[];
/** By the key of the question. */
export type Answers = Record<string, Answer>;

export const Survey = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    key: Type.String(),
    state: words(['open', 'closed']),
    latestVersion: Type.Integer({ description: 'People are asked with the version of the moment they were invited' }),
    definition: Type.Unknown({ description: 'As in SurveyDefinition' }),
    updatedAt: Type.String({ format: 'date-time' }),
    version: Type.Integer(),
  },
  { $id: 'Survey' },
);

const scores = {
  n: Type.Integer({ description: 'Answers with a score' }),
  average: nullable(Type.Number()),
  nps: nullable(Type.Integer({ description: 'Share of promoters minus share of detractors, -100 to 100' })),
  promoters: Type.Integer(),
  detractors: Type.Integer(),
};

export const SurveyResults = Type.Object(
  {
    invited: Type.Integer({ description: 'Invitations that went out or were made by hand in the time asked for' }),
    started: Type.Integer({ description: 'Of these, with an answer to some question' }),
    answered: Type.Integer({ description: 'Of these, handed in' }),
    countedByTime: Type.Integer({ description: 'Of these, never handed in: the days were over' }),
    scores: Type.Object(scores),
    questions: Type.Array(
      Type.Object({
        key: Type.String(),
        text: nullable(Type.String({ description: 'null: only an earlier version asked it' })),
        kind: nullable(Type.String()),
        answered: Type.Integer(),
        values: Type.Array(Type.Object({ value: Type.String(), n: Type.Integer() }), {
          description: 'How often each was given; of texts none',
        }),
        ...{ average: scores.average, nps: scores.nps },
      }),
    ),
    periods: Type.Array(Type.Object({ from: Type.String({ format: 'date' }), ...scores })),
    steps: Type.Array(
      Type.Object({
        sequence: nullable(Type.String({ description: 'null: invited by hand or over the API' })),
        step: nullable(Type.String()),
        ...scores,
      }),
    ),
  },
  { $id: 'SurveyResults' },
);

export const SurveyAnswer = Type.Object(
  {
    id: Type.String({ format: 'uuid', description: 'Of the invitation' }),
    customerId: Type.String({ format: 'uuid' }),
    customer: nullable(Type.String({ description: 'Name or address; null: erased' })),
    version: Type.Integer(),
    sequence: nullable(Type.String()),
    step: nullable(Type.String()),
    score: nullable(Type.Number()),
    comment: nullable(Type.String()),
    answers: Type.Record(Type.String(), Type.Unknown()),
    completedBy: words(['person', 'time']),
    answeredAt: Type.String({ format: 'date-time' }),
  },
  { $id: 'SurveyAnswer' },
);
