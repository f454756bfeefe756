import { Type } from 'typebox';

const percent = (description: string) => Type.Number({ minimum: 0, maximum: 100, description });

/** Settings of campaigns: how fast, when to ask back, when to stop by themselves, and what counts as brought about. */
export const CAMPAIGN_SETTINGS = {
  campaigns: {
    title: 'How campaigns let people in, and when they ask back',
    schema: Type.Object(
      {
        perHour: Type.Integer({
          minimum: 1,
          maximum: 100_000,
          description: 'A campaign lets at most so many people in within an hour',
        }),
        percentPerDay: Type.Number({
          exclusiveMinimum: 0,
          maximum: 100,
          description: 'And at most this share of its list in a day, rounded down, at least one',
        }),
        confirmPeople: Type.Integer({
          minimum: 0,
          maximum: 1_000_000,
          description:
            'More people than this, or than confirmPercent of all customers, whichever is fewer: the number must be typed',
        }),
        confirmPercent: percent('Of all customers'),
      },
      { additionalProperties: false },
    ),
    // The share a day and a fixed ceiling: the product's rule for entering existing customers.
    value: { perHour: 500, percentPerDay: 5, confirmPeople: 200, confirmPercent: 10 },
  },
  sendBreaker: {
    title: 'When a sequence or campaign stops by itself',
    schema: Type.Object(
      {
        windowHours: Type.Integer({ minimum: 1, maximum: 720, description: 'Messages of so many hours are looked at' }),
        minSends: Type.Integer({ minimum: 1, maximum: 100_000, description: 'Fewer messages than this tell nothing' }),
        minEvents: Type.Integer({
          minimum: 1,
          maximum: 10_000,
          description: 'Neither do fewer bounces, STOPs, complaints or failures than this',
        }),
        bouncePercent: percent('Bounced, or to an address that does not exist'),
        complaintPercent: percent('Reported as spam'),
        stopPercent: percent('Answered by STOP or an unsubscribe that the platform reports'),
        failurePercent: percent('Refused by the platform'),
      },
      { additionalProperties: false },
    ),
    // Complaints: Gmail and Yahoo demand a spam rate below 0.3 % (sender guidelines, in force since February 2024).
    // Bounces: 2 % is called good practice, at 5 % mail services warn or suspend (Amazon SES reviews accounts at 5 %).
    // STOPs and failures: no authority sets a figure; these are well above what ordinary messages see.
    value: {
      windowHours: 24,
      minSends: 50,
      minEvents: 3,
      bouncePercent: 5,
      complaintPercent: 0.3,
      stopPercent: 5,
      failurePercent: 20,
    },
  },
  attribution: {
    title: 'What counts as brought about by a message',
    schema: Type.Object(
      {
        days: Type.Integer({
          minimum: 1,
          maximum: 90,
          description: 'Answers, bookings and payments so long after a message are credited to it',
        }),
        leastToCompare: Type.Integer({
          minimum: 1,
          maximum: 100_000,
          description: 'With fewer people than this on either side there is too little to tell a difference',
        }),
      },
      { additionalProperties: false },
    ),
    value: { days: 14, leastToCompare: 100 },
  },
} as const;
