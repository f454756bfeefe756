import { type Static, Type } from 'typebox';
import type { Tx } from '../base/database.ts';
import { nullable, ref, words } from '../base/schema.ts';
import { CHANNELS, CLASSES } from '../settings/schema.ts';
import { BASES } from './bases.ts';

const Instant = Type.String({ format: 'date-time' });

export const ConsentView = Type.Object(
  {
    channel: Type.String(),
    topic: Type.String({ description: '* for everything on the channel' }),
    class: words(CLASSES),
    state: words(
      ['granted', 'denied', 'per_topic'],
      'per_topic: an objection to everything was taken back by the person, and each topic counts by itself',
    ),
    basis: Type.String(),
    source: Type.String(),
    evidence: Type.Unknown(),
    recordedAt: Instant,
    expiresAt: nullable(Instant),
  },
  { $id: 'Consent' },
);

/** What choices, closed addresses and hours say about one kind of message now. */
const Standing = Type.Object({
  channel: words(CHANNELS),
  class: words(CLASSES),
  topic: Type.String({ description: '* for a message about none of the topics' }),
  allowed: Type.Boolean({ description: 'Whether consent and suppressions allow it' }),
  verdict: words(['allow', 'skip', 'defer', 'hold'], 'What the gate would say now, as far as the person decides it'),
  reason: nullable(Type.String()),
  detail: Type.String({ description: 'The fact behind it, in words' }),
  until: nullable(Instant),
});

const Wishes = Type.Object({
  pausedUntil: nullable(Instant),
  atMost: nullable(Type.Object({ messages: Type.Integer(), days: Type.Integer() })),
  source: nullable(Type.String()),
});

/** Platforms that were told of an objection. */
const PassedOn = Type.Object({
  platform: Type.String(),
  connectionId: nullable(Type.String()),
  channel: Type.String(),
  topic: Type.String(),
  state: Type.String(),
  detail: nullable(Type.String()),
  at: Instant,
});

export const ConsentProof = Type.Object(
  {
    present: Type.Array(ref(ConsentView)),
    history: Type.Array(ref(ConsentView)),
    standing: Type.Array(Standing),
    wishes: Wishes,
    passedOn: Type.Array(PassedOn),
  },
  { $id: 'ConsentProof' },
);

export type Proof = Static<typeof ConsentProof>;

/** What only the rooms above know: what the gate would say, and which platforms were told. */
export interface ProofPorts {
  standing: (tx: Tx, customerId: string, now: Date) => Promise<Proof['standing']>;
  passedOn: (tx: Tx, customerId: string) => Promise<Proof['passedOn']>;
}

export const ConsentBody = Type.Object(
  {
    channel: words(CHANNELS),
    topic: Type.Optional(Type.String({ maxLength: 50 })),
    class: Type.Optional(words(CLASSES, 'Default: marketing')),
    state: words(['granted', 'denied']),
    basis: Type.Optional(words(BASES, 'Default: consent, or objection for a refusal')),
    evidence: Type.String({ minLength: 3, maxLength: 2000, description: 'Where and how the person said so' }),
    since: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'Day of the purchase or inquiry it is implied by; default: now',
      }),
    ),
    expiresAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'Default: what the law sets for the basis, else never' }),
    ),
  },
  { $id: 'ConsentBody', additionalProperties: false },
);
