import { Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';
import { CHANNELS } from '../settings/schema.ts';
import { ACTS, LIMITS, RELATED, UNITS } from './types.ts';

const Text = Type.String({ minLength: 1, maxLength: LIMITS.text });
const Texts = Type.Array(Text, { minItems: 1, maxItems: LIMITS.list });
const Day = Type.String({ format: 'date' });
const Period = Type.Object(
  Object.fromEntries(
    Object.entries(UNITS).map(([unit, maximum]) => [unit, Type.Optional(Type.Integer({ minimum: 0, maximum }))]),
  ),
  { additionalProperties: false, minProperties: 1, maxProperties: 1, description: 'One unit, such as {"months": 6}' },
);
const Near = Type.Object({ days: Type.Integer({ minimum: 0, maximum: 365 }) }, { additionalProperties: false });
const ends = (end: ReturnType<typeof Type.String> | ReturnType<typeof Type.Number>) =>
  Type.Object({ from: end as never, to: end as never }, { additionalProperties: false });

const TESTS = {
  is: Type.Union([Text, Type.Number(), Type.Boolean()]),
  is_not: Type.Union([Text, Type.Number()], { description: 'Holds for a missing value, too' }),
  one_of: Texts,
  none_of: Texts,
  contains: Text,
  starts_with: Text,
  ends_with: Text,
  above: Type.Number(),
  below: Type.Number(),
  at_least: Type.Number(),
  at_most: Type.Number(),
  between: Type.Union([ends(Type.Number()), ends(Text)], { description: 'Both ends belong to it' }),
  on: Day,
  before: Day,
  after: Day,
  on_or_before: Day,
  on_or_after: Day,
  in_last: Period,
  in_next: Period,
  more_than_ago: Period,
  more_than_ahead: Period,
  today: Type.Literal(true),
  anniversary_in: Near,
  anniversary_within: Near,
  has_any: Texts,
  has_all: Texts,
  has_none: Texts,
  empty: Type.Boolean(),
};
const tests = Object.fromEntries(Object.entries(TESTS).map(([name, schema]) => [name, Type.Optional(schema)]));

const Inner = Type.Ref('Condition');
const where = Type.Optional(Inner);
const ofValue = {
  source: Type.Optional(Text),
  currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$' })),
};
const leaf = (properties: Record<string, ReturnType<typeof Type.Any>>, description: string) =>
  Type.Object({ ...properties, ...tests } as never, { additionalProperties: false, description });
const exact = (properties: Record<string, unknown>, description: string) =>
  Type.Object(properties as never, { additionalProperties: false, description });

/** The condition language, for readers of the API; `checkCondition` is what judges, and says more. */
export const Condition = Type.Union(
  [
    exact({ all: Type.Array(Inner, { minItems: 1 }) }, 'Every one of them holds'),
    exact({ any: Type.Array(Inner, { minItems: 1 }) }, 'At least one of them holds'),
    exact({ not: Inner }, 'It does not hold'),
    leaf({ field: Text, ...ofValue } as never, 'A field of the customer; in `where`, of the related object'),
    exact({ exists: words(RELATED), where }, 'There is such an object'),
    leaf({ count: words(RELATED), where } as never, 'How many there are'),
    leaf({ sum: Text, where, ...ofValue } as never, 'A field added up over them; of none it is 0'),
    leaf({ average: Text, where, ...ofValue } as never, 'Its average'),
    leaf({ latest: Text, where, ...ofValue } as never, 'A field of the latest of them'),
    leaf({ earliest: Text, where, ...ofValue } as never, 'A field of the earliest of them'),
    exact(
      { consent: words(CHANNELS), topic: Type.Optional(Text), is: words(['granted', 'denied', 'none']) },
      'What the person wants at present',
    ),
    exact({ segment: Type.String({ format: 'uuid' }) }, 'Is in the segment now'),
    leaf(
      { days_since: Type.Array(words(ACTS), { minItems: 1 }) } as never,
      'Whole days since the last purchase, job or answer',
    ),
  ],
  {
    $id: 'Condition',
    description: `Has exactly one of the words all, any, not, field, exists, count, sum, average, latest, earliest, consent, segment, days_since; leaves have exactly one test. At most ${LIMITS.depth} in each other and ${LIMITS.nodes} in all.`,
  },
);

export const ConditionField = Type.Object(
  {
    name: Type.String({ description: 'As conditions name it' }),
    of: Type.String({ description: 'customer, company, owner, score, or the kind of related object' }),
    title: Type.String(),
    phrase: Type.String({ description: 'As sentences call it' }),
    type: Type.String(),
    tests: Type.Array(Type.String()),
    words: nullable(Type.Array(Type.String(), { description: 'The closed list of words' })),
    seen: nullable(Type.Array(Type.String(), { description: 'Types found in stored values, of custom fields' })),
    sources: nullable(Type.Array(Type.String(), { description: 'Platforms a custom field comes from' })),
  },
  { $id: 'ConditionField' },
);

const Place = Type.Object({ path: Type.String(), message: Type.String() });

/** What there is to say about something written as a condition. */
export const ConditionCheck = Type.Object(
  {
    problems: Type.Array(Place, { description: 'Every mistake with its place; empty when there is none' }),
    condition: nullable(Type.Any({ description: 'The condition in its canonical form' })),
    sentence: nullable(Type.String()),
    timeRelative: nullable(Type.Boolean({ description: 'Whether the answer can change because time passes' })),
  },
  { $id: 'ConditionCheck' },
);

const Named = { id: Type.String({ format: 'uuid' }), name: nullable(Type.String()) };

/** Who matches a condition now. */
export const ConditionTrial = Type.Object(
  {
    sentence: Type.String(),
    count: Type.Integer(),
    sample: Type.Array(Type.Object(Named)),
    customer: nullable(
      Type.Object({
        ...Named,
        matches: Type.Boolean(),
        parts: Type.Array(Type.Object({ path: Type.String(), sentence: Type.String(), matches: Type.Boolean() }), {
          description: 'Every part of the condition, from the outside in',
        }),
      }),
    ),
  },
  { $id: 'ConditionTrial' },
);
