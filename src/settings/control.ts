import { Type } from 'typebox';
import type { FieldError } from '../base/errors.ts';
import { words } from '../base/schema.ts';

const Tag = (description: string) => Type.String({ minLength: 3, maxLength: 200, description });

const Native = (description: string) => Type.String({ minLength: 1, maxLength: 200, description });

/** Where the key of the sequence stands in the tag that starts it. */
export const SEQUENCE_PLACE = '{sequence}';

/** What staff can say to the hub with a tag or a field of a contact in the platform they work in. */
export const CONTROL_SETTINGS = {
  staffControl: {
    title: 'What staff can start, pause and stop from the CRM',
    schema: Type.Object(
      {
        on: Type.Boolean(),
        enrol: Tag(`Tag that starts a sequence; ${SEQUENCE_PLACE} stands for its key or title`),
        pause: Tag('Tag that pauses everything of the customer; taking it off lets it go on'),
        stop: Tag('Tag that ends everything of the customer, and keeps anything new away while it is there'),
        field: Type.Optional(
          Type.String({
            pattern: '^[A-Za-z0-9_.-]{1,100}$',
            description:
              'A custom field of contacts (as the mapping names it) that says the same; several words with commas',
          }),
        ),
        acknowledge: words(
          ['keep', 'remove'],
          'Whether a tag is left where it is, or taken off when it was done. What was taken off by Rapport lets nothing go on.',
        ),
      },
      { additionalProperties: false },
    ),
    value: {
      on: false,
      enrol: `Rapport: start ${SEQUENCE_PLACE}`,
      pause: 'Rapport: pause',
      stop: 'Rapport: stop',
      acknowledge: 'keep',
    },
  },
  progressWriteBack: {
    title: 'Which platforms are told what comes next and which sequences customers are in',
    schema: Type.Object(
      {
        to: Type.Array(
          Type.Object(
            {
              connection: Type.String({ format: 'uuid', description: 'Connection whose contacts are written' }),
              nextStep: Type.Optional(
                Native('Native field for what comes next, such as "Reminder by text message on 12 March"'),
              ),
              enrolment: Type.Optional(Native('Native field for the sequences the customer is in')),
              mostPerPass: Type.Optional(
                Type.Integer({ minimum: 1, maximum: 100_000, default: 1000, description: 'Records in one pass' }),
              ),
            },
            { additionalProperties: false },
          ),
          { maxItems: 20, description: 'Empty: none is told' },
        ),
      },
      { additionalProperties: false },
    ),
    value: { to: [] },
  },
  vipMark: {
    title: 'How tasks, tickets and dates about VIPs are marked',
    schema: Type.Object(
      { on: Type.Boolean(), title: Type.String({ minLength: 1, maxLength: 50, description: 'Put before the title' }) },
      { additionalProperties: false },
    ),
    value: { on: false, title: 'VIP: ' },
  },
} as const;

/** What a setting `staffControl` of the right form says wrongly. */
export function controlMistakes(value: unknown): FieldError[] {
  const { enrol, pause, stop } = value as { enrol: string; pause: string; stop: string };
  const mistakes: FieldError[] = [];
  if (enrol.split(SEQUENCE_PLACE).length !== 2)
    mistakes.push({ path: 'staffControl.enrol', message: `must contain ${SEQUENCE_PLACE} once: which one to start` });
  if (enrol.trim() === SEQUENCE_PLACE)
    mistakes.push({
      path: 'staffControl.enrol',
      message: `needs a word beside ${SEQUENCE_PLACE}, or every tag starts something`,
    });
  const same = (a: string, b: string): boolean => a.trim().toLowerCase() === b.trim().toLowerCase();
  if (same(pause, stop)) mistakes.push({ path: 'staffControl.stop', message: 'is the same as pause' });
  return mistakes;
}
