import { type Static, Type } from 'typebox';
import { words } from '../base/schema.ts';
import { CHANNELS } from '../settings/schema.ts';

const Id = Type.String({ pattern: '^[a-z][a-z0-9-]{0,49}$' });
const Value = Type.Union([Type.String({ maxLength: 500 }), Type.Number(), Type.Boolean()]);
const compare = {
  is: Type.Optional(Value),
  at_least: Type.Optional(Type.Number()),
  at_most: Type.Optional(Type.Number()),
};

/**
 * What a branch or `only_if` asks at the moment the step is due. Everything that is named must hold. What is about the
 * customer is asked in the condition language; the rest is about the enrolment.
 */
export const When = Type.Object(
  {
    /** About the customer, in the condition language: JSON or a sentence. */
    condition: Type.Optional(Type.Unknown()),
    /** One of these channels can carry a message of the sequence to the customer now. */
    reachable: Type.Optional(Type.Array(words(CHANNELS), { minItems: 1, uniqueItems: true })),
    /** What came of an earlier step of this enrolment, at its last visit. */
    outcome: Type.Optional(
      Type.Object(
        { step: Id, is: Type.Array(Type.String({ maxLength: 100 }), { minItems: 1, maxItems: 20 }) },
        { additionalProperties: false },
      ),
    ),
    /** What started it: the trigger's name, or a value the trigger tells (such as `lead`). */
    trigger: Type.Optional(
      Type.Object(
        {
          name: Type.Optional(Type.String({ maxLength: 100 })),
          data: Type.Optional(Type.String({ maxLength: 100 })),
          ...compare,
        },
        { additionalProperties: false },
      ),
    ),
    /** The customer's latest answer to a survey since the enrolment began; without `question` its score. */
    answer: Type.Optional(
      Type.Object(
        { survey: Type.Optional(Id), question: Type.Optional(Id), ...compare },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type When = Static<typeof When>;
