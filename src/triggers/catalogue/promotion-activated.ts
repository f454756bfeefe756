import { Type } from 'typebox';
import { nullable } from '../../base/schema.ts';
import { defineTrigger } from '../schema.ts';

/** Fired by a campaign for the customers of its segment, not found in data. */
export const promotionActivated = defineTrigger({
  name: 'promotion.activated',
  title: 'Promotion switched on',
  arms: 'Fires once for each customer of the segment when a campaign is switched on, a few a day so that not everybody is written to at once. The same campaign never fires twice for a customer; another campaign does.',
  key: 'campaign + customer',
  maxAgeHours: 48,
  settings: Type.Object(
    {
      segment: nullable(Type.String({ format: 'uuid', description: 'Id of the segment the campaign is for' })),
      dripPercentPerDay: Type.Number({
        exclusiveMinimum: 0,
        maximum: 100,
        description: 'At most this share of the list a day',
      }),
      maxPerHour: Type.Integer({ minimum: 1, maximum: 100_000 }),
    },
    { additionalProperties: false },
  ),
  // SEMANTICS, backfills: dripped, by default at most 5 % of the list a day and a fixed ceiling an hour.
  defaults: { segment: null, dripPercentPerDay: 5, maxPerHour: 500 },
});
