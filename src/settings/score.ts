import { Type } from 'typebox';
import type { FieldError } from '../base/errors.ts';
import { words } from '../base/schema.ts';

const share = (description: string) => Type.Number({ minimum: 0, maximum: 1, description });
const rank = (description: string) => Type.Integer({ minimum: 1, maximum: 100, description });

/** How far a sum of weights may be from 1: what decimals lose in binary. */
const TOLERANCE = 1e-9;

const ScoreSetting = Type.Object(
  {
    weights: Type.Object(
      {
        recency: share('Days since the last completed job'),
        spend: share('What the customer has paid in all'),
        frequency: share('Completed jobs in the last 365 days'),
        sentiment: share('The latest answer to a survey'),
        engagement: share('Clicks, replies and opens of messages in the last 180 days'),
      },
      { additionalProperties: false, description: 'Together 1' },
    ),
    frequencyTarget: Type.Integer({ minimum: 1, maximum: 366, description: 'Jobs in a year that count as full' }),
    spendTarget: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1e12,
      description: 'What counts as full while fewer than 20 customers have paid',
    }),
    yardstick: words(['p90', 'rank'], 'Spend against the 90th percentile, or as the rank among those who pay'),
    answers: words(['what', 'whether'], 'What a customer answered counts, or that they answered within a year'),
    csatScale: Type.Union([Type.Literal(5), Type.Literal(7), Type.Literal(10), Type.Literal(100)], {
      description: 'Best value of satisfaction surveys; the least is 1 (of 100: 0)',
    }),
    bands: Type.Object(
      {
        steady: Type.Number({ minimum: 0, maximum: 100, description: 'Below is at risk' }),
        strong: Type.Number({ minimum: 0, maximum: 100 }),
      },
      { additionalProperties: false },
    ),
    vip: Type.Object(
      {
        enterRank: rank('Percentile of spend from which a customer becomes VIP'),
        leaveRank: rank('Percentile of spend below which one is VIP no longer'),
        minScore: Type.Number({ minimum: 0, maximum: 100 }),
      },
      { additionalProperties: false },
    ),
    unhappy: Type.Object(
      {
        days: Type.Integer({ minimum: 1, maximum: 3650, description: 'So long a bad answer counts' }),
        complaintDays: Type.Integer({ minimum: 1, maximum: 3650, description: 'So long an open complaint counts' }),
        complaintWords: Type.Array(Type.String({ minLength: 2, maxLength: 100 }), {
          maxItems: 100,
          description: 'A ticket whose category contains one of them is a complaint',
        }),
      },
      { additionalProperties: false },
    ),
    testTags: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
      maxItems: 50,
      description: 'Customers with one of these tags are not scored',
    }),
    staleDays: Type.Integer({
      minimum: 1,
      maximum: 365,
      description: 'A platform that delivered nothing for so long is stale: its last values are kept',
    }),
  },
  { additionalProperties: false },
);

const nativeName = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 200, description }));

/** One platform that is told of scores: which of its fields hold what, and which of its tags stand for what. */
const ScoreTarget = Type.Object(
  {
    connection: Type.String({ format: 'uuid', description: 'Connection whose contacts are written' }),
    fields: Type.Optional(
      Type.Object(
        {
          score: nativeName('Native field for the score, a number with two decimals'),
          band: nativeName('Native field for the band: at_risk, steady or strong'),
          vip: nativeName('Native field for true or false'),
          unhappy: nativeName('Native field for true or false'),
        },
        { additionalProperties: false },
      ),
    ),
    tags: Type.Optional(
      Type.Object(
        {
          vip: nativeName('Tag, or list, of VIPs'),
          unhappy: nativeName('Tag of unhappy customers'),
          atRisk: nativeName('Tag of the band at risk'),
          steady: nativeName('Tag of the band steady'),
          strong: nativeName('Tag of the band strong'),
        },
        { additionalProperties: false },
      ),
    ),
    mostPerPass: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100_000, default: 1000, description: 'Records written after one pass' }),
    ),
  },
  { additionalProperties: false },
);

/** The relationship score: its weights, targets and what follows from it. */
export const SCORE_SETTINGS = {
  score: {
    title: 'How customers are scored',
    schema: ScoreSetting,
    value: {
      weights: { recency: 0.35, spend: 0.25, frequency: 0.2, sentiment: 0.1, engagement: 0.1 },
      frequencyTarget: 4,
      spendTarget: 10_000,
      yardstick: 'p90',
      answers: 'what',
      csatScale: 5,
      bands: { steady: 40, strong: 70 },
      vip: { enterRank: 90, leaveRank: 85, minScore: 60 },
      unhappy: {
        days: 90,
        complaintDays: 365,
        complaintWords: [
          ...['complaint', 'claim', 'dispute', 'beschwerde', 'reklamation', 'réclamation', 'reclamation', 'plainte'],
          ...['queja', 'reclamo', 'reclamación', 'reclamacion'],
        ],
      },
      testTags: ['test'],
      staleDays: 7,
    },
  },
  // A setting of its own: what is told to platforms changes nobody's score.
  scoreWriteBack: {
    title: 'Which platforms are told of scores',
    schema: Type.Object(
      { to: Type.Array(ScoreTarget, { maxItems: 20, description: 'Empty: none is told' }) },
      { additionalProperties: false },
    ),
    value: { to: [] },
  },
} as const;

type Score = {
  weights: Record<string, number>;
  bands: { steady: number; strong: number };
  vip: { enterRank: number; leaveRank: number };
};

/**
 * What a setting `score` of the right form says wrongly, field by field.
 * Weights are shares of the whole, so they sum to 1 but for what decimals lose in binary (1e-9).
 */
export function scoreMistakes(value: unknown): FieldError[] {
  const { weights, bands, vip } = value as Score;
  const sum = Object.values(weights).reduce((total, weight) => total + weight, 0);
  const mistakes: FieldError[] = [];
  if (Math.abs(sum - 1) > TOLERANCE)
    mistakes.push({ path: 'score.weights', message: `must sum to 1; these sum to ${Number(sum.toPrecision(12))}` });
  if (bands.steady >= bands.strong)
    mistakes.push({
      path: 'score.bands',
      message: `steady (${bands.steady}) must begin below strong (${bands.strong})`,
    });
  if (vip.leaveRank > vip.enterRank)
    mistakes.push({
      path: 'score.vip',
      message: `leaveRank (${vip.leaveRank}) must not be above enterRank (${vip.enterRank})`,
    });
  return mistakes;
}
