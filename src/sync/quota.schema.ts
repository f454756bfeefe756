import { Type } from 'typebox';
import { words } from '../base/schema.ts';

const Count = Type.Integer({ minimum: 0 });
const Moment = Type.Union([Type.String({ format: 'date-time' }), Type.Null()]);
const orNull = (schema: ReturnType<typeof Type.Number>) => Type.Union([schema, Type.Null()]);
const Counts = Type.Object(
  { action: Count, hook: Count, incremental: Count, sweep: Count, backfill: Count },
  { description: 'Calls by purpose' },
);

/** How much a connection calls its platform, what is left, and how far that goes. */
export const QuotaInfo = Type.Object(
  {
    connectionId: Type.String({ format: 'uuid' }),
    connector: Type.String(),
    name: Type.String(),
    day: Type.String({ description: 'Day (UTC) of `calls`' }),
    calls: Counts,
    limits: Type.Array(
      Type.Object({
        name: Type.String(),
        kind: words(['quota', 'rate'], 'An allowance of a day or month, or so many calls in so many seconds'),
        scope: words(['app', 'account'], 'Whom the platform counts'),
        calls: orNull(Type.Number({ description: 'Null: nobody stated it' })),
        seconds: Type.Number(),
        left: orNull(Type.Number()),
        toldByPlatform: Type.Boolean({
          description: 'What is left is what the platform said, less our calls since then',
        }),
        parkedUntil: Moment,
        reason: Type.Union([Type.String(), Type.Null()]),
        quota: Type.Union([
          Type.Null(),
          Type.Object({
            zone: Type.String(),
            startsAt: Type.String({ format: 'date-time' }),
            resetsAt: Type.String({ format: 'date-time' }),
            used: Type.Number({ description: 'Ours, over all connections the platform counts together' }),
            byPurpose: Counts,
            usedByOthers: Type.Number({ description: 'What the platform counted and we did not make' }),
            keptForActions: Type.Number(),
            forecastShare: orNull(Type.Number({ description: 'Part that will be used at this pace, 1 is all' })),
            runsOutAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
              description: 'When it would be used up if first loads and polls were not slowed down',
            }),
          }),
        ]),
      }),
    ),
    backfill: Type.Union([
      Type.Null(),
      Type.Object({
        recordsLeft: orNull(Type.Number()),
        callsLeft: orNull(Type.Number()),
        etaSeconds: orNull(Type.Number()),
        finishedAt: Moment,
      }),
    ]),
    polling: Type.Object({
      callsPerDay: Type.Number(),
      stretch: Type.Number({ description: 'How many times longer than wanted polls wait, to save calls' }),
    }),
    sentence: Type.String({ description: 'All of it in words' }),
  },
  { $id: 'QuotaInfo' },
);

/** The allowance of one connection, where the platform does not tell it or others use it too. */
export const QuotaAllowance = Type.Object(
  {
    calls: Type.Integer({ minimum: 1, maximum: 1_000_000_000, description: 'Calls this hub may make in a window' }),
    every: Type.Optional(words(['day', 'month'])),
    zone: Type.Optional(
      Type.String({
        maxLength: 60,
        description: 'Zone of the midnight at which the platform counts anew; default: of the account',
      }),
    ),
  },
  { $id: 'QuotaAllowance', additionalProperties: false },
);
