import { Type } from 'typebox';
import { nullable, ref, words } from '../base/schema.ts';
import { BANDS, FACTORS } from './formula.ts';

const Id = Type.String({ format: 'uuid' });
const Day = Type.String({ format: 'date' });
const Points = Type.Number({ minimum: 0, maximum: 100 });
const Band = words(BANDS, 'Up to 39 at risk, 40 to 69 steady, from 70 strong, unless set otherwise');
const FactorValues = Type.Object(Object.fromEntries(FACTORS.map((name) => [name, nullable(Points)])), {
  description: 'Each 0 to 100, shown to two decimals; null where nothing tells of it',
});

const ScoreChange = Type.Object({
  what: Type.String({ description: 'The cheapest thing that would make this factor better' }),
  effect: Type.Number({ description: 'What it would add to the score, with all it changes' }),
});

const ScoreFactor = Type.Object({
  factor: words(FACTORS),
  input: Type.String({ description: 'What is known, in words' }),
  value: nullable(Points),
  weight: Type.Number({ description: 'Share in the score; what nothing tells of is shared out among the others' }),
  points: Type.Number({ description: 'Weight times value' }),
  gap: Type.Number({ description: 'Points that are missing to its most' }),
  noData: Type.Boolean({ description: 'Nothing is known of this customer here' }),
  staleSince: nullable(
    Type.String({
      format: 'date',
      description: 'The platform that tells of it fell silent then: the last value is kept',
    }),
  ),
  staleDays: nullable(Type.Integer()),
  change: nullable(ScoreChange),
});

const ScoreDelta = Type.Object({
  day: Day,
  from: Points,
  to: Points,
  total: Type.Number({ description: 'Sum of the factors and the yardstick' }),
  factors: Type.Record(Type.String(), Type.Number(), { description: 'Weight times the difference of each factor' }),
  yardstick: Type.Number({ description: 'What new weights or a new yardstick made of it' }),
});

/** What people decided about a customer. */
export const Standing = Type.Object(
  {
    pinned: nullable(Type.Boolean({ description: 'VIP by hand, or none by hand; null: by the rule' })),
    pinnedBy: nullable(Type.String()),
    unhappyClearedAt: nullable(Type.String({ format: 'date-time' })),
    unhappyClearedBy: nullable(Type.String()),
    version: Type.Integer({ description: '0 while nobody decided anything' }),
  },
  { $id: 'CustomerStanding' },
);

/** A customer's score, explained. */
export const CustomerScore = Type.Object(
  {
    customerId: Id,
    day: nullable(Type.String({ format: 'date', description: 'The day it is of' })),
    score: nullable(Points),
    band: nullable(Band),
    vip: Type.Boolean(),
    unhappy: Type.Boolean({ description: 'Wins over the score: marketing waits' }),
    unhappyBecause: nullable(Type.String()),
    unhappySince: nullable(Day),
    notScored: nullable(Type.String({ description: 'Why there is no score' })),
    scoredOn: Type.Integer({ description: 'Factors that something tells of' }),
    of: Type.Integer(),
    yardstick: nullable(
      Type.Object({
        target: Type.Number({ description: 'Spend that counts as full' }),
        kind: words(['payers', 'configured']),
        payers: Type.Integer(),
        month: Day,
        version: Type.Integer(),
      }),
    ),
    formula: nullable(Type.Integer()),
    weights: nullable(Type.Integer({ description: 'Version of weights, targets and sources' })),
    factors: Type.Array(ScoreFactor),
    since: Type.Array(ScoreDelta, { description: 'Since yesterday and over 30 days, where there was a score' }),
    standing: ref(Standing),
  },
  { $id: 'CustomerScore' },
);

/** A line of the list of scores. */
export const ScoreLine = Type.Object(
  {
    customerId: Id,
    name: nullable(Type.String()),
    score: Points,
    band: Band,
    vip: Type.Boolean(),
    unhappy: Type.Boolean(),
    factors: FactorValues,
  },
  { $id: 'ScoreLine' },
);

/** One day of a customer's score. */
export const ScoreDay = Type.Object(
  {
    day: Day,
    score: nullable(Points),
    factors: FactorValues,
    band: nullable(Band),
    vip: Type.Boolean(),
    unhappy: Type.Boolean(),
    stored: Type.Boolean({
      description: 'Something besides time changed that day; other days follow from the last one',
    }),
  },
  { $id: 'ScoreDay' },
);
