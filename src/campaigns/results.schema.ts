import { Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';
import { VERDICTS } from './interval.ts';

const Count = Type.Integer();
const Share = nullable(Type.Number({ description: '0 to 1' }));
const Money = Type.Array(
  Type.Object({ currency: nullable(Type.String()), amount: Type.String({ description: 'A decimal number' }) }),
);

const figures = {
  sent: Count,
  failed: Count,
  delivered: Type.Integer({ description: 'As far as the platform tells; where it never does, those that were sent' }),
  opened: Type.Integer({ description: 'By a person, as far as it is told; what machines open does not count' }),
  clicked: Type.Integer({ description: 'By a person' }),
  bounced: Count,
  complained: Count,
  stopped: Count,
  answered: Type.Integer({ description: 'Answers credited to it' }),
  booked: Count,
  paid: Count,
  money: Money,
};

const Side = Type.Object({
  n: Type.Integer({ description: 'People' }),
  hits: Count,
  rate: Share,
  low: Share,
  high: Share,
});

export const Results = Type.Object(
  {
    days: Type.Integer({ description: 'A fact is credited to a message so many days before it at most' }),
    total: Type.Object({ ...figures, lastTouch: Type.Object({ answered: Count, booked: Count, paid: Count }) }),
    steps: Type.Array(
      Type.Object({
        step: Type.String(),
        variant: nullable(Type.String({ description: 'Of splits: which way the customer went' })),
        ...figures,
      }),
    ),
    comparison: Type.Object(
      {
        openWindows: Type.Integer({ description: 'People of either side whose days are not over yet' }),
        leastToCompare: Count,
        facts: Type.Array(
          Type.Object({
            fact: words(['answer', 'booking', 'payment', 'any']),
            written: Side,
            leftOut: Side,
            difference: nullable(Type.Object({ difference: Type.Number(), low: Type.Number(), high: Type.Number() })),
            verdict: words(VERDICTS),
          }),
        ),
        note: Type.String(),
      },
      { description: 'Against those who were left out on purpose' },
    ),
  },
  { $id: 'SequenceResults' },
);
