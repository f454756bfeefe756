import { type Static, type TSchema, Type } from 'typebox';
import { CAMPAIGN_SETTINGS } from './campaigns.ts';
import { CONSENT_SETTINGS, DailyWindow } from './consent.ts';
import { CONTROL_SETTINGS } from './control.ts';
import { SCORE_SETTINGS } from './score.ts';

export {
  type Cap,
  CHANNELS,
  type Channel,
  CLASSES,
  LANGUAGES,
  type Language,
  type MessageClass,
  Texts,
  type Window,
} from './consent.ts';

/** The same as quiet hours for a member of staff. */
export const WorkingHours = DailyWindow;

/** An address of a page, or nothing. */
const Link = (description: string) =>
  Type.String({ pattern: '^(https?://[^\\s<>"]+)?$', maxLength: 1000, description });

/** Every setting of a tenant, with its default. Nothing is configured elsewhere. */
export const SETTINGS = {
  business: {
    title: 'Who writes',
    schema: Type.Object(
      {
        name: Type.String({ maxLength: 200 }),
        zone: Type.String({ description: 'IANA time zone' }),
        country: Type.String({ pattern: '^[A-Z]{2}$' }),
        currency: Type.String({ pattern: '^[A-Z]{3}$' }),
        postalAddress: Type.String({
          maxLength: 500,
          description: 'Stands at the foot of marketing e-mails (CAN-SPAM)',
        }),
        phone: Type.String({ maxLength: 50 }),
        replyTo: Type.String({ maxLength: 200 }),
        language: Type.Optional(
          Type.String({
            pattern: '^[a-z]{2}$',
            description: 'Written to whom no language is known of; default: as the country',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    value: {
      name: 'My business',
      zone: 'UTC',
      country: 'US',
      currency: 'USD',
      postalAddress: '',
      phone: '',
      replyTo: '',
    },
  },
  links: {
    title: 'Links in texts',
    schema: Type.Object(
      {
        booking: Link('Where an appointment is booked: `booking.link`'),
        review: Link('Where a review is written: `review.link`'),
        payment: Link('Where to pay what has no link of its own: `payment.link`'),
      },
      { additionalProperties: false },
    ),
    value: { booking: '', review: '', payment: '' },
  },
  ...CONSENT_SETTINGS,
  workingHours: {
    title: 'When staff work',
    schema: WorkingHours,
    value: { open: '09:00', close: '17:00', days: [1, 2, 3, 4, 5] },
  },
  delivery: {
    title: 'Which connection does what',
    schema: Type.Object(
      {
        /** Connection id by action kind; without an entry the only suitable connection is used. */
        connections: Type.Record(Type.String(), Type.String({ format: 'uuid' })),
        /** Where staff messages go when a person cannot be reached directly. */
        chatChannel: Type.String({ maxLength: 200 }),
      },
      { additionalProperties: false },
    ),
    value: { connections: {}, chatChannel: '' },
  },
  sync: {
    title: 'How often platforms are asked',
    schema: Type.Object(
      {
        pollSeconds: Type.Integer({ minimum: 60, maximum: 86_400 }),
        /** Billing data older than this holds a chase until it is read again. */
        billingFreshMinutes: Type.Integer({ minimum: 1, maximum: 1440 }),
        /** Polls that find what webhooks should have told, for so long without a post, raise an alarm. */
        webhookSilenceMinutes: Type.Optional(Type.Integer({ minimum: 15, maximum: 10_080, default: 60 })),
      },
      { additionalProperties: false },
    ),
    value: { pollSeconds: 300, billingFreshMinutes: 15 },
  },
  completeness: {
    title: 'How deletions are kept safe and completeness is proven',
    schema: Type.Object(
      {
        haltRecords: Type.Integer({
          minimum: 0,
          maximum: 1_000_000,
          description:
            'So many records of one kind may be deleted within an hour without asking, or haltPercent, if more',
        }),
        haltPercent: Type.Number({ minimum: 0, maximum: 100 }),
        missingPasses: Type.Integer({
          minimum: 2,
          maximum: 20,
          description:
            'Proven passes in a row that miss a record the platform cannot be asked for, before it counts as gone',
        }),
        sweepDays: Type.Integer({
          minimum: 0,
          maximum: 365,
          description:
            'Days between two readings of everything; 0: as often as the platform needs. Never more often than that',
        }),
        verifyDays: Type.Integer({
          minimum: 0,
          maximum: 365,
          description: 'Days between two comparisons with the platform; 0: only when asked for',
        }),
        undoDays: Type.Integer({ minimum: 1, maximum: 3650, description: 'Days for which deletions can be undone' }),
      },
      { additionalProperties: false },
    ),
    value: { haltRecords: 50, haltPercent: 5, missingPasses: 2, sweepDays: 0, verifyDays: 7, undoDays: 30 },
  },
  echo: {
    title: 'How our own writes are recognised when they come back',
    schema: Type.Object(
      {
        keepDays: Type.Integer({ minimum: 1, maximum: 90, description: 'How long a write of ours is expected back' }),
        causalMinutes: Type.Integer({
          minimum: 1,
          maximum: 1440,
          description: 'What changes in a record so soon after we wrote into it counts as caused by us',
        }),
        maxDepth: Type.Integer({
          minimum: 1,
          maximum: 10,
          description: 'More of our own writes in a row than this start nothing any more',
        }),
        flips: Type.Integer({
          minimum: 1,
          maximum: 100,
          description: 'So often a field may be set back after we wrote it, before we stop writing it',
        }),
        flipHours: Type.Integer({ minimum: 1, maximum: 720, description: 'Within so many hours' }),
      },
      { additionalProperties: false },
    ),
    value: { keepDays: 7, causalMinutes: 60, maxDepth: 3, flips: 3, flipHours: 24 },
  },
  receivables: {
    title: 'Promises and disputes',
    schema: Type.Object(
      {
        maxPromiseDays: Type.Integer({ minimum: 1, maximum: 365 }),
        maxDisputeDays: Type.Integer({ minimum: 1, maximum: 730 }),
      },
      { additionalProperties: false },
    ),
    value: { maxPromiseDays: 60, maxDisputeDays: 180 },
  },
  ...CONTROL_SETTINGS,
  ...CAMPAIGN_SETTINGS,
  sequences: {
    title: 'How far sequences go by themselves',
    schema: Type.Object(
      {
        stepsPerDay: Type.Integer({
          minimum: 1,
          maximum: 1000,
          description: 'Steps of all sequences together that one customer takes on a day; the rest waits for the next',
        }),
      },
      { additionalProperties: false },
    ),
    value: { stepsPerDay: 50 },
  },
  ...SCORE_SETTINGS,
} as const satisfies Record<string, { title: string; schema: TSchema; value: unknown }>;

export type SettingKey = keyof typeof SETTINGS;
export type SettingValue<Key extends SettingKey> = Static<(typeof SETTINGS)[Key]['schema']>;
export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];
