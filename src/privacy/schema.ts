import { type Static, Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';

/** The grounds of article 17 (1) GDPR, in words; nothing is written freely here, because it would name the person again. */
export const GROUNDS = [
  'request_of_the_person',
  'consent_withdrawn',
  'objection',
  'no_longer_needed',
  'unlawful',
  'legal_obligation',
] as const;
export type Ground = (typeof GROUNDS)[number];

export const ErasureRequest = Type.Object(
  {
    ground: words(GROUNDS, 'Why, by article 17 (1) GDPR'),
    confirm: Type.String({
      minLength: 1,
      maxLength: 300,
      description: 'The name or an e-mail address of the person, typed out: it cannot be undone',
    }),
  },
  { $id: 'ErasureRequest', additionalProperties: false },
);

/** What is left of an erasure: that it was done, and what of. */
export const Erasure = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    customerId: Type.String({ format: 'uuid', description: 'The id the person had; it leads to nobody' }),
    ground: words(GROUNDS),
    requestedBy: Type.String(),
    requestedAt: Type.String({ format: 'date-time' }),
    state: words(['running', 'done']),
    doneAt: nullable(Type.String({ format: 'date-time' })),
    rows: Type.Record(Type.String(), Type.Integer(), { description: 'How many rows of each table were treated' }),
    hashes: Type.Array(Type.String(), { description: 'Keyed hashes of the addresses that stay closed' }),
    outOfReach: Type.Array(Type.String(), { description: 'What this cannot remove' }),
    blocked: Type.Object(
      {
        hits: Type.Integer({ description: 'How often something of the person came back and was left out' }),
        lastAt: nullable(Type.String({ format: 'date-time' })),
        liftedAt: nullable(Type.String({ format: 'date-time' })),
      },
      { description: 'What platforms still send of the person is not taken' },
    ),
  },
  { $id: 'Erasure' },
);
export type Erasure = Static<typeof Erasure>;
