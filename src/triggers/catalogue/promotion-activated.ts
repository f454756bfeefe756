import { Type } from 'typebox';
import { defineTrigger } from '../schema.ts';

/** Fired by a campaign for the customers of its segment, not found in data. */
export const promotionActivated = defineTrigger({
  name: 'promotion.activated',
  title: 'Promotion switched on',
  arms: 'Fires once for each customer of the segment when a campaign is switched on, a few a day so that not everybody is written to at once. The same campaign never fires twice for a customer; another campaign does.',
  key: 'campaign + customer',
  maxAgeHours: 48,
  // How many a day, and for whom, is said with the campaign.
  settings: Type.Object({}, { additionalProperties: false }),
  defaults: {},
});
