import { type Static, Type } from 'typebox';
import { words } from '../base/schema.ts';

export const CHANNELS = ['email', 'sms', 'whatsapp', 'chat', 'push', 'in_app', 'call'] as const;
export type Channel = (typeof CHANNELS)[number];

/** Classes of messages to customers: marketing needs a consent, transactional must be declared. */
export const CLASSES = ['marketing', 'transactional'] as const;
export type MessageClass = (typeof CLASSES)[number];

/** Languages in which customers are spoken to by the hub itself; every text of its own is there in each. */
export const LANGUAGES = ['en', 'de', 'fr', 'es'] as const;
export type Language = (typeof LANGUAGES)[number];

const Time = Type.String({ pattern: '^([01]\\d|2[0-3]):[0-5]\\d$|^24:00$', description: 'HH:MM' });

/** When messages may reach a person, on the clock of where that person is. */
export const DailyWindow = Type.Object(
  {
    open: Time,
    close: Time,
    /** Monday 1 to Sunday 7. */
    days: Type.Array(Type.Integer({ minimum: 1, maximum: 7 }), { minItems: 1, uniqueItems: true }),
  },
  { additionalProperties: false },
);
export type Window = Static<typeof DailyWindow>;

const Cap = Type.Object(
  {
    messages: Type.Integer({ minimum: 0, description: '0 refuses every message; leave the cap out for no limit' }),
    days: Type.Integer({ minimum: 1, maximum: 365, description: 'Length of the rolling window' }),
    then: words(
      ['defer', 'skip'],
      'What happens to a message over the cap; one that would be too late by then is skipped',
    ),
    channels: Type.Optional(
      Type.Array(words(CHANNELS), {
        minItems: 1,
        uniqueItems: true,
        description: 'Only messages on these channels count and are stopped; absent: all together',
      }),
    ),
    counts: Type.Optional(
      words(
        ['marketing', 'all'],
        'Whether transactional messages fill the cap too (default: marketing only). They are never stopped by it',
      ),
    ),
  },
  { additionalProperties: false },
);
export type Cap = Static<typeof Cap>;
const Caps = Type.Array(Cap, { maxItems: 10 });

/** A text in the languages customers are spoken to in. */
export const Texts = (maxLength: number) =>
  Type.Object(
    {
      en: Type.String({ minLength: 1, maxLength }),
      de: Type.Optional(Type.String({ minLength: 1, maxLength })),
      fr: Type.Optional(Type.String({ minLength: 1, maxLength })),
      es: Type.Optional(Type.String({ minLength: 1, maxLength })),
    },
    { additionalProperties: false, description: 'By language; English is used where one is missing' },
  );

const ANSWERS = ['unless_the_platform_does', 'always', 'never'] as const;

/** Settings of what people get and do not get. */
export const CONSENT_SETTINGS = {
  quietHours: {
    title: "When messages may go out, on the recipient's clock",
    schema: Type.Object(
      {
        default: DailyWindow,
        channels: Type.Partial(Type.Record(words(CHANNELS), DailyWindow)),
        /** Instead of the above for one class of messages. */
        classes: Type.Optional(
          Type.Partial(
            Type.Record(
              words(CLASSES),
              Type.Object(
                {
                  default: Type.Optional(DailyWindow),
                  channels: Type.Optional(Type.Partial(Type.Record(words(CHANNELS), DailyWindow))),
                },
                { additionalProperties: false },
              ),
            ),
          ),
        ),
        regions: Type.Optional(
          Type.Boolean({
            description:
              "Whether the hours of the recipient's region hold beside these (default); off only on a lawyer's word",
          }),
        ),
        onHolidays: Type.Optional(
          words(['open', 'closed'], 'Whether marketing goes out on the holidays listed (default: open)'),
        ),
      },
      { additionalProperties: false },
    ),
    // 47 CFR 64.1200(c)(1) allows 08-21; the stricter states (FL, MD, MA, AL, LA, MS) end at 20, so that is the default.
    value: { default: { open: '08:00', close: '20:00', days: [1, 2, 3, 4, 5, 6, 7] }, channels: {} },
  },
  holidays: {
    title: 'Holidays',
    schema: Type.Object(
      {
        days: Type.Array(
          Type.Object(
            {
              date: Type.String({
                pattern: '^(\\d{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$',
                description: 'YYYY-MM-DD, or MM-DD for every year',
              }),
              name: Type.String({ minLength: 1, maxLength: 100 }),
              country: Type.Optional(Type.String({ pattern: '^[A-Z]{2}$', description: 'Absent: everywhere' })),
            },
            { additionalProperties: false },
          ),
          { maxItems: 500 },
        ),
      },
      { additionalProperties: false },
    ),
    value: { days: [] as { date: string; name: string; country?: string }[] },
  },
  caps: {
    title: 'How many marketing messages a person, household or company gets',
    schema: Type.Object(
      {
        marketing: Caps,
        marketingPerCompany: Caps,
        marketingPerHousehold: Type.Optional(
          Type.Array(Cap, {
            maxItems: 10,
            description: 'Of people with one phone number, or one address and postal code; absent or empty: off',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    value: {
      marketing: [
        { messages: 1, days: 1, then: 'defer' },
        { messages: 3, days: 7, then: 'defer' },
      ],
      marketingPerCompany: [],
    },
  },
  topics: {
    title: 'What messages are about, as people choose it',
    schema: Type.Object(
      {
        topics: Type.Array(
          Type.Object(
            {
              key: Type.String({ pattern: '^[a-z][a-z0-9_-]{0,49}$', description: 'As sequences name it' }),
              class: words(CLASSES),
              title: Texts(100),
            },
            { additionalProperties: false },
          ),
          { maxItems: 50 },
        ),
      },
      { additionalProperties: false },
    ),
    value: {
      topics: [
        {
          key: 'offers',
          class: 'marketing',
          title: {
            en: 'News and offers',
            de: 'Neuigkeiten und Angebote',
            fr: 'Actualités et offres',
            es: 'Novedades y ofertas',
          },
        },
        {
          key: 'service',
          class: 'marketing',
          title: {
            en: 'Service and maintenance reminders',
            de: 'Erinnerungen an Service und Wartung',
            fr: "Rappels d'entretien",
            es: 'Recordatorios de servicio y mantenimiento',
          },
        },
        {
          key: 'feedback',
          class: 'marketing',
          title: {
            en: 'Surveys and reviews',
            de: 'Umfragen und Bewertungen',
            fr: 'Enquêtes et avis',
            es: 'Encuestas y opiniones',
          },
        },
        {
          key: 'invoices',
          class: 'transactional',
          title: {
            en: 'Invoices and payments',
            de: 'Rechnungen und Zahlungen',
            fr: 'Factures et paiements',
            es: 'Facturas y pagos',
          },
        },
      ],
    },
  },
  replies: {
    title: 'What is answered to STOP and HELP',
    schema: Type.Object(
      {
        /** {business} and {phone} stand for what the business is called and its number. No marketing belongs in them. */
        stop: Texts(160),
        help: Texts(320),
        answerStop: words(ANSWERS, 'Whether a STOP is confirmed by the hub'),
        answerHelp: words(ANSWERS, 'Whether HELP is answered by the hub'),
      },
      { additionalProperties: false },
    ),
    value: {
      stop: {
        en: '{business}: you will get no more messages here. Reply START to get them again.',
        de: '{business}: Sie bekommen hier keine Nachrichten mehr. Mit START bekommen Sie sie wieder.',
        fr: '{business} : vous ne recevrez plus de messages ici. Répondez START pour en recevoir à nouveau.',
        es: '{business}: no recibirá más mensajes aquí. Responda START para volver a recibirlos.',
      },
      help: {
        en: '{business}: for help call {phone}. Reply STOP to get no more messages.',
        de: '{business}: Hilfe unter {phone}. Mit STOP bekommen Sie keine Nachrichten mehr.',
        fr: "{business} : pour de l'aide, appelez le {phone}. Répondez STOP pour ne plus recevoir de messages.",
        es: '{business}: si necesita ayuda llame al {phone}. Responda STOP para no recibir más mensajes.',
      },
      answerStop: 'unless_the_platform_does',
      answerHelp: 'unless_the_platform_does',
    },
  },
} as const;
