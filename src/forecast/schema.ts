import { Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';

/** As far as anybody looks ahead, in days: a whole round of the longest track that ships. */
export const MOST_DAYS = 630;

const Day = Type.Object({ day: Type.String(), sequence: Type.String(), channel: Type.String(), count: Type.Integer() });
const Person = Type.Object({ id: Type.String(), name: nullable(Type.String()) });
const Instant = Type.String({ format: 'date-time' });

const Definition = Type.Unknown({ description: 'A definition to look ahead with, as a sequence is saved' });

export const ForecastInput = Type.Object(
  {
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: MOST_DAYS, default: 90 })),
    customer: Type.Optional(
      Type.String({ minLength: 1, maxLength: 500, description: 'Of this customer only: id, address, number or name' }),
    ),
    draft: Type.Optional(Definition),
    most: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 100_000, default: 200, description: 'Lines of each list; totals count all' }),
    ),
  },
  { $id: 'ForecastInput', additionalProperties: false },
);

export const Forecast = Type.Object(
  {
    from: Type.String({ format: 'date' }),
    to: Type.String({ format: 'date' }),
    total: Type.Integer({ description: 'Messages to customers' }),
    reached: Type.Integer({ description: 'Customers who get any' }),
    days: Type.Array(Day, { description: 'Messages by the customer’s date' }),
    staff: Type.Array(Day, { description: 'Tasks, notices and other things for staff' }),
    customers: Type.Array(Type.Object({ ...Person.properties, count: Type.Integer() })),
    messages: Type.Array(
      Type.Object({
        at: Instant,
        on: Type.String({ format: 'date' }),
        customer: Person,
        sequence: Type.String(),
        step: Type.String(),
        channel: Type.String(),
      }),
    ),
    waiting: Type.Array(
      Type.Object({
        customer: Person,
        enrolmentId: Type.String(),
        sequence: Type.String(),
        step: Type.String(),
        reason: Type.String(),
        detail: Type.String(),
        at: Instant,
      }),
      { description: 'What somebody has to settle first; what would follow is not counted' },
    ),
    waitingTotal: Type.Integer(),
    unforeseen: Type.Array(Type.String(), { description: 'Triggers that are on and that no date tells of beforehand' }),
    assumed: Type.Array(Type.String()),
    difference: nullable(
      Type.Object(
        {
          before: Type.Integer(),
          after: Type.Integer(),
          more: Type.Integer(),
          less: Type.Integer(),
          customers: Type.Array(Type.Object({ ...Person.properties, before: Type.Integer(), after: Type.Integer() })),
        },
        { description: 'Of a draft against what is active: who gets more, who gets less' },
      ),
    ),
  },
  { $id: 'Forecast' },
);

export const TryInput = Type.Object(
  {
    customer: Type.String({ minLength: 1, maxLength: 500, description: 'Id, e-mail address, phone number or name' }),
    version: Type.Optional(Type.Integer({ minimum: 1, description: 'Default: the newest' })),
    definition: Type.Optional(Definition),
    from: Type.Optional(Type.String({ format: 'date', description: 'Day it begins; default: now' })),
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: MOST_DAYS, default: 90 })),
  },
  { $id: 'TryInput', additionalProperties: false },
);

const Gate = Type.Object({
  gate: Type.String(),
  verdict: words(['allow', 'skip', 'defer', 'hold']),
  reason: nullable(Type.String()),
  detail: Type.String(),
  until: nullable(Instant),
});

export const TryStep = Type.Object({
  step: Type.String(),
  title: nullable(Type.String()),
  kind: Type.String(),
  day: Type.Integer({ description: 'Counted from the day it begins' }),
  reachedAt: Instant,
  leftAt: nullable(Instant),
  outcome: nullable(Type.String()),
  why: nullable(Type.String({ description: 'What decided it' })),
  messages: Type.Array(
    Type.Object({
      at: Instant,
      localTime: Type.String({ description: 'On the customer’s clock' }),
      kind: Type.String(),
      channel: Type.String(),
      recipient: Type.String(),
      verdict: words(['allow', 'skip', 'defer', 'hold']),
      why: Type.String({ description: 'The first gate that does not let it through, or that all do' }),
      movedBy: nullable(Type.String({ description: 'The gate that set its time, when it waited' })),
      content: Type.Unknown({ description: 'As it would go out' }),
      gates: Type.Array(Gate),
    }),
  ),
});

export const Tried = Type.Object(
  {
    customer: Person,
    sequence: Type.String(),
    zone: Type.String(),
    startOn: Type.String({ format: 'date' }),
    steps: Type.Array(TryStep),
    ends: nullable(Type.String({ description: 'Why it ends; null when it goes on beyond the days asked for' })),
    notes: Type.Array(Type.String({ description: 'What keeps this customer out of it for real' })),
    assumed: Type.Array(Type.String()),
  },
  { $id: 'Tried' },
);
