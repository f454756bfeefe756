import { Type } from 'typebox';
import { nullable } from '../base/schema.ts';

/** Minutes a change of membership must last, where nobody says otherwise: long enough for two systems to agree. */
export const SETTLE_MINUTES = 5;

export const Segment = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    name: Type.String(),
    condition: Type.Unknown({ description: 'In the condition language, see GET /v1/condition-fields' }),
    sentence: Type.String({ description: 'The condition in words' }),
    settleMinutes: Type.Integer({ description: 'A change of membership must last so long before it counts' }),
    size: nullable(Type.Integer({ description: 'Customers in it; null until everybody was looked at' })),
    evaluatedAt: nullable(Type.String({ format: 'date-time' })),
    problem: nullable(Type.String({ description: 'Why it cannot be evaluated at present' })),
    updatedAt: Type.String({ format: 'date-time' }),
    version: Type.Integer(),
  },
  { $id: 'Segment' },
);

export const SegmentInput = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    condition: Type.Unknown({ description: 'As JSON or as a sentence' }),
    settleMinutes: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 10_080,
        default: SETTLE_MINUTES,
        description:
          'Minutes a change of membership must last before anybody is told: a customer who leaves and comes back within them never left',
      }),
    ),
  },
  { $id: 'SegmentInput', additionalProperties: false },
);

export const SegmentMember = Type.Object(
  {
    customerId: Type.String({ format: 'uuid' }),
    name: nullable(Type.String()),
    email: nullable(Type.String()),
    enteredAt: Type.String({ format: 'date-time' }),
    leftAt: nullable(Type.String({ format: 'date-time' })),
  },
  { $id: 'SegmentMember' },
);

export const Membership = Type.Object(
  {
    segmentId: Type.String({ format: 'uuid' }),
    name: Type.String(),
    enteredAt: Type.String({ format: 'date-time' }),
    leftAt: nullable(Type.String({ format: 'date-time' })),
  },
  { $id: 'Membership' },
);
