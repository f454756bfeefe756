import { type Static, Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';

const Id = Type.String({ format: 'uuid' });
const Instant = Type.String({ format: 'date-time' });
const Day = Type.String({ format: 'date' });
const closed = { additionalProperties: false } as const;

/** Whom a campaign is for. */
export const Audience = Type.Union(
  [
    Type.Object({ segment: Type.String({ maxLength: 200, description: 'Id or name' }) }, closed),
    Type.Object({ condition: Type.Unknown({ description: 'As JSON or as a sentence' }) }, closed),
    Type.Object({ customers: Type.Array(Id, { minItems: 1, maxItems: 5000, uniqueItems: true }) }, closed),
  ],
  { description: 'A segment, a condition, or a list of customers' },
);
export type Audience = Static<typeof Audience>;

/** Dates of a customer a sequence can be counted from. */
export const AS_IF_DATES = ['last_job', 'first_job', 'last_payment', 'last_activity', 'customer_since'] as const;
export type AsIfDate = (typeof AS_IF_DATES)[number];

/** Where customers enter the sequence. */
export const Entry = Type.Union([
  Type.Object({ mode: Type.Literal('from_now'), step: Type.Optional(Type.String({ maxLength: 50 })) }, closed),
  Type.Object(
    {
      mode: Type.Literal('as_if', {
        description: 'As if they had entered on a date of theirs: the steps whose day is over are left out',
      }),
      date: words(AS_IF_DATES),
      step: Type.Optional(Type.String({ maxLength: 50, description: 'Begin here, or later where its day is over' })),
    },
    closed,
  ),
]);
export type Entry = Static<typeof Entry>;

export const CAMPAIGN_STATES = ['draft', 'running', 'paused', 'done', 'stopped'] as const;
export type CampaignState = (typeof CAMPAIGN_STATES)[number];

const PerHour = Type.Integer({ minimum: 1, maximum: 100_000, description: 'People let in within an hour at most' });
const PercentPerDay = Type.Number({
  exclusiveMinimum: 0,
  maximum: 100,
  description: 'Share of the list let in within a day at most',
});
const Holdout = Type.Number({
  minimum: 0,
  maximum: 50,
  description: 'Share of the list left out on purpose, to compare with; always the same people',
});

const own = {
  title: Type.String({ minLength: 1, maxLength: 200 }),
  sequence: Type.String({ maxLength: 60, description: 'Id or key' }),
  audience: Audience,
  entry: Type.Optional(Entry),
  open: Type.Optional(Type.Boolean({ description: 'Who comes into the segment later joins; default: no' })),
  perHour: Type.Optional(nullable(PerHour)),
  percentPerDay: Type.Optional(nullable(PercentPerDay)),
  holdoutPercent: Type.Optional(Holdout),
  startsAt: Type.Optional(nullable(Instant)),
  endsAt: Type.Optional(nullable(Instant)),
};

export const CampaignInput = Type.Object(
  { key: Type.String({ pattern: '^[a-z][a-z0-9-]{0,59}$' }), ...own },
  { $id: 'CampaignInput', ...closed },
);
export type CampaignInput = Static<typeof CampaignInput>;
export const CampaignChange = Type.Partial(Type.Object(own, closed), { $id: 'CampaignChange', ...closed });
export type CampaignChange = Static<typeof CampaignChange>;

export const Campaign = Type.Object(
  {
    id: Id,
    key: Type.String(),
    title: Type.String(),
    sequenceId: Id,
    sequence: Type.String(),
    audience: Type.Unknown(),
    entry: Type.Unknown(),
    open: Type.Boolean(),
    perHour: nullable(Type.Integer({ description: 'null: as the settings say' })),
    percentPerDay: nullable(Type.Number({ description: 'null: as the settings say' })),
    holdoutPercent: Type.Number(),
    startsAt: nullable(Instant),
    endsAt: nullable(Instant),
    state: words(CAMPAIGN_STATES),
    reason: nullable(Type.String({ description: 'Why it is in this state, in words' })),
    perDay: nullable(Type.Integer({ description: 'People let in within a day; known from the start on' })),
    startedAt: nullable(Instant),
    members: Type.Record(Type.String(), Type.Integer(), { description: 'How many there are in each state' }),
    warnings: Type.Array(Type.String(), { description: 'What is allowed and perhaps not meant' }),
    version: Type.Integer(),
  },
  { $id: 'Campaign' },
);

export const MEMBER_STATES = ['waiting', 'entered', 'held_out', 'refused', 'removed'] as const;
export type MemberState = (typeof MEMBER_STATES)[number];

export const Member = Type.Object(
  {
    customerId: Id,
    name: nullable(Type.String()),
    state: words(MEMBER_STATES),
    dueAt: nullable(Instant),
    enteredAt: nullable(Instant),
    startOn: nullable(Day),
    step: nullable(Type.String()),
    enrolmentId: nullable(Id),
    outcome: nullable(Type.String({ description: 'How the enrolment stands or ended, in words' })),
    reason: nullable(Type.String()),
    detail: nullable(Type.String()),
    version: Type.Integer(),
  },
  { $id: 'CampaignMember' },
);

/** Why somebody does not enter. */
export const REFUSALS = {
  gone: 'was deleted',
  in_it: 'is in the sequence already',
  reentry: 'was in the sequence, and it lets nobody in again yet',
  audience: 'does not match whom the sequence is for',
  left: 'is not in the segment any more',
  unreachable: 'has no address on a channel of the sequence',
  opted_out: 'may not be written to: no consent, an opt-out or a closed address on every channel',
  no_date: 'has no date to count from',
  over: 'would be at the end of the sequence already',
  ended: 'did not have their turn before the campaign ended',
  failed: 'could not be entered',
} as const;
export type Refusal = keyof typeof REFUSALS;

export const Preview = Type.Object(
  {
    token: Type.String({ description: 'Goes with the start: what was looked at is what is started' }),
    total: Type.Integer({ description: 'Customers of the audience' }),
    eligible: Type.Integer({ description: 'Of them, those who enter, the ones left out on purpose not counted' }),
    heldOut: Type.Integer(),
    refused: Type.Array(Type.Object({ reason: Type.String(), meaning: Type.String(), customers: Type.Integer() })),
    perDay: Type.Integer(),
    perHour: Type.Integer(),
    firstEntry: nullable(Instant),
    lastEntry: nullable(Instant),
    entries: Type.Array(Type.Object({ on: Day, people: Type.Integer() }), { description: 'Day by day' }),
    messages: Type.Array(Type.Object({ on: Day, atMost: Type.Integer() }), {
      description: 'Messages a day when everybody takes every step, for the steps that have a day',
    }),
    steps: Type.Array(Type.Object({ step: Type.String(), people: Type.Integer() }), {
      description: 'With which step how many begin',
    }),
    late: Type.Integer({ description: 'Whose turn would come after the campaign ends' }),
    samples: Type.Array(
      Type.Object({
        customerId: Id,
        name: nullable(Type.String()),
        entersAt: Instant,
        countedFrom: Day,
        steps: Type.Array(Type.Object({ step: Type.String(), on: Day })),
      }),
    ),
    confirm: nullable(Type.Integer({ description: 'The number to type at the start; null: nothing has to be typed' })),
    warnings: Type.Array(Type.String()),
  },
  { $id: 'CampaignPreview' },
);
export type Preview = Static<typeof Preview>;
