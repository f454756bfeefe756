import { Type } from 'typebox';
import { nullable, ref } from '../base/schema.ts';
import { Sequence } from './schema.ts';

/** Something a playbook needs of the business. */
export const PlaybookNeed = Type.Object(
  {
    kind: Type.String({ description: 'capability, value, link, chat, staff, sequence or campaign' }),
    name: Type.String(),
    words: Type.String({ description: 'What is needed and, where it is missing, what to do' }),
    met: Type.Boolean(),
    by: Type.Array(Type.String(), { description: 'The connections that can, or what was filled in' }),
  },
  { $id: 'PlaybookNeed' },
);

/** A playbook as its owner chooses it. */
export const PlaybookView = Type.Object(
  {
    key: Type.String(),
    title: Type.String(),
    description: Type.String({ description: 'What it does, for owners' }),
    class: Type.String(),
    installed: Type.Boolean(),
    state: nullable(Type.String({ description: 'Of its sequence' })),
    triggers: Type.Array(
      Type.Object({
        name: Type.String(),
        title: Type.String(),
        settings: Type.Record(Type.String(), Type.Unknown()),
      }),
    ),
    steps: Type.Array(
      Type.Object({
        id: Type.String(),
        day: nullable(Type.Integer({ description: "Counted from the start, on the customer's calendar" })),
        at: nullable(Type.String({ description: "On the customer's clock" })),
        does: Type.String(),
      }),
    ),
    exits: Type.Array(Type.String()),
    needs: Type.Array(ref(PlaybookNeed)),
    ready: Type.Boolean({ description: 'Nothing it needs is missing' }),
  },
  { $id: 'PlaybookView' },
);

/** What installing answers: the sequence, and what is still missing. */
export const InstalledPlaybook = Type.Object(
  { ...Sequence.properties, needs: Type.Array(ref(PlaybookNeed)) },
  { $id: 'InstalledPlaybook' },
);
